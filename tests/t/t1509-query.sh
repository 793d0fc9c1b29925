#!/bin/sh
# `peal state`, `at`, `history`, `graph`, `revert` and `verify`: on the
# broker's socket and through a gateway.
. "$(dirname "$0")/../lib/house.sh"
plan 83

# What follows asks in the way that $way says.
ask() {
	command=$1
	shift
	if [ "$way" = local ]; then
		"$peal" "$command" --data "$data" "$@"
	else
		"$peal" "$command" --url "https://127.0.0.1:$port" \
		    --cafile "$cafile" --token-file "$token" "$@"
	fi
}

# Until the broker has folded all there is: a busy one refuses after two seconds,
# as `behind`.
folded() {
	await "$peal" state --data "$data" nothing.here >/dev/null 2>&1
}

append() {
	"$peal" append --data "$data" "$@" >/dev/null && folded
}

# same NAME COMMAND...: it prints what is in $work/expected.
same() {
	name=$1
	shift
	"$@" >"$work/got" 2>"$work/got.err"
	passes "$name" diff "$work/expected" "$work/got"
}

# Columns of rows in JSON: topic, version, seq, deleted, value.
columns() {
	ask "$@" --json | sed 's/^\[\("[^"]*"\),\([0-9]*\),\([0-9]*\),[0-9]*,'`
	    `'"[^"]*",[0-9]*,"[^"]*",\([a-z]*\),\(.*\)\]$/\1 \2 \3 \4 \5/'
}

# The events' seqs.
seqs() {
	ask history --json "$@" | sed 's/^\[\([0-9]*\),.*/\1/' | tr '\n' ' '
}

seqs_are() {
	want=$1
	shift
	got=$(seqs "$@")
	[ "$got" = "$want" ] || {
		echo "seqs $got, not $want"
		return 1
	}
}

quietly_to_head() {
	ask "$@" 2>"$work/head.err" | head -n 1 >"$work/head.out"
	cat "$work/head.err"
	[ -s "$work/head.out" ] && ! [ -s "$work/head.err" ]
}

way=local
exits 'without a peal it says so' 1 'no broker is running here' \
	"$peal" state -o "ring.directory=$work"

broker_stands_still() {
	kill -STOP "$(children peal-broker)"
	"$peal" state --data "$data" --timeout 1 a.b
	status=$?
	kill -CONT "$(children peal-broker)"
	return $status
}

# Another log, of as many events.
data=$work/other
house_up --gateways 1
append item.a item_created '{"n":1}' --actor ann
append item.b item_created '{"n":99}' --actor bo
append item.b item_updated '{"n":10}' --actor bo
append item.b item_deleted --actor ann
append other.c note_added '{"tags":"x"}' --actor ann
append other.d note_added --actor ann
house_down
rm -rf "$data/broker"
house_up --gateways 1 -o broker.history=no
passes 'without indexes history reads the log for topics' \
	seqs_are '2 3 4 ' item.b
passes 'and for actors' seqs_are '1 4 5 6 ' --actor ann
house_down
house_up --gateways 1
passes 'indexes are made when they are wanted again' \
	seqs_are '1 4 5 6 ' --actor ann
house_down
data=$work/data
house_up --gateways 1
append item.a item_created '{"n":1}' --actor ann
append item.b item_created '{"n":10}' --actor bo
append item.a item_updated '{"n":2}' --actor bo
append item.b item_deleted --actor ann
append other.c note_added '{"tags":"x"}' --actor ann
append item.a item_updated '{"m":3}' --actor ann

for way in local remote; do
	printf '%s\n' '"item.a" 3 6 false {"n":2,"m":3}' \
	    '"item.b" 2 4 true {"n":10}' >"$work/expected"
	same "$way: a state has the rows that match" \
		columns state 'item.*'
	exits "$way: people see no deleted rows, but how many there are" 0 \
		'at seq 6: 2 rows and 1 deleted' ask state
	exits "$way: unless they ask for them" 0 'deleted  {"n":10}' \
		ask state --deleted item.b
	exits "$way: a line has topic, version, actor and value" 0 \
		'  ann  {"n":2,"m":3}' ask state item.a
	printf '%s\n' 6 '"item.a" 3 6 false {"n":2,"m":3}' >"$work/expected"
	same "$way: the seq can stand in the first line" \
		columns state --seq item.a
	: >"$work/expected"
	same "$way: what matches nothing is an empty state" \
		columns state nothing.here
	printf '%s\n' '"item.a" 1 1 false {"n":1}' \
	    '"item.b" 1 2 false {"n":10}' >"$work/expected"
	same "$way: a state of the past has the rows of then" columns at 2
	: >"$work/expected"
	same "$way: before the first event there is nothing" columns at 0
	same "$way: nor was there in 1999" columns at 1999-12-31
	exits "$way: a seq that has not come is told" 1 'ahead' ask at 100000
	exits "$way: nor is it waited for without end" 1 'ahead' \
		ask state --min-seq 100000
	passes "$way: history has all events in order" seqs_are '1 2 3 4 5 6 '
	passes "$way: of a topic" seqs_are '1 3 6 ' item.a
	passes "$way: of an actor" seqs_are '1 4 5 6 ' --actor ann
	passes "$way: of a type" seqs_are '3 6 ' --type '*updated'
	passes "$way: between two seqs" seqs_are '3 4 ' --after 2 --before 5
	passes "$way: from the newest on" seqs_are '6 3 ' --reverse -n 2 item.a
	passes "$way: between two times" seqs_are '' --to 1999-12-31
	exits "$way: a line of history is that of peal tail" 0 \
		'item.a@2  item_updated  bo  {"n":2}' ask history item.a
	exits "$way: that there are more is told" 0 'more: --after 2' \
		ask history -n 2
	passes "$way: a reader that leaves ends a state quietly" \
		quietly_to_head state --json
	passes "$way: and a history" quietly_to_head history --all --json
