#!/bin/sh
# Grants and revocations count on every gateway at once, also on one that
# starts, or was lapped, or has no broker to ask; token keys are changed
# without dropping anyone.
. "$(dirname "$0")/../lib/house.sh"

say() {
	what=$1
	shift
	[ "$what" = append ] || since=$(date +%s%3N)
	"$peal" "$what" --data "$data" "$@"
}

# token NAME USER [OPTION...]: a token in $work/NAME.
token() {
	name=$1 user=$2
	shift 2
	"$peal" token --data "$data" --sub "$user" --ttl 3600 "$@" \
	    >"$work/$name" || bail "no token for $user"
}

clients() {
	who=$1
	shift
	"$programs/grants" -p "$port" -C "$cafile" -t "$work/$who" "$@"
}

# received NAME TOKEN HOW: every gateway says the same of the token.
received() {
	got=$(clients "$2" try 2>&1)
	[ "$got" = "$3" ] || echo "# $2: '$got', not '$3'"
	verdict "$1" "$([ "$got" = "$3" ]; echo $?)"
}

# begin TOKEN OPTION... : clients of both gateways that wait; $waiting.
begin() {
	who=$1
	shift
	rm -f "$work/ready" "$work/again"
	clients "$who" -r "$work/ready" -a "$work/again" "$@" \
	    >"$work/wait.$who" 2>&1 &
	waiting=$!
	others="$others $waiting"
	since=$(date +%s%3N)
	await sh -c "test -e '$work/ready' || ! kill -0 $waiting" 2>/dev/null
	[ -e "$work/ready" ] || sed 's/^/# /' "$work/wait.$who"
}

# finish NAME TOKEN: they were all told; how long it took is a remark.
finish() {
	ends "$waiting"
	finished "$@"
}

finished() {
	at=$(sed -n 's/^at //p' "$work/wait.$2")
	grep '^#' "$work/wait.$2"
	[ -z "$at" ] || echo "# $1: ${at:-0} - $since = $((at - since)) ms"
	verdict "$1" "$status"
}

# later SECOND: that second is over.
later() {
	await sh -c "[ \$(date +%s) -gt $1 ]"
}

# How often a gateway has said it; said TEXT N: more than N times.
how_often() {
	grep -c "$1" "$work/up.err"
}

said() {
	[ "$(how_often "$1")" -gt "$2" ]
}

new_gateways() {
	now=$(gateways | sort | tr '\n' ' ')
	for pid in $1; do
		case " $now " in
		*" $pid "*) return 1 ;;
		esac
	done
	[ "$(gateways | wc -l)" -eq 2 ]
}

house_up --gateways 2 -o ring.slots=1024 -o ring.payload_bytes=1M
token ann ann --read 'a.>'
token old bob --read 'a.>'
token lapped cat --read 'a.>'
token away dan --read 'a.>'

# --- grants ---
exits 'nothing is granted at first' 0 'nothing is granted' say grant ann
begin ann -P '*.x' -T b.x wait lagged
exits 'a grant is stored' 0 "version 1 of \$acl.ann" \
	say grant ann --read 'b.{sub}' --read b.x --write 'b.>'
await sh -c "test -e '$work/again' || ! kill -0 $waiting" 2>/dev/null
passes 'an event of what was granted is stored' say append b.x thing_happened
finish 'a grant reaches clients of both gateways, who see what it opens' ann
exits 'what is granted can be read' 0 'read  b.ann' say grant ann
exits 'also by programs' 0 \
	'{"user":"ann","read":["b.ann","b.x"],"write":["b.>"],"before":null}' \
	say grant ann --json
begin ann -P b.x wait lagged
passes 'a grant is taken back' say grant ann --none
finish 'a grant that shrinks reaches clients of both gateways' ann
exits 'a pattern that is none is refused' 2 '--read' \
	say grant ann --read 'b..x'
exits 'a grant that gives nothing without an admin token says so' 0 \
	'gives nothing unless' say grant zoe --read "\$acl.>"
exits 'and one that gives nobody anything is refused' 2 'local peers' \
	say grant zoe --write "\$acl.>"
exits 'a user without a name is refused' 2 'a user has a name' say grant ''
exits 'a grant that is none is stored, and it is said what follows' 0 \
	"now grants nothing: it is no map" say append "\$acl.yan" nonsense
exits 'also where only one pattern of it is none' 0 'what is no text' \
	say append "\$acl.yan" acl_changed '{"read":["a.>",5]}'
exits 'nobody is told of patterns that no gateway takes' 0 \
	'nothing is granted' say grant yan
exits 'nor is a program' 0 '"read":[]' say grant yan --json
exits 'a grant without patterns is told, too' 0 'now grants nothing' \
	say append "\$acl.yan" acl_changed '{"reed":["a.>"]}'
exits 'a revocation without a time refuses all tokens, and says so' 0 \
	'all tokens are refused' say append "\$revoke.yan" nonsense
exits 'programs learn that all are refused' 0 \
	'"before":{"$int":"18446744073709551615"}' say grant yan --json
exits 'a topic of that kind that names no user is told' 0 'names no user' \
	say append "\$acl.yan.x" acl_changed '{"read":["a.>"]}'
passes 'names are escaped' say grant 'e.v e' --read 'e.>'
exits 'and found again' 0 'acl_changed' say history "\$acl.e%2Ev%20e"

