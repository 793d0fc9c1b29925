#!/bin/sh
# A disk without a free byte is made less full: the reserve gives the room in
# which the oldest events are given up, and without it they can't be.
. "$(dirname "$0")/../lib/image.sh"
. "$(dirname "$0")/../lib/house.sh"

image_begin
mkdir -p "$data/log"
mount -t tmpfs -o size=48m tmpfs "$data/log" 2>/dev/null ||
	skip_all 'a small file system cannot be mounted here'
mounted=$data/log

plan 14

house() {
	house_up --gateways 1 -o log.segment_bytes=4M -o log.pack=no \
	    -o log.unsafe_filesystem=yes "$@"
}

load() {
	"$programs/load" -d "$deadline" -s "$data/run/writer.sock" -n 22000 \
	    -T 50 -b 20 -B 3000 -S 7
}

# Nothing is left for anybody.
fill() {
	dd if=/dev/zero of="$data/log/filler" bs=4k 2>/dev/null
	[ -s "$data/log/filler" ]
}

append() {
	"$peal" append --data "$data" probe.a thing_happened 1 2>"$work/answer"
}

full() {
	! append && grep -q storage_full "$work/answer"
}

failed() {
	"$peal" stat -1 --data "$data" --json writer.retain_failed |
		grep -q '"value":[1-9]'
}

house -o log.keep_bytes=1T
passes 'a history is appended' load
passes 'a client stores that it has nothing of it' "$programs/week" ack \
    -p "$port" -C "$cafile" -t "$token" -I laptop -q 0
passes 'the reserve is made when there is time' \
    await test -f "$data/log/RESERVE"
passes 'of as many bytes as a segment' \
    test "$(wc -c <"$data/log/RESERVE")" -eq 4194304
passes 'told to stop, all of it ends' house_down
mv "$data/log/RESERVE" "$work/reserve"
rm -f "$data/log/next.tmp"
fill

house -o log.keep_bytes=6M
passes 'on a full disk appends are refused' await_here full
passes 'without a reserve the oldest events can not be given up' \
    await_here failed
passes 'and are there' test ! -e "$data/log/FLOOR"
passes 'that ends, too' house_down

rm "$data/log/filler" "$data/log/next.tmp" 2>/dev/null
cp "$work/reserve" "$data/log/RESERVE"
fill
house -o log.keep_bytes=6M -o log.keep_for_cursors=1T
passes 'with one they are, whatever clients need' await test -e "$data/log/FLOOR"
passes 'and appends are taken again' await_here append
passes 'the reserve is made anew' await test -f "$data/log/RESERVE"
passes 'what is left is whole' "$peal" log verify --data "$data"
passes 'told to stop once more, all of it ends' house_down
