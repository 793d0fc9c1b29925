/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Writing an archive: blocks as they fill, then the index of what they begin
 * with, then the trailer.  The file has its name only once it is durable.
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

enum {
	ARCHIVE_LEVEL = 3,
	ARCHIVE_WRITE = 1 << 20, /* bytes to a write */
};

struct archive_writer {
	const struct sysio *io;
	int dirfd;
	const char *tmp;
	int fd;
	struct archive_id id;
	bool made;   /* the temporary file is there */
	uint64_t at; /* bytes given to the file, with `out` */
	uint64_t written;
	struct sha256 sum;
	struct zstd zstd;
	struct mp_buf out;
	struct mp_buf block;
	uint32_t block_rows;
	struct mp_buf index;
	uint64_t blocks, rows;
	uint8_t first[TOPIC_MAX]; /* topic of the block */
	size_t first_len;
};

void
archive_name(char name[ARCHIVE_NAME_SIZE], uint64_t seq)
{
	snprintf(name, ARCHIVE_NAME_SIZE, "archive-%020llu.zst",
	    (unsigned long long)seq);
}

static int
archive_write_out(struct archive_writer *w, struct reason *why)
{
	int err;

	if (w->out.failed)
		return -ENOMEM;
	if (w->out.len == 0)
		return 0;
	sha256_update(&w->sum, w->out.p, w->out.len);
	err =
	    sysio_write_behind(w->io, w->fd, w->out.p, w->out.len, w->written);
	if (err < 0)
		return reason_set(why, err, "cannot write an archive");
	w->written += w->out.len;
	w->out.len = 0;
	return 0;
}

static void
archive_put_header(struct archive_writer *w)
{
	uint8_t h[ARCHIVE_HEADER] = { 0 };

	memcpy(h, ARCHIVE_MAGIC, 8);
	put_le32(h + ARCHIVE_AT_VERSION, ARCHIVE_VERSION);
	memcpy(h + ARCHIVE_AT_LOG, w->id.log_id, sizeof(w->id.log_id));
	put_le64(h + ARCHIVE_AT_EPOCH, w->id.epoch);
	put_le64(h + ARCHIVE_AT_SEQ, w->id.seq);
	put_le64(h + ARCHIVE_AT_RULES, w->id.rules_version);
	put_le64(h + ARCHIVE_AT_FLOOR, w->id.floor);
	put_le32(h + ARCHIVE_AT_CRC, crc32c(0, h, ARCHIVE_AT_CRC));
	mp_buf_bytes(&w->out, h, sizeof(h));
	w->at = sizeof(h);
}

int
archive_create(const struct sysio *io, int dirfd, const char *tmp,
    const struct archive_id *id, struct archive_writer **out,
    struct reason *why)
{
	CLEANUP(archive_writer_freep)
	struct archive_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->io = io;
	w->dirfd = dirfd;
	w->tmp = tmp;
	w->id = *id;
	w->fd = sysio_openat(io, dirfd, tmp, O_RDWR | O_CREAT | O_TRUNC, 0640);
	if (w->fd < 0)
		return reason_set(why, w->fd, "cannot make '%s'", tmp);
	w->made = true;
	sha256_init(&w->sum);
	archive_put_header(w);
	*out = TAKE(w);
	return 0;
}

struct archive_writer *
archive_writer_free(struct archive_writer *w)
{
	if (!w)
		return NULL;
	if (w->fd >= 0)
		(void)sysio_close(w->io, w->fd);
	if (w->made)
		(void)sysio_unlink(w->io, w->dirfd, w->tmp);
	sha256_deinit(&w->sum);
	zstd_deinit(&w->zstd);
	mp_buf_deinit(&w->out);
	mp_buf_deinit(&w->block);
	mp_buf_deinit(&w->index);
	free(w);
	return NULL;
}

static void
archive_put_entry(struct archive_writer *w)
{
	uint8_t head[ARCHIVE_ENTRY_HEAD];

	put_le64(head, w->at);
	put_le16(head + 8, (uint16_t)w->first_len);
	mp_buf_bytes(&w->index, head, sizeof(head));
	mp_buf_bytes(&w->index, w->first, w->first_len);
}

