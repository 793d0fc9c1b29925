#!/bin/sh
# A week offline: a client that stored its position goes on from it, while
# thousands of events a second are appended, and gets every other event of its
# patterns once and in order.  Positions outlive the broker, also killed.
# PEAL_EVENTS names another file to be imported in place of copies of the
# sample.
. "$(dirname "$0")/../lib/house.sh"

if [ -n "${PEAL_EVENTS-}" ]; then
	cp "$PEAL_EVENTS" "$work/many.jsonl"
else
	copies 10 >"$work/many.jsonl"
fi
total=$(wc -l <"$work/many.jsonl")

week() {
	"$programs/week" "$@" -p "$port" -C "$cafile" -t "$token" -d "$deadline"
}

broker() {
	children peal-broker
}

# known INSTANCE: its welcome has positions.  It waits for the broker for 200 ms,
# and says nothing of them when a busy one takes longer.
known() {
	week acks -I "$1" >"$work/known" && ! grep -q absent "$work/known"
}

# stored INSTANCE LINES: what its welcome says, names in order.
stored() {
	await_here known "$1" || echo "$1 is never told"
	sort "$work/known" >"$work/acks"
	printf '%b' "$2" | cmp -s - "$work/acks" || {
		echo "$1 has:"
		cat "$work/acks"
		return 1
	}
}

# another_broker PID: peal up has started another one, which answers.
another_broker() {
	new=$(broker)
	[ -n "$new" ] && [ "$new" != "$1" ] && known nobody
}

head_seq() {
	"$peal" ring --data "$data" --json |
		sed 's/.*"head":\([0-9]*\).*/\1/'
}

# resumes PATTERN INSTANCE SEQ [OPTION...]: in the background.
resumes() {
	pattern=$1 instance=$2 seq=$3
	shift 3
	week resume -P "$pattern" -I "$instance" -q "$seq" -l "$data/log" \
	    -s "$work/stop" "$@" >"$work/$instance.resumed" 2>&1 &
	others="$others $!"
}

# resumed NAME INSTANCE PID
resumed() {
	ends "$3"
	sed 's/^/# /' "$work/$2.resumed"
	verdict "$1" "$status"
}

house_up --gateways 1 -o ring.slots=4096 -o ring.payload_bytes=1M
"$peal" import --data "$data" "$work/many.jsonl" >"$work/import" 2>&1 ||
	bail 'no import'

passes 'a client stores how far it has got' week ack -I laptop -q 1000
passes 'another device of the same user does, too' week ack -I phone -q 500
passes 'also under a name' week ack -I phone -N 'chart 1' -q 700
passes 'each finds its own when it comes back' stored laptop '""=1000\n'
passes 'with all of its names' stored phone '""=500\n"chart 1"=700\n'
passes 'who has none finds none' stored tablet ''
"$peal" token --data "$data" --sub somebody-else --read '>' >"$work/else"
mine=$token
token=$work/else
passes 'nor does another user on an instance of that name' stored laptop ''
token=$mine
passes 'a client stores less' week ack -I laptop -q 900
passes 'and what is stored only grows' stored laptop '""=1000\n'

was=$(broker)
kill -TERM "$was"
await_here another_broker "$was" || bail 'no broker came back'
passes 'positions outlive the broker' stored laptop '""=1000\n'
passes 'with all of their names' stored phone '""=500\n"chart 1"=700\n'
passes 'one is stored and its client leaves' week ack -I tablet -q 1234
was=$(broker)
await_here stored tablet '""=1234\n' || :
kill -KILL "$was"
await_here another_broker "$was" || bail 'no broker came back'
passes 'it outlives the death of the broker' stored tablet '""=1234\n'
passes 'as do the others' stored laptop '""=1000\n'

rm -f "$work/stop" "$work/live"
"$programs/load" -s "$data/run/writer.sock" -d "$deadline" -r 5000 -T 500 \
    >"$work/load" 2>&1 &
load=$!
others="$others $load"
resumes '>' laptop 1000 -L "$work/live"
laptop=$!
resumes 'repo.>' phone 700 -N 'chart 1'
phone=$!
resumes 'load.3.>' tablet 1234
tablet=$!
await sh -c "test -e '$work/live' || ! kill -0 $laptop 2>/dev/null"
# And live for some thousand events.
at=$(head_seq)
await_here sh -c "[ \$('$peal' ring --data '$data' --json |
	sed 's/.*\"head\":\([0-9]*\).*/\1/') -gt $((at + 10000)) ]"
kill -TERM $load
ends $load
sed 's/^/# /' "$work/load"
verdict 'events were appended all the while' "$status"
head_seq >"$work/head"
mv "$work/head" "$work/stop"
end=$(cat "$work/stop")
resumed 'a client gets every other event once, in order, and goes on live' \
    laptop $laptop
passes 'all of them' grep -q " events=$((end - 1000)) " "$work/laptop.resumed"
resumed 'another one those of its pattern' phone $phone
passes 'all that are in the file' sh -c \
    "[ $total -lt 700 ] || grep -q ' events=$((total - 700)) ' \
	'$work/phone.resumed'"
resumed 'one whose pattern begins later, too' tablet $tablet
passes 'each has stored its new position' stored laptop "\"\"=$end\n"
passes 'told to stop, all of it ends' house_down
plan $count
