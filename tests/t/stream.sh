#!/bin/sh
# Server-Sent Events as curl reads them: a history, what is live, the way back
# with Last-Event-ID, a reader that stands still, and every refusal.
. "$(dirname "$0")/../lib/house.sh"

command -v curl >/dev/null || skip_all 'no curl'
command -v python3 >/dev/null || skip_all 'no python3'

plain() {
	curl -sS --cacert "$cafile" --max-time "$deadline" "$@"
}

# follow_on NAME PATH [OPTION...]: a stream into a file, in the background.
follow_on() {
	name=$1
	: >"$work/$name"
	stream=
	await_here begun "$@" || {
		sed 's/^/# /' "$work/$name" "$work/$name.err"
		bail 'a stream never began'
	}
}

# Its first message is there.  On a loaded machine the broker may be late, and
# a past that the log alone has is 503: then it is asked again.
begun() {
	name=$1 path=$2
	shift 2
	grep -q '^data: ' "$work/$name" && return 0
	[ -z "$stream" ] || ! kill -0 "$stream" 2>/dev/null || return 1
	# The process itself, so that it can be stopped.
	(exec curl -N -sS --cacert "$cafile" -H "@$work/bearer" "$@" \
	    "$base$path" >"$work/$name" 2>"$work/$name.err") &
	stream=$!
	others="$others $stream"
	return 1
}

judge() {
	python3 "$top_srcdir/tests/t/stream.py" judge "$work/log" "$@"
}

last_id() {
	python3 "$top_srcdir/tests/t/stream.py" last "$work/$1"
}

# refused STATUS TEXT OPTION...: the stream never begins.
refused() {
	want=$1 text=$2
	shift 2
	got=$(plain "$@" -o "$work/body" -w '%{http_code}') || :
	[ "$got" = "$want" ] && grep -qF -e "$text" "$work/body" && return 0
	echo "$got, not $want with '$text':"
	head -c 300 "$work/body"
	return 1
}

load() {
	"$programs/load" -s "$data/run/writer.sock" -d "$deadline" "$@"
}

house_up --gateways 1 -o ring.slots=16384 -o ring.payload_bytes=1M
base=https://127.0.0.1:$port
printf 'Authorization: Bearer %s\n' "$(cat "$token")" >"$work/bearer"
copies 1 >"$work/sample.jsonl"
lines=$(wc -l <"$work/sample.jsonl")

# --- a history, and on ---
follow_on live '/v1/stream?topic=%3E'
live=$stream
passes 'a file is imported' "$peal" import --data "$data" \
	"$work/sample.jsonl"
follow_on past '/v1/stream?topic=%3E&from=0'
past=$stream
passes 'who was there sees it live' await grep -q "^id: [^:]*:$lines\$" \
	"$work/live"
passes 'who asks for the past gets it' await grep -q "^id: [^:]*:$lines\$" \
	"$work/past"
log=$(last_id live)
log=${log%:*}

# --- gone, and back ---
kill -KILL "$live" 2>/dev/null
ends "$live"
from=$(last_id live)
passes 'more is appended meanwhile' load -n 300 -T 50
follow_on back '/v1/stream?topic=%3E' -H "Last-Event-ID: $from"
back=$stream
total=$((lines + 300))
passes 'who comes back with its last id is told the rest' \
	await grep -q "^id: [^:]*:$total\$" "$work/back"
await grep -q "^id: [^:]*:$total\$" "$work/past" || :
"$peal" log cat --data "$data" --json >"$work/log"
passes 'both connections together are unbroken, and as in the log' \
	judge 0 "$total" "$work/live" "$work/back"
passes 'so is the one that was never gone' judge 0 "$total" "$work/past"
sed 's/"seq":2,/"seq":3,/; s/^\[2,/[3,/' "$work/log" >"$work/wrong"
passes 'another log would not pass' sh -c "! python3 \
	'$top_srcdir/tests/t/stream.py' judge '$work/wrong' 0 $total '$work/past'"

# --- a part of it ---
follow_on part '/v1/stream?topic=repo.%3E&type=file_created&from=0'
passes 'a pattern and a type are a part of it' \
	await grep -q "^id: [^:]*:$total\$" "$work/part"
passes 'and only that' sh -c "! grep -q 'file_changed' '$work/part' &&
	grep -q 'file_created' '$work/part'"

# --- what is refused ---
"$peal" token --data "$data" --sub ann --read 'a.>' --ttl 3600 >"$work/ann"
passes 'without a token' refused 401 unauthorized "$base/v1/stream?topic=a"
passes 'what may not be read' refused 403 forbidden \
	-H "Authorization: Bearer $(cat "$work/ann")" "$base/v1/stream?topic=b"
passes 'no topic' refused 400 bad_request -H "@$work/bearer" "$base/v1/stream"
passes 'another log' refused 410 log_changed -H "@$work/bearer" \
	-H 'Last-Event-ID: 00-1:5' "$base/v1/stream?topic=a"
passes 'what is yet to come' refused 409 ahead -H "@$work/bearer" \
	-H "Last-Event-ID: $log:999999" "$base/v1/stream?topic=a"
passes 'an id that is none' refused 400 Last-Event-ID -H "@$work/bearer" \
	-H 'Last-Event-ID: hello' "$base/v1/stream?topic=a"
passes 'a page of another origin' refused 403 Origin -H "@$work/bearer" \
	-H 'Origin: https://elsewhere.example' "$base/v1/stream?topic=a"

# --- one that stands still ---
follow_on slow '/v1/stream?topic=%3E'
slow=$stream
kill -STOP "$slow"
passes 'the ring goes past it' load -n 40000 -T 50
kill -CONT "$slow"
ends "$slow"
verdict 'it ends in order when it reads again' "$status"
passes 'and was told lagged' sh -c "tail -n 4 '$work/slow' |
	grep -q '^event: lagged'"
follow_on again '/v1/stream?topic=%3E' -H "Last-Event-ID: $(python3 \
	"$top_srcdir/tests/t/stream.py" last "$work/slow")"
passes 'it goes on from there' await grep -q \
	"^id: [^:]*:$((total + 40000))\$" "$work/again"
sed '/^event: lagged/,$d' "$work/slow" >"$work/slow.whole"
"$peal" log cat --data "$data" --json >"$work/log"
passes 'with nothing left out' judge "$total" "$((total + 40000))" \
	"$work/slow.whole" "$work/again"
again=$stream

# --- the end ---
passes 'told to stop, all of it ends' house_down
ends "$again"
verdict 'a stream ends with the process, in order' "$status"
ends "$back"
ends "$past"
plan $count