static int
archive_end_block(struct archive_writer *w, struct reason *why)
{
	size_t at = w->out.len;
	uint8_t *head;
	size_t len;
	int err;

	if (w->block_rows == 0)
		return 0;
	if (!mp_buf_reserve(&w->out, ARCHIVE_BLOCK_HEAD))
		return -ENOMEM;
	w->out.len += ARCHIVE_BLOCK_HEAD;
	err = zstd_compress_block(&w->zstd, ARCHIVE_LEVEL,
	    slice_of(w->block.p, w->block.len), &w->out);
	if (err < 0)
		return err;
	head = w->out.p + at;
	len = w->out.len - at - ARCHIVE_BLOCK_HEAD;
	put_le32(head, (uint32_t)len);
	put_le32(head + 4, (uint32_t)w->block.len);
	put_le32(head + 8, w->block_rows);
	put_le32(
	    head + ARCHIVE_BLOCK_CRC, crc32c(crc32c(0, head, ARCHIVE_BLOCK_CRC),
					  head + ARCHIVE_BLOCK_HEAD, len));
	archive_put_entry(w);
	w->at += ARCHIVE_BLOCK_HEAD + len;
	w->blocks++;
	w->rows += w->block_rows;
	w->block.len = 0;
	w->block_rows = 0;
	return w->out.len >= ARCHIVE_WRITE ? archive_write_out(w, why) : 0;
}

/* The topic of a row behind its mark. */
static int
archive_begin_block(struct archive_writer *w, struct slice marked)
{
	struct mp_walk walk = mp_walk(marked);
	struct mp_item item;
	struct slice topic;

	if (!mp_next(&walk, &item) || !mp_next(&walk, &item) ||
	    !mp_next_name(&walk, &topic) || topic.len > TOPIC_MAX)
		return -EPROTO;
	memcpy(w->first, topic.p, topic.len);
	w->first_len = topic.len;
	return 0;
}

int
archive_put(struct archive_writer *w, struct slice marked, struct reason *why)
{
	int err = 0;

	if (w->block.len + marked.len > ARCHIVE_BLOCK)
		err = archive_end_block(w, why);
	if (err == 0 && w->block_rows == 0)
		err = archive_begin_block(w, marked);
	if (err < 0)
		return err;
	mp_pack_raw(&w->block, marked);
	w->block_rows++;
	return w->block.failed ? -ENOMEM : 0;
}

/* All of the trailer but the hash, which covers it. */
static void
archive_put_trailer(struct archive_writer *w)
{
	uint8_t t[ARCHIVE_END_SHA] = { 0 };

	memcpy(t, ARCHIVE_MAGIC_END, 8);
	memcpy(t + ARCHIVE_END_LOG, w->id.log_id, sizeof(w->id.log_id));
	put_le64(t + ARCHIVE_END_EPOCH, w->id.epoch);
	put_le64(t + ARCHIVE_END_SEQ, w->id.seq);
	put_le64(t + ARCHIVE_END_ROWS, w->rows);
	put_le64(t + ARCHIVE_END_BLOCKS, w->blocks);
	put_le64(t + ARCHIVE_END_INDEX, w->at);
	put_le64(t + ARCHIVE_END_INDEX_BYTES, w->index.len);
	put_le32(
	    t + ARCHIVE_END_INDEX_CRC, crc32c(0, w->index.p, w->index.len));
	put_le32(t + ARCHIVE_END_CRC, crc32c(0, t, ARCHIVE_END_CRC));
	mp_pack_raw(&w->out, slice_of(w->index.p, w->index.len));
	mp_buf_bytes(&w->out, t, sizeof(t));
}

static int
archive_settle(struct archive_writer *w, struct reason *why)
{
	char name[ARCHIVE_NAME_SIZE];
	int err;

	err = sysio_fsync(w->io, w->fd);
	if (err < 0)
		return reason_set(why, err, "cannot sync an archive");
	archive_name(name, w->id.seq);
	err = sysio_rename(w->io, w->dirfd, w->tmp, name);
	if (err < 0)
		return reason_set(why, err, "cannot name '%s'", name);
	w->made = false;
	err = sysio_fsync(w->io, w->dirfd);
	if (err < 0)
		return reason_set(why, err, "cannot sync the directory");
	return 0;
}

int
archive_end(struct archive_writer *w, uint64_t *bytes, struct reason *why)
{
	uint8_t sha[SHA256_BYTES];
	int err = archive_end_block(w, why);

	if (err < 0)
		return err;
	if (w->index.failed)
		return -ENOMEM;
	archive_put_trailer(w);
	err = archive_write_out(w, why);
	if (err < 0)
		return err;
	sha256_final(&w->sum, sha);
	err = sysio_pwrite(w->io, w->fd, sha, sizeof(sha), w->written);
	if (err < 0)
		return reason_set(why, err, "cannot write an archive");
	*bytes = w->written + sizeof(sha);
	return 0;
}

int
archive_finish(struct archive_writer *w, uint64_t *bytes, struct reason *why)
{
	int err = archive_end(w, bytes, why);

	return err < 0 ? err : archive_settle(w, why);
}
