/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal ring`: the ring's header, state and counters, its events, and
 * whether it keeps what it promises.  Works on a ring that nobody serves.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/fs.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_reader.h"
#include "shm/stats.h"
#include "tools/cmd.h"
#include "tools/ring_walk.h"
#include "tools/show.h"
#include "tools/tool.h"

static const char ring_text[] =
    "Print what the ring's file says: header, state, what it holds, "
    "counters. --dump prints\nits events, with --from a seq; --verify reads "
    "all of them and checks bytes against\nchecksums and each event against "
    "the one before it (exit code 3 where that fails).";

struct ring_command {
	struct tool t;
	struct ring_reader *rd;
	char path[PATH_MAX];
	bool verify;
	bool dump;
	uint64_t from;
	uint64_t count;
};

static const char *
ring_state_name(enum ring_state state)
{
	static const char *const names[] = { "init", "running", "draining",
		"closed", "failed" };

	return (unsigned)state < ARRAY_LEN(names) ? names[state] : "unknown";
}

/* "alive" when a writer holds the log; nothing in the ring can say so. */
static const char *
ring_holder(const struct ring_command *c, const struct ring_status *status)
{
	CLEANUP(closep) int dirfd = -1;
	int held;

	dirfd = open(
	    house_log_dir(&c->t.house), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	held = dirfd < 0 ? dirfd : fs_lock_held(dirfd, "LOCK");
	if (held < 0)
		return "unknown";
	if (!held)
		return "dead";
	return status->state == RING_RUNNING ? "alive" : "changing";
}

static uint64_t
ring_age_ms(uint64_t then_ns)
{
	uint64_t now = time_mono_ns();

	return now > then_ns ? (now - then_ns) / NS_PER_MS : 0;
}

struct ring_facts {
	const struct ring_info *info;
	struct ring_status status;
	uint64_t first_seq; /* held */
	char log[PROTO_LOG_NAME];
	const char *holder;
};

static void
ring_gather(struct ring_command *c, struct ring_facts *f)
{
	f->info = ring_reader_info(c->rd);
	f->first_seq = ring_reader_seek_oldest(c->rd) + 1;
	ring_reader_status(c->rd, &f->status);
	proto_log_name(f->info->log_id, f->info->epoch, f->log);
	f->holder = ring_holder(c, &f->status);
}

static void
ring_print(const struct ring_command *c, const struct ring_facts *f)
{
	const struct ring_status *s = &f->status;
	char time[TOOL_TIME_BYTES];

	printf("ring         %s\n", c->path);
	printf("state        %s, writer %s (pid %u)\n",
	    ring_state_name(s->state), f->holder, f->info->writer_pid);
	printf("log          %s\n", f->log);
	printf("incarnation  %u, since %s\n", f->info->incarnation,
	    tool_time(f->info->created_us, time));
	printf("room         %u events, %" PRIu64 " bytes\n", f->info->slots,
	    f->info->payload_bytes);
	printf("holds        seq %" PRIu64 " to %" PRIu64 ", ordinals %" PRIu64
	       " to %" PRIu64 "\n",
	    f->first_seq, s->tail_seq, s->valid_ord, s->tail_ord);
	printf("log holds    seq %" PRIu64 " to %" PRIu64 "\n", s->oldest_seq,
	    s->tail_seq);
	printf("heartbeat    %" PRIu64 " ms ago, published %" PRIu64
	       " ms ago\n",
	    ring_age_ms(s->heartbeat_ns), ring_age_ms(s->publish_ns));
}

static void
ring_print_counters(const struct ring_command *c)
{
	struct stats_view view;
	struct stats_item item;
	struct reason why;

	if (ring_reader_stats(c->rd, &view, &why) < 0) {
		tool_note(&c->t, "no counters: %s", why.text);
		return;
	}
	printf("\n");
	for (unsigned i = 0; i < view.n; i++)
		if (stats_view_item(&view, i, &item) >= 0)
			printf("%-22s %14" PRIu64 " %-9s %s\n", item.name,
			    item.value, item.unit, item.text);
}

static void
ring_pack_uint(struct mp_buf *b, const char *name, uint64_t v)
{
	mp_pack_cstr(b, name);
	mp_pack_uint(b, v);
}

static void
ring_pack_text(struct mp_buf *b, const char *name, const char *text)
{
	mp_pack_cstr(b, name);
	mp_pack_cstr(b, text);
}

static void
ring_pack_counters(const struct ring_command *c, struct mp_buf *b)
{
	struct stats_view view;
	struct stats_item item;
	struct reason why;
	unsigned n = 0;

	mp_pack_cstr(b, "counters");
	if (ring_reader_stats(c->rd, &view, &why) >= 0)
		n = view.n;
	mp_pack_map(b, n);
	for (unsigned i = 0; i < n; i++) {
		if (stats_view_item(&view, i, &item) < 0)
			item = (struct stats_item){ .name = "" };
		ring_pack_uint(b, item.name, item.value);
	}
}

static int
ring_print_json(struct ring_command *c, const struct ring_facts *f)
{
	const struct ring_status *s = &f->status;
	struct show show = { .json = true };
	struct mp_buf b = { 0 };
	int err;

	mp_pack_map(&b, 18);
	ring_pack_text(&b, "path", c->path);
	ring_pack_text(&b, "state", ring_state_name(s->state));
	ring_pack_text(&b, "writer", f->holder);
	ring_pack_text(&b, "log", f->log);
	ring_pack_uint(&b, "pid", f->info->writer_pid);
	ring_pack_uint(&b, "incarnation", f->info->incarnation);
	ring_pack_uint(&b, "created", f->info->created_us);
	ring_pack_uint(&b, "slots", f->info->slots);
	ring_pack_uint(&b, "payload_bytes", f->info->payload_bytes);
	ring_pack_uint(&b, "first_seq", f->first_seq);
	ring_pack_uint(&b, "head", s->tail_seq);
	ring_pack_uint(&b, "oldest", s->oldest_seq);
	ring_pack_uint(&b, "valid_ord", s->valid_ord);
	ring_pack_uint(&b, "tail_ord", s->tail_ord);
	ring_pack_uint(&b, "epoch", f->info->epoch);
	ring_pack_uint(&b, "heartbeat_ms", ring_age_ms(s->heartbeat_ns));
	ring_pack_uint(&b, "publish_ms", ring_age_ms(s->publish_ns));
	ring_pack_counters(c, &b);
	err = b.failed ? -1 : show_value(&show, slice_of(b.p, b.len));
	show_deinit(&show);
	mp_buf_deinit(&b);
	return err < 0 ? tool_error(&c->t, "out of memory") : TOOL_OK;
}

static int
ring_verify(struct ring_command *c)
{
	struct ring_walk_result found;
	struct reason why;
	int err = ring_walk_verify(c->rd, &found, &why);

	if (err == RING_WALK_FAULT) {
		(void)tool_fail(&c->t, &why);
		return TOOL_DAMAGED;
	}
	if (err < 0)
		return tool_fail(&c->t, &why);
	if (c->t.json)
		printf("{\"events\":%" PRIu64 ",\"first\":%" PRIu64
		       ",\"last\":%" PRIu64 ",\"overtaken\":%" PRIu64 "}\n",
		    found.events, found.first_seq, found.last_seq,
		    found.overtaken);
	else
		printf("%" PRIu64 " events from seq %" PRIu64 " to %" PRIu64
		       " are as they should be\n",
		    found.events, found.first_seq, found.last_seq);
	return TOOL_OK;
}

static int
ring_dump_event(void *arg, const struct ring_event *ev, uint64_t ordinal,
    struct slice bytes, struct reason *why)
{
	struct ring_command *c = arg;
	struct show show = { .json = c->t.json };
	int err;

	if (!c->count)
		return 1;
	c->count--;
	if (!c->t.json)
		printf("%" PRIu64 " %c%c %5u %08x  ", ordinal,
		    ev->flags & RING_EPHEMERAL ? 'e' : '-',
		    ev->flags & RING_LAST_OF_REQUEST ? 'l' : '-', ev->len,
		    ev->crc);
	err = show_event(&show, bytes, why);
	show_deinit(&show);
	return err < 0 ? err : !tool_flush(&c->t);
}

static int
ring_run(struct ring_command *c)
{
	struct ring_facts facts;
	struct reason why;

	snprintf(
	    c->path, sizeof(c->path), "%s/ring", house_run_dir(&c->t.house));
	if (ring_reader_open(c->path, &c->rd, &why) < 0)
		return tool_fail(&c->t, &why);
	if (c->verify)
		return ring_verify(c);
	if (c->dump) {
		if (ring_walk(c->rd, c->from - 1, ring_dump_event, c, &why) < 0)
			return tool_fail(&c->t, &why);
		return TOOL_OK;
	}
	ring_gather(c, &facts);
	if (c->t.json)
		return ring_print_json(c, &facts);
	ring_print(c, &facts);
	ring_print_counters(c);
	return TOOL_OK;
}

int
cmd_ring(int argc, char **argv)
{
	struct ring_command c = { .from = 1, .count = UINT64_MAX };
	const struct tool_option options[] = {
		{ .name = "verify",
		    .kind = TOOL_FLAG,
		    .value = &c.verify,
		    .help = "check every event that the ring holds" },
		{ .name = "dump",
		    .kind = TOOL_FLAG,
		    .value = &c.dump,
		    .help = "print events: ordinal, flags, length, CRC, "
			    "event" },
		{ .name = "from",
		    .kind = TOOL_UINT,
		    .value = &c.from,
		    .arg = "SEQ",
		    .help = "first event of --dump",
		    .min = 1,
		    .max = PROTO_SEQ_MAX },
		{ .name = "count",
		    .letter = 'n',
		    .kind = TOOL_UINT,
		    .value = &c.count,
		    .arg = "N",
		    .help = "dump at most N events",
		    .min = 1,
		    .max = UINT64_MAX },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "ring",
		.text = ring_text,
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options };
	int status;

	if (!tool_begin(&c.t, &usage, argc, argv, &status))
		return status;
	status = ring_run(&c);
	c.rd = ring_reader_free(c.rd);
	return tool_end(&c.t, status);
}
