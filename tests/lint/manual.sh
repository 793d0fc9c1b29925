#!/bin/sh
# The manual is true: peal.conf(5) names every configuration key and no other,
# each subcommand has a page with exactly the options that it takes, each page
# is of something, mandoc finds no fault, and a help fits a terminal.
. "$(dirname "$0")/lint.sh"

: "${top_builddir:=$top/build}"

# Keys as the compiler sees them, read without the manual's own generator.
keys_of_table() {
	printf '#define CONF_KEY(s, k, kind, when, d, min, max, t) @s.k\n' >table.c
	cat core/conf_keys.h >>table.c
	${CC:-cc} -E -P table.c | grep -o '@[a-z0-9_]* *\. *[a-z0-9_]*' |
		tr -d '@ ' | sort
}

keys_of_page() {
	sed -n 's/^\.It Cm \([a-z0-9_.]*\) Ns = .*/\1/p' doc/man/peal.conf.5 |
		sort
}

# The names below "commands:" or "benchmarks:" of a help, or of what comes
# before its first option.
commands() {
	sed -n '/^usage:/,/^options:$/s/^  \([a-z]\{2,\}\)  *[^ ].*/\1/p' "$1"
}

# The tree: core/conf_keys.h, doc/man/, and help*, what peal --help, the
# commands' own and the daemons' print.
check() {
	keys_of_table >table 2>/dev/null
	[ -s table ] || {
		echo 'no keys found'
		return
	}
	keys_of_page >page
	comm -23 table page | sed 's/^/not in peal.conf(5): /'
	comm -13 table page | sed 's/^/is no key: /'
	awk 'length > 80 { print FILENAME " is too wide: " $0 }' \
	    help* daemon-*
	awk -f "$top/tests/lint/manual.awk" table help* daemon-* \
	    doc/man/*.[1578]
	command -v mandoc >/dev/null || return 0
	find doc/man -name '*.[1578]' $unseen \
	    -exec mandoc -T lint -W warning {} + 2>&1
}

# In which mandoc found no fault need not be read again: once the real tree
# has passed it is given this time, and wrong ones have pages of their own.
unseen=
passed=2001-01-01
seen() {
	find "$real/doc/man" -exec touch -d "$passed" {} +
	unseen="-newermt $passed"
}

# The real tree, made once: asking each command for its help takes its time.
real=$scratch/real
make_real() {
	mkdir -p "$real/core" "$real/doc/man"
	cp "$top/core/conf_keys.h" "$real/core/"
	cp "$top"/doc/man/*.[178] "$top_builddir/doc/man/peal.conf.5" \
	    "$real/doc/man/"
	"$top_builddir/peal" --help >"$real/help"
	for command in $(commands "$real/help"); do
		"$top_builddir/peal" "$command" --help >"$real/help-$command"
		for what in $(commands "$real/help-$command"); do
			"$top_builddir/peal" "$command" "$what" --help \
			    >"$real/help-$command-$what"
		done
	done
	for daemon in peal-writer peal-broker peal-gateway; do
		"$top_builddir/$daemon" --help >"$real/daemon-$daemon"
	done
}

tree() {
	cp -Rp "$real/." .
}

# changed PAGE SCRIPT: one page is what sed makes of it.
changed() {
	tree
	sed "$2" "doc/man/$1" >changed
	mv changed "doc/man/$1"
}

# ending FILE LINE: one file has a line more at its end.
ending() {
	tree
	printf '%s\n' "$2" >>"$1"
}

unmentioned() {
	ending help 'usage:'
	echo '  conjure    make events from nothing' >>help
	: >help-conjure
}

commandless() {
	tree
	: >help
}

invented() {
	tree
	cp doc/man/peal-tail.1 doc/man/peal-conjure.1
}

option='  -x, --conjure N     from nothing'

[ -x "$top_builddir/peal-gateway" ] && [ -x "$top_builddir/peal" ] || skip_all 'peal is not built: run make'

make_real
allows 'the manual names every key, every command and every option' tree
seen
refuses 'an empty tree is refused' 'no keys found' :
refuses 'a key that the page lacks is refused' \
	'not in peal.conf(5): ring.slots' \
	changed peal.conf.5 '/^\.It Cm ring\.slots /d'
refuses 'a key that the table lacks is refused' 'is no key: ring.colour' \
	ending doc/man/peal.conf.5 '.It Cm ring.colour Ns = Ns Ar text'
refuses 'programs without commands are refused' 'no commands found' commandless
refuses 'a command without a page is refused' 'no page: peal-conjure.1' \
	unmentioned
refuses 'a command that peal(1) lacks is refused' 'not in peal(1): tail' \
	changed peal.1 '/^\.It Xr peal-tail /d'
refuses 'a page of no command is refused' \
	'page of no command: peal-conjure.1' invented
refuses 'a page that says something else than --help is refused' \
	'peal-tail.1: peal --help says' \
	changed peal-tail.1 's/^\.Nd .*/.Nd from nothing/'
refuses 'a page without an example is refused' \
	'peal-tail.1: has no example of peal tail' \
	changed peal-tail.1 '/^\$ peal tail/d'
refuses 'an option that a page lacks is refused' \
	'peal-append.1: lacks the option --conjure' ending help-append "$option"
refuses 'so is its letter' 'peal-append.1: lacks the option -x' \
	ending help-append "$option"
refuses 'an option that a synopsis lacks is refused' \
	"not in the synopsis 'peal Cm append': --conjure" ending help-append "$option"
refuses 'an option of a command below a command is refused' \
	"not in the synopsis 'peal Cm log cat': --conjure" \
	ending help-log-cat '      --conjure N     from nothing'
refuses 'a letter that a page lacks is refused' \
	'peal-tail.1: lacks the option -n' \
	changed peal-tail.1 's/^\.It Fl n , Fl Fl count/.It Fl Fl count/'
refuses 'an option that is none is refused' \
	'peal-tail.1: tells of what is no option: --conjure' \
	changed peal-tail.1 's/^\.It Fl Fl from /.It Fl Fl conjure Ar n\n&/'
refuses 'an option in a synopsis that is none is refused' \
	"synopsis 'peal Cm log cat' has what is no option: --conjure" \
	changed peal-log.1 's/^\.Op Fl Fl from /.Op Fl Fl conjure Ar n\n&/'
refuses "a daemon's option that its page lacks is refused" \
	'peal-writer.8: lacks the option --conjure' \
	ending daemon-peal-writer "$option"
refuses 'a help that is wider than a terminal is refused' \
	'help-append is too wide' ending help-append "$(printf '%81s' .)"
refuses 'a reference to no page is refused' 'no page: peal-conjure(1)' \
	ending doc/man/peal.1 '.Xr peal-conjure 1'
refuses 'a key that pages tell of and that is none is refused' \
	'is no key: ring.colour' ending doc/man/peal.1 '.Cm ring.colour'
refuses 'options within options are refused' 'conjure Op Ar a' \
	ending doc/man/peal.1 '.It Cm conjure Op Ar a Op Ar b'
if command -v mandoc >/dev/null; then
	refuses 'a page with a fault is refused' peal-writer.8 \
		ending doc/man/peal-writer.8 '.Bl -bogus'
fi
finish
