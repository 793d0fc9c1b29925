#!/bin/sh
# Damage to what was acknowledged: the writer ends with 3, names the range and
# changes nothing.  What was never acknowledged is a torn tail, and no damage.
. "$(dirname "$0")/../lib/house.sh"

write_log() {
	house_writer
	produce -n 4000 -b 2 -B 500 -w 64 -l "$data/log" >/dev/null ||
		bail 'the log could not be made'
	kill -KILL "$writer"
	ends "$writer"
	cp -a "$data/log" "$work/whole"
	cp "$data/run/ring" "$work/ring"
}

# restored: the whole log again, as the killed writer left it.
restored() {
	rm -rf "$data/log"
	cp -a "$work/whole" "$data/log"
}

newest() {
	ls "$data/log"/*.seg | tail -n 1
}

# flip FILE OFFSET: another byte there.
flip() {
	byte=$(dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | od -An -tu1)
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\$(printf %o $((255 - byte)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# The first offset behind the last byte that is not zero, roughly.
used() {
	tr -d '\0' <"$1" | wc -c
}

# within FILE OFFSET: the next byte that is part of a frame; what pads a flush
# to its page is zero, and no harm can be done there.
within() {
	tail -c "+$(($2 + 1))" "$1" | head -c 8192 | od -An -v -tu1 -w1 |
		awk -v at="$2" '$1 { print at + NR - 1; exit }'
}

start() {
	timeout "$deadline" "$top_builddir/peal-writer" -o log.directory="$data/log" \
	    -o log.unsafe_filesystem=yes \
	    -o ring.directory="$data/run" -o log.segment_bytes=4M \
	    -o broker.directory="$data/broker"
}

# damaged WHAT FILE OFFSET: the writer refuses, and leaves all as it is.
damaged() {
	what=$1
	flip "$2" "$(within "$2" "$3")"
	before=$(fingerprint "$data/log")
	segment=$(basename "$2")
	exits "$what is refused with 3 and the segment" 3 \
	    "${segment%.seg}" start
	cp "$work/out" "$work/said"
	sed 's/^/# /' "$work/said"
	passes "$what is told with the range of events" \
	    grep -qE 'events [0-9]+ to [0-9]+' "$work/said"
	passes "$what is told with what to do" \
	    grep -q 'what to do: ' "$work/said"
	passes "$what is left as it is" \
	    [ "$(fingerprint "$data/log")" = "$before" ]
	exits "$what is found by peal log verify" 3 "${segment%.seg}" \
	    "$peal" log verify --data "$data"
	restored
}

# unverified WHAT: `peal log verify` does not take the log for a whole one.
unverified() {
	exits "$1 is found by the verification" 3 'damaged or missing' \
	    "$peal" log verify --data "$data"
}

plan 25
write_log
passes 'the log of a killed writer verifies' \
    "$peal" log verify --data "$data"
[ "$(ls "$data/log"/*.seg | wc -l)" -ge 2 ] || bail 'one segment is too few'
half=$(($(used "$(newest)") / 2))
damaged 'a flipped bit in an acknowledged frame' "$(newest)" $half
damaged 'a flipped bit near the end of the acknowledged' "$(newest)" \
    $(($(used "$(newest)") - 3000))

# A sealed segment that is gone.
first=$(ls "$data/log"/*.seg | head -n 1)
mv "$first" "$work/gone"
before=$(fingerprint "$data/log")
exits 'a segment that is missing is refused with 3' 3 '' start
passes 'a segment that is missing changes nothing' \
    [ "$(fingerprint "$data/log")" = "$before" ]
exits 'a segment that is missing is found by peal log verify' 3 '' \
    "$peal" log verify --data "$data"
restored

# The newest one: nothing in the log itself shows that it ended later.
mv "$(newest)" "$work/gone"
unverified 'a newest segment that is missing'
restored

# All who stood beside it have gone, too, but for the broker.
mv "$(newest)" "$work/gone"
rm -f "$data/run/ring"
mkdir -p "$data/broker"
mv "$data/log/durable.wit" "$data/broker/position.wit"
before=$(fingerprint "$data/log")
exits "a log shorter than the broker's witness is refused with 3" 3 \
    'position.wit' start
passes "a log shorter than the broker's witness changes nothing" \
    [ "$(fingerprint "$data/log")" = "$before" ]
rm -r "$data/broker"
restored

# The same that an old ring knows, and a directory that was emptied.
mv "$(newest)" "$work/gone"
mkdir -p "$data/run"
cp "$work/ring" "$data/run/ring"
rm -f "$data/log/durable.wit"
exits "a log shorter than the old ring is refused with 3" 3 \
    'the old ring' start
rm -f "$data/log"/*.seg "$data/log"/*.idx
exits "an empty log is refused with 3 where the old ring knows of another" 3 \
    'lost tail' start
rm -f "$data/run/ring"
restored

# Bytes behind the last frame: a write that was never acknowledged.
end=$("$programs/events" "$data/log" | wc -l)
printf 'half a frame' | dd of="$(newest)" bs=1 conv=notrunc \
    seek=$(($(stat -c %s "$(newest)") - 8192)) 2>/dev/null
house_writer
passes 'bytes behind the last frame are no damage' \
    "$peal" append --data "$data" after.a thing_happened 1
passes 'and the log goes on at the next seq' sh -c \
    "'$programs/events' '$data/log' | tail -n 1 | grep -q '^$((end + 1)) '"
passes 'and every event before it is there' sh -c \
    "[ \$('$programs/events' '$data/log' | wc -l) -eq $((end + 1)) ]"
kill -TERM "$writer"
ends "$writer"

# Files that are no segments at all.
head -c 4194304 /dev/zero >"$(newest)"
before=$(fingerprint "$data/log")
unverified 'a segment of zeros'
exits 'a segment of zeros is refused with 3' 3 '' start
passes 'a segment of zeros changes nothing' \
    [ "$(fingerprint "$data/log")" = "$before" ]
