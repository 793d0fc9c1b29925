#!/bin/sh
# Durable before visible, seen from outside: the real peal-writer is traced, and
# nothing leaves it (no answer, no doorbell) before its flush has returned.
. "$(dirname "$0")/../lib/house.sh"

strace -o /dev/null true 2>/dev/null ||
	skip_all 'strace is missing or may not trace here'

judge() {
	awk -f "$top_srcdir/tests/t/order.awk" "$1"
}

# traced REQUESTS [OPTION...]: one request at a time, a reader that is parked.
traced() {
	requests=$1
	shift
	rm -rf "$data"
	mkdir -p "$data/log" "$data/run"
	strace -f -y -s 64 -o "$work/trace" "$@" \
	    -e trace=network,read,write,writev,pwritev,pwritev2,pwrite64,fdatasync \
	    "$top_builddir/peal-writer" -o log.directory="$data/log" \
	    -o log.unsafe_filesystem=yes \
	    -o ring.directory="$data/run" -o log.segment_bytes=4M \
	    2>"$work/writer.err" &
	tracer=$!
	others="$others $tracer"
	await grep -q serving: "$work/writer.err" || bail 'no writer'
	"$peal" tail --data "$data" --from oldest -n "$requests" >"$work/tail" &
	reader=$!
	others="$others $reader"
	# Its attachment is a message, too, but answers no request.
	await grep -q 'SCM_RIGHTS.*peal-reader' "$work/trace" ||
		bail 'the reader never attached'
	produce -n "$requests" -w 1 -l "$data/log" >"$work/produce" ||
		bail 'appends failed'
	ends "$reader"
	kill -TERM "$(cat "$data/log/LOCK")"
	ends "$tracer"
}

plan 9
traced 200
passes 'nothing leaves before the flush that covers it' judge "$work/trace"
cp "$work/out" "$work/said"
sed 's/^/# /' "$work/said"
passes 'the trace has every request and every flush' \
    grep -q 'requests=200 flushes=200' "$work/said"
left=$(sed -n 's/.*left=\([0-9]*\).*/\1/p' "$work/said")
passes 'and answers and doorbells that left' [ "${left:-0}" -gt 200 ]
passes 'a reader saw all of it' [ "$(wc -l <"$work/tail")" -eq 200 ]

# Slow flushes: they return 20 ms after the disk is done.
traced 30 -e inject=fdatasync:delay_exit=20000
passes 'nothing leaves before a slow flush either' judge "$work/trace"
cp "$work/out" "$work/said"
sed 's/^/# /' "$work/said"
passes 'with every request and every flush in the trace' \
    grep -q 'requests=30 flushes=30' "$work/said"

# The judge is shown wrong traces: it must refuse them.
grep -v fdatasync "$work/trace" >"$work/wrong"
exits 'a trace without flushes is refused' 1 'left before' judge "$work/wrong"
grep -v '\.seg.*pwritev\|pwritev.*\.seg' "$work/trace" >"$work/wrong"
exits 'a trace in which nothing was written is refused' 1 'left before' \
    judge "$work/wrong"
awk '/append\\?"?/ && /recvfrom/ { print; print \
    "1 sendto(9<socket:[1]>, \"early\", 5, 0, NULL, 0) = 5"; next } { print }' \
    "$work/trace" >"$work/wrong"
exits 'a trace with an early answer is refused' 1 'early' judge "$work/wrong"
