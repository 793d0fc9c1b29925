/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * There is one gateway in a process, as with its counters.  A group's members
 * get the same block in a row, which is one entry here.
 */

#include <stdint.h>

#include "core/time.h"
#include "gateway/block.h"
#include "gateway/counters.h"
#include "gateway/written.h"

enum {
	/* Messages: the time of the last one is told of the others, too. */
	GATHERED = 16
};

static struct written {
	uint64_t read_ns;
	uint32_t n_events;
	uint32_t bytes;
	uint32_t messages;
} gathered[GATHERED];

static unsigned n_gathered, n_messages;

static bool
is_like(const struct written *w, const struct block *b)
{
	return w->read_ns == b->read_ns && w->n_events == b->n_events &&
	       w->bytes == b->end - b->start;
}

void
written_block(const struct block *b)
{
	if (b->n_events == 0)
		return; /* it says only how far the chain has come */
	if (n_gathered > 0 && is_like(&gathered[n_gathered - 1], b))
		gathered[n_gathered - 1].messages++;
	else
		gathered[n_gathered++] = (struct written){ b->read_ns,
			b->n_events, b->end - b->start, 1 };
	if (++n_messages == GATHERED)
		written_flush();
}

static void
tell(const struct written *w, uint64_t now_ns)
{
	COUNTERS_RECORD(message_events, w->n_events, w->messages);
	COUNTERS_RECORD(message_size, w->bytes, w->messages);
	if (w->read_ns)
		COUNTERS_RECORD(read_written, now_ns - MIN(w->read_ns, now_ns),
		    w->messages);
}

void
written_flush(void)
{
	uint64_t now_ns;

	if (n_gathered == 0)
		return;
	now_ns = time_mono_ns();
	for (unsigned i = 0; i < n_gathered; i++)
		tell(&gathered[i], now_ns);
	n_gathered = n_messages = 0;
}
