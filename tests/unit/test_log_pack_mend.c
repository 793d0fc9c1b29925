/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Packed segments of whose file something around the blocks is damaged: the
 * events of the blocks are read, and never others.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/format_priv.h"
#include "log/headless.h"
#include "log/pack.h"
#include "log/segment.h"
#include "log/verify.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/packed.h"
#include "tests/lib/repairfix.h"
#include "tests/lib/retainfix.h"

enum {
	LARGE = 1 << 20, /* a segment of five blocks */
	LARGE_FRAMES = 600,
	LARGE_LAST = LARGE_FRAMES * 8,
	SMALL_LAST = 60, /* of modelfix_fill_segments() */
	DEADLINE = 60,	 /* seconds, of what takes some milliseconds */
	SEAL_USED = LOG_FRAME_HEADER + 256, /* bytes that are not all zero */
};

struct packed_log {
	struct modelfix *m;
	char name[SEGMENT_NAME_SIZE]; /* of its first segment, packed */
	uint64_t last;
	size_t capacity;
	uint64_t index_at, size; /* of the file */
	size_t entries;
	uint8_t was[LARGE]; /* the segment */
};

static struct packed_log pl;

struct pick {
	uint64_t at;
	uint8_t bytes[8];
};

static void
pick(void *arg, uint8_t *bytes, uint64_t size)
{
	struct pick *p = arg;

	assert_true(p->at + sizeof(p->bytes) <= size);
	memcpy(p->bytes, bytes + p->at, sizeof(p->bytes));
}

static uint64_t
number_at(uint64_t at)
{
	struct pick p = { .at = at };

	filemodel_edit(pl.m->fm, pl.name, pick, &p);
	return get_le64(p.bytes);
}

static int
open_file(int flags)
{
	int fd =
	    sysio_openat(pl.m->fx.io, pl.m->fx.dirfd, pl.name, flags, 0640);

	assert_true(fd >= 0);
	return fd;
}

/* Read the segment, all of it; packed_open()'s outcome. */
static int
read_segment(uint8_t *bytes)
{
	CLEANUP(packed_freep) struct packed *pk = NULL;
	int fd = open_file(O_RDONLY);
	int got = packed_open(pl.m->fx.io, fd, &pk, &pl.m->fx.why);

	if (got == PACKED_OPENED) {
		assert_int_equal(packed_capacity(pk), pl.capacity);
		assert_int_equal(
		    packed_pread(pk, bytes, pl.capacity, 0), pl.capacity);
	}
	assert_int_equal(sysio_close(pl.m->fx.io, fd), 0);
	return got;
}

static void
pack_log(struct modelfix *m, size_t capacity, uint64_t last)
{
	pl.m = m;
	pl.last = last;
	pl.capacity = capacity;
	logfix_stop(&m->fx);
	retainfix_pack_all(&m->fx);
	snprintf(pl.name, sizeof(pl.name), "%s", modelfix_named(m, 1));
	assert_non_null(strstr(pl.name, ".segz"));
	pl.size = (uint64_t)filemodel_size(m->fm, pl.name);
	pl.index_at = number_at(PACKED_AT_INDEX);
	pl.entries = (size_t)(pl.size - LOG_PAGE - pl.index_at) / PACKED_ENTRY;
	assert_int_equal(read_segment(pl.was), PACKED_OPENED);
}

static void
pack_small(struct modelfix *m)
{
	modelfix_fill_segments(m);
	pack_log(m, sizeof(((struct modelfix_copy *)0)->bytes), SMALL_LAST);
	assert_int_equal(pl.entries, 2);
}

static void
pack_large(struct modelfix *m)
{
	m->fx.segment_bytes = LARGE;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, LARGE_FRAMES, 8);
	pack_log(m, LARGE, LARGE_LAST);
	assert_true(pl.entries > 4);
}

static char notes[1000];

static void
keep_note(const char *sentence)
{
	size_t used = strlen(notes);

	snprintf(notes + used, sizeof(notes) - used, "%s\n", sentence);
}

