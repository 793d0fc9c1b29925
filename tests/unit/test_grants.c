/* SPDX-License-Identifier: BSD-2-Clause */

/* Grants and revocations: what counts of all that the log has said. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/json.h"
#include "core/mp.h"
#include "gateway/grants.h"

struct world {
	struct grants *grants;
	struct grants_member ada;
	unsigned told;
};

static void
changed(void *arg, struct grants_member *m)
{
	struct world *w = arg;

	w->told += m == &w->ada;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->grants = grants_new(changed, w);
	grants_enter(w->grants, &w->ada, SLICE_STR("ada"));
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	grants_leave(w->grants, &w->ada);
	(void)grants_free(w->grants);
	free(w);
	return 0;
}

static void
to_value(const char *json, struct mp_buf *value)
{
	char text[4000];

	snprintf(text, sizeof(text), "%s", json);
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	assert_int_equal(json_to_mp(slice_cstr(text), value, NULL), 0);
}

static void
happens(struct world *w, const char *topic, uint64_t seq, const char *json)
{
	struct mp_buf data = { 0 };
	uint8_t bytes[5000];
	struct event event = { .seq = seq,
		.time_us = 1,
		.version = 1,
		.topic = slice_cstr(topic),
		.type = SLICE_STR("acl_changed"),
		.actor = SLICE_STR("root") };

	to_value(json, &data);
	event.data = slice_of(data.p, data.len);
	grants_event(w->grants,
	    slice_of(bytes, (size_t)(event_encode(&event, bytes) - bytes)));
	mp_buf_deinit(&data);
}

static void
has_row(struct world *w, const char *topic, uint64_t seq, const char *json)
{
	struct mp_buf row = { 0 }, data = { 0 };

	to_value(json, &data);
	mp_pack_array(&row, 9);
	mp_pack_cstr(&row, topic);
	mp_pack_uint(&row, 1);
	mp_pack_uint(&row, seq);
	mp_pack_uint(&row, 1);
	mp_pack_cstr(&row, "root");
	mp_pack_uint(&row, 1);
	mp_pack_cstr(&row, "root");
	mp_pack_bool(&row, false);
	mp_pack_raw(&row, slice_of(data.p, data.len));
	grants_row(w->grants, slice_of(row.p, row.len));
	mp_buf_deinit(&row);
	mp_buf_deinit(&data);
}

/* "read read|write", beside what a token allows: "t" to be read. */
static const char *
rights(const struct grants_member *m)
{
	static char text[1000];
	struct acl acl = { 0 };
	size_t n = 0;

	assert_int_equal(
	    acl_add(&acl, ACL_READ, SLICE_STR("t"), NULL), ACL_ADDED);
	grants_join(m, &acl);
	for (unsigned i = 0; i < acl.n_read; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "%s ", acl.read[i]);
	text[n - 1] = '|';
	text[n] = '\0';
	for (unsigned i = 0; i < acl.n_write; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
		    i > 0 ? " " : "", acl.write[i]);
	acl_deinit(&acl);
	return text;
}

static void
what_is_granted_comes_on_top_of_the_token(void **state)
{
	struct world *w = *state;

	assert_string_equal(rights(&w->ada), "t|");
	happens(w, "$acl.ada", 5, "{'read':['z.>','a','t'],'write':['w.*']}");
	assert_string_equal(rights(&w->ada), "a t z.>|w.*");
	assert_int_equal(w->told, 1);
	happens(w, "$acl.bob", 6, "{'read':['b']}");
	assert_int_equal(w->told, 1);
	assert_int_equal(grants_count(w->grants), 2);
}

static void
the_newest_grant_is_the_whole_of_it(void **state)
{
	struct world *w = *state;

	happens(w, "$acl.ada", 5, "{'read':['a','b']}");
	happens(w, "$acl.ada", 6, "{'read':['b'],'more':1}");
	assert_string_equal(rights(&w->ada), "b t|");
	happens(w, "$acl.ada", 7, "{}");
	assert_string_equal(rights(&w->ada), "t|");
	assert_int_equal(w->told, 3);
}

static void
what_is_older_changes_nothing(void **state)
{
	struct world *w = *state;

	has_row(w, "$acl.ada", 9, "{'read':['new']}");
	happens(w, "$acl.ada", 8, "{'read':['old']}");
	happens(w, "$acl.ada", 9, "{'read':['same']}");
	assert_string_equal(rights(&w->ada), "new t|");
	has_row(w, "$revoke.ada", 20, "{'before':70}");
	has_row(w, "$revoke.ada", 19, "{'before':80}");
	assert_int_equal(grants_before(&w->ada), 70);
}

/* Rows may turn out to be of another log; the ring is of this one. */
static void
events_are_told_at_once_and_rows_when_all_are_known(void **state)
{
	struct world *w = *state;

	has_row(w, "$acl.ada", 9, "{'read':['a']}");
	has_row(w, "$revoke.ada", 10, "{'before':70}");
	assert_int_equal(w->told, 0);
	happens(w, "$acl.ada", 12, "{'read':['b']}");
	assert_int_equal(w->told, 1);
	grants_all_known(w->grants, 11);
	assert_int_equal(w->told, 2);
	grants_forget(w->grants, false);
	grants_all_known(w->grants, 12);
	assert_int_equal(w->told, 2);
}

