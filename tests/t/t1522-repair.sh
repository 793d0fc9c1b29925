#!/bin/sh
# `peal log repair`: a log with damage that no backup can mend goes on without
# what is lost, after somebody has accepted exactly that; killed at any moment
# it leaves the old log or the new one.
. "$(dirname "$0")/../lib/house.sh"
command -v curl >/dev/null || skip_all 'no curl'
plan 47

options='-o log.segment_bytes=4M -o log.pack=no'
backup=$work/backup

# shellcheck disable=SC2086 # several words
repair() {
	"$peal" log repair --data "$data" $options "$@"
}

# flip FILE OFFSET: another byte there.
flip() {
	byte=$(dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | od -An -tu1)
	# shellcheck disable=SC2059 # the byte, as octal
	printf "$(printf '\\%03o' $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# within FILE: an offset in the hundredth event of one type.
within() {
	LC_ALL=C grep -abo '_updated' "$1" | sed -n '100s/:.*//p'
}

# What the repair says is lost, as it is typed.
lost() {
	repair --json 2>/dev/null |
		sed -n 's/.*"accept":"\([^"]*\)".*/\1/p'
}

# The events that are not lost, of those in $1: ranges are in $2.
without() {
	printf '%s\n' "$2" | tr , '\n' | awk -F'[.][.]' -v file="$1" '
		{ first[NR] = $1; last[NR] = $2 }
		END {
			while ((getline line < file) > 0) {
				seq = substr(line, 2, index(line, ",") - 2) + 0
				for (i = 1; i <= NR; i++)
					if (seq >= first[i] && seq <= last[i])
						break
				if (i > NR)
					print line
			}
		}'
}

# shellcheck disable=SC2086
house_up --gateways 1 $options
copies 20 >"$work/long"
"$peal" import --data "$data" "$work/long" >"$work/import" 2>&1 ||
	bail 'no import'
exits 'a log that is written to is not repaired' 73 'a writer (pid' repair
"$peal" log backup "$backup" --data "$data" >/dev/null || bail 'no backup'
house_down || bail 'peal up did not end well'
exits 'a whole log has nothing to repair' 0 'nothing to repair' repair
"$peal" log cat --json --data "$data" >"$work/all"
head=$(wc -l <"$work/all")
segment() {
	find "$data/log" -name '*.seg' | sort | sed -n "$1p"
}
newest=$(segment '$')
passes 'there are several segments' [ "$(segment 2)" != "$newest" ]

# One in a segment that no start looks into, one in the newest.
flip "$(segment 2)" "$(within "$(segment 2)")"
within=$(within "$newest")
flip "$newest" "$within"
fingerprint "$data/log" >"$work/damaged"
ranges=$(lost)
exits 'the damage is told with what is lost and what to type' 3 \
	"peal log repair --accept-loss $ranges --data" repair
passes 'in as many ranges as there are places' \
	[ "$(printf '%s' "$ranges" | tr -cd , | wc -c)" -eq 1 ]
exits 'the writer that refuses such a log says who can help' 3 \
	"'peal log repair'" "$top_builddir/peal-writer" \
	-o log.directory="$data/log" -o ring.directory="$work/nowhere" \
	-o log.unsafe_filesystem=yes
exits 'another range is refused, and the right one is named' 1 \
	"what would be lost is $ranges" repair --accept-loss 1..2
exits 'so is a larger one' 1 "what would be lost is $ranges" \
	repair --accept-loss "1..$head"
witness=$data/broker/position.wit
cp "$witness" "$work/position.wit"
flip "$witness" 40
exits "a broker's witness that is damaged says so" 3 \
	"witness says nothing: 'position.wit' is damaged" repair
cp "$work/position.wit" "$witness"
for what in '' x 5 -1..2 '1 .. 2' '1..2;reboot' ../.. none; do
	exits "and '$what'" "$([ "$what" = none ] && echo 1 || echo 2)" 'loss' \
		sh -c "'$peal' log repair --data '$data' --accept-loss '$what' ||
		{ s=\$?; echo loss; exit \$s; }"
done
fingerprint "$data/log" >"$work/now"
passes 'nothing of all that has changed a byte' \
	cmp -s "$work/damaged" "$work/now"
passes 'or left anything beside' sh -c \
	"[ \"\$(ls -d '$data'/log*)\" = '$data/log' ]"

# --- killed ---

# as_it_was DIR: the log in it is the damaged one, or the repaired one.
as_it_was() {
	fingerprint "$1/log" | cmp -s "$work/damaged" - ||
		"$peal" log verify --data "$1" >/dev/null 2>&1
}

# Of a killed repair: the damaged log is there, under one name or another.
is_kept() {
	for dir in "$1"/log*; do
		fingerprint "$dir" | cmp -s "$work/damaged" - && return 0
	done
	return 1
}

# All of that, and the next attempt comes to its end.
comes_through() {
	as_it_was "$data" && is_kept "$data" || return 1
	"$peal" log verify --data "$data" >/dev/null 2>&1 && return 0
	repair --accept-loss "$ranges" >/dev/null 2>&1 &&
		"$peal" log verify --data "$data" >/dev/null 2>&1
}

mkdir "$work/other"
cp -a "$data/log" "$work/other/log"
flip "$(find "$work/other/log" -name '*.seg' | sort | head -n 1)" 9000
passes 'a log that is neither would be seen' sh -c \
	"! $(as_it_was "$work/other" && echo true || echo false)"
rm -rf "$work/other"

if strace -o /dev/null true 2>/dev/null; then
	killed=0 wrong=0 calls_most=200
	saved=$data
	data=$work/killed
	for call in mkdir linkat rename renameat renameat2 unlinkat fsync \
	    fdatasync; do
		n=0 status=137
		# Until there are no more calls to be killed at.
		while [ $status -eq 137 ]; do
			n=$((n + 1))
			[ $n -le "$calls_most" ] || break
			rm -rf "$data"
			mkdir "$data"
			cp -a "$saved/log" "$data/log"
			status=0
			# shellcheck disable=SC2086
			strace -f -o /dev/null -e trace=$call \
			    -e inject=$call:signal=KILL:when=$n \
			    "$peal" log repair --data "$data" $options \
			    --accept-loss "$ranges" >/dev/null 2>&1 ||
				status=$?
			[ $status -ne 137 ] || killed=$((killed + 1))
			case $status in
			0 | 137) comes_through && continue ;;
			esac
			wrong=$((wrong + 1))
			echo "# not so at $call $n, status $status"
		done
		[ $status -ne 137 ] || wrong=$((wrong + 1))
	done
	rm -rf "$data"
	data=$saved
	echo "# killed at $killed calls"
	passes 'killed at any call there is the old log or the new one' \
		sh -c "[ $killed -gt 20 ] && [ $wrong -eq 0 ]"
