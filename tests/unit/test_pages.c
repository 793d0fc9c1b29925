/* SPDX-License-Identifier: BSD-2-Clause */

/* Pages of history, and servers that turn in circles. */

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
#include "tests/lib/fakebroker.h"
#include "tests/lib/tmpdir.h"
#include "tools/pages.h"
#include "tools/query.h"
#include "tools/tool.h"

#define EVENT(seq) "[" #seq ",5,\"a\"," #seq ",\"t\",\"ann\",null]"
#define PAGE(events, next) \
	"{\"op\":\"history\",\"events\":[" events "]" next "}"
#define NEXT(seq) ",\"next\":" #seq

struct script {
	const char *pages[5];
	uint64_t after[5], before[5], limit[5]; /* as asked for */
	unsigned asked;
};

static bool
say_page(void *arg, struct frame_stream *fs, const struct proto_reply *request)
{
	struct script *s = arg;

	if (s->asked == 5 || !s->pages[s->asked])
		return false;
	s->after[s->asked] = proto_get_uint(request->body, "after").v;
	s->before[s->asked] = proto_get_uint(request->body, "before").v;
	s->limit[s->asked] = proto_get_uint(request->body, "limit").v;
	fakebroker_say(fs, request, s->pages[s->asked++]);
	return true;
}

static int
take_event(
    void *arg, const struct event *ev, struct slice bytes, struct reason *why)
{
	uint64_t *sum = arg;

	*sum = *sum * 100 + ev->seq;
	return 0;
}

/* Digits of *sum in pairs: the seqs that came. */
static int
read_pages(struct tmpdir *dir, struct script *script, struct pages *pages,
    uint64_t *sum, struct reason *why)
{
	struct fakebroker fb = { .answer = say_page, .arg = script };
	struct query *q;
	struct tool t;
	int err;

	*sum = 0;
	pages->event = take_event;
	pages->arg = sum;
	fakebroker_house(&t, dir->path);
	fakebroker_start(&fb, dir->path);
	assert_int_equal(query_open(&t, &q, why), 0);
	err = pages_read(q, pages, why);
	q = query_free(q);
	fakebroker_stop(&fb);
	house_deinit(&t.house);
	return err;
}

static void
pages_are_asked_for_until_the_last(void **state)
{
	struct script script = { { PAGE(EVENT(3) "," EVENT(4), NEXT(4)),
	    PAGE("", NEXT(20)), PAGE(EVENT(22), "") } };
	struct pages pages = { .left = 5000 };
	struct reason why;
	uint64_t sum;

	assert_int_equal(
	    read_pages(*state, &script, &pages, &sum, &why), PAGES_END);
	assert_int_equal(sum, 30422);
	assert_int_equal(script.asked, 3);
	assert_int_equal(script.after[1], 4);
	assert_int_equal(script.after[2], 20);
	assert_int_equal(script.limit[0], 1000);
	assert_int_equal(pages.events, 3);
	assert_false(pages.more);
}

static void
in_reverse_next_is_passed_as_before(void **state)
{
	struct script script = { { PAGE(EVENT(9) "," EVENT(7), NEXT(7)),
	    PAGE(EVENT(2), "") } };
	struct pages pages = { .left = 100, .reverse = true };
	struct reason why;
	uint64_t sum;

	assert_int_equal(
	    read_pages(*state, &script, &pages, &sum, &why), PAGES_END);
	assert_int_equal(sum, 90702);
	assert_int_equal(script.before[1], 7);
	assert_int_equal(script.after[1], 0);
}

static void
it_ends_when_enough_have_come(void **state)
{
	struct script script = { { PAGE(EVENT(3), NEXT(3)),
	    PAGE(EVENT(4), NEXT(4)) } };
	struct pages pages = { .left = 2 };
	struct reason why;
	uint64_t sum;

	assert_int_equal(
	    read_pages(*state, &script, &pages, &sum, &why), PAGES_END);
	assert_int_equal(sum, 304);
	assert_true(pages.more);
	assert_int_equal(script.limit[0], 2);
	assert_int_equal(script.limit[1], 1);
}

static void
a_server_that_turns_in_circles_is_found_out(void **state)
{
	static const struct {
		const char *first, *second;
		bool reverse;
	} cases[] = {
		{ PAGE("", NEXT(4)), PAGE("", NEXT(4)), false },
		{ PAGE("", NEXT(4)), PAGE("", NEXT(3)), false },
		{ PAGE(EVENT(4), NEXT(3)), NULL, false },
		{ PAGE(EVENT(4) "," EVENT(4), ""), NULL, false },
		{ PAGE(EVENT(4) "," EVENT(3), ""), NULL, false },
		{ PAGE(EVENT(4), NEXT(4)), PAGE(EVENT(4), ""), false },
		{ PAGE(EVENT(4) "," EVENT(5), ""), NULL, true },
		{ PAGE("", NEXT(4)), PAGE("", NEXT(4)), true },
		{ "{\"op\":\"history\"}", NULL, false },
		{ PAGE("[1]", ""), NULL, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct script script = { { cases[i].first, cases[i].second } };
		struct pages pages = { .left = 100,
			.reverse = cases[i].reverse };
		struct reason why = { "" };
		uint64_t sum;

		if (read_pages(*state, &script, &pages, &sum, &why) != -EPROTO)
			fail_msg("taken: case %zu", i);
		assert_true(why.text[0]);
	}
}

static void
more_events_than_were_asked_for_are_refused(void **state)
{
	struct script script = { { PAGE(EVENT(3) "," EVENT(4), "") } };
	struct pages pages = { .left = 1 };
	struct reason why;
	uint64_t sum;

	assert_int_equal(
	    read_pages(*state, &script, &pages, &sum, &why), -EPROTO);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_are_asked_for_until_the_last),
		TEST(in_reverse_next_is_passed_as_before),
		TEST(it_ends_when_enough_have_come),
		TEST(a_server_that_turns_in_circles_is_found_out),
		TEST(more_events_than_were_asked_for_are_refused),
	};

	return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