static void
what_was_disowned_is_told_when_all_is_known(void **state)
{
	struct world *w = *state;

	happens(w, "$acl.ada", 12, "{'read':['b']}");
	assert_int_equal(w->told, 1);
	has_row(w, "$acl.ada", 19, "{'read':['a']}");
	assert_int_equal(grants_disown(w->grants), 12);
	assert_string_equal(rights(&w->ada), "t|");
	assert_int_equal(w->told, 1);
	has_row(w, "$acl.ada", 12, "{'read':['b']}");
	grants_all_known(w->grants, 12);
	assert_string_equal(rights(&w->ada), "b t|");
	assert_int_equal(w->told, 2);
	grants_forget(w->grants, true);
	assert_int_equal(grants_disown(w->grants), 0);
}

/* What else there is of the user has yet to come again. */
static void
of_what_was_disowned_no_event_says_all(void **state)
{
	struct world *w = *state;

	has_row(w, "$acl.ada", 9, "{'read':['b']}");
	grants_all_known(w->grants, 9);
	assert_int_equal(w->told, 1);
	grants_forget(w->grants, false);
	has_row(w, "$acl.ada", 9, "{'read':['b']}");
	assert_int_equal(grants_disown(w->grants), 0);
	happens(w, "$revoke.ada", 12, "{'before':70}");
	assert_int_equal(w->told, 1);
	has_row(w, "$acl.ada", 9, "{'read':['b']}");
	grants_all_known(w->grants, 12);
	assert_int_equal(w->told, 2);
	assert_string_equal(rights(&w->ada), "b t|");
	assert_int_equal(grants_before(&w->ada), 70);
	happens(w, "$acl.ada", 13, "{}");
	assert_int_equal(w->told, 3);
}

/* A grant that was taken away stands before the one that it took away. */
static void
what_is_empty_is_remembered_until_all_is_known(void **state)
{
	struct world *w = *state;
	struct grants_member bob = { 0 };

	has_row(w, "$acl.bob", 100, "{}");
	happens(w, "$acl.bob", 90, "{'read':['old']}");
	assert_int_equal(grants_count(w->grants), 2);
	assert_false(grants_known(w->grants));
	grants_all_known(w->grants, 110);
	assert_true(grants_known(w->grants));
	assert_int_equal(grants_count(w->grants), 1);
	/* The feed is still on its way to where the rows were. */
	happens(w, "$acl.bob", 95, "{'read':['old']}");
	happens(w, "$acl.bob", 110, "{'read':['old']}");
	grants_enter(w->grants, &bob, SLICE_STR("bob"));
	assert_string_equal(rights(&bob), "t|");
	grants_leave(w->grants, &bob);
	assert_int_equal(grants_count(w->grants), 1);
	happens(w, "$acl.bob", 111, "{'read':['new']}");
	assert_int_equal(grants_count(w->grants), 2);
	happens(w, "$acl.bob", 112, "{'read':[],'write':[]}");
	assert_int_equal(grants_count(w->grants), 1);
}

static void
what_makes_no_sense_grants_nothing(void **state)
{
	static const char *const data[] = { "null", "7", "[]", "'>'",
		"{'read':'a'}", "{'read':[1]}",
		"{'read':['a'],'write':['a b']}", "{'read':['a','']}",
		"{'read':{'a':1}}" };
	struct world *w = *state;
	uint64_t seq = 1;

	for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
		happens(w, "$acl.ada", seq++, "{'read':['a'],'write':['a']}");
		assert_string_equal(rights(&w->ada), "a t|a");
		happens(w, "$acl.ada", seq++, data[i]);
		assert_string_equal(rights(&w->ada), "t|");
	}
}

static void
patterns_are_as_many_as_in_a_token(void **state)
{
	struct world *w = *state;
	char json[2000];
	size_t n;

	for (unsigned many = ACL_PATTERNS_MAX - 1; many <= ACL_PATTERNS_MAX + 1;
	     many++) {
		n = (size_t)snprintf(json, sizeof(json), "{'read':['p0'");
		for (unsigned i = 1; i < many; i++)
			n += (size_t)snprintf(
			    json + n, sizeof(json) - n, ",'p%u'", i);
		snprintf(json + n, sizeof(json) - n, "]}");
		happens(w, "$acl.ada", many, json);
		if (many <= ACL_PATTERNS_MAX)
			assert_non_null(strstr(rights(&w->ada), "p9 t|"));
		else
			assert_string_equal(rights(&w->ada), "t|");
	}
}

