/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal readers`: who is attached to the ring, and how far behind.  Read
 * from shared memory alone: it shows what a crash left behind, too.
 */

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_reader.h"
#include "tools/cmd.h"
#include "tools/show.h"
#include "tools/tool.h"

static const struct tool_usage usage = {
	.name = "readers",
	.text = "List the readers of the ring: gateways, brokers, tools. Lag "
		"is what the newest event\nis ahead of them, in events, in "
		"bytes, and as the age of the oldest unread event.",
	.common = TOOL_HOUSE | TOOL_JSON,
};

struct reader_lag {
	uint64_t events;
	uint64_t bytes;
	uint64_t ms;
	bool known; /* bytes and ms: what it lacks is still in the ring */
};

static void
readers_lag(struct ring_reader *rd, uint64_t head, uint64_t position,
    struct reader_lag *lag)
{
	struct ring_backlog backlog = { 0 };
	uint64_t now = time_wall_us();
	int got = ring_reader_seek(rd, position);

	if (got == RING_EVENT)
		got = ring_reader_backlog(rd, &backlog);
	*lag = (struct reader_lag){
		.events = head > position ? head - position : 0,
		.bytes = backlog.bytes,
		.known = got == RING_EVENT || got == RING_EMPTY,
	};
	if (backlog.events && now > backlog.oldest_us)
		lag->ms = (now - backlog.oldest_us) / 1000;
}

static void
readers_json(struct mp_buf *b, const struct ring_seat_info *seat,
    const struct reader_lag *lag, uint64_t beat_ms)
{
	const struct {
		const char *name;
		uint64_t v;
		bool null;
	} numbers[] = {
		{ "seat", seat->seat, false },
		{ "pid", (uint64_t)seat->pid, false },
		{ "attached", seat->attached_us, false },
		{ "position", seat->position, false },
		{ "lag_events", lag->events, false },
		{ "lag_bytes", lag->bytes, !lag->known },
		{ "lag_ms", lag->ms, !lag->known },
		{ "clients", seat->clients, false },
		{ "lapped", seat->lapped, false },
		{ "wakeups", seat->wakeups, false },
		{ "missed_wakeups", seat->missed, false },
		{ "heartbeat_ms", beat_ms, false },
	};

	mp_pack_map(b, ARRAY_LEN(numbers) + 2);
	mp_pack_cstr(b, "role");
	mp_pack_cstr(b, seat->role);
	mp_pack_cstr(b, "parked");
	mp_pack_bool(b, seat->parked);
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		mp_pack_cstr(b, numbers[i].name);
		if (numbers[i].null)
			mp_pack_nil(b);
		else
			mp_pack_uint(b, numbers[i].v);
	}
}

static void
readers_line(const struct ring_seat_info *seat, const struct reader_lag *lag,
    uint64_t beat_ms)
{
	char bytes[24] = "lapped", ms[24] = "lapped";

	if (lag->known) {
		snprintf(bytes, sizeof(bytes), "%" PRIu64, lag->bytes);
		snprintf(ms, sizeof(ms), "%" PRIu64, lag->ms);
	}
	printf("%-10s %7ld %12" PRIu64 " %10" PRIu64 " %11s %8s %8" PRIu64
	       " %6" PRIu64 " %9" PRIu64 " %6" PRIu64 " %8" PRIu64 "  %s\n",
	    seat->role, seat->pid, seat->position, lag->events, bytes, ms,
	    seat->clients, seat->lapped, seat->wakeups, seat->missed, beat_ms,
	    seat->parked ? "waits" : "reads");
}

static int
readers_show(struct tool *t, struct ring_reader *rd)
{
	struct ring_seat_info seats[RING_SEATS];
	struct show show = { .json = true };
	struct mp_buf list = { 0 };
	struct ring_status status;
	struct reader_lag lag;
	uint64_t now, beat_ms;
	unsigned n;
	int err = 0;

	ring_reader_status(rd, &status);
	n = ring_reader_seats(rd, seats, RING_SEATS);
	now = time_mono_ns();
	mp_pack_array(&list, n);
	if (!t->json)
		printf("%-10s %7s %12s %10s %11s %8s %8s %6s %9s %6s %8s  %s\n",
		    "role", "pid", "position", "lag", "bytes", "ms", "clients",
		    "lapped", "wakeups", "missed", "beat ms", "state");
	for (unsigned i = 0; i < n; i++) {
		readers_lag(rd, status.tail_seq, seats[i].position, &lag);
		beat_ms = now > seats[i].heartbeat_ns
			      ? (now - seats[i].heartbeat_ns) / NS_PER_MS
			      : 0;
		if (t->json)
			readers_json(&list, &seats[i], &lag, beat_ms);
		else
			readers_line(&seats[i], &lag, beat_ms);
	}
	if (t->json)
		err = list.failed
			  ? -1
			  : show_value(&show, slice_of(list.p, list.len));
	show_deinit(&show);
	mp_buf_deinit(&list);
	return err < 0 ? tool_error(t, "out of memory") : TOOL_OK;
}

int
cmd_readers(int argc, char **argv)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	char path[PATH_MAX];
	struct reason why;
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	snprintf(path, sizeof(path), "%s/ring", house_run_dir(&t.house));
	if (ring_reader_open(path, &rd, &why) < 0)
		status = tool_fail(&t, &why);
	else
		status = readers_show(&t, rd);
	return tool_end(&t, status);
}
