/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A position in the ring.  The rule: copy first, then fence, then ask whether
 * what was copied was still valid, and only then look at it; lengths and
 * positions are clamped to the mapping even then, because a file may lie.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/reason.h"
#include "shm/ring_map.h"
#include "shm/ring_reader.h"
#include "shm/stats.h"

_Static_assert((int)RING_SEATS == (int)RING_READERS, "one number");

enum {
	RUN = 256,	/* records copied in one go: 16 KiB of stack */
	TRIES = 1000,	/* when the writer laps a search again and again */
	SEAT_TRIES = 8, /* when a seat is being rewritten */
};

struct ring_share {
	struct ring_map map;
	struct ring_info info;
	_Atomic unsigned refs;
};

struct ring_reader {
	struct ring_share *share;
	const struct ring_map *map;
	uint64_t next;	   /* ordinal */
	uint64_t next_pos; /* and where its bytes begin, once one was read */
	uint64_t last_seq; /* of the last event read since the last seek */
	bool has_read;
	bool broken; /* the file has contradicted itself */
};

static int
reader_broken(struct ring_reader *rd)
{
	rd->broken = true;
	return -EPROTO;
}

static struct ring_reader *
reader_new(struct ring_share *share)
{
	struct ring_reader *rd = calloc(1, sizeof(*rd));

	if (!rd)
		return NULL;
	rd->share = share;
	rd->map = &share->map;
	return rd;
}

static void
info_fill(struct ring_info *info, const struct ring_header *head)
{
	memcpy(info->log_id, head->log_id, sizeof(info->log_id));
	info->epoch = head->epoch;
	info->incarnation = head->incarnation;
	info->slots = head->slots;
	info->payload_bytes = head->payload_bytes;
	info->created_us = head->created_us;
	info->writer_pid = head->writer_pid;
	info->topic_key.k[0] = head->topic_key[0];
	info->topic_key.k[1] = head->topic_key[1];
}

static int
reader_open(
    int fd, const char *name, struct ring_reader **out, struct reason *why)
{
	CLEANUP(freep) struct ring_share *share = NULL;
	struct ring_header head;
	struct ring_reader *rd;
	int err;

	err = ring_map_header(fd, name, &head, why);
	if (err < 0)
		return err;
	share = calloc(1, sizeof(*share));
	if (!share)
		return reason_set(why, -ENOMEM, "cannot read %s", name);
	err = ring_map_init(&share->map, fd, &head, false, why);
	if (err < 0)
		return err;
	rd = reader_new(share);
	if (!rd) {
		ring_map_deinit(&share->map);
		return reason_set(why, -ENOMEM, "cannot read %s", name);
	}
	share->refs = 1;
	info_fill(&share->info, &head);
	share = NULL;
	(void)ring_reader_seek_oldest(rd);
	if (rd->broken) {
		(void)ring_reader_free(rd);
		return reason_set(why, -EPROTO,
		    "%s is damaged: its oldest record is not where its "
		    "counters say",
		    name);
	}
	*out = rd;
	return 0;
}

