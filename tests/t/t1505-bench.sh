#!/bin/sh
# `peal bench`: short runs that end well, measure what they say, and leave
# nothing behind.
. "$(dirname "$0")/../lib/house.sh"
plan 28

TMPDIR=$work
export TMPDIR

# measure ARGUMENT...: with the figures in $work/json.
measure() {
	"$peal" bench "$@" --own --json >"$work/json"
}

# above NAME NUMBER: the whole part of a figure.
above() {
	got=$(sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$work/json")
	echo "$1 is '$got'"
	[ "$got" -gt "$2" ]
}

exits 'a benchmark that is none is named' 2 "no 'nothing'" \
	"$peal" bench nothing
passes 'appends alone are measured' measure append --events 20
passes 'and told with the bare counterpart' above bare_p50_us 0
passes 'appends in flight are measured' \
	"$peal" bench append --own --events 500 --inflight 64
passes 'every client gets every event' \
	measure fanout --clients 20 --rate 200 --seconds 1 --pairs 1
passes 'no figure is something else than a number' \
	sh -c "! grep -E '[:-](nan|inf)' '$work/json'"
passes 'as many deliveries are told as were made' \
	above deliveries_per_s 10
passes 'flat out every client gets every event' \
	"$peal" bench fanout --own --clients 8 --rate max --seconds 1 \
	    --pairs 1 --gateways 2
passes 'the memory of idle clients is measured' \
	"$peal" bench fanout --own --clients 50 --idle
passes 'some events go to one client each, some clients stall' \
	"$peal" bench fanout --own --clients 20 --rate 200 --seconds 1 \
	    --pairs 1 --personal 500 --stalled 5 --beside plain
passes 'clients with other subscriptions get what they asked for' \
	"$peal" bench fanout --own --clients 30 --rate 200 --seconds 1 \
	    --pairs 1 --sets 10 --personal 100 --beside none
passes 'clients that speak JSON get every event' \
	"$peal" bench fanout --own --clients 20 --rate 200 --seconds 1 \
	    --pairs 1 --text --beside plain
passes 'one client is measured from when events are durable' \
	measure fanout --clients 1 --rate 50 --seconds 1 --pairs 1 --durable
passes 'peers that are installed are measured, others left out' \
	"$peal" bench fanout --own --clients 5 --rate 50 --seconds 1 \
	    --pairs 1 --beside nats,nchan,mosquitto
exits 'a peer that is none is named' 2 "not 'nothing'" \
	"$peal" bench fanout --beside nothing
passes 'handshakes are measured' measure reconnect --clients 20 --pairs 1 \
	handshakes
passes 'clients come back from a storm, and miss nothing' \
	measure reconnect --clients 40 --stay 5 --pairs 1 --jitter 100 \
	    --seconds 3 --generators 2 storm
passes 'all of them were away' above lost 39
passes 'also when a gateway is killed' \
	measure reconnect --clients 40 --stay 5 --pairs 1 --jitter 100 \
	    --seconds 3 kill
passes 'what the broker makes of a log is measured' \
	measure broker --events 3000 --topics 700 --clients 1 --rate 2000
passes 'a snapshot has every row' \
	grep -q '"how":"TLS, new","rows":700\.' "$work/json"
passes 'so has a state of the past' \
	grep -q '"figure":"at","how":"all rows","rows":[67][0-9][0-9]\.' \
	    "$work/json"
passes 'appends are told without snapshots and during them' \
	test "$(grep -c '"figure":"appends"' "$work/json")" -eq 2
passes 'an append takes time' \
	grep -q '"how":"without snapshots".*"p50_us":[1-9]' "$work/json"
exits 'a figure that is none is named' 2 "no figure 'nothing'" \
	"$peal" bench broker nothing
exits 'more topics than events are refused' 2 '--events 700 at least' \
	"$peal" bench broker --events 699 --topics 700
exits 'without a peal it says so' 1 'no peal is running' \
	"$peal" bench append -o "ring.directory=$work"
passes 'nothing is left behind' \
	sh -c "[ -z \"\$(find '$work' -name 'peal-bench-*')\" ]"
