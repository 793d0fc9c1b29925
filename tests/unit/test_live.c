/* SPDX-License-Identifier: BSD-2-Clause */

/* Turns of a live tool: how many there are, and what is said to be wrong. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/live.h"
#include "tools/tool.h"

static const struct tool_usage usage = { .name = "pond" };

/* Complain so, where no terminal is; returns what came on stderr. */
static const char *
complain(struct live *l, const struct reason *why, unsigned n)
{
	static char text[8192];
	int was = dup(STDERR_FILENO);
	FILE *f = tmpfile();
	size_t len;

	assert_non_null(f);
	assert_true(was >= 0 && dup2(fileno(f), STDERR_FILENO) >= 0);
	live_complain(l, why, n);
	assert_true(dup2(was, STDERR_FILENO) >= 0);
	(void)close(was);
	rewind(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	(void)fclose(f);
	return text;
}

static void
a_complaint_is_made_once_until_a_turn_is_without_it(void **state)
{
	static const struct reason two[] = { { "no fish" }, { "no frogs" } };
	struct tool t = { .usage = &usage };
	struct live l = { .t = &t };

	assert_string_equal(
	    complain(&l, two, 2), "peal pond: no fish\npeal pond: no frogs\n");
	assert_string_equal(complain(&l, two, 2), "");
	/* In another place it is the same. */
	assert_string_equal(complain(&l, &two[1], 1), "");
	assert_string_equal(complain(&l, two, 2), "peal pond: no fish\n");
	assert_string_equal(complain(&l, NULL, 0), "");
	assert_string_equal(complain(&l, &two[1], 1), "peal pond: no frogs\n");
}

static void
more_complaints_than_anybody_reads_are_dropped(void **state)
{
	struct reason many[LIVE_COMPLAINTS + 3];
	struct tool t = { .usage = &usage };
	struct live l = { .t = &t };
	const char *said;
	unsigned lines = 0;

	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		snprintf(many[i].text, sizeof(many[i].text), "no %u", i);
	said = complain(&l, many, ARRAY_LEN(many));
	while ((said = strchr(said, '\n'))) {
		said++;
		lines++;
	}
	assert_int_equal(lines, LIVE_COMPLAINTS);
	assert_string_equal(complain(&l, many, ARRAY_LEN(many)), "");
}

/* --- turns --- */

struct pond {
	struct live live;
	struct tool t;
	unsigned turns;
	int status;	 /* of each turn */
	bool complaints; /* in each turn */
};

static int
pond_turn(void *arg)
{
	static const struct reason why = { "no fish" };
	struct pond *p = arg;

	p->turns++;
	(void)complain(&p->live, &why, p->complaints);
	return p->status;
}

static int
run(struct pond *p)
{
	/* As for programs: nothing is put between turns. */
	p->t = (struct tool){ .usage = &usage, .json = true };
	return live_run(&p->live, &p->t, pond_turn, p);
}

static void
without_an_interval_there_is_one_turn_or_as_many_as_were_asked_for(void **state)
{
	struct pond one = { 0 }, two = { .live.turns = 2 };

	assert_int_equal(run(&one), TOOL_OK);
	assert_int_equal(one.turns, 1);
	assert_int_equal(run(&two), TOOL_OK);
	assert_int_equal(two.turns, 2);
	assert_int_equal(two.live.interval_s, 1);
}

static void
a_turn_that_fails_is_the_last(void **state)
{
	struct pond p = { .live.turns = 3, .status = TOOL_DAMAGED };

	assert_int_equal(run(&p), TOOL_DAMAGED);
	assert_int_equal(p.turns, 1);
}

static void
one_that_ends_with_a_complaint_was_not_well(void **state)
{
	struct pond p = { .complaints = true };

	assert_int_equal(run(&p), TOOL_ERROR);
	p.status = TOOL_DAMAGED;
	assert_int_equal(run(&p), TOOL_DAMAGED);
	p = (struct pond){ 0 };
	assert_int_equal(run(&p), TOOL_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_complaint_is_made_once_until_a_turn_is_without_it),
		cmocka_unit_test(
		    more_complaints_than_anybody_reads_are_dropped),
		cmocka_unit_test(
		    without_an_interval_there_is_one_turn_or_as_many_as_were_asked_for),
		cmocka_unit_test(a_turn_that_fails_is_the_last),
		cmocka_unit_test(one_that_ends_with_a_complaint_was_not_well),
	};

	return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
