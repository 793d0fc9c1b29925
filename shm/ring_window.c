/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A mark for each 64th of the ring, by events or by bytes, so that the oldest
 * event's age is known to as much, and there never are more than 130.
 */

#include "shm/ring_window.h"
#include "core/macros.h"
#include "core/time.h"

enum {
	PARTS = 64,
	MILLION = 1000000,
	ENOUGH_PPM = MILLION / 8
};

static struct ring_window_mark *
mark_at(struct ring_window *w, unsigned i)
{
	return &w->marks[(w->first + i) % RING_WINDOW_MARKS];
}

static void
push(struct ring_window *w, const struct ring_window_mark *mark)
{
	if (w->n == RING_WINDOW_MARKS) {
		w->first = (w->first + 1) % RING_WINDOW_MARKS;
		w->n--;
	}
	*mark_at(w, w->n++) = *mark;
}

static void
tell(struct ring_window *w, uint64_t ord, uint64_t pos)
{
	const struct ring_window_mark *oldest = mark_at(w, 0);
	double events = (double)(ord - oldest->ord) / (double)w->slots;
	double bytes = (double)(pos - oldest->pos) / (double)w->bytes;

	atomic_store_explicit(&w->oldest_ns, oldest->ns, memory_order_relaxed);
	atomic_store_explicit(&w->taken_ppm,
	    (uint64_t)(MAX(events, bytes) * MILLION), memory_order_relaxed);
}

void
ring_window_begin(struct ring_window *w, uint64_t slots, uint64_t bytes,
    const struct ring_window_mark *now)
{
	w->slots = slots;
	w->bytes = bytes;
	w->first = w->n = 0;
	push(w, now);
	tell(w, now->ord, now->pos);
}

void
ring_window_pass(struct ring_window *w, const struct ring_window_mark *from,
    uint64_t ord, uint64_t pos, uint64_t valid_ord)
{
	const struct ring_window_mark *last;

	if (w->n == 0)
		return; /* not begun */
	last = mark_at(w, w->n - 1);
	if (from->ord - last->ord >= w->slots / PARTS ||
	    from->pos - last->pos >= w->bytes / PARTS)
		push(w, from);
	/* Only differences are compared: counters may have any value. */
	while (w->n > 1 && (int64_t)(valid_ord - mark_at(w, 1)->ord) >= 0) {
		w->first = (w->first + 1) % RING_WINDOW_MARKS;
		w->n--;
	}
	tell(w, ord, pos);
}

uint64_t
ring_window_ms(const struct ring_window *w, uint64_t now_ns)
{
	uint64_t taken =
	    atomic_load_explicit(&w->taken_ppm, memory_order_relaxed);
	uint64_t since =
	    atomic_load_explicit(&w->oldest_ns, memory_order_relaxed);
	double ms;

	if (taken < ENOUGH_PPM)
		return RING_WINDOW_MAX_MS;
	ms = now_ns > since ? (double)(now_ns - since) / (double)NS_PER_MS : 0;
	return (uint64_t)MIN(
	    ms * MILLION / (double)taken, (double)RING_WINDOW_MAX_MS);
}
