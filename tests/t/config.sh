#!/bin/sh
# Every value out of range, and every name that is none, is refused with 2 and
# a sentence that names it; what is configured is what is in force.
. "$(dirname "$0")/../lib/house.sh"

daemon=$top_builddir/peal-writer
"$peal" config -c /dev/null >"$work/all.conf" || bail 'no configuration'

# section.key=default of all keys, from what `peal config` prints.
keys() {
	awk '/^\[/ { section = substr($1, 2, length($1) - 2) }
		/^[a-z_]+ *=/ { key = $1; value = $0; sub(/=.*/, "", key)
			sub(/^[^=]*= */, "", value)
			print section "." key "=" value }' "$work/all.conf"
}

# refused ASSIGNMENT [TEXT]: with 2, and the key named, or the text said.
refused() {
	got=0
	# Should it be accepted, there is no directory to work in.
	timeout "$deadline" "$daemon" -c /dev/null -o log.directory=/dev/null/none \
	    -o ring.directory=/dev/null/none -o "$1" >"$work/said" 2>&1 || got=$?
	[ $got -eq 2 ] && grep -qF "${2-${1%%=*}}" "$work/said" || {
		echo "status $got of -o $1" | cut -c 1-200
		cut -c 1-200 "$work/said"
		return 1
	}
}

long=$(head -c 100000 /dev/zero | tr '\0' x)

numbers_refused() {
	bad=0 n=0
	for assignment in $(keys | grep '=[0-9][0-9]*[KMGT]*$'); do
		key=${assignment%%=*} n=$((n + 1))
		for value in -1 '' x 1x 0x10 1.5 ' ' 99999999999999999999999 \
		    18446744073709551615 +1 1,000; do
			refused "$key=$value" || bad=1
		done
	done
	[ $n -gt 10 ] && [ $bad -eq 0 ]
}

texts_refused() {
	bad=0 n=0
	for assignment in $(keys | grep -v '=[0-9][0-9]*[KMGT]*$'); do
		n=$((n + 1))
		refused "${assignment%%=*}=$long" || bad=1
	done
	[ $n -gt 3 ] && [ $bad -eq 0 ]
}

names_refused() {
	refused ring=1 ring && refused ring.=1 '[ring]' &&
		refused .slots=1 section && refused ring.colour=1 colour &&
		refused colour.slots=1 colour && refused RING.slots=1 RING &&
		refused ring.slots.more=1 slots.more && refused =1 '=1' &&
		refused 'ring slots=1' 'ring slots'
}

file() {
	printf "$1" >"$work/peal.conf"
	timeout "$deadline" "$daemon" -c "$work/peal.conf" \
	    -o log.directory=/dev/null/none -o ring.directory=/dev/null/none 2>&1
}

complete() {
	printf '[tls]\ncertificate = %s\nkey = %s\n' "$data/tls/cert.pem" \
	    "$data/tls/key.pem"
	printf '[log]\ndirectory = %s\n' "$data/log"
	printf '[auth]\nkeys = %s issuer.pem\n' "$data/auth/dev.pem"
}

# checked [LINE...]: of the file that is complete, and these lines.
checked() {
	{
		complete
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$work/checked.conf"
	"$peal" config check "$work/checked.conf"
}

# altered SCRIPT: the complete one, changed by sed.
altered() {
	complete | sed "$1" >"$work/altered.conf"
	"$peal" config check "$work/altered.conf"
}

all_at_once() {
	got=0
	checked '[ring]' 'group = no-such-group' '[gateway]' 'listen = here' \
	    'trusted = 1.2.3' "static = $work/absent" \
	    '[fold]' 'rules = *=eat' >"$work/said" 2>&1 || got=$?
	[ $got -eq 2 ] || return 1
	for word in "ring.group: there is no group 'no-such-group'" \
	    "gateway.listen: 'here'" "gateway.trusted: '1.2.3'" \
	    'gateway.static: cannot open' 'rule .\*=eat'; do
		[ "$(grep -c "$word" "$work/said")" -eq 1 ] || {
			echo "of '$word':"
			cat "$work/said"
			return 1
		}
	done
}

# Each daemon refuses what its check refuses, in the same words.
same_at_start() {
	checked '[gateway]' 'listen = here' >"$work/said" 2>&1
	"$top_builddir/peal-gateway" -c "$work/checked.conf" \
	    -o ring.directory="$data/run" 2>"$work/started"
	[ $? -eq 2 ] || return 1
	words=$(sed -n 's/.*\(gateway.listen: .*\)/\1/p' "$work/said")
	[ -n "$words" ] && grep -qF -e "$words" "$work/started"
}

nothing_changed() {
	fingerprint "$data" >"$work/after" && cmp "$work/before" "$work/after"
}

plan 23
house_up --gateways 1
house_down
fingerprint "$data" >"$work/before"
exits 'a complete configuration is found so' 0 'nothing is wrong' checked
exits 'of credentials that are not here it is said' 0 "'issuer.pem'" checked
exits 'of each of them, however they are separated' 0 "'other.pem'" \
    altered 's|^keys = |keys = other.pem  |'
exits 'a certificate that is none is named' 2 "certificate '/dev/null'" \
    altered 's|^certificate = .*|certificate = /dev/null|'
passes 'all that is wrong is said at once, and once' all_at_once
exits 'a key that is not there is named' 2 "auth.keys: cannot open '$work/no" \
    altered "s|^keys = .*|keys = $work/no.pem|"
exits 'a directory that is none is named' 2 'log.directory' \
    altered 's|^directory = .*|directory = /dev/null|'
exits 'a name that is none is refused before anyone is asked' 2 \
    'checked.conf:8: there is no section "rings"' checked '[rings]'
exits 'a file that is not there cannot be checked' 2 "$work/absent" \
    "$peal" config check "$work/absent"
passes 'a daemon refuses to start for the same reason' same_at_start
passes 'and nothing has changed' nothing_changed
passes 'numbers that are none or out of range are refused' numbers_refused
passes 'texts that are too long are refused' texts_refused
passes 'names that are no keys are refused' names_refused
exits 'a wrong line of a file is named' 2 'peal.conf:3' \
    file '[ring]\nslots = 8\nslots == 8\n'
exits 'a value out of range in a file is named' 2 'peal.conf:2' \
    file '[ring]\nslots = 7\n'
exits 'an unknown section is named' 2 'colour' file '[colour]\nred = 1\n'
exits 'a key before any section is refused' 2 'peal.conf:1' file 'slots = 8\n'
exits 'a file of any bytes is refused' 2 'peal.conf' \
    file '\001\002\377\376[ring\n\000'
exits 'a file that is not there is named' 2 "$work/absent" \
    "$daemon" -c "$work/absent"
exits 'what peal config prints is a configuration' 0 '' \
    "$peal" config -c "$work/all.conf"
exits 'an option stands above the file' 0 'slots = 16' \
    "$peal" config -c "$work/all.conf" -o ring.slots=16
exits 'an unknown option is refused' 2 'conjure' "$daemon" --conjure