int
ring_reader_open(const char *path, struct ring_reader **out, struct reason *why)
{
	CLEANUP(closep) int fd = -1;
	char name[128];

	snprintf(name, sizeof(name), "'%s'", path);
	/* Non-blocking: a FIFO of that name must not hold us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return reason_set(why, -errno, "cannot open %s", name);
	return reader_open(fd, name, out, why);
}

int
ring_reader_open_fd(int fd, struct ring_reader **out, struct reason *why)
{
	return reader_open(fd, "the ring handed over", out, why);
}

struct ring_reader *
ring_reader_free(struct ring_reader *rd)
{
	if (!rd)
		return NULL;
	if (atomic_fetch_sub(&rd->share->refs, 1) == 1) {
		ring_map_deinit(&rd->share->map);
		free(rd->share);
	}
	free(rd);
	return NULL;
}

int
ring_reader_clone(struct ring_reader *rd, struct ring_reader **out)
{
	struct ring_reader *twin = reader_new(rd->share);

	if (!twin)
		return -ENOMEM;
	*twin = *rd;
	atomic_fetch_add(&rd->share->refs, 1);
	*out = twin;
	return 0;
}

const struct ring_info *
ring_reader_info(const struct ring_reader *rd)
{
	return &rd->share->info;
}

static uint64_t
load_acquire(const ring_word *w)
{
	return atomic_load_explicit(w, memory_order_acquire);
}

void
ring_reader_status(const struct ring_reader *rd, struct ring_status *status)
{
	const struct ring_hot *hot = rd->map->hot;
	const struct ring_life *life = rd->map->life;
	uint32_t state =
	    atomic_load_explicit(&life->state, memory_order_acquire);

	*status = (struct ring_status){
		.state = state <= RING_FAILED ? state : RING_FAILED,
		.heartbeat_ns = ring_load(&life->heartbeat_ns),
		.publish_ns = ring_load(&hot->publish_ns),
		.tail_ord = load_acquire(&hot->tail_ord),
		.tail_seq = load_acquire(&hot->tail_seq),
		.valid_ord = ring_load(&hot->valid_ord),
		.oldest_seq = ring_load(&hot->oldest_seq),
	};
}

bool
ring_reader_level(const struct ring_reader *rd)
{
	return load_acquire(&rd->map->hot->tail_ord) == rd->next - 1;
}

uint64_t
ring_reader_ordinal(const struct ring_reader *rd)
{
	return rd->next;
}

uint64_t
ring_reader_rung(const struct ring_reader *rd)
{
	return load_acquire(&rd->map->hot->rung_ord);
}

/*
 * The re-check behind a copy: the oldest valid ordinal as of a moment behind
 * everything that was loaded before.  A fence and not an acquire load: that
 * would only keep later loads behind it, and tests/spin/validate.pml tears.
 */
static uint64_t
valid_after_copy(const struct ring_reader *rd)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(
	    &rd->map->hot->valid_ord, memory_order_relaxed);
}

/*
 * Overtaken, or so the ring says: never by more than what is published,
 * because a pass fits into the ring and a fence parts it from the one before.
 */
static int
reader_lapped(struct ring_reader *rd, uint64_t valid)
{
	atomic_thread_fence(memory_order_acquire);
	if (valid - 1 > load_acquire(&rd->map->hot->tail_ord))
		return reader_broken(rd);
	return RING_LAPPED;
}

/* A validated copy of one record. */
static int
reader_probe(struct ring_reader *rd, uint64_t ord, struct ring_record *r)
{
	uint64_t valid;

	ring_slot_load(ring_map_slot(rd->map, ord), r);
	valid = valid_after_copy(rd);
	if (ord < valid)
		return reader_lapped(rd, valid);
	if (r->ordinal != ord || (r->flags & ~(uint32_t)RING_FLAGS))
		return reader_broken(rd);
	return RING_EVENT;
}

/* First and last ordinal held; *last is *first - 1 when there is none. */
static bool
reader_window(struct ring_reader *rd, uint64_t *first, uint64_t *last)
{
	*first = atomic_load_explicit(
	    &rd->map->hot->valid_ord, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	*last = load_acquire(&rd->map->hot->tail_ord);
	if (*first && *first - 1 <= *last)
		return true;
	(void)reader_broken(rd);
	return false;
}

/* Seq before the ring's first event, as long as it never held one. */
static uint64_t
empty_seq(const struct ring_reader *rd, uint64_t last)
{
	const struct ring_header *head = &rd->map->head;

	return last == head->start_ord - 1
		   ? head->head_seq
		   : load_acquire(&rd->map->hot->tail_seq);
}

static void
reader_place(struct ring_reader *rd, uint64_t next)
{
	rd->next = next;
	rd->last_seq = 0;
	rd->has_read = false;
}

/* What a search between first and last found. */
struct search {
	uint64_t ord; /* of the first event beyond seq, or last + 1 */
	struct ring_record r;
	bool below; /* the event before it is held and is not beyond seq */
};

/* RING_LAPPED: the writer passed through all that was searched. */
static int
reader_search(struct ring_reader *rd, uint64_t seq, uint64_t first,
    uint64_t last, struct search *s)
{
	uint64_t lo = first, hi = last + 1, mid, ignored;
	struct ring_record r;
	int found;

	s->below = false;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		found = reader_probe(rd, mid, &r);
		if (found < 0)
			return found;
		if (found == RING_LAPPED) {
			if (!reader_window(rd, &lo, &ignored))
				return -EPROTO;
			s->below = false;
			/* It said so for mid, and never takes it back. */
			if (lo <= mid)
				return reader_broken(rd);
		} else if (r.seq > seq) {
			hi = mid;
			s->r = r;
		} else {
			lo = mid + 1;
			s->below = true;
		}
	}
	s->ord = hi;
	/* Past the end without having seen anything: it was all gone. */
	return lo == hi && (s->below || hi <= last) ? RING_EVENT : RING_LAPPED;
}