static void
a_revocation_without_a_time_revokes_everything(void **state)
{
	static const char *const data[] = { "null", "{}", "{'before':'1'}",
		"{'before':-1}", "{'before':1.5}" };
	struct world *w = *state;
	uint64_t seq = 1;

	assert_int_equal(grants_before(&w->ada), 0);
	for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
		happens(w, "$revoke.ada", seq++, "{'before':1700000000}");
		assert_int_equal(grants_before(&w->ada), 1700000000);
		happens(w, "$revoke.ada", seq++, data[i]);
		assert_true(grants_before(&w->ada) == UINT64_MAX);
	}
	happens(w, "$revoke.ada", seq++, "{'before':0}");
	assert_int_equal(grants_before(&w->ada), 0);
}

static void
other_topics_say_nothing(void **state)
{
	static const char *const topics[] = { "acl.ada", "$acl", "$acl.ada.x",
		"$aclx.ada", "x.$acl.ada", "$revoke", "$revoke.ada.x",
		"$other.ada" };
	struct world *w = *state;

	for (unsigned i = 0; i < ARRAY_LEN(topics); i++) {
		assert_false(grants_topic(slice_cstr(topics[i])));
		happens(w, topics[i], i + 1, "{'read':['a'],'before':9}");
	}
	assert_true(grants_topic(SLICE_STR("$acl.ada")));
	assert_true(grants_topic(SLICE_STR("$revoke.ada")));
	assert_int_equal(w->told, 0);
	assert_int_equal(grants_count(w->grants), 1);
	/* Ephemeral: never stored, so that it counts for nobody. */
	happens(w, "$acl.ada", 0, "{'read':['a']}");
	assert_int_equal(w->told, 0);
	assert_string_equal(rights(&w->ada), "t|");
}

static void
names_are_escaped(void **state)
{
	struct world *w = *state;
	struct grants_member odd = { 0 }, nobody = { 0 };

	grants_enter(w->grants, &odd, SLICE_STR("a.b c"));
	happens(w, "$acl.bob", 1, "{'read':['bob']}");
	has_row(w, "$acl.a%2Eb%20c", 2, "{'read':['odd']}");
	grants_leave(w->grants, &odd);
	grants_enter(w->grants, &odd, SLICE_STR("a.b c"));
	assert_string_equal(rights(&odd), "odd t|");
	grants_leave(w->grants, &odd);
	grants_enter(w->grants, &nobody, SLICE_STR(""));
	assert_string_equal(rights(&nobody), "t|");
	assert_int_equal(grants_before(&nobody), 0);
	grants_leave(w->grants, &nobody);
}

static void
another_log_begins_with_nothing(void **state)
{
	struct world *w = *state;

	happens(w, "$acl.ada", 90, "{'read':['a']}");
	happens(w, "$revoke.bob", 91, "{'before':5}");
	grants_all_known(w->grants, 91);
	/* Lapped: what is known stays, newer rows take its place. */
	grants_forget(w->grants, false);
	assert_false(grants_known(w->grants));
	assert_string_equal(rights(&w->ada), "a t|");
	has_row(w, "$acl.ada", 95, "{'read':['b']}");
	grants_all_known(w->grants, 96);
	assert_string_equal(rights(&w->ada), "b t|");
	grants_forget(w->grants, true);
	assert_string_equal(rights(&w->ada), "t|");
	assert_int_equal(grants_count(w->grants), 1);
	has_row(w, "$acl.ada", 1, "{'read':['c']}");
	assert_string_equal(rights(&w->ada), "c t|");
}

static void
bytes_that_are_no_event_change_nothing(void **state)
{
	struct world *w = *state;
	uint8_t bytes[200];
	struct event event = { .seq = 3,
		.time_us = 1,
		.version = 1,
		.topic = SLICE_STR("$acl.ada"),
		.type = SLICE_STR("t"),
		.actor = SLICE_STR("a"),
		.data = SLICE_STR("\x81\xa4read\x91\xa1x") };
	size_t len = (size_t)(event_encode(&event, bytes) - bytes);

	for (size_t n = 0; n < len; n++) {
		grants_event(w->grants, slice_of(bytes, n));
		grants_row(w->grants, slice_of(bytes, n));
	}
	assert_int_equal(w->told, 0);
	grants_event(w->grants, slice_of(bytes, len));
	assert_int_equal(w->told, 1);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_granted_comes_on_top_of_the_token),
		TEST(the_newest_grant_is_the_whole_of_it),
		TEST(what_is_older_changes_nothing),
		TEST(events_are_told_at_once_and_rows_when_all_are_known),
		TEST(what_was_disowned_is_told_when_all_is_known),
		TEST(of_what_was_disowned_no_event_says_all),
		TEST(what_is_empty_is_remembered_until_all_is_known),
		TEST(what_makes_no_sense_grants_nothing),
		TEST(patterns_are_as_many_as_in_a_token),
		TEST(a_revocation_without_a_time_revokes_everything),
		TEST(other_topics_say_nothing),
		TEST(names_are_escaped),
		TEST(another_log_begins_with_nothing),
		TEST(bytes_that_are_no_event_change_nothing),
	};

	return cmocka_run_group_tests_name("grants", tests, NULL, NULL);
}
