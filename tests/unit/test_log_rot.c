/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log at rest on a disk that rots: whichever bit or sector it is, whoever
 * recovers and reads gets the same events or a loud refusal, never other
 * events and never fewer in silence.  PEAL_TEST_SEED repeats a run.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/verify.h"
#include "tests/lib/filemodel.h"
#include "tests/lib/logfix.h"
#include "tests/lib/seed.h"

enum {
	SMALL = 32 << 10,
	SEGMENTS = 2, /* a sealed one and the newest: 64 KiB */
	SECTORS = SEGMENTS * SMALL / FILEMODEL_SECTOR,
};

/* Under a sanitizer one bit of each byte has to do. */
#ifdef __SANITIZE_ADDRESS__
#define BIT_STEP 8
#else
#define BIT_STEP 1
#endif

static uint64_t seed;

/* A log on a disk that is still whole. */
struct small_log {
	struct filemodel *fm;
	char names[SEGMENTS][64];
	uint64_t events;
};

static void
small_log(uint64_t random, struct small_log *log)
{
	struct logfix fx;

	log->fm = filemodel_new(random);
	logfix_init(&fx, filemodel_io(log->fm), filemodel_root(log->fm));
	fx.segment_bytes = SMALL;
	logfix_start(&fx);
	assert_int_equal(logfix_stamp(&fx, 2), 0);
	assert_int_equal(logfix_stamp(&fx, 3), 0);
	assert_int_equal(logfix_flush(&fx), 0);
	logfix_fill(&fx, 1, 60);
	assert_int_equal(logfix_idle(&fx), 0);
	snprintf(log->names[0], 64, "%020d-%010d.seg", 1, 1);
	/* The first has no room for these. */
	snprintf(log->names[1], 64, "%020d-%010d.seg", (int)fx.next_seq, 1);
	logfix_fill(&fx, 1, 30);
	logfix_fill(&fx, 1, 40);
	logfix_fill(&fx, 1, 9);
	assert_int_equal(logfix_idle(&fx), 0);
	log->events = fx.next_seq - 1;
	logfix_deinit(&fx);
	for (unsigned i = 0; i < SEGMENTS; i++)
		assert_int_equal(filemodel_size(log->fm, log->names[i]), SMALL);
}

enum verdict {
	SAME,
	REFUSED,
	WRONG
};

/* A refusal that does not say of what is none. */
static enum verdict
refusal(const struct reason *why)
{
	if (strstr(why->text, "events ") || strstr(why->text, "seg'"))
		return REFUSED;
	print_message("# names nothing: %s\n", why->text);
	return WRONG;
}

static enum verdict
judge(struct filemodel *fm, uint64_t events)
{
	struct logfix fx;
	struct log_tail tail;
	int outcome, got;
	long n;

	logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
	got = recover_log(fx.io, fx.dirfd, NULL, 0, NULL, &tail, &fx.why);
	if (got != RECOVER_OK)
		return refusal(&fx.why);
	if (tail.last_seq != events)
		return WRONG;
	n = logfix_read(&fx, tail.last_seq, &outcome);
	if (outcome != LOG_READ_END)
		return n >= 0 ? refusal(&fx.why) : WRONG;
	return n == (long)events ? SAME : WRONG;
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

/* What befalls byte at of the log, whose segments stand behind each other. */
static enum verdict
judge_rotten(const struct small_log *log, const struct rot *r)
{
	CLEANUP(filemodel_freep)
	struct filemodel *fm = filemodel_clone(log->fm);
	struct rot here = *r;

	here.at %= SMALL;
	filemodel_edit(fm, log->names[r->at / SMALL], rot_apply, &here);
	return judge(fm, log->events);
}

static void
any_bit_may_flip(void **state)
{
	unsigned same = 0, refused = 0;
	struct small_log log;

	small_log(seed, &log);
	assert_int_equal(judge(log.fm, log.events), SAME);
	for (uint64_t i = seed % BIT_STEP; i < SEGMENTS * SMALL * 8;
	     i += BIT_STEP) {
		struct rot r = { .at = i / 8, .mask = 1 << (i / 8 + i) % 8 };
		enum verdict v = judge_rotten(&log, &r);

		if (v == WRONG)
			fail_msg("bit %d of byte %d", (int)((i / 8 + i) % 8),
			    (int)r.at);
		same += v == SAME;
		refused += v == REFUSED;
	}
	print_message("# %u cases: %u the same, %u refused\n", same + refused,
	    same, refused);
	assert_int_equal(same + refused, SEGMENTS * SMALL * 8 / BIT_STEP);
	/* Headers have two copies, padding does not matter, frames do. */
	assert_true(same > 2 * LOG_PAGE / BIT_STEP);
	assert_true(refused > 100 * 60 * 8 / BIT_STEP);
	filemodel_free(log.fm);
}

static void
keep_bytes(void *arg, uint8_t *bytes, uint64_t size)
{
	assert_int_equal(size, SMALL);
	memcpy(arg, bytes, SMALL);
}

static void
keep_all(const struct small_log *log, uint8_t *bytes)
{
	for (unsigned i = 0; i < SEGMENTS; i++)
		filemodel_edit(
		    log->fm, log->names[i], keep_bytes, bytes + i * SMALL);
}

/* Sectors that are old, of another log, or where another one belongs. */
static void
any_sector_may_be_exchanged(void **state)
{
	static uint8_t ours[SEGMENTS * SMALL], theirs[SEGMENTS * SMALL];
	static const uint8_t zeros[FILEMODEL_SECTOR];
	struct small_log log, other;
	unsigned refused = 0;

	small_log(seed, &log);
	small_log(seed + 1, &other);
	keep_all(&log, ours);
	keep_all(&other, theirs);
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
			v = judge_rotten(&log, &r);
			if (v == WRONG)
				fail_msg("sector %u gets %u", s, t);
			refused += v == REFUSED;
		}
	assert_true(refused > SECTORS);
	filemodel_free(log.fm);
	filemodel_free(other.fm);
}

