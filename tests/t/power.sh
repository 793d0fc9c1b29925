#!/bin/sh
# Power cuts on ext4 and xfs: the file system is shut down in the middle of
# appends, with all that was written and not flushed, and mounted again, without
# a ring.  What was answered is there.  Where flushes are made to lie it is not,
# which the judge has to find out.  PEAL_SEED repeats the instants, PEAL_KILLS is
# their number.
. "$(dirname "$0")/../lib/image.sh"
. "$(dirname "$0")/../lib/house.sh"

cuts=${PEAL_KILLS:-3}
seed=${PEAL_SEED:-$(date +%s)}
deadline=900
image_begin
command -v xfs_io >/dev/null || skip_all 'there is no xfs_io'
strace -o /dev/null true 2>/dev/null ||
	skip_all 'strace is missing or may not trace here'
echo "# PEAL_SEED=$seed"

# chance N: a number from 1 to N; the next one from the same seed.
chance() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	drawn=$((seed / 65536 % $1 + 1))
}

beyond() {
	head=$("$peal" ring --data "$data" --json |
		sed 's/.*"head":\([0-9]*\).*/\1/')
	[ "$head" -gt "$1" ]
}

gone() {
	! kill -0 "$writer" 2>/dev/null
}

# From one instant on nothing more gets to the disk; what has not is lost, with
# the memory that the ring is in.
cut_power() {
	xfs_io -x -c shutdown "$data/log" >"$work/cut" 2>&1 || {
		sed 's/^/# /' "$work/cut"
		bail 'it cannot be shut down'
	}
	await_here gone || bail 'the writer goes on'
	ends "$writer"
	umount "$data/log" || bail 'it is busy'
	rm -rf "$data/run"
	image_again || bail 'it cannot be mounted again'
}

# Producers, until $work/calm is there.
begin() {
	rm -f "$work/calm"
	"$programs/contend" -s "$data/run/writer.sock" -n 5 -m 0 -r 100 \
	    -S "$seed" -d "$deadline" -x "$work/calm" -l "$data/log" \
	    >"$work/contend" 2>&1 &
	contend=$!
	others="$others $contend"
}

# Some more events, from where it is now.
go_on() {
	beyond 0 || head=0
	chance 400
	await_here beyond $((head + drawn)) || bail 'the log stands still'
}

told() {
	ends $contend
	sed 's/^/# /' "$work/contend"
}

truth() {
	i=0
	while [ $i -lt "$cuts" ]; do
		i=$((i + 1))
		go_on
		cut_power
		passes "$1: the writer has ended with 75" [ "$status" -eq 75 ]
		house_writer
	done
	go_on
	: >"$work/calm"
	told
	verdict "$1: what was answered is there after each cut" "$status"
	passes "$1: the log is sound" "$peal" log verify --data "$data"
}

# Each flush says that it has been and has not: the next start finds that out,
# or the judge.
lies() {
	strace -f -p "$writer" -o /dev/null -e trace=fdatasync \
	    -e inject=fdatasync:retval=0 2>"$work/strace.err" &
	others="$others $!"
	await grep -q attached "$work/strace.err" || bail 'strace does not attach'
	go_on
	go_on
	cut_power
	house_writer_serves || cat "$work/writer.err"
	: >"$work/calm"
	told
	passes "$1: flushes that lie are found out" \
	    grep -q 'request [0-9]\|event [0-9]' "$work/contend"
}

# disk TYPE MKFS...
disk() {
	for part in truth lies; do
		if ! image_mount "$data/log" "$@"; then
			echo "# skipped $1: $missing"
			return
		fi
		disks="$disks $1"
		house_writer
		begin
		$part "$1"
		gone || kill -TERM "$writer"
		ends "$writer"
		umount "$data/log" || bail 'it is busy'
		rm -rf "$data/run"
	done
}

disks=
missing=
disk ext4 mkfs.ext4 -q -m 0
disk xfs mkfs.xfs -q
[ -n "$disks" ] || skip_all "$missing"
plan $count
