#!/bin/sh
# `peal tail`, `peal ring` and `peal readers`: from the ring and by WebSocket.
. "$(dirname "$0")/../lib/house.sh"
plan 24

append() {
	"$peal" append --data "$data" "$@" >/dev/null
}

tail_local() {
	"$peal" tail --data "$data" "$@"
}

tail_remote() {
	"$peal" tail --url "https://127.0.0.1:$port" --cafile "$cafile" \
	    --token-file "$token" "$@"
}

lines_are() {
	[ "$(wc -l <"$1")" -eq "$2" ]
}

house_up --gateways 1
append a.b one '{"n":1}'
append a.c two '{"n":2}'
append a.b three '{"n":3}'
for way in local remote; do
	exits "$way: it begins at a seq" 0 '[2,' \
		tail_$way --from 2 -n 1 --json
	exits "$way: it begins at the oldest" 0 '[1,' \
		tail_$way --from oldest -n 1 --json
	exits "$way: patterns choose" 0 '"three"' \
		tail_$way --from 2 -n 1 --json 'a.b' 'x.>'
	exits "$way: people get a line with the data" 0 '{"n":3}' \
		tail_$way --from 3 -n 1
	exits "$way: a pattern that is none is refused" 2 'a..b' \
		tail_$way 'a..b'
	exits "$way: a closed stdout ends it quietly" 0 '[1,' \
		sh -c "'$peal' tail --data '$data' $([ $way = local ] ||
		echo "--url https://127.0.0.1:$port") --from 1 --json |
		head -n 1"
done

exits 'local: the ring is not conflated' 2 '--conflate goes with --url' \
    tail_local --conflate 100
exits 'remote: an interval too short is refused' 2 '10' \
    tail_remote --conflate 9
exits 'remote: so is one beyond mark_interval, by the server' 1 \
    'bad_request' tail_remote --conflate 5001
# As many appends as it takes: of each interval the newest is printed.
tail_remote --json --conflate 10 -n 3 'often.x' >"$work/often" 2>&1 &
often=$!
others=$often
i=0
while kill -0 $often 2>/dev/null; do
	i=$((i + 1))
	[ $i -lt 2000 ] || bail 'nothing came conflated'
	append often.x x_set
done
wait $often
passes 'remote: what intervals leave is printed' \
	[ "$? $(wc -l <"$work/often")" = '0 3' ]

# Live, over a restart of the writer and of the gateway.
tail_local --json -n 3 >"$work/local" 2>"$work/local.err" &
others=$!
local=$!
tail_remote --json -n 3 >"$work/remote" 2>"$work/remote.err" &
others="$others $!"
remote=$!
await sh -c "'$peal' readers --data '$data' --json |
	grep -q '\"role\":\"tail\"'" || bail 'the tail did not attach'
# What is live is seen by what arrives.
i=0
while kill -0 $local 2>/dev/null || kill -0 $remote 2>/dev/null; do
	i=$((i + 1))
	[ $i -lt 1000 ] || bail 'nothing came live'
	append live.first x
done
wait $local
passes 'local: it follows live, and ends after what was asked for' \
	[ "$? $(wc -l <"$work/local")" = '0 3' ]
wait $remote
passes 'remote: it follows live, and ends after what was asked for' \
	[ "$? $(wc -l <"$work/remote")" = '0 3' ]

first=$(($("$peal" ring --data "$data" --json |
	sed 's/.*"head":\([0-9]*\).*/\1/') + 1))
tail_local --json --from $first -n 2 >"$work/local" 2>"$work/local.err" &
local=$!
tail_remote --json --from $first -n 2 >"$work/remote" 2>"$work/remote.err" &
remote=$!
others="$local $remote"
append again.a x
await sh -c "[ -s '$work/local' ] && [ -s '$work/remote' ]" ||
	bail 'the first event did not come'
kill -KILL "$(writer)" "$(gateways)"
await "$peal" append --data "$data" again.b x >/dev/null 2>&1 || bail 'no writer came back'
status=0
wait $local || status=$?
passes 'local: it goes on when the writer was killed' \
	[ "$status $(wc -l <"$work/local")" = "0 2" ]
status=0
wait $remote || status=$?
others=
passes 'remote: it resumes when the gateway was killed' \
	[ "$status $(wc -l <"$work/remote")" = "0 2" ]
passes 'both have the same events' cmp "$work/local" "$work/remote"

passes 'the ring proves sound' "$peal" ring --data "$data" --verify
exits 'its dump names ordinal, flags and event' 0 'a.b@1' \
	"$peal" ring --data "$data" --dump -n 1
exits 'a certificate that nobody vouches for is refused' 1 'not trusted' \
	"$peal" tail --url "https://127.0.0.1:$port" --token-file "$token"
house_down
