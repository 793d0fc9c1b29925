#!/bin/sh
# `peal append` and `peal token`: answers, refusals and exit codes.
. "$(dirname "$0")/../lib/house.sh"
plan 20

append() {
	"$peal" append --data "$data" "$@"
}

exits 'without a running peal it says so' 1 'no peal is running' \
	"$peal" append -o "ring.directory=$work" a.b c
house_up --gateways 1
exits 'the first event gets seq 1 and version 1' 0 'seq 1 version 1' \
	append a.b created '{"x":1}'
exits 'another topic has versions of its own' 0 'seq 2 version 1' \
	append a.c created
exits 'the expected version lets it through' 0 'seq 3 version 2' \
	append a.b changed --expect 1
exits 'a conflict is an error with the versions' 1 'conflict' \
	append a.b changed --expect 1
exits 'nothing yet is version 0' 0 'seq 4 version 1' \
	append a.d created --expect 0
exits 'exists is no version' 1 'conflict' append a.e changed --expect exists
exits 'a key is remembered' 0 'seq 5 version 3' \
	append a.b changed '[1]' --key k
exits 'a repeat gets the first answer' 0 'seq 5 version 3 duplicate' \
	append a.b changed '[1]' --key k
exits 'a key with another event is refused' 1 'key_reused' \
	append a.b changed '[2]' --key k
exits 'data may come from stdin' 0 'seq 6' \
	sh -c "echo '{\"big\":true}' | '$peal' append --data '$data' a.f c -"
exits 'data that is no JSON is refused' 1 'no JSON' append a.b c '{"x":'
exits 'a topic that is none is refused' 1 'a..b' append a..b c
exits 'an expectation that is none is a usage error' 2 '--expect' \
	append a.b c --expect two
exits 'a missing operand is a usage error' 2 '--help' append a.b
exits 'an unknown option is a usage error' 2 "'--key'" \
	"$peal" append a.b c --key
exits 'the answer can be JSON' 0 '"versions":[1]' append a.g c --json

"$peal" token --data "$data" --sub ann --read 'a.>' --ttl 60 >"$work/ann"
passes 'a token is three parts on one line' \
	sh -c "grep -qE '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$' \
	    '$work/ann' && [ \$(wc -l <'$work/ann') -eq 1 ]"
exits 'one that gives no rights says so' 0 'gives no rights' \
	"$peal" token --data "$data" --sub ann
exits 'a token for a pattern that is none is refused' 2 '--read' \
	"$peal" token --data "$data" --read 'a..b'
house_down
