#!/bin/sh
# Each header compiles alone, and is guarded by the name of its place.  Tables
# that say "no include guard on purpose" are left out.
. "$(dirname "$0")/lint.sh"

: "${CC:=cc}"

guard() {
	printf 'PEAL_%s' "$1" | tr 'a-z/.' 'A-Z__'
}

check() {
	# shellcheck disable=SC2086 # a list of words
	headers=$(sources $rooms tests | grep '\.h$')
	[ -n "$headers" ] || echo 'no headers found'
	for header in $headers; do
		! grep -q 'no include guard on purpose' "$header" || continue
		grep -q "^#ifndef $(guard "$header")\$" "$header" ||
			echo "$header: its guard is not $(guard "$header")"
		# shellcheck disable=SC2086 # words
		$CC -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter \
		    -Werror -I. ${LINT_CPPFLAGS-} -fsyntax-only -include "$header" \
		    -x c /dev/null 2>&1 | sed "s|^|$header: |"
	done
}

needy() {
	put core/needy.h <<'END'
#ifndef PEAL_CORE_NEEDY_H
#define PEAL_CORE_NEEDY_H
uint64_t needy(void);
#endif
END
}

misnamed() {
	put core/here.h <<'END'
#ifndef PEAL_CORE_THERE_H
#define PEAL_CORE_THERE_H
#endif
END
}

accepts 'each header compiles alone and is guarded by its name'
refuses 'a tree without headers is refused' 'no headers found' :
refuses 'a header that needs another first is refused' uint64_t needy
refuses 'a guard of another name is refused' PEAL_CORE_HERE_H misnamed
finish
