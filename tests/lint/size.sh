#!/bin/sh
# A file fits one head and a function one screen: 700 lines, and 80.
. "$(dirname "$0")/lint.sh"

check() {
	# shellcheck disable=SC2086 # lists of words
	set -- $(sources $rooms tests)
	[ "$1" != no-sources-found ] || {
		echo 'no sources found'
		return
	}
	awk '
		FNR == 1 { start = 0 }
		FNR == 701 { print FILENAME " has more than 700 lines" }
		/^\{$/ { start = FNR }
		/^\}/ && start {
			if (FNR - start - 1 > 80)
				print FILENAME ":" start ": a function of " \
				    FNR - start - 1 " lines"
			start = 0
		}
	' "$@"
	for script in $(find tests dev -name node_modules -prune -o \( -name '*.sh' -o -name dev \) -print 2>/dev/null); do
		[ "$(wc -l <"$script")" -le 700 ] ||
			echo "$script has more than 700 lines"
	done
}

lines() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "/* line */" }'
}

long_file() {
	lines "$1" | put core/long.c
}

long_function() {
	{
		printf 'void\nlong_one(void)\n{\n'
		lines "$1"
		printf '}\n'
	} | put core/long.c
}

accepts 'no file has over 700 lines and no function over 80'
refuses 'a tree without sources is refused' 'no sources found' :
refuses 'a file of 701 lines is refused' 'core/long.c' long_file 701
allows 'a file of 700 lines is allowed' long_file 700
refuses 'a function of 81 lines is refused' '81 lines' long_function 81
allows 'a function of 80 lines is allowed' long_function 80
finish
