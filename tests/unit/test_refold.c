/* SPDX-License-Identifier: BSD-2-Clause */

/* Folding afresh, and finding what a served state has wrong. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/rules.h"
#include "tools/refold.h"

struct folding {
	struct refold rf;
	struct rules *rules;
	struct mp_buf event, row;
};

static int
begin(void **state)
{
	struct folding *f = calloc(1, sizeof(*f));
	struct reason why;

	*state = f;
	return !f || rules_parse("", &f->rules, &why) < 0 ||
	       refold_init(&f->rf, f->rules) < 0;
}

static int
end(void **state)
{
	struct folding *f = *state;

	refold_deinit(&f->rf);
	f->rules = rules_free(f->rules);
	mp_buf_deinit(&f->event);
	mp_buf_deinit(&f->row);
	free(f);
	return 0;
}

static int
fold(struct folding *f, uint64_t seq, const char *topic, uint64_t version,
    const char *type, struct reason *why)
{
	/* {"n":seq} */
	const uint8_t data[] = { 0x81, 0xa1, 'n', (uint8_t)seq };
	const struct event ev = { .seq = seq,
		.time_us = 10 * seq,
		.topic = slice_cstr(topic),
		.version = version,
		.type = slice_cstr(type),
		.actor = SLICE_STR("ann"),
		.data = slice_of(data, sizeof(data)) };
	uint8_t *p;

	f->event.len = 0;
	p = mp_buf_reserve(&f->event, event_size(&ev));
	f->event.len = (size_t)(event_encode(&ev, p) - p);
	return refold_event(&f->rf, slice_of(f->event.p, f->event.len), why);
}

static void
must_fold(struct folding *f, uint64_t seq, const char *topic, uint64_t version,
    const char *type)
{
	struct reason why = { "" };

	if (fold(f, seq, topic, version, type, &why) < 0)
		fail_msg("%s", why.text);
}

/* A row of one event, as the broker would serve it. */
static enum refold_verdict
serve(struct folding *f, const char *topic, uint64_t version, uint64_t seq,
    bool deleted, uint8_t n)
{
	const uint8_t value[] = { 0x81, 0xa1, 'n', n };
	const struct row row = { .topic = slice_cstr(topic),
		.version = version,
		.seq = seq,
		.created_us = 10 * (seq + 1 - version),
		.created_by = SLICE_STR("ann"),
		.updated_us = 10 * seq,
		.updated_by = SLICE_STR("ann"),
		.deleted = deleted,
		.value = slice_of(value, sizeof(value)) };
	struct slice folded;
	uint8_t *p;

	f->row.len = 0;
	p = mp_buf_reserve(&f->row, row_size(&row));
	f->row.len = (size_t)(row_encode(&row, p) - p);
	return refold_compare(
	    &f->rf, &row, slice_of(f->row.p, f->row.len), &folded);
}

static void
rows_that_are_the_same_bytes_are_equal(void **state)
{
	struct folding *f = *state;

	must_fold(f, 1, "a", 1, "item_created");
	must_fold(f, 2, "a", 2, "item_updated");
	must_fold(f, 3, "b", 1, "item_created");
	must_fold(f, 4, "b", 2, "item_deleted");
	assert_int_equal(refold_rows(&f->rf), 2);
	assert_int_equal(serve(f, "a", 2, 2, false, 2), REFOLD_EQUAL);
	assert_int_equal(serve(f, "b", 2, 4, true, 3), REFOLD_EQUAL);
}

static void
each_difference_is_seen(void **state)
{
	struct folding *f = *state;

	must_fold(f, 1, "a", 1, "item_created");
	must_fold(f, 2, "b", 1, "item_created");
	must_fold(f, 3, "c", 1, "item_created");
	must_fold(f, 4, "d", 1, "item_created");
	assert_int_equal(serve(f, "a", 1, 1, false, 9), REFOLD_DIFFERS);
	assert_int_equal(serve(f, "b", 1, 2, true, 2), REFOLD_DIFFERS);
	assert_int_equal(serve(f, "c", 2, 3, false, 3), REFOLD_DIFFERS);
	assert_int_equal(serve(f, "x", 1, 3, false, 3), REFOLD_UNKNOWN);
	assert_int_equal(serve(f, "d", 1, 4, false, 4), REFOLD_EQUAL);
	assert_int_equal(serve(f, "d", 1, 4, false, 4), REFOLD_TWICE);
}

