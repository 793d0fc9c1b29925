#!/bin/sh
# peal metrics: what Prometheus gets is what it takes, tells of the living and
# the dead, and comes from shared memory alone, whoever stands still.
. "$(dirname "$0")/../lib/house.sh"

metrics() {
	"$peal" metrics --data "$data" "$@"
}

skipped() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

# serve [OPTION...]: $where is what it says it listens at.
serve() {
	: >"$work/serving"
	"$peal" metrics --data "$data" "$@" >"$work/serving" \
	    2>"$work/metrics.err" &
	server=$!
	others="$others $server"
	await sh -c "grep -q '^peal: metrics at ' '$work/serving' ||
	    ! kill -0 $server 2>/dev/null"
	where=$(sed -n 's/^peal: metrics at //p' "$work/serving")
	[ -n "$where" ] || {
		sed 's/^/# /' "$work/metrics.err"
		bail 'metrics are not served'
	}
}

scrape() {
	curl -fsS --max-time "$deadline" "$@" "$where" >"$work/scraped"
}

# told METRIC: its value in the last scrape; labels are part of the name.
told() {
	awk -v name="$1" '$1 == name { print $2 }' "$work/scraped"
}

stored() {
	scrape && [ "$(told peal_writer_events_total)" = "$1" ]
}

right_type() {
	scrape -D "$work/heads" && tr -d '\r' <"$work/heads" |
		grep -q -x 'Content-Type: text/plain; version=0.0.4; charset=utf-8'
}

complete() {
	scrape || return 1
	for metric in peal_ring_head_seq peal_ring_slots \
	    peal_writer_flush_seconds_total peal_metrics_bad_files \
	    "peal_gateway_sessions{pid=\"$(gateways)\"}" \
	    "peal_process_up{process=\"gateway\",pid=\"$(gateways)\"}" \
	    "peal_reader_lag_events{role=\"gateway\",pid=\"$(gateways)\"}" \
	    "peal_reader_wakeups_total{role=\"broker\",pid=\"$(broker)\"}"; do
		[ -n "$(told "$metric")" ] || {
			echo "nothing of $metric in:"
			cat "$work/scraped"
			return 1
		}
	done
	[ "$(told 'peal_writer_flush_time_seconds_bucket{le="+Inf"}')" -gt 0 ]
}

# However many clients there are, there are as many series.
no_client_has_a_label() {
	scrape && grep -o '[{,][a-z_]*="' "$work/scraped" | tr -d '{,="' |
		sort -u >"$work/labels"
	printf '%s\n' le pid process role version | cmp - "$work/labels"
}

flawless() {
	scrape && promtool check metrics <"$work/scraped"
}

# up PID: 1, 0, or nothing.
up() {
	told "peal_process_up{process=\"gateway\",pid=\"$1\"}"
}

both_are_told() {
	scrape && [ "$(up "$first")" = 0 ] && [ -n "$(gateways)" ] &&
		[ "$(up "$(gateways)")" = 1 ]
}

