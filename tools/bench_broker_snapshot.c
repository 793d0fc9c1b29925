/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Snapshots of the whole state, to clients one after another, and what they
 * do to a producer that appends by schedule meanwhile.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_broker_priv.h"
#include "tools/bench_hist.h"
#include "tools/bench_rows.h"

enum {
	SNAP_INFLIGHT = 2048, /* requests; what is due beyond is late */
	SNAP_BURST = 256,
	SNAP_CALM_MS = 3000,
	SNAP_SETTLE_MS = 500,
};

/* --- the producer, a process of its own --- */

enum snap_phase {
	SNAP_WARM,
	SNAP_CALM, /* nobody takes a snapshot */
	SNAP_BUSY,
	SNAP_QUIT,
};

struct snap_shared {
	_Atomic enum snap_phase phase;
	_Atomic uint64_t head;
	_Atomic bool failed;
	struct reason fault;
	struct bench_hist latency[SNAP_QUIT]; /* ns, from when it was due */
};

struct snap_producer {
	struct broker_bench *b;
	struct snap_shared *shared;
	struct writer_client wc;
	uint64_t start_ns;
	uint64_t sent;
	uint64_t answered;
	uint64_t due_ns[SNAP_INFLIGHT];
};

static uint64_t
snap_due(const struct snap_producer *p, uint64_t n)
{
	return p->start_ns + (uint64_t)((double)n * 1e9 / (double)p->b->rate);
}

static int
snap_send_due(struct snap_producer *p)
{
	struct slice request;
	int err = 0;

	for (unsigned i = 0; i < SNAP_BURST && err >= 0 &&
			     p->sent - p->answered < SNAP_INFLIGHT &&
			     snap_due(p, p->sent) <= time_mono_ns();
	     i++) {
		p->due_ns[p->sent % SNAP_INFLIGHT] = snap_due(p, p->sent);
		err = bench_load_request(&p->b->load, p->sent, 1, &request);
		if (err >= 0)
			err = writer_client_send(&p->wc, request);
		p->sent++;
	}
	return err;
}

static int
snap_answers(struct snap_producer *p, struct reason *why)
{
	enum snap_phase phase = atomic_load(&p->shared->phase);
	struct writer_reply reply;
	uint64_t now;
	int got = writer_client_wait(&p->wc, 0, why);

	if (got == WRITER_CLOSED)
		return reason_say(why, -EPIPE, "the writer went away");
	now = time_mono_ns();
	while (
	    got >= 0 && (got = writer_client_reply(&p->wc, &reply, why)) > 0) {
		if (reply.code != PROTO_OK)
			return reason_say(why, -EIO, "%s: %.*s",
			    proto_code_name(reply.code), (int)reply.message.len,
			    (const char *)reply.message.p);
		if (phase < SNAP_QUIT)
			bench_hist_add(&p->shared->latency[phase],
			    now - p->due_ns[reply.id % SNAP_INFLIGHT], 1);
		p->answered++;
		atomic_store(&p->shared->head, reply.seq);
	}
	return got;
}

/* Until the next one is due, or an answer comes. */
static void
snap_rest(const struct snap_producer *p)
{
	uint64_t now = time_mono_ns(), due = snap_due(p, p->sent);
	struct pollfd pfd = { .fd = p->wc.fs.fd, .events = POLLIN };
	struct timespec ts = { 0, 0 };

	if (due > now)
		ts.tv_nsec = (long)MIN(due - now, 5 * NS_PER_MS);
	if (writer_client_unsent(&p->wc))
		pfd.events |= POLLOUT;
	(void)ppoll(&pfd, 1, &ts, NULL);
}

static int
snap_produce(struct snap_producer *p, struct reason *why)
{
	int err;

	err = writer_client_open(&p->wc, house_run_dir(&p->b->t.house), why);
	p->start_ns = time_mono_ns();
	while (err >= 0) {
		bool quit = atomic_load(&p->shared->phase) == SNAP_QUIT;

		if (quit && p->answered == p->sent)
			break;
		err = quit ? 0 : snap_send_due(p);
		if (err < 0)
			return reason_set(why, err, "cannot append");
		err = snap_answers(p, why);
		snap_rest(p);
	}
	return MIN(err, 0);
}

