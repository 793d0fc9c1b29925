/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading an archive.  Nothing of a file is believed before a checksum has
 * said so, and nothing that it declares is allocated or followed beyond the
 * file's own size.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "core/topic.h"
#include "core/zstd.h"
#include "log/archive.h"
#include "log/archive_priv.h"

struct archive_block {
	uint64_t offset;
	struct slice topic; /* its first */
};

struct archive {
	const struct sysio *io;
	int fd;
	bool own_fd;
	char name[ARCHIVE_NAME_SIZE];
	uint64_t bytes;
	struct archive_id id;
	uint64_t rows;
	uint8_t *index;
	struct archive_block *v;
	uint64_t n;
	uint64_t end; /* of the last block */
	/* Of the walk. */
	uint64_t next; /* block */
	struct mp_buf packed, block;
	struct zstd zstd;
	struct mp_walk walk;
	uint32_t left;	   /* rows of the block */
	struct slice last; /* topic of the row before */
	uint8_t from[TOPIC_MAX];
	size_t from_len; /* rows before it are stepped over */
};

static int
archive_damaged(const struct archive *a, const char *what, struct reason *why)
{
	reason_set(why, 0, "archive '%s' is damaged: %s", a->name, what);
	return ARCHIVE_DAMAGED;
}

struct archive *
archive_free(struct archive *a)
{
	if (!a)
		return NULL;
	if (a->own_fd)
		(void)sysio_close(a->io, a->fd);
	free(a->index);
	free(a->v);
	mp_buf_deinit(&a->packed);
	mp_buf_deinit(&a->block);
	zstd_deinit(&a->zstd);
	free(a);
	return NULL;
}

void
archive_own_fd(struct archive *a)
{
	a->own_fd = true;
}

const struct archive_id *
archive_id(const struct archive *a)
{
	return &a->id;
}

uint64_t
archive_rows(const struct archive *a)
{
	return a->rows;
}

uint64_t
archive_bytes(const struct archive *a)
{
	return a->bytes;
}

/* Exactly len bytes. */
static int
archive_pread(
    struct archive *a, void *buf, size_t len, uint64_t at, struct reason *why)
{
	ssize_t n = sysio_pread(a->io, a->fd, buf, len, at);

	if (n < 0)
		return reason_set(why, (int)n, "cannot read '%s'", a->name);
	return (size_t)n == len ? ARCHIVE_ROW
				: archive_damaged(a, "it is cut short", why);
}

static int
archive_read_header(struct archive *a, struct reason *why)
{
	uint8_t h[ARCHIVE_HEADER];
	int got = archive_pread(a, h, sizeof(h), 0, why);

	if (got != ARCHIVE_ROW)
		return got;
	if (memcmp(h, ARCHIVE_MAGIC, 8) != 0 ||
	    get_le32(h + ARCHIVE_AT_CRC) != crc32c(0, h, ARCHIVE_AT_CRC))
		return archive_damaged(a, "its header does not verify", why);
	if (get_le32(h + ARCHIVE_AT_VERSION) != ARCHIVE_VERSION)
		return archive_damaged(a, "its version is not known", why);
	memcpy(a->id.log_id, h + ARCHIVE_AT_LOG, sizeof(a->id.log_id));
	a->id.epoch = get_le64(h + ARCHIVE_AT_EPOCH);
	a->id.seq = get_le64(h + ARCHIVE_AT_SEQ);
	a->id.rules_version = get_le64(h + ARCHIVE_AT_RULES);
	a->id.floor = get_le64(h + ARCHIVE_AT_FLOOR);
	return ARCHIVE_ROW;
}

/* The n entries of the index, of len bytes. */
static int
archive_parse_index(struct archive *a, size_t len, struct reason *why)
{
	const uint8_t *p = a->index, *end = p + len;
	uint64_t least = ARCHIVE_HEADER;

	for (uint64_t i = 0; i < a->n; i++) {
		struct archive_block *b = &a->v[i];

		if (end - p < ARCHIVE_ENTRY_HEAD)
			return archive_damaged(a, "its index ends", why);
		b->offset = get_le64(p);
		b->topic = slice_of(p + ARCHIVE_ENTRY_HEAD, get_le16(p + 8));
		p += ARCHIVE_ENTRY_HEAD;
		if ((size_t)(end - p) < b->topic.len ||
		    b->topic.len > TOPIC_MAX)
			return archive_damaged(a, "its index ends", why);
		p += b->topic.len;
		if (i == 0 ? b->offset != least : b->offset < least)
			return archive_damaged(
			    a, "its blocks are out of order", why);
		if (b->offset > a->end ||
		    a->end - b->offset < ARCHIVE_BLOCK_HEAD)
			return archive_damaged(
			    a, "its blocks are out of order", why);
		least = b->offset + ARCHIVE_BLOCK_HEAD;
	}
	if (p != end)
		return archive_damaged(a, "its index goes on", why);
	return ARCHIVE_ROW;
}

