/* SPDX-License-Identifier: BSD-2-Clause */

/* Blocks: the bytes of a batch and of a message, at each width of a head. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "gateway/block.h"

/* The payload behind a WebSocket head, which is checked. */
static struct slice
payload_of(const struct block *b)
{
	const uint8_t *p = b->bytes + b->start;
	size_t len = b->end - b->start, head = 2, said = p[1];

	assert_int_equal(p[0], 0x82);
	if (p[1] == 126) {
		head = 4;
		said = (size_t)p[2] << 8 | p[3];
		assert_true(said > 125);
	} else if (p[1] == 127) {
		head = 10;
		said = 0;
		for (unsigned i = 2; i < 10; i++)
			said = said << 8 | p[i];
		assert_true(said > UINT16_MAX);
	}
	assert_int_equal(said, len - head);
	return slice_of(p + head, said);
}

static void
a_message_has_the_shortest_head(void **state)
{
	static const size_t lengths[] = { 0, 1, 124, 125, 126, 127, 65534,
		65535, 65536, 65537 };
	static uint8_t bytes[65537];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		struct block *b = block_message(slice_of(bytes, lengths[i]));
		struct slice payload = payload_of(b);

		assert_int_equal(payload.len, lengths[i]);
		assert_memory_equal(payload.p, bytes, lengths[i]);
		assert_null(block_unref(b));
	}
}

static uint64_t
next_uint(struct mp_walk *w)
{
	struct mp_item item;

	assert_true(mp_next(w, &item));
	assert_int_equal(item.type, MP_UINT);
	return item.u;
}

static void
a_batch_is_its_chain_and_its_events(void **state)
{
	static const uint64_t chain[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff,
		0x10000, UINT32_MAX, UINT32_MAX + UINT64_C(1),
		(UINT64_C(1) << 53) - 1 };
	static const uint32_t counts[] = { 0, 1, 12, 13, 14, 15, 16, 65532,
		65533, 65534 };

	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		uint64_t after = chain[i], upto = chain[i + 1];
		struct block *b = block_new(counts[i]);
		struct mp_item item;
		struct mp_walk w;

		for (uint32_t n = 0; n < counts[i]; n++)
			block_add(b, (const uint8_t *)"\xc0", 1);
		block_finish_batch(b, after, upto);
		assert_int_equal(b->after, after);
		assert_int_equal(b->upto, upto);
		assert_int_equal(b->n_events, counts[i]);

		w = mp_walk(payload_of(b));
		assert_true(mp_next(&w, &item));
		assert_int_equal(item.type, MP_ARRAY);
		assert_int_equal(item.n, counts[i] + 2);
		assert_int_equal(next_uint(&w), after);
		assert_int_equal(next_uint(&w), upto);
		assert_int_equal(w.end - w.p, counts[i]);
		block_unref(b);
	}
}

static void
the_last_reference_frees(void **state)
{
	struct block *b = block_new(1);

	assert_ptr_equal(block_ref(b), b);
	assert_int_equal(b->refs, 2);
	assert_null(block_unref(b));
	assert_int_equal(b->refs, 1);
	assert_null(block_unref(b));
	assert_null(block_unref(NULL));
}

static void
a_size_beyond_32_bits_is_refused(void **state)
{
	assert_null(block_new(UINT32_MAX));
	assert_null(block_new(UINT32_MAX - BLOCK_HEADROOM + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_has_the_shortest_head),
		cmocka_unit_test(a_batch_is_its_chain_and_its_events),
		cmocka_unit_test(the_last_reference_frees),
		cmocka_unit_test(a_size_beyond_32_bits_is_refused),
	};

	return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
