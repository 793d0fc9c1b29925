#!/bin/sh
# peal stat: the counters of every process, from shared memory alone; what is
# no page is named and harms nothing, and what a crash left can still be read.
. "$(dirname "$0")/../lib/house.sh"

stat() {
	"$peal" stat -1 --data "$data" "$@"
}

# value NAME: of the only gateway.
value() {
	stat "gateway.$1" | awk '{ print $3 }'
}

follow_two() {
	produce -n 10 -b 1 -w 1 -d "$deadline" &&
		follow -n 2 -P '>' -f 0 -u 10 -d "$deadline"
}

counted() {
	[ "$(value opened)" -eq 2 ] && [ "$(value accepted)" -ge 2 ]
}

gone() {
	[ "$(value sessions)" -eq 0 ]
}

# Files that are no pages: noise, one cut short, a directory, a pipe.
litter() {
	page=$(ls "$data"/run/stat/gateway.* | head -n 1)
	head -c 5000 /dev/urandom >"$data/run/stat/noise"
	head -c 300 "$page" >"$data/run/stat/short"
	mkdir "$data/run/stat/directory"
	mkfifo "$data/run/stat/pipe"
	: >"$data/run/stat/empty"
}

named() {
	for page in noise short directory pipe empty; do
		grep -q "'$page'" "$work/said" || return 1
	done
	grep -q '^gateway.accepted ' "$work/said"
}

plan 11
exits 'where nothing ever ran, it says so' 1 'no counters' \
    "$peal" stat -1 -o ring.directory="$work"
house_up --gateways 1
passes 'two clients follow ten events' follow_two
passes 'the gateway has counted them' await_here counted
passes 'a gauge goes back' await_here gone
# Who was answered may look before the writer has counted him.
passes 'a pattern chooses' await sh -c \
    "'$peal' stat -1 --data '$data' 'writer.*' >'$work/some' &&
	grep -q '^writer.appends  *[0-9]*  *10 ' '$work/some' &&
	! grep -q gateway '$work/some'"
exits 'a pattern that names no counter is told' 1 "named 'gatway.*'" \
    "$peal" stat -1 --data "$data" 'gatway.*'
passes 'programs get JSON' sh -c \
    "'$peal' stat -1 --json --data '$data' gateway.opened |
	grep -q '\"process\":\"gateway\",\"pid\":$(gateways),\"alive\":true,.*\"name\":\"opened\",\"kind\":\"counter\",\"unit\":\"sessions\",.*\"value\":2'"
litter
exits 'what is no page is told by status' 3 'noise' stat
stat >"$work/said" 2>&1
passes 'and each is named beside the good ones' named
rm -rf "$data"/run/stat/[!g]*
first=$(gateways)
kill -KILL "$first"
passes 'what a crash left can be read' \
    await sh -c "'$peal' stat -1 --data '$data' gateway.opened |
	grep -q '^# gateway $first has gone'"
passes 'told to stop, all of it ends' house_down
