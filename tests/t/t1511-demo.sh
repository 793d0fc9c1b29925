#!/bin/sh
# peal demo: facts about this machine that are true, each told when it has
# changed; and a recorded history once more, in its order and with its pauses.
. "$(dirname "$0")/../lib/house.sh"
plan 31

demo() {
	"$peal" demo --data "$data" "$@" 2>"$work/demo.err"
}

# A demo in the background: $demo is its process id.
demo_begin() {
	"$peal" demo --data "$data" "$@" 2>"$work/demo.err" &
	demo=$!
	others="$others $demo"
}

demo_stop() {
	kill -TERM "$demo"
	ends "$demo"
	[ "$status" -eq 0 ]
}

state() {
	await "$peal" state --json --data "$data" "$@"
}

events() {
	"$peal" log cat --json --data "$data" "$@"
}

# Events in the log, of all writers that there were.
stored() {
	events | wc -l
}

more_than() {
	[ "$(stored)" -gt "$1" ]
}

# has TOPIC: a row that is not deleted.
has() {
	state "$1" | grep -q ',false,{'
}

# value TOPIC NAME: a number in its row.
value() {
	state "$1" | sed -n "s/.*[{,]\"$2\":\([0-9.]*\)[,}].*/\1/p"
}

# near A B PERCENT: both numbers, not far from each other.
near() {
	awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN {
		d = a > b ? a - b : b - a
		exit !(a != "" && d <= b * p / 100) }'
}

machine_is_told() {
	for topic in host.cpu host.cpu.0 host.memory host.load host.system \
	    host.net.lo; do
		has "$topic" || return 1
	done
	has 'host.process.*' && has 'host.disk.*' && has 'graph.entity.*'
}

shares_are_shares() {
	state 'host.cpu' 'host.cpu.*' | tr '{,' '\n\n' |
		awk -F: '/"(busy|user|system|iowait|steal)"/ {
			n++; if ($2 + 0 > 100) bad = 1 }
		    END { exit bad || n < 10 }'
}

processors() {
	state 'host.cpu.*' | wc -l
}

memory_is_right() {
	near "$(value host.memory total_mib)" \
	    "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" 1
}

# The file system of / is told of, as large as df says.
root_is_right() {
	near "$(state 'host.disk.*' | grep -F '"mount":"/"' |
		sed -n 's/.*"total_mib":\([0-9]*\).*/\1/p' | head -n 1)" \
	    "$(df -Pm / | awk 'NR == 2 { print $2 }')" 1
}

# A busy process of ours is told of, by its name and its parent.
burner_is_told() {
	state "host.process.$burner" |
		grep -q "false,{\"name\":\"burner\",\"parent\":$$,"
}

burner_is_deleted() {
	state "host.process.$burner" | grep -q ',true,{'
}

# No two events of a topic in a row say the same.
nothing_is_said_twice() {
	events 'host.>' | awk -F'",' '{
		split($0, part, "\"")
		topic = part[2]; said = $0
		sub(/^.*"demo",/, "", said); sub(/,\{"key".*$/, "", said)
		if (said == last[topic] && said != "null") {
			print; bad = 1
		}
		last[topic] = said; n++ }
	    END { exit bad || n < 20 }'
}

# Each row of the state is what folding the log gives.
folds_right() {
	verified --data "$data"
}

recording() {
	cat >"$work/recording" <<-END
	{"time":1700000000000000,"topic":"r.a","type":"x_created","actor":"ada","data":{"n":1}}
	{"time":1700000000400000,"topic":"r.a","type":"x_changed","actor":"bob","data":{"n":2},"meta":{"trace":"t"}}
	{"time":1700000000400000,"topic":"r.b","type":"x_created","data":{"n":3}}
	{"time":1700009000000000,"topic":"r.b","type":"x_changed","data":{"n":4}}
	{"type":"entity","name":"ann","entityType":"person","observations":[]}
	{"time":1699999999000000,"topic":"r.c","type":"x_created","data":{"n":6}}
	END
}

numbers() {
	events "$@" | sed -n 's/.*"n":\([0-9]*\).*/\1/p' | tr '\n' ' '
}

# The pauses between events of r.* as they were stored, in whole tenths.
pauses() {
	events 'r.*' | tr '[' ' ' | awk -F, '{
		if (NR > 1) printf "%d ", ($2 - last) / 100000
		last = $2 }'
}

