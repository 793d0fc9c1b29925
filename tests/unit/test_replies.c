/* SPDX-License-Identifier: BSD-2-Clause */

/* Held replies leave when their frame is done, and not before. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "writer/replies.h"

static void
hold(struct replies *r, uint64_t serial, uint64_t id)
{
	struct mp_buf *b = replies_begin(r);

	mp_pack_uint(b, id);
	assert_int_equal(
	    replies_hold(r, serial, (struct proto_uint){ true, id }, 10), 0);
}

/* Ids of the one-value frames in out, in order; empties it. */
static void
expect_ids(struct mp_buf *out, uint64_t from, uint64_t to)
{
	size_t at = 0;

	for (uint64_t id = from; id <= to; id++) {
		struct mp_item item;
		struct mp_walk w;
		uint32_t len;

		assert_true(at + 4 <= out->len);
		len = get_le32(out->p + at);
		w = mp_walk(slice_of(out->p + at + 4, len));
		assert_true(mp_next(&w, &item));
		assert_int_equal(item.u, id);
		at += 4 + len;
	}
	assert_int_equal(at, out->len);
	out->len = 0;
}

static void
replies_wait_for_their_serial(void **state)
{
	struct replies r = { { 0 } };
	struct mp_buf out = { 0 };

	for (uint64_t i = 1; i <= 300; i++)
		hold(&r, i / 3, i);
	assert_int_equal(r.request_bytes, 3000);
	assert_int_equal(replies_release(&r, 0, &out), 0);
	expect_ids(&out, 1, 2);
	assert_int_equal(replies_release(&r, 0, &out), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(replies_release(&r, 50, &out), 0);
	expect_ids(&out, 3, 152);
	hold(&r, 100, 301);
	assert_int_equal(replies_release(&r, 1000, &out), 0);
	expect_ids(&out, 153, 301);
	assert_int_equal(r.n, 0);
	assert_int_equal(r.request_bytes, 0);
	replies_deinit(&r);
	mp_buf_deinit(&out);
}

/* The queue of 64 has gone round when it grows. */
static void
replies_keep_their_order_while_the_queue_grows(void **state)
{
	struct replies r = { { 0 } };
	struct mp_buf out = { 0 };

	for (uint64_t i = 1; i <= 64; i++)
		hold(&r, i, i);
	assert_int_equal(replies_release(&r, 40, &out), 0);
	expect_ids(&out, 1, 40);
	for (uint64_t i = 65; i <= 200; i++)
		hold(&r, i, i);
	assert_int_equal(replies_release(&r, 50, &out), 0);
	expect_ids(&out, 41, 50);
	assert_int_equal(replies_release(&r, 200, &out), 0);
	expect_ids(&out, 51, 200);
	replies_deinit(&r);
	mp_buf_deinit(&out);
}

static void
a_failure_answers_unknown_to_every_held_request(void **state)
{
	struct replies r = { { 0 } };
	struct mp_buf out = { 0 };
	size_t at = 0;

	for (uint64_t i = 7; i < 10; i++)
		hold(&r, 1, i);
	assert_int_equal(replies_fail(&r, "the disk is gone", &out), 0);
	for (uint64_t i = 7; i < 10; i++) {
		struct slice msg =
		    slice_of(out.p + at + 4, get_le32(out.p + at));

		assert_true(slice_is(proto_get_str(msg, "code"), "unknown"));
		assert_int_equal(proto_get_uint(msg, "id").v, i);
		at += 4 + msg.len;
	}
	assert_int_equal(at, out.len);
	/* Nothing of them is left for the next one. */
	out.len = 0;
	hold(&r, 2, 10);
	assert_int_equal(replies_release(&r, 2, &out), 0);
	expect_ids(&out, 10, 10);
	replies_deinit(&r);
	mp_buf_deinit(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_wait_for_their_serial),
		cmocka_unit_test(
		    replies_keep_their_order_while_the_queue_grows),
		cmocka_unit_test(
		    a_failure_answers_unknown_to_every_held_request),
	};

	return cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
