#!/bin/sh
# Each room's DESIGN.md ends in "Code structure", which names every source
# file of the room and none that is gone; the root's names every room.
. "$(dirname "$0")/lint.sh"

# The words in backquotes of the section, `x.[ch]` being two of them.
named() {
	sed -n '/^## Code structure/,$p' "$1" | grep -o '`[^` ]*`' |
		tr -d '`' | sed 's/\(.*\)\.\[ch\]$/\1.c\n\1.h/' | sort -u
}

# check_modules ROOM DESIGN FILE...: each file is named, by its name alone or
# as it is seen from the room.
check_modules() {
	room=$1 design=$2
	shift 2
	[ -e "$1" ] || return 0
	names=$(grep -o '`[^` ]*`' "$design" 2>/dev/null | tr -d '`')
	for file; do
		printf '%s\n' "$names" | grep -qxF -e "${file##*/}" \
		    -e "${file#"$room"/}" || echo "$design does not name ${file##*/}"
	done
}

check() {
	seen=0
	for room in $rooms; do
		[ -n "$(find "$room" -name '*.[ch]' 2>/dev/null)" ] || continue
		seen=$((seen + 1))
		design=$room/DESIGN.md
		case $(grep '^## ' "$design" 2>/dev/null | tail -n 1) in
		'## Code structure') ;;
		*) echo "$design does not end in a section Code structure" ;;
		esac
		names=$(named "$design" 2>/dev/null)
		for file in "$room"/*.[ch]; do
			[ -e "$file" ] || continue
			printf '%s\n' "$names" | grep -qxF "${file##*/}" ||
				echo "$design does not name ${file##*/}"
		done
		for name in $(printf '%s\n' "$names" | grep '^[a-z0-9_]*\.[ch]$'); do
			[ -e "$room/$name" ] ||
				echo "$design names $name, which is not there"
		done
		named DESIGN.md 2>/dev/null | grep -qx "$room/*" ||
			echo "DESIGN.md does not name $room"
	done
	check_modules client client/DESIGN.md client/*.js
	check_modules client/dashboard client/dashboard/DESIGN.md \
	    client/dashboard/*.js
	check_modules tests/browser tests/README.md tests/browser/*.test.mjs
	check_modules tests/browser tests/README.md tests/browser/lib/*
	[ "$seen" -gt 0 ] || echo 'no rooms found'
}

room() {
	echo '/* a */' | put core/a.c
	echo '/* a */' | put core/a.h
	printf '%s\n' '## Code structure' '`core/`: all' | put DESIGN.md
	printf '%s\n' '# core' '## Code structure' "$@" | put core/DESIGN.md
}

without_section() {
	room
	printf '%s\n' '## Code structure' '`a.[ch]`: a' '## More' \
	    | put core/DESIGN.md
}

homeless() {
	room '`a.[ch]`: a'
	echo '# design' | put DESIGN.md
}

unnamed_module() {
	room '`a.[ch]`: a'
	echo '// a' | put client/a.js
	echo '// b' | put client/b.js
	echo '`a.js`: a' | put client/DESIGN.md
}

unnamed_test() {
	room '`a.[ch]`: a'
	echo '// a' | put tests/browser/a.test.mjs
	echo '# tests' | put tests/README.md
}

accepts 'each DESIGN.md names the files of its room and no other'
refuses 'a tree without rooms is refused' 'no rooms found' :
refuses 'a file that is not named is refused' 'not name a.h' room '`a.c`: a'
refuses 'a name without its file is refused' 'b.c, which is not there' \
	room '`a.[ch]`: a' '`b.c`: b'
refuses 'another section at the end is refused' 'not end' without_section
refuses 'a room that the root does not name is refused' 'not name core' \
	homeless
allows 'a room that is told in full is allowed' room '`a.[ch]`: a'
refuses 'a module that is not named is refused' 'not name b.js' unnamed_module
refuses 'a test of the client that is not named is refused' \
	'not name a.test.mjs' unnamed_test
finish
