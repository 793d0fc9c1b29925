#!/bin/sh
# A gateway that is far behind takes over the clients of one that was level:
# what they have is no position beyond the log.
. "$(dirname "$0")/../lib/house.sh"

clients=50
requests=10000
plan 4
house_up --gateways 2
follow -n $clients -P '>' -f 0 -u $((requests + 1)) -d "$deadline" \
    -l "$data/log" -r "$work/ready" -k $requests -K "$work/victim" \
    >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/ready" || bail 'the clients never got going'
await_here busiest || bail 'no gateway has clients'
slow=$(gateways | grep -vx "$(cat "$work/victim")")
kill -STOP "$slow"
passes 'events are stored while one gateway is stopped' \
    produce -n $requests -B 1000 -w 64 -d "$deadline" -l "$data/log"
passes 'clients of the other one come to the head' \
    await grep -q '^killed' "$work/follow"
kill -CONT "$slow"
passes 'one more event is stored' \
    "$peal" append --data "$data" last.a thing_happened 1
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'all resume where they were, and miss nothing' "$status"
