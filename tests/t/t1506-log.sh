#!/bin/sh
# `peal log`: list, print and check, beside a writer and without one.
. "$(dirname "$0")/../lib/house.sh"
plan 27

log() {
	what=$1
	shift
	"$peal" log "$what" --data "$data" "$@"
}

cat_is() {
	log cat --json >"$work/cat" && cmp "$work/cat" "$1"
}

exits 'a log that is not there is an error' 1 'nowhere' \
	"$peal" log ls -o "log.directory=$work/nowhere"
exits 'a subcommand that is none is named' 2 "no 'nothing'" log nothing
house_up --gateways 1 -o ring.slots=64 -o ring.payload_bytes=16K
cp "$sample" "$work/events"
"$peal" import --data "$data" "$work/events" >/dev/null || bail 'no import'
lines=$(wc -l <"$sample")
log cat --json >"$work/all"
passes 'every event is printed, one on a line' \
	[ "$(wc -l <"$work/all")" -eq "$lines" ]
exits 'it begins and ends where it is told to' 0 '[7,' \
	log cat --json --from 7 --to 7
passes 'and prints nothing else' [ "$(wc -l <"$work/out")" -eq 1 ]
exits 'patterns choose' 0 'repo.basin.Makefile_am' \
	log cat 'repo.basin.Makefile_am'
passes 'and leave out the rest' sh -c "! grep -v Makefile_am '$work/out'"
exits 'a full disk behind the output is an error' 1 'cannot write' \
	sh -c "'$peal' log cat --data '$data' >/dev/full"
exits 'the segment is open' 0 'open' log ls
exits 'all verifies beside the writer' 0 "$lines events" log verify
passes 'what the ring holds no more a tail reads from the log' \
	sh -c "'$peal' tail --data '$data' --json --from 1 -n $lines |
	    cmp - '$work/all'"
passes 'so it does from the oldest on' \
	sh -c "'$peal' tail --data '$data' --json --from oldest -n $lines |
	    cmp - '$work/all'"
mkdir -p "$work/bare/log"
exits 'a directory without a log is not called whole' 0 'no segment yet' \
	"$peal" log verify --data "$work/bare"
# What it leaves in its witness is how far it has come.
await "$peal" state --data "$data" --min-seq "$lines" nothing.here \
    >"$work/level" 2>&1 || bail 'the broker stays behind'
house_down || bail 'peal up did not end well'
exits 'all verifies without a writer' 0 "$lines events" log verify
passes 'and is printed as before' cat_is "$work/all"
passes 'after a clean end nothing is open' \
	sh -c "! '$peal' log ls --data '$data' | grep -w open"

# What is odd and costs no event.
cp "$data/log/durable.wit" "$work/durable.wit"
printf '\377' | dd of="$data/log/durable.wit" bs=1 seek=59 conv=notrunc \
	2>/dev/null
exits 'a witness that is damaged is said' 0 "'durable.wit' is damaged" \
	log verify
exits 'and is counted, but not as a problem' 0 '"problems":0,"notes":1,' \
	log verify --json
cp "$work/durable.wit" "$data/log/durable.wit"
exits 'a log of which nothing is odd has no note' 0 '"notes":0,' \
	log verify --json

# Nothing is left but what the broker knows.
mkdir -p "$work/emptied/log"
cp -a "$data/broker" "$work/emptied/broker"
exits "an emptied log is not called new where the broker's witness is" 3 \
	"'position.wit' says that $lines was durable" \
	"$peal" log verify --data "$work/emptied"
printf '\377' | dd of="$work/emptied/broker/position.wit" bs=1 seek=59 \
	conv=notrunc 2>/dev/null
exits 'one that is damaged says nothing, and that is said' 0 \
	"the broker's witness says nothing: 'position.wit' is damaged" \
	"$peal" log verify --data "$work/emptied"
rm -rf "$work/emptied/broker"
exits 'without a broker nobody is asked' 0 '"notes":0,' \
	"$peal" log verify --data "$work/emptied" --json

# One byte of an event in the middle; between flushes nothing counts.
segment=$(find "$data/log" -name '*.seg' | sort | head -n 1)
place=$(LC_ALL=C grep -abo 'repo.basin' "$segment" |
	sed -n '1000s/:.*//p')
printf '\377' | dd of="$segment" bs=1 seek="$place" conv=notrunc 2>/dev/null
exits 'damage is named and ends with 3' 3 "$(basename "$segment")" log verify
exits 'and counted' 3 '1 problem; ' log verify
exits 'what is before it is printed, then it ends with 3' 3 '[1,' \
	log cat --json
passes 'and nothing that is not whole' sh -c "
	grep '^\\[' '$work/out' >'$work/before'
	head -n \$(wc -l <'$work/before') '$work/all' | cmp - '$work/before'"
mv "$segment" "$work/segment"
exits 'nor is a log an empty one whose only segment is gone' 3 \
	'ends too early' log cat
