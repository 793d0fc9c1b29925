/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A packed segment with any bytes in its header, its index, its seal and, all
 * sums right, in what its blocks unpack to: whoever recovers, reads or
 * verifies comes to an end, within bounds.  One that was right, any bytes of
 * whose file are others then or missing or too many, has no other bytes of a
 * segment than it had.
 */

#include <fcntl.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "core/zstd.h"
#include "log/chain.h"
#include "log/format_priv.h"
#include "log/pack.h"
#include "tests/lib/logfuzz.h"

enum {
	/* Offsets of doc/formats.md. */
	HEADER = 64,
	AT_COVERED = 24,
	AT_INDEX = 32,
	AT_INDEX_CRC = 56,
	AT_CRC = 60,
	ENTRY = 24,
	ENTRY_BYTES = 8,
	ENTRY_CRC = 12,
	BLOCKS = 2, /* both headers; all frames */
	INDEX = BLOCKS * ENTRY,
	/* An image has the parts of a file, its blocks unpacked. */
	SEAL = HEADER + INDEX,
	RAW = SEAL + LOG_PAGE,
	SIZE = RAW + LOGFUZZ_SEGMENT,
	/* The sums and lengths of the blocks are made right. */
	MEND_BLOCKS = LOGFUZZ_MEND_FRAMES,
	MEND_ALL = MEND_BLOCKS | LOGFUZZ_MEND_HEADER,
	/* The file is edited, not what it is made of. */
	LATE = 32,
	/* The last two bytes of the input say how much is cut off or added. */
	CUT = 64,
	MORE = 128,
};

struct packing {
	struct filemodel *fm; /* the log, its first segment packed */
	char name[SEGMENT_NAME_SIZE];
	uint8_t image[SIZE];
	size_t raw;
};

static size_t
block_len(const struct packing *pg, unsigned i)
{
	return i == 0 ? SEGMENT_FRAMES : pg->raw - SEGMENT_FRAMES;
}

static void
take_apart(struct packing *pg, const uint8_t *p, size_t len)
{
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	CLEANUP(zstd_deinit) struct zstd z = { 0 };
	uint64_t at = get_le64(p + AT_INDEX);

	pg->raw = get_le64(p + AT_COVERED);
	FUZZ_MUST(len == at + INDEX + LOG_PAGE && pg->raw <= LOGFUZZ_SEGMENT);
	for (unsigned i = 0; i < BLOCKS; i++) {
		const uint8_t *e = p + at + (size_t)i * ENTRY;

		FUZZ_MUST(
		    zstd_decompress_block(&z,
			slice_of(p + get_le64(e), get_le32(e + ENTRY_BYTES)),
			block_len(pg, i), &out) == 0);
	}
	FUZZ_MUST(out.len == pg->raw);
	memcpy(pg->image, p, HEADER);
	memcpy(pg->image + HEADER, p + at, INDEX + LOG_PAGE);
	memcpy(pg->image + RAW, out.p, out.len);
}

static const struct packing *
packing(void)
{
	static struct packing pg;
	static uint8_t bytes[SIZE];
	const struct sysio *io;
	struct segment_list list;
	struct reason why;
	size_t len;

	if (pg.fm)
		return &pg;
	pg.fm = filemodel_clone(logfuzz_log()->fm);
	io = filemodel_io(pg.fm);
	FUZZ_MUST(
	    chain_read(io, filemodel_root(pg.fm), &list, &why) == CHAIN_WHOLE);
	FUZZ_MUST(pack_segment(io, filemodel_root(pg.fm), &list.v[0], &why) ==
		  PACK_DONE);
	segment_name(pg.name, list.v[0].header.first_seq,
	    list.v[0].header.incarnation, ".segz");
	segment_list_deinit(&list);
	len = logfuzz_get(pg.fm, pg.name, bytes, sizeof(bytes));
	take_apart(&pg, bytes, len);
	return &pg;
}

