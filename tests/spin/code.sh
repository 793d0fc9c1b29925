#!/bin/sh
# The models of this directory stand for the code: what orders memory there is
# where the models have it.  On most machines a fence costs no instruction, so
# that no program that runs could miss it.
set -u

top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
count=0 failed=0

# verdict YES|NO NAME
verdict() {
	count=$((count + 1))
	case $1 in
	yes) echo "ok $count - $2" ;;
	*)
		failed=1
		echo "not ok $count - $2"
		;;
	esac
}

# steps FILE FUNCTION: what of it touches words that are shared, in its order.
steps() {
	awk -v name="$2" '
	$0 ~ "^" name "\\(" { found = 1 }
	found && /^}/ { exit }
	found && inside { body = body $0 }
	found && /^{/ { inside = 1 }
	# The last member that the text names.
	function word(text) {
		sub(/[,)].*/, "", text)
		gsub(/\[[^]]*\]/, "", text)
		gsub(/.*->|[^a-z_]/, "", text)
		return text
	}
	function order(text) {
		sub(/.*memory_order_/, "", text)
		gsub(/[^a-z_]/, "", text)
		return text
	}
	END {
		gsub(/\/\*([^*]|\*[^\/])*\*\//, "", body)
		gsub(/[ \t]+/, " ", body)
		call = "(atomic_|ring_|seat_ring|seat_put|frame_send_fds|drain)[a-z_]*\\([^;{]*"
		while (match(body, call)) {
			text = substr(body, RSTART)
			fn = text
			sub(/\(.*/, "", fn)
			body = substr(text, length(fn) + 1)
			sub(/;.*/, "", text)
			first = substr(text, length(fn) + 2)
			if (fn == "atomic_thread_fence")
				print "fence " order(text)
			else if (fn == "atomic_store_explicit")
				print "store " word(first) " " order(text)
			else if (fn == "atomic_load_explicit")
				print "load " word(first) " " order(text)
			else if (fn ~ /^ring_(store|load|load_acquire)$/)
				print substr(fn, 6) " " word(first)
			else if (fn ~ /^ring_(slot|bytes)_|^seat_(ring|put)$/ ||
			    fn ~ /^(drain|frame_send_fds)$/ ||
			    fn ~ /^ring_reader_(valid|level|rung)$/)
				print fn
		}
	}' "$1"
}

# The functions that the models are made of, with their steps; and those that
# write and copy what tools see, between an odd and an even number.
all_steps() {
	while read -r file function; do
		echo "$function"
		steps "$1/$file" "$function" | sed 's/^/	/'
	done <<END
shm/ring_writer.c ring_writer_begin
shm/ring_writer.c ring_writer_add
shm/ring_writer.c ring_writer_commit
shm/ring_reader_priv.h ring_load_acquire
shm/ring_reader_priv.h ring_reader_valid
shm/ring_reader_priv.h ring_reader_lapped
shm/ring_reader.c ring_reader_level
shm/ring_reader.c ring_reader_rung
shm/ring_reader.c reader_collect
shm/ring_reader.c ring_reader_read
shm/ring_reader_seek.c reader_probe
shm/ring_reader_seek.c reader_window
shm/doorbell_hub.c doorbell_hub_add
shm/doorbell_hub.c doorbell_hub_ring
shm/doorbell_hub.c seat_ring
shm/doorbell_reader.c doorbell_park
shm/doorbell_reader.c doorbell_awake
shm/doorbell_hub.c table_begin
shm/doorbell_hub.c table_end
shm/ring_reader_table.c seat_copy
shm/client_page.c write_words
END
}

# What the models have: validate.pml the ring's, wake.pml the doorbells'.
cat >"$work/models" <<'END'
ring_writer_begin
	store valid_ord relaxed
	fence release
ring_writer_add
	ring_bytes_in
	ring_slot_store
ring_writer_commit
	store publish_ns
	store tail_pos release
	store tail_seq release
	store tail_ord release
	fence seq_cst
ring_load_acquire
	load w acquire
ring_reader_valid
	fence acquire
	load valid_ord relaxed
ring_reader_lapped
	fence acquire
	load_acquire tail_ord
ring_reader_level
	load_acquire tail_ord
ring_reader_rung
	load_acquire rung_ord
reader_collect
	load_acquire tail_ord
	load_acquire tail_pos
	ring_slot_load
	ring_reader_valid
ring_reader_read
	ring_bytes_out
	ring_reader_valid
reader_probe
	ring_slot_load
	ring_reader_valid
reader_window
	load valid_ord relaxed
	fence acquire
	load_acquire tail_ord
doorbell_hub_add
	seat_put
	frame_send_fds
doorbell_hub_ring
	load tail_ord
	fence seq_cst
	seat_ring
	store rung_ord release
seat_ring
	load parked
doorbell_park
	store parked
	fence seq_cst
	ring_reader_level
	store parked
doorbell_awake
	ring_reader_rung
	store parked
	drain
	store wakeups
	load wakeups
	store missed
	load missed
	store heartbeat_ns
table_begin
	store generation
	load generation
	fence release
table_end
	store generation release
	load generation
seat_copy
	load_acquire generation
	load role
	load pid
	load attached_us
	load position
	load clients
	load lapped
	load wakeups
	load missed
	load parked
	load heartbeat_ns
	fence acquire
	load generation
write_words
	load gen relaxed
	store gen relaxed
	fence release
	store gen relaxed
	store words relaxed
	store gen release
END

# as_models TREE
as_models() {
	all_steps "$1" >"$work/steps"
	diff "$work/models" "$work/steps" >"$work/out"
}

# wrong NAME FILE COMMAND...: the code with that done to FILE is refused.
wrong() {
	name=$1 file=$2
	shift 2
	rm -rf "$work/tree"
	mkdir -p "$work/tree"
	cp -R "$top/shm" "$work/tree"
	"$@" "$top/$file" >"$work/tree/$file"
	if cmp -s "$top/$file" "$work/tree/$file" || as_models "$work/tree"; then
		verdict no "$name"
	else
		verdict yes "$name"
	fi
}

if as_models "$top"; then
	verdict yes 'what orders memory is where the models have it'
else
	sed 's/^/# /' "$work/out"
	verdict no 'what orders memory is where the models have it'
fi
fence=atomic_thread_fence
wrong 'a lost fence behind valid is missed' shm/ring_writer.c \
    sed "s/$fence(memory_order_release);//"
wrong 'a lost fence in front of the parked flags is missed' \
    shm/ring_writer.c \
    sed "/^ring_writer_commit/,/^}/s/$fence(memory_order_seq_cst);//"
wrong 'a lost fence of the reader is missed' shm/ring_reader_priv.h \
    sed "/^ring_reader_valid/,/^}/s/$fence(memory_order_acquire);//"
wrong 'a lost fence of the window is missed' shm/ring_reader_seek.c \
    sed "s/$fence(memory_order_acquire);//"
wrong 'a lost fence behind the parking is missed' shm/doorbell_reader.c \
    sed "s/$fence(memory_order_seq_cst);//"
wrong 'a lost fence behind an odd generation is missed' shm/doorbell_hub.c \
    sed "/^table_begin/,/^}/s/$fence(memory_order_release);//"
wrong 'a lost fence in front of the generation that is compared is missed' \
    shm/ring_reader_table.c sed "s/$fence(memory_order_acquire);//"
wrong 'a lost fence in front of a slot is missed' shm/client_page.c \
    sed "s/$fence(memory_order_release);//"
wrong 'a fence that is weaker is refused' shm/ring_writer.c \
    sed "/^ring_writer_commit/,/^}/s/seq_cst/release/"
wrong 'a tail that is stored without order is refused' shm/ring_writer.c \
    sed '/hot->tail_ord, rw->tail_ord/s/release/relaxed/'
wrong 'a look at valid that is left out is missed' shm/ring_reader.c \
    sed '/^ring_reader_read/,/^}/s/ring_reader_valid(rd)/0/'
wrong 'a fence in a comment is none' shm/ring_writer.c \
    sed 's|atomic_thread_fence(memory_order_release);|/* & */|'
wrong 'a seat that is taken after the reply is refused' shm/doorbell_hub.c \
    sed '/^doorbell_hub_add/,/^}/{
	s/seat_put(/xxx(/; s/frame_send_fds(/seat_put(/; s/xxx(/frame_send_fds(/; }'
wrong 'stores that changed places are refused' shm/ring_writer.c \
    sed 's/ring_bytes_in(/ring_xxx(/; s/ring_slot_store(/ring_bytes_in(/
	s/ring_xxx(/ring_slot_store(/'
echo "1..$count"
exit "$failed"
