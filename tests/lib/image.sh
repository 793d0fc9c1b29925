# File systems for shell tests, also small ones in files: sourced first, before
# house.sh.
# Mounts are in a namespace of their own, as are all processes: whatever ends
# the test ends and unmounts all of it.

if [ -z "${PEAL_DISKS-}" ]; then
	unshare --mount --pid --fork --kill-child --mount-proc true \
	    2>/dev/null || {
		echo '1..0 # SKIP namespaces cannot be made here'
		exit 0
	}
	PEAL_DISKS=yes exec unshare --mount --pid --fork --kill-child \
	    --mount-proc /bin/sh "$0" "$@"
fi
PATH=$PATH:/usr/sbin:/sbin

# Behind house.sh: a place for rings that goes with the rest.
image_begin() {
	mount -t tmpfs -o size=256m tmpfs /dev/shm 2>/dev/null ||
		skip_all 'file systems cannot be mounted here'
}

# image_mount DIRECTORY TYPE MKFS...: $work/image, made so, is mounted there.
image_mount() {
	where=$1 type=$2
	shift 2
	command -v "$1" >/dev/null || {
		missing="there is no $1"
		return 1
	}
	rm -f "$work/image"
	truncate -s 320M "$work/image"
	"$@" "$work/image" >"$work/mkfs" 2>&1 || {
		cat "$work/mkfs"
		bail "$1 failed"
	}
	mkdir -p "$where"
	image_again || {
		missing="$type cannot be mounted here"
		return 1
	}
}

image_again() {
	mount -t "$type" -o loop "$work/image" "$where" 2>"$work/mount" &&
		mounted=$where
}