done

way=local
exits 'a broker that says nothing is not waited for without end' 1 \
	'says nothing for 1 seconds' broker_stands_still
exits 'a state that is not what the log folds to is found out' 1 \
	'"differences":4,' ask verify --json -o "log.directory=$work/other/log"
cp "$work/out" "$work/differ"
passes 'each difference is shown with both rows' \
	[ "$(grep -c '^{"topic":.*"folded":.*"served":' "$work/differ")" = 4 ]

# Taking back, and taking that back.
way=local
exits 'a revert tells topic, version and seq' 0 'item.a@4  seq 7' \
	ask revert item.a --to 1 --actor carol
folded
way=remote
printf '%s\n' '"item.a" 4 7 false {"n":1}' >"$work/expected"
same 'the value is that of then' columns state item.a
exits 'reverting the revert' 0 '"version":5,"seq":8' \
	ask revert item.a --to 3 --json
folded
way=local
printf '%s\n' '"item.a" 5 8 false {"n":2,"m":3}' >"$work/expected"
same 'brings the value back' columns state item.a
exits 'what was deleted comes back' 0 'item.b@3' ask revert item.b --to 1
folded
exits 'and goes again' 0 'item.b@5' ask revert item.b --to 2
folded
printf '%s\n' '"item.b" 5 11 true {"n":10}' >"$work/expected"
same 'as it was' columns state item.b
exits 'a version that has not been is refused' 1 'no version 9' \
	ask revert item.a --to 9
exits 'and the one that is' 1 'is at version 5 now' ask revert item.a --to 5
exits 'and a topic that is none' 1 "no event of 'item.z'" \
	ask revert item.z --to 1

# The memory graph.
cp "$top_srcdir/tests/data/graph.jsonl" "$work/graph"
exits 'a memory graph is imported' 0 '60 stored' \
	"$peal" import --data "$data" "$work/graph"
folded
for way in local remote; do
	exits "$way: an entity shows what was observed and its relations" 0 \
		'(dangles)' ask graph ann
	cp "$work/out" "$work/ann"
	passes "$way: some lead to others, some come from others" \
		sh -c "grep -q '^-> knows  nobody knows me  (dangles)' \
		    '$work/ann' && grep -q '^<- knows  ann' '$work/ann'"
	exits "$way: a long name is found in hashed relations" 0 '-> wwww' \
		ask graph "$(sed -n 's/.*"name": "\(long[^"]*\)".*/\1/p' \
		    "$work/graph")"
	exits "$way: nothing is known of a name that is none" 1 \
		'nothing is known' ask graph nobody
done
append graph.entity.ann observation_added '{"observations":"likes tea"}'
exits 'what was observed later is added' 0 'likes tea' ask graph ann
append 'graph.relation.ann.knows.nobody%20knows%20me' relation_deleted
passes 'a relation that was deleted is not shown' \
	sh -c "! '$peal' graph --data '$data' ann | grep 'nobody knows me'"
append graph.entity.ann entity_deleted
exits 'an entity that was deleted is shown as such' 0 deleted ask graph ann

# Proof.
for way in local remote; do
	exits "$way: what is served is what is folded" 0 \
		'"differences":0,"seq":74' ask verify --json
done

"$peal" token --data "$data" --sub guest --read 'other.>' >"$work/guest"
token=$work/guest
printf '%s\n' '"other.c" 1 5 false {"tags":["x"]}' >"$work/expected"
same 'a token sees in the state what it may read' columns state '>'
passes 'and in history' seqs_are '5 '
exits 'and it is enough to verify that' 0 '"differences":0,"seq":74,'`
	`'"events":1,"rows":1' ask verify --json
exits 'what it may not read it can not revert' 1 forbidden \
	ask revert item.a --to 1
"$peal" token --data "$data" --sub reader --read '>' >"$work/reader"
exits 'nor what it may not write' 1 forbidden \
	ask revert item.a --to 1 --token-file "$work/reader"
exits 'a patient question outlives the broker' 0 ' ann  {"tags":["x"]}' \
	sh -c "kill -KILL $(children peal-broker)
	    '$peal' state --url 'https://127.0.0.1:$port' --cafile '$cafile' \
		--token-file '$token' other.c"
house_down
exits 'without a broker it says so' 1 'no broker is running here' \
	"$peal" verify --data "$data"
segment=$(find "$data/log" -name '*.seg' | head -n 1)
printf 'x' | dd of="$segment" bs=1 seek=8250 conv=notrunc 2>/dev/null
exits 'a damaged log is told before anything is asked' 3 'problems' \
	"$peal" verify --data "$data"