/* Is the found event the one right behind seq, with nothing lost between? */
static bool
search_adjoins(const struct search *s, uint64_t seq)
{
	return s->below ||
	       (s->r.seq == seq + 1 && !(s->r.flags & RING_EPHEMERAL));
}

int
ring_reader_seek(struct ring_reader *rd, uint64_t seq)
{
	struct search s = { 0 };
	uint64_t first, last;
	int found;

	for (unsigned i = 0; i < TRIES; i++) {
		if (rd->broken || !reader_window(rd, &first, &last))
			return -EPROTO;
		if (first - 1 == last) {
			if (seq < empty_seq(rd, last))
				return RING_LAPPED;
			reader_place(rd, last + 1);
			return RING_EMPTY;
		}
		found = reader_search(rd, seq, first, last, &s);
		if (found < 0)
			return found;
		if (found == RING_LAPPED)
			continue;
		if (s.ord == last + 1) {
			reader_place(rd, s.ord);
			return RING_EMPTY;
		}
		if (!search_adjoins(&s, seq))
			return RING_LAPPED;
		reader_place(rd, s.ord);
		return RING_EVENT;
	}
	return RING_LAPPED;
}

uint64_t
ring_reader_seek_oldest(struct ring_reader *rd)
{
	struct ring_record r;
	uint64_t first, last;
	int found;

	for (unsigned i = 0; i < TRIES; i++) {
		if (rd->broken || !reader_window(rd, &first, &last))
			return 0;
		if (first - 1 == last) {
			reader_place(rd, first);
			return empty_seq(rd, last);
		}
		found = reader_probe(rd, first, &r);
		if (found == RING_EVENT) {
			reader_place(rd, first);
			return r.flags & RING_EPHEMERAL ? r.seq : r.seq - 1;
		}
	}
	return ring_reader_seek_tail(rd);
}

uint64_t
ring_reader_seek_tail(struct ring_reader *rd)
{
	struct ring_record r;
	uint64_t first, last;

	for (unsigned i = 0; i < TRIES; i++) {
		if (rd->broken || !reader_window(rd, &first, &last))
			return 0;
		if (first - 1 == last) {
			reader_place(rd, first);
			return empty_seq(rd, last);
		}
		if (reader_probe(rd, last, &r) == RING_EVENT) {
			reader_place(rd, last + 1);
			return r.seq;
		}
	}
	/* The machine is too slow to read one record of this ring in time. */
	reader_place(rd, load_acquire(&rd->map->hot->tail_ord) + 1);
	return load_acquire(&rd->map->hot->tail_seq);
}

/* Copied records, still to be compared with each other. */
struct run {
	uint32_t n;
	uint64_t room; /* bytes from the first one to the tail */
	struct ring_record r[RUN];
};

/* Copy at most max records behind our position and validate the copies. */
static int
reader_collect(struct ring_reader *rd, uint32_t max, struct run *run)
{
	const struct ring_hot *hot = rd->map->hot;
	uint64_t tail = load_acquire(&hot->tail_ord);
	uint64_t tail_pos = load_acquire(&hot->tail_pos);
	uint64_t ahead = tail - (rd->next - 1);
	uint64_t valid;

	if (!ahead)
		return RING_EMPTY;
	if (ahead > INT64_MAX)
		return reader_broken(rd);
	run->n = (uint32_t)MIN(ahead, MIN(max, RUN));
	for (uint32_t i = 0; i < run->n; i++)
		ring_slot_load(
		    ring_map_slot(rd->map, rd->next + i), &run->r[i]);
	valid = valid_after_copy(rd);
	if (rd->next < valid)
		return reader_lapped(rd, valid);
	run->room = tail_pos - run->r[0].pos;
	if (ahead > rd->map->head.slots ||
	    run->room > rd->map->head.payload_bytes ||
	    (rd->has_read && rd->next_pos != run->r[0].pos))
		return reader_broken(rd);
	return RING_EVENT;
}

/* Does record r stand at ordinal ord and continue what came before it? */
static bool
record_continues(
    const struct ring_record *r, uint64_t ord, uint64_t pos, uint64_t last_seq)
{
	if (r->ordinal != ord || r->pos != pos || !r->len ||
	    (r->flags & ~(uint32_t)RING_FLAGS))
		return false;
	if (r->flags & RING_EPHEMERAL)
		return r->seq >= last_seq;
	return r->seq > last_seq;
}

