#!/bin/sh
# HTTP as curl speaks it: appends, state and history with every status of
# doc/protocol.md, one connection for many requests, ten thousand rows, files
# and origins.
. "$(dirname "$0")/../lib/house.sh"

command -v curl >/dev/null || skip_all 'no curl'
command -v python3 >/dev/null || skip_all 'no python3'

# A curl that knows the certificate and, but for plain(), the token.
plain() {
	curl -sS --cacert "$cafile" --max-time "$deadline" "$@"
}

bearer=$work/bearer

# who TOKEN-FILE: whose requests these are from now on.
who() {
	printf 'Authorization: Bearer %s\n' "$(cat "$1")" >"$bearer"
}

http() {
	plain -H "@$bearer" "$@"
}

post() {
	http -H 'Content-Type: application/json' "$base/v1/events" "$@"
}

# one TOPIC [MORE]: a request of one event.
one() {
	printf '{"events":[{"topic":"%s","type":"made","data":{"n":1}%s}]}' \
	    "$1" "${2-}"
}

# status STATUS TEXT COMMAND...: the answer has that status and says TEXT.
status() {
	want=$1 text=$2
	shift 2
	got=$("$@" -o "$work/body" -w '%{http_code}') || :
	[ "$got" = "$want" ] && grep -qF -e "$text" "$work/body" && return 0
	echo "$got, not $want with '$text':"
	head -c 300 "$work/body"
	return 1
}

# value EXPRESSION FILE: what python makes of the JSON in it, as j.
value() {
	python3 -c 'import json, sys
j = json.load(open(sys.argv[2]))
print(eval(sys.argv[1]))' "$1" "$2"
}

# newest PATTERN: the newest event; pages may be empty, and then go on.
newest() {
	before=
	while status 200 '"op":"history"' \
	    http "$base/v1/history?topic=$1&reverse=true&limit=1$before"; do
		is 0 'len(j["events"])' >/dev/null || return 0
		before="&before=$(value 'j["next"]' "$work/body")" || return 1
	done
	return 1
}

# is VALUE EXPRESSION: of the last body.
is() {
	got=$(value "$2" "$work/body")
	[ "$got" = "$1" ] && return 0
	echo "$2 is $got, not $1"
	return 1
}

site=$work/site
mkdir "$site"
echo '<!doctype html><title>peal</title>' >"$site/index.html"
echo 'export const peal = 1;' >"$site/peal.js"
echo 'not for you' >"$work/secret.js"
house_up --gateways 1 -o gateway.origins=https://page.example \
    -o gateway.static="$site" -o broker.archive_events=50
base=https://127.0.0.1:$port
who "$token"
"$peal" token --data "$data" --sub ann --read 'a.>' --write 'a.>' --ttl 3600 \
    >"$work/ann" || bail 'no token'

# --- appends ---

passes '200: an append in JSON is answered when it is stored' \
    status 200 '"op":"appended","seq":1' post -d "$(one a.b)"
printf '\201\246events\221\203\245topic\243m.p\244type\244made\244data\001' \
    >"$work/mp"
passes '200: one in MessagePack is, too' status 200 '"seq":2' \
    http "$base/v1/events" -H 'Content-Type: application/msgpack' \
    --data-binary "@$work/mp"
passes '200: an append with a key' status 200 '"seq":3' \
    post -d "$(one a.k ',"key":"k1"')"
passes '200: repeated, it is the same one' status 200 '"duplicate":true' \
    post -d "$(one a.k ',"key":"k1"')"
passes '409: the key with another event is reused' \
    status 409 '"code":"key_reused"' post -d "$(one a.l ',"key":"k1"')"
passes '409: an expectation that does not hold is a conflict' \
    status 409 '"code":"conflict"' post -d "$(one a.b ',"expect":7')"
passes '409: which says what is there' is 1 'j["actual"]'
passes '400: a body that is no JSON' status 400 '"code":"bad_request"' \
    post -d '{"events":'
passes '400: a body that is no append' status 400 '"code":"bad_request"' \
    post -d '{"events":[]}'
passes '401: no token' status 401 '"code":"unauthorized"' \
    plain "$base/v1/events" -H 'Content-Type: application/json' -d '{}'
passes '401: one that is none' status 401 '"code":"unauthorized"' \
    plain "$base/v1/state?topic=a" -H 'Authorization: Bearer a.b.c'
who "$work/ann"
passes '403: a topic that may not be written' \
    status 403 '"code":"forbidden"' post -d "$(one b.c)"
passes '403: what may not be read' \
    status 403 '"code":"forbidden"' http "$base/v1/state?topic=b.%3E"
who "$token"
passes '411: a body of no length' status 411 'Content-Length' \
    http -X POST "$base/v1/events" -H 'Content-Type: application/json'
passes '415: curl sends forms unless told otherwise' \
    status 415 'application/json' http "$base/v1/events" -d '{}'
