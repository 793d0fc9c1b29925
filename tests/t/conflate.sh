#!/bin/sh
# Clients that conflate follow an import and a load: those that keep up, and
# those that read a part of it, end with the rows that folding the log gives,
# and those that keep up got fewer events than who asked for all of them.
# PEAL_CLIENTS, PEAL_SECONDS and PEAL_RATE name other sizes.
. "$(dirname "$0")/../lib/house.sh"

clients=${PEAL_CLIENTS:-8}
seconds=${PEAL_SECONDS:-5}
rate=${PEAL_RATE:-4000}
deadline=$((600 + 2 * seconds))

load() {
	"$programs/load" -s "$data/run/writer.sock" -d "$deadline" "$@"
}

head_seq() {
	"$peal" ring --data "$data" --json |
		sed 's/.*"head":\([0-9]*\).*/\1/'
}

# begin NAME OPTION...: clients in the background, which have their rows.
begin() {
	name=$1
	shift
	"$programs/resnapshot" -p "$port" -C "$cafile" -t "$token" \
	    -l "$data/log" -r "$work/$name.ready" -s "$work/stop" \
	    -d "$deadline" "$@" >"$work/$name" 2>&1 &
	eval "$name=$!"
	others="$others $!"
	await sh -c "test -e '$work/$name.ready' ||
		! kill -0 $! 2>/dev/null"
	test -e "$work/$name.ready" || {
		sed 's/^/# /' "$work/$name"
		bail 'the clients never got going'
	}
}

# events NAME: of one of its clients, about.
events() {
	sed -n 's/^clients=\([0-9]*\) .* events=\([0-9]*\) .*/\1 \2/p' \
	    "$work/$1" | while read -r n all; do echo $((all / n)); done
}

house_up --gateways 2 -o gateway.mark_interval=1000 -o ring.slots=32768 \
    -o ring.payload_bytes=8M
passes 'there is something before' load -n 500 -T 20
begin whole -n 2 -P '>' -b 1000000000
begin quick -n "$clients" -P '>' -b 1000000000 -c 250
begin often -n "$clients" -P 'load.>' -b 1000000000 -c 10
begin slow -n "$clients" -P '>' -b 150000 -c 100
copies 3 >"$work/some.jsonl"
passes 'a file is imported while clients follow' \
    "$peal" import --data "$data" "$work/some.jsonl"
load -r "$rate" -n $((rate * seconds)) -T 20 >"$work/load" 2>&1
status=$?
sed 's/^/# /' "$work/load"
verdict 'everything offered was stored' $status
head_seq >"$work/head"
mv "$work/head" "$work/stop"
for name in whole quick often slow; do
	eval "ends \$$name"
	sed 's/^/# /' "$work/$name"
	verdict "$name: the rows are what folding the log gives" $status
done
passes 'who conflates got fewer events' \
    [ "$(events quick)" -lt "$(events whole)" ]
passes 'told to stop, all of it ends' house_down
plan $count