static pid_t
snap_start(struct broker_bench *b, struct snap_shared *shared)
{
	struct snap_producer p = { .b = b, .shared = shared };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (snap_produce(&p, &shared->fault) < 0)
		atomic_store(&shared->failed, true);
	_exit(TOOL_OK);
}

/* --- figures --- */

typedef int snap_read(
    struct broker_bench *b, struct bench_rows *r, struct reason *why);

static int
snap_local(struct broker_bench *b, struct bench_rows *r, struct reason *why)
{
	return bench_rows_local(&b->t, r, why);
}

static int
snap_remote(struct broker_bench *b, struct bench_rows *r, struct reason *why)
{
	return bench_rows_remote(&b->staff, r, why);
}

static int
snap_cpu(const struct broker_bench *b, uint64_t *ns, struct reason *why)
{
	uint64_t broker, gateway;
	int err = bench_staff_cpu(&b->staff, BENCH_BROKER, &broker, why);

	if (err >= 0)
		err = bench_staff_cpu(&b->staff, BENCH_GATEWAY, &gateway, why);
	if (err >= 0)
		*ns = broker + gateway;
	return err;
}

static void
snap_tell(const struct broker_bench *b, const char *how,
    const struct bench_rows *r, uint64_t rows, uint64_t cpu_ns)
{
	bench_broker_begin(b, "snapshot", how);
	bench_broker_tell(b, "rows", (double)rows, "");
	bench_broker_tell(b, "rows_per_s",
	    (double)rows * 1e9 / (double)MAX(r->all_ns, 1), "rows/s");
	bench_broker_tell(b, "first_ms", (double)r->first_ns / 1e6, "ms");
	bench_broker_tell(b, "all_ms", (double)r->all_ns / 1e6, "ms");
	bench_broker_tell(b, "mb_per_s",
	    (double)r->bytes * 1e3 / (double)MAX(r->all_ns, 1), "MB/s");
	bench_broker_tell(b, "cpu_us",
	    (double)cpu_ns / 1e3 / (double)MAX(rows, 1), "us per row");
	bench_broker_end(b);
}

static const struct slice snap_all = SLICE_STR(">");

/* One snapshot; new: of a state that nobody has asked for yet. */
static int
snap_one(struct broker_bench *b, snap_read *read, const char *how, bool new,
    struct bench_rows *r, struct reason *why)
{
	struct bench_welcome w;
	uint64_t before, after;
	int err = new ? bench_broker_move(b, why) : 0;

	r->topics = &snap_all;
	r->n = 1;
	r->min_seq = b->head;
	if (err >= 0)
		err = snap_cpu(b, &before, why);
	if (err >= 0)
		err = read(b, r, why);
	if (err >= 0)
		err = snap_cpu(b, &after, why);
	if (err >= 0)
		err = bench_staff_welcome(&b->staff, &w, why);
	if (err >= 0 && (r->rows != w.rows || r->seq != b->head))
		err = reason_say(why, -EPROTO,
		    "%llu rows came at seq %llu, and not %llu at seq %llu",
		    (unsigned long long)r->rows, (unsigned long long)r->seq,
		    (unsigned long long)w.rows, (unsigned long long)b->head);
	if (err >= 0)
		snap_tell(b, how, r, r->rows, after - before);
	return err;
}

/* A pair of ours and the bare server, of one way. */
static int
snap_pair(struct broker_bench *b, bool tls, struct reason *why)
{
	snap_read *read = tls ? snap_remote : snap_local;
	struct bench_rows first = { 0 }, again = { 0 }, bare = { 0 };
	int err;

	err = snap_one(
	    b, read, tls ? "TLS, new" : "local, new", true, &first, why);
	if (err >= 0)
		err = snap_one(b, read, tls ? "TLS, shared" : "local, shared",
		    false, &again, why);
	if (err >= 0)
		err = tls ? bench_rows_bare_tls(&b->t, &again, &bare, why)
			  : bench_rows_bare(&again, &bare, why);
	if (err >= 0)
		snap_tell(b, tls ? "TLS, bare" : "local, bare", &bare,
		    again.rows, bare.cpu_ns);
	bench_rows_deinit(&first);
	bench_rows_deinit(&again);
	bench_rows_deinit(&bare);
	return err;
}

static int
snap_quiet(struct broker_bench *b, struct reason *why)
{
	int err = 0;

	for (uint64_t i = 0; i < b->clients && err >= 0; i++) {
		err = snap_pair(b, false, why);
		if (err >= 0)
			err = snap_pair(b, true, why);
	}
	return err;
}

