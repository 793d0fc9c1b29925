#!/bin/sh
# Vitals: once a second counters and lag on $stat.*, stored nowhere, in the way
# of nobody, and never a reason for `peal up` to wait or to end.
. "$(dirname "$0")/../lib/house.sh"
plan 15

# hear N [OPTION...]: the next N of them, as JSON, into $work/heard.
hear() {
	n=$1
	shift
	timeout "$deadline" "$peal" tail --json -n "$n" --data "$data" "$@" \
	    '$stat.>' >"$work/heard"
}

# told TOPIC NAME: the newest value of it that was heard.
told() {
	grep -F "\"$1\"" "$work/heard" |
		sed -n "s/.*[{,]\"$2\":\([0-9]*\)[,}].*/\1/p" | tail -n 1
}

# All processes, each at least twice.
heard_of_all() {
	for topic in '$stat.writer' '$stat.ring' '$stat.broker' \
	    $(gateways | sed 's/^/$stat.gateway./'); do
		[ "$(grep -cF "\"$topic\"" "$work/heard")" -ge 2 ] || {
			echo "nothing of $topic in:"
			cat "$work/heard"
			return 1
		}
	done
}

five_were_appended() {
	hear 5 && [ "$(told '$stat.writer' events)" = 5 ] &&
		[ "$(told '$stat.ring' head)" = 5 ]
}

emits() {
	"$peal" stat -1 --data "$data" writer.emits |
		awk '/^writer/ { print $3 }'
}

emitted_since() {
	[ "$(emits)" -ge $(($1 + $2)) ]
}

one_is_there() {
	[ "$("$peal" stat -1 --data "$data" gateway.sessions |
		awk '{ n += $3 } END { print n }')" -eq 1 ]
}

# Of twenty more, gateways do nothing for clients.  One that has just come may
# have been served meanwhile: what is done for each of them is done again.
idle_meanwhile() {
	for turn in 1 2 3 4 5; do
		was=$(worked)
		await_here emitted_since "$(emits)" 20 || return 1
		[ "$(worked)" -ne "$was" ] || return 0
	done
	return 1
}

# What gateways have done for clients.
worked() {
	"$peal" stat -1 --data "$data" 'gateway.*' | awk '
		$1 ~ /\.(visits|blocks|private_blocks|deliveries)$/ { n += $3 }
		END { print n + 0 }'
}

new_writer_is_told() {
	hear 5 && [ -n "$(writer)" ] &&
		[ "$(told '$stat.writer' pid)" = "$(writer)" ]
}

replaced() {
	now=$(gateways | tr '\n' ' ')
	[ "$(gateways | wc -l)" -eq 2 ] && [ "$now" != "$1" ]
}

house_up --gateways 2
passes 'they come on the ring' hear 12
passes 'of each process, again and again' heard_of_all
passes 'an administrator hears them through a gateway' \
	hear 12 --url "https://127.0.0.1:$port"
passes 'of each process there, too' heard_of_all
"$peal" token --data "$data" --read '>' --read '$stat.>' >"$work/token"
exits 'who is none does not' 1 'forbidden' "$peal" tail --data "$data" \
	--url "https://127.0.0.1:$port" --token-file "$work/token" '$stat.>'
produce -n 5 -b 1 -w 1 -d "$deadline" >/dev/null || bail 'nothing was stored'
passes 'what they tell is what there is' await_here five_were_appended
passes 'none of them is stored' sh -c \
    "[ \"\$('$peal' log cat --data '$data' | wc -l)\" -eq 5 ]"

# A client that wants other topics costs nothing while they come.
"$peal" tail --data "$data" --url "https://127.0.0.1:$port" quiet.topic \
    >"$work/quiet" 2>&1 &
quiet=$!
others="$others $quiet"
await_here one_is_there || bail 'no client came'
passes 'gateways do nothing for those who did not ask' idle_meanwhile
kill "$quiet"

writer=$(writer)
kill -KILL "$writer"
passes 'they go on with the writer that takes its place' \
	await_here new_writer_is_told
writer=$(writer)
kill -STOP "$writer"
was=$(gateways | tr '\n' ' ')
kill -KILL "$(gateways | head -n 1)"
passes 'a writer that stands still keeps peal up from nothing' \
	await_here replaced "$was"
kill -CONT "$writer"
passes 'and they go on when it does' hear 10
passes 'told to stop, all of it ends' house_down

house_up --gateways 1 --no-vitals
"$peal" append --data "$data" a.b c >/dev/null
passes 'they can be left out' [ "$(emits)" -eq 0 ]
"$peal" stat --emit --data "$data" 2>"$work/emit.err" &
teller=$!
others="$others $teller"
passes 'and told by hand' hear 8
kill -TERM "$teller"
ends "$teller"
passes 'until told to end' [ "$status" -eq 0 ]
house_down
