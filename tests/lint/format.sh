#!/bin/sh
# The C files are formatted as clang-format 14 does it.
. "$(dirname "$0")/lint.sh"

for tool in clang-format-14 clang-format none; do
	! "$tool" --version 2>/dev/null | grep -q 'version 14\.' || break
done
[ "$tool" != none ] || skip_all 'clang-format 14 is not installed'

check() {
	# shellcheck disable=SC2086 # lists of words
	set -- $(sources $rooms tests)
	[ "$1" != no-sources-found ] || {
		echo 'no sources found'
		return
	}
	"$tool" --style=file --dry-run -Werror "$@" 2>&1
}

crooked() {
	cp "$top/.clang-format" .
	printf 'int  answer( void );\n' | put core/crooked.h
}

accepts 'every C file is formatted'
refuses 'a tree without sources is refused' 'no sources found' :
refuses 'a file that is not formatted is refused' core/crooked.h crooked
finish
