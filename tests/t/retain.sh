#!/bin/sh
# Retention gives up the oldest segments, and nothing of what they came to:
# rows, versions and keys are the same, also where all else is made anew.
# What asks for what is gone is told what is the oldest.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
command -v curl >/dev/null || skip_all 'there is no curl'

cp "$sample" "$work/sample.jsonl"

# The same keys again, as one would who has no file that says how far he got.
import() {
	rm -f "$work/sample.jsonl.peal-progress"
	"$peal" import --data "$data" "$work/sample.jsonl"
}

load() {
	"$programs/load" -d "$deadline" -s "$data/run/writer.sock" -n "$1" \
	    -T 500 -b 20 -B 3000 -S 7
}

state() {
	await "$peal" state --data "$data" --json >"$work/$1"
}

same_state() {
	state now && cmp "$work/before" "$work/now"
}

# The oldest event, as the log's files say it.
oldest() {
	find "$data/log" -name '*.seg*' | sort | sed -n '1{s|.*/0*||;s|-.*||;p;}'
}

has_floor() {
	[ -f "$data/log/FLOOR" ] && [ "$(packed)" -eq 0 ]
}

segments() {
	find "$data/log" -name '*.seg' | wc -l
}

all_packed() {
	[ "$(segments)" -eq 2 ] && [ ! -f "$data/log/pack.tmp" ]
}

packed() {
	find "$data/log" -name '*.segz' | wc -l
}

same_events() {
	"$peal" log cat --data "$data" --json >"$work/again" &&
		cmp "$work/events" "$work/again"
}

# past SEQ: the rows at that seq are what folding all events up to it gives.
past() {
	await "$peal" at "$1" --data "$data" --json >"$work/rows" || return 1
	python3 "$top_srcdir/tests/lib/fold.py" "$work/events" "$work/rows" "$1"
}

http() {
	curl -sS --cacert "$cafile" -H "Authorization: Bearer $(cat "$token")" \
	    -w '\n%{http_code}\n' "https://127.0.0.1:$port$1"
}

keeping='-o log.segment_bytes=4M -o log.keep_bytes=6M'

# shellcheck disable=SC2086 # they are several words
house() {
	house_up --gateways 1 $keeping "$@"
}

house_up --gateways 1 -o log.segment_bytes=4M -o log.keep_bytes=1T \
    -o log.pack=no
passes 'a history with keys is imported' import
passes 'and more is appended' load 15000
"$peal" log cat --data "$data" --json >"$work/events"
head=$(wc -l <"$work/events")
state before
echo "# $head events in $(segments) segments"
[ "$(segments)" -gt 4 ] || bail 'the log is too small'
passes 'nothing is given up while there is room' [ ! -f "$data/log/FLOOR" ]
house_down

house_up --gateways 1 -o log.segment_bytes=4M -o log.keep_bytes=1T
passes 'older segments are packed' await_here all_packed
echo "# packed: $(cat "$data/log"/*.segz | wc -c) bytes in $(packed) segments"
passes 'the events are the same' same_events
passes 'and the log is whole' "$peal" log verify --data "$data"
passes 'the state is the same' same_state
passes 'a past one, too' past 1500
passes 'single events are found' sh -c \
    "'$peal' history --data '$data' --after 4999 -n 1 --json | grep -q '^\[5000,'"
