#!/bin/sh
# The other opinion on folding, which the tests of state compare with, before
# it is believed: it folds the vectors of doc/protocol.md, and sees what is
# wrong.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
fold=$top_srcdir/tests/lib/fold.py

{
	echo '[1,5,"a",1,"x_set","me",{"n":1}]'
	echo '[2,6,"a",2,"x_changed","you",{"m":2}]'
	echo '[3,7,"b",1,"x_deleted","me",null]'
} >"$work/events"
a='["a",2,2,5,"me",6,"you",false,{"n":1,"m":2}]'
b='["b",1,3,7,"me",7,"me",true,null]'

compared() {
	printf '%s\n' "$@" | python3 "$fold" "$work/events" -
}

plan 7
passes 'vectors are folded as the page says' python3 "$fold" --vectors \
    "$top_srcdir/doc/protocol.md"
sed 's/"after":\["note.7",1/"after":["note.7",2/' \
    "$top_srcdir/doc/protocol.md" >"$work/wrong.md"
exits 'wrong ones are told' 1 'should be' python3 "$fold" --vectors \
    "$work/wrong.md"
passes 'right rows are right' compared "$b" "$a"
exits 'a row of another value is told' 1 'should be' compared "$b" \
    '["a",2,2,5,"me",6,"you",false,{"n":1}]'
exits 'a row that is missing is told' 1 "'b' is missing" compared "$a"
exits 'one that should not be is told' 1 'should be no' compared "$a" "$b" \
    '["c",1,3,7,"me",7,"me",true,null]'
exits 'one that is there twice is told' 1 'there twice' compared "$a" "$b" \
    "$a"
