#!/bin/sh
# Clients that never read cost a position each: the gateway's memory stays
# flat, others get everything, and the stalled ones are told where they are.
. "$(dirname "$0")/../lib/house.sh"

stalled=${PEAL_CLIENTS:-1000}
deadline=600
rm -f "$work/ready" "$work/go"

# Kilobytes of memory of its own that the gateway has.
memory() {
	[ -n "$(gateways)" ] || bail 'the gateway has gone'
	sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(gateways)/status"
}

plan 6
house_up --gateways 1 -o ring.slots=16384 -o ring.payload_bytes=4M
"$programs/stall" "$port" "$cafile" "$token" $stalled "$work/ready" \
    "$work/go" >"$work/stall" 2>&1 &
staller=$!
others="$others $staller"
await test -e "$work/ready" || bail 'the clients never got going'
before=$(memory)

# Some 32 MB, eight times what the ring holds.
requests=16000
follow -n 3 -P '>' -f 0 -u $((2 * requests)) -d "$deadline" \
    -l "$data/log" -r "$work/followed" >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/followed" || bail 'the followers never got going'
passes 'events are stored, many times what the ring holds' \
    produce -n $requests -b 2 -B 1000 -w 8 -d "$deadline"
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'clients that read miss nothing' "$status"
after=$(memory)
echo "# memory before $before kB, after $after kB"
echo "# each stalled client: $(((after - before) / stalled)) kB"
# A queue of 32 MB for each would be 32 GB.  A block, and the record that its
# bytes are in, are 33 kB.
passes 'stalled clients cost the gateway a block each' \
    [ $((after - before)) -lt $((4096 + 36 * stalled)) ]
touch "$work/go"
ends "$staller"
sed 's/^/# /' "$work/stall"
verdict 'each is told lagged at the end of an unbroken chain' "$status"
passes 'all of them' grep -q "lagged=$stalled" "$work/stall"
passes 'told to stop, all of it ends' house_down
