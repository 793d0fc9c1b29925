/* SPDX-License-Identifier: BSD-2-Clause */

/* Copying events from block to block, one by one, by what they say. */

#include "gateway/trim.h"
#include "gateway/alloc.h"
#include "gateway/peek.h"

static bool
wanted(const struct trim *trim, const struct peek *peek, size_t at)
{
	if (peek->seq == 0 ? at < trim->fresh
			   : peek->seq <= trim->after || peek->seq > trim->upto)
		return false;
	return !trim->filter ||
	       filter_matches(trim->filter, peek->topic, peek->type);
}

void
trim_copy(
    struct block *copy, struct slice run, size_t at, const struct trim *trim)
{
	struct slice event;

	while (peek_next(&run, &event)) {
		struct peek peek;

		if (peek_event(event, &peek) && wanted(trim, &peek, at))
			block_add(copy, event.p, (uint32_t)event.len);
		at += event.len;
	}
}

struct block *
trim_block(const struct block *b, const struct trim *trim)
{
	struct block *copy;
	struct slice run;

	if (!b)
		return alloc_block(0);
	run = trim_events(b);
	copy = alloc_block((uint32_t)run.len);
	copy->read_ns = b->read_ns;
	trim_copy(copy, run, 0, trim);
	return copy;
}
