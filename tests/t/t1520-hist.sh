#!/bin/sh
# peal hist: how long each stage of an event took, from shared memory alone;
# every event is in every stage once, whatever processes there are.
. "$(dirname "$0")/../lib/house.sh"

hist() {
	"$peal" hist --data "$data" "$@"
}

# number FIELD NAME [OPTION...]: of the one histogram of that name.
number() {
	field=$1
	shift
	hist --json "$@" | grep -o "\"$field\":[0-9.]*" | head -n 1 | cut -d: -f2
}

follow_all() {
	produce -n 100 -b 3 -w 4 -d "$deadline" &&
		follow -n 4 -P '>' -f 0 -u 300 -d "$deadline"
}

# Clients who were there before what came.
follow_live() {
	follow -n 4 -P '>' -f 300 -u 600 -r "$work/ready" -d "$deadline" &
	follower=$!
	await test -e "$work/ready" &&
		produce -N more -n 100 -b 3 -w 4 -d "$deadline" &&
		wait $follower
}

# counts NAME N: that many values, and buckets with as many.
counts() {
	[ "$(number count "$1")" = "$2" ] &&
		hist --json "$1" | grep -o '"buckets":.*' |
		tr '[' '\n' | awk -F, 'NF > 2 { n += $3 + 0 } END { exit n != want }' want="$2"
}

# What histograms hold is what counters have counted.
flushes_agree() {
	"$peal" stat -1 --data "$data" 'writer.flush*' >"$work/stat" &&
		hist --json 'writer.flush_*' >"$work/hist" || return 1
	n=$(awk '$1 == "writer.flushes" { print $3 }' "$work/stat")
	bytes=$(awk '$1 == "writer.flush_bytes" { print $3 }' "$work/stat")
	grep -q "\"name\":\"flush_size\",.*\"count\":$n,\"sum\":$bytes," "$work/hist" &&
		grep -q "\"name\":\"flush_time\",.*\"count\":$n," "$work/hist"
}

ordered() {
	hist --json "$1" | grep -o '"p50":[0-9]*,"p90":[0-9]*,"p99":[0-9]*,"p999":[0-9]*,"max":[0-9]*' |
		tr -c '0-9\n' ' ' |
		awk '{ bad = $2 > $4 || $4 > $6 || $6 > $8 || $8 > $9; n++ }
			END { exit bad || n != 1 }'
}

# Each gateway's are in a line of its own, and add up.
each_adds_up() {
	whole=$(number count gateway.published_read) &&
		hist -e gateway.published_read >"$work/each" &&
		[ "$(grep -c '^gateway\.[0-9]*\.published_read' "$work/each")" -eq 2 ] &&
		[ "$(awk '/^gateway/ { n += $2 } END { print n }' "$work/each")" -ge "$whole" ]
}

# Nothing is stored between two turns; then something is.
turns_tell_what_came_since() {
	hist -n 2 --json batch_events >"$work/turns" &&
		[ "$(wc -l <"$work/turns")" -eq 2 ] &&
		sed -n 1p "$work/turns" | grep -q '"whole":true,"count":[1-9]' &&
		sed -n 2p "$work/turns" | grep -q '"whole":false,"count":0,'
}

drawn() {
	hist message_events >"$work/drawn" &&
		sed -n 3p "$work/drawn" | grep -q '^ *from *count *upto$' &&
		tail -n 1 "$work/drawn" | grep -q '100.00 %$' &&
		grep -q '|########################################' "$work/drawn"
}

plan 21
exits 'where nothing ever ran, it says so' 1 'no histograms' \
    "$peal" hist -o ring.directory="$work"
house_up --gateways 2
passes 'four clients follow three hundred events' follow_all
passes 'and three hundred more, live' follow_live
passes 'each event became durable once' await_here counts accept_durable 600
passes 'and came into the ring once' counts durable_published 600
passes 'the broker has read all of them' \
    await sh -c "[ \"\$('$peal' hist --json --data '$data' broker.published_read |
	grep -o '\"count\":[0-9]*' | cut -d: -f2)\" -ge 600 ]"
passes 'both gateways have' \
    await sh -c "[ \"\$('$peal' hist --json --data '$data' gateway.published_read |
	grep -o '\"count\":[0-9]*' | cut -d: -f2)\" -ge 1200 ]"
passes 'messages were timed until they were written' \
    await sh -c "'$peal' hist --json --data '$data' read_written |
	grep -q '\"count\":[1-9]'"
passes 'flushes are as many as were counted, and as large' \
    await_here flushes_agree
passes 'percentiles come in their order' ordered flush_time
passes 'two gateways add up' each_adds_up
passes 'turns tell what came since' turns_tell_what_came_since
passes 'one alone is drawn' drawn
passes 'a line for each else' sh -c \
    "'$peal' hist --data '$data' >'$work/all' &&
	[ \"\$(grep -c '^writer\\.' '$work/all')\" -ge 5 ] &&
	grep -q '^broker.query_time ' '$work/all' &&
	grep -q '^gateway.message_size ' '$work/all' &&
	! grep -q 'writer.appends' '$work/all'"
exits 'a counter is no histogram' 1 "named 'writer.appends'" \
    "$peal" hist --data "$data" writer.appends
exits 'an interval of nothing is refused' 2 '--interval takes' hist -i 0
exits 'a full disk is told' 1 'cannot write the output' \
    sh -c "'$peal' hist --data '$data' >/dev/full"
page=$(ls "$data"/run/stat/gateway.* | head -n 1)
head -c 5000 "$page" >"$data/run/stat/short"
exits 'a page that was cut short is told by status' 1 "'short'" hist
passes 'beside the good ones' sh -c \
    "'$peal' hist --data '$data' flush_time 2>/dev/null | grep -q '^writer.flush_time '"
rm "$data/run/stat/short"
first=$(gateways | head -n 1)
kill -KILL "$first"
passes 'what a gateway left when it was killed still counts' \
    await sh -c "'$peal' hist --json --data '$data' gateway.published_read |
	grep -q '\"dead\":1,'"
passes 'told to stop, all of it ends' house_down
