#!/bin/sh
# A gateway that serves has given up what it needs no more, and goes on
# through all that its life brings: another writer, SIGHUP, the end.
. "$(dirname "$0")/../lib/house.sh"

# status KEY: of the gateway, as the kernel says.
status_of() {
	sed -n "s/^$1:[^0-9]*\([0-9]*\)$/\1/p" "/proc/$first/status"
}

house_up --gateways 1
first=$(gateways)
grep -q 'does not filter its system calls' "$work/up.err" && {
	house_down
	skip_all 'this build does not filter its system calls'
}
plan 9
passes 'its system calls are filtered' [ "$(status_of Seccomp)" -eq 2 ]
passes 'no program that it could run would get privileges' \
    [ "$(status_of NoNewPrivs)" -eq 1 ]
follow -n 3 -P '>' -f 0 -u 2000 -d "$deadline" -l "$data/log" \
    -r "$work/ready" >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/ready" || bail 'the clients never got going'
kill -HUP "$first"
passes 'it reads certificate and keys again' \
    await grep -q 'the token keys were read again' "$work/up.err"
passes 'and nothing was refused it' sh -c \
    "! grep 'stays\? as' '$work/up.err'"
old=$(writer)
kill -KILL "$old"
another_writer() {
	[ -n "$(writer)" ] && [ "$(writer)" != "$old" ]
}
passes 'another writer comes' await_here another_writer
await test -S "$data/run/writer.sock"
passes 'events are stored' produce -n 2000 -b 1 -w 64 -d "$deadline"
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'its clients get them all' "$status"
passes 'it is still the same process' [ "$(gateways)" = "$first" ]
passes 'told to stop, all of it ends, and its counters with it' sh -c \
    "kill -TERM $up && '$lib/await' $deadline \
	sh -c '! kill -0 $first 2>/dev/null' &&
    ! ls '$data'/run/stat/gateway.$first"
