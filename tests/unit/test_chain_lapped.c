/* SPDX-License-Identifier: BSD-2-Clause */

/* A gateway that the writer came past. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/chainbroker.h"
#include "tests/lib/chainfix.h"

static const struct chainfix_spec everything = { { ">" }, { NULL } };

static void
a_gateway_that_was_lapped_says_so_to_everyone(void **state)
{
	struct chainfix *w = chainfix_new(4, 64, 16384);
	struct chainfix_client *c = &w->clients[0];

	chainfix_connect(c);
	chainfix_now(c, &everything);
	chainfix_turn(w, 10000);
	for (unsigned i = 0; i < 1000; i++)
		chainfix_append(w, "a.y", 1, 100);
	chainfix_turn(w, 1000);
	assert_true(w->lapped);
	assert_int_equal(c->lagged, 1);
	chainfix_now(c, &everything);
	chainfix_append(w, "a.y", 1, 100);
	chainfix_settle(w);
	chainfix_check_level(c);
	(void)chainfix_free(w);
}

static void
a_gateway_that_was_lapped_goes_on_where_a_request_ends(void **state)
{
	struct chainfix *w = chainfix_new(4, 64, 16384);
	struct chainfix_client *c = &w->clients[0];

	chainfix_connect(c);
	for (unsigned i = 0; i < 30; i++) {
		/* The oldest event is any of its request. */
		chainfix_append(w, "a.y", 1 + i % 3, 10);
		for (unsigned k = 0; k < 40; k++)
			chainfix_append(w, "a.y", 3, 10);
		w->lapped = false;
		while (!w->lapped)
			chainfix_turn(w, 1000);
		assert_true(w->events[w->groups.done - 1].last);
	}
	chainfix_now(c, &everything);
	chainfix_append(w, "a.y", 3, 10);
	chainfix_settle(w);
	chainfix_check_level(c);
	(void)chainfix_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gateway_that_was_lapped_says_so_to_everyone),
		cmocka_unit_test(
		    a_gateway_that_was_lapped_goes_on_where_a_request_ends),
	};

	return cmocka_run_group_tests_name("chain_lapped", tests, NULL, NULL);
}
