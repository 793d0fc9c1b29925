/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Gathering an entity.  Relations are found by topic, the hashed ones by
 * what their values say; then the other ends are looked up in batches, so
 * that a request stays small however many there are.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/graph.h"
#include "core/map.h"
#include "core/mp.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/topic_set.h"
#include "tools/entity.h"
#include "tools/query.h"
#include "tools/snapshot.h"

struct entity_other {
	size_t len;
	bool live;
	char topic[TOPIC_MAX + 1];
};

/* --- rows --- */

static int
entity_no_memory(struct reason *why)
{
	return reason_set(why, -ENOMEM, "cannot keep the graph");
}

/* The members that name a relation; false where the value lacks one. */
static bool
entity_names(struct slice value, struct slice *from, struct slice *type,
    struct slice *to)
{
	struct mp_walk w = mp_walk(value);
	struct mp_item item;

	if (!mp_next(&w, &item) || item.type != MP_MAP)
		return false;
	*from = proto_get_str(value, "from");
	*type = proto_get_str(value, "relationType");
	*to = proto_get_str(value, "to");
	return from->p && type->p && to->p;
}

/* The same bytes elsewhere. */
static struct slice
entity_moved(struct slice s, const uint8_t *from, const uint8_t *to)
{
	return slice_of(to + (s.p - from), s.len);
}

static int
entity_other(struct entity *e, struct slice name, struct entity_other **out)
{
	CLEANUP(freep) struct entity_other *other = calloc(1, sizeof(*other));
	int err;

	if (!other)
		return -ENOMEM;
	other->len = graph_entity_topic(name, other->topic);
	*out = map_get(e->others, slice_of(other->topic, other->len));
	if (*out)
		return 0;
	err = map_put(e->others, slice_of(other->topic, other->len), other);
	if (err >= 0)
		*out = TAKE(other);
	return err;
}

static int
entity_relate(struct entity *e, struct entity_relations *list,
    struct slice bytes, struct slice type, struct slice name)
{
	struct entity_relation *r;

	if (name.len == 0)
		return 0;
	if (list->n == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : 16;
		void *v = realloc(list->v, cap * sizeof(*list->v));

		if (!v)
			return -ENOMEM;
		list->v = v;
		list->cap = cap;
	}
	r = &list->v[list->n];
	*r = (struct entity_relation){ .bytes = malloc(bytes.len) };
	if (!r->bytes)
		return -ENOMEM;
	list->n++;
	memcpy(r->bytes, bytes.p, bytes.len);
	r->len = bytes.len;
	r->type = entity_moved(type, bytes.p, r->bytes);
	r->name = entity_moved(name, bytes.p, r->bytes);
	return entity_other(e, r->name, &r->other);
}

static int
entity_row(
    void *arg, const struct row *row, struct slice bytes, struct reason *why)
{
	static const char head[] = "graph.entity.";
	struct entity *e = arg;
	struct slice from, type, to;
	int err = 0;

	if (row->topic.len > sizeof(head) - 1 &&
	    !memcmp(row->topic.p, head, sizeof(head) - 1)) {
		free(e->bytes);
		e->bytes = malloc(bytes.len);
		if (!e->bytes)
			return entity_no_memory(why);
		memcpy(e->bytes, bytes.p, bytes.len);
		e->len = bytes.len;
		return 0;
	}
	if (row->deleted || !entity_names(row->value, &from, &type, &to))
		return 0;
	if (slice_equal(from, e->name))
		err = entity_relate(e, &e->out, bytes, type, to);
	if (err >= 0 && slice_equal(to, e->name))
		err = entity_relate(e, &e->in, bytes, type, from);
	return err < 0 ? entity_no_memory(why) : 0;
}

/* The entity, its relations out and in, and all hashed ones. */
static int
entity_read_own(
    struct query *q, struct entity *e, uint64_t min_seq, struct reason *why)
{
	char token[TOPIC_ESCAPED_MAX + 1], text[3][TOPIC_MAX + 1];
	struct slice patterns[4];
	struct snapshot snap = { .patterns = patterns,
		.n = 4,
		.min_seq = min_seq,
		.row = entity_row,
		.arg = e };
	int err;

	topic_escape(e->name, token);
	snprintf(text[0], sizeof(text[0]), "graph.entity.%s", token);
	snprintf(text[1], sizeof(text[1]), "graph.relation.%s.>", token);
	snprintf(text[2], sizeof(text[2]), "graph.relation.*.*.%s", token);
	for (unsigned i = 0; i < 3; i++)
		patterns[i] = slice_cstr(text[i]);
	patterns[3] = SLICE_STR("graph.relation.~.*");
	err = snapshot_read(q, &snap, why);
	e->seq = snap.seq;
	return err;
}

/* --- the other ends --- */

static int
entity_other_row(
    void *arg, const struct row *row, struct slice bytes, struct reason *why)
{
	struct entity *e = arg;
	struct entity_other *other = map_get(e->others, row->topic);

	(void)bytes;
	(void)why;
	if (other)
		other->live = !row->deleted;
	return 0;
}

static int
entity_read_others(struct query *q, struct entity *e, struct reason *why)
{
	struct slice topics[TOPIC_SET_MAX];
	struct snapshot snap = { .patterns = topics,
		.min_seq = e->seq,
		.row = entity_other_row,
		.arg = e };
	const struct entity_other *other;
	size_t at = 0;
	int err = 0;

	do {
		other = map_next(e->others, &at);
		if (other)
			topics[snap.n++] = slice_of(other->topic, other->len);
		if (snap.n == TOPIC_SET_MAX || (!other && snap.n > 0)) {
			err = snapshot_read(q, &snap, why);
			snap.n = 0;
		}
	} while (err >= 0 && other);
	return err;
}

int
entity_read(struct query *q, struct slice name, uint64_t min_seq,
    struct entity *e, struct reason *why)
{
	int err;

	*e = (struct entity){ .name = name, .others = map_new() };
	if (!e->others)
		return entity_no_memory(why);
	err = entity_read_own(q, e, min_seq, why);
	return err < 0 ? err : entity_read_others(q, e, why);
}

bool
entity_dangles(const struct entity_relation *relation)
{
	return !relation->other->live;
}

static void
entity_relations_deinit(struct entity_relations *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i].bytes);
	free(list->v);
}

void
entity_deinit(struct entity *e)
{
	size_t at = 0;
	void *other;

	entity_relations_deinit(&e->out);
	entity_relations_deinit(&e->in);
	free(e->bytes);
	while (e->others && (other = map_next(e->others, &at)))
		free(other);
	e->others = map_free(e->others);
}
