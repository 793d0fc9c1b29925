#!/bin/sh
# Each room's DESIGN.md ends in "Code structure", which names every source
# file of the room and none that is gone; the root's names every room.
. "$(dirname "$0")/lint.sh"

# The words in backquotes of the section, `x.[ch]` being two of them.
named() {
	sed -n '/^## Code structure/,$p' "$1" | grep -o '`[^` ]*`' |
		tr -d '`' | sed 's/\(.*\)\.\[ch\]$/\1.c\n\1.h/' | sort -u
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

accepts 'each DESIGN.md names the files of its room and no other'
refuses 'a tree without rooms is refused' 'no rooms found' :
refuses 'a file that is not named is refused' 'not name a.h' room '`a.c`: a'
refuses 'a name without its file is refused' 'b.c, which is not there' \
	room '`a.[ch]`: a' '`b.c`: b'
refuses 'another section at the end is refused' 'not end' without_section
refuses 'a room that the root does not name is refused' 'not name core' \
	homeless
allows 'a room that is told in full is allowed' room '`a.[ch]`: a'
finish
