#!/bin/sh
# The real writer: one per log, killed and started again, imported into twice.
. "$(dirname "$0")/../lib/house.sh"

cp "$sample" "$work/events.jsonl"
file=$work/events.jsonl

import() {
	"$peal" import --data "$data" "$@"
}

imported() {
	"$programs/imported" "$data/log" "$1"
}

events() {
	"$programs/events" "$data/log" | wc -l
}

second_writer() {
	exits 'a second writer ends with 73 and names who holds the log' 73 \
	    "pid $writer" "$top_builddir/peal-writer" \
	    -o log.directory="$data/log" -o ring.directory="$work" \
	    -o log.unsafe_filesystem=yes
	passes 'and the first one goes on' "$peal" append --data "$data" \
	    other.a thing_happened 1
	exits 'a writer of another log in its run directory ends with 1' 1 \
	    "process $writer" "$top_builddir/peal-writer" \
	    -o log.directory="$work/other" -o ring.directory="$data/run" \
	    -o log.unsafe_filesystem=yes
	exits 'and leaves the ring as it is' 0 "alive (pid $writer)" \
	    "$peal" ring --data "$data"
}

import_twice() {
	passes 'a file is imported' import "$file"
	passes 'each line of it is one event, in order' imported "$file"
	before=$(events)
	passes 'it is imported again' import "$file"
	rm -f "$file.peal-progress"
	passes 'and once more without the progress file' import "$file"
	passes 'and nothing is stored twice' [ "$(events)" -eq "$before" ]
}

# A killed import leaves some of its lines; the next one adds the rest.
import_killed() {
	file=$work/many.jsonl
	before=$(events)
	copies 10 >"$file"
	import --window 4 "$file" >"$work/killed" 2>&1 &
	importer=$!
	others="$others $importer"
	await sh -c "[ \$('$programs/events' '$data/log' | wc -l) -gt $before ]"
	kill -KILL "$importer"
	ends "$importer"
	sed 's/^/# /' "$work/killed"
	passes 'the import was killed in its middle' [ "$status" -eq 137 ]
	passes 'it is imported to its end' import "$file"
	# The first copy of each line was imported from the other file.
	passes 'and stored once' "$programs/imported" "$data/log" "$file"
}

bad_lines() {
	head -n 3 "$sample" >"$work/bad.jsonl"
	echo '{"topic":"a..b","type":"t","data":1}' >>"$work/bad.jsonl"
	echo 'not JSON' >>"$work/bad.jsonl"
	echo '{"topic":"late.a","type":"last_line","data":1}' >>"$work/bad.jsonl"
	exits 'a line that is no event stops the import and is named' 1 \
	    'bad.jsonl:4' import "$work/bad.jsonl"
	passes 'passing over such lines, what follows is stored' \
	    import --skip-bad "$work/bad.jsonl"
	cp "$work/out" "$work/said"
	passes 'and their number is told' grep -q '2 bad lines skipped' "$work/said"
	passes 'the last line is in the log' sh -c \
	    "'$programs/events' '$data/log' | grep -q ' last_line '"
}

killed() {
	produce -N killed -n 4000 -b 3 -w 256 -d "$deadline" \
	    -k 1000 -K "$writer" -l "$data/log" >"$work/produce" 2>&1 &
	producer=$!
	others="$others $producer"
	ends "$writer"
	passes 'the writer was killed in the middle of appends' \
	    [ "$status" -eq 137 ]
	house_writer
	ends "$producer"
	sed 's/^/# /' "$work/produce"
	passes 'no answer that it gave is lost and nothing is stored twice' \
	    [ "$status" -eq 0 ]
	passes 'the producer had to connect again' \
	    grep -qE 'connections=([2-9]|[1-9][0-9])' "$work/produce"
}

stops() {
	kill -TERM "$writer"
	ends "$writer"
	passes 'told to stop, it ends with 0' [ "$status" -eq 0 ]
}

incarnation() {
	"$peal" ring --data "$data" --json |
		sed 's/.*"incarnation":\([0-9]*\).*/\1/'
}

# A start that stores nothing leaves its number in its ring alone.
counts_starts() {
	earlier=$(incarnation)
	stops
	house_writer
	passes 'a start behind one that stored nothing has a number of its own' \
	    [ "$(incarnation)" -gt "$earlier" ]
}

plan 23
house_writer
import_twice
second_writer
bad_lines
stops
house_writer
counts_starts
import_killed
killed
stops