passes '501: nor is a body in chunks served' \
    status 501 'Transfer-Encoding' post -H 'Transfer-Encoding: chunked' -d x
head -c 5000000 /dev/zero | tr '\0' ' ' >"$work/long"
passes '413: a body beyond the longest message' status 413 'max_message' \
    post --data-binary "@$work/long"
python3 -c 'print("{\"events\":[{\"topic\":\"a.big\",\"type\":\"made\"," +
    "\"data\":\"" + "x" * 1100000 + "\"}]}")' >"$work/large"
passes '413: an event beyond the largest' status 413 '"code":"too_large"' \
    post --data-binary "@$work/large"
python3 -c 'print("{\"events\":[{\"topic\":\"a.big\",\"type\":\"made\"," +
    "\"data\":\"" + "\\u0041" * 300000 + "\"}]}")' >"$work/expect"
passes '200: a body beyond 1 MiB waits for 100 Continue' \
    status 200 '"op":"appended"' post --data-binary "@$work/expect" \
    -D "$work/heads"
passes 'which it got' grep -q '^HTTP/1.1 100 Continue' "$work/heads"

# --- ten thousand rows ---

i=0
while [ $i -lt 10 ]; do
	python3 -c 'import json, sys
i = int(sys.argv[1])
print(json.dumps({"events": [{"topic": "rows.r%d" % (1000 * i + n),
    "type": "made", "data": {"n": n, "text": "x" * 100}}
    for n in range(1000)]}))' $i >"$work/rows.$i"
	post --data-binary "@$work/rows.$i" -o "$work/body" || bail 'no rows'
	i=$((i + 1))
done
seq=$(value 'j["seq"] + 999' "$work/body")
passes '200: ten thousand rows, as soon as they are folded' \
    await_here status 200 '"op":"snapshot"' \
    http "$base/v1/state?topic=rows.%3E&min_seq=$seq" -D "$work/heads"
passes 'each of them once' is 10000 'len(set(r[0] for r in j["rows"]))'
passes 'and nothing else' is 10000 'len(j["rows"])'
passes 'in an answer of unknown length' \
    grep -qi '^Transfer-Encoding: chunked' "$work/heads"
passes 'at the seq that was waited for, or later' \
    is True "j['seq'] >= $seq"
passes '200: the same in MessagePack' \
    status 200 'rows.r9999' http "$base/v1/state?topic=rows.%3E" \
    -H 'Accept: application/msgpack' -D "$work/heads"
passes 'which is what its type says' \
    grep -qi '^Content-Type: application/msgpack' "$work/heads"

# --- state and history ---

passes '200: several topics' status 200 '"op":"snapshot"' \
    http "$base/v1/state?topic=a.b&topic=m.*"
passes 'have their rows' is "['a.b', 'm.p']" \
    'sorted(r[0] for r in j["rows"])'
passes '200: the state as it was' status 200 '"seq":2' \
    http "$base/v1/state?topic=%3E&at=2"
