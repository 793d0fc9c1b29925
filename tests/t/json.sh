#!/bin/sh
# A client that speaks JSON and one that speaks MessagePack see the same.
. "$(dirname "$0")/../lib/house.sh"

[ -x "$programs/json" ] || skip_all 'built without cmocka'

house_up --gateways 1
PEAL_PORT=$port PEAL_CAFILE=$cafile PEAL_TOKEN=$token
PEAL_KEY=$data/auth/dev.key PEAL_PUBLIC=$data/auth/dev.pem
CMOCKA_MESSAGE_OUTPUT=TAP
export PEAL_PORT PEAL_CAFILE PEAL_TOKEN PEAL_KEY PEAL_PUBLIC
export CMOCKA_MESSAGE_OUTPUT
first=$(gateways)

copies 1 >"$work/sample.jsonl"
passes 'a real history is imported' \
	"$peal" import --data "$data" "$work/sample.jsonl"
run_group json "$programs/json"
passes 'the gateway that was there at first still serves' \
	[ "${first:-none}" = "$(gateways)" ]
passes 'told to stop, all of it ends' house_down
plan $count
