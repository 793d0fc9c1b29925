#!/bin/sh
# HAProxy ends TLS in front of two gateways, one at a port and one at a local
# socket, with the configuration of doc/operations.md: clients follow through
# it, through the end of a gateway, and their own addresses count.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
haproxy=
for at in haproxy /usr/sbin/haproxy; do
	[ -n "$haproxy" ] || haproxy=$(command -v "$at") || :
done
[ -n "$haproxy" ] || skip_all 'there is no haproxy'

clients=20
copies=20
lines=$(wc -l <"$sample")
total=$((copies * lines))

# one_gateway NAME OPTION...: beside those of peal up; $started is its pid.
one_gateway() {
	name=$1
	shift
	: >"$work/$name.err"
	"$top_builddir/peal-gateway" -o ring.directory="$data/run" \
	    -o tls.certificate="$data/tls/cert.pem" \
	    -o tls.key="$data/tls/key.pem" -o auth.keys="$data/auth/dev.pem" \
	    -o gateway.listen=127.0.0.1:0 -o gateway.address_connections=3 \
	    -o gateway.drain_seconds=1 "$@" 2>"$work/$name.err" &
	started=$!
	others="$others $started"
	await sh -c "grep -q 'ready: port=' '$work/$name.err' ||
	    ! kill -0 $started" 2>/dev/null
	grep -q 'ready: port=' "$work/$name.err" ||
		bail "$(cat "$work/$name.err")"
}

# configuration SOCKET SOCKET: the example, with sockets, ports, paths and a
# second way in whose clients are from afar, as far as the gateways are told.
configuration() {
	sed -n '/^```haproxy$/,/^```$/p' "$top_srcdir/doc/operations.md" |
	    sed -e '/^```/d' -e "s|bind :443|bind $1|" \
		-e "s|maxconn .*|maxconn 1000|" \
		-e "s|/etc/peal/tls/both.pem|$work/both.pem|" \
		-e "s|127.0.0.1:8081|127.0.0.1:$plain|" \
		-e "s|/run/peal/plain-2.sock|$work/plain.sock|" &&
	    cat <<END

frontend afar
    bind $2 ssl crt $work/both.pem alpn http/1.1
    tcp-request connection set-src str(192.0.2.7)
    default_backend one_alone

backend one_alone
    server one 127.0.0.1:$plain send-proxy-v2
END
}

# HAProxy with two sockets that are bound already; says their ports.
proxy_up() {
	python3 - "$haproxy" "$work/haproxy.cfg" "$work/ports" <<'END' \
	    >"$work/haproxy.err" 2>&1 &
import os, socket, sys
socks = [socket.socket() for _ in range(2)]
for s, name in zip(socks, ("LISTENER", "AFAR")):
    s.bind(("127.0.0.1", 0))
    s.listen(1024)
    s.set_inheritable(True)
    os.environ[name] = str(s.fileno())
with open(sys.argv[3] + ".new", "w") as f:
    print(*[s.getsockname()[1] for s in socks], file=f)
os.rename(sys.argv[3] + ".new", sys.argv[3])
os.execv(sys.argv[1], [sys.argv[1], "-db", "-f", sys.argv[2]])
END
	proxy=$!
	others="$others $proxy"
	await test -s "$work/ports" || bail "$(cat "$work/haproxy.err")"
	read -r port afar <"$work/ports"
}

# asks PORT STATUS [HEADER...]: one upgrade is answered with that status; or
# "N STATUS", on the last of N connections that stay open meanwhile.
asks() {
	python3 - "$cafile" "$@" <<'END'
import socket, ssl, sys
ca, port, wanted, *more = sys.argv[1:]
n, status = (wanted.split() if " " in wanted else ("1", wanted))
context = ssl.create_default_context(cafile=ca)
context.check_hostname = False
context.set_alpn_protocols(["http/1.1"])
held = []
for _ in range(int(n)):
    s = context.wrap_socket(
        socket.create_connection(("127.0.0.1", int(port)), 60))
    held.append(s)
    s.sendall("\r\n".join([
        "GET /v1/ws HTTP/1.1", "Host: peal.example", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *more, "", ""
        ]).encode())
    answer = b""
    while b"\r\n" not in answer:
        got = s.recv(1000)
        if not got:
            sys.exit("no answer")
        answer += got
line = answer.split(b"\r\n")[0].decode()
if line.split(" ")[1] != status:
    sys.exit(line)
END
}

plan 13
house_up --gateways 1
one_gateway one -o gateway.listen_plain=127.0.0.1:0 \
    -o gateway.trusted=127.0.0.1
first=$started
plain=$(sed -n 's/.* plain=\([0-9]*\).*/\1/p' "$work/one.err")
one_gateway two -o gateway.listen_plain=unix:"$work/plain.sock" \
    -o gateway.trusted=unix
cat "$data/tls/cert.pem" "$data/tls/key.pem" >"$work/both.pem"
configuration 127.0.0.1:443 127.0.0.1:444 >"$work/check.cfg"
passes 'the example is one that HAProxy takes' \
    "$haproxy" -c -f "$work/check.cfg"
# shellcheck disable=SC2016 # HAProxy's own variables
configuration 'fd@${LISTENER}' 'fd@${AFAR}' >"$work/haproxy.cfg"
proxy_up

passes 'a client without Origin is let in' await_here asks "$port" 101
sed 's/^/# /' "$work/haproxy.err"
passes 'a page of the same host by https is' asks "$port" 101 \
    'Origin: https://peal.example'
passes 'a page of another host is not' asks "$port" 403 \
    'Origin: https://elsewhere.example'
passes 'more clients of one proxy than one address may have are let in' \
    asks "$port" '9 101'
passes 'of one client that it names, so many are' asks "$afar" '3 101'
passes 'and no more, whatever X-Forwarded-For says' \
    await_here asks "$afar" '4 503' 'X-Forwarded-For: 198.51.100.9'

copies $copies >"$work/many.jsonl"
rm -f "$work/ready"
follow -n $clients -P 'repo.>' -P '>' -d "$deadline" -l "$data/log" \
    -r "$work/ready" -f 0 -u $total >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/ready" || bail "$(cat "$work/follow")"
passes 'a file is imported while clients follow through the proxy' \
    "$peal" import --data "$data" "$work/many.jsonl"
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'each client got each event once, in order, unbroken' "$status"

copies $((2 * copies)) >"$work/many.jsonl"
rm -f "$work/ready"
follow -n $clients -P '>' -d "$deadline" -l "$data/log" -r "$work/ready" \
    -f $total -u $((2 * total)) >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/ready" || bail "$(cat "$work/follow")"
# One of the two ends before the second half comes.
kill -TERM "$first"
ends "$first"
verdict 'a gateway that stops ends in order' "$status"
passes 'the file goes on while it is gone' \
    "$peal" import --data "$data" "$work/many.jsonl"
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'its clients go on at the other one, and miss nothing' "$status"

kill -TERM "$proxy" 2>/dev/null
passes 'told to stop, all of it ends' house_down
