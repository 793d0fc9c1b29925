/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Packed segments in the file model: the log is the same, whoever reads it,
 * and no byte of them that is another makes it a different one.
 */

#include <errno.h>
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
#include "core/zstd.h"
#include "log/floor.h"
#include "log/format_priv.h"
#include "log/headless.h"
#include "log/log_reader.h"
#include "log/pack.h"
#include "log/strip.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/packed.h"
#include "tests/lib/retainfix.h"

enum {
	SEGMENT = sizeof(((struct modelfix_copy *)0)->bytes),
	LAST = 60,	/* of modelfix_fill_segments() */
	DEADLINE = 300, /* seconds, of what takes some milliseconds */
	ENTRIES = 2, /* of a segment as small as those: headers, and the rest */
};

static bool
is_packed(struct modelfix *m, uint64_t first_seq)
{
	return strstr(modelfix_named(m, first_seq), ".segz") != NULL;
}

static const struct sysio *model;

/* A disk, or a processor, that changes a byte of what is packed. */
static ssize_t
pwritev_wrongly(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	if (at == 0 || iov[0].iov_len < 100)
		return model->pwritev(ctx, fd, iov, n, at);
	((uint8_t *)iov[0].iov_base)[50] ^= 1;
	return model->pwritev(ctx, fd, iov, n, at);
}

/* The same with the seal's page alone, which is written as it was. */
static ssize_t
pwritev_seal_wrongly(
    void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	uint8_t seal[LOG_PAGE];
	struct iovec wrong = { seal, LOG_PAGE };

	if (n != 1 || iov[0].iov_len != LOG_PAGE)
		return model->pwritev(ctx, fd, iov, n, at);
	memcpy(seal, iov[0].iov_base, LOG_PAGE);
	seal[LOG_PAGE - 1] ^= 1;
	return model->pwritev(ctx, fd, &wrong, 1, at);
}

static void
stays_where(struct modelfix *m,
    ssize_t (*pwritev)(void *, int, const struct iovec *, int, off_t))
{
	struct sysio io = *m->fx.io;

	modelfix_fill_segments(m);
	model = m->fx.io;
	io.pwritev = pwritev;
	assert_int_equal(
	    retainfix_pack(&io, m->fx.dirfd, &m->fx.why), RETAIN_DIFFERS);
	assert_non_null(strstr(m->fx.why.text, "reads otherwise"));
	assert_false(is_packed(m, 1));
	assert_int_equal(filemodel_size(m->fm, PACK_TMP), -1);
	modelfix_expect_recovered(m, LAST);
}

static void
a_segment_stays_where_its_packed_form_reads_otherwise(void **state)
{
	stays_where(*state, pwritev_wrongly);
}

static void
or_where_that_has_another_seal(void **state)
{
	stays_where(*state, pwritev_seal_wrongly);
}

/* The segment that the packed one stands for. */
static void
read_packed(struct modelfix *m, uint64_t first_seq, struct modelfix_copy *c)
{
	CLEANUP(packed_freep) struct packed *pk = NULL;
	const struct sysio *io = m->fx.io;
	int fd = sysio_openat(
	    io, m->fx.dirfd, modelfix_named(m, first_seq), O_RDONLY, 0);

	assert_true(fd >= 0);
	assert_int_equal(packed_open(io, fd, &pk, &m->fx.why), PACKED_OPENED);
	assert_int_equal(packed_capacity(pk), SEGMENT);
	assert_int_equal(packed_pread(pk, c->bytes, SEGMENT, 0), SEGMENT);
	assert_int_equal(sysio_close(io, fd), 0);
}

static void
one_of_version_1_is_read(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_copy was, is;

	modelfix_put_old(m, "00000000000000000001-0000000001.seg");
	filemodel_edit(m->fm, modelfix_named(m, 1), modelfix_take_copy, &was);
	filemodel_put_aside(m->fm, modelfix_named(m, 1), NULL);
	modelfix_put_old(m, "00000000000000000001-0000000001.segz");
	read_packed(m, 1, &is);
	assert_memory_equal(&was, &is, sizeof(was));
}