static int
archive_read_index(
    struct archive *a, size_t len, uint32_t crc, struct reason *why)
{
	int got;

	a->index = malloc(len + 1);
	a->v = calloc(a->n + 1, sizeof(*a->v));
	if (!a->index || !a->v)
		return -ENOMEM;
	got = archive_pread(a, a->index, len, a->end, why);
	if (got != ARCHIVE_ROW)
		return got;
	if (crc32c(0, a->index, len) != crc)
		return archive_damaged(a, "its index does not verify", why);
	return archive_parse_index(a, len, why);
}

static int
archive_read_trailer(struct archive *a, struct reason *why)
{
	uint8_t t[ARCHIVE_TRAILER];
	uint64_t trailer = a->bytes - ARCHIVE_TRAILER, len;
	int got = archive_pread(a, t, sizeof(t), trailer, why);

	if (got != ARCHIVE_ROW)
		return got;
	if (memcmp(t, ARCHIVE_MAGIC_END, 8) != 0 ||
	    get_le32(t + ARCHIVE_END_CRC) != crc32c(0, t, ARCHIVE_END_CRC))
		return archive_damaged(a, "its trailer does not verify", why);
	if (memcmp(t + ARCHIVE_END_LOG, a->id.log_id, sizeof(a->id.log_id)) !=
		0 ||
	    get_le64(t + ARCHIVE_END_EPOCH) != a->id.epoch ||
	    get_le64(t + ARCHIVE_END_SEQ) != a->id.seq)
		return archive_damaged(
		    a, "its trailer is another archive's", why);
	a->rows = get_le64(t + ARCHIVE_END_ROWS);
	a->n = get_le64(t + ARCHIVE_END_BLOCKS);
	a->end = get_le64(t + ARCHIVE_END_INDEX);
	len = get_le64(t + ARCHIVE_END_INDEX_BYTES);
	if (a->end < ARCHIVE_HEADER || a->end > trailer ||
	    trailer - a->end != len || a->n > len / ARCHIVE_ENTRY_HEAD)
		return archive_damaged(a, "its index is not in it", why);
	return archive_read_index(
	    a, len, get_le32(t + ARCHIVE_END_INDEX_CRC), why);
}

static int
archive_read(struct archive *a, struct reason *why)
{
	int got;

	if (a->bytes < ARCHIVE_HEADER + ARCHIVE_TRAILER)
		return archive_damaged(a, "it is cut short", why);
	got = archive_read_header(a, why);
	return got == ARCHIVE_ROW ? archive_read_trailer(a, why) : got;
}

int
archive_open_fd(const struct sysio *io, int fd, uint64_t bytes,
    const char *name, struct archive **out, struct reason *why)
{
	CLEANUP(archive_freep) struct archive *a = calloc(1, sizeof(*a));
	int got;

	if (!a)
		return -ENOMEM;
	a->io = io;
	a->fd = fd;
	a->bytes = bytes;
	snprintf(a->name, sizeof(a->name), "%s", name);
	got = archive_read(a, why);
	if (got == ARCHIVE_ROW)
		*out = TAKE(a);
	return got;
}

int
archive_open(const struct sysio *io, int dirfd, uint64_t seq,
    struct archive **out, struct reason *why)
{
	CLEANUP(archive_freep) struct archive *a = NULL;
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	char name[ARCHIVE_NAME_SIZE];
	uint64_t bytes;
	int got;

	archive_name(name, seq);
	f.fd = sysio_openat(io, dirfd, name, O_RDONLY, 0);
	if (f.fd < 0)
		return reason_set(why, f.fd, "cannot open '%s'", name);
	got = sysio_size(io, f.fd, &bytes);
	if (got < 0)
		return reason_set(why, got, "cannot read '%s'", name);
	got = archive_open_fd(io, f.fd, bytes, name, &a, why);
	if (got != ARCHIVE_ROW)
		return got;
	if (a->id.seq != seq)
		return archive_damaged(a, "its name is another's", why);
	archive_own_fd(a);
	f.fd = -1;
	*out = TAKE(a);
	return ARCHIVE_ROW;
}

