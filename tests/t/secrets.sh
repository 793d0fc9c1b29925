#!/bin/sh
# No token and no key is ever said by a daemon or by the tools, whoever puts it
# wherever.
. "$(dirname "$0")/../lib/house.sh"

command -v curl >/dev/null || skip_all 'curl is missing'

# told FILE...: is a part of a token in there?  Its first part is the same in
# all and says nothing.
told() {
	for secret in $(cat "$work/secrets"); do
		! grep -lF -e "$secret" "$@" || return 0
	done
	return 1
}

# guard TOKEN: what is to be found nowhere.
guard() {
	printf '%s\n' "$1" | tr . '\n' | sed 1d | grep . >>"$work/secrets"
}

# ask PATH [OPTION...]: of the gateway; whatever it answers.
ask() {
	path=$1
	shift
	curl -sS -m 20 --path-as-is --cacert "$cafile" "$@" \
	    "https://127.0.0.1:$port$path" >>"$work/answers" 2>&1 || :
}

everywhere() {
	ask '/v1/state?topic=a' -H "Authorization: Bearer $1"
	ask '/v1/state?topic=a' -H "Authorization: bearer  $1"
	ask '/v1/state?topic=a' -H "Authorization: Basic $1"
	ask '/v1/state?topic=a' -H "Cookie: token=$1"
	ask "/v1/state?topic=a&token=$1"
	ask "/v1/state?topic=a&access_token=$1"
	ask "/v1/state?topic=$1" -H "Authorization: Bearer $good"
	ask "/$1" -H "Origin: https://$1" -H "Host: $1"
	ask '/v1/append' -H "Authorization: Bearer $1" -d "$1"
	ask '/v1/events' -m 2 -H "Authorization: Bearer $1" -H "Last-Event-ID: $1"
	ask "/v1/ws?token=$1" -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
	    -H 'Sec-WebSocket-Version: 13' -m 2 \
	    -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' \
	    -H "Sec-WebSocket-Protocol: $1"
	printf '%s' "$1" >"$work/token"
	timeout 20 "$peal" tail --url "https://127.0.0.1:$port" --cafile \
	    "$cafile" --token-file "$work/token" --count 1 --json '>' \
	    >>"$work/tool.out" 2>>"$work/tool.err" || :
}

plan 6
house_up --gateways 1
good=$(cat "$token")
"$peal" append --data "$data" a made '{}' >/dev/null || bail 'no event'
expired=$("$peal" token --data "$data" --sub gone --read '>' --ttl 1)
revoked=$("$peal" token --data "$data" --sub villain --read '>' --ttl 600)
"$peal" revoke --data "$data" villain >"$work/out" 2>&1 || bail 'no revocation'
: >"$work/secrets"
for one in "$good" "$expired" "$revoked"; do
	guard "$one"
done
# The private key that signs for developers, line by line.
find "$data" -name '*.key' -o -name 'dev*.pem' | while read -r file; do
	! grep -q PRIVATE "$file" || grep -v -e '---' "$file"
done >>"$work/secrets"
printf 'a line with a token=%s in it\n' "$expired" >"$work/wrong"
passes 'a line that tells a token would be found' told "$work/wrong"
passes 'there are a private key and six parts of tokens to look for' \
	[ "$(wc -l <"$work/secrets")" -gt 8 ]
for one in "$good" "$expired" "$revoked" "$good$good" "${good}x" "x$expired"; do
	everywhere "$one"
done
# Keys that are none, or no longer: their files are read again.
first=$(gateways)
kill -HUP "$first"
await grep -q 'the token keys were read again' "$work/up.err" ||
	bail 'the keys were not read again'
kill -KILL "$first"
another() {
	[ -n "$(gateways)" ] && [ "$(gateways)" != "$first" ]
}
await_here another
everywhere "$good"
passes 'all that was asked got some answer' test -s "$work/answers"
test -s "$work/up.err" && ! told "$work/up.err"
verdict 'the daemons have told nothing, whatever was asked' $?
passes 'told to stop, all of it ends' house_down
! told "$work/up.err" "$work/tool.err"
verdict 'nor do daemons at their end, or tools' $?
