/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Conflation of random histories, with core/fold as the judge: what an
 * interval leaves gives the rows that all of it gives, and nothing is left in
 * that could be left out.  Wrong conflaters are shown to the judge first.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/reason.h"
#include "core/row.h"
#include "gateway/conflate.h"
#include "gateway/peek.h"
#include "tests/lib/conflatefix.h"

enum {
	HISTORIES = 300
};

/* --- wrong conflaters --- */

enum flaw {
	FLAW_NONE,
	FLAW_VERSION_1, /* leaves it out, too */
	FLAW_MERGE,	/* lets a merge cover */
	FLAW_ALL,	/* keeps everything */
	FLAW_AFTER,	/* leaves out what came behind a set */
	FLAW_EPHEMERAL, /* keeps the first one */
	FLAWS
};

static bool
covers(const struct conflatefix *h, const struct conflatefix_entry *by,
    enum flaw flaw)
{
	enum rules_fold fold =
	    rules_fold(h->rules, slice_cstr(conflatefix_topics[by->topic]),
		slice_cstr(conflatefix_types[by->type]));

	return fold == RULES_SET || (flaw == FLAW_MERGE && fold == RULES_MERGE);
}

static bool
drops(const struct conflatefix *h, const struct conflatefix_entry *e,
    const struct conflatefix_entry *by, bool later, enum flaw flaw)
{
	if (e->topic != by->topic || (e->seq == 0) != (by->seq == 0))
		return false;
	if (e->seq == 0)
		return e->type == by->type && later == (flaw != FLAW_EPHEMERAL);
	if (!covers(h, by, flaw))
		return false;
	if (flaw == FLAW_AFTER && !later)
		return true;
	return later && (e->version > 1 || flaw == FLAW_VERSION_1);
}

static void
conflate_wrongly(const struct conflatefix *h, unsigned begin, unsigned end,
    enum flaw flaw, bool *kept)
{
	for (unsigned i = begin; i < end; i++) {
		kept[i] = true;
		for (unsigned j = begin; j < end; j++)
			if (j != i && drops(h, &h->v[i], &h->v[j], j > i, flaw))
				kept[i] = false;
		if (flaw == FLAW_ALL)
			kept[i] = true;
	}
}

static unsigned
next_end(struct conflatefix *h, unsigned at)
{
	uint64_t n = 1 + conflatefix_chance(h, 80);

	for (; at < h->n && n > 0; at++)
		n -= h->v[at].last;
	return at;
}

static bool
passes(uint64_t seed, enum flaw flaw)
{
	struct conflatefix *h = conflatefix_random(seed);
	struct conflatefix_rows conflated = { 0 }, full = { 0 };
	bool kept[CONFLATEFIX_EVENTS], good = true;

	for (unsigned at = 0, end; good && at < h->n; at = end) {
		end = next_end(h, at);
		conflate_wrongly(h, at, end, flaw, kept);
		good = !conflatefix_judge(h, at, end, kept, &conflated, &full);
	}
	conflatefix_rows_deinit(&conflated);
	conflatefix_rows_deinit(&full);
	conflatefix_free(h);
	return good;
}

static void
the_judge_refuses_wrong_conflaters(void **state)
{
	for (enum flaw flaw = FLAW_NONE; flaw < FLAWS; flaw++) {
		unsigned passed = 0;

		/* What a flaw does shows by some of the rules alone. */
		for (uint64_t seed = 1; seed <= 40; seed++)
			passed += passes(seed, flaw);
		if (flaw == FLAW_NONE)
			assert_int_equal(passed, 40);
		else
			assert_in_range(passed, 0, 39);
	}
}

/* --- the real one --- */

/* One request, from that entry on; returns the entry behind it. */
static unsigned
add_request(struct conflate *c, const struct conflatefix *h, unsigned at)
{
	uint64_t base = 0;

	for (unsigned i = 0; i < at; i++)
		base = MAX(base, h->v[i].seq);
	conflate_begin(c, base);
	do
		conflate_add(c, slice_of(h->v[at].bytes, h->v[at].len));
	while (!h->v[at++].last);
	return at;
}

static uint64_t
seq_at(const struct conflatefix *h, unsigned end)
{
	uint64_t seq = 0;

	for (unsigned i = 0; i < end; i++)
		seq = MAX(seq, h->v[i].seq);
	return seq;
}