static void
what_is_not_served_is_left_and_dropped_only_when_deleted(void **state)
{
	struct folding *f = *state;
	struct slice folded;
	size_t at = 0;
	unsigned missing = 0, dropped = 0;
	enum refold_left left;

	must_fold(f, 1, "a", 1, "item_created");
	must_fold(f, 2, "b", 1, "item_created");
	must_fold(f, 3, "b", 2, "item_deleted");
	must_fold(f, 4, "c", 1, "item_created");
	assert_int_equal(serve(f, "c", 1, 4, false, 4), REFOLD_EQUAL);
	while ((left = refold_left(&f->rf, &at, &folded)) != REFOLD_NONE) {
		missing += left == REFOLD_MISSING;
		dropped += left == REFOLD_DROPPED;
	}
	assert_int_equal(missing, 1);
	assert_int_equal(dropped, 1);
}

static void
a_topic_whose_beginning_is_gone_is_not_compared(void **state)
{
	struct folding *f = *state;

	must_fold(f, 8, "a", 4, "item_updated");
	must_fold(f, 9, "a", 5, "item_updated");
	assert_int_equal(serve(f, "a", 5, 9, false, 0), REFOLD_PARTIAL);
}

static void
events_out_of_order_are_refused(void **state)
{
	struct folding *f = *state;
	struct reason why = { "" };

	must_fold(f, 5, "a", 1, "item_created");
	assert_int_equal(fold(f, 5, "b", 1, "t", &why), -EPROTO);
	assert_int_equal(fold(f, 4, "b", 1, "t", &why), -EPROTO);
	assert_int_equal(fold(f, 6, "a", 3, "t", &why), -EPROTO);
	assert_non_null(strstr(why.text, "version 3 of 'a', after version 1"));
	assert_int_equal(fold(f, 7, "a", 1, "t", &why), -EPROTO);
	assert_int_equal(
	    refold_event(&f->rf, SLICE_STR("\xc0"), &why), -EPROTO);
}

/* In a repaired log: from what says so to the end of that repair. */
static void
versions_may_skip_what_was_lost_and_nothing_else(void **state)
{
	struct folding *f = *state;
	struct reason why = { "" };

	must_fold(f, 1, "a", 1, "note_set");
	assert_int_equal(fold(f, 2, "a", 3, "note_set", &why), -EPROTO);
	must_fold(f, 3, "$log.7.lost", 1, "event_lost");
	must_fold(f, 4, "a", 5, "note_set");
	assert_int_equal(fold(f, 5, "a", 5, "note_set", &why), -EPROTO);
	/* An earlier repair ends behind the losses of a later one. */
	must_fold(f, 6, "$log.6", 1, "log_repaired");
	must_fold(f, 7, "a", 8, "note_set");
	must_fold(f, 8, "$log.7", 1, "log_repaired");
	assert_int_equal(fold(f, 9, "a", 10, "note_set", &why), -EPROTO);
	must_fold(f, 10, "a", 9, "note_set");
}

static void
system_topics_are_named_by_their_first_token(void **state)
{
	struct folding *f = *state;
	struct slice tokens[2];

	must_fold(f, 1, "$acl.ann", 1, "acl_changed");
	must_fold(f, 2, "a.$acl", 1, "item_created");
	must_fold(f, 3, "$acl.bo", 1, "acl_changed");
	assert_int_equal(refold_system(&f->rf, tokens, 2), 1);
	assert_true(slice_is(tokens[0], "$acl"));
	must_fold(f, 4, "$other", 1, "t");
	assert_int_equal(refold_system(&f->rf, tokens, 2), 2);
	must_fold(f, 5, "$third", 1, "t");
	assert_int_equal(refold_system(&f->rf, tokens, 2), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_that_are_the_same_bytes_are_equal),
		TEST(each_difference_is_seen),
		TEST(what_is_not_served_is_left_and_dropped_only_when_deleted),
		TEST(a_topic_whose_beginning_is_gone_is_not_compared),
		TEST(events_out_of_order_are_refused),
		TEST(versions_may_skip_what_was_lost_and_nothing_else),
		TEST(system_topics_are_named_by_their_first_token),
	};

	return cmocka_run_group_tests_name("refold", tests, NULL, NULL);
}
