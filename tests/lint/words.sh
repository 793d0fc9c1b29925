#!/bin/sh
# Nothing is left open in the sources, and no test waits for time to pass.
. "$(dirname "$0")/lint.sh"

open_ends='\b(TO''DO|FIX''ME|X''XX)\b|not impl''emented|\bst''ub\b'
naps='\b(u|nano|clock_nano)?sl''eep *\(|^[^#]*\bsl''eep +[0-9$"]'
js_naps='waitForTimeout|timers/promises|\bpause\(|setTimeout\((r|res|resolve|yes|done)\b'
js_naps="$js_naps"'|setTimeout\(\(\) => (r|res|resolve|yes|done)\('

check() {
	# shellcheck disable=SC2086 # lists of words
	set -- $(sources $rooms tests)
	[ "$1" != no-sources-found ] || {
		echo 'no sources found'
		return
	}
	# shellcheck disable=SC2046 # a list of words
	grep -nHE "$open_ends" "$@" $(scripts client tests/browser) | sed 's/^/left open: /'
	if [ -d tests ]; then
		find tests -name node_modules -prune -o \
		    \( -name '*.[ch]' -o -name '*.sh' \) -type f \
		    -exec grep -nHE "$naps" {} + | sed 's/^/waits for time: /'
		scripts tests/browser | grep -v '^tests/browser/lib/' |
			xargs -r grep -nHE "$js_naps" | sed 's/^/waits for time: /'
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

drowsy_script() {
	echo '/* */' | put core/a.c
	echo 'await new Promise((yes) => setT''imeout(yes, 1000));' |
		put tests/browser/drowsy.test.mjs
}

open_script() {
	echo '/* */' | put core/a.c
	echo '// TO''DO: the rest' | put client/half.js
}

accepts 'nothing is left open and no test waits for time to pass'
refuses 'a tree without sources is refused' 'no sources found' :
refuses 'an open end is refused' 'log/half.c' left_open
refuses 'a pause in a C test is refused' 'test_drowsy.c' drowsy_c
refuses 'a pause in a shell test is refused' 'drowsy.sh' drowsy_sh
refuses 'a pause in a test of the client is refused' drowsy.test.mjs \
	drowsy_script
refuses 'an open end in a module is refused' client/half.js open_script
finish