rm -f "$data/log"/*.idx
passes 'also without indexes' sh -c \
    "'$peal' history --data '$data' --after 2999 -n 1 --json | grep -q '^\[3000,'"
house_down

half="$data/log/00000000000000000001-0000000001.sum.tmp"
: >"$half"
house
passes 'with less room the oldest segments go' await_here has_floor
passes 'and what a crash had left half made' [ ! -e "$half" ]
floor=$(oldest)
echo "# the log begins with $floor"
passes 'but for the newest ones' [ "$floor" -lt "$head" ]
passes 'one base is there' \
    [ "$(find "$data/log" -name 'base-*.zst' | wc -l)" -eq 1 ]
passes 'the state is the same' same_state
passes 'a past one behind the floor, too' past $((head - 50))
passes 'and right at it' past "$floor"
passes 'and right before it' past $((floor - 1))
exits 'one before that is not kept' 1 "the oldest that is kept: $((floor - 1))" \
    "$peal" at $((floor - 2)) --data "$data"
passes 'history begins with the oldest' sh -c \
    "'$peal' history --data '$data' -n 1 --json | grep -q '^\[$floor,'"
passes 'over HTTP, too' sh -c \
    "[ \"$(http '/v1/history?limit=1' | grep -c "\[\[$floor,")\" -eq 1 ]"
http '/v1/stream?topic=%3E&from=1' >"$work/gone"
passes 'a replay from before it is 410' grep -qx 410 "$work/gone"
passes 'with the oldest' grep -q "\"oldest\":$floor" "$work/gone"
passes 'keys of what is gone are known' sh -c \
    "rm -f '$work/sample.jsonl.peal-progress'; '$peal' import --data '$data' \
    '$work/sample.jsonl' | grep -q ' 0 stored, 2000 duplicates'"
passes 'and the log is whole' "$peal" log verify --data "$data"
passes 'so is a copy made by hand' copy_by_hand
passes 'with the floor and the base' [ -f "$work/copy/log/FLOOR" ]
rm -r "$work/copy"
house_down

# A topic that the last event changed long before the floor.
topic=$(python3 - "$work/before" "$floor" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    row = json.loads(line)
    if row[2] < int(sys.argv[2]):
        print(row[0], row[1])
        break
PY
)
version=${topic#* } topic=${topic% *}
passes 'a topic is found that only the base knows' [ -n "$version" ]

rm -rf "$data/broker" "$data/log/writer.ckpt" "$data/log"/*.idx
house
passes 'without broker, checkpoint and indexes the state comes back' \
    await_here same_state
passes 'keys are known as before' sh -c \
    "rm -f '$work/sample.jsonl.peal-progress'; '$peal' import --data '$data' \
    '$work/sample.jsonl' | grep -q ' 0 stored, 2000 duplicates'"
exits 'a version is, too' 1 conflict "$peal" append --data "$data" \
    --expect $((version - 1)) "$topic" touched
passes 'and the next one follows' sh -c "'$peal' append --data '$data' --json \
    --expect $version $topic touched | grep -q $((version + 1))"
passes 'more is appended' load 12000
passes 'the floor moves on' await_here sh -c \
    "! [ -f '$data/log/base-$(printf %020d $((floor - 1))).zst' ]"
passes 'and only the newest base stays' await_here sh -c \
    "[ \$(find '$data/log' -name 'base-*.zst' | wc -l) -eq 1 ] &&
    ! [ -f '$data/log/base-$(printf %020d $((floor - 1))).zst' ]"
state before
kill -KILL "$(writer)" "$(broker)"
passes 'killed and restarted, the state is the same' await_here same_state
passes 'one base is there' await_here sh -c \
    "[ \$(find '$data/log' -name 'base-*.zst' | wc -l) -eq 1 ]"
house_down

rm -rf "$data/broker" "$data/log/writer.ckpt"
# Stopped right behind a move of the floor, the base of the one before may be
# there as well.
floor=$("$peal" log verify --data "$data" |
    sed -n 's/.* events from seq \([0-9]*\) to .*/\1/p')
base=$data/log/base-$(printf %020d $((floor - 1))).zst
start() {
	timeout "$deadline" "$top_builddir/peal-writer" -o log.directory="$data/log" \
	    -o log.unsafe_filesystem=yes \
	    -o ring.directory="$data/run" -o broker.directory="$data/broker"
}
mv "$base" "$work/base"
exits 'without the base the writer refuses' 3 'is missing' start
cp "$work/base" "$base"
# The state stands behind the rows.
python3 - "$base" <<'PY'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    f.seek(-256, 2)
    rows, = struct.unpack("<Q", f.read(256)[56:64])
    f.seek(rows + 200)
    byte = f.read(1)[0]
    f.seek(rows + 200)
    f.write(bytes([byte ^ 1]))
PY
exits 'where its state is damaged, too' 3 'does not match its CRC' start
exits 'and verification says it' 3 'its hash is another' \
    "$peal" log verify --data "$data"
cp "$work/base" "$base"
mv "$data/log/FLOOR" "$work/FLOOR"
exits 'without the floor it refuses' 3 "'FLOOR': it is missing" start
exits 'and gives up nothing that the base stands for' 3 "'FLOOR': it is missing" \
    "$peal" log repair --data "$data"
exits 'nor does it print an empty log' 3 "'FLOOR': it is missing" \
    "$peal" log cat --data "$data"
head -c 100 "$work/FLOOR" >"$data/log/FLOOR"
exits 'and with half of one' 3 "'FLOOR': it does not verify" start
cp "$work/FLOOR" "$data/log/FLOOR"
house
passes 'all back in its place, everything is as it was' await_here same_state
house_down
plan "$count"