/* --- version 1, in which the first block is as long as the others --- */

enum {
	LARGE = 1 << 20,
	LARGE_FRAMES = 300, /* some 250 have room, a page each */
};

static void
pack_old_block(struct zstd *z, uint8_t *raw, size_t len, uint32_t salt,
    struct mp_buf *out, uint8_t entry[PACKED_ENTRY])
{
	size_t frame = strip_find(raw, len, salt), at = out->len;

	strip_frames(raw, len, frame, salt);
	assert_int_equal(zstd_compress_block(z, 1, slice_of(raw, len), out), 0);
	put_le64(entry + PACKED_ENTRY_OFFSET, at);
	put_le32(entry + PACKED_ENTRY_BYTES, (uint32_t)(out->len - at));
	put_le32(
	    entry + PACKED_ENTRY_CRC, crc32c(0, out->p + at, out->len - at));
	put_le32(entry + PACKED_ENTRY_FRAME, (uint32_t)frame);
}

/* The segment s, whose bytes are at p, as a program of that time packed it. */
static size_t
pack_old(const struct segment *s, const uint8_t *p, struct mp_buf *out)
{
	CLEANUP(zstd_deinit) struct zstd z = { 0 };
	static uint8_t index[LARGE / PACKED_BLOCK * PACKED_ENTRY],
	    raw[PACKED_BLOCK];
	uint64_t covered = ALIGN_UP(s->footer.valid_length, LOG_PAGE);
	uint8_t h[PACKED_HEADER] = { 0 };
	size_t n = 0;

	mp_buf_bytes(out, h, PACKED_HEADER);
	for (uint64_t at = 0; at < covered; at += PACKED_BLOCK, n++) {
		size_t len = (size_t)MIN(covered - at, (uint64_t)PACKED_BLOCK);

		memcpy(raw, p + at, len);
		pack_old_block(&z, raw, len, s->header.salt, out,
		    index + n * PACKED_ENTRY);
	}
	put_le64(h + PACKED_AT_MAGIC, PACK_MAGIC);
	put_le32(h + PACKED_AT_VERSION, 1);
	put_le32(h + PACKED_AT_BLOCK, PACKED_BLOCK);
	put_le64(h + PACKED_AT_CAPACITY, LARGE);
	put_le64(h + PACKED_AT_COVERED, covered);
	put_le64(h + PACKED_AT_INDEX, out->len);
	put_le32(h + PACKED_AT_SALT, s->header.salt);
	put_le32(h + PACKED_AT_INDEX_CRC, crc32c(0, index, n * PACKED_ENTRY));
	put_le32(h + PACKED_AT_CRC, crc32c(0, h, PACKED_AT_CRC));
	mp_buf_bytes(out, index, n * PACKED_ENTRY);
	mp_buf_bytes(out, p + LARGE - LOG_PAGE, LOG_PAGE);
	assert_false(out->failed);
	memcpy(out->p, h, PACKED_HEADER);
	return n;
}

/* The first segment gives way to one packed in version 1; its blocks. */
static size_t
pack_first_old(struct modelfix *m, uint8_t was[LARGE])
{
	CLEANUP(mp_buf_deinit) struct mp_buf file = { 0 };
	const struct sysio *io = m->fx.io;
	struct segment s;
	char name[SEGMENT_NAME_SIZE];
	size_t n;
	int fd;

	assert_int_equal(
	    segment_read(io, m->fx.dirfd, modelfix_named(m, 1), &s, &m->fx.why),
	    0);
	assert_int_equal(s.seal, SEAL_GOOD);
	fd = sysio_openat(io, m->fx.dirfd, s.name, O_RDONLY, 0);
	assert_int_equal(sysio_pread(io, fd, was, LARGE, 0), LARGE);
	assert_int_equal(sysio_close(io, fd), 0);
	n = pack_old(&s, was, &file);
	filemodel_put_aside(m->fm, s.name, NULL);
	segment_name(name, 1, s.header.incarnation, ".segz");
	fd = sysio_openat(io, m->fx.dirfd, name, O_RDWR | O_CREAT, 0640);
	assert_int_equal(sysio_pwrite(io, fd, file.p, file.len, 0), 0);
	assert_int_equal(sysio_fsync(io, fd), 0);
	assert_int_equal(sysio_fsync(io, m->fx.dirfd), 0);
	assert_int_equal(sysio_close(io, fd), 0);
	return n;
}