passes 'has two rows' is 2 'len(j["rows"])'
created=$(value 'j["rows"][1][3]' "$work/body")
when=$(python3 -c 'import datetime, sys
t = int(sys.argv[1])
print(datetime.datetime.utcfromtimestamp(t // 1000000).strftime(
    "%Y-%m-%dT%H:%M:%S") + ".%06dZ" % (t % 1000000))' "$created")
passes '200: and as it was at a time' status 200 '"op":"snapshot"' \
    http "$base/v1/state?topic=m.p&at=$when"
passes 'has that row' is 1 'len(j["rows"])'
passes '200: history backwards' newest 'a.*'
passes 'has the newest first' is "['a.big']" '[e[2] for e in j["events"]]'
passes 'and says where to go on' is True 'j["next"] > 3'
passes '200: history by actor and type behind a seq' status 200 'history' \
    http "$base/v1/history?actor=dev&type=ma*&after=1&limit=1"
passes 'has the next one' is 2 'j["events"][0][0]'
passes '400: a parameter that is misspelt' status 400 'limit, reverse' \
    http "$base/v1/history?limits=1"
passes '400: a token in a URL' status 400 'Authorization: Bearer' \
    plain "$base/v1/state?topic=a&token=$(cat "$token")"
passes '404: a path that is none' status 404 'nothing here' \
    http "$base/v1/nothing"
passes '405: a method that is not served' status 405 'POST' \
    http "$base/v1/events"
passes '409: a seq that is not there yet' status 409 '"code":"ahead"' \
    http "$base/v1/state?topic=a.b&min_seq=9999999"

# --- one connection ---

http "$base/healthz" "$base/v1/state?topic=a.b" "$base/v1/nothing" \
    "$base/v1/history?limit=1" "$base/readyz" -o /dev/null -o /dev/null \
    -o /dev/null -o /dev/null -o /dev/null \
    -w '%{http_code} %{num_connects}\n' >"$work/reused"
printf '200 1\n200 0\n404 0\n200 0\n200 0\n' >"$work/want"
passes 'five requests take one connection' cmp "$work/reused" "$work/want"
passes 'or two where the client wants it' sh -c "
	curl -sS --cacert '$cafile' -H 'Connection: close' '$base/healthz' \
	    '$base/healthz' -o /dev/null -o /dev/null -w '%{num_connects} ' |
	    grep -qx '1 1 '"

# --- origins ---

preflight() {
	plain -X OPTIONS "$base/v1/events" -H "Origin: $1" \
	    -H 'Access-Control-Request-Method: POST' -D "$work/heads" \
	    -o "$work/body" -w '%{http_code}'
}

passes '204: pages of a listed origin may ask' \
    [ "$(preflight https://page.example)" = 204 ]
passes 'and are told so' grep -qi \
    '^Access-Control-Allow-Origin: https://page.example' "$work/heads"
passes '403: others may not' [ "$(preflight https://else.example)" = 403 ]
passes '403: whatever they ask' status 403 gateway.origins \
    http "$base/v1/state?topic=a" -H 'Origin: https://else.example'
passes '200: the answer may be read by the listed one' \
    status 200 snapshot http "$base/v1/state?topic=a.b" \
    -H 'Origin: https://page.example' -D "$work/heads"
passes 'and names it' grep -qi \
    '^Access-Control-Allow-Origin: https://page.example' "$work/heads"
passes 'and depends on it' grep -qi '^Vary: Origin' "$work/heads"

# --- files ---

passes '200: the page' status 200 '<title>peal' plain "$base/" \
    -D "$work/heads"
passes 'runs nothing from elsewhere' grep -qi \
    "^Content-Security-Policy: default-src 'none'; script-src 'self';" \
    "$work/heads"
passes '200: a script' status 200 'export' plain "$base/peal.js" \
    -D "$work/heads"
passes 'is one' grep -qi '^Content-Type: text/javascript' "$work/heads"
etag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' "$work/heads")
not_modified() {
	[ "$(plain "$base/peal.js" -H "If-None-Match: $etag" \
	    -o "$work/body" -w '%{http_code} %{size_download}')" = '304 0' ]
}
passes '304: which is known already' not_modified
passes '404: what is beside the directory' status 404 'nothing here' \
    plain --path-as-is "$base/../secret.js"
echo 'export const peal = 2;' >"$site/peal.js"
passes '200: what changed is not seen' status 200 'peal = 1' \
    plain "$base/peal.js"
kill -HUP "$(gateways)"
passes '200: until SIGHUP' await_here status 200 'peal = 2' \
    plain "$base/peal.js"

# --- what is away ---

stopped=$(broker)
kill -STOP "$stopped"
passes '503: state, while the broker stands still' \
    status 503 '"code":"unavailable"' http "$base/v1/state?topic=a.b&at=1" \
    -D "$work/heads"
passes 'which says when to ask again' grep -qi '^Retry-After: [1-9]' \
    "$work/heads"
kill -CONT "$stopped"
passes '200: and when it goes on' await_here status 200 snapshot \
    http "$base/v1/state?topic=a.b"

stopped=$(writer)
kill -STOP "$stopped"
post -d "$(one a.unknown)" -o "$work/unknown" -w '%{http_code}' \
    >"$work/status" 2>"$work/post.err" &
poster=$!
others="$others $poster"
# It has arrived when the gateway has a session for it.
arrived() {
	[ "$("$peal" stat -1 --data "$data" gateway.sessions |
	    awk 'NR > 1 || $3 ~ /^[0-9]/ { print $3 }' | tail -n 1)" = 1 ]
}
await_here arrived || echo '# the append was not seen to arrive'
kill -KILL "$stopped"
wait "$poster"
passes '504: an append whose answer is lost with the writer' \
    [ "$(cat "$work/status")" = 504 ]
passes 'which says so' grep -q '"code":"unknown"' "$work/unknown"
passes '200: the next writer takes the next one' await_here status 200 \
    appended post -d "$(one a.b)"
passes 'told to stop, all of it ends' house_down

# --- too much ---

house_up --gateways 1 -o gateway.append_rate=1
base=https://127.0.0.1:$port
too_fast() {
	set --
	i=0
	while [ $i -lt 20 ]; do
		set -- "$@" "$base/v1/events"
		i=$((i + 1))
	done
	http -H 'Content-Type: application/json' -d "$(one a.b)" "$@" \
	    -D "$work/heads" >"$work/body" &&
		grep -q '^HTTP/1.1 429' "$work/heads" &&
		grep -q '"code":"rate_limited"' "$work/body"
}
passes '429: appends in a row' await_here too_fast
passes 'which says when to ask again' grep -qi '^Retry-After: 1' \
    "$work/heads"
passes 'told to stop, all of that ends' house_down
plan $count