# --- revocations ---
begin old -P 'a.>' wait revoked
passes 'a user is revoked' say revoke bob
second=$(date +%s)
finish 'the revoked are sent away by both gateways' old
received 'a token that was issued before is refused' old 4503
later "$second"
token new bob --read 'a.>'
received 'one that is issued later is let in' new welcome

# --- the end of a token ---
# Of a time in which all get in and gateways look at their clocks once more; how
# long that takes is not known before.
for ttl in 3 10 30 100 300; do
	"$peal" token --data "$data" --sub end --ttl $ttl --read 'a.>' \
	    >"$work/short"
	begin short -P 'a.>' wait expiring
	ends "$waiting"
	grep -q 'no welcome\|closed with 4401, not told' "$work/wait.short" ||
		break
done
finished 'the end of a token is announced, and then it is the end' short

# --- a gateway that was lapped ---
begin lapped -P 'a.>' wait revoked
slow=$(gateways | head -n 1)
kill -STOP "$slow"
passes 'a user is revoked while a gateway stands still' say revoke cat
passes 'and the ring moves on beyond it' \
	produce -n 5000 -B 100 -w 64 -d "$deadline" -l "$data/log"
kill -CONT "$slow"
finish 'the lapped gateway sends the revoked away, too' lapped
passes 'it knew that it was lapped' await grep -q 'lapped:' "$work/up.err"
received 'their token is refused' lapped 4503

# --- without the broker ---
begin away -P 'a.>' wait revoked
was=$(broker)
kill -STOP "$was"
passes 'a user is revoked while the broker stands still' say revoke dan
finish 'gateways that are up need no broker for it' away
old_ones=$(gateways)
before=$(how_often 'permissions are not known yet')
kill -KILL $old_ones
await_here new_gateways "$old_ones" || bail 'no gateways came back'
passes 'gateways that start wait for the broker, and say so' \
	await_here said 'permissions are not known yet' "$before"
passes 'until then nobody is let in' clients away knock
kill -CONT "$was"
opens() {
	clients new try >/dev/null 2>&1
}
await_here opens || bail 'the gateways never opened'
received 'then tokens that are revoked are refused' away 4503
received 'also those from before' old 4503
received 'and the others let in' new welcome
passes 'a revocation is taken back' say revoke dan --before 0
received 'and the token is good again' away welcome
house_down

# --- token keys ---
key() {
	head -c 48 /dev/urandom | base64 -w 0 >"$work/$1"
}

# sign NAME FILE KID [OPTION...]: a token of whoever, in $work/NAME.
sign() {
	name=$1 file=$2 kid=$3
	shift 3
	token "$name" eve --read 'a.>' --key "$work/$file" --kid "$kid" "$@"
}

# reread TEXT: both gateways say it when they are told to read keys again.
reread() {
	lines=$(how_often "$1")
	kill -HUP $(gateways)
	await_here said "$1" $((lines + 1))
}

key a.secret
key b.secret
sign of_a a.secret a
sign of_b b.secret b
house_up --gateways 2 -o auth.keys="$work/a.secret $work/b.secret"
received 'a token is verified under the key that its kid names' of_a welcome
received 'or under the other one' of_b welcome
sign wrong a.secret b
received 'but not under the wrong one' wrong 4401
begin of_b -P '*.x' -T a.x wait lagged
mv "$work/b.secret" "$work/old.secret"
key b.secret
passes 'keys are read again' reread 'token keys were read again'
received 'a token of the key that is gone is refused' of_b 4401
received 'one of the key that stayed is not' of_a welcome
sign of_new b.secret b
received 'nor is one of the new key' of_new welcome
echo short >"$work/b.secret"
passes 'a key that is no good changes nothing, and that is said' \
	reread 'token keys stay as they were'
received 'the new key still counts' of_new welcome
passes 'who was connected stays connected' \
	say grant eve --read a.x --read b.x
await sh -c "test -e '$work/again' || ! kill -0 $waiting" 2>/dev/null
passes 'an event is stored' say append a.x thing_happened
finish 'and gets what there is' of_b
house_down

# --- every algorithm, and what is wrong beside the signature ---
pair() {
	openssl genpkey -algorithm "$@" -out "$work/$1.key" 2>/dev/null &&
	    openssl pkey -in "$work/$1.key" -pubout -out "$work/$1.pem"
}

if command -v openssl >/dev/null && pair RSA && pair ED25519 &&
    pair EC -pkeyopt ec_paramgen_curve:P-256; then
	house_up --gateways 1 -o auth.audience=peal -o \
	    auth.keys="$work/RSA.pem $work/ED25519.pem $work/EC.pem $work/a.secret"
	for alg in RSA ED25519 EC; do
		sign "of_$alg" "$alg.key" "$alg" -o auth.audience=peal
		received "a token signed with $alg is good" "of_$alg" welcome
		cp "$work/$alg.pem" "$work/$alg.secret"
		sign confused "$alg.secret" "$alg" -o auth.audience=peal
		received "one keyed with the public key of $alg is not" \
			confused 4401
	done
	sign mac a.secret a -o auth.audience=peal
	received 'a token with an HMAC is good' mac welcome
	sign other a.secret a -o auth.audience=other
	received 'one for another audience is not' other 4401
	sign nobody a.secret a
	received 'nor is one for none' nobody 4401
	house_down
else
	echo "# SKIP tokens of every algorithm: no openssl that makes the keys"
fi
plan $count
