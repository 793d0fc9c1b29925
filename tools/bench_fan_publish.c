/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The publisher in front of peal.  Event n is due at start + n / rate,
 * whatever happened before: a stall shows in every latency that it caused.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_fan.h"
#include "tools/tool.h"
#include "tools/writer_client.h"

enum {
	PUBLISH_INFLIGHT = 1024,
	PUBLISH_BURST = 256
};

struct publisher {
	const struct fan_plan *plan;
	struct writer_client wc;
	struct mp_buf data;
	struct mp_buf request;
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t sent;
	uint64_t answered;
	uint64_t head; /* highest seq that was acknowledged */
};

static int
publish_send(struct publisher *p, uint64_t due_ns)
{
	struct writer_append append = { .type = SLICE_STR("measured") };
	char topic[FAN_TOPIC];

	bench_fan_topic(p->plan, bench_fan_owner(p->plan, p->sent + 1), topic);
	append.topic = slice_cstr(topic);
	p->data.len = 0;
	p->request.len = 0;
	bench_fan_pack_data(&p->data, p->plan->size, p->sent + 1, due_ns);
	append.data = slice_of(p->data.p, p->data.len);
	writer_client_pack(&p->request, p->sent + 1, &append);
	if (p->data.failed || p->request.failed)
		return -ENOMEM;
	p->sent++;
	return writer_client_send(
	    &p->wc, slice_of(p->request.p, p->request.len));
}

/* May another event go out?  With a rate: is it due? */
static bool
publish_may_send(const struct publisher *p, uint64_t now)
{
	if (now >= p->end_ns || p->sent - p->answered >= PUBLISH_INFLIGHT)
		return false;
	if (p->plan->rate > 0)
		return bench_fan_due(p->plan, p->start_ns, p->sent) <= now;
	return p->head + (p->sent - p->answered) <
	       bench_fan_slowest(p->plan->shared) + FAN_AHEAD;
}

static int
publish_answers(struct publisher *p, int wait_ms, struct reason *why)
{
	struct writer_reply reply;
	int got = writer_client_wait(&p->wc, wait_ms, why);

	if (got == WRITER_CLOSED)
		return reason_say(why, -EPIPE, "the writer went away");
	if (got < 0)
		return got;
	while ((got = writer_client_reply(&p->wc, &reply, why)) > 0) {
		if (reply.code != PROTO_OK)
			return reason_say(why, -EIO, "%s: %.*s",
			    proto_code_name(reply.code), (int)reply.message.len,
			    (const char *)reply.message.p);
		p->answered++;
		p->head = MAX(p->head, reply.seq);
	}
	return got;
}

/* Until the next event is due: poll() waits whole milliseconds only. */
static void
publish_rest(const struct publisher *p, uint64_t now)
{
	uint64_t due = p->plan->rate > 0
			   ? bench_fan_due(p->plan, p->start_ns, p->sent)
			   : 0;
	struct timespec ts;
	struct pollfd pfd = { .fd = p->wc.fs.fd, .events = POLLIN };

	due = MIN(MAX(due, now + 50000), now + 5 * NS_PER_MS);
	ts = (struct timespec){ 0, (long)(due - now) };
	(void)ppoll(&pfd, 1, &ts, NULL);
}

static int
publish_loop(struct publisher *p, struct reason *why)
{
	struct fan_shared *shared = p->plan->shared;
	uint64_t now, due;
	int err = 0;

	p->head = bench_fan_slowest(shared);
	while (err >= 0) {
		now = time_mono_ns();
		for (unsigned i = 0;
		     i < PUBLISH_BURST && publish_may_send(p, now); i++) {
			due = p->plan->rate > 0
				  ? bench_fan_due(p->plan, p->start_ns, p->sent)
				  : now;
			shared->late_ns = MAX(shared->late_ns, now - due);
			err = publish_send(p, due);
			if (err < 0)
				return reason_set(why, err, "cannot send");
			now = time_mono_ns();
		}
		err = publish_answers(p, 0, why);
		if (err < 0 || (now >= p->end_ns && p->sent == p->answered))
			return err;
		if (atomic_load(&shared->phase) == FAN_QUIT)
			return 0;
		if (!publish_may_send(p, time_mono_ns()) &&
		    !writer_client_unsent(&p->wc))
			publish_rest(p, now);
	}
	return err;
}

void
bench_fan_publish(const struct fan_plan *plan)
{
	struct publisher p = { .plan = plan };
	struct fan_shared *shared = plan->shared;
	struct reason why = REASON_NO_MEMORY;

	if (writer_client_open(&p.wc, house_run_dir(&plan->t->house), &why) <
	    0) {
		bench_fan_source_failed(plan, &why);
		return;
	}
	if (bench_fan_await(plan, FAN_GO)) {
		p.start_ns = time_mono_ns();
		p.end_ns = p.start_ns + (uint64_t)(plan->seconds * 1e9);
		atomic_store(&shared->start_ns, p.start_ns);
		if (publish_loop(&p, &why) < 0)
			bench_fan_source_failed(plan, &why);
		atomic_store(&shared->published, p.answered);
		atomic_store(&shared->end_ns, time_mono_ns());
		atomic_store(&shared->source_done, true);
	}
	writer_client_close(&p.wc);
	mp_buf_deinit(&p.data);
	mp_buf_deinit(&p.request);
}
