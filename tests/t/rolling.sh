#!/bin/sh
# A rolling restart under load: each of two gateways is told to stop and
# another takes its place.  Nobody is refused, each client gets each event
# once, in order, and the time without a connection is told.  PEAL_CLIENTS and
# PEAL_RATE name another number of clients and of events a second, PEAL_DRAIN
# over how many seconds a gateway sends its clients away.
. "$(dirname "$0")/../lib/house.sh"

clients=${PEAL_CLIENTS:-200}
rate=${PEAL_RATE:-100}
deadline=${PEAL_SECONDS:-900}

# Two are there, and the one that was stopped is not among them.
replaced() {
	now=$(gateways)
	set -- $now
	[ $# -eq 2 ] && [ "$1" != "$victim" ] && [ "$2" != "$victim" ] &&
		[ "$(ready)" -eq 2 ]
}

# How many of them serve.
ready() {
	n=0
	for pid in $(gateways); do
		"$peal" stat -1 --data "$data" gateway.sessions |
			grep -q "^gateway.sessions  *$pid " && n=$((n + 1))
	done
	echo $n
}

# Most of the clients have come back after the last restart.
settled() {
	"$peal" stat -1 --data "$data" gateway.sessions >"$work/sessions"
	n=0
	for pid in $(gateways); do
		n=$((n + $(awk -v pid="$pid" '$2 == pid { print $3 }' \
		    "$work/sessions")))
	done
	[ $n -eq "$clients" ]
}

plan 7
house_up --gateways 2 -o gateway.drain_seconds=${PEAL_DRAIN:-3} -o gateway.user_connections=0
first=$(gateways)
follow -n "$clients" -P '>' -f 0 -U "$work/until" -d "$deadline" \
    -l "$data/log" -r "$work/ready" >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/ready" || bail 'the clients never got going'
"$programs/load" -s "$data/run/writer.sock" -d "$deadline" -r "$rate" -T 50 \
    >"$work/load" 2>&1 &
load=$!
others="$others $load"
for victim in $first; do
	await_here settled || bail 'the clients did not come back'
	kill -TERM "$victim"
	await_here replaced || bail 'no other gateway came'
done
await_here settled || bail 'the clients did not come back'
for victim in $first; do
	passes "gateway $victim ended with 0" grep -q \
	    "pid $victim) ended with exit code 0" "$work/up.err"
done
kill -TERM "$load"
ends "$load"
sed 's/^/# /' "$work/load"
"$peal" append --data "$data" the.end came 1 >"$work/end" || bail 'no end'
awk '{ print $2 }' "$work/end" >"$work/until.new"
mv "$work/until.new" "$work/until"
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'each client got each event once, in order, unbroken' "$status"
passes 'no connection was refused' grep -q ' refused=0$' "$work/follow"
passes 'every client was sent away at least once' \
    grep -q "^gaps=$clients " "$work/follow"
passes 'the load went on all the time' grep -q '[1-9]' "$work/load"
passes 'told to stop, all of it ends' house_down
