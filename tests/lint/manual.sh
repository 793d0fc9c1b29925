#!/bin/sh
# The manual is true: peal.conf(5) names every configuration key and no other,
# each subcommand of peal is in peal(1), options stand beside one another and
# not within, and mandoc finds no fault.
. "$(dirname "$0")/lint.sh"

: "${top_builddir:=$top/build}"

# Keys as the compiler sees them, read without the manual's own generator.
keys_of_table() {
	printf '#define CONF_KEY(s, k, kind, d, min, max, t) @s.k\n' >table.c
	cat core/conf_keys.h >>table.c
	${CC:-cc} -E -P table.c | grep -o '@[a-z0-9_]* *\. *[a-z0-9_]*' |
		tr -d '@ ' | sort
}

keys_of_page() {
	sed -n 's/^\.It Cm \([a-z0-9_.]*\) Ns = .*/\1/p' doc/man/peal.conf.5 |
		sort
}

# The names below "commands:" or "benchmarks:" of a help.
commands() {
	sed -n '/^[a-z]*s:$/,/^$/s/^  \([a-z]\{2,\}\) .*/\1/p' "$1"
}

# The tree: core/conf_keys.h, doc/man/, and help*, what peal --help and the
# commands' own print.
check() {
	[ -n "$(keys_of_table 2>/dev/null)" ] || echo 'no keys found'
	keys_of_table >table 2>/dev/null
	keys_of_page >page 2>/dev/null
	comm -23 table page | sed 's/^/not in peal.conf(5): /'
	comm -13 table page | sed 's/^/is no key: /'
	commands help 2>/dev/null | while read -r command; do
		grep -q "^\.It Cm $command\b" doc/man/peal.1 ||
			echo "not in peal(1): $command"
	done
	cat help* 2>/dev/null | grep -o '^ *\(-[a-z], \)*--[a-z-]*' |
	    sed 's/.*--//' | sort -u | while read -r option; do
		grep -q "Fl Fl $option\b" doc/man/peal.1 ||
			echo "not in peal(1): --$option"
	done
	grep -n '^\..* Op .* Op ' doc/man/*.[158] /dev/null |
		sed 's/^/brackets within brackets: /'
	command -v mandoc >/dev/null || return 0
	for page in doc/man/*.[158]; do
		mandoc -T lint -W warning "$page" 2>&1
	done
}

tree() {
	mkdir -p core doc/man
	cp "$top/core/conf_keys.h" core/
	cp "$top"/doc/man/*.[18] "$top_builddir/doc/man/peal.conf.5" doc/man/
	"$top_builddir/peal" --help >help
	for command in $(commands help); do
		"$top_builddir/peal" "$command" --help >"help-$command"
		for what in $(commands "help-$command"); do
			"$top_builddir/peal" "$command" "$what" --help \
			    >"help-$command-$what"
		done
	done
}

lacking() {
	tree
	sed '/^\.It Cm ring\.slots /d' doc/man/peal.conf.5 >less
	mv less doc/man/peal.conf.5
}

beyond() {
	tree
	echo '.It Cm ring.colour Ns = Ns Ar text' >>doc/man/peal.conf.5
}

unmentioned() {
	tree
	printf 'commands:\n  conjure    make events from nothing\n\n' >help
}

hidden() {
	tree
	printf 'options:\n  -x, --conjure N     from nothing\n' >help-append
}

nested() {
	tree
	echo '.It Cm conjure Op Fl a Op Fl b' >>doc/man/peal.1
}

broken() {
	tree
	echo '.Bl -bogus' >>doc/man/peal-writer.8
}

[ -x "$top_builddir/peal" ] || skip_all 'peal is not built: run make'

allows 'the manual names every key and every command' tree
refuses 'an empty tree is refused' 'no keys found' :
refuses 'a key that the page lacks is refused' \
	'not in peal.conf(5): ring.slots' lacking
refuses 'a key that the table lacks is refused' 'is no key: ring.colour' beyond
refuses 'a command that the page lacks is refused' 'peal(1): conjure' \
	unmentioned
refuses 'an option that the page lacks is refused' 'peal(1): --conjure' hidden
refuses 'options within options are refused' 'conjure Op Fl a' nested
if command -v mandoc >/dev/null; then
	refuses 'a page with a fault is refused' peal-writer.8 broken
fi
finish
