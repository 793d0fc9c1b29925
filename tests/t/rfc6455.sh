#!/bin/sh
# Frames, fragments, control frames, UTF-8 and closing as RFC 6455 has them,
# judged by a client in another language against the gateway's own files.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
echo_server=$top_builddir/tests/ws_echo
judge=$top_srcdir/tests/t/rfc6455.py

# peal up makes certificate and key; it is not needed for anything else.
house_up --gateways 1
house_down

# judged NAME OPTION...: one server, and all cases.
judged() {
	name=$1
	shift
	"$echo_server" 0 "$@" >"$work/echo.out" 2>"$work/echo.err" &
	server=$!
	others="$others $server"
	await sh -c "grep -q ready '$work/echo.out' ||
	    ! kill -0 $server" 2>/dev/null
	port=$(sed -n 's/^ready: port=//p' "$work/echo.out")
	[ -n "$port" ] || bail "ws_echo never listened: $(cat "$work/echo.err")"
	[ $# -eq 0 ] && set -- || set -- "$cafile"
	run_group "$name" python3 "$judge" "$port" "$@"
	kill -TERM "$server"
	ends "$server"
	verdict "$name: the server lives through it and ends in order" $status
	sed 's/^/# /' "$work/echo.err"
}

judged plain
judged tls --tls "$cafile" "$data/tls/key.pem"
plan $count
