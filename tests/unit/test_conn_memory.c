/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A connection with each allocation failing, alone or with all behind it: it
 * is served or it ends, whoever comes next is served, and nothing of it is
 * left.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/ws.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/edgefix.h"
#include "tests/lib/nomemory.h"

enum {
	LONG = 5000, /* bytes of a message that comes in pieces */
	FIN = 0x80,
};

static const char head[] =
    "GET /v1/ws HTTP/1.1\r\n" EDGE_UPGRADE_HEADERS "\r\n";

/* A head in two pieces, then a message in two fragments. */
static void
say_in_pieces(struct edge_client *c, unsigned step)
{
	static const uint8_t text[LONG] = "xyz";
	size_t half = sizeof(head) / 2;

	switch (step) {
	case 0:
		edge_write(c, head, half);
		break;
	case 1:
		edge_write(c, head + half, sizeof(head) - 1 - half);
		break;
	case 2:
		edge_send(c, WS_BINARY, text, LONG / 2);
		break;
	case 3:
		edge_send(c, FIN, text + LONG / 2, LONG / 2);
		break;
	default:
		break;
	}
}

/* All of the message came back behind the answer to the head. */
static bool
is_served(const struct edge_client *c)
{
	return c->len > LONG && memmem(c->in, c->len, "xyz", 3) &&
	       c->len - (size_t)((uint8_t *)memmem(c->in, c->len, "xyz", 3) -
				 c->in) >=
		   LONG;
}

/* false: the connection has ended. */
static bool
talk(struct edgefix *fx)
{
	struct edge_client *c;
	bool served;

	nomemory_hold();
	c = edge_connect_plain(fx);
	nomemory_release();
	edgefix_deadline(fx);
	for (unsigned step = 0; !c->eof && !is_served(c); step++) {
		if (!edgefix_pass(fx))
			fail_msg("neither served nor ended");
		nomemory_hold();
		edge_poll(c);
		if (!c->eof)
			say_in_pieces(c, step);
		nomemory_release();
	}
	served = is_served(c);
	nomemory_hold();
	edge_free(c);
	nomemory_release();
	EDGE_UNTIL(fx, fx->closed == fx->opened);
	return served;
}

static void
a_connection_is_served_or_ends(void **state)
{
	static const char *const options[] = {
		"gateway.listen_plain=127.0.0.1:0", NULL
	};
	struct edgefix *fx = *state;
	unsigned ended = 0, descriptors;

	edgefix_start(fx, options);
	fx->echo = fx->hello = true;
	assert_true(talk(fx));
	descriptors = descriptors_open();
	for (int for_good = 0; for_good < 2; for_good++) {
		bool fired = true;

		for (unsigned n = 1; fired; n++) {
			bool served;

			nomemory_at(n, for_good);
			served = talk(fx);
			fired = nomemory_end();
			assert_true(fired || served);
			ended += !served;
			assert_true(talk(fx));
		}
	}
	assert_true(ended > 2);
	assert_int_equal(descriptors_open(), descriptors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_connection_is_served_or_ends,
		    edgefix_setup, edgefix_teardown),
	};

	return cmocka_run_group_tests_name("conn_memory", tests, NULL, NULL);
}
