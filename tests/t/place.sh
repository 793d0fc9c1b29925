#!/bin/sh
# Where a log may be, and whose: what cannot keep the promise is refused, and
# shown where it is allowed; other accounts' logs, read-only ones and a second
# writer are refused by name; files that are not the log's are left alone.
. "$(dirname "$0")/../lib/image.sh"
. "$(dirname "$0")/../lib/house.sh"

# start LOG RUN [OPTION...]: a writer in front, and not for ever.
start() {
	log=$1 run=$2
	shift 2
	timeout "$deadline" "$top_builddir/peal-writer" -o log.directory="$log" \
	    -o ring.directory="$run" -o log.segment_bytes=4M \
	    -o ring.slots=1024 -o ring.payload_bytes=1M "$@"
}

# welcome SOCKET: what the writer says of itself, as it comes.
welcome() {
	python3 -c '
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(300)
s.connect(sys.argv[1])
hello = b"\x83\xa2op\xa5hello\xa2id\x01\xa1v\x01"
s.sendall(struct.pack("<I", len(hello)) + hello)
sys.stdout.buffer.write(s.recv(4096))' "$1"
}

# shown SUBPROTOCOL: a client that says hello to the gateway is told; hidden
# SUBPROTOCOL: it is welcome, and there is nothing to tell.
said() {
	python3 "$top_srcdir/tests/t/welcome.py" "$port" "$cafile" "$token" \
	    "$1" >"$work/hello" && grep -aq welcome "$work/hello"
}

shown() {
	said "$1" && grep -aq unsafe_filesystem "$work/hello"
}

hidden() {
	said "$1" && ! grep -aq unsafe_filesystem "$work/hello"
}

stat_says() {
	"$peal" stat -1 --data "$data" writer.unsafe_filesystem >"$work/stat" &&
		grep -qE "unsafe_filesystem +[0-9]+ +$1 " "$work/stat"
}

# house_small [OPTION...]: all of peal, in a small space.
house_small() {
	house_up --gateways 1 -o log.segment_bytes=4M -o ring.slots=1024 \
	    -o ring.payload_bytes=1M "$@"
}

image_begin
mkdir -p "$work/thin"
mount -t tmpfs -o size=40m tmpfs "$work/thin" 2>/dev/null ||
	skip_all 'a tmpfs cannot be mounted here'
mounted=$work/thin
plan 26

exits 'a log on tmpfs is refused with 2, by name' 2 'is on tmpfs' \
    start "$work/thin/log" "$work/run"
passes 'and nothing is left there' [ -z "$(ls -A "$work/thin/log")" ]

mkdir -p "$data"
ln -s "$work/thin/log" "$data/log"
house_writer -o broker.directory="$data/broker"
passes 'with log.unsafe_filesystem it serves, and warns' \
    grep -q 'on tmpfs: what is acknowledged may be lost' "$work/writer.err"
welcome "$data/run/writer.sock" >"$work/hello"
passes "the writer's welcome shows it" grep -aq unsafe_filesystem "$work/hello"
kill -TERM "$writer"
ends "$writer"

# Every client is told, of whatever kind, and by every gateway.
house_small -o log.unsafe_filesystem=yes
passes "a gateway's welcome shows it" shown peal.v1.json
passes 'and in MessagePack' shown peal.v1.msgpack
passes 'peal stat shows it' await_here stat_says 1
passes 'all of it ends' house_down
rm "$data/log"
if [ "$(stat -f -c %T "$work")" = overlayfs ]; then
	for name in 'a gateway says nothing' 'nor in MessagePack' \
	    'nor does peal stat' 'and that ends'; do
		verdict "$name # SKIP the test is on an overlay itself" 0
	done
else
	house_small
	passes 'on a disk a gateway says nothing of it' hidden peal.v1.json
	passes 'nor in MessagePack' hidden peal.v1.msgpack
	passes 'nor does peal stat' await_here stat_says 0
	passes 'and that ends' house_down
fi

# On top of another one, an overlay is refused like that, where there is one.
mkdir "$work/upper" "$work/union"
mkdir "$work/upper/log" "$work/upper/work" "$work/upper/lower"
if mount -t overlay -o "lowerdir=$work/upper/lower,upperdir=$work/upper/log,\
workdir=$work/upper/work" overlay "$work/union" 2>/dev/null; then
	mounted="$work/union $mounted"
	exits 'a log on an overlay is refused with 2, by name' 2 'is on overlay' \
	    start "$work/union/log" "$work/run"
	umount "$work/union"
else
	verdict 'a log on an overlay # SKIP none can be mounted here' 0
fi

