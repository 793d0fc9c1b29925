#!/bin/sh
# peal ring and peal readers: what a ring promises and who reads it, beside a
# running writer, behind a crash, and where the disk says something else.
. "$(dirname "$0")/../lib/house.sh"

ring() {
	"$peal" ring --data "$data" "$@"
}

readers() {
	"$peal" readers --data "$data" "$@"
}

# state PID STATE: of that reader.
state_is() {
	readers | awk -v pid="$1" -v want="$2" '
		$2 == pid { found = $NF == want }
		END { exit !found }'
}

# Every column has a name, and every line every column.
columns() {
	readers >"$work/readers" && awk '
		NR == 1 { $1 = $1; sub("beat ms", "beat"); n = NF
			if ($0 !~ /role pid position lag bytes ms share clients lapped wakeups missed beat state/) exit 1 }
		NR > 1 && NF != n { exit 1 }
		END { if (NR != 4) exit 1 }' "$work/readers"
}

shares() {
	readers --json >"$work/json" && tr '}' '\n' <"$work/json" |
		grep -c '"share":[01]\.[0-9e-]*,"state":"' | grep -qx 3
}

twice() {
	readers -n 2 -i 1 --json >"$work/json" &&
		[ "$(wc -l <"$work/json")" -eq 2 ]
}

# A byte in the middle of what the ring holds, where no header is.
spoil() {
	cp "$data/run/ring" "$work/good"
	size=$(wc -c <"$data/run/ring")
	grep -abo 'spoil-me' "$data/run/ring" | tail -n 1 | cut -d: -f1 \
	    >"$work/at"
	printf S | dd of="$data/run/ring" bs=1 seek="$(cat "$work/at")" \
	    conv=notrunc 2>/dev/null
	[ "$(wc -c <"$data/run/ring")" -eq "$size" ]
}

plan 27
house_up --gateways 2 --no-vitals -o ring.slots=4096 -o ring.payload_bytes=1M
exits 'a ring that never had an event says so' 0 'nothing published since it began' ring
exits 'to programs, too' 0 '"publish_ms":null' ring --json
cp "$sample" "$work/events.jsonl"
"$peal" import --data "$data" "$work/events.jsonl" >/dev/null 2>&1 ||
	bail 'nothing was imported'
head=$(wc -l <"$sample")
passes 'what must hold of a ring holds, and is counted' \
    sh -c "'$peal' ring --data '$data' | grep -q '^invariants   8 of 8 hold'"
exits 'programs are told of none that is broken' 0 '"broken":[]' ring --json
exits 'what the ring holds is in the log, byte for byte' 0 \
    "to $head are the same in the log (0 are kept there no longer)" \
    ring --compare
exits 'programs learn how many' 0 "\"last\":$head,\"older\":0," \
    ring --compare --json
exits 'a dump from the last seq has that one' 0 "[$head," \
    ring --dump --json --from "$head"
exits 'behind it there is none, and that is said' 0 \
    "the ring ends at seq" ring --dump --from $((head + 1000000))
exits 'one may not ask for two things at once' 2 'exclude each other' \
    ring --dump --verify
# Until the oldest events are only in the log.
i=0
while [ "$(ring --json | sed 's/.*"first_seq":\([0-9]*\).*/\1/')" -le 2 ]; do
	produce -n 2000 -b 10 -w 100 -d "$deadline" >/dev/null 2>&1 ||
		bail 'nothing was produced'
	i=$((i + 1))
	[ "$i" -lt 50 ] || bail 'the ring never gets full'
done
exits 'a dump from a seq that has left the ring says where it begins' 0 \
    'the ring begins at seq' ring --dump --from 2 -n 1
passes 'a ring that has gone round is the same in the log' ring --compare
passes 'and as it should be' ring --verify
passes 'each reader has every column' await_here columns
passes 'programs get the share of the ring that lag takes' await_here shares
passes 'it looks as often as it is told' twice
victim=$(gateways | head -n 1)
kill -STOP "$victim"
passes 'a gateway that stands still is stalled' \
    await_here state_is "$victim" stalled
kill -CONT "$victim"
passes 'until it goes on' await_here state_is "$victim" waits
"$peal" append --data "$data" last.words spoil-me >/dev/null ||
	bail 'nothing was appended'
passes 'told to stop, all of it ends' house_down

# What is left is read without anybody.
exits 'the ring that is left is the same in the log' 0 \
    'are the same in the log' ring --compare
exits 'it says that nobody holds the log' 0 'writer dead' ring
exits 'readers are shown as the last writer saw them' 0 'no writer runs' readers
spoil || bail 'the ring was not spoilt'
exits 'a byte that is another is found by the checksum' 3 \
    'its bytes do not fit its CRC' ring --verify
exits 'and in comparison with the log' 3 'has other bytes in the log' \
    ring --compare
cp "$work/good" "$data/run/ring"
passes 'with the byte put right, neither finds anything' sh -c \
    "'$peal' ring --data '$data' --verify && '$peal' ring --data '$data' --compare"
# Doorbells that were rung for what is not there: hot page, 384.
printf '\377\377\377\377\377' |
	dd of="$data/run/ring" bs=1 seek=$((4096 + 384)) conv=notrunc 2>/dev/null
exits 'a number that cannot be is told, and the rest is shown' 1 \
    'doorbells were rung for ordinal' ring
exits 'it is damage for those who verify' 3 'doorbells were rung' ring --verify
cp "$work/good" "$data/run/ring"
# The log behind it goes: the ring has what the disk has not.
mv "$data/log" "$work/log"
mkdir "$data/log"
exits 'events that the log lacks are named' 3 'is in the ring and not in the log' \
    ring --compare
