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
	# Some flushes on: the witness is written with each.
	await_here beyond $(($(stored) + 2000)) || return 0
	cp "$data/log/durable.wit" "$work/wrong/log/"
	"$peal" log verify --data "$work/wrong"
}

house_up --gateways 1 -o log.segment_bytes=4M
# Until it is told to stop, however long copying takes.
"$programs/load" -s "$data/run/writer.sock" -d 900 -r 5000 -B 200 \
    >"$work/load.out" 2>&1 &
load=$!
others="$others $load"
await_here beyond 20000 || bail 'nothing is appended'
passes 'a log is copied while it is written' copy_by_hand
passes 'it was written all the while' kill -0 "$load"
exits 'with the witness last it is refused' 3 'ends too early' \
	the_other_way_round
kill -TERM "$load"
ends "$load"
sed 's/^/# /' "$work/load.out"
verdict 'who appends knows nothing of it' "$status"
passes 'what the copy has is what the log begins with' begins_alike
passes 'the peal that was copied ends in order' house_down
data=$work/copy
house_writer
passes 'a writer goes on from the copy' produce -n 100