/* The file that pg's image says, its sums mended as flags say. */
static void
put_together(struct packing *pg, unsigned flags, struct mp_buf *out)
{
	CLEANUP(zstd_deinit) struct zstd z = { 0 };
	uint8_t *h = pg->image, *raw = h + RAW;

	mp_buf_bytes(out, h, HEADER);
	for (unsigned i = 0; i < BLOCKS; i++) {
		uint8_t *e = h + HEADER + (size_t)i * ENTRY;
		size_t at = out->len, len = block_len(pg, i);

		FUZZ_MUST(
		    zstd_compress_block(&z, 1, slice_of(raw, len), out) == 0);
		raw += len;
		if (!(flags & MEND_BLOCKS))
			continue;
		put_le64(e, at);
		put_le32(e + ENTRY_BYTES, (uint32_t)(out->len - at));
		put_le32(e + ENTRY_CRC, crc32c(0, out->p + at, out->len - at));
	}
	if (flags & MEND_BLOCKS)
		put_le64(h + AT_INDEX, out->len);
	if (flags & LOGFUZZ_MEND_HEADER) {
		put_le32(h + AT_INDEX_CRC, crc32c(0, h + HEADER, INDEX));
		put_le32(h + AT_CRC, crc32c(0, h, AT_CRC));
	}
	mp_buf_bytes(out, h + HEADER, INDEX + LOG_PAGE);
	FUZZ_MUST(!out->failed);
	memcpy(out->p, h, HEADER);
}

/* The segment before it was packed. */
static const uint8_t *
segment(void)
{
	static uint8_t bytes[LOGFUZZ_SEGMENT + 1];
	const struct logfuzz_log *log = logfuzz_log();

	if (get_le64(bytes) == 0)
		(void)logfuzz_get(log->fm, log->names[0], bytes, sizeof(bytes));
	return bytes;
}

/* Each block that can be read is as it was. */
static void
compare(struct packed *pk, const struct packing *was)
{
	static uint8_t buf[LOGFUZZ_SEGMENT];
	const uint8_t *p = buf, *right = segment();

	FUZZ_MUST(packed_pread(pk, buf, was->raw, 0) == (ssize_t)was->raw);
	for (unsigned i = 0; i < BLOCKS; i++) {
		size_t len = block_len(was, i);

		FUZZ_MUST(memcmp(p, right, len) == 0 || format_is_zero(p, len));
		p += len;
		right += len;
	}
}

/*
 * All of it can be read, at any offset, and nothing behind it; was: what it
 * is made of, unless that was edited.
 */
static void
read_all(struct filemodel *fm, const char *name, const struct packing *was)
{
	CLEANUP(packed_freep) struct packed *pk = NULL;
	const struct sysio *io = filemodel_io(fm);
	int fd = sysio_openat(io, filemodel_root(fm), name, O_RDONLY, 0);
	static uint8_t buf[LOGFUZZ_SEGMENT];
	struct reason why = { "" };
	uint64_t capacity;
	int got;

	FUZZ_MUST(fd >= 0);
	got = packed_open(io, fd, &pk, &why);
	FUZZ_MUST(got >= 0 || why.text[0]);
	if (got == PACKED_OPENED) {
		capacity = packed_capacity(pk);
		for (uint64_t at = 0; at < capacity && at < 4 * sizeof(buf);
		     at += 1000)
			FUZZ_MUST(packed_pread(pk, buf, 1000, at) ==
				  (ssize_t)MIN(1000, capacity - at));
		FUZZ_MUST(packed_pread(pk, buf, 1, capacity) == 0);
		FUZZ_MUST(packed_pread(pk, buf, 2, capacity - 1) == 1);
		if (was)
			compare(pk, was);
	}
	(void)sysio_close(io, fd);
}

/* Edit the file that was put together. */
static void
spoil(struct mp_buf *file, const struct logfuzz_input *in)
{
	size_t n = in->len > 2 ? get_le16(in->p + in->len - 2) : 0;

	if (in->p[0] & LATE)
		logfuzz_edit(file->p, file->len, in->p + 1, in->len - 1);
	if (in->p[0] & CUT)
		file->len -= MIN(n, file->len - 1);
	if (in->p[0] & MORE)
		mp_buf_bytes(file, in->p, in->len);
	FUZZ_MUST(!file->failed);
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	static struct packing pg;
	const struct packing *was = packing();
	CLEANUP(filemodel_freep)
	struct filemodel *fm = filemodel_clone(was->fm);
	CLEANUP(mp_buf_deinit) struct mp_buf file = { 0 };
	bool late = in.p[0] & LATE;

	pg = *was;
	if (!late)
		logfuzz_edit(pg.image, RAW + pg.raw, in.p + 1, in.len - 1);
	put_together(&pg, late ? MEND_ALL : in.p[0], &file);
	spoil(&file, &in);
	logfuzz_put(fm, was->name, file.p, file.len);
	read_all(fm, was->name, late ? was : NULL);
	return logfuzz_look(fm);
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "packed",
	.what = "packed segments of any bytes are refused or read within "
		"bounds",
	.try = try,
};
