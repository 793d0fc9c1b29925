#!/bin/sh
# The examples of the manual, as they stand on its pages: each works, and prints
# what is shown below it, on a peal on which somebody has done something
# already.  A page that does something itself has one of its own.
. "$(dirname "$0")/../lib/house.sh"

pages=$(ls "$top_srcdir"/doc/man/*.[178] "$top_builddir/doc/man/peal.conf.5")
taken=0

# take PAGE: its examples into $work/ex, those after $taken.
take() {
	awk -v into="$work/ex" -v from="$taken" \
	    -f "$top_srcdir/tests/lib/examples.awk" "$1"
	taken=$(ls "$work/ex" | sed -n 's/\.\(run\|conf\)$//p' | sort -n |
		tail -n 1)
	: "${taken:=0}"
}

# What is there already, and what examples call by name.
furnish() {
	place=$work/$1
	data=$place/peal-data
	mkdir "$place" && cd "$place" || bail 'no directory'
	house_up --gateways 1
	{
		peal append memory.item.1 item_created '{"text":"bread"}' \
		    --actor ann
		peal append memory.item.1 item_updated '{"text":"two"}' \
		    --actor bob
		peal append memory.item.2 item_created '{"text":"tea"}' \
		    --actor ann
		peal token --sub ann --read '>' --write '>' >ann.token
	} >/dev/null || bail 'nothing can be stored'
	cp peal-data/tls/cert.pem cert.pem
	head -n 100 "$sample" >events.jsonl
	cp "$top_srcdir/tests/data/graph.jsonl" graph.jsonl
	{ cat graph.jsonl && echo 'no event'; } >export.jsonl
	printf '[ring]\nslot = 8\n' >new.conf
}

# Commands that go on until they are told to end.
endless() {
	case $1 in
	'peal up'* | 'peal metrics --listen'*) return 0 ;;
	'peal tail'* | 'peal stat'*)
		case $1 in *' -n '* | *' -1'*) return 1 ;; *) return 0 ;; esac ;;
	esac
	return 1
}

# The command of an example, on this test's ports.
command_of() {
	run=$(sed "s|0\.0\.0\.0:8443|127.0.0.1:0|" "$1.run")
	case $run in
	'peal up'*--listen*)
		run=$(printf '%s\n' "$run" | sed 's|127\.0\.0\.1:8443|127.0.0.1:0|') ;;
	'peal up'*) run="$run --listen 127.0.0.1:0" ;;
	'peal top'*) run="python3 '$top_srcdir/tests/lib/onpty.py' 'space pause' $run" ;;
	*) run=$(printf '%s\n' "$run" |
		sed "s|127\.0\.0\.1:8443|127.0.0.1:$port|") ;;
	esac
}

# An example of what is refused shows the sentence, "peal COMMAND: ...".
refusal() {
	head -n 1 "$1.out" | grep -q '^peal [a-z ]*: ' &&
		! grep -q '^peal: ready' "$1.out"
}

# What it has printed so far is what is shown.
shown() {
	sed 's|127\.0\.0\.1:[0-9][0-9]*|127.0.0.1:8443|' "$1.has" >"$1.now"
	sed 's|0\.0\.0\.0:8443|127.0.0.1:8443|' "$1.out" >"$1.want"
	awk -f "$top_srcdir/tests/lib/shown.awk" "$1.want" "$1.now"
}

ended() {
	! kill -0 "$1" 2>/dev/null
}

shown_or_ended() {
	{ [ -s "$1.has" ] && shown "$1"; } || ended "$2"
}

# until_shown EXAMPLE: run it until it has printed what is shown, and end it.
until_shown() {
	case $run in 'peal up'*) mkdir -p other && cd other ;; esac
	# shellcheck disable=SC2086 # words of a command
	eval "exec_it $run" </dev/null >"$1.has" 2>"$1.err" &
	runs=$!
	others="$others $runs"
	cd "$place" || bail 'no directory'
	await_here shown_or_ended "$1" "$runs"
	kill -INT "$runs" 2>/dev/null
	ends "$runs"
}

exec_it() {
	exec "$@"
}

# What asks the broker is asked when that has folded all there is: a busy one
# would refuse after two seconds, as behind.
wait_for_broker() {
	case $run in
	'peal at'* | 'peal diff'* | 'peal graph'* | 'peal history'* | \
	    'peal revert'* | 'peal state'* | 'peal verify'*)
		await peal state nothing.here >/dev/null 2>&1 ;;
	esac
}

# works EXAMPLE: it does what the page says; otherwise $1.why says what it did.
works() {
	command_of "$1"
	wait_for_broker
	status=0
	if endless "$run"; then
		until_shown "$1"
	else
		timeout "$deadline" sh -c "$run" </dev/null >"$1.has" \
		    2>"$1.err" || status=$?
	fi
	if refusal "$1"; then
		cp "$1.err" "$1.has"
		shown "$1" && [ "$status" -gt 0 ] && return
	else
		shown "$1" && [ "$status" -eq 0 ] && return
	fi
	{
		echo "status $status"
		cat "$1.err"
		diff "$1.want" "$1.now"
	} >"$1.why"
	return 1
}

# A configuration that an example shows.
configures() {
	grep -q '^\[' "$1.conf" || {
		echo 'neither a command nor a configuration' >"$1.why"
		return 1
	}
	peal config -c "$1.conf" >"$1.has" 2>"$1.why"
}

# Whether the examples of a page change what there is.
changes() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$1" |
		grep -qE 'peal (append|import|demo|revert|grant|revoke) |/v1/events'
}

# judge PAGE: each of its examples.
judge() {
	before=$taken
	take "$1"
	for i in $(seq $((before + 1)) "$taken"); do
		example=$work/ex/$i
		ok=0
		if [ -f "$example.run" ]; then
			name=$(head -n 1 "$example.run")
			works "$example" || ok=1
		else
			name='the configuration'
			configures "$example" || ok=1
		fi
		[ "$ok" -eq 0 ] || sed 's/^/# /' "$example.why"
		verdict "$(basename "$1"): $name" $ok
	done
}

leave() {
	house_down || bail 'it did not end in order'
	cd "$work" || bail 'no directory'
}

# refused NAME EXAMPLE: the judge notices what is wrong with it.
refused() {
	mkdir -p "$work/wrong"
	printf '.Sh EXAMPLES\n.Bd -literal\n%s\n.Ed\n' "$2" >"$work/page"
	rm -f "$work"/wrong/*
	awk -v into="$work/wrong" -v from=0 \
	    -f "$top_srcdir/tests/lib/examples.awk" "$work/page"
	if [ -f "$work/wrong/1.conf" ]; then
		! configures "$work/wrong/1"
	else
		[ -f "$work/wrong/1.run" ] && ! works "$work/wrong/1"
	fi
	verdict "$1" $?
}

mkdir "$work/ex" "$work/bin"
for program in peal peal-writer peal-broker peal-gateway; do
	ln -s "$(cd "$top_builddir" && pwd)/$program" "$work/bin/$program"
done
PATH=$work/bin:$PATH
export PATH

furnish shared
refused 'a command that fails is refused' '$ peal conjure'
refused 'an option that is none is refused' '$ peal state --conjure'
refused 'output that is not shown is refused' "\$ peal state --seq 'memory.>'
4
..."
refused 'a line too few is refused' "\$ peal state 'memory.>'
memory.item.1@2 ..."
refused 'a line too many is refused' "\$ peal state 'memory.>'
memory.item.1@2 ...
memory.item.2@1 ...
memory.item.3@1 ..."
# What never comes can only be waited for.
patience=$deadline deadline=1
refused 'one that goes on and never shows it is refused' \
	"\$ peal tail --from oldest -n 3 'memory.>'
\\&...
4 ..."
deadline=$patience
refused 'a refusal that is none is refused' "\$ peal state
peal state: ..."
refused 'a configuration with a key that is none is refused' '[ring]
colour = red'
refused 'what is neither command nor configuration is refused' \
	'# peal conjure'
for one in $pages; do
	changes "$one" || judge "$one"
done
leave
for one in $pages; do
	changes "$one" || continue
	furnish "$(basename "$one")"
	judge "$one"
	leave
done
verdict 'the manual has examples' "$([ "$taken" -ge 30 ]; echo $?)"
plan "$count"
