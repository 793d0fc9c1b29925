#!/bin/sh
# peal stat: the counters of every process, from shared memory alone; what is
# no page is named and harms nothing, and what a crash left can still be read.
. "$(dirname "$0")/../lib/house.sh"

stat() {
	"$peal" stat -1 --data "$data" "$@"
}

# value NAME: of the only gateway.
value() {
	stat "gateway.$1" | awk '{ print $3 }'
}

follow_two() {
	produce -n 10 -b 1 -w 1 -d "$deadline" &&
		follow -n 2 -P '>' -f 0 -u 10 -d "$deadline"
}

counted() {
	[ "$(value opened)" -eq 2 ] && [ "$(value accepted)" -ge 2 ]
}

gone() {
	[ "$(value sessions)" -eq 0 ]
}

# Files that are no pages: noise, one cut short, a directory, a pipe.
litter() {
	page=$(ls "$data"/run/stat/gateway.* | head -n 1)
	head -c 5000 /dev/urandom >"$data/run/stat/noise"
	head -c 300 "$page" >"$data/run/stat/short"
	mkdir "$data/run/stat/directory"
	mkfifo "$data/run/stat/pipe"
	: >"$data/run/stat/empty"
}

named() {
	for page in noise short directory pipe empty; do
		grep -q "'$page'" "$work/said" || return 1
	done
	grep -q '^gateway.accepted ' "$work/said"
}

# live [OPTION...]: two turns of it, a second apart.
live() {
	"$peal" stat -n 2 --data "$data" "$@"
}

# The second turn knows rates, the first one does not.
rates_come() {
	live 'writer.emits' >"$work/live" &&
		awk '/^writer.emits/ { print ($4 == "-") }' "$work/live" |
		tr -d '\n' | grep -qx 10
}

rates_are_json() {
	live --json writer.emits >"$work/live" &&
		sed -n 1p "$work/live" | grep -q '"rate":null,"avg_10":null' &&
		sed -n 2p "$work/live" |
		grep -q '"rate":[0-9][0-9.]*,"avg_10":[0-9][0-9.]*,"avg_100":[0-9]' &&
		[ "$(wc -l <"$work/live")" -eq 2 ]
}

# Once: of what was counted a mean, of what was not none, and no 0.0 anywhere.
means() {
	stat >"$work/once" && stat --json >"$work/once.json" &&
		awk '$3 == 0 && $4 != "-" { wrong = $0 }
		    $1 == "writer.appends" && $4 + 0 > 0 { some = 1 }
		    $4 == "0.0" { wrong = $0 }
		    END { if (wrong) print wrong; exit wrong != "" || !some }' \
		    "$work/once" &&
		grep -q '"name":"conflicts",[^}]*"value":0,"mean":null' \
		    "$work/once.json" &&
		grep -q '"name":"appends",[^}]*"value":10,"mean":[0-9]' \
		    "$work/once.json"
}

# fits ROWS COLUMNS: two turns on such a terminal are drawn in place, no line
# is longer, and there are no more of them.
fits() {
	script -qec "stty rows $1 cols $2 &&
	    TERM=xterm '$peal' stat -a -n 2 --data '$data'" "$work/screen" \
	    </dev/null >/dev/null &&
		sed -e '1{/^Script/d}' -e '/^Script done/d' "$work/screen" |
		tr -d '\r' | tr '\033' '\n' | sed 's/^\[[0-9]*[A-Za-z]//' |
		awk -v most=$(($2 - 1)) 'length > most { long = 1 }
			END { exit long }' &&
		[ "$(grep -c "$(printf '\033')\[H" "$work/screen")" -eq 2 ] &&
		[ "$(grep -c 'more than fits' "$work/screen")" -eq 2 ] &&
		[ "$(tr -cd '\n' <"$work/screen" | wc -c)" -le $((2 * $1 + 3)) ]
}

# A reader who stands still is waited for; told to stop, it ends at once.
slow_reader() {
	mkfifo "$work/slow"
	"$peal" stat --json --data "$data" >"$work/slow" 2>"$work/slow.err" &
	slow=$!
	others="$others $slow"
	exec 7<"$work/slow"
	read -r line <&7 && case $line in '['*) ;; *) return 1 ;; esac
	kill -TERM $slow
	ends $slow
	exec 7<&-
	[ "$status" -eq 0 ] && [ ! -s "$work/slow.err" ]
}