/* A verification finds no problem, and notes what is odd; all is read. */
static void
expect_whole(const char *note)
{
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.note = keep_note };
	struct reason why;

	notes[0] = '\0';
	assert_int_equal(
	    log_verify(pl.m->fx.io, pl.m->fx.dirfd, &verify, &why), 0);
	assert_int_equal(verify.problems, 0);
	assert_int_equal(verify.last_seq, pl.last);
	if (!strstr(notes, note))
		fail_msg("'%s' is not in '%s'", note, notes);
}

static void
expect_same_frames(void)
{
	static uint8_t is[LARGE];

	assert_int_equal(read_segment(is), PACKED_OPENED);
	assert_memory_equal(pl.was, is, pl.capacity - LOG_PAGE);
}

struct flip {
	uint64_t at;
	unsigned bit;
};

static void
flip(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct flip *f = arg;

	assert_true(f->at < size);
	bytes[f->at] ^= (uint8_t)(1U << f->bit);
}

static void
flip_bit(uint64_t at, unsigned bit)
{
	struct flip f = { at, bit };

	filemodel_edit(pl.m->fm, pl.name, flip, &f);
}

static void
no_bit_of_the_index_hides_an_event(void **state)
{
	pack_small(*state);
	for (uint64_t at = pl.index_at; at < pl.size - LOG_PAGE; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			flip_bit(at, bit);
			expect_same_frames();
			expect_whole("its index is damaged");
			flip_bit(at, bit);
		}
	}
	modelfix_expect_recovered(pl.m, pl.last);
}

static void
no_bit_of_the_seal_hides_an_event(void **state)
{
	pack_small(*state);
	for (uint64_t at = pl.size - LOG_PAGE; at < pl.size; at++) {
		/* Zeros behind the seal are looked at by nobody. */
		bool used = at < pl.size - LOG_PAGE + SEAL_USED;

		for (unsigned bit = 0; bit < 8; bit++) {
			flip_bit(at, bit);
			expect_same_frames();
			if (used)
				expect_whole("");
			flip_bit(at, bit);
		}
	}
	modelfix_expect_recovered(pl.m, pl.last);
}

static void
a_large_index_may_be_lost_as_a_whole(void **state)
{
	struct log_repair r;

	pack_large(*state);
	modelfix_wipe(pl.m, pl.name, pl.index_at, pl.entries * PACKED_ENTRY);
	expect_same_frames();
	expect_whole("its index is damaged");
	modelfix_spoil(pl.m, pl.name, pl.size - LOG_PAGE, LOG_PAGE);
	expect_same_frames();
	expect_whole("the seal of");
	assert_int_equal(repairfix_plan(pl.m, &r), LOG_REPAIR_NONE);
	log_repair_deinit(&r);
	modelfix_expect_recovered(pl.m, pl.last);
}

/* The file ends at size now. */
static void
cut_file(uint64_t size)
{
	int fd = open_file(O_RDWR);

	assert_int_equal(sysio_ftruncate(pl.m->fx.io, fd, size), 0);
	assert_int_equal(sysio_fsync(pl.m->fx.io, fd), 0);
	assert_int_equal(sysio_close(pl.m->fx.io, fd), 0);
}

static void
what_is_cut_off_behind_the_blocks_is_no_event(void **state)
{
	pack_small(*state);
	for (uint64_t size = pl.size - 1; size >= pl.index_at; size--) {
		cut_file(size);
		expect_same_frames();
	}
	expect_whole("");
	modelfix_expect_recovered(pl.m, pl.last);
}

/* Of blocks that are there nothing says whether they are right any more. */
static void
one_that_is_cut_in_its_blocks_is_damaged_with_its_range(void **state)
{
	char complaint[LOG_PROBLEM_SENTENCE];
	struct modelfix *m = *state;

	pack_large(m);
	cut_file(pl.index_at - 1);
	modelfix_expect_damage(m, LOG_DAMAGED_SEGMENT, "neither copy");
	assert_true(modelfix_problems(m, complaint) > 0);
	assert_non_null(strstr(complaint, "events 1 to "));
}

