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
	timeout 10 "$daemon" -c /dev/null -o log.directory=/dev/null/none \
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
	timeout 10 "$daemon" -c "$work/peal.conf" \
	    -o log.directory=/dev/null/none -o ring.directory=/dev/null/none 2>&1
}

plan 12
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
