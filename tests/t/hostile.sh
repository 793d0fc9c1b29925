#!/bin/sh
# Hostile clients against the real gateway: it refuses, and serves on.
. "$(dirname "$0")/../lib/house.sh"

groups='ws http late door value token rights'
for group in $groups; do
	[ -x "$programs/hostile_$group" ] || skip_all 'built without cmocka'
done

# Who is honest has all the time that a busy machine takes; who is late meets a
# gateway of its own.
house_up --gateways 1 -o gateway.hello_seconds=60
"$top_builddir/peal-gateway" -o ring.directory="$data/run" \
    -o tls.certificate="$cafile" -o tls.key="$data/tls/key.pem" \
    -o auth.keys="$data/auth/dev.pem" -o gateway.listen=127.0.0.1:0 \
    -o gateway.hello_seconds=2 2>"$work/late.err" &
late=$!
others="$others $late"
await grep -q 'ready: port=' "$work/late.err" || bail "$(cat "$work/late.err")"
PEAL_LATE_PORT=$(sed -n 's/.*ready: port=\([0-9]*\).*/\1/p' "$work/late.err")
export PEAL_LATE_PORT
PEAL_PORT=$port PEAL_CAFILE=$cafile PEAL_TOKEN=$token
PEAL_KEY=$data/auth/dev.key PEAL_PUBLIC=$data/auth/dev.pem
CMOCKA_MESSAGE_OUTPUT=TAP
export PEAL_PORT PEAL_CAFILE PEAL_TOKEN PEAL_KEY PEAL_PUBLIC
export CMOCKA_MESSAGE_OUTPUT
first=$(gateways)
# Whoever else is connected sees nothing of it, and memory comes back.
PEAL_GATEWAY=$first
export PEAL_GATEWAY

for group in $groups; do
	run_group "$group" "$programs/hostile_$group"
done
passes 'the gateway for those who are late still lives' kill -0 "$late"
passes 'the gateway that was there at first still serves' \
	[ "${first:-none}" = "$(gateways)" ]
passes 'and said nothing of assertions or of memory' \
	sh -c "! grep -iE 'assert|sanitizer|corrupt' '$work/up.err' \
	'$work/late.err'"
sed 's/^/# /' "$work/up.err" | tail -n 20
plan $count
