/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Seeking: from a seq to the ordinal behind it, by a binary search over
 * validated copies of records.  The writer may lap it at any step; then it
 * begins anew, a bounded number of times.
 */

#include "shm/ring_reader_priv.h"

/* When the writer laps a search again and again. */
enum {
	TRIES = 1000
};

/* A validated copy of one record. */
static int
reader_probe(struct ring_reader *rd, uint64_t ord, struct ring_record *r)
{
	uint64_t valid;

	ring_slot_load(ring_map_slot(rd->map, ord), r);
	valid = ring_reader_valid(rd);
	if (ord < valid)
		return ring_reader_lapped(rd, valid);
	if (r->ordinal != ord || (r->flags & ~(uint32_t)RING_FLAGS))
		return ring_reader_broken(rd);
	return RING_EVENT;
}

/* First and last ordinal held; *last is *first - 1 when there is none. */
static bool
reader_window(struct ring_reader *rd, uint64_t *first, uint64_t *last)
{
	*first = atomic_load_explicit(
	    &rd->map->hot->valid_ord, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	*last = ring_load_acquire(&rd->map->hot->tail_ord);
	if (*first && *first - 1 <= *last)
		return true;
	(void)ring_reader_broken(rd);
	return false;
}

/* Seq before the ring's first event, as long as it never held one. */
static uint64_t
empty_seq(const struct ring_reader *rd, uint64_t last)
{
	const struct ring_header *head = &rd->map->head;

	return last == head->start_ord - 1
		   ? head->head_seq
		   : ring_load_acquire(&rd->map->hot->tail_seq);
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
				return ring_reader_broken(rd);
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
	reader_place(rd, ring_load_acquire(&rd->map->hot->tail_ord) + 1);
	return ring_load_acquire(&rd->map->hot->tail_seq);
}

int
ring_reader_backlog(struct ring_reader *rd, struct ring_backlog *backlog)
{
	struct ring_record next, newest;
	uint64_t first, last;
	int found;

	*backlog = (struct ring_backlog){ 0 };
	if (rd->broken || !reader_window(rd, &first, &last))
		return -EPROTO;
	if (rd->next > last)
		return RING_EMPTY;
	found = reader_probe(rd, rd->next, &next);
	if (found == RING_EVENT)
		found = reader_probe(rd, last, &newest);
	if (found != RING_EVENT)
		return found;
	*backlog = (struct ring_backlog){
		.events = last - rd->next + 1,
		.bytes = newest.pos + newest.len - next.pos,
		.oldest_us = next.time_us,
		.newest_us = newest.time_us,
		.oldest_stamp = next.stamp,
	};
	return RING_EVENT;
}