static void
one_of_version_1_is_read_across_its_blocks(void **state)
{
	static uint8_t was[LARGE], is[LARGE];
	CLEANUP(packed_freep) struct packed *pk = NULL;
	struct modelfix *m = *state;
	const struct sysio *io = m->fx.io;
	char complaint[LOG_PROBLEM_SENTENCE];
	size_t n;
	int fd;

	m->fx.segment_bytes = LARGE;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, LARGE_FRAMES, 8);
	logfix_stop(&m->fx);
	n = pack_first_old(m, was);
	assert_true(n > 3);
	fd = sysio_openat(io, m->fx.dirfd, modelfix_named(m, 1), O_RDONLY, 0);
	assert_int_equal(packed_open(io, fd, &pk, &m->fx.why), PACKED_OPENED);
	assert_int_equal(packed_pread(pk, is, LARGE, 0), LARGE);
	assert_memory_equal(was, is, LARGE);
	/* Backwards, so that no block is at hand. */
	for (uint64_t at = n * PACKED_BLOCK; at > 0; at -= PACKED_BLOCK) {
		uint64_t from = at - 1000;
		size_t len = (size_t)MIN(2000, LARGE - from);

		assert_int_equal(packed_pread(pk, is, len, from), len);
		assert_memory_equal(was + from, is, len);
	}
	assert_int_equal(sysio_close(io, fd), 0);
	assert_int_equal(modelfix_problems(m, complaint), 0);
	modelfix_expect_recovered(m, LARGE_FRAMES * 8);
}

static uint64_t bytes_read;

static ssize_t
pread_counted(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	ssize_t n = model->pread(ctx, fd, buf, len, at);

	bytes_read += n > 0 ? (uint64_t)n : 0;
	return n;
}

/* Else a start would unpack a part of every segment that there is. */
static void
a_list_reads_no_frame_of_a_packed_segment(void **state)
{
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	struct segment s;
	char name[SEGMENT_NAME_SIZE];

	modelfix_fill_segments(m);
	retainfix_pack_all(&m->fx);
	memcpy(name, modelfix_named(m, 1), sizeof(name));
	model = m->fx.io;
	io.pread = pread_counted;
	bytes_read = 0;
	assert_int_equal(
	    segment_read(&io, m->fx.dirfd, name, &s, &m->fx.why), 0);
	assert_true(s.headed && s.seal == SEAL_GOOD);
	/* Header, index and seal, and what little the headers come to. */
	assert_true(bytes_read < LOG_PAGE + LOG_PAGE / 2);
	assert_true(bytes_read < (uint64_t)filemodel_size(m->fm, name));
}

