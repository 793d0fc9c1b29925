/* SPDX-License-Identifier: BSD-2-Clause */

/* The event's bytes: made once, read back by anybody, safe on any bytes. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/mp.h"
#include "core/mpvalid.h"
#include "core/reason.h"

static const struct event sample = {
	.seq = 300,
	.time_us = 1700000000000000,
	.version = 2,
	.topic = SLICE_STR("memory.item.42"),
	.type = SLICE_STR("memory:updated"),
	.actor = SLICE_STR("ada"),
	.data = SLICE_STR("\x81\xa1"
			  "a\x01"),
};

static void
an_event_has_the_bytes_of_the_protocol_page(void **state)
{
	static const uint8_t want[] = "\x97\xcd\x01\x2c"
				      "\xcf\x00\x06\x0a\x24\x18\x1e\x40\x00"
				      "\xaememory.item.42\x02"
				      "\xaememory:updated\xa3"
				      "ada\x81\xa1"
				      "a\x01";
	uint8_t buf[200];

	assert_int_equal(event_size(&sample), sizeof(want) - 1);
	assert_ptr_equal(event_encode(&sample, buf), buf + event_size(&sample));
	assert_memory_equal(buf, want, sizeof(want) - 1);
}

static void
what_was_encoded_is_decoded_and_canonical(void **state)
{
	static const uint64_t numbers[] = { 0, 127, 128, 255, 256, 65535, 65536,
		UINT32_MAX, (uint64_t)UINT32_MAX + 1, EVENT_SEQ_MAX };
	static const size_t lengths[] = { 1, 31, 32, 64, 128, 255 };
	struct event ev = sample, back;
	uint8_t buf[1000];
	char text[256];

	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < ARRAY_LEN(numbers) * ARRAY_LEN(lengths) * 2;
	     i++) {
		size_t len = lengths[i / 2 % ARRAY_LEN(lengths)];

		ev.seq = numbers[i % ARRAY_LEN(numbers)];
		ev.version = numbers[(i + 3) % ARRAY_LEN(numbers)];
		ev.time_us = numbers[(i + 5) % ARRAY_LEN(numbers)];
		ev.topic = slice_of(text, len);
		ev.type = slice_of(text, len < 64 ? len : 64);
		ev.actor = slice_of(text, len < 128 ? len - 1 : 128);
		ev.meta =
		    i % 2 ? SLICE_STR("\x81\xa3key\xa1k") : slice_of(NULL, 0);
		uint8_t *end = event_encode(&ev, buf);
		struct slice bytes = slice_of(buf, (size_t)(end - buf));

		assert_int_equal(bytes.len, event_size(&ev));
		assert_int_equal(
		    mpvalid_check(buf, bytes.len, NULL), MPVALID_OK);
		assert_int_equal(event_decode(bytes, &back, NULL), 0);
		assert_true(back.seq == ev.seq && back.version == ev.version);
		assert_true(back.time_us == ev.time_us);
		assert_true(slice_equal(back.topic, ev.topic));
		assert_true(slice_equal(back.type, ev.type));
		assert_true(slice_equal(back.actor, ev.actor));
		assert_true(slice_equal(back.data, ev.data));
		assert_true(slice_equal(back.meta, ev.meta));
	}
}

static void
bytes_that_are_no_event_are_refused_by_the_field(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *field;
	} no[] = {
		{ "", 0, "array" },
		{ "\xc0", 1, "array" },
		{ "\x96", 1, "array" },
		{ "\x99", 1, "array" },
		{ "\x97\xff", 2, "seq" },
		{ "\x97\xcf\x00\x20\0\0\0\0\0\0", 10, "seq" },
		{ "\x97\x01\xa0", 3, "time" },
		{ "\x97\x01\x01\xa0", 4, "topic" },
		{ "\x97\x01\x01\xdb\xff\xff\xff\xff", 8, "topic" },
		{ "\x97\x01\x01\xa1t\xc0", 6, "version" },
		{ "\x97\x01\x01\xa1t\x01\xa0", 7, "type" },
		{ "\x97\x01\x01\xa1t\x01\xa1y\x01", 9, "actor" },
		{ "\x97\x01\x01\xa1t\x01\xa1y\xa0", 9, "data" },
		{ "\x98\x01\x01\xa1t\x01\xa1y\xa0\xc0", 10, "meta" },
		{ "\x98\x01\x01\xa1t\x01\xa1y\xa0\xc0\xc0", 11, "meta" },
		{ "\x98\x01\x01\xa1t\x01\xa1y\xa0\xdd\xff\xff\xff\xff", 14,
		    "data" },
	};
	struct event ev = sample;
	struct reason why;

	for (unsigned i = 0; i < ARRAY_LEN(no); i++) {
		assert_int_equal(
		    event_decode(slice_of(no[i].bytes, no[i].len), &ev, &why),
		    -EPROTO);
		assert_non_null(strstr(why.text, no[i].field));
		assert_true(slice_equal(ev.topic, sample.topic));
	}
}

static void
no_bytes_lead_beyond_their_end(void **state)
{
	uint8_t whole[200];
	uint32_t x = 7;
	size_t len;

	{
		struct event ev = sample;

		ev.meta = SLICE_STR("\x82\xa3key\xa1k\xa6schema\xcd\x01\x00");
		len = (size_t)(event_encode(&ev, whole) - whole);
	}
	for (unsigned round = 0; round < 20000; round++) {
		size_t cut = round % (len + 1);
		CLEANUP(freep) uint8_t *bytes = malloc(cut + !cut);
		struct event ev;

		memcpy(bytes, whole, cut);
		for (unsigned i = 0; cut && i < round % 4; i++) {
			x = x * 1664525 + 1013904223;
			bytes[(x >> 8) % cut] = (uint8_t)(x >> 24);
		}
		if (event_decode(slice_of(bytes, cut), &ev, NULL) == 0) {
			assert_true(ev.data.p + ev.data.len + ev.meta.len ==
				    bytes + cut);
			(void)event_meta_get(ev.meta, "schema");
		}
	}
}

static void
meta_is_looked_up_by_key(void **state)
{
	struct slice meta = SLICE_STR("\x83\x01\xa1z\xa3key\xa1k\xa5trace\xc0");

	assert_true(slice_is(event_meta_get(meta, "key"), "\xa1k"));
	assert_int_equal(event_meta_get(meta, "trace").len, 1);
	assert_int_equal(event_meta_get(meta, "k").len, 0);
	assert_int_equal(event_meta_get(slice_of(NULL, 0), "key").len, 0);
	assert_int_equal(event_meta_get(SLICE_STR("\xc0"), "key").len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_has_the_bytes_of_the_protocol_page),
		cmocka_unit_test(what_was_encoded_is_decoded_and_canonical),
		cmocka_unit_test(
		    bytes_that_are_no_event_are_refused_by_the_field),
		cmocka_unit_test(no_bytes_lead_beyond_their_end),
		cmocka_unit_test(meta_is_looked_up_by_key),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
