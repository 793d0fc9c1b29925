/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of the ring reader share: its state, and the loads whose
 * order everything rests on.
 */

#ifndef PEAL_SHM_RING_READER_PRIV_H
#define PEAL_SHM_RING_READER_PRIV_H

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

#include "shm/ring_map.h"
#include "shm/ring_reader.h"

struct ring_share {
	struct ring_map map;
	struct ring_info info;
	dev_t dev; /* of the file that is mapped */
	ino_t ino;
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

/* The file has contradicted itself, and is not believed any more: -EPROTO. */
static inline int
ring_reader_broken(struct ring_reader *rd)
{
	rd->broken = true;
	return -EPROTO;
}

static inline uint64_t
ring_load_acquire(const ring_word *w)
{
	return atomic_load_explicit(w, memory_order_acquire);
}

/*
 * The re-check behind a copy: the oldest valid ordinal as of a moment behind
 * everything that was loaded before.  A fence and not an acquire load: that
 * would only keep later loads behind it, and tests/spin/validate.pml tears.
 */
static inline uint64_t
ring_reader_valid(const struct ring_reader *rd)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(
	    &rd->map->hot->valid_ord, memory_order_relaxed);
}

/*
 * Overtaken, or so the ring says: never by more than what is published,
 * because a pass fits into the ring and a fence parts it from the one before.
 */
static inline int
ring_reader_lapped(struct ring_reader *rd, uint64_t valid)
{
	atomic_thread_fence(memory_order_acquire);
	if (valid - 1 > ring_load_acquire(&rd->map->hot->tail_ord))
		return ring_reader_broken(rd);
	return RING_LAPPED;
}

#endif
