/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Repairs of logs that dice have damaged, and of disks on which some call
 * fails: there is a log of which nothing is another, or a sentence.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/repairfix.h"
#include "tests/lib/seed.h"

enum {
	SEGMENT = sizeof(((struct modelfix_copy *)0)->bytes),
	LAST = 60, /* of modelfix_fill_segments() */
};

/* A call fails: there is no repaired log, and the one that was is the same. */
static void
no_call_that_fails_is_overlooked(void **state)
{
	static const int errors[] = { -EIO, -ENOSPC };
	struct modelfix *m = *state;
	unsigned tried = 0;

	modelfix_fill_segments(m);
	modelfix_spoil(m, modelfix_named(m, 25), modelfix_page(1), 1);
	logfix_stop(&m->fx);
	for (uint64_t n = 1, more = 1; more; n++) {
		struct modelfix c = *m;
		struct log_repair r;
		int err, fd;

		c.fm = filemodel_clone(m->fm);
		c.fx.io = filemodel_io(c.fm);
		assert_int_equal(repairfix_plan(&c, &r), LOG_REPAIR_PLANNED);
		fd = modelfix_directory(&c, "made");
		filemodel_fail_at(c.fm, filemodel_calls(c.fm) + n,
		    errors[n % ARRAY_LEN(errors)]);
		err = log_repair_make(c.fx.io, c.fx.dirfd, fd, &r, &c.fx.why);
		more = filemodel_fired(c.fm);
		filemodel_fail_at(c.fm, 0, 0);
		tried += more != 0;
		if (err == 0)
			repairfix_check(&c, fd, &r, 1);
		else
			assert_true(more && c.fx.why.text[0]);
		log_repair_deinit(&r);
		assert_int_equal(repairfix_plan(&c, &r), LOG_REPAIR_PLANNED);
		assert_string_equal(repairfix_ranges(&r), "28..30");
		log_repair_deinit(&r);
		(void)filemodel_free(c.fm);
	}
	assert_true(tried > 50);
}

static uint64_t
any_segment(struct modelfix *m, uint64_t *seed)
{
	struct segment_list list;
	uint64_t first = 0;

	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	if (list.n > 0)
		first = list.v[filemodel_next(seed) % list.n].name_first_seq;
	segment_list_deinit(&list);
	return first;
}

/* Some of the log's bytes, files or both are gone or wrong. */
static void
damage(struct modelfix *m, uint64_t *seed)
{
	unsigned n = 1 + filemodel_next(seed) % 4;

	for (unsigned i = 0; i < n; i++) {
		uint64_t first = any_segment(m, seed);
		uint64_t at = filemodel_next(seed) % SEGMENT;
		size_t len = 1 + filemodel_next(seed) % 3000;
		const char *name = modelfix_named(m, first);

		if (!*name)
			continue;
		if (filemodel_next(seed) % 5 == 0)
			filemodel_put_aside(m->fm, name, NULL);
		else
			modelfix_spoil(m, name, at, MIN(len, SEGMENT - at));
	}
}

/* Crashes on the way, with and without an IDLE frame, and torn tails. */
static void
fill_and_crash(struct modelfix *m, uint64_t *seed)
{
	for (unsigned i = 0; i < 6; i++) {
		logfix_start(&m->fx);
		logfix_fill(&m->fx, 1 + filemodel_next(seed) % 6, 3);
		if (filemodel_next(seed) % 2)
			assert_int_equal(logfix_idle(&m->fx), 0);
		else if (logfix_stamp(&m->fx, 2) == 0 &&
			 logfix_stamp(&m->fx, 2) == 0)
			assert_int_equal(logfix_flush(&m->fx), 0);
	}
	assert_int_equal(logfix_append(&m->fx, 1), 0);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_store_witness(m, m->fx.durable_seq);
}

/* Some damage, many times, to a log that ends with last; how often repaired. */
static unsigned
damage_and_repair(
    struct modelfix *m, uint64_t *seed, unsigned times, uint64_t last)
{
	unsigned planned = 0;

	logfix_stop(&m->fx);
	for (unsigned i = 0; i < times; i++) {
		struct modelfix c = *m;
		struct log_repair r;
		int got;

		c.fm = filemodel_clone(m->fm);
		c.fx.io = filemodel_io(c.fm);
		damage(&c, seed);
		got = repairfix_plan(&c, &r);
		if (got == LOG_REPAIR_PLANNED) {
			planned++;
			assert_int_equal(r.last_seq, last);
			(void)sysio_close(c.fx.io, repairfix_make(&c, &r, 1));
		} else if (got != LOG_REPAIR_NONE) {
			fail_msg("%u: %d, %s", i, got, c.fx.why.text);
		}
		log_repair_deinit(&r);
		(void)filemodel_free(c.fm);
	}
	return planned;
}

static void
nor_where_writers_have_crashed(void **state)
{
	struct modelfix *m = *state;
	uint64_t seed = seed_draw();

	m->fx.segment_bytes = SEGMENT;
	fill_and_crash(m, &seed);
	assert_true(damage_and_repair(m, &seed, 300, m->fx.durable_seq) > 100);
}

static void
whatever_is_damaged_no_event_becomes_another(void **state)
{
	struct modelfix *m = *state;
	uint64_t seed = seed_draw();

	modelfix_fill_segments(m);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_store_witness(m, LAST);
	assert_true(damage_and_repair(m, &seed, 400, LAST) > 200);
}

#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_call_that_fails_is_overlooked),
		TEST(whatever_is_damaged_no_event_becomes_another),
		TEST(nor_where_writers_have_crashed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
