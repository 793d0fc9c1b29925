#!/bin/sh
# Processes that serve have given up what they need no more, and go on through
# all that their life brings: a checkpoint, another writer, SIGHUP, the end.
. "$(dirname "$0")/../lib/house.sh"

# status PID KEY: what the kernel says of a process.
status_of() {
	sed -n "s/^$2:[^0-9]*\([0-9]*\)$/\1/p" "/proc/$1/status"
}

# In all of its threads, also those that were started before.
filtered() {
	for task in "/proc/$1/task"/*; do
		grep -q '^Seccomp:.*2$' "$task/status" || return 1
	done
	[ "$(status_of "$1" Seccomp)" -eq 2 ]
}

# core_limit PID BYTES: soft and hard.
core_limit() {
	grep -q "^Max core file size  *$2  *$2 " "/proc/$1/limits"
}

filtered $$ && bail 'a shell that gave nothing up is taken for one that did'
house_up --gateways 1 -o log.segment_bytes=4M -o writer.core_bytes=64K
first=$(gateways)
grep -q 'does not filter its system calls' "$work/up.err" && {
	house_down
	skip_all 'this build does not filter its system calls'
}
plan 16
for role in writer broker gateway; do
	pid=$(children "peal-$role")
	passes "the system calls of a $role are filtered" filtered "$pid"
	passes "no program that a $role could run would get privileges" \
	    [ "$(status_of "$pid" NoNewPrivs)" -eq 1 ]
done
passes 'a core may be as large as configured' core_limit "$(writer)" 65536
passes 'where nothing is configured there is none' core_limit "$(broker)" 0
follow -n 3 -P '>' -f 0 -u 22000 -d "$deadline" -l "$data/log" \
    -r "$work/ready" >"$work/follow" 2>&1 &
follower=$!
others="$others $follower"
await test -e "$work/ready" || bail 'the clients never got going'
kill -HUP "$first"
passes 'it reads certificate and keys again' \
    await grep -q 'the token keys were read again' "$work/up.err"
passes 'and nothing was refused it' sh -c \
    "! grep 'stays\? as' '$work/up.err'"
produce -n 20000 -b 20 -w 64 -d "$deadline" >"$work/produced" 2>&1 ||
	bail 'no events'
passes 'a segment is full, and a child writes a checkpoint' \
    await test -e "$data/log/writer.ckpt"
old=$(writer)
kill -KILL "$old"
another_writer() {
	[ -n "$(writer)" ] && [ "$(writer)" != "$old" ]
}
passes 'another writer comes' await_here another_writer
await test -S "$data/run/writer.sock"
passes 'events are stored' produce -N again -n 2000 -b 1 -w 64 -d "$deadline"
ends "$follower"
sed 's/^/# /' "$work/follow"
verdict 'its clients get them all' "$status"
passes 'it is still the same process' [ "$(gateways)" = "$first" ]
passes 'told to stop, all of it ends, and its counters with it' sh -c \
    "kill -TERM $up && '$lib/await' $deadline \
	sh -c '! kill -0 $first 2>/dev/null' &&
    ! ls '$data'/run/stat/gateway.$first"
