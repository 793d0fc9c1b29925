/* SPDX-License-Identifier: BSD-2-Clause */

/* The chain as a client checks it: right ones pass, each wrong one is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/mp.h"
#include "core/reason.h"
#include "tools/follow.h"

static void
pack_event(struct mp_buf *b, uint64_t seq)
{
	static const uint8_t nil[] = { 0xc0 };
	const struct event ev = { .seq = seq,
		.time_us = 1,
		.version = seq ? 1 : 0,
		.topic = SLICE_STR("a.b"),
		.type = SLICE_STR("t"),
		.data = { nil, 1 } };
	uint8_t *at = mp_buf_reserve(b, event_size(&ev));

	b->len += (size_t)(event_encode(&ev, at) - at);
}

static void
pack_batch(struct mp_buf *b, uint64_t after, uint64_t upto,
    const uint64_t *seqs, uint32_t n)
{
	mp_pack_array(b, 2 + n);
	mp_pack_uint(b, after);
	mp_pack_uint(b, upto);
	for (uint32_t i = 0; i < n; i++)
		pack_event(b, seqs[i]);
}

static void
pack_replay(struct mp_buf *b, uint64_t after, uint64_t upto, bool last)
{
	mp_pack_map(b, 6);
	mp_pair_cstr(b, "op", "replay");
	mp_pair_uint(b, "id", FOLLOW_ID);
	mp_pair_uint(b, "after", after);
	mp_pair_uint(b, "upto", upto);
	mp_pack_cstr(b, "events");
	mp_pack_array(b, 1);
	pack_event(b, upto);
	mp_pair_bool(b, "last", last);
}

static void
pack_welcome(struct mp_buf *b, const char *log)
{
	mp_pack_map(b, 3);
	mp_pair_cstr(b, "op", "welcome");
	mp_pair_cstr(b, "log", log);
	mp_pair_uint(b, "head", 10);
}

static void
pack_subscribed(struct mp_buf *b, uint64_t seq)
{
	mp_pack_map(b, 3);
	mp_pair_cstr(b, "op", "subscribed");
	mp_pair_uint(b, "id", FOLLOW_ID);
	mp_pair_uint(b, "seq", seq);
}

/* Feed what b holds, and empty it. */
static int
take(struct follow *f, struct mp_buf *b, struct follow_message *got)
{
	struct reason why = { "" };
	int err = follow_take(f, slice_of(b->p, b->len), got, &why);

	if (err < 0)
		assert_true(why.text[0] != '\0');
	mp_buf_deinit(b);
	*b = (struct mp_buf){ 0 };
	return err;
}

/* Live at 10. */
static void
go_live(struct follow *f)
{
	struct follow_message got;
	struct mp_buf b = { 0 };

	pack_welcome(&b, "log-1");
	assert_int_equal(take(f, &b, &got), 0);
	assert_int_equal(got.kind, FOLLOW_WELCOME);
	pack_subscribed(&b, 10);
	assert_int_equal(take(f, &b, &got), 0);
	assert_true(f->live);
}

static void
an_unbroken_chain_moves_the_position(void **state)
{
	static const uint64_t first[] = { 12, 0, 13 }, second[] = { 20 };
	struct follow_message got;
	struct follow f = { 0 };
	struct mp_buf b = { 0 };

	go_live(&f);
	pack_batch(&b, 10, 15, first, 3);
	assert_int_equal(take(&f, &b, &got), 0);
	assert_int_equal(got.n, 3);
	pack_batch(&b, 15, 15, NULL, 0);
	assert_int_equal(take(&f, &b, &got), 0);
	pack_batch(&b, 15, 20, second, 1);
	assert_int_equal(take(&f, &b, &got), 0);
	assert_int_equal(f.position, 20);
	assert_int_equal(f.last_seq, 20);
}