only_what_stays_true() {
	[ -n "$(told "peal_gateway_accepted_total{pid=\"$first\"}")" ] &&
		[ -z "$(told "peal_gateway_sessions{pid=\"$first\"}")" ] &&
		[ -n "$(told "peal_gateway_sessions{pid=\"$(gateways)\"}")" ]
}

writer_is() {
	scrape && [ "$(told "peal_process_up{process=\"writer\",pid=\"$1\"}")" = "$2" ]
}

litter() {
	page=$(ls "$data"/run/stat/gateway.* | head -n 1)
	head -c 5000 /dev/urandom >"$data/run/stat/noise"
	head -c 300 "$page" >"$data/run/stat/short"
	cp "$page" "$data/run/stat/copy"
	mkdir "$data/run/stat/directory"
	mkfifo "$data/run/stat/pipe"
	: >"$data/run/stat/empty"
}

counted_and_harmless() {
	scrape && [ "$(told peal_metrics_bad_files)" = 5 ] &&
		[ "$(told peal_writer_events_total)" = 5 ] &&
		[ "$(up "$(gateways)")" = 1 ]
}

told_as_bad() {
	scrape && [ "$(told peal_metrics_bad_files)" = 1 ] &&
		[ -z "$(told peal_ring_head_seq)" ]
}

# A ring cut short under who has it mapped, of nothing, of zeros.
spoilt_ring() {
	truncate -s 5000 "$data/run/ring"
	await_here told_as_bad || return 1
	truncate -s 0 "$data/run/ring"
	await_here told_as_bad || return 1
	head -c 1000000 /dev/zero >"$data/run/ring"
	await_here told_as_bad
}

filtered() {
	grep -q '^Seccomp:.*2$' "/proc/$server/status" ||
		grep -q 'does not filter its system calls' "$work/metrics.err"
}

all_have_ended() {
	scrape && [ "$(told peal_ring_running)" = 0 ] &&
		grep -q '^peal_process_up{process="writer",.*} 0$' \
		    "$work/scraped" &&
		! grep -q '^peal_reader\|^peal_process_up.* 1$' "$work/scraped"
}

# As systemd hands over a socket: descriptor 3, and who it is meant for.
handed_over() {
	python3 - "$peal" "$data" "$1" >"$work/serving" 2>"$work/metrics.err" <<'END' &
import os, socket, sys
s = socket.socket()
s.bind((sys.argv[3], 0))
s.listen()
fd = os.dup(s.fileno())
os.dup2(fd, 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execl(sys.argv[1], "peal", "metrics", "--data", sys.argv[2])
END
	server=$!
	others="$others $server"
}

serves_what_it_was_given() {
	handed_over 127.0.0.1
	await grep -q '^peal: metrics at ' "$work/serving" || return 1
	where=$(sed -n 's/^peal: metrics at //p' "$work/serving")
	scrape && kill -TERM "$server"
}

plan 37
for place in nowhere 127.0.0.1 127.0.0.1: 127.0.0.1:65536 127.0.0.1:x \
    localhost:1 ::1:9735 unix:; do
	exits "'$place' is no place to listen" 2 'is no place to listen' \
	    "$peal" metrics --listen "$place"
done
for place in 0.0.0.0:9735 10.0.0.1:0 '[::]:0' '[fe80::1]:0'; do
	exits "at '$place' it does not listen" 2 'can be reached from elsewhere' \
	    "$peal" metrics --listen "$place"
done
passes 'where nothing ever ran, it says who it is' sh -c \
    "'$peal' metrics -o ring.directory='$work/nowhere' >'$work/none' &&
	grep -q '^peal_build_info{version=' '$work/none' &&
	! grep -q '^peal_ring' '$work/none'"

house_up --gateways 1 --no-vitals
serve --listen 127.0.0.1:0
exits 'a port that is taken is told' 1 'cannot listen on' \
    "$peal" metrics --data "$data" --listen \
    "$(echo "$where" | sed 's|http://||; s|/metrics||')"
passes 'it has given up what it does not need' filtered
produce -n 5 -b 1 -w 1 -d "$deadline" >/dev/null || bail 'nothing was stored'
passes 'what was stored is told' await_here stored 5
passes 'as what it is' right_type
passes 'ring, readers, writer, broker and gateway are told of' \
    await_here complete
if command -v promtool >/dev/null; then
	passes 'promtool finds nothing to improve' flawless
else
	skipped 'promtool finds nothing to improve' 'install prometheus'
fi
follow -n 2 -P '>' -f 0 -u 5 -d "$deadline" >/dev/null ||
	bail 'no client followed'
passes 'no client has a label' no_client_has_a_label
exits 'there is nothing else' 22 404 curl -fsS "${where%/metrics}/"
passes 'once is the same' sh -c \
    "'$peal' metrics --data '$data' | grep -q -x 'peal_writer_events_total 5'"

# Whoever stands still is looked at all the same.
kill -STOP "$(writer)" "$(broker)" "$(gateways)"
passes 'it answers while all others stand still' stored 5
kill -CONT "$(writer)" "$(broker)" "$(gateways)"

first=$(gateways)
kill -KILL "$first"
passes 'a gateway that died is told of, and the one in its place' \
    await_here both_are_told
passes 'with what it counted, and not with what it had' only_what_stays_true
rm "$data/run/stat/gateway.$first"

litter
passes 'what is no page is counted and harms nothing' \
    await_here counted_and_harmless
exits 'and told by status' 1 noise metrics
rm -rf "$data"/run/stat/noise "$data"/run/stat/short \
    "$data"/run/stat/copy "$data"/run/stat/directory \
    "$data"/run/stat/pipe "$data"/run/stat/empty

kill -TERM "$server"
ends "$server"
passes 'told to end, it does' [ "$status" -eq 0 ]

serve --listen "unix:$work/metrics.sock"
where=http://localhost/metrics
passes 'a local socket is one, too' scrape \
    --unix-socket "$work/metrics.sock"
passes 'of its group alone' [ "$(stat -c %a "$work/metrics.sock")" = 660 ]
kill -TERM "$server"
passes 'a socket that was handed over is served' serves_what_it_was_given
handed_over 0.0.0.0
ends "$server"
passes 'not one that others can reach' sh -c "[ $status -eq 2 ] &&
    grep -q 'can be reached from elsewhere' '$work/metrics.err'"

serve --listen 127.0.0.1:0
old=$(writer)
kill -STOP "$up"
kill -KILL "$old"
passes 'a writer that died is told of' await_here writer_is "$old" 0
kill -CONT "$up"
new_writer() {
	[ -n "$(writer)" ] && [ "$(writer)" != "$old" ] && writer_is "$(writer)" 1
}
passes 'so is the one in its place' await_here new_writer
house_down
passes 'and that all have ended' await_here all_have_ended
passes 'a ring that was cut short ends nothing' spoilt_ring
kill -TERM "$server"
ends "$server"
passes 'told to end, it ends in order after all that' [ "$status" -eq 0 ]
