#!/bin/sh
# Flushes and writes of the real writer that fail, wait or take their time,
# injected by strace.  Who failed ends for good, whoever waited is told that the
# outcome is not known, nothing is published or answered before its flush, and
# what was answered is there afterwards.  Then havoc with such flushes.
. "$(dirname "$0")/../lib/house.sh"
havoc_seconds=6
. "$(dirname "$0")/../lib/havoc.sh"

strace -o /dev/null true 2>/dev/null ||
	skip_all 'strace is missing or may not trace here'
command -v python3 >/dev/null || skip_all 'there is no python3'
"$lib/await" 600 false &
sleeper=$!
others="$others $sleeper"
strace -o /dev/null -p $sleeper 2>"$work/strace.err" &
others="$others $!"
await grep -qi 'attach' "$work/strace.err" || bail 'strace says nothing'
grep -q 'Process .* attached' "$work/strace.err" ||
	skip_all 'strace may not attach here'
kill $sleeper

append() {
	"$peal" append --data "$data" "broken.$1" thing_set 1
}

head_seq() {
	"$peal" ring --data "$data" --json | sed 's/.*"head":\([0-9]*\).*/\1/'
}

stored() {
	"$programs/events" "$data/log" >"$work/all" || bail 'no events'
	wc -l <"$work/all"
}

# injected HOW: from now on that befalls the writer's calls.
injected() {
	: >"$work/strace.err"
	strace -f -y -s 200 -p "$writer" -o "$work/trace" \
	    -e trace=network,read,pwritev,fdatasync -e inject="$1" \
	    2>"$work/strace.err" &
	tracer=$!
	others="$others $tracer"
	await grep -q attached "$work/strace.err" ||
		bail 'strace does not attach'
}

# The last event of the sequencer's state as a file.
saved() {
	if [ -f "$data/log/writer.ckpt" ]; then
		od -A n -t u8 -j 40 -N 8 "$data/log/writer.ckpt"
	else
		echo 0
	fi
}

# A call of the segment was made to fail, and none came behind it.  One that
# another thread has interrupted is told in two lines.
left() {
	awk '/\.seg>/ && /(pwritev|fdatasync)\(/ {
		again = failed
		if (/unfinished/) begun[$1] = 1
	}
	/INJECTED/ && (/\.seg>/ || (/resumed/ && begun[$1])) { failed = 1 }
	/resumed/ { delete begun[$1] }
	END { exit !(failed && !again) }' "$work/trace"
}

dead() {
	! kill -0 "$writer" 2>/dev/null
}

# append_until_told NTH CALL=ERROR: append until one is told that its outcome is
# not known; $before are stored by then.  Where the idle frame is hit instead
# nobody waits for it: on a slow machine it is between any two appends, and the
# first call is one that somebody waits for.
append_until_told() {
	tries=0
	while [ $tries -lt 20 ]; do
		tries=$((tries + 1))
		if dead; then
			ends "$writer"
			house_writer
		fi
		before=$(stored)
		if [ $((tries % 2)) -eq 1 ]; then
			injected "$2:when=$1"
		else
			injected "$2:when=1"
		fi
		n=0
		while [ $n -lt 10 ]; do
			n=$((n + 1))
			if append more >"$work/said" 2>&1; then
				before=$((before + 1))
			elif grep -q 'not known' "$work/said"; then
				return
			fi
		done
		kill "$tracer" 2>/dev/null
		ends "$tracer"
	done
	bail 'no append was hit'
}

# fails NTH CALL ERROR: that one does, and would work again.
fails() {
	what="$2 that gets $3"
	house_writer
	append before >/dev/null || bail 'no append'
	append_until_told "$1" "$2:error=$3"
	echo "# attempts to hit: $tries"
	passes "$what: whoever waited is told that the outcome is not known" \
	    await_here dead
	ends "$writer"
	passes "$what: the writer ends with 75" [ "$status" -eq 75 ]
	# Once others have taken those seqs it would pass for theirs.
	passes "$what: and saves no state that is ahead of what it answered" \
	    [ "$(saved)" -le "$before" ]
	ends "$tracer"
	passes "$what: the segment is not written to or flushed again" left
	passes "$what: the ring says so" sh -c \
	    "'$peal' ring --data '$data' | grep -q 'state *failed'"
	passes "$what: and has nothing of what failed" \
	    [ "$(head_seq)" -eq "$before" ]
	house_writer
	after=$(stored)
	echo "# $before answered, $after stored"
	passes "$what: what was answered is there, the rest once or not" \
	    [ $((after - before)) -eq 0 -o $((after - before)) -eq 1 ]
	passes "$what: and it goes on" append after
	kill -TERM "$writer"
	ends "$writer"
}

fails 2 fdatasync EIO
fails 2 fdatasync ENOSPC
# Every other one is the witness, which may fail.
fails 3 pwritev EIO

# --- before a flush ---

# The append has come and was written, and its flush has not returned.
written() {
	awk '/recv|read/ && /append/ { came = 1 }
	    came && /pwritev\(.*\.seg>/ && / = [1-9]/ { written = 1 }
	    written && /fdatasync/ && / = 0/ { flushed = 1 }
	    END { exit !(written && !flushed) }' "$work/trace"
}

reader_has() {
	[ "$(wc -l <"$work/tail")" -eq "$1" ]
}

house_writer
append before >/dev/null || bail 'no append'
"$peal" tail --data "$data" --from oldest >"$work/tail" &
reader=$!
others="$others $reader"
before=$(head_seq)
await_here reader_has "$before" || bail 'the reader never got going'
delay=2
for tries in 1 2 3 4 5; do
	injected fdatasync:delay_enter=${delay}000000
	append held >"$work/held" 2>&1 &
	held=$!
	others="$others $held"
	await_here written || bail 'it was never written'
	head=$(head_seq)
	got=$(wc -l <"$work/tail")
	said=$(cat "$work/held")
	# What was seen was seen before the flush, or does not count: a slow
	# machine takes longer to look.
	! written || break
	delay=$((3 * delay))
	ends "$held"
	kill "$tracer"
	ends "$tracer"
	before=$(head_seq)
done
passes 'an append was seen between its write and its flush' written
passes 'it is not in the ring then' [ "$head" -eq "$before" ]
passes 'a reader has not got it' [ "$got" -eq "$before" ]
passes 'and its producer no answer' [ -z "$said" ]
ends "$held"
passes 'behind the flush he has one' grep -q '^seq' "$work/held"
passes 'and the reader has it' await_here reader_has $((before + 1))
kill -TERM "$reader"
kill -TERM "$writer"
ends "$writer"

# --- havoc ---

data=$work/slow
havoc_house
writer_under strace -D -f --seccomp-bpf -o /dev/null -e trace=fdatasync \
    -e inject=fdatasync:delay_exit=20000
echo '# every flush takes 20 ms more'
havoc_begin
havoc_judge
data=$work/failing
havoc_house
writer_under strace -D -f --seccomp-bpf -o /dev/null -e trace=fdatasync \
    -e inject=fdatasync:error=EIO:when=25
echo '# the 25th flush of each writer fails'
gap=1000
havoc_begin -f
havoc_judge
passes 'writers ended because of it' \
    grep -q '^writer: .*alone=[1-9]' "$work/havoc"
plan $count
