#!/bin/sh
# Includes point down the tree only, as the table "Rooms" in DESIGN.md says,
# and each foreign library has one home.
. "$(dirname "$0")/lint.sh"

# may ROOM: the rooms whose headers it may include.
may() {
	case $1 in
	core) echo core ;;
	shm | log) echo "core $1" ;;
	writer | broker) echo "core shm log $1" ;;
	gateway) echo core shm gateway ;;
	tools) echo core shm log tools ;;
	esac
}

# home HEADER: the files that may include it, as shell patterns.
home() {
	case $1 in
	openssl/*) echo 'gateway/tls* gateway/token* tools/remote* tools/tls_brief*
	    tools/selfsigned* tools/token_sign* tools/tls_bare* core/sha256*' ;;
	wslay/*) echo 'gateway/ws*' ;;
	event2/* | event.h) echo 'core/loop.c gateway/conn* gateway/listen.c' ;;
	msgpack.h | msgpack/*) echo 'core/mp.c' ;;
	jansson.h) echo 'core/json*' ;;
	lmdb.h) echo 'broker/store* broker/clients*' ;;
	zstd.h) echo 'core/zstd*' ;;
	*) echo '*' ;;
	esac
}

at_home() {
	for pattern in $2; do
		# shellcheck disable=SC2254 # it is a pattern
		case $1 in
		$pattern) return 0 ;;
		esac
	done
	return 1
}

check() {
	set -f
	seen=0
	for room in $rooms; do
		[ -d "$room" ] || continue
		for file in $(sources "$room" | grep /); do
			seen=$((seen + 1))
			for header in $(sed -n 's/^#[ \t]*include "\(.*\)".*/\1/p' \
			    "$file"); do
				case " $(may "$room") " in
				*" ${header%%/*} "*) continue ;;
				esac
				[ "$header" = config.h ] ||
					echo "$file must not include $header"
			done
			for header in $(sed -n 's/^#[ \t]*include <\(.*\)>.*/\1/p' \
			    "$file"); do
				at_home "$file" "$(home "$header")" ||
					echo "$file is no home of $header"
			done
		done
	done
	[ "$seen" -gt 0 ] || echo 'no sources found'
}

upward() {
	echo '#include "writer/sequence.h"' | put core/bad.c
}

sideways() {
	echo '#include "log/log_reader.h"' | put gateway/bad.h
}

without_room() {
	echo '#include "stray.h"' | put shm/bad.h
}

foreign() {
	echo '#include <openssl/ssl.h>' | put writer/bad.c
}

downward() {
	printf '#include "%s"\n' core/mp.h shm/ring_reader.h gateway/tls.h |
		put gateway/tls.c
	echo '#include <openssl/ssl.h>' >>gateway/tls.c
}

accepts 'includes point down the tree and foreign headers are at home'
refuses 'a tree without sources is refused' 'no sources found' :
refuses 'an include of a higher room is refused' core/bad.c upward
refuses 'an include of a neighbour is refused' gateway/bad.h sideways
refuses 'an include without its room is refused' stray.h without_room
refuses 'a foreign header away from home is refused' writer/bad.c foreign
allows 'includes of lower rooms and the own one are allowed' downward
finish
