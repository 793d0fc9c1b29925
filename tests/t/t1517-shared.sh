#!/bin/sh
# Shared memory that is none: every tool that looks at it, before every file
# that somebody could put there, while others are put there, and behind a
# crash.  It says a sentence and ends with 1; no signal ever ends it.
. "$(dirname "$0")/../lib/house.sh"

run=$data/run
tools='stat ring verify compare dump readers tail metrics'
for tool in hist clients; do
	"$peal" --help | grep -q "^  $tool " && tools="$tools $tool"
done

# tool NAME: what it has to say of this house, once.
tool() {
	case $1 in
	stat) set -- stat -1 ;;
	verify | compare | dump) set -- ring "--$1" ;;
	tail) set -- tail --from oldest -n 1 ;;
	clients) set -- clients ;;
	esac
	timeout "$deadline" "$peal" "$@" --data "$data" >"$work/said" 2>&1
}

# ends_well TOOL STATUS...: with one of these, and of other than 0 it says why.
ends_well() {
	who=$1
	shift
	code=0
	tool "$who" || code=$?
	case " $* " in
	*" $code "*) [ "$code" -eq 0 ] || grep -q '^peal [a-z]*: .' "$work/said" ;;
	*) false ;;
	esac || got "$who" "$code"
}

# Tells what came, and fails.
got() {
	echo "$1 ended with $2 before $file, and said:"
	head -c 2000 "$work/said"
	return 1
}

# A ring that was well, and has been overwritten at that place.
patched() {
	cp "$work/good" "$run/ring.new"
	dd of="$run/ring.new" bs=1 seek="$1" conv=notrunc 2>/dev/null
	mv "$run/ring.new" "$run/ring"
}

seed=${PEAL_SEED:-$(date +%s)}

# noise N: so many bytes, the same for the same seed.
noise() {
	LC_ALL=C awk -v seed="$seed" -v n="$1" 'BEGIN {
		srand(seed)
		for (i = 0; i < n; i++)
			printf "%c", 1 + int(rand() * 255)
	}'
}

zeros() {
	head -c "$1" /dev/zero
}

bytes() {
	printf "$1"
}

# What comes to lie in the place of the ring, by name.
put_ring() {
	rm -rf "$run/ring"
	case $1 in
	none) ;;
	empty) : >"$run/ring" ;;
	zeros) zeros 150000 >"$run/ring" ;;
	noise) noise 150000 >"$run/ring" ;;
	text) echo 'this is no ring' >"$run/ring" ;;
	short) head -c 200 "$work/good" >"$run/ring" ;;
	header) head -c 4096 "$work/good" >"$run/ring" ;;
	cut) head -c $(($(wc -c <"$work/good") - 1)) "$work/good" >"$run/ring" ;;
	directory) mkdir "$run/ring" ;;
	pipe) mkfifo "$run/ring" ;;
	loop) ln -s ring "$run/ring" ;;
	device) ln -s /dev/zero "$run/ring" ;;
	version) bytes '\002' | patched 8 ;;
	magic) bytes 'GNIR' | patched 0 ;;
	sizes) bytes '\377\377\377\377' | patched 44 ;;
	hot) zeros 4096 | patched 4096 ;;
	lapped) bytes '\377\377\377\377' | patched 4096 ;;
	*) return 1 ;;
	esac
}

rings='none empty zeros noise text short header cut directory pipe loop device
version magic sizes hot lapped'

# All tools before a file that is no ring: exit code 1, and a sentence. The
# log is none of its business: what can be had from there may come.
refused() {
	file=$1
	put_ring "$1" || return 1
	for one in $tools; do
		case $one in
		# Gives what it has of the rest, and a count of what is bad.
		metrics) ends_well $one 0 1 || return 1 ;;
		*) ends_well $one 1 || return 1 ;;
		esac
	done
}

# The header is well, what is behind it is not: a verdict may be 3, and who
# does not look there sees nothing.
survived() {
	file="noise from $1 on"
	noise "$2" | patched "$1"
	for one in $tools; do
		ends_well $one 0 1 3 || return 1
	done
}

# Pages of counters, and of whatever else has a file of its own for each
# process, in the place of one that is well.
put_page() {
	rm -rf "$1"
	case $2 in
	empty) : >"$1" ;;
	zeros) zeros 5000 >"$1" ;;
	noise) noise 5000 >"$1" ;;
	short) head -c 300 "$work/page" >"$1" ;;
	cut) head -c $(($(wc -c <"$work/page") - 64)) "$work/page" >"$1" ;;
	directory) mkdir "$1" ;;
	pipe) mkfifo "$1" ;;
	loop) ln -s "${1##*/}" "$1" ;;
	version)
		cp "$work/page" "$1"
		bytes '\377' | dd of="$1" bs=1 seek=8 conv=notrunc 2>/dev/null
		;;
	entries)
		cp "$work/page" "$1"
		bytes '\377\377\377\377' |
			dd of="$1" bs=1 seek=12 conv=notrunc 2>/dev/null
		;;
	outside)
		cp "$work/page" "$1"
		bytes '\370\377\377\377' |
			dd of="$1" bs=1 seek=$((128 + 116)) conv=notrunc \
			    2>/dev/null
		;;
	sparse) truncate -s 1T "$1" ;;
	*) return 1 ;;
	esac
}

pages='empty zeros noise short cut directory pipe loop version entries outside
sparse'