static void
bytes_behind_the_end_are_not_read(void **state)
{
	static const uint8_t more[3 * LOG_PAGE] = { 0xd5, 0x6e, 0x7a, 0xf1 };
	static const size_t lens[] = { 1, LOG_PAGE, sizeof(more) };
	struct modelfix *m = *state;

	pack_small(m);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		int fd = open_file(O_RDWR);

		assert_int_equal(
		    sysio_pwrite(m->fx.io, fd, more, lens[i], pl.size), 0);
		assert_int_equal(sysio_fsync(m->fx.io, fd), 0);
		assert_int_equal(sysio_close(m->fx.io, fd), 0);
		expect_same_frames();
		expect_whole("it goes on behind its end");
	}
	modelfix_expect_recovered(m, pl.last);
}

/* --- the index, and blocks, so that its sum says nothing --- */

static uint64_t
entry_at(size_t i)
{
	return pl.index_at + i * PACKED_ENTRY;
}

/* Where in the segment block i begins and ends. */
static size_t
block_start(size_t i)
{
	return i == 0 ? 0 : SEGMENT_FRAMES + (i - 1) * PACKED_BLOCK;
}

/* A byte in the middle of block i. */
static void
spoil_block(size_t i)
{
	uint64_t at = number_at(entry_at(i) + PACKED_ENTRY_OFFSET);
	uint64_t len = number_at(entry_at(i) + 8) & UINT32_MAX;

	modelfix_spoil(pl.m, pl.name, at + len / 2, 1);
}

/* Of the blocks from `from` to `to` all bytes are as they were. */
static void
expect_blocks(const uint8_t *is, size_t from, size_t to)
{
	assert_memory_equal(pl.was + block_start(from), is + block_start(from),
	    block_start(to) - block_start(from));
}

static void
a_block_is_taken_on_its_own_entrys_word(void **state)
{
	static uint8_t is[LARGE];
	char complaint[LOG_PROBLEM_SENTENCE];

	pack_large(*state);
	/* Where it ends nothing but the next entry says. */
	modelfix_spoil(pl.m, pl.name, number_at(entry_at(2)), 1);
	/* Found without them. */
	flip_bit(entry_at(1) + PACKED_ENTRY_OFFSET, 3);
	flip_bit(entry_at(4) + PACKED_ENTRY_OFFSET, 5);
	assert_int_equal(read_segment(is), PACKED_OPENED);
	expect_blocks(is, 0, 2);
	assert_true(format_is_zero(is + block_start(2), PACKED_BLOCK));
	expect_blocks(is, 3, 4);
	assert_memory_equal(pl.was + block_start(4), is + block_start(4),
	    LARGE - block_start(4));
	assert_int_equal(modelfix_problems(pl.m, complaint), 1);
	/* The sum of the last is damaged as well: nothing tells what it was. */
	flip_bit(entry_at(4) + PACKED_ENTRY_CRC, 5);
	assert_int_equal(read_segment(is), PACKED_OPENED);
	expect_blocks(is, 3, 4);
	assert_true(format_is_zero(
	    is + block_start(4), LARGE - LOG_PAGE - block_start(4)));
}

/* Frames would be restored with the seqs of others. */
static void
no_frame_is_taken_for_the_first_of_its_block(void **state)
{
	static uint8_t is[LARGE];

	pack_large(*state);
	spoil_block(2);
	for (unsigned bit = 0; bit < 32; bit++) {
		flip_bit(entry_at(1) + PACKED_ENTRY_FRAME + bit / 8, bit % 8);
		assert_int_equal(read_segment(is), PACKED_OPENED);
		assert_true(
		    format_is_zero(is + block_start(1), 2 * PACKED_BLOCK));
		expect_blocks(is, 3, 4);
		flip_bit(entry_at(1) + PACKED_ENTRY_FRAME + bit / 8, bit % 8);
	}
}

static void
a_repair_loses_no_more_than_what_is_damaged(void **state)
{
	struct modelfix *m = *state;
	struct log_repair r;

	pack_large(m);
	spoil_block(2);
	flip_bit(entry_at(3) + PACKED_ENTRY_OFFSET, 3);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	/* A frame of eight events has a page. */
	assert_int_equal(r.n_lost, 1);
	assert_int_equal(r.lost[0].first, 1 + 8 * PACKED_BLOCK / LOG_PAGE);
	assert_int_equal(r.events_lost, 8 * PACKED_BLOCK / LOG_PAGE);
	(void)sysio_close(m->fx.io, repairfix_make(m, &r, 1));
	log_repair_deinit(&r);
}