else
	count=$((count + 1))
	echo "ok $count - # SKIP no strace that may trace"
fi

# --- what is typed ---

odd="$work/it's \$(one); \"zwölf\""
mkdir "$odd"
cp -a "$data/log" "$odd/log"
# shellcheck disable=SC2086
"$peal" log repair --data "$odd" $options 2>/dev/null | tail -n 1 |
	sed 's/$/ --json/' >"$work/typed"
exits 'what it says to type means the same to a shell' 0 '"epoch_seq"' \
	env PATH="$(cd "$top_builddir" && pwd):$PATH" sh "$work/typed"
cp "$work/out" "$work/said"
passes 'where the old log is now is a string of JSON' grep -qF \
	"$(echo "$odd"/log.damaged-* | sed 's/"/\\"/g; s/.*/"kept_in":"&"}/')" \
	"$work/said"
rm -rf "$odd"

odd=$work/$(printf 'log\342\200\256gpj.')
mkdir "$odd"
cp -a "$data/log" "$odd/log"
# shellcheck disable=SC2086
"$peal" log repair --data "$odd" $options 2>/dev/null | tail -n 1 \
	>"$work/typed"
passes 'nor does a name turn around what is read of it' \
	grep -qF "log\\342\\200\\256gpj." "$work/typed"
rm -rf "$odd"

odd=$work/$(printf 'caf\351')
mkdir "$odd"
cp -a "$data/log" "$odd/log"
exits 'a log in a directory whose name is no text is repaired' 0 "\$bin" \
	"$peal" log repair --data "$odd" --accept-loss "$ranges" --json
cp "$work/out" "$work/said"
passes 'and its name said as the bytes it has' grep -qF \
	"\"kept_in\":{\"\$bin\":\"$(printf %s "$odd"/log.damaged-* | base64 -w 0)\"}" \
	"$work/said"
rm -rf "$odd"

# --- where the log is ---

mkdir "$work/linked" "$work/disk"
cp -a "$data/log" "$work/disk/log"
ln -s "$work/disk/log" "$work/linked/log"
exits 'a log behind a link is repaired where it is' 0 "'$work/disk/log' is" \
	"$peal" log repair --data "$work/linked" --accept-loss "$ranges"
