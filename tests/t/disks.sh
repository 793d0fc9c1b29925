#!/bin/sh
# Havoc on real file systems, small ones in a file: ext4 and xfs.  In the middle
# of it the disk is full: appends are refused until there is room again, and
# what was answered holds.
. "$(dirname "$0")/../lib/image.sh"
havoc_seconds=12
. "$(dirname "$0")/../lib/house.sh"
. "$(dirname "$0")/../lib/havoc.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
image_begin

room() {
	df -k --output=avail "$data" | tail -n 1
}

# Nothing is left but a few blocks.
fill() {
	n=0
	while [ "$(room)" -gt 64 ] && [ $n -lt 50 ]; do
		n=$((n + 1))
		fallocate -l "$(($(room) - 32))K" "$data/filler.$n" 2>/dev/null ||
			fallocate -l "$(($(room) / 2))K" "$data/filler.$n" ||
			break
	done
}

# It is full, and the writer has said so to somebody.
refused() {
	fill
	"$peal" stat -1 --data "$data" --json writer.refused_storage_full \
	    >"$work/refused" 2>&1 &&
		grep -q '"refused_storage_full"[^}]*[1-9]' "$work/refused"
}

# disk TYPE MKFS...
disk() {
	if ! image_mount "$data" "$@"; then
		echo "# skipped $1: $missing"
		return
	fi
	# Without its name it goes with the mount.
	rm "$work/image"
	disks="$disks $1"
	echo "# $1"
	havoc_house
	havoc_begin
	await test -e "$work/ready" || bail 'the clients never got going'
	passes "$1: once it is full, appends are refused" await_here refused
	rm -f "$data"/filler.*
	havoc_judge
	passes "$1: nobody holds it any more" umount "$data"
}

disks=
missing=
disk ext4 mkfs.ext4 -q -m 0
disk xfs mkfs.xfs -q
[ -n "$disks" ] || skip_all "$missing"
plan $count
