#!/bin/sh
# peal clients: every client of every gateway, how far behind, and why others
# have gone; from shared memory alone, whoever wrote into it.
. "$(dirname "$0")/../lib/house.sh"
plan 19

clients() {
	"$peal" clients --data "$data" "$@"
}

# ask EXPRESSION [OPTION...]: of all clients, as c, in Python; it must be true.
ask() {
	expression=$1
	shift
	clients --json "$@" >"$work/clients" || return 1
	python3 -c 'import json, sys
c = json.load(open(sys.argv[1]))
sys.exit(not eval("(" + sys.argv[2] + ")"))' "$work/clients" "$expression"
}

pages() {
	ls "$data"/run/stat/clients
}

# name_first BYTES: the first slot's user is that, whoever it was.
name_first() {
	page=$(ls "$data"/run/stat/clients/gateway.* | head -n 1)
	printf '%b' "$1" | dd of="$page" bs=1 seek=$((4096 + 64)) \
	    conv=notrunc 2>/dev/null
}

# Nothing below a space but line feeds, and no DEL.
harmless() {
	[ "$(LC_ALL=C tr -d '\n -~' <"$1" | wc -c)" -eq 0 ]
}

hostile_name_is_escaped() {
	name_first '\014\033[2J\033]0;x\007\n' &&
		clients --gone >"$work/said" && harmless "$work/said" &&
		grep -qF '\x1b[2J\x1b]0;x\x07' "$work/said"
}

hostile_name_is_json() {
	name_first '\005ab\377\033c' && ask \
	    'any(x["user"] == "ab\\xff\\x1bc" for x in c)' --gone
}

litter() {
	page=$(ls "$data"/run/stat/clients/gateway.* | head -n 1)
	cd "$data/run/stat/clients" || return 1
	head -c 5000 /dev/urandom >noise
	head -c 300 "$page" >short
	{ head -c 8 "$page" && printf '\2' && tail -c +10 "$page"; } >later
	truncate -s 2101248 zeros
	mkdir directory
	mkfifo pipe
	: >empty
	ln -s zeros link
	cd - >/dev/null || return 1
}

named() {
	for page in noise short zeros directory pipe empty link; do
		grep -q "'$page'" "$work/said" || return 1
	done
	grep -q "'later'.*version 2, not 1" "$work/said" &&
		grep -q ' dev$' "$work/said"
}

# The token's signature, and its claims.
no_token() {
	for part in $(tr . ' ' <"$token"); do
		[ ${#part} -gt 40 ] || continue
		! grep -qF "$part" "$data"/run/stat/clients/* || return 1
	done
}

exits 'where nothing ever ran, it says so' 1 'no gateway tells' \
    "$peal" clients -o ring.directory="$work"
house_up --gateways 2
passes 'where nobody is connected, nobody is listed' ask 'c == []'

follow -n 40 -P '>' -f 0 -u 20 -d "$deadline" -r "$work/ready" \
    >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/ready" || bail 'the clients never got going'
produce -n 10 -b 1 -w 1 -d "$deadline" >"$work/produced" 2>&1
passes 'every client of both gateways is listed, and has all there is' \
    await_here ask 'len(c) == 40 and all(x["user"] == "dev" and
	x["state"] == "live" and x["lag"] == 0 and x["position"] == 10 and
	x["form"] == "msgpack" and x["subscriptions"] == 1 and x["sent"] > 100 and
	x["received"] > 100 and x["alive"] for x in c)'
passes 'a user who is not there has no clients' ask 'c == []' 'nobody*'
exits 'at most so many are listed, and that there are more is said' 0 \
    '33 more are not shown' clients -n 7
exits 'a column that is none is refused' 2 "no column 'user'" \
    clients --by user
produce -N more -n 10 -b 1 -w 1 -d "$deadline" >"$work/produced" 2>&1
ends "$follower"
passes 'who left is listed with the code of it' \
    await_here ask 'len([x for x in c if x["state"] == "gone" and
	x["close_code"] in (1000, 1001, 1005, 1006) and x["position"] == 20])
	== 40' --gone

"$programs/stall" "$port" "$cafile" "$token" 3 "$work/stalled" "$work/go" \
    >"$work/stall" 2>&1 &
staller=$!
others="$others $staller"
await test -e "$work/stalled" || bail 'the stalled clients never got going'
# More than the buffers of any socket.
produce -N stall -n 16000 -b 1 -B 1000 -w 8 -d "$deadline" \
    >"$work/produced" 2>&1
passes 'who does not read is furthest behind' \
    await_here ask 'len(c) == 3 and all(x["state"] == "behind" and
	x["lag"] > 0 and x["queued"] > 0 for x in c) and
	c[0]["lag"] >= c[1]["lag"] >= c[2]["lag"]'
: >"$work/go"
kill -KILL "$staller"

follow -n 4 -P '>' -f 16020 -u 99999 -d "$deadline" -r "$work/again" \
    >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/again" || bail 'the clients never got going again'
passes 'a user is revoked' "$peal" revoke --data "$data" dev
passes 'whoever that has sent away has the code that says so' \
    await_here ask 'len([x for x in c if x["close_code"] == 4503]) >= 4' \
    --gone

passes 'no token is in a page' no_token
passes 'a hostile name moves no cursor' hostile_name_is_escaped
passes 'and is JSON' hostile_name_is_json
passes 'a reader who has gone is no error' sh -c \
    "{ '$peal' clients --gone --data '$data'; echo \$? >'$work/code'; } |
	head -n 1 >/dev/null; [ \"\$(cat '$work/code')\" -eq 0 ]"
litter
exits 'what is no page is told by status' 1 'noise' clients --gone
clients --gone >"$work/said" 2>&1
passes 'and each is named beside the good ones' named
(cd "$data/run/stat/clients" && rm -rf [!g]*)

victim=$(gateways | head -n 1)
kill -KILL "$victim"
passes 'what a crash left can be read' await sh -c \
    "'$peal' clients --gone --data '$data' | grep -q '^ *$victim! '"
# The one in its place, too, has to have begun, or it is told to stop before it
# can do so in order.
all_began() {
	[ "$(grep -c 'ready: port=' "$work/up.err")" -eq 3 ]
}
await_here all_began || bail 'no other gateway came'
run=$(readlink -f "$data/run")
passes 'told to stop, all of it ends' house_down
passes 'and only what crashed leaves its page' \
    test "$(ls "$run/stat/clients")" = "gateway.$victim"
