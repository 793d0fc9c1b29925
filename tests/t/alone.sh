#!/bin/sh
# The broker as a process of its own: it waits for its log, has its directory
# for itself, and leaves in order.
. "$(dirname "$0")/../lib/house.sh"
plan 12

# start_broker NAME [OPTION...]: what it says goes to NAME.err; $pid is its id.
start_broker() {
	name=$1
	shift
	: >"$work/$name.err"
	"$top_builddir/peal-broker" -o log.directory="$data/log" \
	    -o ring.directory="$data/run" \
	    -o broker.directory="$data/broker" "$@" 2>"$work/$name.err" &
	pid=$!
	others="$others $pid"
}

says() {
	await grep -q "$2" "$work/$1.err"
}

nice_of() {
	sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 17
}

mkdir -p "$data/run"
start_broker early
passes 'without a log it waits for one' says early 'waiting for the log'
kill -TERM $pid
ends $pid
passes 'and can be told to stop' [ "$status" -eq 0 ]

start_broker first
says first 'waiting for the log' || bail 'it does not wait'
house_writer
passes 'it serves as soon as there is one' says first 'ready: log='
first=$pid
passes 'the others come first' [ "$(nice_of $first)" -eq 10 ]
passes 'its directory is closed to others' \
	[ "$(stat -c %a "$data/broker")" = 750 ]
# A busy one is behind after two seconds, and asked again.
folds() {
	"$peal" append --data "$data" a.b thing_created --json >"$work/appended" &&
		await "$peal" state --data "$data" --min-seq 1 nothing.here \
		    >"$work/level" 2>&1 &&
		"$peal" state --data "$data" --min-seq 1 a.b | grep -q a.b
}
passes 'what is appended is folded' folds
start_broker second
ends $pid
passes 'a second one on its directory is refused and names the first' \
	sh -c "[ $status -eq 73 ] && grep -q 'pid $first' '$work/second.err'"
start_broker wrong -o broker.directory="$work/other" -o fold.rules=created
ends $pid
passes 'rules that are none are refused as such' \
	sh -c "[ $status -eq 2 ] && grep -q created '$work/wrong.err'"
kill -TERM $first
ends $first
passes 'told to stop it ends with 0' [ "$status" -eq 0 ]

start_broker again
passes 'started again it goes on from where it was' says again 'seq=1 rows=1'
passes 'and says nothing else' \
	sh -c "! grep -v ready: '$work/again.err'"
kill -KILL $pid
ends $pid
start_broker third
passes 'killed and started again, too' says third 'seq=1 rows=1'
