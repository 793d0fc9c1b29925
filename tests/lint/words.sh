#!/bin/sh
# Nothing is left open in the sources, and no test waits for time to pass.
. "$(dirname "$0")/lint.sh"

open_ends='\b(TO''DO|FIX''ME|X''XX)\b|not impl''emented|\bst''ub\b'
naps='\b(u|nano|clock_nano)?sl''eep *\(|^[^#]*\bsl''eep +[0-9$"]'

check() {
	# shellcheck disable=SC2086 # lists of words
	set -- $(sources $rooms tests)
	[ "$1" != no-sources-found ] || {
		echo 'no sources found'
		return
	}
	grep -nHE "$open_ends" "$@" | sed 's/^/left open: /'
	if [ -d tests ]; then
		find tests -name node_modules -prune -o \
		    \( -name '*.[ch]' -o -name '*.sh' \) -type f \
		    -exec grep -nHE "$naps" {} + | sed 's/^/waits for time: /'
	fi
	return 0
}

left_open() {
	echo '/* TO''DO: the rest */' | put log/half.c
}

drowsy_c() {
	echo '	usl''eep(1000);' | put tests/unit/test_drowsy.c
}

drowsy_sh() {
	echo '/* */' | put core/a.c
	printf '%s\n' 'wait' 'sl''eep 1' | put tests/t/drowsy.sh
}

accepts 'nothing is left open and no test waits for time to pass'
refuses 'a tree without sources is refused' 'no sources found' :
refuses 'an open end is refused' 'log/half.c' left_open
refuses 'a pause in a C test is refused' 'test_drowsy.c' drowsy_c
refuses 'a pause in a shell test is refused' 'drowsy.sh' drowsy_sh
finish