passes 'and kept there' [ -e "$(echo "$work"/disk/log.damaged-*)/LOCK" ]
exits 'the link leads to the new one' 0 "$((head + 1)) events" \
	"$peal" log verify --data "$work/linked"
rm -rf "$work/linked" "$work/disk"
if unshare --mount true 2>/dev/null; then
	mkdir -p "$work/mounts/log"
	exits 'one that is a disk of its own is refused' 1 'is a mount point' \
		unshare --mount sh -c "mount -t tmpfs tmpfs '$work/mounts/log' &&
		cp -a '$data'/log/* '$work/mounts/log' &&
		'$peal' log repair --data '$work/mounts' --accept-loss $ranges"
	passes 'which leaves nothing beside it' [ ! -e "$work/mounts/log.new" ]
else
	for skipped in 1 2; do
		count=$((count + 1))
		echo "ok $count - # SKIP nothing may be mounted here"
	done
fi

# --- done ---

exits 'the loss that was accepted is given up' 0 'says what was lost' \
	repair --accept-loss "$ranges"
kept=$(find "$data" -maxdepth 1 -name 'log.damaged-*')
fingerprint "$kept" >"$work/now"
passes 'the damaged log is kept as it was' cmp -s "$work/damaged" "$work/now"
exits 'the new one is whole' 0 "$((head + 1)) events" \
	"$peal" log verify --data "$data"
"$peal" log cat --json --data "$data" --to "$head" >"$work/again"
without "$work/all" "$ranges" >"$work/want"
without "$work/again" "$ranges" >"$work/got"
passes 'every other event is the same, in its place' \
	cmp -s "$work/want" "$work/got"
exits 'the last one says what was lost' 0 'log_repaired' \
	"$peal" log cat --data "$data" --from $((head + 1))
exits 'one that is lost says so in its place' 0 'event_lost' \
	"$peal" log cat --data "$data" --from "${ranges%%.*}" \
	--to "${ranges%%.*}"
exits 'and there is nothing more to repair' 0 'nothing to repair' repair

# shellcheck disable=SC2086
house_up --gateways 1 $options
log=$(sed -n 's/.*"log":"\([^"]*\)","epoch":\([0-9]*\).*/\1-\2/p' \
	"$backup/manifest.json")
printf 'Authorization: Bearer %s\n' "$(cat "$token")" >"$work/bearer"
exits 'a client of the history before is told that it is another' 0 \
	'log_changed' curl -sS --cacert "$cafile" --max-time "$deadline" \
	-H "@$work/bearer" -H "Last-Event-ID: $log:$head" \
	"https://127.0.0.1:$port/v1/stream?topic=after.%3E"
mkdir "$work/emptied"
exits 'a ring that somebody serves is not asked about another log' 0 \
	'nothing to repair' "$peal" log repair -o log.directory="$work/emptied" \
	-o ring.directory="$data/run" -o broker.directory="$work/nowhere"
exits 'the broker folds what is there now' 0 'are what is folded' \
	verified --data "$data"
exits 'so does who gets the events from a gateway' 0 'are what is folded' \
	verified --url "https://127.0.0.1:$port" --token-file "$token" \
	--cafile "$cafile"
exits 'appends go on behind it' 0 "seq $((head + 2))" \
	"$peal" append after.it x_set '{"n":1}' --data "$data"
rm -f "$work"/long.*
exits 'who sends all of it again stores what was lost, and nothing twice' 0 \
	"2 stored, $((head - 2)) duplicates" \
	"$peal" import --data "$data" "$work/long"
kill -KILL "$(writer)"
passes 'a writer that is killed then comes back by itself' \
	await "$peal" append after.it x_set '{"n":2}' --data "$data"
house_down || bail 'peal up did not end well'

# What a backup has can be put back alone.
bad=$(basename "$(ls "$kept"/*.seg | sed -n 2p)")
"$peal" log restore "$backup" --data "$work/elsewhere" >/dev/null ||
	bail 'no restoration'
mkdir "$work/mended"
cp -a "$kept" "$work/mended/log"
flip "$work/mended/log/$(basename "$newest")" "$within"
exits 'a damaged segment is one problem' 3 "$bad" \
	"$peal" log verify --data "$work/mended"
cp "$work/elsewhere/log/$bad" "$work/mended/log/$bad"
exits 'and none with that of a backup in its place' 0 "$head events" \
	"$peal" log verify --data "$work/mended"
