/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Folding a log from its first event into an empty directory: rows alone,
 * with all indexes, and with archives as they are usual.  The bare
 * counterpart, in turns with them, reads the same log and keeps the data of
 * each topic's newest event in a hash map.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "core/map.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_broker_priv.h"
#include "tools/log_walk.h"

/* --- bare --- */

struct fold_slot {
	size_t cap;
	size_t len;
	uint8_t *data;
	uint32_t topic_len;
	uint8_t topic[];
};

struct fold_bare {
	struct map *map;
	uint64_t events;
};

static void
fold_free_slots(struct map *map)
{
	struct fold_slot *slot;

	for (size_t at = 0; (slot = map_next(map, &at));) {
		free(slot->data);
		free(slot);
	}
	(void)map_free(map);
}

static struct fold_slot *
fold_new_slot(struct map *map, struct slice topic)
{
	struct fold_slot *slot = calloc(1, sizeof(*slot) + topic.len);

	if (!slot)
		return NULL;
	slot->topic_len = (uint32_t)topic.len;
	memcpy(slot->topic, topic.p, topic.len);
	if (map_put(map, slice_of(slot->topic, topic.len), slot) < 0) {
		free(slot);
		return NULL;
	}
	return slot;
}

static int
fold_bare_event(void *arg, uint64_t seq, struct slice bytes, struct reason *why)
{
	struct fold_bare *bare = arg;
	struct fold_slot *slot;
	struct event ev;
	uint8_t *p;
	int err = event_decode(bytes, &ev, why);

	if (err < 0)
		return err;
	slot = map_get(bare->map, ev.topic);
	if (!slot)
		slot = fold_new_slot(bare->map, ev.topic);
	if (slot && slot->cap < ev.data.len) {
		p = realloc(slot->data, ev.data.len);
		if (p) {
			slot->data = p;
			slot->cap = ev.data.len;
		}
	}
	if (!slot || slot->cap < ev.data.len)
		return reason_set(why, -ENOMEM, "cannot keep a topic");
	memcpy(slot->data, ev.data.p, ev.data.len);
	slot->len = ev.data.len;
	bare->events++;
	return 0;
}

/* Returns CPU time for one event in *ns_each. */
static int
fold_bare(struct broker_bench *b, double *ns_each, struct reason *why)
{
	struct fold_bare bare = { .map = map_new() };
	uint64_t begin = time_mono_ns(), wall;
	uint64_t cpu = time_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int got;

	if (!bare.map)
		return reason_set(why, -ENOMEM, "cannot measure");
	got = log_walk(&b->t.house, 1, b->head, fold_bare_event, &bare, why);
	wall = time_mono_ns() - begin;
	cpu = time_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	fold_free_slots(bare.map);
	if (got < 0)
		return got;
	if (bare.events != b->head)
		return reason_say(why, -EPROTO,
		    "the log has %llu events, not %llu",
		    (unsigned long long)bare.events,
		    (unsigned long long)b->head);
	*ns_each = (double)cpu / (double)bare.events;
	bench_broker_begin(b, "fold", "bare");
	bench_broker_tell(b, "events_per_s",
	    (double)bare.events * 1e9 / (double)wall, "events/s");
	bench_broker_tell(b, "cpu_us", *ns_each / 1e3, "us per event");
	bench_broker_end(b);
	return 0;
}

/* --- the broker --- */

static const struct fold_kind {
	const char *name;
	const char *options[2];
	bool indexes;
} fold_kinds[] = {
	{ "state alone", { "broker.history=no", "broker.archive_bytes=0" },
	    false },
	{ "all indexes", { "broker.archive_bytes=0" }, true },
	{ "indexes and archives", { NULL }, true },
};

static int
fold_kind(struct broker_bench *b, const struct fold_kind *kind, double bare_ns,
    struct reason *why)
{
	uint64_t cpu_ns;
	uint64_t begin, wall;
	double each;
	int err;

	bench_staff_stop(&b->staff, BENCH_BROKER, SIGTERM);
	bench_staff_remove(&b->staff, "broker");
	begin = time_mono_ns();
	err = bench_staff_start(&b->staff, BENCH_BROKER, kind->options,
	    ARRAY_LEN(kind->options), why);
	if (err >= 0)
		err =
		    bench_staff_folded(&b->staff, b->head, kind->indexes, why);
	wall = time_mono_ns() - begin;
	if (err >= 0)
		err = bench_staff_cpu(&b->staff, BENCH_BROKER, &cpu_ns, why);
	if (err < 0)
		return err;
	each = (double)cpu_ns / (double)b->head;
	bench_broker_begin(b, "fold", kind->name);
	bench_broker_tell(b, "events_per_s",
	    (double)b->head * 1e9 / (double)wall, "events/s");
	bench_broker_tell(b, "cpu_s", (double)cpu_ns / 1e9, "s");
	bench_broker_tell(b, "cpu_us", each / 1e3, "us per event");
	bench_broker_tell(b, "ratio", each / bare_ns, "times the bare CPU");
	bench_broker_end(b);
	return 0;
}

int
bench_broker_fold(struct broker_bench *b, struct reason *why)
{
	double bare_ns = 1;
	int err = 0;

	for (unsigned i = 0; i < ARRAY_LEN(fold_kinds) && err >= 0; i++) {
		err = fold_bare(b, &bare_ns, why);
		if (err >= 0)
			err = fold_kind(b, &fold_kinds[i], bare_ns, why);
	}
	return err;
}
