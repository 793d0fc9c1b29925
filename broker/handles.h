/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Numbers that stand for objects and are never used twice: a number whose
 * object has gone finds nothing, whatever has taken its place.
 */

#ifndef PEAL_BROKER_HANDLES_H
#define PEAL_BROKER_HANDLES_H

#include <stdint.h>

#include "core/macros.h"

enum {
	HANDLES_MAX = 4096
};

/* {0} is an empty table. */
struct handles {
	struct handle {
		uint64_t id;   /* 0: free */
		void *object;  /* of a free one: unused */
		unsigned next; /* free one */
	} * v;
	unsigned n;    /* slots that were ever used */
	unsigned cap;  /* slots that there are */
	unsigned used; /* by an object */
	unsigned free; /* the first free slot + 1; 0: none */
	uint64_t serial;
};

/* Forgets what is in it. */
void handles_deinit(struct handles *h);

/* The object's number, below 2^53; 0: there are HANDLES_MAX, or no memory. */
MUST_CHECK uint64_t handles_put(struct handles *h, void *object);
/* NULL when there is none. */
void *handles_get(const struct handles *h, uint64_t id);
void *handles_take(struct handles *h, uint64_t id);
/* Any one of them; NULL when none is left. */
void *handles_take_any(struct handles *h);

#endif