# Ten at the same instant: one serves.
rm -rf "$data"
mkdir -p "$data/log"
pids=
for i in 1 2 3 4 5 6 7 8 9 10; do
	mkdir "$work/run$i"
	"$top_builddir/peal-writer" -o log.directory="$data/log" \
	    -o ring.directory="$work/run$i" -o log.segment_bytes=4M \
	    -o ring.slots=1024 -o ring.payload_bytes=1M \
	    -o log.unsafe_filesystem=yes >"$work/two$i" 2>&1 &
	pids="$pids $!"
done
others="$others $pids"
settled() {
	cat "$work"/two* >"$work/two.all"
	[ "$(grep -c 'held by another' "$work/two.all")" -eq 9 ] &&
		[ "$(grep -c 'serving:' "$work/two.all")" -eq 1 ]
}
passes 'of ten writers at the same instant one serves' await_here settled
held=0 served=0
for pid in $pids; do
	kill -TERM "$pid" 2>/dev/null
	ends "$pid"
	[ "$status" -ne 73 ] || held=$((held + 1))
	[ "$status" -ne 0 ] || served=$((served + 1))
done
passes 'the others end with 73' [ "$held" -eq 9 ]
passes 'and it ends in good order' [ "$served" -eq 1 ]

# Not ours, read-only, not a directory.
chown 12345 "$data/log"
exits "somebody else's log is refused with 2, by user" 2 \
    'belongs to user 12345' \
    start "$data/log" "$work/run" -o log.unsafe_filesystem=yes
chown "$(id -u)" "$data/log"
mkdir "$work/thin/frozen"
mount -o remount,ro "$work/thin"
exits 'a read-only log is refused, by name' 1 'Read-only file system' \
    start "$work/thin/frozen" "$work/run" -o log.unsafe_filesystem=yes
mount -o remount,rw "$work/thin"
: >"$work/file"
exits 'a file in place of the directory is refused, by name' 2 \
    "'$work/file'" start "$work/file" "$work/run"

# What else lies there; a log of the next version; another's newest segment.
group=$(getent group | awk -F: -v own="$(id -g)" \
    '$3 != own { print $1; exit }')
house_writer -o ring.group="$group"
passes 'the ring is given to ring.group' \
    [ "$(stat -c %G "$data/run/ring")" = "$group" ]
passes 'an event is stored' \
    "$peal" append --data "$data" place.a thing_happened 1
kill -TERM "$writer"
ends "$writer"
first=$(ls "$data/log"/*.seg | head -n 1)
: >"$data/log/notes.txt"
cp "$first" "$data/log/$(basename "$first").bak"
mkdir "$data/log/lost+found"
house_writer
passes 'files that are not the log'"'"'s are ignored' \
    "$peal" append --data "$data" place.b thing_happened 1
kill -TERM "$writer"
ends "$writer"
passes 'and left alone' test -e "$data/log/notes.txt"
mkdir "$work/other"
next=$(ls "$data/log"/*.seg | tail -n 1)
python3 - "$first" "$work/other/$(basename "$first")" <<'END'
import sys

table = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
    table.append(n)
data = bytearray(open(sys.argv[1], "rb").read())
data[8:12] = (9).to_bytes(4, "little")
crc = 0xFFFFFFFF
for byte in data[:4092]:
    crc = (crc >> 8) ^ table[(crc ^ byte) & 255]
data[4092:4096] = (crc ^ 0xFFFFFFFF).to_bytes(4, "little")
data[4096:8192] = data[:4096]
open(sys.argv[2], "wb").write(data)
END
before=$(fingerprint "$work/other")
exits 'a log of another version is refused, and both are named' 1 \
    'has format version 9' \
    start "$work/other" "$work/run" -o log.unsafe_filesystem=yes
passes 'and is left as it is' [ "$(fingerprint "$work/other")" = "$before" ]
# The same name and seqs, of a log that never was this one.
mkdir -p "$work/third" "$work/third.run"
"$top_builddir/peal-writer" -o log.directory="$work/third" \
    -o ring.directory="$work/third.run" -o log.segment_bytes=4M \
    -o log.unsafe_filesystem=yes >"$work/third.err" 2>&1 &
third=$!
others="$others $third"
await grep -q 'serving:' "$work/third.err"
"$programs/produce" -s "$work/third.run/writer.sock" -n 1 -b 1 -w 1 \
    >"$work/produce" 2>&1
kill -TERM "$third"
ends "$third"
cp "$(ls "$work/third"/*.seg | head -n 1)" "$next"
exits "another log's segment is told as such, with 3" 3 'foreign segment' \
    start "$data/log" "$work/run" -o log.unsafe_filesystem=yes
