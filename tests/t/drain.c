/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What clients see of a gateway that is told to stop: an answer to the append
 * in hand, `draining`, and the end at a moment of their own.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/live.h"

enum {
	CLIENTS = 8
};

static void
a_stopping_gateway_sends_each_client_away_in_its_turn(void **state)
{
	const char *pid = getenv("PEAL_GATEWAY");
	struct client clients[CLIENTS];
	uint64_t slots[CLIENTS];
	int64_t begun;

	assert_non_null(pid);
	for (unsigned i = 0; i < CLIENTS; i++) {
		live_open(&clients[i], live_token());
		assert_true(
		    client_subscribe(&clients[i], 1, "drain.>", CLIENT_NOW));
	}
	live_say(clients[0].wire,
	    "{\"op\":\"append\",\"id\":2,\"events\":[{\"topic\":\"drain.x\","
	    "\"type\":\"set\",\"data\":1}]}");
	begun = wire_now_ms();
	assert_int_equal(kill((pid_t)atol(pid), SIGTERM), 0);
	assert_int_equal(
	    client_await(&clients[0], "appended", WIRE_DEADLINE_MS),
	    CLIENT_CONTROL);
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_int_equal(
		    client_await(&clients[i], "draining", WIRE_DEADLINE_MS),
		    CLIENT_CONTROL);
		slots[i] = client_uint(&clients[i], "in", UINT64_MAX);
		assert_true(slots[i] <= 2000);
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(slots[i], slots[j]);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		live_ends(clients[i].wire, 1012);
		assert_true(wire_now_ms() - begun >= (int64_t)slots[i] - 50);
		client_close(&clients[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_stopping_gateway_sends_each_client_away_in_its_turn),
	};

	if (!live_init())
		return 1;
	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
