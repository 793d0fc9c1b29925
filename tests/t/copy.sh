#!/bin/sh
# A log that is being written is copied as doc/operations.md says: what is in
# the copy is whole, and a writer goes on from it.
. "$(dirname "$0")/../lib/house.sh"
plan 7

stored() {
	"$peal" ring --data "$data" --json |
		sed -n 's/.*"head":\([0-9]*\).*/\1/p'
}

beyond() {
	[ "$(stored)" -gt "$1" ]
}

# What the copy has is what the log begins with.
begins_alike() {
	"$peal" log cat --json --data "$work/copy" >"$work/copied" &&
		n=$(wc -l <"$work/copied") && [ "$n" -gt 1000 ] &&
		"$peal" log cat --json --data "$data" --to "$n" |
		cmp - "$work/copied"
}

# The witness last: it knows of more than was copied.
the_other_way_round() {
	mkdir -p "$work/wrong/log"
	cp "$data"/log/*.seg "$work/wrong/log/" || :
	find "$data/log" -name '*.segz' -exec cp -t "$work/wrong/log" {} +
	before=$(stored)
	await_here beyond "$before" || return 0
	cp "$data/log/durable.wit" "$work/wrong/log/"
	"$peal" log verify --data "$work/wrong"
}

copies 40 >"$work/events.jsonl"
house_up --gateways 1 -o log.segment_bytes=4M
"$peal" import "$work/events.jsonl" --data "$data" --window 16 \
    >"$work/import.out" 2>&1 &
import=$!
others="$others $import"
await_here beyond 20000 || bail 'nothing is imported'
passes 'a log is copied while it is written' copy_by_hand
passes 'it was written all the while' kill -0 "$import"
exits 'with the witness last it is refused' 3 'ends too early' \
	the_other_way_round
ends "$import"
[ "$status" -eq 0 ] || sed 's/^/# /' "$work/import.out"
verdict 'the import knows nothing of it' "$status"
passes 'what the copy has is what the log begins with' begins_alike
passes 'the peal that was copied ends in order' house_down
data=$work/copy
house_writer
passes 'a writer goes on from the copy' produce -n 100
