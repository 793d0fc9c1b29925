/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Events are read in runs and counted by their hash; an event's bytes are
 * looked at only when nobody knows its topic yet.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/mpvalid.h"
#include "core/time.h"
#include "tools/house.h"
#include "tools/top.h"
#include "tools/watch.h"

enum {
	RUN = 1024, /* events of one read */
	BYTES = 2 * EVENT_MAX,
	TAKE_NS = 50 * NS_PER_MS,
};

int
top_init(struct top *top, const struct house *house, struct reason *why)
{
	*top = (struct top){ 0 };
	if (watch_new(house, &top->watch, why) < 0)
		return -ENOMEM;
	snprintf(
	    top->run_path, sizeof(top->run_path), "%s", house_run_dir(house));
	top->ask.by = (size_t)crowd_column("lag");
	top->busy = busy_new(TOP_TOPICS);
	top->events = malloc(RUN * sizeof(*top->events));
	top->bytes = malloc(BYTES);
	if (!top->busy || !top->events || !top->bytes ||
	    crowd_init(&top->crowd, TOP_CLIENTS) < 0)
		return reason_set(why, -ENOMEM, "cannot start");
	return 0;
}

void
top_deinit(struct top *top)
{
	top->watch = watch_free(top->watch);
	top->busy = busy_free(top->busy);
	crowd_deinit(&top->crowd);
	free(top->events);
	free(top->bytes);
}

/* One whose topic nobody knows. */
static void
meet(struct top *top, const struct ring_event *ev, const uint8_t *p)
{
	struct event e;

	if (mpvalid_check(p, ev->len, NULL) != MPVALID_BAD &&
	    event_decode(slice_of(p, ev->len), &e, NULL) >= 0)
		busy_meet(top->busy, ev->topic_hash, e.topic, ev->len);
}

static void
count(struct top *top, uint32_t n)
{
	const uint8_t *p = top->bytes;

	for (uint32_t i = 0; i < n; i++) {
		const struct ring_event *ev = &top->events[i];

		if (!busy_add(top->busy, ev->topic_hash, ev->len))
			meet(top, ev, p);
		p += ev->len;
	}
}

/* The writer came past us: go on at the oldest. */
static void
skip(struct top *top)
{
	struct ring_reader *rd = top->watch->rd;
	uint64_t before = ring_reader_ordinal(rd);

	(void)ring_reader_seek_oldest(rd);
	top->missed += MAX(ring_reader_ordinal(rd), before) - before;
}

/* One read; false: there is nothing more, or nothing that can be read. */
static bool
take_run(struct top *top)
{
	struct ring_reader *rd = top->watch->rd;
	uint32_t n;
	size_t need;
	int rc = ring_reader_read(
	    rd, top->events, RUN, top->bytes, BYTES, &n, &need);

	if (rc == RING_LAPPED) {
		skip(top);
		return true;
	}
	if (rc == RING_EVENT && watch_whole(top->watch, NULL) == 0) {
		count(top, n);
		return true;
	}
	if (rc < 0 || rc == RING_TOO_SMALL)
		(void)reason_set(
		    &top->ring_why, 0, "the ring contradicts itself");
	return false;
}

/* A ring that was not there before: what comes from now on counts. */
static void
attach(struct top *top)
{
	const struct ring_info *info = ring_reader_info(top->watch->rd);

	busy_rekey(top->busy, &info->topic_key);
	if (!top->attached && top->starts == 0)
		(void)ring_reader_seek_tail(top->watch->rd);
	else if (ring_reader_seek(top->watch->rd, top->status.tail_seq) ==
		 RING_LAPPED)
		(void)ring_reader_seek_oldest(top->watch->rd);
	top->starts++;
	top->attached = true;
	top->ring_why.text[0] = '\0';
}

void
top_take(struct top *top)
{
	uint64_t end_ns = time_mono_ns() + TAKE_NS;
	struct reason why = { "" };

	switch (watch_ring(top->watch, &why)) {
	case WATCH_SAME:
		break;
	case WATCH_NEW:
		attach(top);
		break;
	default:
		top->attached = false;
		top->ring_why = why;
		return;
	}
	while (take_run(top) && time_mono_ns() < end_ns)
		;
	ring_reader_status(top->watch->rd, &top->status);
}

void
top_clients(struct top *top)
{
	struct reason why = { "" };

	if (crowd_look(&top->crowd, top->run_path, &top->ask, &why) == 0)
		why.text[0] = '\0';
	top->crowd_why = why;
}

void
top_turn(struct top *top)
{
	busy_turn(top->busy, time_mono_ns());
	top_clients(top);
}
