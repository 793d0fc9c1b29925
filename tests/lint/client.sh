#!/bin/sh
# Modules of client/ import nothing from outside, the client nothing of the
# dashboard; none makes HTML or code of strings; and each file that is there
# is in client/Makemodule.am, or it would be neither served nor shipped.  So is
# each test in tests/browser.am, or it would not be run.
. "$(dirname "$0")/lint.sh"

sinks='\b(inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\('
sinks="$sinks"'|new Function\b|setAttribute\("on|javascript:|DOMParser'

# What a module names behind from, import and import(), one a line; "from" is
# a string.
imports() {
	sed 's|^ *//.*||' "$1" | tr '\n' ' ' |
		grep -oE '(^|[^"])(\bfrom|\bimport) *\(? *"[^"]*"' | sed 's/.*"\(.*\)"/\1/'
}

# may_import FILE NAME
may_import() {
	case $1:$2 in
	*:*/../* | */examples/*:*) return 1 ;;
	client/dashboard/*:./* | client/dashboard/*:/*.js) return 0 ;;
	client/dashboard/*) return 1 ;;
	*:./dashboard/*) return 1 ;;
	*:./*) return 0 ;;
	client/react.js:react) return 0 ;;
	esac
	return 1
}

check() {
	modules=$(scripts client | grep -v '^client/examples/')
	[ -n "$modules" ] || echo 'no modules found'
	for file in $modules; do
		for name in $(imports "$file"); do
			may_import "$file" "$name" ||
				echo "$file must not import $name"
		done
		grep -nHE "$sinks" "$file" | sed 's/^/makes code of text: /'
	done
	listed=$(tr ' \t\\' '\n\n\n' <client/Makemodule.am 2>/dev/null |
		grep '^client/')
	for file in $(find client \( -name node_modules -o -name examples \) \
	    -prune -o -type f ! -name '*.am' -print 2>/dev/null); do
		printf '%s\n' "$listed" | grep -qxF "$file" ||
			echo "client/Makemodule.am does not list $file"
	done
	for file in $(find tests/browser -name node_modules -prune -o \
	    -type f ! -name '.*' -print 2>/dev/null); do
		grep -qE "[ 	]$file( |\$)" tests/browser.am 2>/dev/null ||
			echo "tests/browser.am does not list $file"
	done
	for list in client/Makemodule.am tests/browser.am; do
		[ -f "$list" ] || continue
		grep -E '^[a-zA-Z_]* \+= [^ $]*/' "$list" | sort | uniq -d |
			sed "s|^|$list has it twice: |"
		for file in $(sed -n 's/^[a-zA-Z_]* += \([^ $]*\).*/\1/p' "$list"); do
			[ -e "$file" ] || echo "$list lists $file, which is not there"
		done
	done
}

# module FILE TEXT: a tree with it, listed.
module() {
	printf '%s\n' "$2" | put "$1"
	echo "client_modules = $1" | put client/Makemodule.am
}

unlisted() {
	module client/a.js 'a();'
	echo '<p>' | put client/dashboard/index.html
}

unlisted_test() {
	module client/a.js 'a();'
	echo 'test();' | put tests/browser/a.test.mjs
	echo 'browser_tests += tests/browser/b.test.mjs' | put tests/browser.am
}

gone() {
	module client/a.js 'a();'
	echo 'browser_tests += tests/browser/gone.test.mjs' | put tests/browser.am
}

twice() {
	module client/a.js 'a();'
	printf 'client_modules += client/a.js\n%.0s' 1 2 | put client/Makemodule.am
}

accepts 'modules of client/ stay among themselves, and all are listed'
refuses 'a tree without modules is refused' 'no modules found' :
refuses 'an import of a package is refused' 'not import ws' \
	module client/a.js 'import { a } from "ws";'
refuses 'an import of what is outside is refused' 'not import ../tests/a.js' \
	module client/a.js 'export * from "../tests/a.js";'
refuses 'one that is made late, too' 'not import ../a.js' \
	module client/a.js 'const a = await import("../a.js");'
refuses 'the client knows nothing of the dashboard' 'dashboard/dom.js' \
	module client/a.js 'import "./dashboard/dom.js";'
refuses 'HTML made of strings is refused' 'client/dashboard/a.js' \
	module client/dashboard/a.js 'e.inner''HTML = topic;'
refuses 'a file that is not listed is refused' 'dashboard/index.html' unlisted
refuses 'a test that is not listed is refused' 'browser/a.test.mjs' \
	unlisted_test
refuses 'one that is listed and gone is refused' 'gone.test.mjs, which' gone
refuses 'one that is listed twice is refused' 'has it twice' twice
allows 'modules may import their neighbours' \
	module client/a.js 'import { b } from "./b.js";'
allows 'a string may say "from"' module client/a.js 'get("from") === "now";'
allows 'the dashboard may import the client' \
	module client/dashboard/a.js 'import { connect } from "/peal.js";'
finish
