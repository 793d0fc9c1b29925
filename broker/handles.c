/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A number is a serial and a slot, so that finding it is one comparison.
 * The serials of 41 bits last for 25 days at a million a second.
 */

#include <stdlib.h>

#include "broker/handles.h"

enum {
	SLOT_BITS = 12,
	SERIAL_BITS = 53 - SLOT_BITS,
	FIRST_CAP = 16,
};

_Static_assert(HANDLES_MAX == 1 << SLOT_BITS, "a slot fits its bits");

static unsigned
slot_of(uint64_t id)
{
	return (unsigned)(id & (HANDLES_MAX - 1));
}

void
handles_deinit(struct handles *h)
{
	free(h->v);
	*h = (struct handles){ 0 };
}

static int
grow(struct handles *h)
{
	unsigned cap = h->cap ? 2 * h->cap : FIRST_CAP;
	struct handle *v;

	if (h->cap == HANDLES_MAX)
		return -1;
	v = reallocarray(h->v, cap, sizeof(*v));
	if (!v)
		return -1;
	h->v = v;
	h->cap = cap;
	return 0;
}

uint64_t
handles_put(struct handles *h, void *object)
{
	unsigned slot;

	if (h->free) {
		slot = h->free - 1;
		h->free = h->v[slot].next;
	} else {
		if (h->n == h->cap && grow(h) < 0)
			return 0;
		slot = h->n++;
	}
	h->serial = (h->serial + 1) & ((UINT64_C(1) << SERIAL_BITS) - 1);
	if (!h->serial)
		h->serial = 1;
	h->used++;
	h->v[slot] = (struct handle){ .id = h->serial << SLOT_BITS | slot,
		.object = object };
	return h->v[slot].id;
}

void *
handles_get(const struct handles *h, uint64_t id)
{
	unsigned slot = slot_of(id);

	return id && slot < h->n && h->v[slot].id == id ? h->v[slot].object
							: NULL;
}

void *
handles_take(struct handles *h, uint64_t id)
{
	void *object = handles_get(h, id);
	unsigned slot = slot_of(id);

	if (!object)
		return NULL;
	h->v[slot] = (struct handle){ .next = h->free };
	h->free = slot + 1;
	h->used--;
	return object;
}

void *
handles_take_any(struct handles *h)
{
	for (unsigned i = 0; i < h->n && h->used; i++)
		if (h->v[i].id)
			return handles_take(h, h->v[i].id);
	return NULL;
}
