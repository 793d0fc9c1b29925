/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Asides: events for some riders of a group alone, which stand between the
 * events of its open block.  They are given with that block, or before it.
 */

#ifndef PEAL_GATEWAY_ASIDE_H
#define PEAL_GATEWAY_ASIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/mp.h"
#include "gateway/block.h"
#include "gateway/trim.h"

struct sender;

/* One event for one rider. */
struct aside {
	struct sender *rider; /* NULL: it is not for it any more */
	uint32_t at;	      /* it stands before this byte of the block */
	uint32_t start, len;  /* of the event, in bytes */
	uint32_t next;	      /* of the same rider, + 1; 0: it is the last */
};

struct asides {
	struct aside *v;
	uint32_t n, cap;
	struct mp_buf bytes; /* each event once, however many get it */
	uint32_t cut;	     /* those of the present request begin here */
	uint64_t read_ns;    /* when the first was */
};

/* One more for a rider, which has none from another group. */
void aside_add(
    struct asides *a, struct sender *rider, uint32_t at, struct slice event);
/* Enough for one block of so many riders. */
bool aside_is_full(const struct asides *a);

/* The rider gets none of its own; the others keep theirs. */
void aside_forget(struct asides *a, struct sender *rider);
/* All have been given. */
void aside_clear(struct asides *a);
/* Those of the present request out of it; the caller ends *rest. */
void aside_take_rest(struct asides *a, struct asides *rest);
void aside_deinit(struct asides *a);

static inline struct slice
aside_event(const struct asides *a, uint32_t i)
{
	return slice_of(a->bytes.p + a->v[i].start, a->v[i].len);
}

/*
 * What trim leaves of a block (NULL: nothing), with the rider's asides in
 * their places; trim NULL: the whole block.  Not yet finished; one reference.
 */
struct block *aside_block(const struct asides *a, const struct sender *rider,
    const struct block *b, const struct trim *trim);

#endif