# At least those: a loaded machine adds to them, nothing takes away.
pauses_are_kept() {
	pauses | awk '{ exit !($1 >= 3 && $3 >= 9) }'
}

recorded_is_told() {
	events r.a | grep -qF '{"trace":"t","recorded":1700000000400000,'
}

house_up --gateways 1
sh -c 'exec 3>&1; printf burner >/proc/$$/comm; while :; do :; done' &
burner=$!
others="$others $burner"
demo_begin
passes 'processors, memory, load, disks, network and processes are told' \
	await_here machine_is_told
passes 'shares are between 0 and 100' shares_are_shares
passes 'as many processors as there are' \
	[ "$(processors)" -eq "$(grep -c '^cpu[0-9]' /proc/stat)" ]
passes 'memory is as large as it is' memory_is_right
if df -PT / 2>/dev/null | awk 'NR == 2 { exit $2 ~ /tmpfs|nfs|9p|fuse/ }'; then
	passes 'so is the file system' root_is_right
else
	verdict 'so is the file system # SKIP it is not of a disk' 0
fi
passes 'a busy process is told of' await_here burner_is_told
exits 'a second one is refused and names the first' 73 "(pid $demo)" \
	"$peal" demo --data "$data"
kill -KILL "$burner"
passes 'it is deleted when it has gone' await_here burner_is_deleted
writer=$(writer)
kill -KILL "$writer"
was=$(stored)
passes 'it goes on with the writer that follows' await_here more_than "$((was + 20))"
passes 'it ends with 0 when told to' demo_stop
passes 'and says how much it has stored' \
	grep -q "stored [1-9][0-9]* events" "$work/demo.err"
passes 'the state is what the events fold to' folds_right
passes 'nothing was said twice' nothing_is_said_twice
passes 'relations lead from something to something' sh -c \
    "'$peal' state --json --data '$data' 'graph.relation.>' |
	grep -q '\"relationType\":\"\\(child_of\\|runs_on\\|part_of\\)\"'"

# What the first run has said is known to the second.
was=$(stored)
passes 'a second run ends after its time' demo --for 2 --no-graph
passes 'it begins nothing anew that is there' sh -c \
    "! '$peal' log cat --json --data '$data' --from $((was + 1)) |
	grep -q '\"host.\\(memory\\|load\\|cpu\\|system\\)\".*_created'"
passes 'and leaves the graph as it was' sh -c \
    "! '$peal' log cat --json --data '$data' --from $((was + 1)) |
	grep -q '\"graph[.]'"

recording
passes 'a recording is replayed' demo --replay "$work/recording" --gap 1
passes 'in its order' [ "$(numbers 'r.*')" = '1 2 3 4 6 ' ]
passes 'with its pauses, none of them longer than was asked' pauses_are_kept
passes 'when it was recorded is kept' recorded_is_told
passes 'so are memory graphs' has graph.entity.ann
passes 'once more, all of it' demo --replay "$work/recording" --speed 100000
passes 'in that order again' [ "$(numbers 'r.*')" = '1 2 3 4 6 1 2 3 4 6 ' ]
passes 'from a line on' demo --replay "$work/recording" --from 6
passes 'which is what follows' \
	[ "$(numbers 'r.*')" = '1 2 3 4 6 1 2 3 4 6 6 ' ]

exits 'a file that is not there is an error' 1 "'$work/none'" \
	"$peal" demo --data "$data" --replay "$work/none"
sed 's/^{"type".*/no event/' "$work/recording" >"$work/bad"
exits 'a line that is no event ends it, and is named' 1 "$work/bad:5" \
	"$peal" demo --data "$data" --replay "$work/bad" --gap 0
passes 'or is passed over' demo --replay "$work/bad" --gap 0 --skip-bad

# The writer is killed in the middle of 2,000 events.
was=$(stored)
demo_begin --replay "$sample" --speed 1000000000 --rate 500
await_here more_than "$((was + 200))" || bail 'nothing is replayed'
kill -KILL "$(writer)"
ends "$demo"
passes 'a writer that is killed does not end it' [ "$status" -eq 0 ]
events --from $((was + 1)) | cut -d '"' -f 2,4 >"$work/is"
sed 's/.*"topic":"\([^"]*\)","type":"\([^"]*\)".*/\1"\2/' "$sample" >"$work/ought"
passes 'and loses, repeats and moves nothing' cmp "$work/is" "$work/ought"
house_down