/* Two sectors that have changed places. */
static void
any_two_sectors_may_be_swapped(void **state)
{
	static uint8_t ours[SEGMENTS * SMALL];
	struct small_log log;
	unsigned refused = 0;

	small_log(seed, &log);
	keep_all(&log, ours);
	for (unsigned s = 0; s < SECTORS; s++)
		for (unsigned t = s + 1; t < SECTORS; t++) {
			CLEANUP(filemodel_freep)
			struct filemodel *fm = filemodel_clone(log.fm);
			unsigned at[2] = { s, t };

			for (unsigned i = 0; i < 2; i++) {
				struct rot r = { .at = at[i] *
						       FILEMODEL_SECTOR % SMALL,
					.bytes =
					    ours + at[!i] * FILEMODEL_SECTOR,
					.len = FILEMODEL_SECTOR };

				filemodel_edit(fm,
				    log.names[at[i] * FILEMODEL_SECTOR / SMALL],
				    rot_apply, &r);
			}
			switch (judge(fm, log.events)) {
			case WRONG:
				fail_msg("sectors %u and %u", s, t);
			case REFUSED:
				refused++;
			case SAME:
				break;
			}
		}
	assert_true(refused > SECTORS);
	filemodel_free(log.fm);
}

static void
any_length_may_be_left(void **state)
{
	struct small_log log;
	unsigned refused = 0;

	small_log(seed, &log);
	for (uint64_t at = 0; at < SEGMENTS * SMALL; at += BIT_STEP) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(log.fm);
		const struct sysio *io = filemodel_io(fm);
		int fd = sysio_openat(
		    io, filemodel_root(fm), log.names[at / SMALL], O_RDWR, 0);
		enum verdict v;

		assert_int_equal(sysio_ftruncate(io, fd, at % SMALL), 0);
		assert_int_equal(sysio_fsync(io, fd), 0);
		(void)sysio_close(io, fd);
		v = judge(fm, log.events);
		if (v == WRONG)
			fail_msg("cut to byte %d", (int)at);
		refused += v == REFUSED;
	}
	/* A shorter file is never whole. */
	assert_int_equal(refused, SEGMENTS * SMALL / BIT_STEP);
	filemodel_free(log.fm);
}

/* Every byte of the last frame, under an IDLE frame that knows of it. */
static void
the_last_frame_may_be_cut_anywhere(void **state)
{
	static uint8_t ours[SEGMENTS * SMALL];
	static const uint8_t zeros[SMALL];
	uint64_t at = SEGMENTS * SMALL - 3, end; /* four bytes are read */
	struct small_log log;

	small_log(seed, &log);
	keep_all(&log, ours);
	/* Back over the IDLE frame and to the frame before it. */
	for (unsigned frames = 0; frames < 2; frames++)
		do {
			at--;
		} while (get_le32(ours + at) != FRAME_SYNC_WORD);
	end = at + LOG_FRAME_HEADER + get_le32(ours + at + FRAME_PAYLOAD_LEN);
	for (; at < end; at++) {
		struct rot r = { .at = at, .bytes = zeros, .len = end - at };

		if (judge_rotten(&log, &r) != REFUSED)
			fail_msg("cut at byte %d", (int)at);
	}
	filemodel_free(log.fm);
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
	char sentence[LOG_PROBLEM_SENTENCE];
	struct small_log log;
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.problem = ignore_problem,
		.arg = sentence };
	struct reason why;
	unsigned refused = 0;

	small_log(seed, &log);
	for (unsigned i = 0; i < ARRAY_LEN(values) * (144 + 64); i++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(log.fm);
		struct forgery f = { .value = values[i / (144 + 64)] };

		f.at = i % (144 + 64);
		f.in_frame = f.at >= 144;
		f.at -= f.in_frame ? 144 : 0;
		f.len = f.in_frame && f.at > 56 ? 64 - f.at : 8;
		filemodel_edit(fm, log.names[i % SEGMENTS], forge, &f);
		refused += judge(fm, log.events) == REFUSED;
		(void)!log_verify(
		    filemodel_io(fm), filemodel_root(fm), &verify, &why);
	}
	assert_true(refused > ARRAY_LEN(values) * 100);
	filemodel_free(log.fm);
}

