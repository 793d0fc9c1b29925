#!/bin/sh
# The manual is true: peal.conf(5) names every configuration key and no other,
# each subcommand has a page with exactly the options that it takes, each page
# is of something, and mandoc finds no fault.
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

# The options of a help, all spellings of one on a line.
options_of_help() {
	sed -n -e 's/^  \(-[a-zA-Z0-9]\), \(--[a-z0-9-]*\).*/\1 \2/p' \
	    -e 's/^      \(--[a-z0-9-]*\).*/\1/p' "$1" | grep -v -e '--help$'
}

# Each spelling of an option within the lines that begin with MACRO.
spellings() {
	sed -n "s/^\\.$1 //p" | sed 's/Fl Fl /\n--/g; s/Fl /\n-/g' |
		sed -n 's/^\(-[a-zA-Z0-9-]*\).*/\1/p' |
		grep -v -x -e --help -e -h | sort -u
}

# The lines of a page's synopsis from "PROGRAM Cm WORDS" on.
form() {
	awk -v want=".Nm $2" '
		/^\.Sh/ { inside = /^\.Sh SYNOPSIS/ }
		/^\.Nm/ { on = inside && $0 == want }
		on
	' "$1"
}

# compare PAGE HELP FORM: every option is in the synopsis of this form, in one
# of its spellings, and nothing else is.
compare_form() {
	form "$1" "$3" >form
	[ -s form ] || echo "no synopsis '$3': $1"
	spellings Op <form >have
	options_of_help "$2" >want
	while read -r spelled; do
		# shellcheck disable=SC2086 # spellings of one option
		grep -q -x $(printf -- '-e %s ' $spelled) have ||
			echo "not in the synopsis '$3': $spelled"
	done <want
	tr ' ' '\n' <want | sort >known
	comm -23 have known | sed "s|^|synopsis '$3' has no option: |"
}

# page_options PAGE HELP...: it tells what each option of the helps means, in
# each of its spellings, and of no other.
page_options() {
	page=$1
	shift
	for help; do
		options_of_help "$help" | tr ' ' '\n'
	done | sort -u >known
	spellings It <"$page" >told
	comm -23 known told | sed "s|^|not in $page: |"
	comm -13 known told | sed "s|^|no option, in $page: |"
}

# The page of a command, with those below it: peal log has three.
command_page() {
	page=doc/man/peal-$1.1
	[ -f "$page" ] || {
		echo "no page: $page"
		return
	}
	text=$(sed -n "s/^  $1  *//p" help)
	grep -q -x -F ".Nd $text" "$page" ||
		echo "peal --help says '$text', not so .Nd of $page"
	grep -q "^\.It Xr peal-$1 1" doc/man/peal.1 ||
		echo "not in peal(1): $1"
	set -- "$1" $(commands "help-$1")
	helps=help-$1
	if [ -n "$(options_of_help "help-$1")" ]; then
		compare_form "$page" "help-$1" "peal Cm $1"
	fi
	command=$1
	shift
	for what; do
		compare_form "$page" "help-$command-$what" \
		    "peal Cm $command $what"
		helps="$helps help-$command-$what"
	done
	# shellcheck disable=SC2086 # names of files
	page_options "$page" $helps
}

# What pages refer to is there.
references() {
	grep -ho '^\.\(It \)*Xr peal[a-z.-]* [1-8]' doc/man/*.[1578] |
	    sed 's/.*Xr //' | sort -u | while read -r name section; do
		[ -f "doc/man/$name.$section" ] ||
			echo "refers to no page: $name($section)"
	done
	sections=$(sed 's/\..*//' table | sort -u | paste -sd'|')
	grep -hoE "\\b(Cm|Va|Fl o|-o) ($sections)\\.[a-z_]+" doc/man/*.[178] |
	    sed 's/.* //' | sort -u | comm -23 - table |
		sed 's/^/is no key: /'
}

# The tree: core/conf_keys.h, doc/man/, and help*, what peal --help, the
# commands' own and the daemons' print.
check() {
	[ -n "$(keys_of_table 2>/dev/null)" ] || {
		echo 'no keys found'
		return
	}
	keys_of_table >table 2>/dev/null
	keys_of_page >page
	comm -23 table page | sed 's/^/not in peal.conf(5): /'
	comm -13 table page | sed 's/^/is no key: /'
	commands help >all
	while read -r command; do
		command_page "$command"
	done <all
	for page in doc/man/peal-*.1; do
		command=$(basename "$page" .1)
		grep -q -x -F "${command#peal-}" all ||
			echo "page of no command: $page"
	done
	for help in daemon-*; do
		page_options "doc/man/${help#daemon-}.8" "$help"
	done
	references
	grep -n '^\..* Op .* Op ' doc/man/*.[1578] /dev/null |
		sed 's/^/brackets within brackets: /'
	command -v mandoc >/dev/null || return 0
	for page in doc/man/*.[1578]; do
		mandoc -T lint -W warning "$page" 2>&1
	done
}

tree() {
	mkdir -p core doc/man
	cp "$top/core/conf_keys.h" core/
	cp "$top"/doc/man/*.[178] "$top_builddir/doc/man/peal.conf.5" doc/man/
	"$top_builddir/peal" --help >help
	for command in $(commands help); do
		"$top_builddir/peal" "$command" --help >"help-$command"
		for what in $(commands "help-$command"); do
			"$top_builddir/peal" "$command" "$what" --help \
			    >"help-$command-$what"
		done
	done
	for daemon in peal-writer peal-broker peal-gateway; do
		"$top_builddir/$daemon" --help \
		    >"daemon-$daemon"
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
	printf 'usage:\n  conjure    make events from nothing\n' >>help
	: >help-conjure
}

unlisted() {
	tree
	sed '/^\.It Xr peal-tail /d' doc/man/peal.1 >less
	mv less doc/man/peal.1
}

invented() {
	tree
	cp doc/man/peal-tail.1 doc/man/peal-conjure.1
}

retold() {
	tree
	sed 's/^\.Nd .*/.Nd from nothing/' doc/man/peal-tail.1 >less
	mv less doc/man/peal-tail.1
}

