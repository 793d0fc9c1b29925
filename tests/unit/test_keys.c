/* SPDX-License-Identifier: BSD-2-Clause */

/* Keys: a repeat is known, anything else that touches a key is not one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "writer/keys.h"

static const uint8_t print_a[16] = "fingerprint of a";
static const uint8_t print_b[16] = "fingerprint of b";

static struct key_id
id(const struct keys *ks, unsigned i)
{
	char buf[32];

	return keys_id(ks, SLICE_STR("actor"),
	    slice_of(buf, (size_t)snprintf(buf, 32, "key-%u", i)));
}

static void
add(struct keys *ks, unsigned first, unsigned n, uint64_t seq)
{
	struct keys_request req = { .first_seq = seq, .time_us = seq, .n = n };
	struct key_id ids[8];
	uint64_t versions[8];

	memcpy(req.fingerprint, print_a, 16);
	for (unsigned i = 0; i < n; i++) {
		ids[i] = id(ks, first + i);
		versions[i] = seq * 10 + i;
	}
	assert_int_equal(keys_add(ks, &req, ids, versions), 0);
}

static int
look_up(struct keys *ks, const unsigned *which, unsigned n,
    const uint8_t *print, struct keys_request *req, uint64_t *versions)
{
	struct key_id ids[8];
	uint32_t known;

	for (unsigned i = 0; i < n; i++)
		ids[i] = id(ks, which[i]);
	return keys_look_up(ks, ids, n, print, req, versions, &known);
}

static void
a_repeat_gets_the_original_answer(void **state)
{
	struct keys *ks = keys_new(100);
	struct keys_request req;
	uint64_t versions[8];

	add(ks, 0, 1, 5);
	add(ks, 10, 3, 6);
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 10, 11, 12 }, 3, print_a, &req, versions),
	    KEYS_REPEAT);
	assert_int_equal(req.first_seq, 6);
	assert_int_equal(versions[2], 62);
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 99 }, 1, print_a, &req, versions),
	    KEYS_NEW);
	keys_free(ks);
}

static void
whatever_else_touches_a_known_key_is_refused(void **state)
{
	struct keys *ks = keys_new(100);
	struct keys_request req;
	uint64_t v[8];

	add(ks, 10, 3, 6);
	/* another fingerprint, a part, another order, more, a mixture */
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 10, 11, 12 }, 3, print_b, &req, v),
	    KEYS_REUSED);
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 10, 11 }, 2, print_a, &req, v),
	    KEYS_REUSED);
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 11, 10, 12 }, 3, print_a, &req, v),
	    KEYS_REUSED);
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 10, 12, 11 }, 3, print_a, &req, v),
	    KEYS_REUSED);
	/* the same but for one: another actor's, say */
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 10, 11, 98 }, 3, print_a, &req, v),
	    KEYS_REUSED);
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 10, 11, 12, 13 }, 4, print_a, &req, v),
	    KEYS_REUSED);
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 99, 11, 12 }, 3, print_a, &req, v),
	    KEYS_REUSED);
	keys_free(ks);
}

static void
the_oldest_requests_are_forgotten_whole(void **state)
{
	struct keys *ks = keys_new(10);
	struct keys_request req;
	uint64_t v[8];

	assert_int_equal(keys_reach_us(ks), 0);
	for (unsigned i = 0; i < 2000; i++)
		add(ks, i * 3, 3, i + 1);
	/* Ten keys hold three requests of three. */
	assert_int_equal(keys_requests(ks), 3);
	assert_int_equal(keys_reach_us(ks), 1998);
	for (unsigned i = 1997; i < 2000; i++)
		assert_int_equal(
		    look_up(ks, (unsigned[]){ i * 3, i * 3 + 1, i * 3 + 2 }, 3,
			print_a, &req, v),
		    KEYS_REPEAT);
	assert_int_equal(
	    look_up(ks, (unsigned[]){ 1996 * 3 }, 1, print_a, &req, v),
	    KEYS_NEW);
	keys_free(ks);
}

static void
keys_belong_to_their_actor(void **state)
{
	struct keys *ks = keys_new(10);
	struct key_id a = keys_id(ks, SLICE_STR("ab"), SLICE_STR("c"));
	struct key_id b = keys_id(ks, SLICE_STR("a"), SLICE_STR("bc"));
	struct key_id c = keys_id(ks, SLICE_STR("xy"), SLICE_STR("c"));
	struct key_id again = keys_id(ks, SLICE_STR("ab"), SLICE_STR("c"));

	assert_true(memcmp(&a, &b, sizeof(a)) != 0);
	assert_true(memcmp(&a, &c, sizeof(a)) != 0);
	assert_memory_equal(&a, &again, sizeof(a));
	keys_free(ks);
}

/* Reserved or not, the same keys are known; no count asks for too much. */
static void
room_that_was_reserved_changes_nothing(void **state)
{
	static const uint64_t counts[] = { 0, 1, 9, 10, 11, 5000, UINT64_MAX };

	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		struct keys *ks = keys_new(10);
		struct keys_request req;
		uint64_t versions[3];

		assert_int_equal(keys_reserve(ks, counts[i], counts[i]), 0);
		for (unsigned k = 0; k < 4; k++)
			add(ks, 3 * k, 3, 1 + k);
		assert_int_equal(keys_requests(ks), 3);
		assert_int_equal(look_up(ks, (unsigned[]){ 0, 1, 2 }, 3,
				     (uint8_t[16]){ 0 }, &req, versions),
		    KEYS_NEW);
		assert_int_not_equal(look_up(ks, (unsigned[]){ 9, 10, 11 }, 3,
					 (uint8_t[16]){ 0 }, &req, versions),
		    KEYS_NEW);
		keys_free(ks);
	}
}

/* Three have one home, and the first to be forgotten is the one that is there. */
static void
keys_that_share_a_home_outlive_the_one_that_had_it(void **state)
{
	const struct key_id ids[] = { { { 7, 1 } }, { { 7, 2 } }, { { 7, 3 } },
		{ { 99, 4 } } };
	struct keys *ks = keys_new(3);
	struct keys_request req = { .n = 1 };
	uint64_t version = 1;
	uint32_t known;

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(keys_add(ks, &req, &ids[i], &version), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(keys_look_up(ks, &ids[i], 1, req.fingerprint,
				     &req, &version, &known),
		    i > 0 ? KEYS_REPEAT : KEYS_NEW);
	keys_free(ks);
}

static void
keys_are_known_however_the_table_grows(void **state)
{
	struct keys *ks = keys_new(100000);
	struct keys_request req;
	uint64_t v[8];

	for (unsigned i = 0; i < 5000; i++)
		add(ks, i, 1, i + 1);
	for (unsigned i = 0; i < 5000; i++) {
		assert_int_equal(
		    look_up(ks, (unsigned[]){ i }, 1, print_a, &req, v),
		    KEYS_REPEAT);
		assert_int_equal(req.first_seq, i + 1);
	}
	keys_free(ks);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repeat_gets_the_original_answer),
		cmocka_unit_test(whatever_else_touches_a_known_key_is_refused),
		cmocka_unit_test(the_oldest_requests_are_forgotten_whole),
		cmocka_unit_test(keys_belong_to_their_actor),
		cmocka_unit_test(
		    keys_that_share_a_home_outlive_the_one_that_had_it),
		cmocka_unit_test(keys_are_known_however_the_table_grows),
		cmocka_unit_test(room_that_was_reserved_changes_nothing),
	};

	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
