#!/bin/sh
# A file fits one head and a function one screen: 700 lines, and 80.  Lines of
# modules, which nothing formats, have at most 100 characters.
. "$(dirname "$0")/lint.sh"

# Functions and methods of modules, told by how they begin and by the brace
# that ends them in the column where they began.  Functions within one count
# for themselves, not for it.
check_scripts() {
	awk '
		FNR == 1 { depth = 0 }
		FNR == 701 { print FILENAME " has more than 700 lines" }
		length($0) > 100 {
			print FILENAME ":" FNR ": a line of " length($0) " characters"
		}
		{ match($0, /^ */); column = RLENGTH }
		/^ *}/ && depth && at[depth] == column {
			lines = FNR - start[depth] - 1
			if (lines - inner[depth] > 80)
				print FILENAME ":" FNR ": a function of " \
				    lines - inner[depth] " lines"
			inner[--depth] += lines + 2
		}
		/^ *(if|for|while|switch|catch|do|try|class|else)[^a-zA-Z]/ { next }
		/(=>|\)) *\{$/ {
			at[++depth] = column
			start[depth] = FNR
			inner[depth] = 0
		}
	' "$@"
}

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
	# shellcheck disable=SC2046 # lists of words
	LC_ALL=C.UTF-8 check_scripts $(scripts client tests/browser) /dev/null
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

long_script() {
	lines 1 | put core/a.c
	{
		echo 'export function long() {'
		lines "$1"
		echo '}'
	} | put client/long.js
}

long_method() {
	lines 1 | put core/a.c
	{
		printf 'class A {\n  async long({ a }) {\n    if (a) {\n'
		lines 79
		printf '    }\n  }\n  short() {\n    a();\n  }\n}\n'
	} | put tests/browser/a.test.mjs
}

factory() {
	lines 1 | put core/a.c
	{
		echo 'export function create() {'
		for name in a b c; do
			echo "  function $name() {"
			lines 40
			echo '  }'
		done
		lines "$1"
		echo '}'
	} | put client/factory.js
}

wide_script() {
	lines 1 | put core/a.c
	awk 'BEGIN { printf "//%99d\n", 1 }' | put client/wide.js
}

vendored() {
	wide_script
	mkdir client/dashboard
	mkdir client/dashboard/vendor
	mv client/wide.js client/dashboard/vendor/
}

accepts 'no file has over 700 lines and no function over 80'
refuses 'a tree without sources is refused' 'no sources found' :
refuses 'a file of 701 lines is refused' 'core/long.c' long_file 701
allows 'a file of 700 lines is allowed' long_file 700
refuses 'a function of 81 lines is refused' '81 lines' long_function 81
allows 'a function of 80 lines is allowed' long_function 80
refuses 'a function of 81 lines in a module is refused' '81 lines' \
	long_script 81
allows 'one of 80 lines is allowed' long_script 80
refuses 'a method that is too long is refused' a.test.mjs long_method
allows 'functions within one do not count for it' factory 80
refuses 'its own lines do' '81 lines' factory 81
refuses 'a line of 101 characters in a module is refused' '101 characters' \
	wide_script
allows 'what others wrote is as they wrote it' vendored
finish
