/* SPDX-License-Identifier: BSD-2-Clause */

/* Rows there and back, and whatever is no row refused within its bytes. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/json.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/row.h"

static const struct row plain = {
	.topic = SLICE_STR("a.b"),
	.version = 3,
	.seq = 70000,
	.created_us = 1700000000000000,
	.created_by = SLICE_STR("ada"),
	.updated_us = 1700000000000001,
	.updated_by = SLICE_STR("bob"),
	.value = SLICE_STR("\x81\xa1x\x05"),
};

/* The row's bytes, in memory of exactly their length; the caller frees. */
static uint8_t *
encoded(const struct row *row, size_t *len)
{
	uint8_t *p;

	*len = row_size(row);
	p = malloc(*len);
	assert_non_null(p);
	assert_ptr_equal(row_encode(row, p), p + *len);
	return p;
}

static void
a_row_is_the_array_of_the_protocol(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf want = { 0 };
	uint8_t *p CLEANUP(freep) = NULL;
	struct row deleted = plain;
	size_t len;

	p = encoded(&plain, &len);
	assert_int_equal(json_to_mp(SLICE_STR("[\"a.b\",3,70000,"
					      "1700000000000000,\"ada\","
					      "1700000000000001,\"bob\","
					      "false,{\"x\":5}]"),
			     &want, NULL),
	    0);
	assert_int_equal(len, want.len);
	assert_memory_equal(p, want.p, len);
	deleted.deleted = true;
	free(p);
	p = encoded(&deleted, &len);
	assert_int_equal(len, want.len);
	assert_int_equal(p[len - 5], 0xc3);
}

static void
same_row(const struct row *a, const struct row *b)
{
	assert_true(slice_equal(a->topic, b->topic));
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->created_us, b->created_us);
	assert_true(slice_equal(a->created_by, b->created_by));
	assert_int_equal(a->updated_us, b->updated_us);
	assert_true(slice_equal(a->updated_by, b->updated_by));
	assert_int_equal(a->deleted, b->deleted);
	assert_true(slice_equal(a->value, b->value));
}

static void
comes_back(const struct row *row)
{
	uint8_t *p CLEANUP(freep) = NULL;
	struct reason why;
	struct row back;
	size_t len;

	p = encoded(row, &len);
	assert_int_equal(mpvalid_check(p, len, &why), MPVALID_OK);
	assert_int_equal(row_decode(slice_of(p, len), &back, &why), 0);
	same_row(row, &back);
}

static void
rows_of_all_lengths_and_numbers_come_back(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 127, 128, 255, 256, 65535,
		65536, UINT32_MAX, UINT64_C(1) + UINT32_MAX, EVENT_SEQ_MAX };
	static const size_t lengths[] = { 1, 31, 32, 127, 128, 254, 255 };
	char text[256];

	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		struct row row = plain;

		row.version = row.seq = numbers[i];
		row.created_us = row.updated_us = numbers[i];
		row.deleted = i % 2;
		comes_back(&row);
	}
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		struct row row = plain;

		row.topic = slice_of(text, lengths[i]);
		row.created_by = slice_of(text, MIN(lengths[i] - 1, 128));
		row.updated_by = slice_of(text, MIN(lengths[i], 128));
		comes_back(&row);
	}
}

static void
refused(const char *json, const char *field)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	struct reason why = { "" };
	struct row row;

	assert_int_equal(json_to_mp(slice_cstr(json), &b, &why), 0);
	assert_int_equal(row_decode(slice_of(b.p, b.len), &row, &why), -EPROTO);
	if (!strstr(why.text, field))
		fail_msg("'%s': '%s'", json, why.text);
}

static void
what_is_no_row_is_refused_by_its_field(void **state)
{
	refused("{}", "array of 9");
	refused("[\"a\",1,1,1,\"\",1,\"\",false]", "array of 9");
	refused("[\"a\",1,1,1,\"\",1,\"\",false,1,1]", "array of 9");
	refused("[\"\",1,1,1,\"\",1,\"\",false,1]", "topic");
	refused("[5,1,1,1,\"\",1,\"\",false,1]", "topic");
	refused("[\"a\",-1,1,1,\"\",1,\"\",false,1]", "version");
	refused("[\"a\",9007199254740992,1,1,\"\",1,\"\",false,1]", "version");
	refused("[\"a\",1,9007199254740992,1,\"\",1,\"\",false,1]", "seq");
	refused("[\"a\",1,1,9223372036854775808,\"\",1,\"\",false,1]",
	    "created_time");
	refused("[\"a\",1,1,1,null,1,\"\",false,1]", "created_by");
	refused("[\"a\",1,1,1,\"\",1.0,\"\",false,1]", "updated_time");
	refused("[\"a\",1,1,1,\"\",1,3,false,1]", "updated_by");
	refused("[\"a\",1,1,1,\"\",1,\"\",0,1]", "deleted");
}

static void
a_row_cut_short_is_refused(void **state)
{
	uint8_t *p CLEANUP(freep) = NULL;
	struct row row;
	size_t len, head;

	p = encoded(&plain, &len);
	head = len - plain.value.len;
	for (size_t n = 0; n <= head; n++) {
		uint8_t *cut = malloc(n + !n);

		assert_non_null(cut);
		memcpy(cut, p, n);
		assert_int_equal(
		    row_decode(slice_of(cut, n), &row, NULL), -EPROTO);
		free(cut);
	}
	assert_int_equal(row_decode(slice_of(p, head + 1), &row, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_the_array_of_the_protocol),
		cmocka_unit_test(rows_of_all_lengths_and_numbers_come_back),
		cmocka_unit_test(what_is_no_row_is_refused_by_its_field),
		cmocka_unit_test(a_row_cut_short_is_refused),
	};

	return cmocka_run_group_tests_name("row", tests, NULL, NULL);
}