hidden() {
	tree
	printf '  -x, --conjure N     from nothing\n' >>help-append
}

hidden_below() {
	tree
	printf '      --conjure N     from nothing\n' >>help-log-cat
}

hidden_letter() {
	tree
	sed 's/^\.It Fl n , Fl Fl count/.It Fl Fl count/' doc/man/peal-tail.1 >less
	mv less doc/man/peal-tail.1
}

promised() {
	tree
	sed 's/^\.It Fl Fl from /.It Fl Fl conjure Ar n\n&/' \
	    doc/man/peal-tail.1 >more
	mv more doc/man/peal-tail.1
}

promised_above() {
	tree
	sed 's/^\.Op Fl Fl from /.Op Fl Fl conjure Ar n\n&/' \
	    doc/man/peal-log.1 >more
	mv more doc/man/peal-log.1
}

hidden_daemon() {
	tree
	printf '  -x, --conjure N     from nothing\n' >>daemon-peal-writer
}

astray() {
	tree
	printf '.Xr peal-conjure 1\n' >>doc/man/peal.1
}

keyless() {
	tree
	printf '.Cm ring.colour\n' >>doc/man/peal.1
}

nested() {
	tree
	echo '.It Cm conjure Op Ar a Op Ar b' >>doc/man/peal.1
}

broken() {
	tree
	echo '.Bl -bogus' >>doc/man/peal-writer.8
}

[ -x "$top_builddir/peal-gateway" ] && [ -x "$top_builddir/peal" ] || skip_all 'peal is not built: run make'

allows 'the manual names every key, every command and every option' tree
refuses 'an empty tree is refused' 'no keys found' :
refuses 'a key that the page lacks is refused' \
	'not in peal.conf(5): ring.slots' lacking
refuses 'a key that the table lacks is refused' 'is no key: ring.colour' beyond
refuses 'a command without a page is refused' 'no page: doc/man/peal-conjure.1' \
	unmentioned
refuses 'a command that peal(1) lacks is refused' 'not in peal(1): tail' \
	unlisted
refuses 'a page of no command is refused' \
	'page of no command: doc/man/peal-conjure.1' invented
refuses 'a page that says something else than --help is refused' \
	'not so .Nd of doc/man/peal-tail.1' retold
refuses 'an option that a page lacks is refused' \
	'not in doc/man/peal-append.1: --conjure' hidden
refuses 'so is its letter' 'not in doc/man/peal-append.1: -x' hidden
refuses 'an option that a synopsis lacks is refused' \
	"not in the synopsis 'peal Cm append': -x --conjure" hidden
refuses 'an option of a command below a command is refused' \
	"not in the synopsis 'peal Cm log cat': --conjure" hidden_below
refuses 'a letter that a page lacks is refused' 'not in doc/man/peal-tail.1: -n' \
	hidden_letter
refuses 'an option that is none is refused' \
	'no option, in doc/man/peal-tail.1: --conjure' promised
refuses 'an option in a synopsis that is none is refused' \
	"synopsis 'peal Cm log cat' has no option: --conjure" promised_above
refuses "a daemon's option that its page lacks is refused" \
	'not in doc/man/peal-writer.8: --conjure' hidden_daemon
refuses 'a reference to no page is refused' 'no page: peal-conjure(1)' astray
refuses 'a key that pages tell of and that is none is refused' \
	'is no key: ring.colour' keyless
refuses 'options within options are refused' 'conjure Op Ar a' nested
if command -v mandoc >/dev/null; then
	refuses 'a page with a fault is refused' peal-writer.8 broken
fi
finish
