#!/bin/sh
# A gateway that is told to stop loses nobody: answers first, then each client
# goes at a moment of its own, and the exit code is 0.
. "$(dirname "$0")/../lib/house.sh"

[ -x "$programs/drain" ] || skip_all 'built without cmocka'

# Not the one that was there at first.
another_gateway() {
	now=$(gateways)
	[ -n "$now" ] && [ "$now" != "$first" ]
}

plan 4
house_up --gateways 1 -o gateway.drain_seconds=2
first=$(gateways)
PEAL_PORT=$port PEAL_CAFILE=$cafile PEAL_TOKEN=$token PEAL_GATEWAY=$first
PEAL_KEY=$data/auth/dev.key PEAL_PUBLIC=$data/auth/dev.pem
CMOCKA_MESSAGE_OUTPUT=STDOUT
export PEAL_PORT PEAL_CAFILE PEAL_TOKEN PEAL_KEY PEAL_PUBLIC PEAL_GATEWAY
export CMOCKA_MESSAGE_OUTPUT
passes 'each client is answered, warned and sent away' "$programs/drain"
passes 'another gateway takes its place' await_here another_gateway
passes 'the one that was stopped ended with 0' \
    grep -q "pid $first) ended with exit code 0" "$work/up.err" "$work/up.out"
passes 'told to stop, all of it ends' house_down