static void
a_packed_log_is_the_same_log(void **state)
{
	struct retain_policy policy = { 0 };
	struct modelfix *m = *state;
	struct segment_list list;
	struct log_floor floor;
	char complaint[LOG_PROBLEM_SENTENCE];
	size_t n = 0;

	modelfix_fill_segments(m);
	while (modelfix_nth(m, n) + 12 < LAST)
		n++;
	retainfix_pack_all(&m->fx);
	for (size_t i = 0; i <= n; i++)
		assert_int_equal(is_packed(m, modelfix_nth(m, i)), i + 1 < n);
	assert_true(filemodel_size(m->fm, modelfix_named(m, 1)) < SEGMENT);
	modelfix_expect_recovered(m, LAST);
	assert_int_equal(modelfix_problems(m, complaint), 0);
	logfix_fill(&m->fx, 5, 3);
	modelfix_expect_recovered(m, LAST + 15);
	/* They count as what they take. */
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	for (size_t i = 0; i < list.n; i++)
		policy.keep_bytes += list.v[i].disk_bytes;
	assert_true(policy.keep_bytes < list.n * SEGMENT);
	segment_list_deinit(&list);
	assert_int_equal(
	    retainfix_look(m->fx.io, m->fx.dirfd, &policy, &floor, &m->fx.why),
	    RETAIN_NOTHING);
	policy.keep_bytes--;
	assert_int_equal(
	    retainfix_look(m->fx.io, m->fx.dirfd, &policy, &floor, &m->fx.why),
	    RETAIN_FLOOR);
}

/* Three starts, each of which left a segment with events behind. */
static void
segments_that_were_left_in_a_crash_are_packed_too(void **state)
{
	struct modelfix *m = *state;
	char complaint[LOG_PROBLEM_SENTENCE];
	struct modelfix_copy was, is;

	m->fx.segment_bytes = SEGMENT;
	for (unsigned i = 0; i < 3; i++) {
		logfix_start(&m->fx);
		logfix_fill(&m->fx, 4, 3);
		logfix_stop(&m->fx);
	}
	/* What never was acknowledged behind the first one's end. */
	filemodel_edit(m->fm, modelfix_named(m, 1), modelfix_take_copy, &was);
	memset(was.bytes + modelfix_page(4), 0x5a, LOG_PAGE);
	modelfix_put_file(m, modelfix_named(m, 1), &was);
	retainfix_pack_all(&m->fx);
	assert_true(is_packed(m, 1));
	assert_false(is_packed(m, modelfix_nth(m, 1)));
	assert_int_equal(modelfix_problems(m, complaint), 0);
	read_packed(m, 1, &is);
	assert_memory_equal(&was, &is, sizeof(was));
	modelfix_expect_recovered(m, 36);
}

static void
a_reader_goes_on_in_what_was_packed_meanwhile(void **state)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct modelfix *m = *state;
	struct log_frame frame;
	uint64_t next = 1;
	int got;

	modelfix_fill_segments(m);
	assert_int_equal(
	    log_reader_open(m->fx.io, m->fx.dirfd, LAST, &rd, &m->fx.why), 0);
	while (
	    (got = log_reader_next(rd, &frame, &m->fx.why)) == LOG_READ_FRAME) {
		assert_int_equal(frame.first_seq, next);
		next += frame.n_events;
		retainfix_pack_all(&m->fx);
	}
	assert_int_equal(got, LOG_READ_END);
	assert_int_equal(next, LAST + 1);
	assert_true(is_packed(m, 1));
	assert_int_equal(log_reader_seek(rd, 5, &m->fx.why), 0);
	assert_int_equal(
	    log_reader_next(rd, &frame, &m->fx.why), LOG_READ_FRAME);
	assert_int_equal(frame.first_seq, 4);
}

static void
no_byte_of_a_packed_segment_changes_an_event(void **state)
{
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE], complaint[LOG_PROBLEM_SENTENCE];
	unsigned told = 0;
	int64_t size;
	int outcome;

	modelfix_fill_segments(m);
	retainfix_pack_all(&m->fx);
	memcpy(name, modelfix_named(m, 1), sizeof(name));
	size = filemodel_size(m->fm, name);
	for (int64_t at = 0; at < size; at++) {
		long n;

		modelfix_spoil(m, name, (uint64_t)at, 1);
		n = logfix_read(&m->fx, LAST, &outcome);
		/* All of them, or a refusal behind some that are right. */
		assert_true(n >= 0 && (n == LAST) == (outcome == LOG_READ_END));
		if (modelfix_problems(m, complaint) > 0)
			told++;
		else if (n != LAST)
			fail_msg("byte %d is not told of", (int)at);
		modelfix_spoil(m, name, (uint64_t)at, 1);
	}
	/* Index and seal are no loss, nor are the zeros behind it. */
	assert_true(
	    told > 0 && told + LOG_PAGE + ENTRIES * PACKED_ENTRY >= size);
	modelfix_expect_recovered(m, LAST);
}