/* --- with a producer --- */

static void
snap_tell_latency(const struct broker_bench *b, const char *how,
    const struct bench_hist *h, double twice_p50_ns)
{
	uint64_t late = 0;

	bench_broker_begin(b, "appends", how);
	bench_broker_tell(b, "appends", (double)h->count, "");
	bench_broker_tell(
	    b, "p50_us", (double)bench_hist_percentile(h, 50) / 1e3, "us");
	bench_broker_tell(
	    b, "p99_us", (double)bench_hist_percentile(h, 99) / 1e3, "us");
	bench_broker_tell(
	    b, "p999_us", (double)bench_hist_percentile(h, 99.9) / 1e3, "us");
	bench_broker_tell(b, "max_us", (double)h->max / 1e3, "us");
	late = bench_hist_above(h, (uint64_t)twice_p50_ns);
	bench_broker_tell(b, "late_percent",
	    100.0 * (double)late / (double)MAX(h->count, 1),
	    "% later than twice the calm p50");
	bench_broker_end(b);
}

static int
snap_fault(const struct snap_shared *shared, struct reason *why)
{
	if (atomic_load(&shared->failed)) {
		*why = shared->fault;
		return -EIO;
	}
	return tool_stopped() ? reason_set(why, -EINTR, "stopped") : 0;
}

/* A snapshot of what the producer has got to. */
static int
snap_meanwhile(struct broker_bench *b, const struct snap_shared *shared,
    bool tls, struct reason *why)
{
	/* No min_seq: where the machine is slow, folding is behind. */
	struct bench_rows r = { .topics = &snap_all, .n = 1 };
	uint64_t before, after;
	int err = snap_cpu(b, &before, why);

	if (err >= 0)
		err = (tls ? snap_remote : snap_local)(b, &r, why);
	if (err >= 0)
		err = snap_cpu(b, &after, why);
	/* The broker's CPU has the folding in it. */
	if (err >= 0)
		snap_tell(b,
		    tls ? "TLS, while appending" : "local, while appending", &r,
		    r.rows, after - before);
	bench_rows_deinit(&r);
	return err < 0 ? err : snap_fault(shared, why);
}

static int
snap_phases(
    struct broker_bench *b, struct snap_shared *shared, struct reason *why)
{
	int err = 0;

	(void)poll(NULL, 0, SNAP_SETTLE_MS);
	atomic_store(&shared->phase, SNAP_CALM);
	(void)poll(NULL, 0, SNAP_CALM_MS);
	atomic_store(&shared->phase, SNAP_BUSY);
	for (uint64_t i = 0; i < b->clients && err >= 0; i++) {
		err = snap_meanwhile(b, shared, true, why);
		if (err >= 0)
			err = snap_meanwhile(b, shared, false, why);
	}
	return err;
}

static int
snap_busy(struct broker_bench *b, struct reason *why)
{
	struct snap_shared *shared = mmap(NULL, sizeof(*shared),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double twice;
	pid_t pid;
	int err;

	if (shared == MAP_FAILED)
		return reason_set(why, -errno, "cannot measure");
	pid = snap_start(b, shared);
	err = pid < 0 ? reason_set(why, -errno, "cannot start a producer")
		      : snap_phases(b, shared, why);
	atomic_store(&shared->phase, SNAP_QUIT);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	if (err >= 0)
		err = snap_fault(shared, why);
	b->head = MAX(b->head, atomic_load(&shared->head));
	twice = 2.0 *
		(double)bench_hist_percentile(&shared->latency[SNAP_CALM], 50);
	if (err >= 0) {
		snap_tell_latency(
		    b, "without snapshots", &shared->latency[SNAP_CALM], twice);
		snap_tell_latency(
		    b, "during snapshots", &shared->latency[SNAP_BUSY], twice);
	}
	(void)munmap(shared, sizeof(*shared));
	return err;
}

int
bench_broker_snapshot(struct broker_bench *b, struct reason *why)
{
	int err = bench_staff_start(&b->staff, BENCH_GATEWAY, NULL, 0, why);

	if (err >= 0)
		err = snap_quiet(b, why);
	if (err >= 0)
		err = snap_busy(b, why);
	bench_staff_stop(&b->staff, BENCH_GATEWAY, SIGTERM);
	return err;
}