static void
each_way_to_break_the_chain_is_told(void **state)
{
	static const struct {
		const char *what;
		uint64_t after, upto, seqs[2];
		uint32_t n;
	} cases[] = {
		{ "a gap", 11, 12, { 12 }, 1 },
		{ "an overlap", 9, 12, { 12 }, 1 },
		{ "backwards", 10, 9, { 0 }, 0 },
		{ "an event beyond upto", 10, 12, { 13 }, 1 },
		{ "an event that was before", 10, 12, { 10 }, 1 },
		{ "the same event twice", 10, 12, { 12, 12 }, 2 },
		{ "events out of order", 10, 12, { 12, 11 }, 2 },
	};
	struct follow_message got;
	struct mp_buf b = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct follow f = { 0 };

		go_live(&f);
		pack_batch(&b, cases[i].after, cases[i].upto, cases[i].seqs,
		    cases[i].n);
		if (take(&f, &b, &got) >= 0)
			fail_msg("%s went unnoticed", cases[i].what);
	}
}

static void
a_replay_leads_from_the_position_to_live(void **state)
{
	struct follow f = { .positioned = true, .position = 4 };
	static const uint64_t live[] = { 11 };
	struct follow_message got;
	struct mp_buf b = { 0 };

	pack_replay(&b, 4, 8, false);
	assert_int_equal(take(&f, &b, &got), 0);
	assert_int_equal(got.kind, FOLLOW_EVENTS);
	assert_false(f.live);
	pack_replay(&b, 8, 10, true);
	assert_int_equal(take(&f, &b, &got), 0);
	assert_true(f.live);
	pack_batch(&b, 10, 11, live, 1);
	assert_int_equal(take(&f, &b, &got), 0);
	assert_int_equal(f.position, 11);
}

static void
a_replay_that_skips_is_told(void **state)
{
	struct follow f = { .positioned = true, .position = 4 };
	struct follow_message got;
	struct mp_buf b = { 0 };

	pack_replay(&b, 5, 8, false);
	assert_true(take(&f, &b, &got) < 0);
}

static void
a_batch_before_live_is_told(void **state)
{
	struct follow f = { .positioned = true, .position = 4 };
	static const uint64_t seqs[] = { 5 };
	struct follow_message got;
	struct mp_buf b = { 0 };

	pack_batch(&b, 4, 5, seqs, 1);
	assert_true(take(&f, &b, &got) < 0);
}

static void
another_log_is_noticed_in_its_welcome(void **state)
{
	struct follow_message got;
	struct follow f = { 0 };
	struct mp_buf b = { 0 };

	go_live(&f);
	follow_disconnected(&f);
	pack_welcome(&b, "log-1");
	assert_int_equal(take(&f, &b, &got), 0);
	assert_false(f.log_changed);
	pack_welcome(&b, "log-2");
	assert_int_equal(take(&f, &b, &got), 0);
	assert_true(f.log_changed);
}

static void
malformed_messages_are_refused(void **state)
{
	static const uint8_t bad[][4] = {
		{ 0xc1 },
		{ 0x91, 0x01 },
		{ 0x92, 0xa1, 'x', 0x01 },
		{ 0xdd, 0xff, 0xff, 0xff },
		{ 0x07 },
	};
	static const size_t lens[] = { 1, 2, 4, 4, 1 };
	struct follow_message got;
	struct mp_buf b = { 0 };

	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
		for (int trusting = 0; trusting < 2; trusting++) {
			struct follow f = { 0 };

			go_live(&f);
			f.trusting = trusting;
			mp_buf_bytes(&b, bad[i], lens[i]);
			assert_true(take(&f, &b, &got) < 0);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unbroken_chain_moves_the_position),
		cmocka_unit_test(each_way_to_break_the_chain_is_told),
		cmocka_unit_test(a_replay_leads_from_the_position_to_live),
		cmocka_unit_test(a_replay_that_skips_is_told),
		cmocka_unit_test(a_batch_before_live_is_told),
		cmocka_unit_test(another_log_is_noticed_in_its_welcome),
		cmocka_unit_test(malformed_messages_are_refused),
	};

	return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