/* Is seq the end of a request? */
static bool
is_end(const struct conflatefix *h, uint64_t seq)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->v[i].seq == seq && seq > 0)
			return h->v[i].last;
	return seq == 0;
}

/* Which entries the events of a batch are; they come in order. */
static unsigned
mark(
    const struct conflatefix *h, const struct block *b, unsigned at, bool *kept)
{
	struct slice run = trim_events(b), event;
	uint32_t n = 0;

	for (; peek_next(&run, &event); n++) {
		while (at < h->n && !slice_equal(event,
					slice_of(h->v[at].bytes, h->v[at].len)))
			at++;
		assert_true(at < h->n);
		kept[at++] = true;
	}
	assert_int_equal(n, b->n_events);
	return at;
}

/* Those of [begin, end) that are left are of one request. */
static bool
one_request(
    const struct conflatefix *h, unsigned begin, unsigned end, const bool *kept)
{
	while (begin < end && !kept[begin])
		begin++;
	for (unsigned i = begin; i + 1 < end; i++)
		if (h->v[i].last)
			return false;
	return true;
}

struct walked {
	unsigned batches;
	bool large; /* a batch was one large request */
};

/* All batches of a walk: chained, at ends, within the limit; what they hold. */
static struct walked
walk_all(const struct conflatefix *h, struct conflate *c, struct trim trim,
    unsigned begin, bool *kept)
{
	struct conflate_walk walk = { .trim = trim };
	struct walked w = { 0 };
	uint64_t after = trim.after;

	while (!walk.ended) {
		struct block *b = conflate_next(c, &walk);
		struct slice events = trim_events(b);
		unsigned last = begin;

		assert_true(walk.upto >= after && walk.upto <= trim.upto);
		assert_true(is_end(h, walk.upto));
		if (events.len > 0)
			last = mark(h, b, begin, kept);
		for (unsigned i = begin; i < last; i++)
			assert_true(h->v[i].seq == 0 || !kept[i] ||
				    h->v[i].seq <= walk.upto);
		w.large = w.large || events.len > CONFLATE_BYTES;
		assert_true(events.len <= CONFLATE_BYTES ||
			    one_request(h, begin, last, kept));
		begin = last;
		after = walk.upto;
		w.batches++;
		(void)block_unref(b);
	}
	assert_int_equal(walk.upto, trim.upto);
	return w;
}

static unsigned
one_interval(struct conflatefix *h, struct conflate *c, unsigned at,
    struct conflatefix_rows *conflated, struct conflatefix_rows *full)
{
	unsigned begin = at, end = next_end(h, at);
	struct trim all = { seq_at(h, begin), seq_at(h, end), 0, NULL };
	bool kept[CONFLATEFIX_EVENTS] = { 0 };
	const char *fault;

	while (at < end) {
		/* Sometimes a request comes in part, and then again, whole. */
		if (conflatefix_chance(h, 6) == 0) {
			conflate_begin(c, seq_at(h, at));
			for (unsigned i = at;
			     i < end && conflatefix_chance(h, 3); i++)
				conflate_add(
				    c, slice_of(h->v[i].bytes, h->v[i].len));
			conflate_rollback(c);
		}
		at = add_request(c, h, at);
	}
	(void)walk_all(h, c, all, begin, kept);
	fault = conflatefix_judge(h, begin, end, kept, conflated, full);
	if (fault)
		fail_msg("%s in [%u, %u) by '%s'", fault, begin, end,
		    rules_text(h->rules));
	return end;
}

static void
folding_what_is_left_gives_the_rows_of_all(void **state)
{
	const char *given = getenv("CONFLATE_SEED");
	uint64_t seed =
	    given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000;
	struct conflate *c = conflate_new();

	print_message("seed %" PRIu64 "\n", seed);
	for (uint64_t i = 0; i < HISTORIES; i++) {
		struct conflatefix *h = conflatefix_random(seed + i);
		struct conflatefix_rows conflated = { 0 }, full = { 0 };

		for (unsigned at = 0; at < h->n;) {
			conflate_reset(c, h->rules);
			at = one_interval(h, c, at, &conflated, &full);
		}
		conflatefix_rows_deinit(&conflated);
		conflatefix_rows_deinit(&full);
		conflatefix_free(h);
	}
	(void)conflate_free(c);
}

