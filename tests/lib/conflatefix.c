/* SPDX-License-Identifier: BSD-2-Clause */

/* Random histories, and what folding makes of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/fold.h"
#include "core/reason.h"
#include "core/row.h"
#include "tests/lib/conflatefix.h"

const char *const conflatefix_topics[] = { "note.1", "note.2", "note.3",
	"tag.1", "$acl.ada", "note.1.deep" };
const char *const conflatefix_types[] = { "note_created", "note_updated",
	"tag_added", "tag_removed", "note_deleted", "note_seen", "note_set" };
static const char *const rule_texts[] = { "", "*=set", "*=merge", "*=touch",
	"*created=set", "note*=set *=delete", "*updated=set *set=merge" };

uint64_t
conflatefix_chance(struct conflatefix *h, uint64_t below)
{
	h->random ^= h->random << 13;
	h->random ^= h->random >> 7;
	h->random ^= h->random << 17;
	return (h->random >> 11) % below;
}

/* --- histories --- */

static void
pack_data(struct conflatefix *h, struct mp_buf *b)
{
	static const uint8_t filler[1 << 16];
	static const char *const keys[] = { "tags", "a", "b" };

	switch (conflatefix_chance(h, 8)) {
	case 0:
		mp_pack_uint(b, conflatefix_chance(h, 100));
		return;
	case 1:
		mp_pack_nil(b);
		return;
	case 2:
		mp_pack_bin(b, slice_of(filler, conflatefix_chance(h, h->max)));
		return;
	default:
		mp_pack_map(b, 1);
		mp_pack_cstr(b, keys[conflatefix_chance(h, 3)]);
		if (conflatefix_chance(h, 4))
			mp_pack_uint(b, conflatefix_chance(h, 4));
		else
			mp_pack_nil(b);
	}
}

struct conflatefix_entry *
conflatefix_put(struct conflatefix *h, const struct event *ev)
{
	struct conflatefix_entry *e = &h->v[h->n++];

	assert_true(h->n <= CONFLATEFIX_EVENTS);
	e->seq = ev->seq;
	e->version = ev->version;
	e->len = (uint32_t)event_size(ev);
	e->bytes = malloc(e->len);
	assert_non_null(e->bytes);
	(void)event_encode(ev, e->bytes);
	return e;
}

static void
happen(struct conflatefix *h, bool ephemeral, bool last)
{
	struct mp_buf data = { 0 };
	unsigned topic = (unsigned)conflatefix_chance(h, CONFLATEFIX_TOPICS);
	unsigned type = (unsigned)conflatefix_chance(h, CONFLATEFIX_TYPES);
	struct event ev = {
		.topic = slice_cstr(conflatefix_topics[topic]),
		.type = slice_cstr(conflatefix_types[type]),
		.time_us = 1000 + h->n,
		.actor = conflatefix_chance(h, 2) ? SLICE_STR("ada")
						  : SLICE_STR("bob"),
	};
	struct conflatefix_entry *e;

	if (!ephemeral) {
		ev.seq = ++h->seq;
		ev.version = ++h->versions[topic];
	}
	pack_data(h, &data);
	ev.data = slice_of(data.p, data.len);
	e = conflatefix_put(h, &ev);
	e->topic = topic;
	e->type = type;
	e->last = last;
	mp_buf_deinit(&data);
}

struct conflatefix *
conflatefix_new(uint64_t seed)
{
	struct conflatefix *h = calloc(1, sizeof(*h));
	struct reason why;
	size_t rule;

	assert_non_null(h);
	h->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	h->max = conflatefix_chance(h, 4) ? 50 : 1 << 16;
	rule = conflatefix_chance(h, ARRAY_LEN(rule_texts));
	assert_int_equal(rules_parse(rule_texts[rule], &h->rules, &why), 0);
	return h;
}

struct conflatefix *
conflatefix_random(uint64_t seed)
{
	struct conflatefix *h = conflatefix_new(seed);

	while (h->n < CONFLATEFIX_EVENTS - 8) {
		uint64_t n = 1 + conflatefix_chance(h, 5);

		if (conflatefix_chance(h, 5) == 0)
			happen(h, true, true);
		for (uint64_t i = 1; i <= n; i++)
			happen(h, false, i == n);
	}
	return h;
}

void
conflatefix_free(struct conflatefix *h)
{
	for (unsigned i = 0; i < h->n; i++)
		free(h->v[i].bytes);
	(void)rules_free(h->rules);
	free(h);
}

/* --- the judge --- */

void
conflatefix_fold(struct conflatefix_rows *s, const struct conflatefix *h,
    const struct conflatefix_entry *e)
{
	struct mp_buf *at = &s->rows[e->topic], next = { 0 };
	struct fold fold = { 0 };
	struct row before, after;
	struct event ev;
	struct reason why;
	int rc;

	assert_int_equal(
	    event_decode(slice_of(e->bytes, e->len), &ev, &why), 0);
	if (at->len > 0)
		assert_int_equal(
		    row_decode(slice_of(at->p, at->len), &before, &why), 0);
	rc = fold_event(
	    &fold, h->rules, at->len > 0 ? &before : NULL, &ev, &after);
	assert_true(rc >= 0);
	assert_non_null(mp_buf_reserve(&next, row_size(&after)));
	next.len = (size_t)(row_encode(&after, next.p) - next.p);
	mp_buf_deinit(at);
	*at = next;
	fold_deinit(&fold);
}

bool
conflatefix_same(
    const struct conflatefix_rows *a, const struct conflatefix_rows *b)
{
	for (unsigned i = 0; i < CONFLATEFIX_TOPICS; i++)
		if (!slice_equal(slice_of(a->rows[i].p, a->rows[i].len),
			slice_of(b->rows[i].p, b->rows[i].len)))
			return false;
	return true;
}

void
conflatefix_rows_deinit(struct conflatefix_rows *s)
{
	for (unsigned i = 0; i < CONFLATEFIX_TOPICS; i++)
		mp_buf_deinit(&s->rows[i]);
}

/* May, and then must, this one of an interval that ends at end be left out? */
static bool
left_out(const struct conflatefix *h, unsigned at, unsigned end)
{
	const struct conflatefix_entry *e = &h->v[at];

	for (unsigned i = at + 1; i < end; i++) {
		const struct conflatefix_entry *later = &h->v[i];

		if (later->topic != e->topic)
			continue;
		if (e->seq == 0 && later->seq == 0 && later->type == e->type)
			return true;
		if (e->seq > 0 && later->seq > 0 && e->version > 1 &&
		    rules_fold(h->rules,
			slice_cstr(conflatefix_topics[later->topic]),
			slice_cstr(conflatefix_types[later->type])) ==
			RULES_SET)
			return true;
	}
	return false;
}

const char *
conflatefix_judge(const struct conflatefix *h, unsigned begin, unsigned end,
    const bool *kept, struct conflatefix_rows *conflated,
    struct conflatefix_rows *full)
{
	for (unsigned i = begin; i < end; i++) {
		const struct conflatefix_entry *e = &h->v[i];

		if (e->seq == 0)
			continue;
		conflatefix_fold(full, h, e);
		if (kept[i])
			conflatefix_fold(conflated, h, e);
	}
	if (!conflatefix_same(conflated, full))
		return "the rows are others";
	for (unsigned i = begin; i < end; i++) {
		if (kept[i] && left_out(h, i, end))
			return "an event could have been left out";
		if (!kept[i] && !left_out(h, i, end))
			return "an event is missing";
	}
	return NULL;
}
