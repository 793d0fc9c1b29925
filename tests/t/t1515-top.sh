#!/bin/sh
# peal top: in a pseudo terminal, resized, over a new writer, with names that a
# terminal would obey; and what it says where there is no terminal.
. "$(dirname "$0")/../lib/house.sh"
deadline=600
plan 21
house_up --gateways 1 --no-vitals
exits 'without a terminal it says what there is for programs' 1 \
    'this needs a terminal' "$peal" top --data "$data"
exits 'a terminal that nobody knows is named' 1 "a terminal 'no-such' " \
    python3 -c 'import os, pty, sys
os.environ["TERM"] = "no-such"
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' \
    "$peal" top --data "$data"
python3 "$top_srcdir/tests/t/top.py" "$peal" "$data" "$up" \
    >"$work/top" 2>"$work/top.err"
status=$?
count_group top "$work/top"
sed 's/^/# /' "$work/top.err"
[ "$(grep -c '^ok' "$work/top")" -eq 18 ] || status=1
verdict 'it came to its end' $status
