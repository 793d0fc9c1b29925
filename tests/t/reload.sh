#!/bin/sh
# SIGHUP reads configuration, certificate and keys again: nobody is dropped,
# what is no good stays as it was and is named, what takes a restart is said.
. "$(dirname "$0")/../lib/house.sh"

command -v openssl >/dev/null || skip_all 'no openssl to make a certificate'

# configure [LINE...]: the gateway's file, with these lines about itself.
configure() {
	{
		printf '[ring]\ndirectory = %s\n' "$data/run"
		printf '[tls]\ncertificate = %s\nkey = %s\n' \
		    "$work/cert.pem" "$work/key.pem"
		printf '[auth]\nkeys = %s\n' "$data/auth/dev.pem"
		printf '[gateway]\n'
		printf '%s\n' "$@"
	} >"$work/gateway.conf"
}

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
	    -keyout "$1/key.pem" -out "$1/cert.pem" 2>"$work/openssl.err"
}

# said TEXT: by the gateway, on its standard error.
said() {
	await grep -qF -e "$1" "$work/gateway.err"
}

hangup() {
	: >"$work/gateway.err"
	kill -HUP "$gateway"
}

counter() {
	"$peal" stat -1 --data "$data" "gateway.$1" |
		awk -v pid="$gateway" '$2 == pid { print $3 }'
}

# One more client is let in, or not.
comes_in() {
	"$programs/follow" -p "$port" -C "$work/cert.pem" -t "$token" -n 1 \
	    -P '>' -f 0 -u 1 -d "$deadline"
}

refused() {
	(deadline=1 && ! comes_in) && [ "$(counter refused_full)" -gt 0 ]
}

plan 14
house_up --gateways 1
certificate "$work" || bail "$(cat "$work/openssl.err")"
configure 'listen = 127.0.0.1:0'
"$top_builddir/peal-gateway" -c "$work/gateway.conf" \
    2>>"$work/gateway.err" >&2 &
gateway=$!
others="$others $gateway"
said 'ready: port=' || bail 'the gateway was never ready'
port=$(sed -n 's/.*ready: port=\([0-9]*\).*/\1/p' "$work/gateway.err")
produce -n 1 -b 1 -w 1 -d "$deadline" >"$work/out" || bail 'no event'

# Three clients who are there all the time.
"$programs/follow" -p "$port" -C "$work/cert.pem" -t "$token" -n 3 -P '>' \
    -f 0 -u 2 -d "$deadline" -r "$work/ready" >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/ready" || bail 'the clients never got going'

passes 'before, another one is let in' comes_in
configure 'listen = 127.0.0.1:1' 'max_connections = 3' 'mark_interval = 100'
hangup
passes 'the file is read again' said 'the configuration was read again'
passes 'what takes a restart is said' said \
    'gateway.listen = "127.0.0.1:1" takes a restart'
passes 'also of what clients were promised' said \
    'gateway.mark_interval = "100" takes a restart'
passes 'the new limit counts' await_here refused
configure 'max_connections = 0' 'max_connection = 7'
hangup
passes 'a bad file is named, with its line' said \
    'stays as it was: '"$work/gateway.conf:10"
passes 'and the limit still counts' refused
configure 'max_connections = 0'
mkdir "$work/other"
certificate "$work/other"
cp "$work/key.pem" "$work/old.pem"
cp "$work/other/key.pem" "$work/key.pem"
hangup
passes 'a key of another certificate is refused' said \
    'the certificate stays as it was'
passes 'and the old one serves' comes_in
cp "$work/other/cert.pem" "$work/cert.pem"
echo 'nonsense' >"$work/dev.pem"
sed "s|keys = .*|keys = $work/dev.pem|" "$work/gateway.conf" >"$work/new.conf"
mv "$work/new.conf" "$work/gateway.conf"
hangup
passes 'a bad token key leaves the old ones' said \
    'the token keys stay as they were'
passes 'new connections get the new certificate' comes_in
produce -N more -n 1 -b 1 -w 1 -d "$deadline" >"$work/out" || bail 'no event'
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'those who were there missed nothing' "$status"
passes 'and were never dropped' grep -q ' connections=3 ' "$work/follow"
kill -TERM "$gateway"
ends "$gateway"
passes 'told to stop, all of it ends' house_down