/*
 * How many of the validated records' events fit into size bytes; *bytes is
 * their sum, which never exceeds what the payload holds.  -EPROTO: records
 * that no writer leaves like this.
 */
static int
reader_measure(
    struct ring_reader *rd, const struct run *run, size_t size, size_t *bytes)
{
	uint64_t last_seq = rd->last_seq, sum = 0;
	uint32_t i;

	for (i = 0; i < run->n; i++) {
		const struct ring_record *r = &run->r[i];

		if (!record_continues(
			r, rd->next + i, run->r[0].pos + sum, last_seq) ||
		    r->len > run->room - sum)
			return reader_broken(rd);
		if (r->len > size - sum)
			break;
		sum += r->len;
		last_seq = r->seq;
	}
	*bytes = (size_t)sum;
	return (int)i;
}

static void
event_fill(struct ring_event *ev, const struct ring_record *r)
{
	*ev = (struct ring_event){
		.seq = r->seq,
		.time_us = r->time_us,
		.topic_hash = r->topic_hash,
		.version = r->version,
		.len = r->len,
		.crc = r->crc,
		.flags = r->flags,
	};
}

int
ring_reader_read(struct ring_reader *rd, struct ring_event *ev, uint32_t max,
    uint8_t *buf, size_t size, uint32_t *n, size_t *need)
{
	struct run run;
	uint64_t valid;
	size_t bytes;
	int found;

	assert(max);
	if (rd->broken)
		return -EPROTO;
	found = reader_collect(rd, max, &run);
	if (found != RING_EVENT)
		return found;
	found = reader_measure(rd, &run, size, &bytes);
	if (found < 0)
		return found;
	if (!found) {
		*need = run.r[0].len;
		return RING_TOO_SMALL;
	}
	ring_bytes_out(buf, ring_map_bytes(rd->map, run.r[0].pos), bytes);
	valid = valid_after_copy(rd);
	if (rd->next < valid)
		return reader_lapped(rd, valid);
	for (int i = 0; i < found; i++)
		event_fill(&ev[i], &run.r[i]);
	rd->next += (unsigned)found;
	rd->next_pos = run.r[0].pos + bytes;
	rd->last_seq = run.r[found - 1].seq;
	rd->has_read = true;
	*n = (uint32_t)found;
	return RING_EVENT;
}

/* Role of a stranger, made fit to print. */
static void
role_copy(char role[RING_ROLE], const uint64_t word[RING_ROLE / 8])
{
	memcpy(role, word, RING_ROLE);
	role[RING_ROLE - 1] = '\0';
	for (char *c = role; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

static bool
seat_copy(const struct ring_seat *seat, struct ring_seat_info *info)
{
	uint64_t generation = load_acquire(&seat->generation);
	uint64_t role[RING_ROLE / 8];

	for (unsigned i = 0; i < ARRAY_LEN(role); i++)
		role[i] = ring_load(&seat->role[i]);
	*info = (struct ring_seat_info){
		.pid = (long)ring_load(&seat->pid),
		.attached_us = ring_load(&seat->attached_us),
		.position = ring_load(&seat->position),
		.clients = ring_load(&seat->clients),
		.lapped = ring_load(&seat->lapped),
		.wakeups = ring_load(&seat->wakeups),
		.missed = ring_load(&seat->missed),
		.parked = ring_load(&seat->parked) != 0,
		.heartbeat_ns = ring_load(&seat->heartbeat_ns),
	};
	role_copy(info->role, role);
	atomic_thread_fence(memory_order_acquire);
	return !(generation & 1) && generation == ring_load(&seat->generation);
}

unsigned
ring_reader_seats(
    const struct ring_reader *rd, struct ring_seat_info *seats, unsigned max)
{
	struct ring_seat_info info = { 0 };
	unsigned n = 0;

	for (unsigned i = 0; i < rd->map->head.readers && n < max; i++) {
		bool whole = false;

		for (unsigned try = 0; try < SEAT_TRIES && !whole; try++)
			whole = seat_copy(&rd->map->seats[i], &info);
		if (!whole || info.pid <= 0)
			continue;
		info.seat = i;
		seats[n++] = info;
	}
	return n;
}

int
ring_reader_stats(
    const struct ring_reader *rd, struct stats_view *view, struct reason *why)
{
	return stats_view_init(
	    view, rd->map->stats, rd->map->head.stats_bytes, why);
}
