#!/bin/sh
# The clock of the host goes an hour back and ten years ahead under the real
# programs: times in the log never decrease, a leap ahead is believed when it
# has stood for ten minutes, what the clock said is kept beside it and counted,
# and nothing is given up for its age meanwhile.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
shift_clock=$work/shiftclock.so
${CC:-cc} -shared -fPIC -o "$shift_clock" \
    "$top_srcdir/tests/lib/shiftclock.c" 2>"$work/cc" ||
	skip_all 'no shared object can be made here'

# clock WALL BOOT: from now on they are so many seconds ahead.
clock() {
	python3 - "$work/clock" "$1" "$2" <<'END'
import struct, sys

with open(sys.argv[1], "r+b") as f:
    f.write(struct.pack("<qq", *(int(s) * 10**9 for s in sys.argv[2:])))
END
}

head -c 16 /dev/zero >"$work/clock"
# A sanitizer wants to be first, but does without.
house_env="LD_PRELOAD=$shift_clock PEAL_CLOCK=$work/clock
    ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0"
hour=3600
decade=315360000

append() {
	"$peal" append --data "$data" "$1" thing_happened 1
}

# newest TIME META: the newest event's time and meta.time, seconds from now, to
# within two minutes; "-": it has none, "last": the time of the one before.
newest() {
	"$peal" log cat --data "$data" --json >"$work/events" &&
		python3 - "$work/events" "$@" <<'END'
import json, sys, time

with open(sys.argv[1]) as f:
    log = [json.loads(line) for line in f]
times = [e[1] for e in log]
meta = log[-1][7] if len(log[-1]) > 7 else {}


def check(what, got, want):
    if want == "-" or got is None:
        good = want == "-" and got is None
    elif want == "last":
        good = got == times[-2]
    else:
        good = abs(got / 1e6 - time.time() - int(want)) < 120
    if not good:
        sys.exit(f"{what} {got} of {log[-1]}, not {want}")


if times != sorted(times):
    sys.exit("times decrease")
if [e[0] for e in log] != list(range(1, len(log) + 1)):
    sys.exit("seqs have gaps")
check("time", times[-1], sys.argv[2])
check("meta.time", meta.get("time"), sys.argv[3])
END
}

# counted NAME N: of the writer.
counted() {
	"$peal" stat -1 --data "$data" "writer.$1" >"$work/stat" &&
		grep -qE "^writer.$1 +[0-9]+ +$2 " "$work/stat"
}

# counts NAME N: soon.
counts() {
	await_here counted "$@"
}

plan 36
house_writer
passes 'an event is stored' append clock.a
passes 'it has the time, and no other beside it' newest 0 -
exits 'another time would be seen' 1 'meta.time None of' newest 0 0
exits 'and so would another place' 1 'time ' newest $hour -

# An hour back, and forth again.
clock -$hour 0
passes 'an hour back, an event is stored' append clock.b
passes 'at the time of the one before, and what the clock said beside it' \
    newest last -$hour
passes 'that the clock was behind is counted' counts clock_behind 1
clock 0 0
passes 'when the clock is right again, an event is stored' append clock.c
passes 'at that time' newest 0 -
passes 'which was no leap, though it was more than a minute' \
    counts clock_leaps 0
passes 'the clock was not behind any more' counts clock_behind 1

# Ten years ahead.
leapt=$(date +%s)
clock $decade 0
passes 'ten years ahead are counted before anybody appends' \
    counts clock_leaps 1
passes 'an event is stored' append clock.d
passes 'at the time that was, and what the clock said beside it' \
    newest 0 $decade
# All of it counts, also what this has taken up to here, and takes from here on:
# two minutes are left for that.
later=$((480 + leapt - $(date +%s)))
clock $((decade + later)) $later
passes 'ten minutes less two later, an event is stored' \
    append clock.e
passes 'at the time that was, and those minutes' \
    newest $later $((decade + later))
clock $((decade + 660)) 660
passes 'ten minutes later, an event is stored' append clock.f
passes 'ten years ahead' newest $((decade + 660)) -

# It was wrong after all.
clock 660 660
passes 'when that was wrong after all, an event is stored' append clock.g
passes 'at the newest time, and the right one beside it' newest last 660
passes 'and that is counted' counts clock_behind 2
kill -TERM "$writer"
ends "$writer"
house_writer
passes 'so it goes on after a start' append clock.h
passes 'with times that never decrease' newest last 660
passes 'the log verifies' "$peal" log verify --data "$data"
kill -TERM "$writer"
ends "$writer"

# What is older than a day goes, but not because the clock says so for once.
packed() {
	find "$data/log" -name '*.segz' | wc -l
}

more_packed() {
	[ "$(packed)" -gt "$before" ]
}

# fill REQUESTS: so many more, until another segment is packed: before that the
# retainer has looked what is old.
fills=0
fill() {
	before=$(packed)
	fills=$((fills + 1))
	produce -N "fill$fills" -n "$1" -b 2 -B 4000 -w 64 -l "$data/log" >/dev/null &&
		await_here more_packed
}

# Whoever has looked has found nothing that is old.
all_stay() {
	[ ! -e "$data/log/FLOOR" ] && [ "$(wanted)" = 0 ]
}

has_floor() {
	[ -e "$data/log/FLOOR" ]
}

rm -rf "$data"
clock 0 0
house_up --gateways 1 -o log.segment_bytes=4M -o ring.slots=16384 \
    -o ring.payload_bytes=4M -o log.keep_bytes=1T -o log.keep_time=86400 \
    -o log.unsafe_filesystem=yes
passes 'segments are filled' fill 3000
passes 'and more' fill 1100
clock 660 660
passes 'and more, when the clock has stood for long' fill 1100
passes 'none of them is given up' all_stay
clock $((decade + 660)) 660
passes 'ten years ahead, more are filled' fill 1100
passes 'and more' fill 1100
passes 'none of them is given up at once' all_stay
passes 'the leap is counted' counts clock_leaps 1
clock $((decade + 1320)) 1320
passes 'ten minutes later the oldest go' await_here has_floor
passes 'an event is stored' append clock.i
passes 'the log verifies' "$peal" log verify --data "$data"
passes 'told to stop, all of it ends' house_down
