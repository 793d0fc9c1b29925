/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The gather, a list of chunks:
 *
 *	chunk  [frame][frame][frame]→      ←[note][note]   → next chunk
 *	                            committed
 *
 * The producer fills the newest chunk and publishes frames by moving
 * committed; the consumer reads behind it.  A chunk that has a successor
 * gets no more frames.  There is no lock on the way: only memory that goes
 * back passes through one.
 */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "core/time.h"
#include "log/format.h"
#include "writer/gather.h"

enum {
	CHUNK_BYTES = 1 << 20,
	SPARE_CHUNKS = 8
};

struct chunk {
	_Atomic(struct chunk *) next;
	_Atomic size_t committed;
	size_t cap;
	struct chunk *spare; /* next on the list of free ones */
	_Alignas(64) uint8_t bytes[];
};

struct gather {
	/* producer */
	struct chunk *fill;
	size_t used;
	size_t notes; /* notes at the end of fill */
	uint32_t begun;
	uint64_t serial;

	/* consumer */
	struct chunk *oldest; /* first that was not released */
	struct chunk *take;
	size_t taken;
	size_t notes_taken;

	sem_t work;
	atomic_bool signalled;
	atomic_bool stop;

	pthread_mutex_t lock;
	struct chunk *spares;
	unsigned n_spares;
};

static struct chunk *
chunk_new(struct gather *g, size_t need)
{
	size_t cap = MAX(need, (size_t)CHUNK_BYTES);
	struct chunk *c = NULL;

	if (cap == CHUNK_BYTES) {
		pthread_mutex_lock(&g->lock);
		c = g->spares;
		if (c) {
			g->spares = c->spare;
			g->n_spares--;
		}
		pthread_mutex_unlock(&g->lock);
	}
	if (!c) {
		cap = ALIGN_UP(cap, (size_t)64);
		c = aligned_alloc(64, sizeof(*c) + cap);
		if (!c)
			return NULL;
		c->cap = cap;
	}
	atomic_init(&c->next, NULL);
	atomic_init(&c->committed, 0);
	return c;
}

static void
chunk_done(struct gather *g, struct chunk *c)
{
	pthread_mutex_lock(&g->lock);
	if (c->cap == CHUNK_BYTES && g->n_spares < SPARE_CHUNKS) {
		c->spare = g->spares;
		g->spares = c;
		g->n_spares++;
		c = NULL;
	}
	pthread_mutex_unlock(&g->lock);
	free(c);
}

struct gather *
gather_new(void)
{
	struct gather *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	pthread_mutex_init(&g->lock, NULL);
	sem_init(&g->work, 0, 0);
	g->fill = chunk_new(g, 0);
	if (!g->fill)
		return gather_free(g);
	g->oldest = g->take = g->fill;
	return g;
}

struct gather *
gather_free(struct gather *g)
{
	struct chunk *c;

	if (!g)
		return NULL;
	while ((c = g->oldest)) {
		g->oldest = atomic_load(&c->next);
		free(c);
	}
	while ((c = g->spares)) {
		g->spares = c->spare;
		free(c);
	}
	sem_destroy(&g->work);
	pthread_mutex_destroy(&g->lock);
	free(g);
	return NULL;
}

/* Notes are kept at the chunk's end, the first one last. */
static struct gather_note *
note_at(struct chunk *c, size_t i)
{
	return (struct gather_note *)(void *)(c->bytes + c->cap) - i;
}

uint8_t *
gather_begin(
    struct gather *g, size_t payload, uint32_t n, struct gather_note **notes)
{
	size_t frame = LOG_FRAME_HEADER + payload;
	size_t room = n * sizeof(struct gather_note) + 64;
	size_t free_bytes =
	    g->fill->cap - g->used - g->notes * sizeof(struct gather_note);

	if (frame + room > free_bytes) {
		struct chunk *c = chunk_new(g, frame + room);

		if (!c)
			return NULL;
		atomic_store_explicit(&g->fill->next, c, memory_order_release);
		g->fill = c;
		g->used = 0;
		g->notes = 0;
	}
	g->begun = n;
	*notes = note_at(g->fill, g->notes + n);
	return g->fill->bytes + g->used;
}

static void
signal_work(struct gather *g)
{
	/* One post for all frames until the consumer looks again. */
	if (!atomic_exchange(&g->signalled, true))
		sem_post(&g->work);
}

uint64_t
gather_commit(struct gather *g, size_t payload)
{
	g->used += LOG_FRAME_HEADER + payload;
	g->notes += g->begun;
	atomic_store_explicit(
	    &g->fill->committed, g->used, memory_order_release);
	signal_work(g);
	return ++g->serial;
}

uint64_t
gather_serial(const struct gather *g)
{
	return g->serial;
}

void
gather_stop(struct gather *g)
{
	atomic_store(&g->stop, true);
	signal_work(g);
}

enum gather_take
gather_peek(struct gather *g, struct gather_item *item)
{
	struct chunk *c, *next;
	uint32_t n;

	for (;;) {
		c = g->take;
		/* next before committed: what came before next is seen. */
		next = atomic_load_explicit(&c->next, memory_order_acquire);
		if (g->taken <
		    atomic_load_explicit(&c->committed, memory_order_acquire))
			break;
		if (!next)
			return GATHER_NONE;
		g->take = next;
		g->taken = 0;
		g->notes_taken = 0;
	}
	item->frame = c->bytes + g->taken;
	item->len = LOG_FRAME_HEADER + frame_payload_len(item->frame);
	item->emit = (int)frame_type_of(item->frame) == GATHER_EMIT;
	n = frame_n_events(item->frame);
	item->notes = note_at(c, g->notes_taken + n);
	return GATHER_FRAME;
}

void
gather_step(struct gather *g)
{
	uint8_t *frame = g->take->bytes + g->taken;

	g->taken += LOG_FRAME_HEADER + frame_payload_len(frame);
	g->notes_taken += frame_n_events(frame);
}

void
gather_release(struct gather *g)
{
	while (g->oldest != g->take) {
		struct chunk *c = g->oldest;

		g->oldest =
		    atomic_load_explicit(&c->next, memory_order_acquire);
		chunk_done(g, c);
	}
}

enum gather_wait
gather_wait(struct gather *g, unsigned timeout_ms)
{
	struct gather_item item;
	struct timespec until;
	int err = 0;

	while (gather_peek(g, &item) == GATHER_NONE) {
		if (atomic_load(&g->stop))
			return GATHER_STOP;
		if (err && errno == ETIMEDOUT)
			return GATHER_TIMEOUT;
		if (timeout_ms) {
			uint64_t ns = time_mono_ns() + timeout_ms * NS_PER_MS;

			until.tv_sec = (time_t)(ns / NS_PER_S);
			until.tv_nsec = (long)(ns % NS_PER_S);
			err = sem_clockwait(&g->work, CLOCK_MONOTONIC, &until);
		} else {
			err = sem_wait(&g->work);
		}
		/* Cleared before the look: a later commit posts again. */
		atomic_store(&g->signalled, false);
	}
	return GATHER_WORK;
}
