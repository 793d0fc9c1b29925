#!/bin/sh
# Each fault in this directory is made in a copy of the tree, and the tests
# that it names are run there: one of them must turn red.
#
#	run.sh [NAME...]	all, or those named; a name with / is a file
#
# A fault is a patch, under lines that say what it breaks and who must see it:
#
#	Breaks: answers leave before the flush that they rest on
#	Seen by: unit/test_syncer t/order
#
# Where nothing but a test that never ends can tell, a third line says so; with
# any other fault a test that hangs is run once more, for on a busy machine any
# test may come to its limit:
#
#	Seen as: hanging
#
# One that names no test is shown to every test of log, shm and writer.  What
# was found stays in mutants/ of the build directory and is not tried again
# while the tree is the same; a fault that is named is always tried.  MUTANT_TESTS
# names other tests than the patches do.
set -u

src=$(cd "${top_srcdir:-$(dirname "$0")/../..}" && pwd) || exit 1
build=$(cd "${top_builddir:-.}" && pwd) || exit 1
here=$src/tests/mutants
work=$build/mutants tree=$build/mutants/tree
objects=$build/mutants/build
rooms='core shm log writer broker gateway tools client systemd doc tests'
say() {
	printf '%s\n' "$*"
}

die() {
	say "mutants: $*" >&2
	exit 2
}

command -v patch >/dev/null || die 'patch is missing: install it'
[ -x "$src/configure" ] || die "$src has no configure: run autoreconf -fi"
[ -x "$build/config.status" ] || die "$build is not configured"

# Every file that building and testing take, from the tree at $1.
files() (
	cd "$1" && {
		find . -maxdepth 1 -type f ! -name config.log \
		    ! -name config.status ! -name config.h ! -name stamp-h1 \
		    ! -name Makefile
		# shellcheck disable=SC2086 # a list of words
		find build-aux $rooms \( -name node_modules -o -name .deps \
		    -o -name artifacts -o -path tests/mutants \) -prune \
		    -o -type f ! -name '*.[oa]' ! -name '*.log' \
		    ! -name '*.trs' -print
	} | sort
)

# The copy, with what has changed since; what was taken back is built anew,
# so its time is now's.
copy_tree() {
	mkdir -p "$tree" || exit 1
	files "$src" >"$work/files"
	if [ ! -f "$work/copied" ]; then
		(cd "$src" && tar -cf - -T "$work/files") |
			(cd "$tree" && tar -xf -) || die 'cannot copy the tree'
	else
		while read -r file; do
			cmp -s "$src/$file" "$tree/$file" && continue
			mkdir -p "$tree/$(dirname "$file")"
			cp "$src/$file" "$tree/$file" ||
				die "cannot copy $file"
		done <"$work/files"
	fi
	: >"$work/copied"
}

configure_tree() {
	[ ! -f "$objects/config.status" ] || return 0
	mkdir -p "$objects"
	eval "set -- $("$build/config.status" --config)"
	case "$*" in
	*ccache*) ;;
	*) ! command -v ccache >/dev/null || set -- "$@" "CC=ccache ${CC:-cc}" ;;
	esac
	say 'configuring a copy of the tree'
	(cd "$objects" && "$tree/configure" -q "$@") >"$work/log" 2>&1 || {
		cat "$work/log"
		die 'the copy does not configure'
	}
}

# compile TEST: 0, or what make said is in $work/log.  What only reads the
# sources could not tell a fault from what is no C at all.
compile() {
	case $1 in
	t/*) set -- all $house ;;
	spin/* | lint/*) set -- all ;;
	*) set -- "tests/$1" ;;
	esac
	make -s -C "$objects" -j"$(getconf _NPROCESSORS_ONLN)" V=0 "$@" \
	    >"$work/log" 2>&1
}

# run TEST SECONDS: its exit code; what it says is in $work/log.  The first red
# line is enough, and ends it.  No awk reads those lines: Debian's waits for a
# whole block of them.
run() {
	limit=$2
	case $1 in
	t/* | spin/* | lint/*) set -- sh "$tree/tests/$1.sh" ;;
	*) set -- "./tests/$1" ;;
	esac
	rm -f "$work/pid"
	{
		(cd "$objects" && top_srcdir=$tree top_builddir=$objects \
		    CC=${CC:-cc} CMOCKA_MESSAGE_OUTPUT=TAP \
		    PEAL_TEST_SEED=1 PEAL_TEST_IMAGES=4000 \
		    exec timeout -k 5 "$limit" "$@") &
		say $! >"$work/pid"
		wait $!
		say $? >"$work/code"
	} 2>&1 | while IFS= read -r line; do
		say "$line"
		case $line in
		'not ok'*) kill "$(cat "$work/pid")" 2>/dev/null ;;
		esac
	done >"$work/log"
	code=$(cat "$work/code")
	[ "$code" -eq 0 ] || return "$code"
	! grep -q '^not ok' "$work/log"
}

now() {
	date +%s
}

# green TEST: is it, without any fault?  How long that takes is kept.
green() {
	mark=$work/green/$(say "$1" | tr / _)
	[ ! -f "$mark" ] || return 0
	began=$(now)
	compile "$1" && run "$1" 900 || return 1
	grep -q '^1\.\.0' "$work/log" && {
		say "$(sed -n 's/^1\.\.0 *//p' "$work/log")" >"$mark.skipped"
		return 1
	}
	say $(($(now) - began)) >"$mark"
}

# field NAME FILE
field() {
	sed -n "/^--- /q; s/^$1: *//p" "$2"
}

# verdict NAME WORD TEST TEXT
verdict() {
	printf '%-30s %-9s %s\n' "$1" "$2" "${3:+$3: }$4" |
		tee "$work/found/$1"
	case $2 in
	killed) killed=$((killed + 1)) ;;
	*) bad="$bad $1" ;;
	esac
}

