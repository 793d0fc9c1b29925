#!/bin/sh
# The models of the ring, each checked exhaustively: they hold as the code is
# written, and each fence, taken away or replaced by an ordered load or store,
# makes them fail.
set -u

: "${SPIN:=spin}" "${CC:=cc}"
models=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/spin

if ! "$SPIN" -V >/dev/null 2>&1; then
	echo '1..0 # SKIP spin is not installed'
	exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

n=0 failed=0

# result GOOD TITLE: one line of TAP; what went wrong is in ./out.
result() {
	n=$((n + 1))
	if [ "$1" = yes ]; then
		echo "ok $n - $2"
		return
	fi
	failed=1
	echo "not ok $n - $2"
	sed 's/^/# /' out
}

# search MODEL [-DNAME...]: all states of it; what was found goes to ./out.
search() {
	model=$1
	shift
	rm -f pan pan.* ./*.trail
	"$SPIN" -a "$@" "$models/$model.pml" >out 2>&1 &&
		$CC -O1 -w -DSAFETY -o pan pan.c >>out 2>&1 &&
		./pan -m100000 >>out 2>&1
	! grep -q 'max search depth too small\|not completed: no' out
}

# holds TITLE MODEL [-DNAME...]
holds() {
	title=$1
	shift
	good=no
	search "$@" && grep -q 'errors: 0$' out && good=yes
	result "$good" "$title"
}

# fails WHAT TITLE MODEL [-DNAME...]: WHAT is how it is violated.
fails() {
	what=$1 title=$2
	shift 2
	good=no
	search "$@"
	grep -q 'errors: 1$' out && grep -qF "$what" out && good=yes
	result "$good" "$title"
}

record='assertion violated (record==ord)'
payload='assertion violated (payload==ord)'
window='assertion violated (valid<=(tail+1))'
asleep='invalid end state'
accused='assertion violated ( !(owed)||heard)'

holds 'no torn word is used' validate
holds 'no torn word is used in a ring of one slot' validate -DSLOTS=1
fails '(ord<=2)' 'events are accepted after the ring went round' \
	validate -DREACH
fails "$payload" 'without the fence behind valid, bytes are torn' \
	validate -DNO_WRITER_FENCE
fails "$payload" 'a release store of valid is no fence' \
	validate -DVALID_RELEASE_STORE
fails "$record" 'without a release of the tail, records are old' \
	validate -DNO_TAIL_RELEASE
fails "$record" 'without an acquire of the tail, records are old' \
	validate -DNO_TAIL_ACQUIRE
fails "$record" 'without the first fence of the reader, lengths are torn' \
	validate -DNO_READER_FENCE1
fails "$record" 'an acquire load of valid is no fence' \
	validate -DVALID_ACQUIRE_LOAD
fails "$payload" 'without the second fence of the reader, bytes are torn' \
	validate -DNO_READER_FENCE2
fails "$window" 'without the fence between passes, valid overtakes the tail' \
	validate -DSLOTS=1 -DNO_PASS_FENCE
fails "$window" 'without a fence in the window, valid overtakes the tail' \
	validate -DSLOTS=1 -DNO_WINDOW_FENCE

holds 'nobody sleeps on and nobody is accused' wake
holds 'nobody sleeps on without the timer either' wake -DTIMERS=0
fails '!(heard)' 'doorbells are heard' wake -DREACH
fails "$asleep" 'without the fence of the writer, a reader sleeps on' \
	wake -DTIMERS=0 -DNO_WRITER_FENCE
fails "$asleep" 'without the fence of the reader, it sleeps on' \
	wake -DTIMERS=0 -DNO_READER_FENCE
fails "$asleep" 'without a second look at the tail, a reader sleeps on' \
	wake -DTIMERS=0 -DNO_RECHECK
fails "$accused" 'a reader that asks after clearing its flag accuses' \
	wake -DCLEAR_FIRST

echo "1..$n"
exit "$failed"