/*
 * All behind it are gone, and nothing says that they were there.  Its first
 * block, and with it both headers, reads as zeros, and the file has no byte
 * where a segment has its frames.
 */
static void
one_without_headers_is_damaged_not_empty(void **state)
{
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE], complaint[LOG_PROBLEM_SENTENCE];
	struct segment_list list;

	modelfix_fill_segments(m);
	retainfix_pack_all(&m->fx);
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	for (size_t i = 1; i < list.n; i++)
		filemodel_put_aside(m->fm, list.v[i].name, NULL);
	segment_list_deinit(&list);
	memcpy(name, modelfix_named(m, 1), sizeof(name));
	assert_true(filemodel_size(m->fm, name) < SEGMENT_FRAMES);
	modelfix_spoil(m, name, 100, 1);
	modelfix_expect_damage(m, LOG_DAMAGED_SEGMENT, "neither copy");
	assert_int_equal(modelfix_problems(m, complaint), 1);
	modelfix_spoil(m, name, 40, 1);
	modelfix_expect_damage(
	    m, LOG_DAMAGED_SEGMENT, "is not that of a packed segment");
}

/* --- what a file says whose sums somebody has made anew --- */

struct lie {
	size_t at, len;
	uint64_t v;
	bool in_index; /* of the block behind the headers */
};

/* Exchange what is there with what the lie says. */
static void
tell_lie(void *arg, uint8_t *bytes, uint64_t size)
{
	uint8_t *index = bytes + size - LOG_PAGE - ENTRIES * PACKED_ENTRY;
	struct lie *lie = arg;
	uint8_t *at = (lie->in_index ? index + PACKED_ENTRY : bytes) + lie->at;
	uint64_t was = lie->len == 4 ? get_le32(at) : get_le64(at);

	if (lie->len == 4)
		put_le32(at, (uint32_t)lie->v);
	else
		put_le64(at, lie->v);
	lie->v = was;
	put_le32(bytes + PACKED_AT_INDEX_CRC,
	    crc32c(0, index, ENTRIES * PACKED_ENTRY));
	put_le32(bytes + PACKED_AT_CRC, crc32c(0, bytes, PACKED_AT_CRC));
}

/* What comes of opening the first segment after that lie, and reading it. */
static int
open_lying(struct modelfix *m, struct lie lie, struct modelfix_copy *c)
{
	CLEANUP(packed_freep) struct packed *pk = NULL;
	char name[SEGMENT_NAME_SIZE];
	int fd, got;

	memcpy(name, modelfix_named(m, 1), sizeof(name));
	filemodel_edit(m->fm, name, tell_lie, &lie);
	fd = sysio_openat(m->fx.io, m->fx.dirfd, name, O_RDONLY, 0);
	assert_true(fd >= 0);
	got = packed_open(m->fx.io, fd, &pk, &m->fx.why);
	if (got == PACKED_OPENED)
		assert_int_equal(
		    packed_pread(pk, c->bytes, SEGMENT, 0), SEGMENT);
	assert_int_equal(sysio_close(m->fx.io, fd), 0);
	filemodel_edit(m->fm, name, tell_lie, &lie);
	return got;
}

