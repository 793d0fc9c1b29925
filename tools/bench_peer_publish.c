/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The publisher in front of a peer, by the same schedule as the one in front
 * of peal, over a plain socket as the peer likes it best.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "core/mp.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_fan.h"
#include "tools/bench_peer.h"

enum {
	PEER_BURST = 64,
	PEER_INFLIGHT = 64, /* where each event is answered */
	PEER_CHUNK = 16384,
	PEER_AHEAD =
	    512, /* events ahead of a client, which all of them queue */
};

struct peer_publisher {
	const struct fan_plan *plan;
	const struct bench_peer_kind *kind;
	int fd;
	struct mp_buf out;
	size_t out_sent;
	struct mp_buf payload;
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t sent;
	uint64_t answered;
	size_t matched; /* of kind->published, at the end of what was read */
};

static int
peer_connect(struct peer_publisher *p, struct reason *why)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)p->plan->peer->plain),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int one = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 ||
	    connect(p->fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    fcntl(p->fd, F_SETFL, O_NONBLOCK) < 0)
		return reason_set(
		    why, -errno, "cannot connect to %s", p->kind->program);
	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (p->kind->greet)
		p->kind->greet(&p->out);
	return 0;
}

static int
peer_flush(struct peer_publisher *p, struct reason *why)
{
	ssize_t n;

	while (p->out_sent < p->out.len) {
		n = send(p->fd, p->out.p + p->out_sent,
		    p->out.len - p->out_sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return reason_set(why, -errno, "cannot publish to %s",
			    p->kind->program);
		p->out_sent += (size_t)n;
	}
	p->out.len = p->out_sent = 0;
	return 0;
}

/* Answers are counted, whatever else is in them. */
static void
peer_count(struct peer_publisher *p, const char *in, size_t len)
{
	const char *mark = p->kind->published;

	for (size_t i = 0; mark && i < len; i++) {
		p->matched = in[i] == mark[p->matched] ? p->matched + 1
			     : in[i] == mark[0]	       ? 1
						       : 0;
		if (mark[p->matched] == '\0') {
			p->answered++;
			p->matched = 0;
		}
	}
	if (!mark)
		p->answered = p->sent;
}

static int
peer_answers(struct peer_publisher *p, struct reason *why)
{
	char in[PEER_CHUNK];
	ssize_t n;

	while ((n = recv(p->fd, in, sizeof(in), 0)) > 0)
		peer_count(p, in, (size_t)n);
	if (n == 0)
		return reason_say(why, -EPIPE, "%s hung up on its publisher",
		    p->kind->program);
	if (errno != EAGAIN)
		return reason_set(
		    why, -errno, "cannot read from %s", p->kind->program);
	if (!p->kind->published)
		p->answered = p->sent;
	return 0;
}

static bool
peer_may_send(const struct peer_publisher *p, uint64_t now)
{
	if (now >= p->end_ns || p->out.len ||
	    p->sent - p->answered >= PEER_INFLIGHT)
		return false;
	if (p->plan->rate > 0)
		return bench_fan_due(p->plan, p->start_ns, p->sent) <= now;
	return p->sent < bench_fan_slowest(p->plan->shared) + PEER_AHEAD;
}

static void
peer_send(struct peer_publisher *p, uint64_t due_ns)
{
	p->payload.len = 0;
	bench_fan_pack_text(&p->payload, p->plan->size, ++p->sent, due_ns);
	p->kind->publish(&p->out, slice_of(p->payload.p, p->payload.len));
}

static void
peer_rest(const struct peer_publisher *p, uint64_t now)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
	uint64_t due = p->plan->rate > 0
			   ? bench_fan_due(p->plan, p->start_ns, p->sent)
			   : 0;
	struct timespec ts;

	if (p->out.len)
		pfd.events |= POLLOUT;
	due = MIN(MAX(due, now + 50000), now + 5 * NS_PER_MS);
	ts = (struct timespec){ 0, (long)(due - now) };
	(void)ppoll(&pfd, 1, &ts, NULL);
}

static int
peer_loop(struct peer_publisher *p, struct reason *why)
{
	struct fan_shared *shared = p->plan->shared;
	uint64_t now = time_mono_ns(), due;
	int err = 0;

	while (err >= 0 &&
	       (now < p->end_ns || p->out.len || p->answered < p->sent)) {
		for (unsigned i = 0; i < PEER_BURST && peer_may_send(p, now);
		     i++) {
			due = p->plan->rate > 0
				  ? bench_fan_due(p->plan, p->start_ns, p->sent)
				  : now;
			shared->late_ns = MAX(shared->late_ns, now - due);
			peer_send(p, due);
			if (p->out.failed || p->payload.failed)
				return reason_set(
				    why, -ENOMEM, "cannot publish");
			err = peer_flush(p, why);
			now = time_mono_ns();
			if (err < 0)
				return err;
		}
		err = peer_flush(p, why);
		if (err >= 0)
			err = peer_answers(p, why);
		if (atomic_load(&shared->phase) == FAN_QUIT)
			return err;
		now = time_mono_ns();
		if (!peer_may_send(p, now))
			peer_rest(p, now);
		now = time_mono_ns();
	}
	return err;
}

void
bench_peer_publish(const struct fan_plan *plan)
{
	struct peer_publisher p = {
		.plan = plan, .kind = plan->peer->kind, .fd = -1
	};
	struct fan_shared *shared = plan->shared;
	struct reason why = REASON_NO_MEMORY;
	int err = peer_connect(&p, &why);

	if (err >= 0)
		err = peer_flush(&p, &why);
	if (err >= 0 && bench_fan_await(plan, FAN_GO)) {
		p.start_ns = time_mono_ns();
		p.end_ns = p.start_ns + (uint64_t)(plan->seconds * 1e9);
		atomic_store(&shared->start_ns, p.start_ns);
		err = peer_loop(&p, &why);
		atomic_store(&shared->published, p.sent);
		atomic_store(&shared->end_ns, time_mono_ns());
		atomic_store(&shared->source_done, true);
		/* Who hangs up early takes the last events along. */
		(void)bench_fan_await(plan, FAN_QUIT);
	}
	if (err < 0)
		bench_fan_source_failed(plan, &why);
	closep(&p.fd);
	mp_buf_deinit(&p.out);
	mp_buf_deinit(&p.payload);
}
