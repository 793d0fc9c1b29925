/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Relations by their last token: each topic of that form that has a row
 * stands under it once, whatever made the row and whatever its data says.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "tests/lib/storefix.h"

#define AB "graph.relation.A.knows.B%2EC"
#define AD "graph.relation.A.knows.D"
#define XD "graph.relation.X.uses.D"

/* Events as they were folded, to be folded once more. */
static const struct {
	const char *topic, *type, *data;
} events[] = {
	{ AD, "relation_created", "{\"from\":\"A\",\"to\":\"D\"}" },
	{ "other", "x_set", "{\"from\":\"A\",\"to\":\"D\"}" },
	{ AB, "relation_created", "{\"from\":\"A\",\"to\":\"B.C\"}" },
	{ XD, "relation_created", "[1,2]" },
	{ "graph.entity.D", "entity_created", "{}" },
	{ "graph.relation.~.0011", "relation_created", "{\"to\":\"D\"}" },
	{ "graph.relation.A.D", "relation_created", "{\"to\":\"D\"}" },
	{ "graph.relation.A.b.c.D", "relation_created", "{\"to\":\"D\"}" },
	{ "graph.relations.A.b.D", "relation_created", "{\"to\":\"D\"}" },
	{ XD, "relation_deleted", "null" },
	{ AD, "relation_changed", "{\"to\":\"E\"}" },
};

static void
fold_all(struct storefix *fx)
{
	for (unsigned i = 0; i < ARRAY_LEN(events); i++)
		storefix_fold(
		    fx, events[i].topic, events[i].type, events[i].data);
}

static void
expect_all(struct storefix *fx)
{
	assert_string_equal(storefix_edges(fx, "D"), AD " " XD);
	assert_string_equal(storefix_edges(fx, "B%2EC"), AB);
	assert_string_equal(storefix_edges(fx, "A"), "");
	assert_string_equal(storefix_edges(fx, "B.C"), "");
	assert_string_equal(storefix_edges(fx, "E"), "");
	assert_string_equal(storefix_edges(fx, "0011"), "");
}

static void
relations_are_found_by_their_last_token(void **state)
{
	struct storefix *fx = *state;

	fold_all(fx);
	assert_string_equal(storefix_edges(fx, "D"), "");
	storefix_commit(fx);
	expect_all(fx);
	fx->st = store_free(fx->st);
	storefix_open(fx);
	expect_all(fx);
}

static void
names_of_any_length_are_looked_up(void **state)
{
	struct storefix *fx = *state;
	char topic[TOPIC_MAX + 1], name[600];
	const size_t head = strlen("graph.relation.a.b.");

	memset(topic, 'x', TOPIC_MAX);
	memcpy(topic, "graph.relation.a.b.", head);
	topic[TOPIC_MAX] = '\0';
	storefix_fold(fx, topic, "x_set", "1");
	storefix_commit(fx);
	assert_string_equal(storefix_edges(fx, topic + head), topic);
	assert_string_equal(storefix_edges(fx, topic + head + 1), "");
	assert_string_equal(storefix_edges(fx, ""), "");
	for (size_t len = TOPIC_MAX - 1; len < sizeof(name); len++) {
		memset(name, 'x', len);
		name[len] = '\0';
		assert_string_equal(storefix_edges(fx, name), "");
	}
}

static void
a_relation_stands_once_whatever_becomes_of_it(void **state)
{
	struct storefix *fx = *state;
	uint64_t late = time_wall_us() + 200 * US_PER_S;

	storefix_fold(fx, AD, "relation_created", "{\"to\":\"D\"}");
	storefix_fold(fx, AD, "relation_deleted", "null");
	storefix_fold(fx, XD, "relation_created", "{\"to\":\"D\"}");
	storefix_commit(fx);
	assert_string_equal(storefix_edges(fx, "D"), AD " " XD);
	assert_int_equal(store_fold_tombs(fx->st, late), 0);
	assert_string_equal(storefix_rows(fx, "", false), XD);
	assert_string_equal(storefix_edges(fx, "D"), AD " " XD);
	for (int i = 0; i < 3; i++) {
		storefix_fold(fx, AD, "relation_created", "{\"to\":\"E\"}");
		if (i > 0)
			storefix_commit(fx);
		storefix_fold(fx, AD, "relation_deleted", "null");
		storefix_commit(fx);
		assert_string_equal(storefix_edges(fx, "D"), AD " " XD);
		assert_string_equal(storefix_edges(fx, "E"), "");
	}
}

/* --- rows that begin otherwise --- */

struct kept {
	struct mp_buf bytes;
	struct {
		size_t at, len;
		bool dropped;
	} v[20];
	unsigned n;
};

