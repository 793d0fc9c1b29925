#!/bin/sh
# A host that has gone without a word: the gateway finds out by what TCP says,
# and gives up its clients; whoever is elsewhere notices nothing.
. "$(dirname "$0")/../lib/house.sh"

command -v ip >/dev/null || skip_all 'there is no ip'
unshare -n ip link set lo up 2>/dev/null ||
	skip_all 'no network of its own for a gateway'

counter() {
	"$peal" stat -1 --data "$data" "gateway.$1" |
		awk -v pid="$gateway" '$2 == pid { print $3 }'
}

# inside COMMAND...: in the gateway's network.
inside() {
	nsenter -t "$gateway" -n "$@"
}

given_up() {
	[ "$(counter dead_ack)" -eq 3 ] && [ "$(counter connections)" -eq 0 ]
}

come() {
	[ "$(counter sessions)" -eq 3 ]
}

plan 5
house_up --gateways 1
# Short of the defaults: 45 s are long for a test.
printf '[ring]\ndirectory = %s\n[tls]\ncertificate = %s\nkey = %s\n' \
    "$data/run" "$cafile" "$data/tls/key.pem" >"$work/gateway.conf"
printf '[auth]\nkeys = %s\n[gateway]\nlisten = 127.0.0.1:8443\n' \
    "$data/auth/dev.pem" >>"$work/gateway.conf"
printf 'ack_seconds = 2\nsilence_seconds = 3\n' >>"$work/gateway.conf"
unshare -n sh -c "ip link set lo up &&
    exec '$top_builddir/peal-gateway' -c '$work/gateway.conf'" \
    2>"$work/gateway.err" &
gateway=$!
others="$others $gateway"
await grep -q 'ready: port=8443' "$work/gateway.err" ||
	bail 'the gateway was never ready'

produce -n 1 -b 1 -w 1 -d "$deadline" >"$work/out" || bail 'no event'
inside "$programs/follow" -p 8443 -C "$cafile" -t "$token" -n 3 -P '>' -f 0 \
    -u 1000 -d 300 -r "$work/ready" >"$work/dead" 2>&1 &
others="$others $!"
await test -e "$work/ready" || bail 'the clients never got going'
passes 'three clients are there' await_here come
follow -n 3 -P '>' -f 0 -u 101 -d "$deadline" -l "$data/log" \
    -r "$work/alive" >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/alive" || bail 'the followers never got going'

inside ip link set lo down
produce -N more -n 100 -b 1 -w 8 -d "$deadline" >"$work/out" ||
	bail 'no events'
passes 'their host goes, and they are given up' await_here given_up
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'those of another gateway miss nothing' "$status"
kill -TERM "$gateway"
ends "$gateway"
verdict 'the gateway ends in order' "$status"
passes 'told to stop, all of it ends' house_down
