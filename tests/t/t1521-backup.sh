#!/bin/sh
# `peal log backup` beside a writer at work, `peal log restore` in its place:
# what clients and the broker took from the history before is taken anew.
. "$(dirname "$0")/../lib/house.sh"
command -v curl >/dev/null || skip_all 'no curl'
plan 37

options='-o log.segment_bytes=4M'
backup=$work/backup

back_up() {
	"$peal" log backup "$backup" --data "$data" "$@"
}

restore() {
	"$peal" log restore "$backup" --data "$data" "$@"
}

cat_to() {
	"$peal" log cat --json --data "$data" --to "$1"
}

# shellcheck disable=SC2086 # several words
house_up --gateways 1 $options
exits 'a log without an event has nothing to back up' 1 'no segment' back_up
passes 'and nothing is called a backup' [ ! -e "$backup/manifest.json" ]

# Far more than a segment, while backups are made.
n=0
while [ $n -lt 40 ]; do
	cat "$sample"
	n=$((n + 1))
done >"$work/long"
"$peal" import --data "$data" "$work/long" >"$work/import" 2>&1 &
import=$!
tries=0
while kill -0 $import 2>/dev/null; do
	back_up >"$work/beside" 2>&1 && tries=$((tries + 1))
done
wait $import || bail 'no import'
passes 'backups are made while events come in' [ $tries -gt 0 ]
exits 'the last one brings what is missing' 0 'has the log up to' back_up
head=$("$peal" log verify --json --data "$data" |
	sed 's/.*"last_seq":\([0-9]*\).*/\1/')
cat_to "$head" >"$work/all"
exits 'what is there is not copied again' 0 "\"seq\":$head" back_up --json
passes 'but for the segment that is open' \
	[ -n "$(grep '"kept_bytes":[1-9]' "$work/out")" ]

exits 'a log that is written to is not replaced' 73 'a writer (pid' \
	restore --replace
log=$(sed -n 's/.*"log":"\([^"]*\)","epoch":\([0-9]*\).*/\1-\2/p' \
	"$backup/manifest.json")
house_down || bail 'peal up did not end well'
exits 'nor is one without being asked' 1 '--replace' restore
passes 'which leaves nothing behind' [ ! -e "$data/log.new" ]
rm -r "$data/log"
exits 'a log that is gone comes back' 0 "up to seq $head" restore
cat_to "$head" >"$work/again"
passes 'with the same events' cmp -s "$work/all" "$work/again"
exits 'and one that tells of it' 0 'log_restored' \
	"$peal" log cat --data "$data" --from $((head + 1))
exits 'it is whole' 0 "$((head + 1)) events" "$peal" log verify --data "$data"

# Back to the middle, beside what is there.
middle=$((head / 2))
exits 'any event can be the last' 0 "up to seq $middle" \
	restore --until $middle --replace
passes 'what was there is kept' [ -n "$(echo "$data"/log.before-*)" ]
cat_to $middle >"$work/again"
head -n $middle "$work/all" >"$work/first"
passes 'the events up to it are as they were' \
	cmp -s "$work/first" "$work/again"
# shellcheck disable=SC2086
house_up --gateways 1 $options
printf 'Authorization: Bearer %s\n' "$(cat "$token")" >"$work/bearer"
exits 'a client of the history before is told that it is another' 0 \
	'log_changed' curl -sS --cacert "$cafile" --max-time "$deadline" \
	-H "@$work/bearer" -H "Last-Event-ID: $log:$head" \
	"https://127.0.0.1:$port/v1/stream?topic=after.%3E"
exits 'appends go on behind it' 0 "seq $((middle + 2))" \
	"$peal" append after.it x_set '{"n":1}' --data "$data"
exits 'the broker folds what is there now' 0 "are what is folded" \
	verified --data "$data"
exits 'the backup of the history before stays' 1 'begin another one' back_up
house_down || bail 'peal up did not end well'

exits 'the log is no place for its own backup' 1 'is the log itself' \
	"$peal" log backup "$data/log/." --data "$data"
exits 'and stays as it was' 0 "$((middle + 2)) events" \
	"$peal" log verify --data "$data"
exits 'a house that is not there yet is made' 0 "up to seq $head" \
	"$peal" log restore "$backup" --data "$work/new/house"
exits 'and what it got is whole' 0 "$((head + 1)) events" \
	"$peal" log verify --data "$work/new/house"
exits 'not so where there is nothing to restore' 1 'no backup is in' \
	"$peal" log restore "$work" --data "$work/none"
passes 'then no directory is left' [ ! -e "$work/none" ]
exits 'what is no backup is named' 1 "no backup is in '$work'" \
	"$peal" log restore "$work" --data "$data" --replace
cp -a "$backup" "$work/good"
sed 's/"name":"/"name":"..\//' "$backup/manifest.json" >"$work/bad"
cp "$work/bad" "$backup/manifest.json"
exits 'a name that leads out of it is refused' 3 'file 1 of it is wrong' \
	restore --replace
exits 'a seq behind its end is told' 0 'the backup ends with seq' \
	"$peal" log restore "$work/good" --until $((head * 9)) \
	--data "$work/behind"
exits 'a time before all of it is told with where it begins' 1 \
	'no event as old as that: it begins with seq 1' \
	"$peal" log restore "$work/good" --until 2001-01-01 \
	--data "$work/before"
exits 'a time that is none is refused' 2 'yesterday' \
	restore --until yesterday
passes 'and the log is as it was' sh -c \
	"'$peal' log verify --data '$data' | grep -q '$((middle + 2)) events'"

# A log that has given up its oldest events.
backup=$work/second
# shellcheck disable=SC2086
house_up --gateways 1 $options -o log.keep_bytes=8M
sed 's/"topic":"/&again./' "$work/long" >"$work/longer"
"$peal" import --data "$data" "$work/longer" >"$work/import" 2>&1 ||
	bail 'no import'
passes 'the oldest events are given up' await [ -e "$data/log/FLOOR" ]
exits 'what is left is backed up' 0 'has the log up to' back_up
house_down || bail 'peal up did not end well'
exits 'and comes back' 0 'what was there before is in' restore --replace
exits 'whole' 0 'are what they were' "$peal" log verify --data "$data"
# shellcheck disable=SC2086
house_up --gateways 1 $options
exits 'with what the events that are gone came to' 0 'are what is folded' \
	verified --data "$data"
house_down || bail 'peal up did not end well'
