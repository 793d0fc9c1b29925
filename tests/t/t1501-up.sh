#!/bin/sh
# `peal up`: one line when ready, restarts, refusals, and an orderly end.
. "$(dirname "$0")/../lib/house.sh"
plan 18

# Is every process with these ids gone?
gone() {
	for pid; do
		[ ! -d "/proc/$pid" ] || return 1
	done
}

# replaced OLD NAME: a process of that name runs, and it is another one.
replaced() {
	now=$(children "$2" | head -n 1)
	[ -n "$now" ] && [ "$now" != "$1" ]
}

house_up --gateways 2
link="https://127.0.0.1:$port/#token=$(cat "$data/dev.token")"
passes 'stdout has one line, the link with the token' \
	sh -c "[ \"\$(cat '$work/up.out')\" = 'peal: ready $link' ]"
if command -v curl >/dev/null; then
	passes 'the browser client is served' curl -fsS --max-time "$deadline" \
	    --cacert "$cafile" "https://127.0.0.1:$port/peal.d.ts" -o "$work/ts"
else
	verdict 'the browser client is served # SKIP no curl' 0
fi
passes 'as many gateways run as were asked for' \
	[ "$(gateways | wc -l)" -eq 2 ]
passes 'private keys and the token are closed to others' \
	sh -c "[ -z \"\$(find '$data/dev.token' '$data/tls/key.pem' \
	    '$data/auth/dev.key' -perm /077)\" ]"
exits 'a second one on the directory is refused and names the first' 73 \
	"(pid $up)" "$peal" up --data "$data" --listen 127.0.0.1:0
exits 'a port that is taken is an error that names it' 1 "port $port" \
	"$peal" up --data "$work/other" --listen "127.0.0.1:$port"
exits 'an unknown key is refused as such' 2 'no key "slot"' \
	"$peal" up --data "$work/other" -o ring.slot=8
exits 'an address without a port is refused' 2 'ADDRESS:PORT' \
	"$peal" up --data "$work/other" --listen localhost

was=$(gateways | head -n 1)
kill -KILL "$was"
passes 'a gateway that was killed is started again' \
	await_here replaced "$was" peal-gateway
was=$(broker)
kill -KILL "$was"
passes 'a broker that was killed is started again' \
	await_here replaced "$was" peal-broker
was=$(writer)
"$peal" append --data "$data" a.b before >/dev/null
kill -KILL "$was"
await_here replaced "$was" peal-writer || bail 'no writer came'
passes 'a writer that was killed is started again with its log' \
	await "$peal" append --data "$data" a.b after --expect 1
# With one gateway unable to end, the writer must still serve.
await_here [ "$(gateways | wc -l)" -eq 2 ] || bail 'a gateway is missing'
all="$(gateways) $(broker) $(writer)"
slow=$(gateways | head -n 1)
quick=$(gateways | tail -n 1)
kill -STOP "$slow"
kill -TERM "$up"
await_here gone "$quick" || bail 'the other gateway does not end'
passes 'gateways end before the writer' \
	"$peal" append --data "$data" a.b while --expect 2
kill -CONT "$slow"
passes 'it ends with 0 when told to stop' house_down
# shellcheck disable=SC2086 # a list of words
passes 'nothing outlives it' gone $all

# A reboot empties /dev/shm: the link leads nowhere.
if [ -L "$data/run" ]; then
	rm -rf "$(readlink "$data/run")"
fi
house_up --gateways 1
passes 'it starts where the run directory has gone' \
	"$peal" append --data "$data" a.b again --expect 3
all="$(gateways) $(broker) $(writer)"
kill -KILL "$up"
wait "$up" 2>/dev/null
# shellcheck disable=SC2086 # a list of words
passes 'its children die with it' \
	await sh -c 'for p; do [ ! -d /proc/$p ] || exit 1; done' sh $all
up=
mkdir "$work/white space"
exits 'a path with white space is refused with the reason' 1 'white space' \
	"$peal" up --data "$work/white space" --listen 127.0.0.1:0

# A bit of the first frame's payload: acknowledged data is damaged.
segment=$(find "$data/log" -name '*.seg' | sort | head -n 1)
printf '\377\377\377\377' |
	dd of="$segment" bs=1 seek=8264 conv=notrunc 2>/dev/null
exits 'a damaged log ends it with 3 and is named' 3 'peal-writer' \
	"$peal" up --data "$data" --listen 127.0.0.1:0