/* Who joins within an interval gets what is left of what came behind it. */
static void
what_is_cut_off_in_front_changes_nothing_behind(void **state)
{
	uint64_t seed = (uint64_t)time(NULL) * 1000;
	struct conflate *c = conflate_new();

	print_message("seed %" PRIu64 "\n", seed);
	for (uint64_t i = 0; i < 50; i++) {
		struct conflatefix *h = conflatefix_random(seed + i);
		unsigned join = next_end(h, 0), end = next_end(h, join);
		bool kept[CONFLATEFIX_EVENTS] = { 0 },
		     alone[CONFLATEFIX_EVENTS] = { 0 };
		struct trim trim = { seq_at(h, join), seq_at(h, end), 0, NULL };
		struct conflate *late = conflate_new();

		conflate_reset(c, h->rules);
		conflate_reset(late, h->rules);
		for (unsigned at = 0; at < join;)
			at = add_request(c, h, at);
		trim.fresh = conflate_mark(c);
		for (unsigned at = join; at < end;) {
			(void)add_request(late, h, at);
			at = add_request(c, h, at);
		}
		(void)walk_all(h, c, trim, join, kept);
		trim.fresh = 0;
		(void)walk_all(h, late, trim, join, alone);
		assert_memory_equal(kept, alone, sizeof(kept));
		/* And nothing that passes by. */
		memset(kept, 0, sizeof(kept));
		trim.fresh = TRIM_NO_EPHEMERAL;
		(void)walk_all(h, c, trim, join, kept);
		for (unsigned k = join; k < end; k++)
			assert_true(kept[k] == (alone[k] && h->v[k].seq > 0));
		(void)conflate_free(late);
		conflatefix_free(h);
	}
	(void)conflate_free(c);
}

/* --- one by one --- */

static void
append(struct conflatefix *h, unsigned topic, const char *type, uint32_t len)
{
	struct mp_buf data = { 0 };
	uint8_t *filler = calloc(1, len + 1);
	struct event ev = {
		.seq = ++h->seq,
		.version = ++h->versions[topic],
		.topic = slice_cstr(conflatefix_topics[topic]),
		.type = slice_cstr(type),
		.actor = SLICE_STR("ada"),
	};
	struct conflatefix_entry *e;

	assert_non_null(filler);
	mp_pack_bin(&data, slice_of(filler, len));
	ev.data = slice_of(data.p, data.len);
	e = conflatefix_put(h, &ev);
	e->topic = topic;
	e->last = true;
	for (e->type = 0; strcmp(conflatefix_types[e->type], type) != 0;
	     e->type++)
		;
	mp_buf_deinit(&data);
	free(filler);
}

static struct conflatefix *
default_rules(void)
{
	struct conflatefix *h = conflatefix_new(1);
	struct reason why;

	(void)rules_free(h->rules);
	assert_int_equal(rules_parse("", &h->rules, &why), 0);
	return h;
}

static struct walked
conflate_all(const struct conflatefix *h, bool *kept)
{
	struct trim all = { 0, seq_at(h, h->n), 0, NULL };
	struct conflate *c = conflate_new();
	struct walked w;

	memset(kept, 0, CONFLATEFIX_EVENTS);
	conflate_reset(c, h->rules);
	for (unsigned at = 0; at < h->n;)
		at = add_request(c, h, at);
	w = walk_all(h, c, all, 0, kept);
	(void)conflate_free(c);
	return w;
}

static void
an_interval_beyond_a_message_is_several_in_a_row(void **state)
{
	struct conflatefix *h = default_rules();
	bool kept[CONFLATEFIX_EVENTS];
	struct walked w;

	for (unsigned i = 0; i < 100; i++)
		append(h, 0, "note_updated", 10000);
	w = conflate_all(h, kept);
	assert_int_equal(w.batches, 4);
	assert_false(w.large);
	conflatefix_free(h);
}

