#!/bin/sh
# Writer, broker and gateways are killed, stopped, ended and started again at
# random, in any order, while producers contend for the same topics and clients
# follow: nothing that was answered is lost, nothing is there twice, in another
# order, or from nowhere, and no client misses anything unannounced.  At the end
# log, state and clients are the same.  PEAL_SECONDS, PEAL_SEED, PEAL_GAP (ms
# between two blows), PEAL_RATE (requests a second of each producer) and
# PEAL_CLIENTS name other sizes.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
seconds=${PEAL_SECONDS:-50}
seed=${PEAL_SEED:-$(date +%s)}
gap=${PEAL_GAP:-300}
rate=${PEAL_RATE:-60}
clients=${PEAL_CLIENTS:-12}
deadline=$((seconds + 120))
echo "# PEAL_SEED=$seed"

# command NAME PID: how peal up has started it, for havoc.
command_of() {
	[ -n "$2" ] || bail "there is no $1"
	cp "/proc/$2/cmdline" "$work/$1.command"
}

served_is_fold() {
	"$peal" state --data "$data" --json >"$work/rows" &&
		python3 "$top_srcdir/tests/lib/fold.py" "$work/events" \
		    "$work/rows"
}

# told NAME PID: how a program in the background has ended, and what it said.
told() {
	ends "$2"
	sed 's/^/# /' "$work/$3"
	verdict "$1" "$status"
}

# --- the house as peal up makes it ---

house_up --gateways 2 -o log.segment_bytes=4M -o ring.slots=1024 \
    -o ring.payload_bytes=1M -o gateway.mark_interval=500 \
    -o gateway.drain_seconds=0
command_of writer "$(writer)"
command_of broker "$(broker)"
command_of gateway "$(gateways | head -n 1)"
house_down || bail 'it did not end in order'

# --- havoc ---

"$programs/havoc" -W "$work/writer.command" -B "$work/broker.command" \
    -G "$work/gateway.command" -n 2 -p "$port" -S "$seed" -s "$seconds" \
    -e "$gap" -g "$work/ready" -c "$work/calm" \
    >"$work/havoc" 2>"$work/havoc.err" &
havoc=$!
"$programs/contend" -s "$data/run/writer.sock" -p "$port" -C "$cafile" \
    -t "$token" -n 3 -m 2 -r "$rate" -S "$seed" -d "$deadline" \
    -x "$work/calm" -l "$data/log" >"$work/contend" 2>&1 &
contend=$!
follow -n "$clients" -P '>' -P 'load.3.>' -P 'load.*.5' -f 0 \
    -U "$work/until" -d "$deadline" -l "$data/log" -r "$work/ready" \
    >"$work/follow" 2>&1 &
follow=$!
"$programs/roam" -p "$port" -C "$cafile" -t "$token" -n "$clients" \
    -S "$seed" -l "$data/log" -r "$work/roaming" -s "$work/head" \
    -d "$deadline" -R >"$work/roam" 2>&1 &
roam=$!
others="$havoc $contend $follow $roam"
await test -e "$work/calm" || bail 'it never came to calm'
told 'producers were told nothing that the log does not hold' $contend contend
"$programs/events" "$data/log" | wc -l >"$work/until.new"
cp "$work/until.new" "$work/head.new"
mv "$work/until.new" "$work/until"
mv "$work/head.new" "$work/head"
passes 'some of them without an answer, in conflict, again, and with a used key' \
    grep -zq 'duplicates=[1-9].* conflicts=[1-9].* reused=[1-9].*unknown=[1-9]' \
    "$work/contend"
told 'each client got each event once, in order, unbroken' $follow follow
told 'no client with views was told anything wrong' $roam roam
"$peal" log cat --data "$data" --json >"$work/events"
passes 'the state that is served is the fold of the log' \
    await_here served_is_fold
kill -TERM $havoc
told 'nobody ended but who was made to, and all end in order' $havoc havoc
passes 'the writer was killed, and others' grep -zq \
    'writer: starts=[^ ]* kills=[1-9].*: starts=[^ ]* kills=[1-9]' "$work/havoc"

# --- afterwards ---

passes 'the log is sound' "$peal" log verify --data "$data"
house_up --gateways 1
passes 'and so is the state of who starts then' "$peal" verify --data "$data"
passes 'told to stop, all of it ends' house_down
plan $count
