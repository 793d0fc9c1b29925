#!/bin/sh
# Archives of past states are a convenience: with any of them damaged or gone,
# the state at a past seq is the same.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'

archives() {
	find "$data/broker" -name 'archive-*.zst' | sort
}

archived() {
	[ "$(archives | wc -l)" -ge "$1" ]
}

# past NAME SEQ: the rows at that seq are the fold up to it.
past() {
	await "$peal" at "$2" --data "$data" --json >"$work/rows" 2>"$work/past.err"
	status=$?
	sed 's/^/# /' "$work/past.err"
	[ $status -eq 0 ] || {
		verdict "$1" $status
		return
	}
	passes "$1" python3 "$top_srcdir/tests/lib/fold.py" "$work/events" \
	    "$work/rows" "$2"
}

# load EVENTS: so many more.
load() {
	"$programs/load" -d "$deadline" -s "$data/run/writer.sock" -n "$1" \
	    -T 2000 -b 500
}

house_up --gateways 1 -o broker.archive_events=5000
passes 'events are appended' load 5100
passes 'an archive comes to be' await_here archived 1
passes 'more are' load 5100
passes 'and another one' await_here archived 2
passes 'and some more' load 800
events=11000
"$peal" log cat --data "$data" --json >"$work/events"
archives | sed "s|$work/||; s/^/# /"
past 'a state behind the newest archive' $((events - 100))
past 'one behind the one before' $((events / 2 + 500))
past 'one before the oldest' 3000

newest=$(archives | tail -n 1)
size=$(wc -c <"$newest")
head -c 4096 /dev/urandom |
	dd of="$newest" conv=notrunc bs=1 seek=$((size / 2)) 2>/dev/null
past 'with noise in the newest archive it is the same' $((events - 100))
past 'a moment later, too' $((events - 99))
passes 'and the noise was noticed' grep -q 'an older one takes its place' "$work/up.err"
: >"$newest"
past 'with an empty one' $((events - 100))
rm -f "$newest"
past 'without it' $((events - 100))
next=$(archives | tail -n 1)
[ -n "$next" ] || bail 'there is no other archive'
head -c 100000 /dev/urandom >"$next"
past 'with the next one being noise' $((events - 100))
# shellcheck disable=SC2046 # a list of files
rm -f $(archives)
past 'without any' $((events - 100))
passes 'told to stop, all of it ends' house_down
house_up --gateways 1 -o broker.archive_events=5000
past 'started again' $((events - 100))
passes 'told to stop, all of it ends again' house_down
plan $count