# folded COLUMNS COMMAND: what it prints on such a terminal, in $work/folded.
folded() {
	script -qec "stty cols $1; '$peal' $2 --data '$data'" /dev/null \
		</dev/null >"$work/raw" &&
		tr -d '\r' <"$work/raw" >"$work/folded"
}

# Each tool that prints a table once has lines, and none is wider.
fit_80() {
	for what in readers clients hist 'stat -1' 'log ls' ring; do
		folded 80 "$what" || return 1
		awk 'length($0) > 80 { print; wide = 1 }
			END { exit wide || NR < 1 }' "$work/folded" || return 1
	done
}

# Both say the last of all, folded or not.
all_is_there() {
	folded 80 readers && grep -q 'wakeups [0-9]*, .* ms ago$' \
		"$work/folded" &&
		folded 200 readers &&
		grep -q '^role .* wakeups .* state$' "$work/folded" &&
		folded 80 'stat -1 writer.flush_time' &&
		grep -q '^    of a flush: .* max ' "$work/folded" &&
		folded 200 'stat -1 writer.flush_time' &&
		grep -q '^writer.flush_time .* of a flush: ' "$work/folded" &&
		folded 80 'hist writer.flush*' &&
		grep -q '^writer.flush_time: of a flush: ' "$work/folded" &&
		folded 80 'log ls' &&
		grep -q '^    events from 1 on, in [0-9]* bytes$' "$work/folded" &&
		folded 80 'clients --gone' &&
		grep -q '^    .*; sent [0-9]*, queued [0-9]*, subsc' \
			"$work/folded" &&
		folded 80 ring &&
		grep -q '^    [a-z]' "$work/folded"
}

# A page of counters that has none.
idle() {
	printf 'PEALSTAT\002\000\000\000\000\000\000\000\200\000\000\000'
	head -c 108 /dev/zero
}

# pages: whose there are, of counters and of clients.
pages() {
	find "$(readlink -f "$data/run")/stat" -type f | sort
}

# gateway COMMAND...: another one, under it, beside that of peal up.
gateway() {
	"$@" "$top_builddir/peal-gateway" -o ring.directory="$data/run" \
	    -o tls.certificate="$cafile" -o tls.key="$data/tls/key.pem" \
	    -o auth.keys="$data/auth/dev.pem" -o gateway.listen=127.0.0.1:0
}

# One that is told to end while it opens, for which it has seconds: each attempt
# to reach somebody takes that long.
ends_while_it_opens() {
	pages >"$work/pages"
	# -D: the process that was started is the gateway itself.
	(gateway exec strace -D -o "$work/trace" -e trace=connect \
	    -e inject=connect:delay_enter=3000000 >"$work/early" 2>&1) &
	early=$!
	others="$others $early"
	await test -e "$data/run/stat/gateway.$early" || return 1
	kill -TERM "$early"
	ends "$early"
	cat "$work/early"
	[ "$status" -eq 0 ] && pages | diff "$work/pages" -
}

ends_of_its_configuration() {
	pages >"$work/pages"
	cafile=/dev/null
	gateway env
	status=$?
	cafile=$data/tls/cert.pem
	[ "$status" -eq 2 ] && pages | diff "$work/pages" -
}

plan 29
exits 'where nothing ever ran, it says so' 1 'no counters' \
    "$peal" stat -1 -o ring.directory="$work"
