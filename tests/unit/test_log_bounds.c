/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The small files that say from where to where the log goes, FLOOR and the
 * witnesses: what is in them is believed only where all of it makes sense.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/fs.h"
#include "log/format_priv.h"
#include "log/segment.h"
#include "log/witness.h"
#include "tests/lib/modelfix.h"

/* A field of eight bytes, or of four, in a file whose CRC is made anew. */
struct field {
	unsigned at, width, crc_at;
	uint64_t value;
};

static void
set_field(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct field *f = arg;

	assert_true(f->crc_at + 4 <= size);
	if (f->width == 8)
		put_le64(bytes + f->at, f->value);
	else
		put_le32(bytes + f->at, (uint32_t)f->value);
	put_le32(bytes + f->crc_at, crc32c(0, bytes, f->crc_at));
}

static const struct log_floor whole = { .log_id = "of this log",
	.epoch = 3,
	.seq = 41,
	.number = 5 };

/* What comes of reading the floor with one field changed. */
static int
read_floor(struct modelfix *m, unsigned at, unsigned width, uint64_t value)
{
	struct field f = { at, width, 124, value };
	struct log_floor floor;

	assert_int_equal(
	    floor_write(m->fx.io, m->fx.dirfd, &whole, &m->fx.why), 0);
	filemodel_edit(m->fm, FLOOR_NAME, set_field, &f);
	return floor_read(m->fx.io, m->fx.dirfd, &floor, &m->fx.why);
}

static void
a_floor_is_what_was_written(void **state)
{
	struct modelfix *m = *state;
	struct log_floor floor;

	assert_int_equal(
	    floor_read(m->fx.io, m->fx.dirfd, &floor, &m->fx.why), FLOOR_NONE);
	assert_int_equal(floor.seq, 1);
	assert_int_equal(
	    floor_write(m->fx.io, m->fx.dirfd, &whole, &m->fx.why), 0);
	assert_int_equal(
	    floor_read(m->fx.io, m->fx.dirfd, &floor, &m->fx.why), FLOOR_READ);
	assert_memory_equal(floor.log_id, whole.log_id, sizeof(floor.log_id));
	assert_int_equal(floor.epoch, whole.epoch);
	assert_int_equal(floor.seq, whole.seq);
	assert_int_equal(floor.number, whole.number);
}

/* A later peal may have meant anything by it. */
static void
a_floor_of_another_version_is_refused_by_name(void **state)
{
	struct modelfix *m = *state;

	assert_int_equal(read_floor(m, 8, 4, 2), -ENOTSUP);
	assert_non_null(strstr(m->fx.why.text, "format version 2"));
}

/* Nothing is in front of the first event, or of the first segment. */
static void
a_floor_that_gives_up_nothing_is_damaged(void **state)
{
	struct modelfix *m = *state;

	assert_int_equal(read_floor(m, 40, 8, 2), FLOOR_READ);
	assert_int_equal(read_floor(m, 40, 8, 1), FLOOR_BAD);
	assert_int_equal(read_floor(m, 48, 8, 2), FLOOR_READ);
	assert_int_equal(read_floor(m, 48, 8, 1), FLOOR_BAD);
	assert_int_equal(read_floor(m, 0, 8, 7), FLOOR_BAD);
}

/* What comes of reading the witness with one field changed. */
static int
read_witness(struct modelfix *m, unsigned at, unsigned width, uint64_t value)
{
	struct field f = { at, width, 60, value };
	struct log_witness wit = { .seq = 0 };
	int got;

	modelfix_store_witness(m, 7);
	filemodel_edit(m->fm, WITNESS_NAME, set_field, &f);
	got =
	    witness_load(m->fx.io, m->fx.dirfd, WITNESS_NAME, &wit, &m->fx.why);
	assert_int_equal(wit.seq, got == WITNESS_LOADED ? 7 : 0);
	return got;
}

static void
a_witness_of_another_kind_or_version_says_nothing(void **state)
{
	struct modelfix *m = *state;

	assert_int_equal(read_witness(m, 8, 4, 1), WITNESS_LOADED);
	assert_int_equal(read_witness(m, 8, 4, 2), WITNESS_BAD);
	assert_int_equal(read_witness(m, 0, 8, 7), WITNESS_BAD);
	assert_non_null(strstr(m->fx.why.text, "'durable.wit' is damaged"));
}

/* One of an older epoch knew another history. */
static void
a_witness_is_of_its_log_and_of_no_later_epoch(void **state)
{
	struct segment_header h = { .log_id = "of this log", .epoch = 3 };
	struct log_witness wit = { .log_id = "of this log", .epoch = 3 };

	(void)state;
	assert_true(witness_is_of(&wit, &h));
	wit.epoch = 4;
	assert_true(witness_is_of(&wit, &h));
	wit.epoch = 2;
	assert_false(witness_is_of(&wit, &h));
	wit.epoch = 3;
	wit.log_id[15] ^= 1;
	assert_false(witness_is_of(&wit, &h));
}

static void
a_broker_that_never_ran_remembers_nothing(void **state)
{
	struct log_witness wit;
	struct reason why;

	(void)state;
	assert_int_equal(
	    witness_load_broker("/nowhere/broker", &wit, &why), WITNESS_NONE);
	assert_int_equal(
	    witness_load_broker("/dev/null", &wit, &why), -ENOTDIR);
	assert_non_null(strstr(why.text, "cannot open '/dev/null'"));
}

#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_floor_is_what_was_written),
		TEST(a_floor_of_another_version_is_refused_by_name),
		TEST(a_floor_that_gives_up_nothing_is_damaged),
		TEST(a_witness_of_another_kind_or_version_says_nothing),
		cmocka_unit_test(a_witness_is_of_its_log_and_of_no_later_epoch),
		cmocka_unit_test(a_broker_that_never_ran_remembers_nothing),
	};

	return cmocka_run_group_tests_name("log_bounds", tests, NULL, NULL);
}
