/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Facts by topic.  There are at most FACTS_MAX of them: what would be one
 * more is left unsaid.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/map.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/topic.h"
#include "tools/demo.h"
#include "tools/demo_facts.h"
#include "tools/query.h"
#include "tools/snapshot.h"
#include "tools/tool.h"

#define FACTS_ACTOR SLICE_STR("demo")

enum {
	FACTS_MAX = 4096
};

struct fact {
	struct slice topic; /* points to what is behind the struct */
	enum facts_group group;
	uint64_t look; /* the last that came upon it */
	struct mp_buf value;
	char noun[24];
	char name[];
};

struct facts {
	struct demo *d;
	struct map *map;
	uint64_t look[FACTS_NONE];
	struct mp_buf scratch;
	const struct fact *gone[FACTS_MAX];
};

static struct fact *
fact_free(struct fact *fact)
{
	if (fact)
		mp_buf_deinit(&fact->value);
	free(fact);
	return NULL;
}

struct facts *
facts_new(struct demo *d)
{
	struct facts *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->d = d;
	f->map = map_new();
	return f->map ? f : facts_free(f);
}

struct facts *
facts_free(struct facts *f)
{
	size_t at = 0;
	struct fact *fact;

	if (!f)
		return NULL;
	while (f->map && (fact = map_next(f->map, &at)))
		(void)fact_free(fact);
	(void)map_free(f->map);
	mp_buf_deinit(&f->scratch);
	free(f);
	return NULL;
}

unsigned
facts_count(const struct facts *f)
{
	return (unsigned)map_count(f->map);
}

/* A new one, without a value; NULL: no memory, or no room. */
static struct fact *
fact_new(struct facts *f, enum facts_group group, struct slice topic,
    const char *noun)
{
	struct fact *fact;

	if (map_count(f->map) == FACTS_MAX)
		return NULL;
	fact = calloc(1, sizeof(*fact) + topic.len + 1);
	if (!fact)
		return NULL;
	memcpy(fact->name, topic.p, topic.len);
	fact->topic = slice_of(fact->name, topic.len);
	fact->group = group;
	snprintf(fact->noun, sizeof(fact->noun), "%s", noun);
	return map_put(f->map, fact->topic, fact) < 0 ? fact_free(fact) : fact;
}

static int
fact_keep(struct fact *fact, struct slice value, struct reason *why)
{
	fact->value.len = 0;
	mp_pack_raw(&fact->value, value);
	return fact->value.failed
		   ? reason_set(why, -ENOMEM, "cannot keep a fact")
		   : 0;
}

static struct slice
fact_value(const struct fact *fact)
{
	return slice_of(fact->value.p, fact->value.len);
}

/* --- what an earlier run has said --- */

