/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Vitals, gathered and told.  Each event has everything its process says of
 * itself, as one flat map from names to numbers: who misses one has lost a
 * point of a curve and nothing else.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_reader.h"
#include "shm/stats.h"
#include "tools/guard.h"
#include "tools/lag.h"
#include "tools/refuse.h"
#include "tools/vitals.h"
#include "tools/writer_client.h"

#define VITALS_EVERY_NS NS_PER_S

struct vitals {
	char run_dir[PATH_MAX];
	struct writer_client wc;
	unsigned unanswered;
	uint64_t due_ns;
	struct mp_buf request;
	long replaced; /* pages, before the ring was mapped */
};

struct vitals *
vitals_new(const char *run_dir)
{
	struct vitals *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	snprintf(v->run_dir, sizeof(v->run_dir), "%s", run_dir);
	return v;
}

struct vitals *
vitals_free(struct vitals *v)
{
	if (!v)
		return NULL;
	writer_client_close(&v->wc);
	mp_buf_deinit(&v->request);
	free(v);
	return NULL;
}

int
vitals_wait_ms(const struct vitals *v)
{
	uint64_t now = time_mono_ns();

	return v->due_ns > now ? (int)((v->due_ns - now) / NS_PER_MS) + 1 : 0;
}

/* --- one event --- */

/* A flat map under way: how many pairs it has so far. */
struct vitals_map {
	struct mp_buf *b;
	size_t at;
	uint32_t n;
};

static void
vitals_number(struct vitals_map *m, const char *name, uint64_t value)
{
	mp_pair_uint(m->b, name, value);
	m->n++;
}

static struct vitals_map
vitals_begin(struct vitals *v, const char *topic)
{
	struct mp_buf *b = &v->request;

	b->len = 0;
	proto_pack_head(
	    b, "emit", (struct proto_uint){ true, v->unanswered }, 3);
	mp_pair_cstr(b, "topic", topic);
	mp_pair_cstr(b, "type", "counters");
	mp_pack_cstr(b, "data");
	return (struct vitals_map){ .b = b, .at = mp_begin(b) };
}

static int
vitals_end(struct vitals *v, const struct vitals_map *m)
{
	int err;

	mp_end_map(m->b, m->at, m->n);
	if (m->b->failed) {
		mp_buf_deinit(m->b);
		return -ENOMEM;
	}
	/* Zeros of a ring that was cut short are no vitals. */
	if (guard_replaced() != v->replaced)
		return -EPROTO;
	err =
	    writer_client_send(&v->wc, slice_of(v->request.p, v->request.len));
	if (err >= 0)
		v->unanswered++;
	return err;
}

static void
vitals_counters(struct vitals_map *m, const struct stats_view *view)
{
	struct stats_item item;

	vitals_number(m, "pid", view->pid);
	vitals_number(m, "started", view->started_us);
	for (unsigned i = 0; i < view->n; i++)
		if (stats_view_item(view, i, &item) == 0)
			vitals_number(m, item.name, item.value);
}

/* What the readers' table says of one of them. */
static void
vitals_seat(struct vitals_map *m, struct ring_reader *rd, uint64_t head,
    const struct ring_seat_info *seat)
{
	struct lag lag;

	lag_of(rd, head, seat, &lag);
	vitals_number(m, "position", seat->position);
	vitals_number(m, "lag_events", lag.events);
	/* Where the ring has moved past it, neither is known. */
	if (lag.known) {
		vitals_number(m, "lag_bytes", lag.bytes);
		vitals_number(m, "lag_ms", lag.us / 1000);
	}
	vitals_number(m, "clients", seat->clients);
	vitals_number(m, "parked", seat->parked);
	vitals_number(m, "lapped", seat->lapped);
	vitals_number(m, "wakeups", seat->wakeups);
	vitals_number(m, "missed_wakeups", seat->missed);
	vitals_number(m, "heartbeat_ms", lag_beat_ns(seat) / NS_PER_MS);
}

/* --- of whom --- */

static int
vitals_writer(struct vitals *v, struct ring_reader *rd, struct reason *why)
{
	struct stats_view view;
	struct vitals_map m;
	int err = ring_reader_stats(rd, &view, why);

	if (err < 0)
		return err;
	m = vitals_begin(v, "$stat.writer");
	vitals_counters(&m, &view);
	return vitals_end(v, &m);
}

static int
vitals_ring(struct vitals *v, struct ring_reader *rd, unsigned readers)
{
	const struct ring_info *info = ring_reader_info(rd);
	uint64_t mono = time_mono_ns();
	struct ring_backlog held = { 0 };
	struct ring_status status;
	struct vitals_map m;
	uint64_t before;

	ring_reader_status(rd, &status);
	before = ring_reader_seek_oldest(rd);
	if (ring_reader_backlog(rd, &held) < 0)
		return -EPROTO;
	m = vitals_begin(v, "$stat.ring");
	vitals_number(&m, "pid", info->writer_pid);
	vitals_number(&m, "incarnation", info->incarnation);
	vitals_number(&m, "head", status.tail_seq);
	vitals_number(&m, "oldest", status.oldest_seq);
	vitals_number(&m, "ring_oldest", MIN(before, UINT64_MAX - 1) + 1);
	vitals_number(&m, "events", held.events);
	vitals_number(&m, "bytes", held.bytes);
	vitals_number(&m, "window_ms",
	    held.newest_us > held.oldest_us
		? (held.newest_us - held.oldest_us) / 1000
		: 0);
	vitals_number(&m, "slots", info->slots);
	vitals_number(&m, "payload_bytes", info->payload_bytes);
	vitals_number(&m, "readers", readers);
	vitals_number(&m, "heartbeat_ms",
	    mono > status.heartbeat_ns
		? (mono - status.heartbeat_ns) / NS_PER_MS
		: 0);
	return vitals_end(v, &m);
}

