/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Archives, the files of snapshots, of any bytes, their checks right or
 * wrong: refused, or read within bounds and in order.
 */

#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/mp.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/sha256.h"
#include "log/archive.h"
#include "log/archive_priv.h"
#include "tests/lib/logfuzz.h"

enum {
	SEQ = 77,
	ROWS = 12
};

static void
put_row(struct archive_writer *w, unsigned i)
{
	uint8_t value[] = { 0x93, 1, 2, (uint8_t)i }, bytes[200];
	char topic[16];
	struct row row = { .version = 1 + i,
		.seq = 2 + i,
		.created_us = 5,
		.updated_us = 6,
		.created_by = SLICE_STR("ann"),
		.updated_by = SLICE_STR("bob"),
		.deleted = i % 5 == 4,
		.value = slice_of(value, sizeof(value)) };
	struct mp_buf marked = { 0 };
	struct reason why;
	size_t len;

	row.topic = slice_of(
	    topic, (size_t)snprintf(topic, sizeof(topic), "t.%02u", i));
	len = (size_t)(row_encode(&row, bytes) - bytes);
	mp_pack_uint(&marked, 2 * len + (i % 10 == 9));
	mp_buf_bytes(&marked, bytes, len);
	FUZZ_MUST(archive_put(w, slice_of(marked.p, marked.len), &why) == 0);
	mp_buf_deinit(&marked);
}

static struct filemodel *
archived(void)
{
	struct archive_id id = { "0123456789abcdef", 1, SEQ, 3, 0 };
	struct filemodel *fm = filemodel_new(1);
	CLEANUP(archive_writer_freep) struct archive_writer *w = NULL;
	struct reason why;
	uint64_t bytes;

	FUZZ_MUST(archive_create(filemodel_io(fm), filemodel_root(fm),
		      ARCHIVE_TMP, &id, &w, &why) == 0);
	for (unsigned i = 0; i < ROWS; i++)
		put_row(w, i);
	FUZZ_MUST(archive_finish(w, &bytes, &why) == 0);
	return fm;
}

/* Checks as whoever wrote these bytes would have made them. */
static void
mend(uint8_t *p, uint64_t size, unsigned what)
{
	uint8_t *end = p + size - ARCHIVE_TRAILER;
	uint64_t index = get_le64(end + ARCHIVE_END_INDEX);
	uint64_t room = size - ARCHIVE_TRAILER;
	uint8_t *block = p + ARCHIVE_HEADER;
	uint64_t len = get_le32(block);

	if (what & 2 && len <= room - ARCHIVE_HEADER - ARCHIVE_BLOCK_HEAD)
		put_le32(block + ARCHIVE_BLOCK_CRC,
		    crc32c(crc32c(0, block, ARCHIVE_BLOCK_CRC),
			block + ARCHIVE_BLOCK_HEAD, len));
	if (what & 4 && index <= room)
		put_le32(end + ARCHIVE_END_INDEX_CRC,
		    crc32c(0, p + index, room - index));
	if (what & 1) {
		put_le32(p + ARCHIVE_AT_CRC, crc32c(0, p, ARCHIVE_AT_CRC));
		put_le32(
		    end + ARCHIVE_END_CRC, crc32c(0, end, ARCHIVE_END_CRC));
	}
	if (what & 8)
		sha256(p, size - SHA256_BYTES, p + size - SHA256_BYTES);
}

/* From the beginning, or with bit 4 from the trailer on, with 5 in a block. */
static void
apply(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct logfuzz_input *in = arg;
	uint64_t from = 0;

	if (in->p[0] & 16)
		from = size - ARCHIVE_TRAILER;
	else if (in->p[0] & 32)
		from = ARCHIVE_HEADER;
	logfuzz_edit(bytes + from, size - from, in->p + 1, in->len - 1);
	mend(bytes, size, in->p[0]);
}

static enum logfuzz_fate
read_rows(struct archive *a)
{
	struct reason why = { "" };
	struct archive_row row;
	uint64_t n = 0;
	int got;

	(void)!archive_verify(a, &why);
	archive_seek(a, SLICE_STR("t.03"));
	(void)!archive_next(a, &row, &why);
	archive_seek(a, SLICE_STR(""));
	while ((got = archive_next(a, &row, &why)) == ARCHIVE_ROW) {
		struct row r;

		FUZZ_MUST(++n < 1 << 20);
		(void)!row_decode(row.row, &r, &why);
	}
	FUZZ_MUST(got == ARCHIVE_END || why.text[0]);
	return got == ARCHIVE_END ? LOGFUZZ_READ : LOGFUZZ_BROKEN;
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	static struct filemodel *whole;
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	CLEANUP(archive_freep) struct archive *a = NULL;
	struct reason why = { "" };
	char name[ARCHIVE_NAME_SIZE];

	if (!whole)
		whole = archived();
	fm = filemodel_clone(whole);
	archive_name(name, SEQ);
	filemodel_edit(fm, name, apply, &in);
	if (archive_open(filemodel_io(fm), filemodel_root(fm), SEQ, &a, &why) !=
	    ARCHIVE_ROW) {
		FUZZ_MUST(why.text[0]);
		return LOGFUZZ_REFUSED;
	}
	return read_rows(a);
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "archive",
	.what = "an archive of any bytes is refused or read within bounds",
	.try = try,
};
