#!/bin/sh
# Lagged, and back again, under attack: events come ten times as fast as the
# clients read, through a ring that holds half a second of them.  The clients
# stay connected, move forward, and end with what folding the log gives.
# PEAL_CLIENTS, PEAL_SECONDS and PEAL_RATE name other sizes.
. "$(dirname "$0")/../lib/house.sh"

clients=${PEAL_CLIENTS:-30}
seconds=${PEAL_SECONDS:-15}
rate=${PEAL_RATE:-20000}
deadline=$((600 + 2 * seconds))

load() {
	"$programs/load" -s "$data/run/writer.sock" -d "$deadline" "$@"
}

# The head of the log.
head_seq() {
	"$peal" ring --data "$data" --json |
		sed 's/.*"head":\([0-9]*\).*/\1/'
}

house_up --gateways 1 -o ring.slots=16384 -o ring.payload_bytes=1M \
    -o gateway.mark_interval=500
passes 'there is something before' load -n 6000 -T 3000
passes 'also of other topics' load -p quiet -n 100 -T 10
rm -f "$work/ready" "$work/stop"
"$programs/resnapshot" -p "$port" -C "$cafile" -t "$token" -n "$clients" \
    -b $((rate / 10 * 110)) -l "$data/log" -r "$work/ready" -s "$work/stop" \
    -L "$work/lagged" -o "$work/rows" -d "$deadline" >"$work/slow" 2>&1 &
slow=$!
others="$others $slow"
await sh -c "test -e '$work/ready' || ! kill -0 $slow 2>/dev/null"
test -e "$work/ready" || {
	sed 's/^/# /' "$work/slow"
	bail 'the clients never got going'
}

load -p quiet -r 20 -n $((20 * seconds)) -T 10 >"$work/quiet" 2>&1 &
quiet=$!
others="$others $quiet"
load -r "$rate" -n $((rate * seconds)) -T 3000 >"$work/load" 2>&1
status=$?
# A slow machine takes longer to leave them behind.
until [ "$status" -ne 0 ] || [ -e "$work/lagged" ] ||
    ! kill -0 $slow 2>/dev/null; do
	load -r "$rate" -n $((rate * 2)) -T 3000 >>"$work/load" 2>&1
	status=$?
done
sed 's/^/# /' "$work/load"
verdict 'everything offered was stored' $status
ends $quiet
head_seq >"$work/head"
mv "$work/head" "$work/stop"
ends $slow
sed 's/^/# /' "$work/slow"
verdict 'slow clients stay, move on and end with what the log gives' $status
passes 'they were told lagged' grep -q ' lagged=[1-9]' "$work/slow"
passes 'and never gave up' grep -q 'faulty=0' "$work/slow"
if command -v python3 >/dev/null; then
	"$peal" log cat --data "$data" --json >"$work/events"
	passes 'a fold in another language gives the same' \
	    python3 "$top_srcdir/tests/lib/fold.py" "$work/events" "$work/rows"
	cat "$work/out"
fi
passes 'told to stop, all of it ends' house_down
plan $count
