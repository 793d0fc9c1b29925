/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log at rest on a disk that rots: whichever bit or sector it is, whoever
 * recovers and reads gets the same events or a loud refusal, never other
 * events and never fewer in silence.  PEAL_TEST_SEED repeats a run.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/time.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/verify.h"
#include "tests/lib/filemodel.h"
#include "tests/lib/logfix.h"

enum {
	SMALL = 24 << 10,
	EVENTS = 13, /* of the small log */
	SECTORS = SMALL / FILEMODEL_SECTOR,
};

static uint64_t seed;

static struct filemodel *
small_log(uint64_t random, char name[64])
{
	struct filemodel *fm = filemodel_new(random);
	struct logfix fx;

	logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
	fx.segment_bytes = SMALL;
	logfix_start(&fx);
	assert_int_equal(logfix_stamp(&fx, 2), 0);
	assert_int_equal(logfix_stamp(&fx, 3), 0);
	assert_int_equal(logfix_flush(&fx), 0);
	logfix_fill(&fx, 1, EVENTS - 5);
	assert_int_equal(logfix_idle(&fx), 0);
	logfix_deinit(&fx);
	snprintf(name, 64, "%020d-%010d.seg", 1, 1);
	assert_int_equal(filemodel_size(fm, name), SMALL);
	return fm;
}

enum verdict {
	SAME,
	REFUSED,
	WRONG
};

static enum verdict
judge(struct filemodel *fm)
{
	struct logfix fx;
	struct log_tail tail;
	int outcome, got;
	long n;

	logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
	got = recover_log(fx.io, fx.dirfd, NULL, 0, NULL, &tail, &fx.why);
	if (got != RECOVER_OK)
		return REFUSED;
	if (tail.last_seq != EVENTS)
		return WRONG;
	n = logfix_read(&fx, tail.last_seq, &outcome);
	if (outcome != LOG_READ_END)
		return n >= 0 ? REFUSED : WRONG;
	return n == EVENTS ? SAME : WRONG;
}

/* What flips: a bit, or with len bytes of another file a run of bytes. */
struct rot {
	uint64_t at;
	uint8_t mask;
	const uint8_t *bytes;
	size_t len;
};

static void
rot_apply(void *arg, uint8_t *bytes, uint64_t size)
{
	struct rot *r = arg;

	assert_true(r->at < size);
	bytes[r->at] ^= r->mask;
	if (r->bytes)
		memcpy(bytes + r->at, r->bytes, r->len);
}

static enum verdict
judge_rotten(const struct filemodel *whole, const char *name, struct rot *r)
{
	CLEANUP(filemodel_freep)
	struct filemodel *fm = filemodel_clone(whole);

	filemodel_edit(fm, name, rot_apply, r);
	return judge(fm);
}

static void
any_bit_may_flip(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *whole = NULL;
	unsigned same = 0, refused = 0;
	char name[64];

	whole = small_log(seed, name);
	assert_int_equal(judge(whole), SAME);
	for (uint64_t at = 0; at < SMALL; at++)
		for (int bit = 0; bit < 8; bit++) {
			struct rot r = { .at = at, .mask = 1 << bit };
			enum verdict v;

			v = judge_rotten(whole, name, &r);
			if (v == WRONG)
				fail_msg("bit %d of byte %d", bit, (int)at);
			same += v == SAME;
			refused += v == REFUSED;
		}
	/* Headers have two copies, padding does not matter, frames do. */
	assert_true(same > 2 * LOG_PAGE);
	assert_true(refused > 5 * 8 * LOG_FRAME_HEADER);
}

static void
keep_bytes(void *arg, uint8_t *bytes, uint64_t size)
{
	assert_int_equal(size, SMALL);
	memcpy(arg, bytes, SMALL);
}

/* Sectors that are old, of another log, or where another one belongs. */
static void
any_sector_may_be_exchanged(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *whole = NULL;
	CLEANUP(filemodel_freep) struct filemodel *other = NULL;
	static uint8_t ours[SMALL], theirs[SMALL];
	static const uint8_t zeros[FILEMODEL_SECTOR];
	unsigned refused = 0;
	char name[64];

	whole = small_log(seed, name);
	other = small_log(seed + 1, name);
	filemodel_edit(whole, name, keep_bytes, ours);
	filemodel_edit(other, name, keep_bytes, theirs);
	for (unsigned s = 0; s < SECTORS; s++)
		for (unsigned t = 0; t < SECTORS + 2; t++) {
			struct rot r = { .at = s * FILEMODEL_SECTOR,
				.len = FILEMODEL_SECTOR };
			enum verdict v;

			r.bytes = ours + t * FILEMODEL_SECTOR;
			if (t == SECTORS)
				r.bytes = zeros;
			if (t == SECTORS + 1)
				r.bytes = theirs + r.at;
			v = judge_rotten(whole, name, &r);
			if (v == WRONG)
				fail_msg("sector %u gets %u", s, t);
			refused += v == REFUSED;
		}
	assert_true(refused > SECTORS);
}

