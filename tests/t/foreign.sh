#!/bin/sh
# What lies in the log's directory under one of its names and is no such file:
# a pipe, a directory, a link to somewhere else, noise.  Nothing waits for it,
# nothing outside is written to, and what is refused is named.
. "$(dirname "$0")/../lib/house.sh"
command -v python3 >/dev/null || skip_all 'there is no python3'

# end_writer: in good order, with all of it on the disk.
end_writer() {
	kill -TERM "$writer"
	ends "$writer"
}

restored() {
	rm -rf "$data/log" "$data/run"
	cp -a "$work/whole" "$data/log"
}

start() {
	timeout "$deadline" "$top_builddir/peal-writer" -o log.directory="$data/log" \
	    -o ring.directory="$data/run" -o log.segment_bytes=4M \
	    -o log.unsafe_filesystem=yes
}

verify() {
	timeout "$deadline" "$peal" log verify --data "$data"
}

# lies HOW NAME: in the place of what has that name.
lies() {
	rm -rf "$data/log/$2"
	case $1 in
	pipe) mkfifo "$data/log/$2" ;;
	socket) python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$data/log/$2" ;;
	directory) mkdir -p "$data/log/$2/below" ;;
	link) ln -s "$work/elsewhere" "$data/log/$2" ;;
	noise) head -c 5000 /dev/urandom >"$data/log/$2" ;;
	esac
}

# stops HOW NAME STATUS TEXT: the writer ends with that, and names it.
stops() {
	lies "$1" "$2"
	exits "$1 for $2: the writer ends with $3" "$3" "$4" start
	cp "$work/out" "$work/said"
	passes "$1 for $2: and has named it" grep -qF "$2" "$work/said"
	restored
}

# seen HOW NAME STATUS: so does whoever verifies the log.
seen() {
	lies "$1" "$2"
	exits "$1 for $2: peal log verify ends with $3" "$3" "$2" verify
	restored
}

# serves HOW NAME: it is made anew or done without.
serves() {
	lies "$1" "$2"
	house_writer
	passes "$1 for $2: appends are stored" \
	    "$peal" append --data "$data" after.a thing_happened 1
	end_writer
	[ "$status" -eq 0 ] || bail "it ended with $status"
	passes "$1 for $2: and the log verifies" verify
	restored
}

# refuses HOW NAME: reads go on, appends are refused, why is said.
refuses() {
	lies "$1" "$2"
	house_writer
	exits "$1 for $2: appends are refused" 1 storage_full \
	    "$peal" append --data "$data" after.a thing_happened 1
	passes "$1 for $2: and it is named" grep -qF "'$2'" "$work/writer.err"
	end_writer
	passes "$1 for $2: the log verifies" verify
	restored
}

plan 92
house_writer -o log.pack=no
produce -n 3000 -b 2 -B 2000 -w 64 -l "$data/log" >/dev/null ||
	bail 'the log could not be made'
end_writer
mv "$data/log" "$work/whole"
restored
echo 'nobody else may write here' >"$work/elsewhere"
middle=$(ls "$data/log"/*.seg | sed -n 2p)
middle=$(basename "$middle")
later=00000000000000900000-0000000009.seg
[ "$(ls "$data/log"/*.seg | wc -l)" -ge 3 ] || bail 'two segments are too few'

# What to do about it is said, and restarting it would not help.
for file in "$middle" "$later" FLOOR durable.wit; do
	stops pipe "$file" 3 'it is a pipe, a socket or a device, and no file'
	stops socket "$file" 3 'it is a pipe, a socket or a device, and no file'
	stops directory "$file" 3 'it is a directory, and no file'
	seen pipe "$file" 3
	seen directory "$file" 3
done
stops pipe LOCK 1 'it is no regular file'
stops directory FLOOR 3 "what to do: move it out of the log's directory"
lies directory "$middle"
exits 'directory for a segment: peal log repair says what to do' 3 \
    "move it out of the log's directory" \
    "$peal" log repair --data "$data"
restored
stops link "$later" 3 'damaged segment'
stops noise "$later" 3 'damaged segment'
stops noise "$middle" 3 'damaged segment'
stops noise FLOOR 3 'does not verify'
stops link LOCK 1 'symbolic links'
# Verification is not kept from its work by a lock that is none.
lies pipe LOCK
passes 'pipe for LOCK: peal log verify does not wait' verify
restored

# Segments that are away, or where they do not belong: the writer ends with 3
# and changes nothing, and who verifies counts no event twice.
away() {
	mv "$data/log/$middle" "$work/away"
}

copied() {
	cp -p "$data/log/$middle" "$data/log/$later"
}

doubled() {
	cp -p "$data/log/$middle" "$data/log/${middle%-*}-0000000007.seg"
}

renamed() {
	mv "$data/log/$middle" "$data/log/${middle%-*}-0000000007.seg"
}

# misplaced WHAT TEXT EVENTS
misplaced() {
	"$1"
	before=$(fingerprint "$data/log")
	exits "a segment that is $1 is refused with 3" 3 "$2" start
	cp "$work/out" "$work/said"
	passes "a segment that is $1: what to do is said" \
	    grep -q 'what to do: ' "$work/said"
	passes "a segment that is $1: nothing is changed" \
	    [ "$(fingerprint "$data/log")" = "$before" ]
	exits "a segment that is $1: what is whole is counted" 3 \
	    "; $3 events up to seq 6000 are whole" verify
	cp "$work/out" "$work/said"
	passes "a segment that is $1: no other damage is told" \
	    sh -c "! grep -q 'lost tail' '$work/said'"
	restored
}

last=$(ls "$data/log"/*.seg | sed -n 3p)
last=$(basename "$last" | sed 's/^0*//; s/-.*//')
first=$(echo "$middle" | sed 's/^0*//; s/-.*//')
misplaced away "events $first to $((last - 1)) are damaged or missing" \
    $((6000 - last + first))
misplaced copied "foreign segment: segment '$later'" 6000
misplaced doubled "before it has 2" 6000
misplaced renamed "by its header it is '$middle'" 6000

# Nobody may write there.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$work" "$data"
	chmod 555 "$data/log"
	chown -R 65534 "$data/log"
	exits 'a directory that may not be written to is refused, by name' 1 \
	    "cannot write to the log '$data/log'" \
	    setpriv --reuid=65534 --clear-groups -- \
	    "$top_builddir/peal-writer" -o log.directory="$data/log" \
	    -o log.unsafe_filesystem=yes
	restored
else
	verdict 'a directory that may not be written to # SKIP we are not root' 0
fi

index=${middle%.seg}.idx
for file in writer.ckpt "$index" pack.tmp; do
	serves pipe "$file"
	serves noise "$file"
done
refuses pipe next.tmp
refuses link next.tmp
refuses directory next.tmp
passes 'nothing was written elsewhere' \
    grep -qx 'nobody else may write here' "$work/elsewhere"
passes 'and that is all there is' [ "$(wc -l <"$work/elsewhere")" -eq 1 ]
