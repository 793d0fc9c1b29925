#!/bin/sh
# Fold rules that change: the state is built again by the new ones, past
# states are by them, too, and going back gives what was there.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
rules='*deleted=set load_*=merge thing_added=touch *removed=remove'

archives() {
	[ "$(find "$data/broker" -name 'archive-*.zst' | wc -l)" -ge "$1" ]
}

# is RULES ARGUMENT...: what peal says then is the fold by the rules.
is() {
	by=$1
	shift
	"$peal" "$@" --data "$data" --json >"$work/rows" 2>"$work/is.err" || {
		cat "$work/is.err"
		return 1
	}
	upto=$events
	[ "$1" != at ] || upto=$2
	if [ -n "$by" ]; then
		set -- --rules "$by"
	else
		set --
	fi
	python3 "$top_srcdir/tests/lib/fold.py" "$@" "$work/events" \
	    "$work/rows" "$upto"
}

# state NAME RULES: at last, and then at seqs of the past.
state() {
	passes "$1: the state is the fold by the rules" \
	    await_here is "$2" state --min-seq "$events"
	for seq in $((events / 4)) $((events - 7)); do
		passes "$1: so is the one at $seq" is "$2" at "$seq"
	done
	passes "$1: peal verify agrees" verified --data "$data"
}

house_up --gateways 1 -o broker.archive_events=3000
passes 'events are appended' "$programs/load" -s "$data/run/writer.sock" \
    -n 3100 -T 300 -b 100
passes 'an archive comes to be' await_here archives 1
passes 'more are appended' "$programs/load" -s "$data/run/writer.sock" \
    -n 1000 -T 300 -b 100
events=4100
"$peal" log cat --data "$data" --json >"$work/events"
state 'at first' ''
house_down || bail 'it did not end'
house_up --gateways 1 -o broker.archive_events=3000 -o fold.rules="$rules"
state 'by other rules' "$rules"
house_down || bail 'it did not end'
house_up --gateways 1 -o broker.archive_events=3000
state 'back again' ''
house_down || bail 'it did not end'
plan $count
