# Havoc for shell tests, sourced behind house.sh: a house whose processes are
# killed, stopped, ended and started again at random, while producers contend
# and clients follow, and the judgement over all that they were told.  Harm takes
# its seconds, and as many more as it takes until all has happened that is judged:
# how much that is in a time is the machine's affair.
#
# PEAL_SECONDS, PEAL_SEED, PEAL_GAP (ms between two blows), PEAL_RATE (requests
# a second of each producer) and PEAL_CLIENTS name other sizes.

seconds=${PEAL_SECONDS:-${havoc_seconds:-35}}
seed=${PEAL_SEED:-$(date +%s)}
gap=${PEAL_GAP:-300}
rate=${PEAL_RATE:-60}
clients=${PEAL_CLIENTS:-12}
deadline=$((seconds + 600))
truth= # where judges read the log, where that is another place

# command_of NAME PID: how peal up has started it.
command_of() {
	[ -n "$2" ] || bail "there is no $1"
	cp "/proc/$2/cmdline" "$work/$1.command"
}

# havoc_house [OPTION...]: what peal up makes, and how it starts it.
havoc_house() {
	house_up --gateways 2 -o log.segment_bytes=4M -o ring.slots=1024 \
	    -o ring.payload_bytes=1M -o gateway.mark_interval=500 \
	    -o gateway.drain_seconds=0 "$@"
	command_of writer "$(writer)"
	command_of broker "$(broker)"
	command_of gateway "$(gateways | head -n 1)"
	house_down || bail 'it did not end in order'
}

# writer_under COMMAND...: the writer of the next havoc runs under it.
writer_under() {
	mv "$work/writer.command" "$work/writer.alone"
	{
		printf '%s\0' "$@"
		cat "$work/writer.alone"
	} >"$work/writer.command"
}

# Every segment that there is has one more name, outside the log: what retention
# removes and packing replaces stays, so that judges see all of it.
keep_names() {
	for segment in "$data"/log/*.seg; do
		ln "$segment" "$work/kept/" 2>/dev/null
	done
	for segment in "$data"/log/quarantine/*.seg; do
		rm -f "$work/kept/${segment##*/}"
	done
}

keep_all() {
	mkdir "$work/kept"
	truth=$work/kept
	while keep_names; do
		"$lib/await" 0.1 false
	done &
	keeper=$!
	others="$others $keeper"
}

# havoc_begin [OPTION...]: everybody begins; harm does when the clients are
# there.  Options are those of the program.
havoc_begin() {
	echo "# PEAL_SEED=$seed"
	rm -f "$work/ready" "$work/calm" "$work/until" "$work/head" \
	    "$work/met" "$work/enough" "$work/port"
	"$programs/havoc" -W "$work/writer.command" -B "$work/broker.command" \
	    -G "$work/gateway.command" -n 2 -p "$work/port" -S "$seed" \
	    -s "$seconds" -e "$gap" -g "$work/ready" -c "$work/calm" \
	    -u "$work/enough" "$@" \
	    >"$work/havoc" 2>"$work/havoc.err" &
	havoc=$!
	others="$others $havoc"
	await sh -c "grep -q . '$work/port' || ! kill -0 $havoc" 2>/dev/null
	port=$(cat "$work/port") || bail "$(cat "$work/havoc.err")"
	"$programs/contend" -s "$data/run/writer.sock" -p "$port" \
	    -C "$cafile" -t "$token" -n 3 -m 2 -r "$rate" -S "$seed" \
	    -d "$deadline" -x "$work/calm" -q "$work/quiet" -e "$work/met" \
	    -l "${truth:-$data/log}" \
	    >"$work/contend" 2>&1 &
	contend=$!
	follow -n "$clients" -P '>' -P 'load.3.>' -P 'load.*.5' -f 0 \
	    -U "$work/until" -d "$deadline" -l "${truth:-$data/log}" -r "$work/ready" \
	    >"$work/follow" 2>&1 &
	follow=$!
	"$programs/roam" -p "$port" -C "$cafile" -t "$token" -n "$clients" \
	    -S "$seed" -l "${truth:-$data/log}" -r "$work/roaming" -s "$work/head" \
	    -d "$deadline" -R >"$work/roam" 2>&1 &
	roam=$!
	others="$others $contend $follow $roam"
}

served_is_fold() {
	"$peal" state --data "$data" --json >"$work/rows" &&
		python3 "$top_srcdir/tests/lib/fold.py" "$work/events" \
		    "$work/rows"
}

# told NAME PID FILE: how it has ended, and what it said.
told() {
	ends "$2"
	grep -v 'cannot connect' "$work/$3" | sed 's/^/# /'
	verdict "$1" "$status"
}

# When harm is over: log, state and clients are the same.  Whoever wants something
# to happen in the middle of it has awaited that.
havoc_judge() {
	passes 'some of it unanswered, in conflict, again, and by a used key' \
	    await test -e "$work/met"
	: >"$work/enough"
	await test -e "$work/calm" || bail 'it never came to calm'
	await test -e "$work/quiet" || bail 'it never came to an end'
	[ -z "$truth" ] || keep_names
	rm "$work/quiet"
	told 'producers were told nothing that the log does not hold' \
	    $contend contend
	"$programs/events" "${truth:-$data/log}" >"$work/all" || bail 'no events'
	wc -l <"$work/all" >"$work/end"
	cp "$work/end" "$work/end2"
	mv "$work/end" "$work/until"
	mv "$work/end2" "$work/head"
	told 'each client got each event once, in order, unbroken' \
	    $follow follow
	told 'no client with views was told anything wrong' $roam roam
	"$peal" log cat --json -c /dev/null \
	    -o log.directory="${truth:-$data/log}" >"$work/events"
	passes 'the state that is served is the fold of the log' \
	    await_here served_is_fold
	kill -TERM $havoc
	told 'nobody ended but who was made to, and all end in order' \
	    $havoc havoc
	[ "$status" -eq 0 ] || tail -n 40 "$work/havoc.err" | sed 's/^/# /'
	passes 'the log is sound' "$peal" log verify --data "$data"
}
