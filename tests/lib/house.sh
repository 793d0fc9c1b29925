# A running peal for shell tests; sourced, not run.  Everything is in a
# directory of its own, and nothing that was started outlives the test.

: "${top_builddir:=$(pwd)}"
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
peal=$top_builddir/peal
lib=$top_builddir/tests/lib
programs=$top_builddir/tests/t
sample=$top_srcdir/tests/data/events.jsonl
deadline=300
count=0
work=$(mktemp -d "${TMPDIR:-/tmp}/peal-test.XXXXXX")
data=$work/data
up=
others=

house_clean() {
	status=$?
	trap - EXIT
	for pid in $others $up; do
		kill -KILL "$pid" 2>/dev/null
	done
	[ -z "$up" ] || wait "$up" 2>/dev/null
	if grep -hE 'Sanitizer|runtime error' "$work"/*.err 2>/dev/null; then
		echo 'Bail out! a sanitizer has found something'
		status=1
	fi
	# The run directory may be on another file system, behind a link.
	for run in "$work"/*/run; do
		[ ! -L "$run" ] || rm -rf "$(readlink "$run")"
	done
	# Who was killed may still hold it.
	for place in ${mounted-}; do
		umount -l "$place" 2>/dev/null
	done
	rm -rf "$work"
	exit $status
}
trap house_clean EXIT
trap 'exit 1' HUP INT PIPE TERM

plan() {
	echo "1..$1"
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

# verdict NAME STATUS: the next test's result.
verdict() {
	count=$((count + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
	fi
}

# passes NAME COMMAND...: it succeeds; what it says is shown when it does not.
passes() {
	name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		verdict "$name" 0
	else
		echo "# status $? of: $*"
		sed 's/^/# /' "$work/out"
		verdict "$name" 1
	fi
}

# exits NAME STATUS TEXT COMMAND...: with that status, saying TEXT.
exits() {
	name=$1 want=$2 text=$3
	shift 3
	got=0
	"$@" >"$work/out" 2>&1 || got=$?
	if [ "$got" -eq "$want" ] && grep -qF -e "$text" "$work/out"; then
		verdict "$name" 0
	else
		echo "# status $got, not $want with '$text', of: $*"
		sed 's/^/# /' "$work/out"
		verdict "$name" 1
	fi
}

# count_group NAME FILE: the tests of a cmocka group, counted on here, since a
# group has a plan of its own.
count_group() {
	while read -r line; do
		case $line in
		'ok '*' - '*) verdict "$1: ${line#* - }" 0 ;;
		'not ok '*' - '*) verdict "$1: ${line#* - }" 1 ;;
		'#'*) printf '%s\n' "$line" ;;
		esac
	done <"$2"
}

# run_group NAME PROGRAM...: run a cmocka group and count its tests; one that
# ends early, or says nothing, fails.
run_group() {
	group_name=$1
	shift
	group_status=0
	"$@" >"$work/group.$group_name" 2>&1 || group_status=$?
	count_group "$group_name" "$work/group.$group_name"
	verdict "$group_name: the group came to its end" $group_status
}

bail() {
	echo "Bail out! $*"
	[ ! -f "$work/up.err" ] || sed 's/^/# /' "$work/up.err"
	exit 1
}

await() {
	"$lib/await" "$deadline" "$@"
}

# The same for a function of the test, which may await something itself.
await_here() {
	set -- $(($(date +%s) + deadline)) "$@"
	until await_once "$@"; do
		[ "$(date +%s)" -le "$1" ] || return 1
		"$lib/await" 0.02 false || :
	done
}

await_once() {
	shift
	"$@"
}

# verified [OPTION...]: peal verify finds that what is served is what is folded.  A
# broker that is busy is asked again; one that serves anything else is not.
verified() {
	await sh -c '"$@" >"$0" 2>&1
		case $? in
		1) grep -q "differences in" "$0" ;;
		esac' "$work/verified" "$peal" verify "$@"
	cat "$work/verified"
	grep -q 'are what is folded' "$work/verified"
}

# house_env has assignments for the environment of what is started, if any.
# house_up [OPTION...]: start everything; $port is where clients connect.
house_up() {
	# What an earlier one said is not to be taken for this one's.
	: >"$work/up.out"
	env ${house_env-} "$peal" up --data "$data" --listen 127.0.0.1:0 "$@" \
	    >"$work/up.out" 2>"$work/up.err" &
	up=$!
	await sh -c "grep -q '^peal: ready' '$work/up.out' ||
	    ! kill -0 $up 2>/dev/null" || bail 'peal up was never ready'
	port=$(sed -n 's|^peal: ready https://[^/]*:\([0-9]*\).*|\1|p' \
	    "$work/up.out" | head -n 1)
	[ -n "$port" ] || bail 'peal up ended'
	token=$data/dev.token
	cafile=$data/tls/cert.pem
}

