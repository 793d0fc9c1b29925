/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Allocation that ends the process when it fails, for state that many
 * clients share and that must never be half changed.
 */

#include <stdlib.h>

#include "core/diag.h"
#include "gateway/alloc.h"

void
alloc_failed(void)
{
	diag_error("memory is used up");
	exit(EXIT_FAILURE);
}

void *
alloc_bytes(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		alloc_failed();
	return p;
}

void *
alloc_zero(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		alloc_failed();
	return p;
}

void *
alloc_array(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n ? n : 1, size);

	if (!p)
		alloc_failed();
	return p;
}

struct block *
alloc_block(uint32_t payload)
{
	struct block *b = block_new(payload);

	if (!b)
		alloc_failed();
	return b;
}

struct block *
alloc_message(struct slice value)
{
	struct block *b = block_message(value);

	if (!b)
		alloc_failed();
	return b;
}