mkdir -p "$work/idle/stat"
idle >"$work/idle/stat/nobody.1"
exits 'nor where somebody counts nothing' 1 'no counters' \
    "$peal" stat -1 -o ring.directory="$work/idle"
house_up --gateways 1
passes 'two clients follow ten events' follow_two
passes 'the gateway has counted them' await_here counted
passes 'a gauge goes back' await_here gone
# Who was answered may look before the writer has counted him.
passes 'a pattern chooses' await sh -c \
    "'$peal' stat -1 --data '$data' 'writer.*' >'$work/some' &&
	grep -q '^writer.appends  *[0-9]*  *10 ' '$work/some' &&
	! grep -q gateway '$work/some'"
passes 'a histogram counts values, and its percentiles have a unit' sh -c \
    "'$peal' stat -1 --data '$data' writer.flush_time |
	grep -q ' values .*(p50 [0-9.]* [mnu]*s, p99 [0-9.]* [mnu]*s, max '"
exits 'a pattern that names no counter is told' 1 "named 'gatway.*'" \
    "$peal" stat -1 --data "$data" 'gatway.*'
passes 'programs get JSON' sh -c \
    "'$peal' stat -1 --json --data '$data' gateway.opened |
	grep -q '\"process\":\"gateway\",\"pid\":$(gateways),\"alive\":true,.*\"name\":\"opened\",\"kind\":\"counter\",\"unit\":\"sessions\",.*\"value\":2'"
passes 'asked once, it shows means of what was counted, and no others' means
passes 'the second turn knows rates, the first one none' rates_come
passes 'programs get a line for each turn, with rates' rates_are_json
if command -v script >/dev/null; then
	passes 'a terminal gets what fits, in place' fits 12 60
	passes 'one of three lines does, too' fits 3 20
	passes 'what is printed once fits 80 columns' fit_80
	passes 'and leaves nothing out, which a wide terminal has in a line' \
		all_is_there
else
	verdict 'a terminal gets what fits, in place # SKIP no script(1)' 0
	verdict 'one of three lines does, too # SKIP no script(1)' 0
	verdict 'what is printed once fits # SKIP no script(1)' 0
	verdict 'and leaves nothing out # SKIP no script(1)' 0
fi
passes 'a reader who has gone ends it without a word' \
    sh -c "'$peal' stat --data '$data' 2>'$work/err' | head -n 1 &&
	[ ! -s '$work/err' ]"
exits 'a full disk is told' 1 'cannot write the output' \
    sh -c "'$peal' stat --data '$data' >/dev/full"
passes 'one who stands still does not keep it from ending' slow_reader
exits 'an interval of nothing is refused' 2 '--interval takes' stat -i 0
exits 'so is a number of turns that is none' 2 '--count takes' live -n -3
# Nobody has a say in what his file is called.
evil=$(printf 'a\033[2Jb\302\233c')
: >"$data/run/stat/$evil"
exits 'names of files cannot steer a terminal' 1 "'a?[2Jb??c'" stat
rm "$data/run/stat/$evil"
litter
exits 'what is no page is told by status' 1 'noise' stat
stat >"$work/said" 2>&1
passes 'and each is named beside the good ones' named
rm -rf "$data"/run/stat/[!g]*
passes 'who cannot begin leaves no counters' ends_of_its_configuration
if strace -o /dev/null true 2>/dev/null; then
	passes 'nor who is told to stop before it has begun' ends_while_it_opens
else
	verdict 'nor who is told to stop # SKIP no strace that may trace' 0
fi
first=$(gateways)
kill -KILL "$first"
passes 'what a crash left can be read' \
    await sh -c "'$peal' stat -1 --data '$data' gateway.opened |
	grep -q '^# gateway $first has gone'"
passes 'and who asks for something else is not told of it' \
    sh -c "'$peal' stat -1 --data '$data' 'writer.*' >'$work/some' &&
	grep -q '^writer.appends ' '$work/some' &&
	! grep -q 'has gone' '$work/some'"
passes 'told to stop, all of it ends' house_down