static void
a_request_beyond_a_message_is_a_batch_of_its_own(void **state)
{
	struct conflatefix *h = default_rules();
	bool kept[CONFLATEFIX_EVENTS];
	struct walked w;

	append(h, 1, "note_updated", 10);
	for (unsigned i = 0; i < 40; i++) {
		append(h, 0, "note_updated", 10000);
		h->v[h->n - 1].last = i == 39;
	}
	append(h, 1, "note_updated", 10);
	w = conflate_all(h, kept);
	assert_int_equal(w.batches, 3);
	assert_true(w.large);
	for (unsigned i = 0; i < h->n; i++)
		assert_true(kept[i]);
	conflatefix_free(h);
}

/* The longest actor of the first event, and the longest times. */
static void
a_set_that_may_be_too_large_for_a_row_covers_nothing(void **state)
{
	struct conflatefix *h = default_rules();
	char actor[128];
	struct event ev = {
		.seq = ++h->seq,
		.version = ++h->versions[0],
		.time_us = UINT64_MAX >> 1,
		.topic = slice_cstr(conflatefix_topics[0]),
		.type = SLICE_STR("note_created"),
		.actor = slice_of(actor, sizeof(actor)),
		.data = SLICE_STR("\xc0"),
	};
	struct conflatefix_rows conflated = { 0 }, full = { 0 };
	bool kept[CONFLATEFIX_EVENTS];
	uint32_t head;

	memset(actor, 'a', sizeof(actor));
	conflatefix_put(h, &ev)->last = true;
	append(h, 0, "note_set", 70000);
	head = h->v[1].len - 70000;
	append(h, 0, "note_set", 0); /* to be replaced */
	for (int more = -1; more <= 1; more++) {
		struct conflatefix_entry *e = &h->v[--h->n];
		/* The event and a row of at most 141 bytes more. */
		uint32_t len = (uint32_t)((int)(ROW_MAX - 141 - head) + more);

		free(e->bytes);
		h->seq--;
		h->versions[0]--;
		append(h, 0, "note_set", len);
		assert_int_equal(
		    h->v[2].len, (uint32_t)((int)(ROW_MAX - 141) + more));
		(void)conflate_all(h, kept);
		assert_true(kept[0] && kept[2]);
		assert_int_equal(kept[1], more > 0);
	}
	/* A row that is too large: the fold has to find what was before. */
	free(h->v[--h->n].bytes);
	h->seq--;
	h->versions[0]--;
	append(h, 0, "note_set", EVENT_MAX - head);
	assert_int_equal(h->v[2].len, EVENT_MAX);
	(void)conflate_all(h, kept);
	for (unsigned i = 0; i < 3; i++) {
		conflatefix_fold(&full, h, &h->v[i]);
		if (kept[i])
			conflatefix_fold(&conflated, h, &h->v[i]);
	}
	assert_true(full.rows[0].len < 80000);
	assert_true(conflatefix_same(&conflated, &full));
	conflatefix_rows_deinit(&conflated);
	conflatefix_rows_deinit(&full);
	conflatefix_free(h);
}

static void
memory_follows_what_is_left(void **state)
{
	struct conflatefix *h = default_rules();
	struct conflate *c = conflate_new();
	uint64_t size = 0;

	append(h, 0, "note_set", 100);
	conflate_reset(c, h->rules);
	for (unsigned i = 0; i < 100000; i++) {
		struct peek peek;
		struct slice event = slice_of(h->v[0].bytes, h->v[0].len);

		/* The same event again and again, as a second version. */
		assert_true(peek_event(event, &peek));
		h->v[0].bytes[peek.topic.p + peek.topic.len - event.p] = 2;
		conflate_begin(c, i);
		conflate_add(c, event);
		size = MAX(size, conflate_size(c));
	}
	assert_int_equal(conflate_mark(c), 100000);
	assert_in_range(size, 100, 20000);
	(void)conflate_free(c);
	conflatefix_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_judge_refuses_wrong_conflaters),
		cmocka_unit_test(folding_what_is_left_gives_the_rows_of_all),
		cmocka_unit_test(
		    what_is_cut_off_in_front_changes_nothing_behind),
		cmocka_unit_test(
		    an_interval_beyond_a_message_is_several_in_a_row),
		cmocka_unit_test(
		    a_request_beyond_a_message_is_a_batch_of_its_own),
		cmocka_unit_test(
		    a_set_that_may_be_too_large_for_a_row_covers_nothing),
		cmocka_unit_test(memory_follows_what_is_left),
	};

	return cmocka_run_group_tests_name("conflate", tests, NULL, NULL);
}
