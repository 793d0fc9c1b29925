#!/bin/sh
# Clients that subscribe, unsubscribe, stall and reconnect at random while a
# small ring moves on under them and the broker is killed: no message is wrong,
# and they end with what folding the log gives.  PEAL_SEED repeats a run,
# PEAL_CLIENTS, PEAL_SECONDS, PEAL_RATE and PEAL_KILLS name other sizes; PEAL_TRACE is a directory for what clients
# saw that found a fault.
. "$(dirname "$0")/../lib/house.sh"

clients=${PEAL_CLIENTS:-24}
seconds=${PEAL_SECONDS:-10}
rate=${PEAL_RATE:-6000}
seed=${PEAL_SEED:-$(date +%s)}
kills=${PEAL_KILLS:-2}
deadline=$((600 + 2 * seconds))

load() {
	"$programs/load" -s "$data/run/writer.sock" -d "$deadline" "$@"
}

beyond() {
	[ "$(head_seq)" -gt "$1" ]
}

head_seq() {
	"$peal" ring --data "$data" --json |
		sed 's/.*"head":\([0-9]*\).*/\1/'
}

house_up --gateways 2 -o ring.slots=2048 -o ring.payload_bytes=256K \
    -o gateway.mark_interval=500
"$peal" token --data "$data" --sub guest --read 'quiet.>' --read 'load.3.>' \
    --read 'load.*.7' >"$work/guest"
passes 'there is something before' load -n 10000 -T 600
rm -f "$work/ready" "$work/stop"
"$programs/roam" -p "$port" -C "$cafile" -t "$token" -T "$work/guest" \
    -n "$clients" -S "$seed" -l "$data/log" -r "$work/ready" \
    -s "$work/stop" -d "$deadline" ${PEAL_TRACE:+-D "$PEAL_TRACE"} \
    >"$work/roam" 2>&1 &
roam=$!
others="$others $roam"
await sh -c "test -e '$work/ready' || ! kill -0 $roam 2>/dev/null"
load -p quiet -r 50 -n $((50 * seconds)) -T 40 >"$work/quiet" 2>&1 &
quiet=$!
others="$others $quiet"
load -r "$rate" -n $((rate * seconds)) -T 600 >"$work/load" 2>&1 &
main=$!
others="$others $main"
i=0
while [ $i -lt "$kills" ]; do
	i=$((i + 1))
	await_here beyond $((10000 + i * rate * seconds / (kills + 1))) ||
		bail 'the log stands still'
	victim=$(children peal-broker)
	[ -z "$victim" ] || kill -KILL "$victim"
done
ends $main
sed 's/^/# /' "$work/load"
verdict 'everything offered was stored' $status
ends $quiet
head_seq >"$work/head"
mv "$work/head" "$work/stop"
ends $roam
sed 's/^/# /' "$work/roam"
verdict 'no client was told anything wrong, or was left behind' $status
[ -z "${PEAL_TRACE-}" ] ||
	"$peal" log cat --data "$data" --json >"$PEAL_TRACE/events"
passes 'told to stop, all of it ends' house_down
plan $count
