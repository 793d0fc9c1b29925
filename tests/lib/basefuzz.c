/* SPDX-License-Identifier: BSD-2-Clause */

/* Rows and states for fuzz targets; see the header. */

#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/mp.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/sha256.h"
#include "log/archive.h"
#include "log/archive_priv.h"
#include "tests/lib/basefuzz.h"
#include "writer/state.h"

enum {
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

void
basefuzz_put_rows(struct archive_writer *w)
{
	for (unsigned i = 0; i < ROWS; i++)
		put_row(w, i);
}

void
basefuzz_mend(uint8_t *p, uint64_t size, unsigned what)
{
	uint8_t *end = p + size - ARCHIVE_TRAILER;
	uint64_t index = get_le64(end + ARCHIVE_END_INDEX);
	uint64_t room = size - ARCHIVE_TRAILER;
	uint8_t *block = p + ARCHIVE_HEADER;
	uint64_t len = get_le32(block);

	if (what & BASEFUZZ_BLOCK &&
	    len <= room - ARCHIVE_HEADER - ARCHIVE_BLOCK_HEAD)
		put_le32(block + ARCHIVE_BLOCK_CRC,
		    crc32c(crc32c(0, block, ARCHIVE_BLOCK_CRC),
			block + ARCHIVE_BLOCK_HEAD, len));
	if (what & BASEFUZZ_INDEX && index <= room)
		put_le32(end + ARCHIVE_END_INDEX_CRC,
		    crc32c(0, p + index, room - index));
	if (what & BASEFUZZ_ENDS) {
		put_le32(p + ARCHIVE_AT_CRC, crc32c(0, p, ARCHIVE_AT_CRC));
		put_le32(
		    end + ARCHIVE_END_CRC, crc32c(0, end, ARCHIVE_END_CRC));
	}
	if (what & BASEFUZZ_SHA)
		sha256(p, size - SHA256_BYTES, p + size - SHA256_BYTES);
}

enum logfuzz_fate
basefuzz_read_rows(struct archive *a)
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

void
basefuzz_fill(struct state *st)
{
	uint64_t versions[2] = { 4, 5 };
	struct version_undo undo;
	struct key_id ids[2];

	for (unsigned i = 0; i < BASEFUZZ_HEAD; i++) {
		char text[16];
		struct slice topic = slice_of(
		    text, (size_t)snprintf(text, sizeof(text), "t.%u", i % 7));

		FUZZ_MUST(versions_bump(st->versions,
		    hash_bytes(&st->topic_key, topic.p, topic.len), topic,
		    ++st->head_seq, &undo));
	}
	for (unsigned i = 0; i < 3; i++) {
		struct keys_request req = {
			.first_seq = 9 + i, .time_us = 77, .n = 2
		};

		ids[0] = (struct key_id){ { i + 1, 5 } };
		ids[1] = (struct key_id){ { i + 1, 6 } };
		FUZZ_MUST(keys_add(st->keys, &req, ids, versions) == 0);
	}
}

void
basefuzz_ask(const struct state *st)
{
	uint64_t n = versions_count(st->versions), slot, version;
	struct slice topic;

	for (uint64_t i = 0; i < n; i++) {
		struct version v = versions_at(st->versions, i, &topic), w;

		w = versions_get(st->versions,
		    hash_bytes(&st->topic_key, topic.p, topic.len), topic);
		FUZZ_MUST(v.version == w.version && v.last_seq == w.last_seq);
	}
	for (uint64_t i = 0; i < keys_requests(st->keys); i++) {
		struct keys_request req = keys_request_at(st->keys, i, &slot);

		for (uint32_t k = 0; k < req.n; k++)
			(void)keys_slot(st->keys, slot + k, &version);
	}
}
