/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal ring`: the ring's header, state and counters, its events, and
 * whether it keeps what it promises.  Works on a ring that nobody serves.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_reader.h"
#include "shm/stats.h"
#include "tools/cmd.h"
#include "tools/ring_check.h"
#include "tools/ring_compare.h"
#include "tools/ring_walk.h"
#include "tools/show.h"
#include "tools/tool.h"
#include "tools/watch.h"
#include "tools/wrap.h"

static const char ring_text[] =
    "Print what the ring's file says: header, state, what it holds, counters, "
    "and whether what\nmust hold of it does. --dump prints its events, with "
    "--from a seq; --verify reads all of\nthem and checks bytes against "
    "checksums and each event against the one before it;\n--compare looks "
    "for each of them in the log (exit code 3 where one of these fails).";

enum {
	RING_WIDTH = 112 /* of a counter's line */
};

struct ring_command {
	struct tool t;
	struct watch *watch;
	struct ring_reader *rd; /* the watch's */
	bool verify;
	bool compare;
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
	struct stats_view counters;
	struct reason broken[RING_CHECKS];
	unsigned broken_n;
};

/* "alive" when a writer holds the log; nothing in the ring can say so. */
static const char *
ring_holder(const struct ring_command *c, const struct ring_status *status)
{
	const char *holder = watch_writer(c->watch);

	if (strcmp(holder, "alive") == 0 && status->state != RING_RUNNING)
		return "changing";
	return holder;
}

static int
ring_gather(struct ring_command *c, struct ring_facts *f, struct reason *why)
{
	int err = watch_ring_counters(c->watch, &f->counters, why);

	if (err < 0)
		return err;
	f->info = ring_reader_info(c->rd);
	ring_reader_status(c->rd, &f->status);
	f->first_seq = ring_reader_seek_oldest(c->rd) + 1;
	proto_log_name(f->info->log_id, f->info->epoch, f->log);
	f->holder = ring_holder(c, &f->status);
	f->broken_n = ring_check(c->rd, f->broken);
	return watch_whole(c->watch, why);
}

static void
ring_print_range(const char *what, uint64_t first, uint64_t last)
{
	if (first <= last)
		printf("%s %" PRIu64 " to %" PRIu64, what, first, last);
	else
		printf("%s none", what);
}

static void
ring_print(const struct ring_command *c, const struct ring_facts *f)
{
	const struct ring_status *s = &f->status;
	char time[TOOL_TIME_BYTES];

	printf("ring         %s\n", c->watch->ring_path);
	printf("state        %s, writer %s (pid %u)\n",
	    ring_state_name(s->state), f->holder, f->info->writer_pid);
	printf("log          %s\n", f->log);
	printf("incarnation  %u, since %s\n", f->info->incarnation,
	    tool_time(f->info->created_us, time));
	printf("room         %u events, %" PRIu64 " bytes\n", f->info->slots,
	    f->info->payload_bytes);
	ring_print_range("holds        seq", f->first_seq, s->tail_seq);
	ring_print_range(", ordinals", s->valid_ord, s->tail_ord);
	ring_print_range("\nlog holds    seq", s->oldest_seq, s->tail_seq);
	printf("\nheartbeat    %" PRIu64 " ms ago, ",
	    ring_age_ms(s->heartbeat_ns));
	if (s->publish_ns)
		printf("published %" PRIu64 " ms ago\n",
		    ring_age_ms(s->publish_ns));
	else
		printf("nothing published since it began\n");
	printf("invariants   %u of %d hold\n", RING_CHECKS - f->broken_n,
	    RING_CHECKS);
}

static void
ring_print_counters(const struct tool *t, const struct stats_view *view)
{
	bool narrow = wrap_narrow(t, RING_WIDTH);
	struct stats_item item;

	printf("\n");
	for (unsigned i = 0; i < view->n; i++) {
		if (stats_view_item(view, i, &item) < 0)
			continue;
		printf("%-22s %14" PRIu64 " %-9s %s\n", item.name, item.value,
		    stats_counts(&item), narrow ? "" : item.text);
		if (narrow)
			wrap_print("%s", item.text);
	}
}

static void
ring_pack_counters(struct mp_buf *b, const struct stats_view *view)
{
	struct stats_item item;
	uint32_t n = 0;
	size_t at;

	mp_pack_cstr(b, "counters");
	at = mp_begin(b);
	for (unsigned i = 0; i < view->n; i++) {
		if (stats_view_item(view, i, &item) < 0)
			continue;
		mp_pair_uint(b, item.name, item.value);
		n++;
	}
	mp_end_map(b, at, n);
}

static void
ring_pack_broken(struct mp_buf *b, const struct ring_facts *f)
{
	mp_pack_cstr(b, "broken");
	mp_pack_array(b, f->broken_n);
	for (unsigned i = 0; i < f->broken_n; i++)
		mp_pack_cstr(b, f->broken[i].text);
}

static int
ring_print_json(struct ring_command *c, const struct ring_facts *f)
{
	const struct ring_status *s = &f->status;
	struct show show = { .json = true };
	struct mp_buf b = { 0 };
	int err;

	mp_pack_map(&b, 19);
	mp_pair_cstr(&b, "path", c->watch->ring_path);
	mp_pair_cstr(&b, "state", ring_state_name(s->state));
	mp_pair_cstr(&b, "writer", f->holder);
	mp_pair_cstr(&b, "log", f->log);
	mp_pair_uint(&b, "pid", f->info->writer_pid);
	mp_pair_uint(&b, "incarnation", f->info->incarnation);
	mp_pair_uint(&b, "created", f->info->created_us);
	mp_pair_uint(&b, "slots", f->info->slots);
	mp_pair_uint(&b, "payload_bytes", f->info->payload_bytes);
	mp_pair_uint(&b, "first_seq", f->first_seq);
	mp_pair_uint(&b, "head", s->tail_seq);
	mp_pair_uint(&b, "oldest", s->oldest_seq);
	mp_pair_uint(&b, "valid_ord", s->valid_ord);
	mp_pair_uint(&b, "tail_ord", s->tail_ord);
	mp_pair_uint(&b, "epoch", f->info->epoch);
	mp_pair_uint(&b, "heartbeat_ms", ring_age_ms(s->heartbeat_ns));
	mp_pack_cstr(&b, "publish_ms");
	if (s->publish_ns)
		mp_pack_uint(&b, ring_age_ms(s->publish_ns));
	else
		mp_pack_nil(&b);
	ring_pack_broken(&b, f);
	ring_pack_counters(&b, &f->counters);
	err = b.failed ? -1 : show_value(&show, slice_of(b.p, b.len));
	show_deinit(&show);
	mp_buf_deinit(&b);
	return err < 0 ? tool_error(&c->t, "out of memory") : TOOL_OK;
}

/* A verdict, unless the ring was cut short on the way to it. */
static int
ring_damaged(struct ring_command *c, struct reason *why)
{
	if (watch_whole(c->watch, why) < 0)
		return tool_fail(&c->t, why);
	(void)tool_fail(&c->t, why);
	return TOOL_DAMAGED;
}

static int
ring_verify(struct ring_command *c)
{
	struct reason broken[RING_CHECKS], why;
	struct ring_walk_result found;
	unsigned n = ring_check(c->rd, broken);
	int err;

	if (n)
		return ring_damaged(c, &broken[0]);
	err = ring_walk_verify(c->rd, &found, &why);
	if (err == RING_WALK_FAULT)
		return ring_damaged(c, &why);
	if (err < 0 || watch_whole(c->watch, &why) < 0)
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
ring_compare_log(struct ring_command *c)
{
	struct ring_compare_result found;
	struct reason why = REASON_NO_MEMORY;
	int err = ring_compare(&c->t.house, c->rd, &found, &why);

	if (err == RING_COMPARE_DIFFERS)
		return ring_damaged(c, &why);
	if (err < 0 || watch_whole(c->watch, &why) < 0)
		return tool_fail(&c->t, &why);
	if (c->t.json)
		printf("{\"events\":%" PRIu64 ",\"first\":%" PRIu64
		       ",\"last\":%" PRIu64 ",\"older\":%" PRIu64
		       ",\"ephemeral\":%" PRIu64 "}\n",
		    found.events, found.first_seq, found.last_seq, found.older,
		    found.ephemeral);
	else
		printf("%" PRIu64 " events from seq %" PRIu64 " to %" PRIu64
		       " are the same in the log (%" PRIu64
		       " are kept there no longer)\n",
		    found.events, found.first_seq, found.last_seq, found.older);
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
	if (watch_whole(c->watch, why) < 0)
		return -EPROTO;
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
ring_dump(struct ring_command *c)
{
	uint64_t first = ring_reader_seek_oldest(c->rd) + 1;
	struct ring_status status;
	struct reason why = REASON_NO_MEMORY;

	ring_reader_status(c->rd, &status);
	if (c->from > status.tail_seq)
		tool_note(
		    &c->t, "the ring ends at seq %" PRIu64, status.tail_seq);
	else if (c->from > 1 && c->from < first)
		tool_note(&c->t, "the ring begins at seq %" PRIu64, first);
	if (ring_walk(c->rd, c->from - 1, ring_dump_event, c, &why) < 0)
		return tool_fail(&c->t, &why);
	return TOOL_OK;
}

static int
ring_show(struct ring_command *c)
{
	struct ring_facts facts;
	struct reason why = REASON_NO_MEMORY;

	if (ring_gather(c, &facts, &why) < 0)
		return tool_fail(&c->t, &why);
	if (c->t.json && ring_print_json(c, &facts) != TOOL_OK)
		return TOOL_ERROR;
	if (!c->t.json) {
		ring_print(c, &facts);
		ring_print_counters(&c->t, &facts.counters);
	}
	for (unsigned i = 0; i < facts.broken_n; i++)
		(void)tool_fail(&c->t, &facts.broken[i]);
	return facts.broken_n ? TOOL_ERROR : TOOL_OK;
}

static int
ring_run(struct ring_command *c)
{
	struct reason why = REASON_NO_MEMORY;

	if (watch_new(&c->t.house, &c->watch, &why) < 0 ||
	    watch_ring(c->watch, &why) != WATCH_NEW)
		return tool_fail(&c->t, &why);
	c->rd = c->watch->rd;
	if (c->verify)
		return ring_verify(c);
	if (c->compare)
		return ring_compare_log(c);
	return c->dump ? ring_dump(c) : ring_show(c);
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
		{ .name = "compare",
		    .kind = TOOL_FLAG,
		    .value = &c.compare,
		    .help = "look for every event in the log" },
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
	if (c.verify + c.compare + c.dump > 1)
		status = tool_usage_error(
		    &c.t, "--verify, --compare and --dump exclude each other");
	else
		status = ring_run(&c);
	c.watch = watch_free(c.watch);
	return tool_end(&c.t, status);
}
