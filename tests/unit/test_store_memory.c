/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The store with each allocation failing, alone or with all behind it.  What
 * can't be folded waits, and is folded as in a store that never was short;
 * who opens or reads it fails or finds all of it, and it is never taken for a
 * damaged one.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/reason.h"
#include "core/time.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/storefix.h"

enum {
	BATCH = 10, /* events between two commits */
	EVENTS = 20000,
	TOPICS = 9,
};

/* A store for which memory is short, and one for which it never is. */
struct pair {
	struct storefix *is, *ought;
	struct slice v[EVENTS]; /* by seq - 1 */
	uint64_t n;
	unsigned failed;
};

static int
setup(void **state)
{
	static struct pair p;

	p = (struct pair){ 0 };
	assert_int_equal(storefix_setup((void **)&p.is), 0);
	assert_int_equal(storefix_setup((void **)&p.ought), 0);
	*state = &p;
	return 0;
}

static int
teardown(void **state)
{
	struct pair *p = *state;

	for (uint64_t i = 0; i < p->n; i++)
		free((void *)(uintptr_t)p->v[i].p);
	(void)storefix_teardown((void **)&p->is);
	return storefix_teardown((void **)&p->ought);
}

static void
topic_of(uint64_t i, char topic[64])
{
	if (i % TOPICS < 3)
		snprintf(topic, 64, "graph.relation.a%u.uses.e%u",
		    (unsigned)(i % 5), (unsigned)(i % 3));
	else
		snprintf(topic, 64, "t.%u.%u", (unsigned)(i % TOPICS),
		    (unsigned)(i % 31));
}

static void
compose(struct pair *p)
{
	static const char *const types[] = { "x_set", "x_changed", "x_deleted",
		"x_changed", "tag_added" };

	for (unsigned i = 0; i < BATCH; i++) {
		uint64_t seq = p->n + 1;
		char topic[64], data[2000];
		struct slice ev;
		uint8_t *copy;

		topic_of(seq, topic);
		snprintf(data, sizeof(data), "{\"k%u\":\"%0*u\",\"n\":%u}",
		    (unsigned)(seq % 3), 1 + (int)(seq * 37 % 1500), 7,
		    (unsigned)seq);
		ev = storefix_event(p->is, topic, types[seq % 5],
		    seq % 2 ? "ann" : "bob", data);
		assert_true(p->n < EVENTS);
		copy = malloc(ev.len);
		assert_non_null(copy);
		memcpy(copy, ev.p, ev.len);
		p->v[p->n++] = slice_of(copy, ev.len);
	}
}

/* Whatever is to be folded, as the folder does. */
static int
feed(const struct pair *p, struct store *st)
{
	int err = 0;

	for (uint64_t seq = store_fold_behind(st) + 1; err == 0 && seq <= p->n;
	     seq++) {
		err = store_fold_event(st, seq, p->v[seq - 1]);
		if (err == 0 && store_fold_due(st, true))
			err = store_fold_commit(st);
	}
	if (err == 0)
		err = store_fold_commit(st);
	return err;
}

/* What failed for want of memory stands where it stood. */
static void
expect_full(struct pair *p, int err)
{
	assert_int_equal(err, -ENOMEM);
	assert_int_equal(store_fold_fail(p->is->st, err), STORE_FULL);
	p->failed++;
}

/* One more batch, with the nth allocation failing; false: there were fewer. */
static bool
fold_short(struct pair *p, uint64_t n, bool for_good)
{
	bool fired;
	int err;

	/* What it keeps from commit to commit is allocated anew. */
	p->is->st = store_free(p->is->st);
	storefix_open(p->is);
	compose(p);
	nomemory_at(n, for_good);
	err = feed(p, p->is->st);
	fired = nomemory_end();
	if (err < 0) {
		assert_true(fired);
		expect_full(p, err);
		assert_int_equal(feed(p, p->is->st), 0);
	}
	assert_int_equal(feed(p, p->ought->st), 0);
	return fired;
}

