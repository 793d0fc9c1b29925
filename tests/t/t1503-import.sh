#!/bin/sh
# `peal import`: every line once, whatever is killed or wrong on the way.
. "$(dirname "$0")/../lib/house.sh"
plan 23

import() {
	"$peal" import --data "$data" "$@"
}

# The head of the log.
head_seq() {
	"$peal" ring --data "$data" --json |
		sed 's/.*"head":\([0-9]*\).*/\1/'
}

at_head() {
	got=$(head_seq)
	[ "$got" = "$1" ] || {
		echo "the head is $got, not $1"
		return 1
	}
}

beyond() {
	[ "$(head_seq)" -gt "$1" ]
}

house_up --gateways 1
file=$work/events.jsonl
cp "$sample" "$file"
lines=$(wc -l <"$file")
exits 'every line is stored' 0 "$lines stored, 0 duplicates" import "$file"
passes 'the log has as many events' at_head "$lines"
exits 'the second import stores nothing' 0 '0 stored' import "$file"
rm "$file.peal-progress"
exits 'nor without its progress file' 0 "0 stored, $lines duplicates" \
	import "$file"
echo 'garbage' >"$file.peal-progress"
exits 'nor with a progress file that is none' 0 \
	"0 stored, $lines duplicates" import "$file"
echo '{"topic":"t.one","type":"added"}' >>"$file"
exits 'lines that were added are imported' 0 '1 stored, 0 duplicates' \
	import "$file"
at_head $((lines + 1)) || bail 'wrong head'

# Equal lines are events of their own.
printf '%s\n%s\n' '{"topic":"t.two","type":"x"}' \
	'{"topic":"t.two","type":"x"}' >"$work/twins"
exits 'equal lines are stored as often as they are there' 0 '2 stored' \
	import "$work/twins"
rm "$work/twins.peal-progress"
exits 'and not once more' 0 '0 stored, 2 duplicates' import "$work/twins"

# A bad line in the middle.
{
	head -n 10 "$sample" | sed 's/repo\./bad./'
	echo '{"topic":"bad.x"}'
	head -n 20 "$sample" | tail -n 10 | sed 's/repo\./bad./'
} >"$work/bad"
was=$(head_seq)
exits 'a bad line is named by file and number' 1 \
	"$work/bad:11: 'type' is missing" import "$work/bad"
passes 'all before it is stored, nothing behind it' at_head $((was + 10))
sed -i 's/{"topic":"bad.x"}/{"topic":"bad.x","type":"mended"}/' "$work/bad"
exits 'once it is mended the rest follows' 0 '11 stored, 0 duplicates' \
	import "$work/bad"
passes 'and is there once' at_head $((was + 21))

{
	echo 'not JSON'
	echo '{"topic":"skip.a","type":"x"}'
	printf '{"topic":"skip.b","type":"\377"}\n'
	echo '{"topic":"skip..c","type":"x"}'
	echo '{"topic":"skip.d","type":"x","time":"today"}'
	head -c 9000000 /dev/zero | tr '\0' 'x'
	echo
	echo '{"topic":"skip.e","type":"x"}'
} >"$work/skip"
exits 'with --skip-bad bad lines are passed over and counted' 0 \
	'2 stored, 0 duplicates, 5 bad lines skipped' \
	import --skip-bad "$work/skip"
cp "$work/out" "$work/named"
passes 'each is named' [ "$(grep -c "^$work/skip:[1-9]" "$work/named")" -eq 5 ]
passes 'a column goes with the line of the file, and no other' \
	grep -q "^$work/skip:1: column 1: " "$work/named"

mkdir "$work/closed"
cp "$work/twins" "$work/closed/twins"
sed -i 's/t.two/t.three/' "$work/closed/twins"
chmod 555 "$work/closed"
if [ "$(id -u)" -eq 0 ]; then
	# root writes anywhere: a directory of that name is in the way.
	mkdir "$work/closed/twins.peal-progress"
fi
exits 'where no progress file can be it goes on without' 0 '2 stored' \
	import "$work/closed/twins"
chmod 755 "$work/closed"
exits 'a file that is not there is an error' 1 'nowhere' \
	import "$work/nowhere"

# Killed in the middle, both sides.
copies 60 >"$work/many"
sed -i 's/repo\./many./' "$work/many"
total=$(wc -l <"$work/many")
was=$(head_seq)
import "$work/many" >"$work/first" 2>&1 &
first=$!
others=$first
await_here beyond $((was + total / 4)) || bail 'the import did not begin'
kill -KILL $first
wait $first 2>/dev/null
others=
middle=$(head_seq)
passes 'an import that was killed is found in the middle' \
	[ "$middle" -lt $((was + total)) ]
import "$work/many" >"$work/second" 2>&1 &
second=$!
others=$second
await_here beyond $((middle + total / 4)) || bail 'the import did not go on'
kill -KILL "$(writer)"
status=0
wait $second || status=$?
others=
await "$peal" append --data "$data" after.kill x >/dev/null 2>&1 ||
	bail 'no writer came back'
passes 'it goes on when the writer was killed under it' [ $status -eq 0 ]
passes 'and every line is there once' at_head $((was + total + 1))
exits 'as a further import finds' 0 '0 stored' import "$work/many"
rm -f "$work/many.peal-progress"
exits 'also without its progress file' 0 "0 stored, $total duplicates" \
	import "$work/many"
exits 'the summary can be JSON' 0 '"stored":0,"duplicates":2,' \
	sh -c "rm '$work/twins.peal-progress'
	    '$peal' import --data '$data' --json '$work/twins'"
house_down