/* A field that somebody has set, with CRCs that are right. */
struct forgery {
	uint64_t value;
	unsigned at;
	unsigned len;
	bool in_frame;
};

static void
forge(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct forgery *f = arg;
	uint8_t value[8], *p = bytes + (f->in_frame ? SEGMENT_FRAMES : 0);

	put_le64(value, f->value);
	memcpy(p + f->at, value, f->len);
	if (f->in_frame) {
		put_le32(p + 4, crc32c(get_le32(bytes + 12), p + 8, 56));
	} else {
		put_le32(p + 4092, crc32c(0, p, 4092));
		memcpy(p + 4096, p, 4096);
	}
}

static void
ignore_problem(void *arg, const struct log_problem *problem)
{
	log_problem_sentence(problem, arg);
}

/* Whatever numbers they hold, readers come to an end and stay in bounds. */
static void
forged_numbers_are_survived(void **state)
{
	static const uint64_t values[] = { 0, 1, 2, 4096, SMALL - 4096, SMALL,
		INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX };
	CLEANUP(filemodel_freep) struct filemodel *whole = NULL;
	char name[64], sentence[LOG_PROBLEM_SENTENCE];
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.problem = ignore_problem,
		.arg = sentence };
	struct reason why;
	unsigned refused = 0;

	whole = small_log(seed, name);
	for (unsigned i = 0; i < ARRAY_LEN(values) * (144 + 64); i++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(whole);
		struct forgery f = { .value = values[i / (144 + 64)] };

		f.at = i % (144 + 64);
		f.in_frame = f.at >= 144;
		f.at -= f.in_frame ? 144 : 0;
		f.len = f.in_frame && f.at > 56 ? 64 - f.at : 8;
		filemodel_edit(fm, name, forge, &f);
		refused += judge(fm) == REFUSED;
		(void)!log_verify(
		    filemodel_io(fm), filemodel_root(fm), &verify, &why);
	}
	assert_true(refused > ARRAY_LEN(values) * 100);
}

static void
count_problem(void *arg, const struct log_problem *problem)
{
	uint64_t *lost = arg;

	if (problem->first_seq)
		*lost += problem->last_seq - problem->first_seq + 1;
}

/* The verdict of a verification is never milder than a reader's. */
static void
verification_names_what_a_rotten_frame_takes_along(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *whole = NULL;
	uint64_t lost = 0;
	struct log_verify verify = {
		.limit_seq = UINT64_MAX, .problem = count_problem, .arg = &lost
	};
	struct rot r = { .at = SEGMENT_FRAMES + 70, .mask = 1 };
	struct reason why;
	char name[64];

	whole = small_log(seed, name);
	assert_int_equal(log_verify(filemodel_io(whole), filemodel_root(whole),
			     &verify, &why),
	    0);
	assert_int_equal(verify.problems, 0);
	assert_int_equal(verify.events, EVENTS);
	assert_int_equal(verify.frames, 4);
	assert_int_equal(verify.last_seq, EVENTS);
	filemodel_edit(whole, name, rot_apply, &r);
	/* The first frame has two events; the others are found behind it. */
	assert_int_equal(log_verify(filemodel_io(whole), filemodel_root(whole),
			     &verify, &why),
	    0);
	assert_int_equal(verify.problems, 1);
	assert_int_equal(lost, 2);
	assert_int_equal(verify.events, EVENTS - 2);
	assert_int_equal(verify.last_seq, EVENTS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bit_may_flip),
		cmocka_unit_test(any_sector_may_be_exchanged),
		cmocka_unit_test(forged_numbers_are_survived),
		cmocka_unit_test(
		    verification_names_what_a_rotten_frame_takes_along),
	};
	const char *text = getenv("PEAL_TEST_SEED");

	seed = text ? strtoull(text, NULL, 10) : time_wall_us();
	printf("# PEAL_TEST_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return cmocka_run_group_tests_name("log_rot", tests, NULL, NULL);
}