page_named() {
	file=$1
	mkdir -p "$run/stat/clients"
	put_page "$run/stat/gateway.1" "$1" || return 1
	put_page "$run/stat/clients/gateway.1" "$1" || return 1
	for one in $tools; do
		case $one in
		stat)
			ends_well $one 1 || return 1
			{ grep -q gateway.1 "$work/said" &&
				grep -q '^writer.appends ' "$work/said"; } ||
				got $one 1 || return 1
			;;
		clients) ends_well $one 1 || return 1 ;;
		hist | metrics) ends_well $one 0 1 || return 1 ;;
		*) ends_well $one 0 || return 1 ;;
		esac
	done
}

# Puts everything into the ring's place in turn: renamed over it, as a writer
# does, and into the same file, as nobody should.
vandal() {
	while [ -e "$work/vandal" ]; do
		cp "$work/good" "$run/ring.new"
		mv "$run/ring.new" "$run/ring"
		for way in empty header zeros version; do
			put_ring "$way"
			rm -rf "$run/ring"
			cp "$work/good" "$run/ring"
		done
		: >"$run/ring"
		cat "$work/good" >"$run/ring"
		truncate -s 8192 "$run/ring"
		cat "$work/good" >"$run/ring"
	done
}

replaced() {
	file='a ring that is replaced'
	turn=0
	while [ "$turn" -lt 10 ]; do
		turn=$((turn + 1))
		for one in $tools; do
			ends_well $one 0 1 3 || return 1
		done
	done
}

# A tool that follows: the file is cut short under its mapping.
cut_under_tail() {
	put_good
	"$peal" tail --from oldest --data "$data" >"$work/tail" 2>"$work/tail.err" &
	follower=$!
	others="$others $follower"
	await sh -c "[ -s '$work/tail' ]" || {
		cat "$work/tail.err"
		return 1
	}
	truncate -s 4096 "$run/ring"
	ends "$follower"
	cat "$work/tail.err"
	[ "$status" -eq 1 ] && grep -q 'cut short' "$work/tail.err"
}

put_good() {
	rm -rf "$run/ring"
	cp "$work/good" "$run/ring"
}

writer_lines() {
	[ "$(grep -c '"process":"writer"' "$work/live")" -gt "$1" ]
}

# A live list goes on, says what is wrong once, and has it all again when
# there is a ring again.
live_goes_on() {
	put_good
	"$peal" stat --json --data "$data" >"$work/live" 2>"$work/live.err" &
	live=$!
	others="$others $live"
	await_here writer_lines 0 || return 1
	truncate -s 4096 "$run/ring"
	await sh -c "grep -q 'cut' '$work/live.err'" || return 1
	seen=$(grep -c '"process":"writer"' "$work/live")
	put_good
	await_here writer_lines "$seen" || return 1
	kill -TERM "$live"
	ends "$live"
	cat "$work/live.err"
	[ "$status" -eq 0 ] && [ "$(wc -l <"$work/live.err")" -le 2 ]
}

# What was cut short is really what ends a program that does not watch out.
a_hole_kills() {
	command -v python3 >/dev/null || return 0
	python3 -c 'import mmap, os, sys
f = open(sys.argv[1], "r+b")
m = mmap.mmap(f.fileno(), 0)
os.truncate(sys.argv[1], 4096)
m[8192]' "$work/hole" 2>/dev/null && return 1
	[ $? -gt 128 ]
}

small() {
	house_writer -o ring.slots=256 -o ring.payload_bytes=16K
}

set -f
# shellcheck disable=SC2086 # lists of words
plan $((9 + $(echo $rings | wc -w) + $(echo $pages | wc -w)))
set +f
echo "# seed $seed"
cp "$sample" "$work/hole"
passes 'a hole in a mapping ends who does not watch out' a_hole_kills
small
produce -n 200 -b 2 -w 10 -d "$deadline" >/dev/null 2>&1 || bail 'no events'
mkdir -p "$run/stat"
kill -KILL "$writer"
ends "$writer"
cp "$run/ring" "$work/good"
# The writer's counters are as those in a file of their own.
size=$(od -An -t u8 -j 112 -N 8 "$run/ring" | tr -d ' ')
tail -c +12289 "$run/ring" | head -c "$size" >"$work/page"
file='what a crash has left'
behind_a_crash() {
	for one in $tools; do
		case $one in
		# Without gateways there are no histograms of theirs, and no
		# clients.
		hist | clients) ends_well $one 0 1 || return 1 ;;
		*) ends_well $one 0 || return 1 ;;
		esac
	done
}
passes 'behind a crash every tool has what was left' behind_a_crash
for ring in $rings; do
	passes "in the place of the ring: $ring" refused "$ring"
done
for at in 4096 8192 12288 131072; do
	passes "noise in the ring, from $at on" survived "$at" 3000
done
put_good
for page in $pages; do
	passes "among the pages of counters: $page" page_named "$page"
done
rm -rf "$run/stat/gateway.1" "$run/stat/clients"
: >"$work/vandal"
vandal 2>/dev/null &
vandal=$!
others="$others $vandal"
passes 'while all of that is put there in turn, no tool ends by a signal' \
    replaced
# Killed, he would leave a copy under way.
rm "$work/vandal"
ends "$vandal"
passes 'a tail whose ring is cut short under it says so' cut_under_tail
passes 'a live list says so, and goes on with the next ring' live_goes_on
