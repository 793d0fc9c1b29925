#!/bin/sh
# guard.sh PID DIRECTORY: wait until stdin ends, which it does when the test
# has gone, whatever way; then end the `peal up` that the test has left behind
# and remove its directories.

read -r _
if grep -qF "$2" "/proc/$1/cmdline" 2>/dev/null; then
	kill -TERM "$1"
	timeout 60 tail --pid="$1" -f /dev/null || kill -KILL "$1"
fi
if [ -L "$2/data/run" ]; then
	rm -rf "$(readlink "$2/data/run")"
fi
rm -rf "$2"
