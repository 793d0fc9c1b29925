#!/bin/sh
# Hostile clients against the real gateway: it refuses, and serves on.
. "$(dirname "$0")/../lib/house.sh"

for group in ws http door value token rights; do
	[ -x "$programs/hostile_$group" ] || skip_all 'built without cmocka'
done

house_up --gateways 1 -o gateway.hello_seconds=2
PEAL_PORT=$port PEAL_CAFILE=$cafile PEAL_TOKEN=$token
PEAL_KEY=$data/auth/dev.key PEAL_PUBLIC=$data/auth/dev.pem
CMOCKA_MESSAGE_OUTPUT=TAP
export PEAL_PORT PEAL_CAFILE PEAL_TOKEN PEAL_KEY PEAL_PUBLIC
export CMOCKA_MESSAGE_OUTPUT
first=$(gateways)

for group in ws http door value token rights; do
	run_group "$group" "$programs/hostile_$group"
done
passes 'the gateway that was there at first still serves' \
	[ "${first:-none}" = "$(gateways)" ]
passes 'and said nothing of assertions or of memory' \
	sh -c "! grep -iE 'assert|sanitizer|corrupt' '$work/up.err'"
sed 's/^/# /' "$work/up.err" | tail -n 20
plan $count
