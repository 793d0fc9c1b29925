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

plan 27
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
mv "$work/gateway.conf" "$work/kept.conf"
mkfifo "$work/gateway.conf"
hangup
passes 'so is a pipe, at which it would wait for ever' said \
    "stays as it was: '$work/gateway.conf' is a pipe"
mv "$work/kept.conf" "$work/gateway.conf"
configure 'max_connections = 0'
mv "$work/cert.pem" "$work/kept.pem"
mkfifo "$work/cert.pem"
hangup
passes 'so is one instead of the certificate' said \
    "the certificate stays as it was: '$work/cert.pem' is a pipe"
mv "$work/kept.pem" "$work/cert.pem"
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

# The same of a writer and its broker, which have files of their own.
mkdir -p "$work/two/log" "$work/two/run"
two() {
	{
		printf '[log]\ndirectory = %s\nsegment_bytes = 4M\n' \
		    "$work/two/log"
		printf '[ring]\ndirectory = %s\nslots = %s\n' \
		    "$work/two/run" "$1"
		printf '[writer]\nmax_topics = %s\n' "$2"
		printf '[broker]\ndirectory = %s\nspool_bytes = %s\n' \
		    "$work/two/${4-broker}" "$3"
	} >"$work/two.conf"
}
start_two() {
	"$top_builddir/peal-$1" -c "$work/two.conf" 2>>"$work/gateway.err" &
	others="$others $!"
	said "$2" || bail "peal-$1 was never ready"
}
topic() {
	"$peal" append -c "$work/two.conf" "$1" made '{}'
}
two 4096 1 1M
: >"$work/gateway.err"
start_two writer 'serving: log='
second_writer=$!
start_two broker 'ready: log='
second_broker=$!
topic first >"$work/out" || bail 'no event'
exits 'a topic beyond the limit is refused' 1 'writer.max_topics' topic more
two 8192 1000 2M elsewhere
kill -HUP "$second_writer" "$second_broker"
passes 'a writer says what counts from now on' said \
    'writer.max_topics = "1000" counts from now on'
passes 'and what takes a restart' said 'ring.slots = "8192" takes a restart'
passes 'a broker says so, too' said \
    'broker.spool_bytes = "2M" counts'
passes 'of what both go by, both do' await sh -c \
    "[ \$(grep -c 'broker.directory = .*/elsewhere. takes' \
	'$work/gateway.err') -eq 2 ]"
passes 'the new limit of a writer counts' topic more
echo nonsense >"$work/two.conf"
: >"$work/gateway.err"
kill -HUP "$second_writer" "$second_broker"
passes 'a bad file is named by both' await sh -c \
    "[ \$(grep -c 'stays as it was: .*two.conf:1' '$work/gateway.err') -eq 2 ]"
passes 'and both are still there' kill -TERM "$second_writer" "$second_broker"
ends "$second_writer"
verdict 'and end in order, told to' "$status"

# A writer that is still reading its configuration, from a pipe.
two 4096 1000 1M
mkfifo "$work/pipe"
# It holds back SIGHUP, the first signal, until it serves.
starting() {
	grep -q '^SigBlk:.*[13579bdf]$' "/proc/$1/status"
}
feed() {
	timeout "$deadline" sh -c "cat '$work/two.conf' >'$work/pipe'"
}
: >"$work/gateway.err"
"$top_builddir/peal-writer" -c "$work/pipe" 2>>"$work/gateway.err" &
early=$!
others="$others $early"
await_here starting "$early"
kill -HUP "$early"
passes 'told to read again before it serves, a writer serves' \
    eval "feed && said 'serving: log='"
passes 'and then looks again: not at a pipe, though' \
    said "'$work/pipe' is a pipe"
kill -TERM "$early"
ends "$early"
passes 'told to stop, all of it ends' house_down
