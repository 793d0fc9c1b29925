/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests for which there is no room, yet or at all: they leave nothing
 * behind, and those that come later are answered as if they had never been.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/seed.h"
#include "tests/lib/seqfix.h"
#include "writer/space.h"

static uint64_t seed;

/* New topics, old ones, and one that must be where it was. */
static const struct ask asks[] = {
	{ .n = 1, .key = 1, .ev = { { .topic = 0, .expect = 0 } } },
	{ .n = 2,
	    .key = -1,
	    .ev = { { .topic = 1, .expect = 0 },
		{ .topic = 1, .expect = ASK_EXISTS } } },
	{ .n = 1, .key = 2, .ev = { { .topic = 2, .expect = ASK_ANY } } },
};

/* Each of them comes to that, as often as it is asked for. */
static void
ask_all(struct seqfix *sf, enum seqfix_asked outcome)
{
	for (unsigned tries = outcome == SEQFIX_RIGHT ? 1 : 3; tries > 0;
	     tries--)
		for (size_t i = 0; i < ARRAY_LEN(asks); i++)
			if (seqfix_ask(sf, &asks[i]) != (int)outcome)
				fail_msg(
				    "request %d: %s", (int)i, sf->why.text);
}

/* Nothing of a request but its answer. */
static void
expect_no_trace(struct seqfix *sf)
{
	assert_int_equal(versions_count(sf->st.versions), 0);
	assert_int_equal(keys_requests(sf->st.keys), 0);
	assert_int_equal(sf->st.head_seq, 0);
}

static void
what_finds_no_room_leaves_no_trace(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = filemodel_new(seed);
	static struct ledger ledger;
	static struct seqfix sf;

	memset(&ledger, 0, sizeof(ledger));
	seqfix_init(&sf, fm, &ledger, seed);
	sf.segment_bytes = 4 << 20;
	assert_int_equal(seqfix_start(&sf, true), 0);
	/* The first spare is not there yet. */
	ask_all(&sf, SEQFIX_WAIT);
	expect_no_trace(&sf);
	filemodel_set_room(fm, 1 << 20);
	space_try(sf.space);
	ask_all(&sf, SEQFIX_FULL);
	expect_no_trace(&sf);
	filemodel_set_room(fm, 1 << 30);
	space_try(sf.space);
	ask_all(&sf, SEQFIX_RIGHT);
	assert_int_equal(seqfix_flush(&sf), 0);
	sf.tail.last_seq = ledger.n;
	if (!seqfix_good(&sf))
		fail_msg("%s", sf.why.text);
	seqfix_stop(&sf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_finds_no_room_leaves_no_trace),
	};

	seed = seed_draw();
	return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