/* A gateway has a page of counters; one whose page is bad says what it can. */
static int
vitals_gateway(struct vitals *v, int dirfd, struct ring_reader *rd,
    uint64_t head, const struct ring_seat_info *seat)
{
	CLEANUP(stats_page_freep) struct stats_page *page = NULL;
	struct vitals_map m;
	char name[64];
	struct reason why = REASON_NO_MEMORY;

	snprintf(name, sizeof(name), "$stat.gateway.%ld", seat->pid);
	m = vitals_begin(v, name);
	snprintf(name, sizeof(name), "gateway.%ld", seat->pid);
	if (dirfd >= 0 && stats_page_copy(dirfd, name, &page, &why) == 0)
		vitals_counters(&m, stats_page_view(page));
	vitals_seat(&m, rd, head, seat);
	return vitals_end(v, &m);
}

static int
vitals_broker(struct vitals *v, struct ring_reader *rd, uint64_t head,
    const struct ring_seat_info *seat)
{
	struct vitals_map m = vitals_begin(v, "$stat.broker");

	vitals_number(&m, "pid", (uint64_t)seat->pid);
	vitals_number(&m, "started", seat->attached_us);
	vitals_seat(&m, rd, head, seat);
	return vitals_end(v, &m);
}

static int
vitals_readers(struct vitals *v, struct ring_reader *rd,
    const struct ring_seat_info *seats, unsigned n)
{
	CLEANUP(closep) int dirfd = -1;
	struct ring_status status;
	char path[PATH_MAX];
	int err = 0;

	ring_reader_status(rd, &status);
	snprintf(path, sizeof(path), "%.*s/stat", PATH_MAX - 8, v->run_dir);
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < n && err >= 0; i++) {
		if (!strcmp(seats[i].role, "gateway"))
			err = vitals_gateway(
			    v, dirfd, rd, status.tail_seq, &seats[i]);
		else if (!strcmp(seats[i].role, "broker"))
			err = vitals_broker(v, rd, status.tail_seq, &seats[i]);
	}
	return err;
}

static int
vitals_gather(struct vitals *v, struct reason *why)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	struct ring_seat_info seats[RING_SEATS];
	char path[PATH_MAX];
	unsigned n;
	int err;

	snprintf(path, sizeof(path), "%.*s/ring", PATH_MAX - 8, v->run_dir);
	guard_begin();
	v->replaced = guard_replaced();
	/* Each time: a writer that starts makes another one. */
	err = ring_reader_open(path, &rd, why);
	if (err < 0)
		return err;
	n = ring_reader_seats(rd, seats, RING_SEATS);
	err = vitals_writer(v, rd, why);
	if (err >= 0)
		err = vitals_ring(v, rd, n);
	if (err >= 0)
		err = vitals_readers(v, rd, seats, n);
	return err < 0 ? reason_set(why, err, "cannot tell vitals") : 0;
}

/* --- the writer --- */

static int
vitals_refused(const struct writer_reply *reply, struct reason *why)
{
	return reason_say(why, -EACCES, "the writer refuses vitals: %.*s (%s)",
	    (int)MIN(reply->message.len, 150u), (const char *)reply->message.p,
	    proto_code_name(reply->code));
}

/*
 * Send and receive what can be without waiting.  An answer other than ok
 * parses as an error; ok has no code.
 */
static int
vitals_exchange(struct vitals *v, struct reason *why)
{
	struct writer_reply reply;
	int err = writer_client_wait(&v->wc, 0, why), got;

	if (err < 0)
		return err;
	if (err == WRITER_CLOSED) {
		writer_client_close(&v->wc);
		return VITALS_AWAY;
	}
	while ((got = writer_client_reply(&v->wc, &reply, why)) > 0) {
		v->unanswered -= v->unanswered > 0;
		if (proto_get(reply.body, "code").len)
			return vitals_refused(&reply, why);
	}
	return got < 0 ? got : VITALS_TOLD;
}

/* Connected, and everything answered? */
static int
vitals_ready(struct vitals *v, struct reason *why)
{
	int err = VITALS_AWAY;

	if (v->wc.open)
		err = vitals_exchange(v, why);
	if (err == VITALS_AWAY) {
		err = writer_client_open(&v->wc, v->run_dir, why);
		if (err == -ENOENT || err == -ECONNREFUSED || err == -EAGAIN)
			return VITALS_AWAY;
		v->unanswered = 0;
	}
	if (err < 0)
		return err;
	return v->unanswered ? VITALS_SILENT : VITALS_TOLD;
}

int
vitals_turn(struct vitals *v, struct reason *why)
{
	uint64_t now = time_mono_ns();
	int err;

	if (now < v->due_ns)
		return VITALS_EARLY;
	v->due_ns += VITALS_EVERY_NS;
	if (v->due_ns <= now)
		/* What was missed is not made up for. */
		v->due_ns = now + VITALS_EVERY_NS;
	err = vitals_ready(v, why);
	if (err == VITALS_TOLD)
		err = vitals_gather(v, why);
	if (err == VITALS_TOLD)
		err = vitals_exchange(v, why);
	if (err < 0)
		writer_client_close(&v->wc);
	return err;
}
