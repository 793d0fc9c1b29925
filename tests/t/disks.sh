#!/bin/sh
# Havoc on real file systems, small ones in a file: ext4 and xfs.  In the middle
# of it the disk is full: appends are refused until there is room again, and
# what was answered holds.  Mounts are in a namespace of their own, as are all
# processes: whatever ends this test ends and unmounts all of it.
if [ -z "${PEAL_DISKS-}" ]; then
	unshare --mount --pid --fork --kill-child --mount-proc true \
	    2>/dev/null || {
		echo '1..0 # SKIP namespaces cannot be made here'
		exit 0
	}
	PEAL_DISKS=yes exec unshare --mount --pid --fork --kill-child \
	    --mount-proc /bin/sh "$0" "$@"
fi
havoc_seconds=12
. "$(dirname "$0")/../lib/house.sh"
. "$(dirname "$0")/../lib/havoc.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
PATH=$PATH:/usr/sbin:/sbin
mount -t tmpfs -o size=256m tmpfs /dev/shm 2>/dev/null ||
	skip_all 'file systems cannot be mounted here'

# mount_image TYPE MKFS...: a file system of that type, at $data; the image has
# no name any more, and goes with the mount.
mount_image() {
	type=$1
	shift
	command -v "$1" >/dev/null || {
		missing="there is no $1"
		return 1
	}
	truncate -s 320M "$work/image"
	"$@" "$work/image" >"$work/mkfs" 2>&1 || {
		cat "$work/mkfs"
		bail "$1 failed"
	}
	mkdir -p "$data"
	mount -t "$type" -o loop "$work/image" "$data" 2>"$work/mount" || {
		missing="$type cannot be mounted here"
		return 1
	}
	rm "$work/image"
}

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
	if ! mount_image "$@"; then
		echo "# skipped $1: $missing"
		return
	fi
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
