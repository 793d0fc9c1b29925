/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Storing what a demo says.  One request is on its way at a time: what was
 * not answered is sent again under the same keys, so that order and number
 * stay right without a window to keep.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/demo.h"
#include "tools/query.h"
#include "tools/tool.h"

enum {
	DEMO_EVENTS = 512, /* of a request; the writer takes 1,024 */
	DEMO_BYTES = 128 << 10,
	DEMO_RETRY_MS = 200,
	DEMO_ANSWER_MS = 10000, /* then the connection counts as lost */
	DEMO_DRAW_MS = 250,
	DEMO_RATE_MS = 2000, /* what the rate told is taken over */
	DEMO_COLUMNS = 79,
};

uint64_t
demo_now_ms(void)
{
	return time_mono_ns() / NS_PER_MS;
}

bool
demo_over(const struct demo *d)
{
	return tool_stopped() ||
	       (d->for_ms && demo_now_ms() - d->started_ms >= d->for_ms);
}

void
demo_wait_until(struct demo *d, uint64_t ms)
{
	uint64_t now = demo_now_ms();

	if (d->for_ms)
		ms = MIN(ms, d->started_ms + d->for_ms);
	if (ms > now && !tool_stopped())
		(void)poll(NULL, 0, (int)MIN(ms - now, 100u));
}

/* --- the writer --- */

static int
demo_connect(struct demo *d, struct reason *why)
{
	char log[PROTO_LOG_NAME];
	uint64_t head;
	int err;

	err = writer_client_open(&d->wc, house_run_dir(&d->t->house), why);
	if (err >= 0)
		err = writer_client_hello(&d->wc, log, &head, why);
	if (err < 0) {
		writer_client_close(&d->wc);
		return err;
	}
	if (d->log[0] && strcmp(d->log, log) != 0)
		return reason_say(
		    why, -ESTALE, "another log (%s) serves here now", log);
	memcpy(d->log, log, sizeof(d->log));
	return 0;
}

int
demo_open(struct demo *d, struct reason *why)
{
	uint64_t run;

	while (getrandom(&run, sizeof(run), 0) != sizeof(run))
		continue;
	snprintf(d->run, sizeof(d->run), "%016" PRIx64, run);
	d->started_ms = d->drawn_at_ms = demo_now_ms();
	return demo_connect(d, why);
}

void
demo_close(struct demo *d)
{
	writer_client_close(&d->wc);
	mp_buf_deinit(&d->events);
	mp_buf_deinit(&d->request);
}

static bool
demo_will_pass(enum proto_code code)
{
	return code == PROTO_UNAVAILABLE || code == PROTO_RATE_LIMITED ||
	       code == PROTO_STORAGE_FULL || code == PROTO_UNKNOWN;
}

/* The answer to what was sent: 1, or 0 when none came. */
static int
demo_answer(struct demo *d, struct writer_reply *reply, struct reason *why)
{
	uint64_t until = demo_now_ms() + DEMO_ANSWER_MS;
	int got = 0;

	while (got == 0 && demo_now_ms() < until && !demo_over(d)) {
		got = writer_client_wait(&d->wc, 100, why);
		if (got == WRITER_CLOSED)
			return 0;
		if (got >= 0)
			got = writer_client_reply(&d->wc, reply, why);
	}
	return got;
}

/* Ask once.  1: it has to be asked again. */
static int
demo_try(struct demo *d, struct reason *why)
{
	struct writer_reply reply;
	int err = 0;

	if (!d->wc.open)
		err = demo_connect(d, why);
	if (err == -ESTALE)
		return err;
	if (err >= 0)
		err = writer_client_send(
		    &d->wc, slice_of(d->request.p, d->request.len));
	if (err >= 0)
		err = demo_answer(d, &reply, why);
	if (err <= 0) {
		/* Whatever it was: another connection may do better. */
		writer_client_close(&d->wc);
		return err == -ENOMEM ? err : 1;
	}
	if (demo_will_pass(reply.code))
		return 1;
	if (reply.code != PROTO_OK)
		return query_refused(reply.body, why);
	d->stored += d->n;
	d->seq = reply.seq + d->n - 1;
	return 0;
}

static void
demo_request(struct demo *d)
{
	struct mp_buf *b = &d->request;

	b->len = 0;
	proto_pack_head(b, "append", (struct proto_uint){ true, 1 }, 1);
	mp_pack_cstr(b, "events");
	mp_pack_array(b, d->n);
	mp_pack_raw(b, slice_of(d->events.p, d->events.len));
}

int
demo_store(struct demo *d, struct reason *why)
{
	int err = 0;

	if (d->n == 0)
		return 0;
	demo_request(d);
	if (d->events.failed || d->request.failed)
		return reason_set(why, -ENOMEM, "cannot keep a request");
	while ((err = demo_try(d, why)) > 0 && !demo_over(d)) {
		demo_status(d, "waiting for the writer");
		(void)poll(NULL, 0, DEMO_RETRY_MS);
	}
	d->events.len = 0;
	d->n = 0;
	return MIN(err, 0);
}

int
demo_event(struct demo *d, struct writer_append *append, struct reason *why)
{
	size_t len = append->topic.len + append->data.len + append->meta.len;
	char key[64];

	if (d->n == DEMO_EVENTS || (d->n && d->events.len + len > DEMO_BYTES)) {
		int err = demo_store(d, why);

		if (err < 0)
			return err;
	}
	snprintf(key, sizeof(key), "demo-%s-%" PRIu64, d->run, ++d->keys);
	append->key = slice_cstr(key);
	writer_client_pack_event(&d->events, append);
	append->key = (struct slice){ NULL, 0 };
	d->n++;
	return 0;
}

/* --- one line on a terminal --- */

void
demo_status(struct demo *d, const char *what)
{
	uint64_t now = demo_now_ms();
	double seconds = (double)(now - d->drawn_at_ms) / 1000;
	char line[DEMO_COLUMNS + 1];

	if (!isatty(STDERR_FILENO) ||
	    (d->drawn && now - d->drawn_ms < DEMO_DRAW_MS))
		return;
	snprintf(line, sizeof(line),
	    "%s: %" PRIu64 " events, %.0f/s, seq %" PRIu64 "  (Ctrl-C ends it)",
	    what, d->stored,
	    seconds > 0 ? (double)(d->stored - d->drawn_stored) / seconds : 0,
	    d->seq);
	fprintf(stderr, "\r%-*s", DEMO_COLUMNS - 1, line);
	d->drawn = true;
	d->drawn_ms = now;
	if (now - d->drawn_at_ms >= DEMO_RATE_MS) {
		d->drawn_at_ms = now;
		d->drawn_stored = d->stored;
	}
}

void
demo_status_end(struct demo *d)
{
	if (d->drawn)
		fprintf(stderr, "\r%*s\r", DEMO_COLUMNS - 1, "");
	d->drawn = false;
}