static void
a_header_that_lies_is_damaged(void **state)
{
	static const struct lie lies[] = {
		{ PACKED_AT_BLOCK, 4, 0 },
		{ PACKED_AT_BLOCK, 4, 256 << 11 },
		{ PACKED_AT_CAPACITY, 8, 0 },
		{ PACKED_AT_CAPACITY, 8, LOG_PAGE },
		{ PACKED_AT_CAPACITY, 8, (UINT64_C(1) << 40) + LOG_PAGE },
		{ PACKED_AT_CAPACITY, 8, UINT64_MAX },
		{ PACKED_AT_COVERED, 8, 0 },
		{ PACKED_AT_COVERED, 8, SEGMENT - LOG_PAGE + 1 },
		{ PACKED_AT_COVERED, 8, UINT64_MAX },
		{ PACKED_AT_INDEX, 8, 0 },
		{ PACKED_AT_INDEX, 8, UINT64_MAX },
		{ PACKED_AT_INDEX, 8,
		    UINT64_MAX - LOG_PAGE - ENTRIES * PACKED_ENTRY + 1 },
	};
	struct modelfix *m = *state;
	struct modelfix_copy c;

	modelfix_fill_segments(m);
	retainfix_pack_all(&m->fx);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++)
		if (open_lying(m, lies[i], &c) != PACKED_DAMAGED)
			fail_msg("lie %d is believed", (int)i);
	modelfix_expect_recovered(m, LAST);
}

static void
a_newer_version_is_named_whatever_its_header_says(void **state)
{
	struct lie block = { PACKED_AT_BLOCK, 4, 1 << 20 };
	struct modelfix *m = *state;
	struct modelfix_copy c;

	modelfix_fill_segments(m);
	retainfix_pack_all(&m->fx);
	filemodel_edit(m->fm, modelfix_named(m, 1), tell_lie, &block);
	assert_int_equal(
	    open_lying(m, (struct lie){ PACKED_AT_VERSION, 4, 3 }, &c),
	    -ENOTSUP);
	assert_non_null(strstr(m->fx.why.text, "format version 3"));
}

static void
a_block_whose_entry_lies_reads_as_zeros(void **state)
{
	static const struct lie lies[] = {
		{ PACKED_ENTRY_OFFSET, 8, UINT64_MAX, true },
		{ PACKED_ENTRY_OFFSET, 8, INT64_MAX, true },
		{ PACKED_ENTRY_BYTES, 4, 0, true },
		{ PACKED_ENTRY_BYTES, 4, UINT32_MAX, true },
	};
	const struct lie frame = { PACKED_ENTRY_FRAME, 4, UINT32_MAX, true };
	struct modelfix *m = *state;
	struct modelfix_copy was, is;

	modelfix_fill_segments(m);
	retainfix_pack_all(&m->fx);
	read_packed(m, 1, &was);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		assert_int_equal(open_lying(m, lies[i], &is), PACKED_OPENED);
		assert_memory_equal(was.bytes, is.bytes, SEGMENT_FRAMES);
		assert_true(format_is_zero(is.bytes + SEGMENT_FRAMES,
		    SEGMENT - LOG_PAGE - SEGMENT_FRAMES));
	}
	/* What was stripped is not restored, and no frame verifies. */
	assert_int_equal(open_lying(m, frame, &is), PACKED_OPENED);
	assert_memory_not_equal(&was, &is, sizeof(was));
	modelfix_expect_recovered(m, LAST);
}

/* What is looked for in the segments, of which the first is not right. */
static void
search(struct modelfix *m, const char *name)
{
	char complaint[LOG_PROBLEM_SENTENCE];
	struct reason *why = &m->fx.why;
	struct segment s;
	int fd;

	assert_true(modelfix_problems(m, complaint) > 0);
	assert_int_equal(logfix_recover(&m->fx), RECOVER_DAMAGED);
	assert_int_equal(segment_read(m->fx.io, m->fx.dirfd, name, &s, why), 0);
	fd = sysio_openat(m->fx.io, m->fx.dirfd, name, O_RDONLY, 0);
	assert_true(fd >= 0);
	if (!s.headed)
		assert_int_equal(
		    headless_find(m->fx.io, fd, &s, why), HEADLESS_FOUND);
	assert_int_equal(sysio_close(m->fx.io, fd), 0);
}

