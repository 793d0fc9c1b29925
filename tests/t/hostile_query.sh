#!/bin/sh
# Hostile questions against the real gateway and broker: they refuse, and
# serve on; also while the broker stands still, is dead, or is asked for more
# than anybody reads.
. "$(dirname "$0")/../lib/house.sh"

for group in query broker local socket; do
	[ -x "$programs/hostile_$group" ] || skip_all 'built without cmocka'
done

broker() {
	children peal-broker
}

house_up --gateways 1 -o gateway.append_rate=0
"$programs/load" -s "$data/run/writer.sock" -p open -n 20000 -T 5000 -b 200 \
    -B 200 -d "$deadline" >"$work/load" 2>&1 || bail 'no load'
PEAL_PORT=$port PEAL_CAFILE=$cafile PEAL_TOKEN=$token
PEAL_KEY=$data/auth/dev.key PEAL_PUBLIC=$data/auth/dev.pem
PEAL_UP=$up
CMOCKA_MESSAGE_OUTPUT=TAP
export PEAL_PORT PEAL_CAFILE PEAL_TOKEN PEAL_KEY PEAL_PUBLIC
export PEAL_UP CMOCKA_MESSAGE_OUTPUT
first=$(gateways)
second=$(broker)

PEAL_SOCKET=$data/run/broker.sock PEAL_BROKER=$second
export PEAL_SOCKET PEAL_BROKER
run_group socket "$programs/hostile_socket"
run_group local "$programs/hostile_local"
run_group query "$programs/hostile_query"
passes 'the broker that was there at first still serves' \
    [ "${second:-none}" = "$(broker)" ]
run_group broker "$programs/hostile_broker"
passes 'the gateway that was there at first still serves' \
    [ "${first:-none}" = "$(gateways)" ]
passes 'and nobody said anything of assertions or of memory' \
    sh -c "! grep -iE 'assert|sanitizer|corrupt' '$work/up.err'"
sed 's/^/# /' "$work/up.err" | tail -n 20
passes 'told to stop, all of it ends' house_down
plan $count
