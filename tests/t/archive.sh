#!/bin/sh
# Archives of past states are a convenience: with any of them damaged or gone,
# the state at a past seq is the same.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
events=45000

archives() {
	find "$data/broker" -name 'archive-*.zst' | sort
}

archived() {
	[ "$(archives | wc -l)" -ge "$1" ]
}

# past NAME SEQ: the rows at that seq are the fold up to it.
past() {
	"$peal" at "$2" --data "$data" --json >"$work/rows" 2>"$work/past.err"
	status=$?
	sed 's/^/# /' "$work/past.err"
	[ $status -eq 0 ] || {
		verdict "$1" $status
		return
	}
	passes "$1" python3 "$top_srcdir/tests/lib/fold.py" "$work/events" \
	    "$work/rows" "$2"
}

house_up --gateways 1 -o broker.archive_events=20000
passes 'many events are appended' "$programs/load" -d "$deadline" \
    -s "$data/run/writer.sock" -n "$events" -T 2000 -b 500 -S 21
"$peal" log cat --data "$data" --json >"$work/events"
passes 'archives come to be' await_here archived 2
archives | sed "s|$work/||; s/^/# /"
past 'a state behind the newest archive' $((events - 1000))
past 'one behind the one before' $((events / 2 + 2000))
past 'one before the oldest' 15000

newest=$(archives | tail -n 1)
size=$(wc -c <"$newest")
head -c 4096 /dev/urandom |
	dd of="$newest" conv=notrunc bs=1 seek=$((size / 2)) 2>/dev/null
past 'with noise in the newest archive it is the same' $((events - 1000))
past 'a moment later, too' $((events - 999))
passes 'and the noise was noticed' grep -qi archive "$work/up.err"
: >"$newest"
past 'with an empty one' $((events - 1000))
rm -f "$newest"
past 'without it' $((events - 1000))
head -c 100000 /dev/urandom >"$(archives | tail -n 1)"
past 'with the next one being noise' $((events - 1000))
# shellcheck disable=SC2046 # a list of files
rm -f $(archives)
past 'without any' $((events - 1000))
passes 'told to stop, all of it ends' house_down
house_up --gateways 1 -o broker.archive_events=20000
past 'started again' $((events - 1000))
passes 'told to stop, all of it ends again' house_down
plan $count