/* A frame that says of its place what is not so is none, good CRCs or not. */
static void
a_frame_that_does_not_carry_on_is_refused(void **state)
{
	static const struct forgery forgeries[] = {
		{ .at = FRAME_PREV_LEN, .len = 4, .value = 64 },
		{ .at = FRAME_FIRST_SEQ, .len = 8, .value = 2 },
		{ .at = FRAME_DURABLE_SEQ, .len = 8, .value = 1 },
		{ .at = FRAME_N_EVENTS, .len = 2, .value = 0 },
	};
	struct small_log log;

	small_log(seed, &log);
	for (unsigned i = 0; i < ARRAY_LEN(forgeries); i++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(log.fm);
		struct forgery f = forgeries[i];

		f.in_frame = true;
		filemodel_edit(fm, log.names[0], forge, &f);
		if (judge(fm, log.events) != REFUSED)
			fail_msg("a forged field at %u", f.at);
	}
	filemodel_free(log.fm);
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
	uint64_t lost = 0;
	struct log_verify verify = {
		.limit_seq = UINT64_MAX, .problem = count_problem, .arg = &lost
	};
	struct rot r = { .at = SEGMENT_FRAMES + 70, .mask = 1 };
	struct small_log log;
	struct reason why;

	small_log(seed, &log);
	assert_int_equal(log_verify(filemodel_io(log.fm),
			     filemodel_root(log.fm), &verify, &why),
	    0);
	assert_int_equal(verify.problems, 0);
	assert_int_equal(verify.events, log.events);
	assert_int_equal(verify.last_seq, log.events);
	filemodel_edit(log.fm, log.names[0], rot_apply, &r);
	/* The first frame has two events; the others are found behind it. */
	assert_int_equal(log_verify(filemodel_io(log.fm),
			     filemodel_root(log.fm), &verify, &why),
	    0);
	assert_int_equal(verify.problems, 1);
	assert_int_equal(lost, 2);
	assert_int_equal(verify.events, log.events - 2);
	assert_int_equal(verify.last_seq, log.events);
	filemodel_free(log.fm);
}

/* And where a reader is refused, it complains. */
static void
verification_complains_wherever_a_reader_is_refused(void **state)
{
	uint64_t lost = 0;
	struct log_verify verify = {
		.limit_seq = UINT64_MAX, .problem = count_problem, .arg = &lost
	};
	struct small_log log;
	struct reason why;

	small_log(seed, &log);
	for (uint64_t at = seed % 7; at < SEGMENTS * SMALL; at += 7) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(log.fm);
		struct rot r = { .at = at % SMALL, .mask = 1 << at % 8 };
		int err;

		filemodel_edit(fm, log.names[at / SMALL], rot_apply, &r);
		verify.problems = 0;
		err = log_verify(
		    filemodel_io(fm), filemodel_root(fm), &verify, &why);
		if (err == 0 && verify.problems == 0 &&
		    judge(fm, log.events) != SAME)
			fail_msg("bit of byte %d", (int)at);
	}
	filemodel_free(log.fm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bit_may_flip),
		cmocka_unit_test(any_sector_may_be_exchanged),
		cmocka_unit_test(any_two_sectors_may_be_swapped),
		cmocka_unit_test(any_length_may_be_left),
		cmocka_unit_test(the_last_frame_may_be_cut_anywhere),
		cmocka_unit_test(forged_numbers_are_survived),
		cmocka_unit_test(a_frame_that_does_not_carry_on_is_refused),
		cmocka_unit_test(
		    verification_names_what_a_rotten_frame_takes_along),
		cmocka_unit_test(
		    verification_complains_wherever_a_reader_is_refused),
	};

	seed = seed_draw();
	return cmocka_run_group_tests_name("log_rot", tests, NULL, NULL);
}