/* A terabyte of them takes minutes each time, and none is in the file. */
static void
zeros_that_a_packed_segment_stands_for_are_not_searched(void **state)
{
	struct lie size = { PACKED_AT_CAPACITY, 8, SEGMENT_BYTES_MAX };
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE];
	struct segment_list list;
	uint64_t end;

	modelfix_fill_segments(m);
	retainfix_pack_all(&m->fx);
	memcpy(name, modelfix_named(m, 1), sizeof(name));
	end = (uint64_t)filemodel_size(m->fm, name) - LOG_PAGE;
	filemodel_edit(m->fm, name, tell_lie, &size);
	(void)alarm(DEADLINE);
	/* The headers' block, that of all frames, the seal. */
	modelfix_spoil(m, name, 100, 1);
	search(m, name);
	modelfix_spoil(m, name, 100, 1);
	modelfix_spoil(m, name, end - ENTRIES * PACKED_ENTRY - 1, 1);
	search(m, name);
	modelfix_spoil(m, name, end - ENTRIES * PACKED_ENTRY - 1, 1);
	modelfix_spoil(m, name, end + 100, 1);
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	for (size_t i = 1; i < list.n; i++)
		filemodel_put_aside(m->fm, list.v[i].name, NULL);
	segment_list_deinit(&list);
	search(m, name);
	(void)alarm(0);
}

static bool failing;

static ssize_t
pread_fails(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	return failing ? -EIO : model->pread(ctx, fd, buf, len, at);
}

/* A reader keeps the block that it read last. */
static void
a_block_that_cannot_be_read_does_not_stand_for_another(void **state)
{
	CLEANUP(packed_freep) struct packed *pk = NULL;
	struct modelfix *m = *state;
	struct sysio io = *m->fx.io;
	uint8_t was[LOG_PAGE], is[LOG_PAGE];
	int fd;

	modelfix_fill_segments(m);
	retainfix_pack_all(&m->fx);
	model = m->fx.io;
	io.pread = pread_fails;
	failing = false;
	fd = sysio_openat(&io, m->fx.dirfd, modelfix_named(m, 1), O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(packed_open(&io, fd, &pk, &m->fx.why), PACKED_OPENED);
	assert_int_equal(packed_pread(pk, was, LOG_PAGE, 0), LOG_PAGE);
	failing = true;
	assert_int_equal(packed_pread(pk, is, LOG_PAGE, SEGMENT_FRAMES), -EIO);
	assert_int_equal(packed_pread(pk, is, LOG_PAGE, 0), -EIO);
	failing = false;
	assert_int_equal(packed_pread(pk, is, LOG_PAGE, 0), LOG_PAGE);
	assert_memory_equal(was, is, LOG_PAGE);
	assert_int_equal(sysio_close(&io, fd), 0);
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(one_of_version_1_is_read),
		MODEL_TEST(one_of_version_1_is_read_across_its_blocks),
		MODEL_TEST(a_list_reads_no_frame_of_a_packed_segment),
		MODEL_TEST(a_packed_log_is_the_same_log),
		MODEL_TEST(
		    a_segment_stays_where_its_packed_form_reads_otherwise),
		MODEL_TEST(or_where_that_has_another_seal),
		MODEL_TEST(segments_that_were_left_in_a_crash_are_packed_too),
		MODEL_TEST(a_reader_goes_on_in_what_was_packed_meanwhile),
		MODEL_TEST(no_byte_of_a_packed_segment_changes_an_event),
		MODEL_TEST(one_without_headers_is_damaged_not_empty),
		MODEL_TEST(a_header_that_lies_is_damaged),
		MODEL_TEST(a_newer_version_is_named_whatever_its_header_says),
		MODEL_TEST(a_block_whose_entry_lies_reads_as_zeros),
		MODEL_TEST(
		    a_block_that_cannot_be_read_does_not_stand_for_another),
		MODEL_TEST(
		    zeros_that_a_packed_segment_stands_for_are_not_searched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