/* Which group a topic of the state is of, and what its thing is called. */
static enum facts_group
facts_group_of(struct slice topic, const char **noun)
{
	static const struct {
		const char *begin;
		enum facts_group group;
		const char *noun;
	} all[] = {
		{ "host.process.", FACTS_PROCESS, "process" },
		{ "host.disk.", FACTS_SLOW, "disk" },
		{ "host.net.", FACTS_SLOW, "net" },
		{ "host.cpu.", FACTS_FAST, "cpu" },
		{ "graph.entity.", FACTS_ENTITY, "entity" },
		{ "graph.relation.", FACTS_RELATION, "relation" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		size_t len = strlen(all[i].begin);

		if (topic.len > len && !memcmp(topic.p, all[i].begin, len)) {
			*noun = all[i].noun;
			return all[i].group;
		}
	}
	*noun = "host";
	return FACTS_FAST;
}

static bool
facts_is_map(struct slice value)
{
	struct mp_walk w = mp_walk(value);
	struct mp_item item;

	return mp_next(&w, &item) && item.type == MP_MAP;
}

static int
facts_row(
    void *arg, const struct row *row, struct slice bytes, struct reason *why)
{
	struct facts *f = arg;
	const char *noun;
	enum facts_group group = facts_group_of(row->topic, &noun);
	struct fact *fact;

	(void)bytes;
	/* What others wrote, or changed, is theirs. */
	if (row->deleted || !slice_equal(row->updated_by, FACTS_ACTOR) ||
	    !facts_is_map(row->value))
		return 0;
	fact = fact_new(f, group, row->topic, noun);
	return fact ? fact_keep(fact, row->value, why) : 0;
}

int
facts_load(struct facts *f, bool graph, struct reason *why)
{
	CLEANUP(query_freep) struct query *q = NULL;
	const struct slice patterns[] = { SLICE_STR("host.>"),
		SLICE_STR("graph.entity.*"), SLICE_STR("graph.relation.>") };
	struct snapshot snap = { .patterns = patterns,
		.n = graph ? ARRAY_LEN(patterns) : 1,
		.row = facts_row,
		.arg = f };
	int err = query_open(f->d->t, &q, why);

	if (err < 0)
		return err;
	snap.min_seq = query_min_seq(q);
	return snapshot_read(q, &snap, why);
}

/* --- saying --- */

static int
facts_event(struct facts *f, const struct fact *fact, const char *verb,
    struct slice data, struct reason *why)
{
	struct writer_append append = {
		.topic = fact->topic, .data = data, .actor = FACTS_ACTOR
	};
	char type[TOPIC_TYPE_MAX + 1];

	snprintf(type, sizeof(type), "%s_%s", fact->noun, verb);
	append.type = slice_cstr(type);
	return demo_event(f->d, &append, why);
}

static int
facts_delete(struct facts *f, const struct fact *fact, struct reason *why)
{
	static const uint8_t nil[] = { 0xc0 };

	return facts_event(f, fact, "deleted", slice_of(nil, 1), why);
}

/* The value of a member, or nothing. */
static struct slice
facts_member(struct slice map, struct slice name)
{
	struct mp_walk w = mp_walk(map);
	struct slice key, value;
	struct mp_item head;

	if (!mp_next(&w, &head))
		return slice_of(NULL, 0);
	for (uint32_t i = 0;
	     i < head.n && mp_next_name(&w, &key) && mp_skip(&w, &value); i++)
		if (key.p && slice_equal(key, name))
			return value;
	return slice_of(NULL, 0);
}

/* Members of `is` that `was` lacks or has otherwise, and nils for the rest. */
static struct slice
facts_difference(struct facts *f, struct slice was, struct slice is)
{
	struct slice maps[2] = { is, was }, name, value;
	struct mp_item head;
	uint32_t n = 0;
	size_t at;

	f->scratch.len = 0;
	at = mp_begin(&f->scratch);
	for (unsigned m = 0; m < 2; m++) {
		struct mp_walk w = mp_walk(maps[m]);

		if (!mp_next(&w, &head))
			continue;
		for (uint32_t i = 0; i < head.n && mp_next_name(&w, &name) &&
				     mp_skip(&w, &value);
		     i++) {
			struct slice other = facts_member(maps[!m], name);

			if (!name.p || (m == 0 ? slice_equal(value, other)
					       : other.len > 0))
				continue;
			mp_pack_str(&f->scratch, name);
			if (m == 0)
				mp_pack_raw(&f->scratch, value);
			else
				mp_pack_nil(&f->scratch);
			n++;
		}
	}
	mp_end_map(&f->scratch, at, n);
	return slice_of(f->scratch.p, f->scratch.len);
}

/* Something else that goes by the same name now. */
static bool
facts_is_other(const struct fact *fact, struct slice value, const char *id)
{
	return id && !slice_equal(
			 proto_get(fact_value(fact), id), proto_get(value, id));
}

static int
facts_change(struct facts *f, struct fact *fact, struct slice value, bool merge,
    const char *id, struct reason *why)
{
	int err;

	if (slice_equal(fact_value(fact), value))
		return 0;
	if (facts_is_other(fact, value, id)) {
		err = facts_delete(f, fact, why);
		if (err >= 0)
			err = facts_event(f, fact, "created", value, why);
	} else if (merge) {
		err = facts_event(f, fact, "updated",
		    facts_difference(f, fact_value(fact), value), why);
	} else {
		err = facts_event(f, fact, "sampled", value, why);
	}
	return err < 0 ? err : fact_keep(fact, value, why);
}

void
facts_begin(struct facts *f, enum facts_group group)
{
	f->look[group]++;
}

void
facts_same(struct facts *f, enum facts_group group, const char *topic)
{
	struct fact *fact = map_get(f->map, slice_cstr(topic));

	if (fact)
		fact->look = f->look[group];
}

int
facts_say(struct facts *f, enum facts_group group, const char *topic,
    const char *noun, struct slice value, bool merge, const char *id,
    struct reason *why)
{
	struct fact *fact = map_get(f->map, slice_cstr(topic));
	int err;

	if (fact) {
		fact->look = f->look[group];
		fact->group = group;
		snprintf(fact->noun, sizeof(fact->noun), "%s", noun);
		return facts_change(f, fact, value, merge, id, why);
	}
	fact = fact_new(f, group, slice_cstr(topic), noun);
	if (!fact)
		return 0;
	fact->look = f->look[group];
	err = fact_keep(fact, value, why);
	return err < 0 ? err : facts_event(f, fact, "created", value, why);
}

int
facts_end(struct facts *f, enum facts_group group, struct reason *why)
{
	unsigned n = 0;
	size_t at = 0;
	struct fact *fact;
	int err = 0;

	while ((fact = map_next(f->map, &at)))
		if (fact->group == group && fact->look != f->look[group])
			f->gone[n++] = fact;
	for (unsigned i = 0; i < n && err >= 0; i++) {
		err = facts_delete(f, f->gone[i], why);
		(void)fact_free(map_take(f->map, f->gone[i]->topic));
	}
	return err;
}
