#!/bin/sh
# `make soak`: havoc.sh in rounds, each in a house of its own and from the next
# seed, for an hour or SOAK_SECONDS, SOAK_ROUND (300) seconds of harm each.  The
# first round that finds a fault ends it; PEAL_SEED names that one again.
set -u
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
export top_srcdir
end=$(($(date +%s) + ${SOAK_SECONDS:-3600}))
seed=${PEAL_SEED:-$(date +%s)}
round=0
while [ "$(date +%s)" -lt "$end" ]; do
	round=$((round + 1))
	echo "# round $round: PEAL_SEED=$seed"
	PEAL_SECONDS=${SOAK_ROUND:-300} PEAL_SEED=$seed \
	    sh "$top_srcdir/tests/t/havoc.sh" >soak.log 2>&1
	status=$?
	grep -v '^ok' soak.log
	if [ $status -ne 0 ] || grep -q '^not ok' soak.log; then
		echo "soak: round $round found a fault: PEAL_SEED=$seed"
		exit 1
	fi
	if grep -q '^1\.\.0' soak.log; then
		echo 'soak: nothing can be tried here'
		exit 1
	fi
	seed=$((seed + 1))
done
echo "soak: $round rounds, and no fault"
[ $round -gt 0 ]