static void
keep_rows(struct storefix *fx, struct kept *k)
{
	CLEANUP(store_read_endp) struct store_read *r = NULL;
	CLEANUP(store_iter_freep) struct store_iter *it = NULL;
	struct store_item item;

	assert_int_equal(store_read_begin(fx->st, &r), 0);
	assert_int_equal(store_iter_rows(r, slice_cstr(""), true, &it), 0);
	for (; store_iter_next(it, &item) == STORE_FOUND; k->n++) {
		assert_true(k->n < ARRAY_LEN(k->v));
		k->v[k->n].at = k->bytes.len;
		k->v[k->n].len = item.row.len;
		k->v[k->n].dropped = item.dropped;
		mp_buf_bytes(&k->bytes, item.row.p, item.row.len);
	}
	assert_false(k->bytes.failed);
}

static int
restore(void *arg, struct store_archive *a, store_add_row *add, void *ctx,
    struct reason *why)
{
	const struct kept *k = arg;
	int err = 0;

	a->seq = ARRAY_LEN(events);
	for (unsigned i = 0; err == 0 && i < k->n; i++)
		err = add(ctx, slice_of(k->bytes.p + k->v[i].at, k->v[i].len),
		    k->v[i].dropped);
	return err < 0 ? err : STORE_RESTORED;
}

static void
rows_of_an_archive_bring_their_edges(void **state)
{
	struct storefix *fx = *state;
	CLEANUP(mp_buf_deinit) struct mp_buf held = { 0 };
	struct kept k = { .bytes = held };
	struct reason why;

	fold_all(fx);
	storefix_commit(fx);
	assert_int_equal(
	    store_fold_tombs(fx->st, time_wall_us() + 200 * US_PER_S), 0);
	keep_rows(fx, &k);
	held = k.bytes;
	assert_int_equal(
	    store_fold_log(fx->st, fx->log_id, 2, 100), STORE_LOG_NEW);
	assert_string_equal(storefix_edges(fx, "D"), "");
	assert_int_equal(store_fold_restore(fx->st, 100, restore, &k, &why), 0);
	assert_int_equal(store_fold_seq(fx->st), ARRAY_LEN(events));
	expect_all(fx);
	/* One that was dropped comes back, and stands there once. */
	storefix_fold(fx, XD, "relation_created", "1");
	storefix_commit(fx);
	assert_int_equal(store_fold_seq(fx->st), ARRAY_LEN(events) + 1);
	expect_all(fx);
}

static void
rows_of_other_rules_have_edges_of_their_own(void **state)
{
	struct storefix *fx = *state;
	struct store_status s;

	fold_all(fx);
	storefix_commit(fx);
	for (int round = 0; round < 3; round++) {
		fx->st = store_free(fx->st);
		storefix_rules(fx, round % 2 ? "*=merge" : "*=set");
		storefix_open(fx);
		store_status(fx->st, &s);
		assert_true(s.refolding);
		fx->seq = 0;
		for (unsigned i = 0; i < ARRAY_LEN(events); i++) {
			storefix_fold(fx, events[i].topic, events[i].type,
			    events[i].data);
			expect_all(fx);
		}
		storefix_commit(fx);
		store_status(fx->st, &s);
		assert_false(s.refolding);
		expect_all(fx);
	}
}

/* Write version in every record of positions of the environment's file. */
static void
set_version(struct storefix *fx, uint8_t version)
{
	const char *path = tmpdir_path(fx->dir, "broker/state/data.mdb");
	uint8_t buf[4096], *p;
	unsigned found = 0;
	FILE *file = fopen(path, "r+");

	assert_non_null(file);
	for (long at = 0; fread(buf, sizeof(buf), 1, file) == 1;
	     at += sizeof(buf)) {
		p = memmem(buf, sizeof(buf), "PEALROWS", 8);
		if (p) {
			p[8] = version;
			found++;
		}
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		assert_int_equal(fwrite(buf, sizeof(buf), 1, file), 1);
		assert_int_equal(fseek(file, 0, SEEK_CUR), 0);
	}
	assert_int_equal(fclose(file), 0);
	assert_true(found > 0);
}

static void
an_environment_of_another_version_begins_anew(void **state)
{
	struct storefix *fx = *state;
	static const uint8_t versions[] = { 2, 1, 3 };

	for (unsigned i = 0; i < ARRAY_LEN(versions); i++) {
		fx->seq = 0;
		fold_all(fx);
		storefix_commit(fx);
		fx->st = store_free(fx->st);
		set_version(fx, versions[i]);
		storefix_open(fx);
		if (versions[i] == 2) {
			expect_all(fx);
			assert_int_equal(
			    store_fold_log(fx->st, fx->log_id, 1, 0),
			    STORE_LOG_NEW);
		}
		assert_int_equal(store_fold_seq(fx->st), 0);
		assert_string_equal(storefix_edges(fx, "D"), "");
	}
}

#define T(test) \
	cmocka_unit_test_setup_teardown(test, storefix_setup, storefix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(relations_are_found_by_their_last_token),
		T(names_of_any_length_are_looked_up),
		T(a_relation_stands_once_whatever_becomes_of_it),
		T(rows_of_an_archive_bring_their_edges),
		T(rows_of_other_rules_have_edges_of_their_own),
		T(an_environment_of_another_version_begins_anew),
	};

	return cmocka_run_group_tests_name("store_edges", tests, NULL, NULL);
}
