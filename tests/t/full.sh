#!/bin/sh
# A disk that is full: appends are refused with storage_full, what is there is
# read on, clients stay, and appends resume by themselves.
. "$(dirname "$0")/../lib/image.sh"
. "$(dirname "$0")/../lib/house.sh"

image_begin
mkdir -p "$data/log"
mount -t tmpfs -o size=40m tmpfs "$data/log" 2>/dev/null ||
	skip_all 'a small file system cannot be mounted here'
mounted=$data/log

plan 11
house_up --gateways 1 -o log.segment_bytes=4M -o log.unsafe_filesystem=yes
passes 'an append is stored while there is room' \
    "$peal" append --data "$data" full.a thing_happened 1

# Fill what the log leaves, then the log itself.
head -c 24M /dev/zero >"$data/log/filler"
rm -f "$work/ready"
requests=12000
end=$((1 + 2 * requests))
follow -n 3 -P '>' -f 0 -u $end -d "$deadline" -l "$data/log" \
    -r "$work/ready" >"$work/follow" 2>&1 &
follower=$!
produce -n $requests -b 2 -B 500 -w 64 -d "$deadline" -l "$data/log" \
    >"$work/produce" 2>&1 &
producer=$!
others="$others $follower $producer"
await test -e "$work/ready" || bail 'the clients never got going'

passes 'appends are refused with storage_full once the disk is full' \
    await sh -c "'$peal' append --data '$data' probe.a thing_happened 1 2>&1 |
	grep -q storage_full"
refused_over_http() {
	curl -sS --cacert "$cafile" --max-time "$deadline" \
	    -H "Authorization: Bearer $(cat "$token")" \
	    -H 'Content-Type: application/json' -w '%{http_code}' -d \
	    '{"events":[{"topic":"probe.a","type":"thing_happened","data":1}]}' \
	    "https://127.0.0.1:$port/v1/events" >"$work/answer" &&
		grep -q '"code":"storage_full"' "$work/answer" &&
		grep -q '^503' "$work/answer"
}
passes 'over HTTP, too, with 503' await_here refused_over_http
passes 'the writer goes on' kill -0 "$(writer)"
head_then=$("$programs/events" "$data/log" | wc -l)
passes 'what is there is read from the log' [ "$head_then" -gt 1 ]
follow -n 1 -P '>' -f 0 -u "$head_then" -d "$deadline" -l "$data/log" \
    >"$work/reader" 2>&1
status=$?
sed 's/^/# /' "$work/reader"
verdict 'a new client reads all of it' $status

rm "$data/log/filler"
passes 'appends resume by themselves once there is room' await \
    "$peal" append --data "$data" probe.b thing_happened 1
ends "$producer"
sed 's/^/# /' "$work/produce"
verdict 'every append was answered in the end, stored once' "$status"
passes 'and some were refused before' grep -q 'refusals=[1-9]' "$work/produce"
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'clients that were there all the time missed nothing' "$status"
passes 'told to stop, all of it ends' house_down