#define EXPECT_SAME(p, walk, ...) \
	assert_string_equal(      \
	    walk((p)->is, ##__VA_ARGS__), walk((p)->ought, ##__VA_ARGS__))

static void
expect_same(struct pair *p)
{
	struct store_status is, ought;
	char topic[64];

	store_status(p->is->st, &is);
	store_status(p->ought->st, &ought);
	assert_int_equal(is.seq, p->n);
	assert_int_equal(is.history_seq, p->n);
	assert_int_equal(is.rows, ought.rows);
	assert_int_equal(is.unfoldable, ought.unfoldable);
	assert_int_equal(is.too_large, ought.too_large);
	EXPECT_SAME(p, storefix_rows, "", true);
	EXPECT_SAME(p, storefix_changed, 0);
	EXPECT_SAME(p, storefix_edges, "e1");
	EXPECT_SAME(p, storefix_actor, "bob", 0, false);
	for (uint64_t i = 0; i < (uint64_t)TOPICS * 31; i++) {
		topic_of(i, topic);
		EXPECT_SAME(p, storefix_row, topic);
		EXPECT_SAME(p, storefix_topic, topic, 0, false);
	}
}

static void
sweep_folding(struct pair *p)
{
	uint64_t n;

	for (n = 1; fold_short(p, n, false); n++)
		;
	for (n = 1; fold_short(p, n, true); n++)
		;
	assert_true(p->failed > 2 * BATCH);
	expect_same(p);
}

static void
reopen(struct pair *p, const char *rules)
{
	struct storefix *both[] = { p->is, p->ought };

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		both[i]->st = store_free(both[i]->st);
		if (rules)
			storefix_rules(both[i], rules);
		storefix_open(both[i]);
	}
}

static void
hide_tombs(struct pair *p)
{
	uint64_t later = time_wall_us() + 1000 * US_PER_S;
	bool fired = true;
	int got = 1;

	for (uint64_t n = 1; fired || got > 0; n++) {
		nomemory_at(n, false);
		got = store_fold_tombs(p->is->st, later);
		if (got >= 0 && store_fold_commit(p->is->st) < 0)
			got = -ENOMEM;
		fired = nomemory_end();
		if (got < 0)
			expect_full(p, got);
	}
	while (store_fold_tombs(p->ought->st, later) > 0)
		;
	storefix_commit(p->ought);
}

static void
what_could_not_be_folded_is_folded_later(void **state)
{
	struct pair *p = *state;

	sweep_folding(p);
	/* Rows are folded anew, beside those that are served. */
	reopen(p, "tag*=delete");
	sweep_folding(p);
	hide_tombs(p);
	expect_same(p);
}

static void
a_store_is_opened_whole_or_not(void **state)
{
	struct pair *p = *state;
	bool fired = true;

	compose(p);
	assert_int_equal(feed(p, p->is->st), 0);
	assert_int_equal(feed(p, p->ought->st), 0);
	for (uint64_t n = 1; fired; n++) {
		struct reason why = REASON_NO_MEMORY;
		int got;

		p->is->st = store_free(p->is->st);
		nomemory_at(n, false);
		got = store_open(&p->is->opt, &p->is->st, &why);
		fired = nomemory_end();
		if (got < 0 && (!fired || !strstr(why.text, "memory")))
			fail_msg("allocation %u: %d, '%s'", (unsigned)n, got,
			    why.text);
	}
	reopen(p, NULL);
	expect_same(p);
}

/* Every kind of walk; all of it or -ENOMEM. */
static int
walk(void *arg)
{
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	CLEANUP(store_iter_freep) struct store_iter *rows = NULL;
	CLEANUP(store_iter_freep) struct store_iter *changed = NULL;
	CLEANUP(store_iter_freep) struct store_iter *actor = NULL;
	struct pair *p = arg;
	struct store_item item;
	uint64_t n = 0;
	int err = store_read_begin(p->is->st, &r);

	if (err == 0)
		err = store_iter_rows(r, slice_of(NULL, 0), true, &rows);
	if (err == 0)
		err = store_iter_changed(r, 0, &changed);
	if (err == 0)
		err = store_iter_actor(r, SLICE_STR("ann"), 0, false, &actor);
	if (err < 0)
		return err;
	while ((err = store_iter_next(actor, &item)) == STORE_FOUND)
		n++;
	if (err == STORE_END)
		assert_int_equal(n, BATCH / 2);
	return err;
}

static void
who_reads_finds_everything_or_fails(void **state)
{
	struct pair *p = *state;

	compose(p);
	assert_int_equal(feed(p, p->is->st), 0);
	nomemory_sweep(walk, p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_could_not_be_folded_is_folded_later, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_store_is_opened_whole_or_not, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    who_reads_finds_everything_or_fails, setup, teardown),
	};

	return cmocka_run_group_tests_name("store_memory", tests, NULL, NULL);
}
