#!/bin/sh
# The broker is a cache of the log: killed at any instant, robbed of its
# directory, given somebody else's or a damaged one, it serves what folding
# the log gives.  PEAL_SEED repeats the instants, PEAL_KILLS is their number.
. "$(dirname "$0")/../lib/house.sh"

command -v python3 >/dev/null || skip_all 'there is no python3'
seed=${PEAL_SEED:-$(date +%s)}
kills=${PEAL_KILLS:-6}
echo "# seed $seed"

# chance N: a number from 1 to N; the next one from the same seed.
chance() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	drawn=$((seed / 65536 % $1 + 1))
}

broker() {
	children peal-broker
}

head_seq() {
	"$peal" ring --data "$data" --json |
		sed 's/.*"head":\([0-9]*\).*/\1/'
}

beyond() {
	[ "$(head_seq)" -gt "$1" ]
}

another_broker() {
	new=$(broker)
	[ -n "$new" ] && [ "$new" != "$1" ]
}

# The rows that are served now are the fold of the log now.
served_is_fold() {
	"$peal" state --data "$data" --json >"$work/rows" &&
		python3 "$top_srcdir/tests/lib/fold.py" "$work/events" \
		    "$work/rows"
}

# fold NAME: nothing is appended; what is served comes to be the log's fold.
fold() {
	"$peal" log cat --data "$data" --json >"$work/events"
	if await_here served_is_fold >"$work/fold" 2>&1; then
		verdict "$1" 0
	else
		tail -n 12 "$work/fold" | sed 's/^/# /'
		verdict "$1" 1
	fi
}

load() {
	"$programs/load" -s "$data/run/writer.sock" -d "$deadline" "$@"
}

# said TEXT: peal up, or who it has started, has said so.
said() {
	grep -qi -e "$1" "$work/up.err"
}

# noise FILE: other bytes in the place of its own.
noise() {
	[ -f "$1" ] || bail "there is no '$1'"
	size=$(wc -c <"$1")
	head -c "$size" /dev/urandom | dd of="$1" conv=notrunc 2>/dev/null
}

start() {
	house_up --gateways 1 -o ring.slots=8192 -o ring.payload_bytes=1M
}

stop() {
	house_down || bail 'it did not end in order'
}

# --- killed at random under load ---

start
"$programs/load" -s "$data/run/writer.sock" -d 900 -r 1500 -T 1500 -S 11 \
    >"$work/load" 2>&1 &
loader=$!
others="$others $loader"
i=0
while [ $i -lt "$kills" ]; do
	i=$((i + 1))
	chance 3000
	at=$(($(head_seq) + drawn))
	await_here beyond $at || bail 'the log stands still'
	was=$(broker)
	kill -KILL "$was"
	await_here another_broker "$was" || bail 'no broker came back'
done
kill -TERM $loader
ends $loader
sed 's/^/# /' "$work/load"
verdict "events are appended while the broker is killed $kills times" $status
fold 'what it serves then is what folding the log gives'
passes 'peal verify says so, too' verified --data "$data"

# --- its directory ---

was=$(broker)
rm -rf "$data/broker"
passes 'without its directory things go on' load -n 2000 -T 1500 -S 12
# It sees that itself, and whoever started it starts another one.
await_here another_broker "$was" || bail 'no broker came back'
fold 'what was deleted while it ran is built again'
stop

rm -rf "$data/broker"
start
fold 'also when it was deleted while nothing ran'
stop

witness=$(find "$data/broker" -name 'position.wit' | head -n 1)
[ -n "$witness" ] || bail 'there is no position.wit'
noise "$witness"
start
fold 'noise in its witness changes nothing'
stop

for file in $(find "$data/broker" -name 'data.mdb'); do
	case $file in
	*clients* | *cursors*) continue ;;
	esac
	noise "$file"
done
start
fold 'noise in its state is built anew'
passes 'and that is said' said 'rebuil\|anew\|afresh'
stop

# Noise behind a sound beginning.
for file in $(find "$data/broker" -name 'data.mdb'); do
	case $file in
	*clients* | *cursors*) continue ;;
	esac
	size=$(wc -c <"$file")
	head -c $((size / 2)) /dev/urandom |
		dd of="$file" conv=notrunc bs=4096 seek=8 2>/dev/null
done
start
fold 'noise behind a sound beginning of it is, too'
stop

# --- two houses exchanged ---

mine=$data
data=$work/other
start
load -n 9000 -T 300 -S 13 -p other >"$work/load" 2>&1 || bail 'no load'
fold 'another house serves its own'
stop
mv "$mine/broker" "$work/mine"
mv "$data/broker" "$mine/broker"
mv "$work/mine" "$data/broker"
start
fold 'with the directory of another log it serves its own still'
passes 'and says that it was of another one' said 'another log\|other log'
stop
data=$mine
start
fold 'and so does the other one'
stop
plan $count
