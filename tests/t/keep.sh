#!/bin/sh
# Clients' stored positions hold back retention within log.keep_for_cursors:
# who stands within it goes on without a gap, who stands before it is told what
# is the oldest, as ever, and what nobody needs any more goes.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'

week() {
	"$programs/week" "$@" -p "$port" -C "$cafile" -t "$token" -d "$deadline"
}

load() {
	"$programs/load" -d "$deadline" -s "$data/run/writer.sock" -n 30000 \
	    -T 500 -b 20 -B 3000 -S 7
}

# The first event of each segment, one a line.
segments() {
	find "$data/log" -name '*.seg' | sed 's|.*/0*||; s|-.*||' | sort -n
}

# begins SEQ: the log does, and nothing is left of what was before.
begins() {
	[ "$(segments | head -n 1)" -eq "$1" ]
}

# kept BYTES: so much stays for positions alone.
kept() {
	"$peal" stat -1 --data "$data" --json writer.kept_for_cursors |
		grep -q "\"value\":$1[,}]"
}

wants() {
	[ "$(wanted)" -eq "$1" ]
}

alone() {
	house_writer -o log.keep_bytes=6M -o log.pack=no \
	    -o broker.directory="$data/broker" "$@"
}

alone_ends() {
	kill -TERM "$writer"
	ends "$writer"
}

house() {
	house_up --gateways 1 -o log.segment_bytes=4M -o log.pack=no "$@"
}

house -o log.keep_bytes=1T
passes 'a history is appended' load
segments >"$work/were"
# The newest and the one before stay in any case.
n=$(wc -l <"$work/were")
[ "$n" -gt 6 ] || bail 'the log is too small'
first() {
	sed -n "$((n - $1))p" "$work/were"
}
head=$("$peal" ring --data "$data" --json | sed 's/.*"head":\([0-9]*\).*/\1/')
echo "# $head events in $n segments; $(tr '\n' ' ' <"$work/were")"
at=$(($(first 3) + 10))
passes 'a client stores where it stands' week ack -I laptop -q "$at"
passes 'another one a place long before' week ack -I phone -q 500
house_down

alone -o log.keep_for_cursors=0
passes 'who keeps nothing for them wants rows for the last two segments' \
    await_here wants $(($(first 1) - 1))
alone_ends
alone -o log.keep_for_cursors=12M
passes 'without a word of the broker nothing stays beyond the bound' \
    await_here wants $(($(first 4) - 1))
alone_ends

house -o log.keep_bytes=6M -o log.keep_for_cursors=12M
passes 'the log begins with what the nearest position needs' \
    await_here begins "$(first 3)"
passes 'and two segments stay for it alone' await_here kept 8388608
echo "$head" >"$work/stop"
passes 'its client goes on without a gap' week resume -I laptop -q "$at" \
    -l "$data/log" -s "$work/stop"
exits 'who stood before the bound is told' 1 'lagged: retention' \
    week resume -I phone -q 500 -l "$data/log" -s "$work/stop"
passes 'when it stands at the end nothing stays for it' await_here kept 0
passes 'and what stayed goes' await_here begins "$(first 1)"
passes 'the log is whole' "$peal" log verify --data "$data"
house_down
plan "$count"