# house_down: stop everything in order; the status is that of peal up.
house_down() {
	kill -TERM "$up" 2>/dev/null
	status=0
	wait "$up" || status=$?
	up=
	return $status
}

# children NAME: process ids of what peal up has started under that name.
children() {
	for stat in /proc/[0-9]*/stat; do
		line=$(cat "$stat" 2>/dev/null) || continue
		case $line in
		*" ($1) "[A-Z]" $up "*) echo "${line%% *}" ;;
		esac
	done
}

gateways() {
	children peal-gateway
}

# busiest: the gateway that has most clients into $work/victim; fails while
# none has any.  Both take clients as they come, and one may get all of them.
busiest() {
	"$peal" readers --data "$data" --json | tr '}' '\n' |
		sed -n 's/.*"gateway".*"pid":\([0-9]*\),.*"clients":\([0-9]*\),.*/\2 \1/p' |
		sort -rn | sed -n '1s/^[1-9][0-9]* //p' >"$work/victim"
	[ -s "$work/victim" ]
}

writer() {
	children peal-writer
}

broker() {
	children peal-broker
}

# Several copies of the sample, each line in it as often.
copies() {
	i=0
	while [ "$i" -lt "$1" ]; do
		cat "$sample"
		i=$((i + 1))
	done
}

# follow [OPTION...]: with what every client needs.
follow() {
	"$programs/follow" -p "$port" -C "$cafile" -t "$token" "$@"
}

produce() {
	"$programs/produce" -s "$data/run/writer.sock" "$@"
}

# house_writer [OPTION...]: a writer alone, with small segments, restarted by
# nobody; $writer is its process id.
house_writer() {
	house_writer_serves "$@" && return
	sed 's/^/# /' "$work/writer.err"
	bail 'peal-writer ended'
}

# The same where it may not want to; fails when it has ended.
house_writer_serves() {
	mkdir -p "$data/log" "$data/run"
	# What an earlier one said is not to be taken for this one's.
	: >"$work/writer.err"
	env ${house_env-} "$top_builddir/peal-writer" \
	    -o log.directory="$data/log" -o log.unsafe_filesystem=yes \
	    -o ring.directory="$data/run" -o log.segment_bytes=4M \
	    -o ring.slots=16384 -o ring.payload_bytes=4M "$@" \
	    2>"$work/writer.err" &
	writer=$!
	others="$others $writer"
	await sh -c "grep -q 'serving:' '$work/writer.err' ||
	    ! kill -0 $writer" 2>/dev/null
	kill -0 "$writer" 2>/dev/null
}

# wanted: the event whose rows the writer asks the broker for, so that what is
# before it can be given up; 0: none is.  As it tells whoever says no word about
# clients' positions.
wanted() {
	python3 - "$data/run/writer.sock" <<'END'
import socket, struct, sys

s = socket.socket(socket.AF_UNIX)
s.settimeout(300)
s.connect(sys.argv[1])
ask = b"\x82\xa2op\xa6retain\xa2id\x01"
s.sendall(struct.pack("<I", len(ask)) + ask)
got = b""
while len(got) < 4 or len(got) < 4 + struct.unpack("<I", got[:4])[0]:
    more = s.recv(4096)
    if not more:
        sys.exit("hung up")
    got += more
at = got.index(b"\xa3seq") + 4
size = {0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8}.get(got[at], 0)
print(int.from_bytes(got[at + 1:at + 1 + size], "big") if size else got[at])
END
}

# ends PID: wait for a process of ours and keep its status in $status.
ends() {
	status=0
	{ wait "$1" || status=$?; } 2>/dev/null
}

# The log into $work/copy, by the commands of doc/operations.md; the program as
# it was built.
copy_by_hand() {
	sed -n '/^\*\*Copying the files/,/^## /s/^    //p' "$top_srcdir/doc/operations.md" |
		sed -e "s|/var/lib/peal|$data|" -e "s|COPY|$work/copy|" \
		    -e "s|^peal |$peal |" >"$work/backup"
	[ "$(wc -l <"$work/backup")" -ge 5 ] && sh -e "$work/backup"
}

# What a directory holds, to be compared.
fingerprint() {
	(cd "$1" && find . -type f ! -name LOCK -exec sha256sum {} + | sort -k 2)
}
