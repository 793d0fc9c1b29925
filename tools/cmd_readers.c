/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal readers`: who is attached to the ring, and how far behind.  Read
 * from shared memory alone: it shows what a crash left behind, too.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_reader.h"
#include "tools/cmd.h"
#include "tools/lag.h"
#include "tools/live.h"
#include "tools/show.h"
#include "tools/tool.h"
#include "tools/watch.h"
#include "tools/wrap.h"

enum {
	READERS_WIDTH = 120, /* of a line */
	/* The slowest report four times a second, the writer copies ten. */
	READERS_STALLED_MS = 700
};

struct readers_command {
	struct tool t;
	struct live live;
	struct watch *watch;
	struct show show;
	struct mp_buf list;
	bool turned; /* there was a turn with a ring */
	bool narrow; /* each takes two lines */
};

/* What the table says of one reader, and what follows from it. */
struct reader {
	struct ring_seat_info seat;
	struct lag lag;
	uint64_t beat_ms;
	const char *state;
};

static const char *
readers_state(const struct reader *r)
{
	if (kill((pid_t)r->seat.pid, 0) < 0 && errno == ESRCH)
		return "gone";
	if (r->beat_ms > READERS_STALLED_MS)
		return "stalled";
	return r->seat.parked ? "waits" : "reads";
}

static void
readers_fill(struct ring_reader *rd, uint64_t head, struct reader *r)
{
	lag_of(rd, head, &r->seat, &r->lag);
	r->beat_ms = lag_beat_ns(&r->seat) / NS_PER_MS;
	r->state = readers_state(r);
}

/* --- for programs --- */

static void
readers_pack(struct mp_buf *b, const struct reader *r)
{
	const struct ring_seat_info *seat = &r->seat;
	const struct {
		const char *name;
		uint64_t v;
		bool null;
	} numbers[] = {
		{ "seat", seat->seat, false },
		{ "pid", (uint64_t)seat->pid, false },
		{ "attached", seat->attached_us, false },
		{ "position", seat->position, false },
		{ "lag_events", r->lag.events, false },
		{ "lag_bytes", r->lag.bytes, !r->lag.known },
		{ "lag_ms", r->lag.us / 1000, !r->lag.known },
		{ "clients", seat->clients, false },
		{ "lapped", seat->lapped, false },
		{ "wakeups", seat->wakeups, false },
		{ "missed_wakeups", seat->missed, false },
		{ "heartbeat_ms", r->beat_ms, false },
	};

	mp_pack_map(b, ARRAY_LEN(numbers) + 4);
	mp_pair_cstr(b, "role", seat->role);
	mp_pair_bool(b, "parked", seat->parked);
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		mp_pack_cstr(b, numbers[i].name);
		if (numbers[i].null)
			mp_pack_nil(b);
		else
			mp_pack_uint(b, numbers[i].v);
	}
	mp_pack_cstr(b, "share");
	if (r->lag.known)
		mp_pack_double(b, r->lag.share);
	else
		mp_pack_nil(b);
	mp_pair_cstr(b, "state", r->state);
}

/* --- for people --- */

static void
readers_head(struct readers_command *c, const struct ring_status *status)
{
	struct live *l = &c->live;

	if (strcmp(watch_writer(c->watch), "dead") == 0)
		live_title(
		    l, "# no writer runs; this is what the last one saw");
	else if (l->screen)
		live_title(l, "# head %" PRIu64, status->tail_seq);
	if (c->narrow)
		live_title(l, "%-10s %7s %12s %10s %11s %8s %6s  %s", "role",
		    "pid", "position", "lag", "bytes", "ms", "share", "state");
	else
		live_title(l,
		    "%-10s %7s %12s %10s %11s %8s %6s %8s %6s %9s %6s %7s  %s",
		    "role", "pid", "position", "lag", "bytes", "ms", "share",
		    "clients", "lapped", "wakeups", "missed", "beat ms",
		    "state");
}

static void
readers_line(struct readers_command *c, const struct reader *r)
{
	struct live *l = &c->live;
	char bytes[24] = "lapped", ms[24] = "lapped", share[24] = "lapped";
	const struct ring_seat_info *seat = &r->seat;

	if (r->lag.known) {
		snprintf(bytes, sizeof(bytes), "%" PRIu64, r->lag.bytes);
		snprintf(ms, sizeof(ms), "%" PRIu64, r->lag.us / 1000);
		snprintf(share, sizeof(share), "%.1f%%", 100 * r->lag.share);
	}
	if (c->narrow) {
		live_line(l,
		    "%-10s %7ld %12" PRIu64 " %10" PRIu64 " %11s %8s %6s  %s",
		    seat->role, seat->pid, seat->position, r->lag.events, bytes,
		    ms, share, r->state);
		wrap_print("clients %" PRIu64 ", lapped %" PRIu64
			   ", wakeups %" PRIu64 ", missed %" PRIu64
			   ", beat %" PRIu64 " ms ago",
		    seat->clients, seat->lapped, seat->wakeups, seat->missed,
		    r->beat_ms);
		return;
	}
	live_line(l,
	    "%-10s %7ld %12" PRIu64 " %10" PRIu64 " %11s %8s %6s %8" PRIu64
	    " %6" PRIu64 " %9" PRIu64 " %6" PRIu64 " %7" PRIu64 "  %s",
	    seat->role, seat->pid, seat->position, r->lag.events, bytes, ms,
	    share, seat->clients, seat->lapped, seat->wakeups, seat->missed,
	    r->beat_ms, r->state);
}

/* --- one turn --- */

static int
readers_show(struct readers_command *c, struct reason *why)
{
	struct ring_seat_info seats[RING_SEATS];
	struct reader readers[RING_SEATS] = { 0 };
	struct ring_reader *rd = c->watch->rd;
	unsigned n = ring_reader_seats(rd, seats, RING_SEATS);
	struct ring_status status;

	/* Behind the seats: nobody is ahead of it. */
	ring_reader_status(rd, &status);
	for (unsigned i = 0; i < n; i++) {
		readers[i].seat = seats[i];
		readers_fill(rd, status.tail_seq, &readers[i]);
	}
	if (watch_whole(c->watch, why) < 0)
		return -EPROTO;
	c->narrow = !c->live.screen && wrap_narrow(&c->t, READERS_WIDTH);
	c->list.len = 0;
	mp_pack_array(&c->list, n);
	if (!c->t.json)
		readers_head(c, &status);
	for (unsigned i = 0; i < n; i++) {
		if (c->t.json)
			readers_pack(&c->list, &readers[i]);
		else
			readers_line(c, &readers[i]);
	}
	if (!c->t.json)
		return 0;
	if (c->list.failed ||
	    show_value(&c->show, slice_of(c->list.p, c->list.len)) < 0)
		return reason_set(why, -ENOMEM, "cannot print");
	return 0;
}

static int
readers_look(struct readers_command *c, struct reason *why)
{
	int err = watch_ring(c->watch, why);

	if (err == WATCH_NONE)
		return -ENOENT;
	return err < 0 ? err : readers_show(c, why);
}

/* What is wrong later on may be mended by the next writer: wait for it. */
static int
readers_turn(void *arg)
{
	struct readers_command *c = arg;
	struct reason why = { "" };

	if (readers_look(c, &why) == 0) {
		c->turned = true;
		live_complain(&c->live, NULL, 0);
		return TOOL_OK;
	}
	if (!c->turned || c->live.turns == 1)
		return tool_fail(&c->t, &why);
	live_complain(&c->live, &why, 1);
	return TOOL_OK;
}

static int
readers_run(struct readers_command *c)
{
	struct reason why = REASON_NO_MEMORY;

	if (watch_new(&c->t.house, &c->watch, &why) < 0)
		return tool_fail(&c->t, &why);
	return live_run(&c->live, &c->t, readers_turn, c);
}

int
cmd_readers(int argc, char **argv)
{
	struct readers_command c = { 0 };
	const struct tool_option options[] = {
		live_interval(&c.live, "look again and again, so long apart"),
		live_count(&c.live, "look N times"),
		{ .name = NULL },
	};
	const struct tool_usage usage = {
		.name = "readers",
		.text = "List the readers of the ring: gateways, brokers, "
			"tools. Lag is what the newest event\nis ahead of "
			"them, in events, in bytes, and as the age of the "
			"oldest unread event;\nshare is how much of the "
			"ring's room that takes: who reaches all of it is "
			"lapped.",
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
	};
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	status = readers_run(&c);
	c.watch = watch_free(c.watch);
	show_deinit(&c.show);
	mp_buf_deinit(&c.list);
	return tool_end(&c.t, status);
}