# Was it ended by the clock?
hangs() {
	[ "$1" -eq 124 ] || [ "$1" -eq 137 ]
}

# Did it not run at all, or was skipped?  That is no sight of a fault.
unrun() {
	case $1 in
	77 | 125 | 126 | 127) return 0 ;;
	*) return 1 ;;
	esac
}

# The first thing that a red test has to say.
complaint() {
	! hangs "$1" || {
		say 'hangs'
		return
	}
	grep -m 1 '^not ok\|^Bail out\|[Aa]ssertion' "$work/log" |
		sed 's/^not ok [0-9]* - //' | cut -c 1-100 |
		grep . || say "ends with $1"
}

# try NAME FILE: make the fault, look who sees it, take it back.
try() {
	name=$1 file=$2 seen=
	tests=${MUTANT_TESTS:-$(field 'Seen by' "$file")}
	touched=$(sed -n 's/^--- a\///p' "$file")
	rm -rf "$work/kept"
	for one in $touched; do
		mkdir -p "$work/kept/$(dirname "$one")"
		cp "$tree/$one" "$work/kept/$one" 2>/dev/null
	done
	for test in ${tests:=$every}; do
		green "$test" && continue
		verdict "$name" broken "$test" 'is not green without the fault'
		return
	done
	if ! patch -s -d "$tree" -p1 -F0 -N -r - -i "$file" \
	    >"$work/log" 2>&1; then
		back "$touched"
		verdict "$name" broken '' "does not apply: $(head -n 1 "$work/log")"
		return
	fi
	for test in $tests; do
		if ! compile "$test"; then
			seen='does not compile'
			break
		fi
		took=$(cat "$work/green/$(say "$test" | tr / _)")
		run "$test" $((took * 5 + 60))
		code=$?
		if hangs "$code" &&
		    [ "$(field 'Seen as' "$file")" != hanging ]; then
			run "$test" $((took * 5 + 60))
			code=$?
		fi
		[ "$code" -ne 0 ] || continue
		cp "$work/log" "$work/found/$name.log"
		seen=$test
		! unrun "$code" || seen='does not run'
		break
	done
	back "$touched"
	case $seen in
	'does not compile')
		cp "$work/log" "$work/found/$name.log"
		verdict "$name" broken '' "does not compile: $(
			grep -m 1 'error:' "$work/log")"
		;;
	'does not run') verdict "$name" broken "$test" "ends with $code" ;;
	?*) verdict "$name" killed "$seen" "$(complaint "$code")" ;;
	*)
		verdict "$name" SURVIVED '' \
		    "$(field Breaks "$file")"
		;;
	esac
}

# The files as they are, with a new time.
back() {
	for one in $1; do
		[ ! -f "$work/kept/$one" ] || cp "$work/kept/$one" "$tree/$one"
	done
}

# Which tests see a fault that names none: all of the rooms with faults.
every_test() {
	for room in log writer shm; do
		sed -n 's/^[^#]*tests\/\(unit\/test_[a-z0-9_]*\)\( .*\)*$/\1/p' \
		    "$src/tests/$room.am" | grep -v '_[A-Z]' | sort -u
	done | grep -v '_cut[2-4]$' | tr '\n' ' '
}

# told TEXT TEST FILE LINE: is that what is said of LINE at the head of FILE,
# when it is shown to TEST?
told() {
	{
		printf 'Seen by: %s\n\n' "$2"
		{
			say "$4"
			cat "$tree/$3"
		} | diff -u --label "a/$3" --label "b/$3" "$tree/$3" -
	} >"$work/told.patch"
	case $(try told "$work/told.patch") in
	*" $1"*) return 0 ;;
	esac
	die "$2 judges '$4' in $3: $(cat "$work/found/told")"
}

# What is no fault, and what is no C, may not be taken for what was seen.
check_self() {
	told SURVIVED unit/test_rules core/rules.c '/* This breaks nothing. */'
	told 'does not compile' unit/test_rules core/rules.c 'This is no C.'
	told 'does not compile' spin/code shm/ring_writer.c 'This is no C.'
	rm -f "$work/found/told" "$work/found/told.log" "$work/told.patch"
}

mkdir -p "$work/green" "$work/found" || exit 1
# What a killed run has left running holds it, too.
exec 9>"$work/lock"
flock -n 9 || die "another run is at work in $work"
house=${HOUSE_PROGRAMS:-}
every=$(every_test)
copy_tree
configure_tree
sum=$(cd "$tree" && xargs cat <"$work/files" | cksum)
if [ "$sum" != "$(cat "$work/sum" 2>/dev/null)" ]; then
	rm -f "$work/green"/* "$work/found"/*
	say "$sum" >"$work/sum"
fi

killed=0 bad=
if [ $# -eq 0 ]; then
	check_self
	for file in "$here"/*.patch; do
		name=$(basename "$file" .patch)
		if [ -f "$work/found/$name" ] &&
		    [ "$work/found/$name" -nt "$file" ] &&
		    grep -q '^[^ ]* *killed' "$work/found/$name"; then
			cat "$work/found/$name"
			killed=$((killed + 1))
		else
			try "$name" "$file"
		fi
	done
else
	for name; do
		case $name in
		*/*) file=$(cd "$(dirname "$name")" && pwd)/$(basename "$name") ;;
		*) file=$here/$name.patch ;;
		esac
		[ -f "$file" ] || die "there is no fault '$name'"
		try "$(basename "$name" .patch)" "$file"
	done
fi
say
say "$killed killed$(set -- $bad; [ $# -eq 0 ] || echo ", $# not:$bad")"
[ -z "$bad" ] && [ "$killed" -gt 0 ]
