/* SPDX-License-Identifier: BSD-2-Clause */

/* Image set: open addressing in a table of a power of two, half empty. */

#include <assert.h>
#include <stdlib.h>

#include "tests/lib/imageset.h"

struct imageset {
	uint64_t *table; /* 0: free */
	uint64_t mask;
	uint64_t n;
};

struct imageset *
imageset_new(void)
{
	struct imageset *is = calloc(1, sizeof(*is));

	assert(is);
	is->mask = 1023;
	is->table = calloc(is->mask + 1, sizeof(*is->table));
	assert(is->table);
	return is;
}

struct imageset *
imageset_free(struct imageset *is)
{
	if (is)
		free(is->table);
	free(is);
	return NULL;
}

static uint64_t *
imageset_place(const struct imageset *is, uint64_t image)
{
	uint64_t at = image & is->mask;

	while (is->table[at] && is->table[at] != image)
		at = (at + 1) & is->mask;
	return &is->table[at];
}

static void
imageset_grow(struct imageset *is)
{
	struct imageset bigger = { .mask = is->mask * 2 + 1 };

	bigger.table = calloc(bigger.mask + 1, sizeof(*bigger.table));
	assert(bigger.table);
	for (uint64_t i = 0; i <= is->mask; i++)
		if (is->table[i])
			*imageset_place(&bigger, is->table[i]) = is->table[i];
	free(is->table);
	is->table = bigger.table;
	is->mask = bigger.mask;
}

bool
imageset_add(struct imageset *is, uint64_t image)
{
	uint64_t *place;

	image |= image == 0;
	if (is->n * 2 > is->mask)
		imageset_grow(is);
	place = imageset_place(is, image);
	if (*place)
		return false;
	*place = image;
	is->n++;
	return true;
}

uint64_t
imageset_count(const struct imageset *is)
{
	return is->n;
}