/* --- hostile ones --- */

static void
claim_terabyte(void *arg, uint8_t *bytes, uint64_t size)
{
	const uint64_t n = SEGMENT_BYTES_MAX / PACKED_BLOCK;

	(void)arg;
	assert_true(size > 64);
	put_le64(bytes + PACKED_AT_CAPACITY, SEGMENT_BYTES_MAX);
	put_le64(bytes + PACKED_AT_COVERED, SEGMENT_BYTES_MAX - LOG_PAGE);
	put_le64(bytes + PACKED_AT_INDEX, n * PACKED_BLOCK);
	put_le32(bytes + PACKED_AT_CRC, crc32c(0, bytes, PACKED_AT_CRC));
}

/* Where blocks that nobody has are claimed, only the seal may be found. */
static void
expect_nothing_before_the_seal(void)
{
	CLEANUP(packed_freep) struct packed *pk = NULL;
	int fd = open_file(O_RDONLY);

	assert_int_equal(
	    packed_open(pl.m->fx.io, fd, &pk, &pl.m->fx.why), PACKED_OPENED);
	assert_int_equal(packed_data(pk, SEGMENT_BYTES_MAX / 2),
	    SEGMENT_BYTES_MAX - LOG_PAGE);
	assert_int_equal(sysio_close(pl.m->fx.io, fd), 0);
}

/* Blocks that are not in the file are not looked for in its claims. */
static void
a_terabyte_of_blocks_that_are_not_there_is_not_searched(void **state)
{
	char complaint[LOG_PROBLEM_SENTENCE];
	struct segment s;
	int fd;

	pack_small(*state);
	filemodel_edit(pl.m->fm, pl.name, claim_terabyte, NULL);
	expect_nothing_before_the_seal();
	(void)alarm(DEADLINE);
	assert_true(modelfix_problems(pl.m, complaint) > 0);
	assert_int_equal(logfix_recover(&pl.m->fx), RECOVER_DAMAGED);
	assert_int_equal(segment_read(pl.m->fx.io, pl.m->fx.dirfd, pl.name, &s,
			     &pl.m->fx.why),
	    0);
	fd = open_file(O_RDONLY);
	assert_int_equal(
	    headless_find(pl.m->fx.io, fd, &s, &pl.m->fx.why), HEADLESS_NONE);
	assert_int_equal(sysio_close(pl.m->fx.io, fd), 0);
	(void)alarm(0);
}

static const struct sysio *model;

/* A disk that changes a byte of the index alone. */
static ssize_t
pwritev_spoils_index(
    void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	uint8_t *p = iov[0].iov_base;

	if (at != 0 && iov[0].iov_len == 2 * PACKED_ENTRY)
		p[PACKED_ENTRY] ^= 1;
	return model->pwritev(ctx, fd, iov, n, at);
}

static void
a_segment_stays_where_its_packed_form_has_a_wrong_index(void **state)
{
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;

	modelfix_fill_segments(m);
	model = m->fx.io;
	io.pwritev = pwritev_spoils_index;
	assert_int_equal(
	    retainfix_pack(&io, m->fx.dirfd, &m->fx.why), RETAIN_DIFFERS);
	assert_null(strstr(modelfix_named(m, 1), ".segz"));
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(no_bit_of_the_index_hides_an_event),
		MODEL_TEST(no_bit_of_the_seal_hides_an_event),
		MODEL_TEST(a_large_index_may_be_lost_as_a_whole),
		MODEL_TEST(what_is_cut_off_behind_the_blocks_is_no_event),
		MODEL_TEST(
		    one_that_is_cut_in_its_blocks_is_damaged_with_its_range),
		MODEL_TEST(bytes_behind_the_end_are_not_read),
		MODEL_TEST(a_block_is_taken_on_its_own_entrys_word),
		MODEL_TEST(no_frame_is_taken_for_the_first_of_its_block),
		MODEL_TEST(a_repair_loses_no_more_than_what_is_damaged),
		MODEL_TEST(
		    a_terabyte_of_blocks_that_are_not_there_is_not_searched),
		MODEL_TEST(
		    a_segment_stays_where_its_packed_form_has_a_wrong_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
