/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The bare counterpart of the fan-out: the same events in the same messages,
 * by one SSL_write() for each client and message, and nothing around it.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "core/event.h"
#include "core/mp.h"
#include "core/time.h"
#include "tools/bench_fan.h"
#include "tools/tls_bare.h"

enum {
	BARE_BLOCK = 16384,
	BARE_ACCEPT_MS = 100,
	BARE_PAUSE_NS = 200000
};

struct bare {
	const struct fan_plan *plan;
	struct tls_bare *server;
	struct mp_buf events; /* encoded, of the message to come */
	struct mp_buf frame;
	struct mp_buf data;
	uint32_t n;
	uint64_t seq; /* events made */
	uint64_t start_ns;
	uint64_t end_ns;
};

static int
bare_add(struct bare *b, uint64_t due_ns)
{
	struct event ev = {
		.seq = b->seq + 1,
		.time_us = time_wall_us(),
		.version = b->seq + 1,
		.topic = slice_cstr(b->plan->topic),
		.type = SLICE_STR("measured"),
		.actor = SLICE_STR("bench"),
	};
	uint8_t *at;

	b->data.len = 0;
	bench_fan_pack_data(&b->data, b->plan->size, b->seq + 1, due_ns);
	ev.data = slice_of(b->data.p, b->data.len);
	at = mp_buf_reserve(&b->events, event_size(&ev));
	if (!at || b->data.failed)
		return -ENOMEM;
	b->events.len += (size_t)(event_encode(&ev, at) - at);
	b->seq++;
	b->n++;
	return 0;
}

/* A whole WebSocket message: [after, upto, event...]. */
static int
bare_frame(struct bare *b)
{
	struct mp_buf head = { 0 };
	size_t len;

	mp_pack_array(&head, 2 + b->n);
	mp_pack_uint(&head, b->seq - b->n);
	mp_pack_uint(&head, b->seq);
	len = head.len + b->events.len;
	b->frame.len = 0;
	tls_bare_pack_head(&b->frame, len);
	mp_pack_raw(&b->frame, slice_of(head.p, head.len));
	mp_pack_raw(&b->frame, slice_of(b->events.p, b->events.len));
	mp_buf_deinit(&head);
	b->events.len = 0;
	b->n = 0;
	return b->frame.failed ? -ENOMEM : 0;
}

static int
bare_send(struct bare *b, struct reason *why)
{
	int err = bare_frame(b);

	if (err < 0)
		return reason_set(why, err, "cannot make a message");
	return tls_bare_write(b->server, b->frame.p, b->frame.len, why);
}

static uint64_t
bare_due(const struct bare *b, uint64_t n)
{
	return bench_fan_due(b->plan, b->start_ns, n);
}

static void
bare_rest(uint64_t until_ns)
{
	const struct timespec ts = { (time_t)(until_ns / NS_PER_S),
		(long)(until_ns % NS_PER_S) };

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* What is due goes out, or waits for gather_ms to pass. */
static int
bare_scheduled(struct bare *b, struct reason *why)
{
	uint64_t gather_ns = b->plan->gather_ms * NS_PER_MS;
	uint64_t sent_ns = 0, now;
	int err = 0;

	while (err >= 0 && (now = time_mono_ns()) < b->end_ns) {
		while (err >= 0 && bare_due(b, b->seq) <= now &&
		       b->events.len + b->plan->size < BARE_BLOCK)
			err = bare_add(b, bare_due(b, b->seq));
		if (err < 0)
			return reason_set(why, err, "cannot make an event");
		if (b->n && (now - sent_ns >= gather_ns ||
				b->events.len + b->plan->size >= BARE_BLOCK)) {
			sent_ns = now;
			err = bare_send(b, why);
		} else {
			bare_rest(
			    b->n ? MIN(sent_ns + gather_ns, bare_due(b, b->seq))
				 : bare_due(b, b->seq));
		}
	}
	if (err >= 0 && b->n)
		err = bare_send(b, why);
	return err;
}

/* A full block is in frame; false without memory. */
static bool
bare_fill(struct bare *b)
{
	uint64_t now = time_mono_ns();
	int err;

	do {
		err = bare_add(b, now);
	} while (err >= 0 && b->events.len + b->plan->size + 64 < BARE_BLOCK);
	return err >= 0 && bare_frame(b) >= 0;
}

/* Full blocks, as fast as clients take them. */
static int
bare_flat_out(struct bare *b, struct reason *why)
{
	bool waiting = false; /* frame was made and not yet taken */
	int offered, written = 0;

	while (time_mono_ns() < b->end_ns || waiting ||
	       !tls_bare_drained(b->server)) {
		if (!waiting && time_mono_ns() < b->end_ns) {
			if (!bare_fill(b))
				return reason_set(
				    why, -ENOMEM, "cannot make a message");
			waiting = true;
		}
		offered = waiting ? tls_bare_offer(b->server, b->frame.p,
					b->frame.len, why)
				  : 0;
		if (offered < 0)
			return offered;
		waiting = waiting && !offered;
		written = tls_bare_pump(b->server, why);
		if (written < 0)
			return written;
		if (!written && !offered)
			bare_rest(time_mono_ns() + BARE_PAUSE_NS);
	}
	return 0;
}

static int
bare_run(struct bare *b, struct reason *why)
{
	const struct fan_plan *plan = b->plan;
	struct fan_shared *shared = plan->shared;
	int err = 0;

	for (unsigned n = 0; n < plan->clients && err >= 0;) {
		err = tls_bare_accept(b->server, BARE_ACCEPT_MS, why);
		n += err == 1;
		if (atomic_load(&shared->phase) == FAN_QUIT)
			return 0;
	}
	if (err < 0 || !bench_fan_await(plan, FAN_GO))
		return err;
	b->start_ns = time_mono_ns();
	b->end_ns = b->start_ns + (uint64_t)(plan->seconds * 1e9);
	atomic_store(&shared->start_ns, b->start_ns);
	err = plan->rate > 0 ? bare_scheduled(b, why) : bare_flat_out(b, why);
	atomic_store(&shared->published, b->seq);
	atomic_store(&shared->end_ns, time_mono_ns());
	atomic_store(&shared->source_done, true);
	/* Clients read on until all have everything. */
	if (err >= 0)
		(void)bench_fan_await(plan, FAN_QUIT);
	return err;
}

void
bench_fan_bare(const struct fan_plan *plan)
{
	struct bare b = { .plan = plan };
	struct reason why = REASON_NO_MEMORY;
	unsigned port;
	int err;

	err = tls_bare_open(plan->cert, plan->key, &b.server, &port, &why);
	if (err >= 0) {
		atomic_store(&plan->shared->port, port);
		err = bare_run(&b, &why);
	}
	if (err < 0)
		bench_fan_source_failed(plan, &why);
	b.server = tls_bare_free(b.server);
	mp_buf_deinit(&b.events);
	mp_buf_deinit(&b.frame);
	mp_buf_deinit(&b.data);
}