int
archive_verify(struct archive *a, struct reason *why)
{
	CLEANUP(freep) uint8_t *buf = malloc(1 << 20);
	CLEANUP(sha256_deinit) struct sha256 sum = { 0 };
	uint8_t sha[SHA256_BYTES], want[SHA256_BYTES];
	uint64_t at = 0, end = a->bytes - SHA256_BYTES;
	int got;

	if (!buf)
		return -ENOMEM;
	sha256_init(&sum);
	while (at < end) {
		size_t len = (size_t)MIN(end - at, (uint64_t)1 << 20);

		got = archive_pread(a, buf, len, at, why);
		if (got != ARCHIVE_ROW)
			return got;
		sha256_update(&sum, buf, len);
		at += len;
	}
	sha256_final(&sum, sha);
	got = archive_pread(a, want, sizeof(want), end, why);
	if (got != ARCHIVE_ROW)
		return got;
	return memcmp(sha, want, sizeof(sha)) == 0
		   ? ARCHIVE_ROW
		   : archive_damaged(a, "its hash is another", why);
}

/* --- the walk --- */

static int
archive_load_block(struct archive *a, uint64_t i, struct reason *why)
{
	uint64_t offset = a->v[i].offset;
	size_t len =
	    (size_t)((i + 1 < a->n ? a->v[i + 1].offset : a->end) - offset);
	const uint8_t *head;
	uint32_t raw;
	int got;

	a->packed.len = a->block.len = 0;
	/* Memory that was short once is asked for again. */
	a->packed.failed = a->block.failed = false;
	a->last.p = NULL;
	if (!mp_buf_reserve(&a->packed, len))
		return -ENOMEM;
	got = archive_pread(a, a->packed.p, len, offset, why);
	if (got != ARCHIVE_ROW)
		return got;
	head = a->packed.p;
	raw = get_le32(head + 4);
	if (get_le32(head) != len - ARCHIVE_BLOCK_HEAD ||
	    get_le32(head + ARCHIVE_BLOCK_CRC) !=
		crc32c(crc32c(0, head, ARCHIVE_BLOCK_CRC),
		    head + ARCHIVE_BLOCK_HEAD, len - ARCHIVE_BLOCK_HEAD) ||
	    raw > ARCHIVE_BLOCK_MAX)
		return archive_damaged(a, "a block does not verify", why);
	got = zstd_decompress_block(&a->zstd,
	    slice_of(head + ARCHIVE_BLOCK_HEAD, len - ARCHIVE_BLOCK_HEAD), raw,
	    &a->block);
	if (got == -ENOMEM)
		return got;
	if (got < 0 || a->block.len != raw)
		return archive_damaged(a, "a block does not unpack", why);
	a->left = get_le32(head + 8);
	a->walk = mp_walk(slice_of(a->block.p, a->block.len));
	return ARCHIVE_ROW;
}

static int
archive_compare(struct slice a, struct slice b)
{
	int c = memcmp(a.p, b.p, MIN(a.len, b.len));

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

void
archive_seek(struct archive *a, struct slice topic)
{
	uint64_t low = 0, high = a->n;

	/* The last block that begins at or before topic. */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (archive_compare(a->v[middle].topic, topic) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	low = low > 0 ? low - 1 : 0;
	/* A walk that is within the block, and not beyond, goes on. */
	if (a->next != low + 1 || !a->last.p ||
	    archive_compare(a->last, topic) >= 0) {
		a->next = low;
		a->left = 0;
	}
	a->from_len = MIN(topic.len, sizeof(a->from));
	if (a->from_len)
		memcpy(a->from, topic.p, a->from_len);
}

/* The next row, whatever its topic. */
static int
archive_step(struct archive *a, struct archive_row *out, struct reason *why)
{
	struct mp_item item;
	struct mp_walk in;
	int got;

	while (a->left == 0) {
		if (a->next == a->n)
			return ARCHIVE_END;
		got = archive_load_block(a, a->next, why);
		if (got != ARCHIVE_ROW)
			return got;
		a->next++;
	}
	a->left--;
	if (!mp_next(&a->walk, &item) || item.type != MP_UINT ||
	    item.u >> 1 > (size_t)(a->walk.end - a->walk.p))
		return archive_damaged(a, "a block ends within a row", why);
	out->row = slice_of(a->walk.p, item.u >> 1);
	out->dropped = item.u & 1;
	a->walk.p += out->row.len;
	in = mp_walk(out->row);
	if (!mp_next(&in, &item) || item.type != MP_ARRAY ||
	    !mp_next_name(&in, &out->topic) || !out->topic.p)
		return archive_damaged(a, "a row is none", why);
	a->last = out->topic;
	return ARCHIVE_ROW;
}

int
archive_next(struct archive *a, struct archive_row *out, struct reason *why)
{
	int got;

	do {
		got = archive_step(a, out, why);
	} while (
	    got == ARCHIVE_ROW && a->from_len > 0 &&
	    archive_compare(out->topic, slice_of(a->from, a->from_len)) < 0);
	a->from_len = 0;
	return got;
}
