#!/bin/sh
# Fifty clients over two gateways follow an import, through the death of a
# gateway and of the writer: each gets every event once, in order, and can
# prove it.  PEAL_EVENTS names a longer file to be imported in place of twenty
# copies of the sample, PEAL_CLIENTS another number of clients.
. "$(dirname "$0")/../lib/house.sh"

clients=${PEAL_CLIENTS:-50}
copies=20
if [ -n "${PEAL_EVENTS-}" ]; then
	sample=$PEAL_EVENTS
	copies=1
fi
lines=$(wc -l <"$sample")
total=$((copies * lines))
copies $copies >"$work/many.jsonl"

import() {
	"$peal" import --data "$data" "$work/many.jsonl"
}

# started [OPTION...]: clients follow in the background, all subscribed.
started() {
	rm -f "$work/ready"
	follow -n $clients -P 'repo.>' -P '>' -d "$deadline" -l "$data/log" \
	    -r "$work/ready" "$@" >"$work/follow" 2>&1 &
	follower=$!
	others="$others $follower"
	await test -e "$work/ready" || bail 'the clients never got going'
}

# finished NAME: they all got to their end without a fault.
finished() {
	ends "$follower"
	sed 's/^/# /' "$work/follow"
	verdict "$1" "$status"
}

plan 13
house_up --gateways 2

# One gateway dies when the first client is half way through.
started -f 0 -u $total -k $((total / 2)) -K "$work/victim"
await_here busiest || bail 'no gateway has clients'
victim=$(cat "$work/victim")
passes 'a file is imported while clients follow' import
finished 'each client got each event once, in order, unbroken'
passes 'a gateway was killed in the middle' \
    grep -q "^killed $victim at" "$work/follow"
passes 'clients connected again' \
    sh -c "[ \$(sed -n 's/.*connections=\([0-9]*\).*/\1/p' \
	'$work/follow') -gt $clients ]"
passes 'it was started again' await sh -c \
    "[ \$(ls -d /proc/[0-9]*/stat | xargs cat 2>/dev/null |
	grep -c ' (peal-gateway) [A-Z] $up ') -eq 2 ]"
passes 'the log is the file' "$programs/imported" "$data/log" \
    "$work/many.jsonl"

# The writer dies while it takes more, and clients follow from before.
requests=6000
end=$((total + 3 * requests))
started -f $total -u $end
produce -N more -n $requests -b 3 -w 256 -d "$deadline" -k 2000 \
    -K "$(writer)" -l "$data/log" >"$work/produce" 2>&1
status=$?
sed 's/^/# /' "$work/produce"
verdict 'no answer is lost when the writer is killed' $status
passes 'the producer connected again' \
    grep -qE 'connections=([2-9]|[1-9][0-9])' "$work/produce"
finished 'clients go on by seq over the death of the writer'

# The writer dies in the middle of an import, which is then finished.
copies $((2 * copies)) >"$work/many.jsonl"
end=$((end + total))
started -f $((end - total)) -u $end -k $((end - total / 2)) -K "$(writer)"
import >"$work/import" 2>&1 || {
	sed 's/^/# /' "$work/import"
	echo '# once more'
	await sh -c "'$peal' import --data '$data' '$work/many.jsonl' \
	    >'$work/import' 2>&1"
}
finished 'clients follow an import over the death of the writer'
passes 'the writer was killed in the middle' grep -q '^killed' "$work/follow"
passes 'the log is the longer file, nothing lost and nothing twice' \
    "$programs/imported" "$data/log" "$work/many.jsonl"

passes 'told to stop, all of it ends' house_down
