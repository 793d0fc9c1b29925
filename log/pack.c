/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Packed segments.  A file has a header, blocks, an index, and the seal's
 * page as it was:
 *
 *	header | block | block | …  | index | seal
 *
 * What is between the last block and the seal was zeros.  The first block has
 * the segment's headers alone: a list of segments reads no more of each.
 * Before a block is compressed its frames are stripped.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "log/format_priv.h"
#include "log/pack.h"
#include "log/pack_priv.h"
#include "log/segment.h"
#include "log/strip.h"

enum {
	PACK_VERSION_OLDEST = 1, /* its first block is like the others */
	PACK_VERSION = 2,
	PACK_LEVEL = 6, /* smaller than 9 in blocks of this size, and quicker */
	PACK_AT_MAGIC = 0,
	PACK_AT_VERSION = 8,
	PACK_AT_BLOCK = 12,
	PACK_AT_CAPACITY = 16,
	PACK_AT_COVERED = 24,
	PACK_AT_INDEX = 32,
	PACK_AT_SALT = 40,
	PACK_AT_INDEX_CRC = 56,
	PACK_AT_CRC = 60,
};

struct packed *
packed_free(struct packed *pk)
{
	if (!pk)
		return NULL;
	free(pk->index);
	mp_buf_deinit(&pk->packed);
	mp_buf_deinit(&pk->raw);
	zstd_deinit(&pk->zstd);
	free(pk);
	return NULL;
}

uint64_t
packed_capacity(const struct packed *pk)
{
	return pk->capacity;
}

/* Number of the block that has the segment's byte at `at`. */
static uint64_t
packed_block(const struct packed *pk, uint64_t at)
{
	return at < pk->first ? 0 : 1 + (at - pk->first) / PACK_BLOCK;
}

/* Where in the segment block i begins. */
static uint64_t
packed_start(const struct packed *pk, uint64_t i)
{
	return i == 0 ? 0 : pk->first + (i - 1) * PACK_BLOCK;
}

size_t
packed_raw_len(const struct packed *pk, uint64_t i)
{
	return (size_t)(MIN(packed_start(pk, i + 1), pk->covered) -
			packed_start(pk, i));
}

static uint64_t
packed_blocks(const struct packed *pk)
{
	return pk->covered == 0 ? 0 : packed_block(pk, pk->covered - 1) + 1;
}

uint64_t
packed_data(const struct packed *pk, uint64_t at)
{
	uint64_t seal = pk->capacity - LOG_PAGE;
	uint64_t end = MIN(packed_start(pk, pk->known), pk->covered);

	return at < end || at > seal ? at : seal;
}

/* Behind the last byte that the file has when it is whole. */
static uint64_t
packed_end(const struct packed *pk)
{
	return pk->index_at + pk->n * PACK_ENTRY + LOG_PAGE;
}

const char *
packed_oddity(const struct packed *pk)
{
	if (pk->file_bytes < packed_end(pk))
		return "it is cut off; what is whole of it is read";
	if (pk->mended || !pk->sure)
		return "its index is damaged; blocks are found without it";
	if (pk->file_bytes > packed_end(pk))
		return "it goes on behind its end; nothing there is read";
	return NULL;
}

static bool
packed_is_header(const uint8_t *h)
{
	return get_le64(h + PACK_AT_MAGIC) == PACK_MAGIC &&
	       get_le32(h + PACK_AT_CRC) == crc32c(0, h, PACK_AT_CRC);
}

/* Does the header make sense? */
static bool
packed_take_header(struct packed *pk, const uint8_t *h)
{
	pk->capacity = get_le64(h + PACK_AT_CAPACITY);
	pk->covered = get_le64(h + PACK_AT_COVERED);
	pk->index_at = get_le64(h + PACK_AT_INDEX);
	pk->index_crc = get_le32(h + PACK_AT_INDEX_CRC);
	pk->salt = get_le32(h + PACK_AT_SALT);
	pk->first =
	    get_le32(h + PACK_AT_VERSION) < 2 ? PACK_BLOCK : SEGMENT_FRAMES;
	pk->n = packed_blocks(pk);
	return get_le32(h + PACK_AT_BLOCK) == PACK_BLOCK &&
	       pk->capacity <= SEGMENT_BYTES_MAX && pk->capacity >= LOG_PAGE &&
	       pk->covered <= pk->capacity - LOG_PAGE && pk->n > 0 &&
	       pk->index_at > PACK_HEADER &&
	       (pk->index_at - PACK_HEADER) / PACK_BLOCK_MOST < pk->n;
}

/* As much of it as is there.  1: it is what was written; 0 or -errno. */
static int
packed_read_index(struct packed *pk)
{
	size_t len;
	ssize_t n;

	/* What a header claims takes no more memory than the file has bytes. */
	pk->known = MIN(pk->n, pk->file_bytes / PACK_BLOCK_LEAST);
	pk->index = calloc(pk->known + 1, PACK_ENTRY);
	if (!pk->index)
		return -ENOMEM;
	len = pk->known * PACK_ENTRY;
	n = sysio_pread(pk->io, pk->fd, pk->index, len, pk->index_at);
	if (n < 0)
		return (int)n;
	/* What is cut off in an entry is none of it. */
	memset(
	    pk->index + n / PACK_ENTRY * PACK_ENTRY, 0, (size_t)n % PACK_ENTRY);
	return pk->known == pk->n && (size_t)n == len &&
	       crc32c(0, pk->index, len) == pk->index_crc;
}

static int
packed_read(struct packed *pk, struct reason *why)
{
	uint8_t h[PACK_HEADER];
	uint32_t version;
	ssize_t n;
	int err = sysio_size(pk->io, pk->fd, &pk->file_bytes);

	if (err < 0)
		return err;
	n = sysio_pread(pk->io, pk->fd, h, sizeof(h), 0);
	if (n < 0)
		return (int)n;
	if (n != sizeof(h) || !packed_is_header(h))
		return PACKED_DAMAGED;
	/* First: of another version the rest may mean anything. */
	version = get_le32(h + PACK_AT_VERSION);
	if (version < PACK_VERSION_OLDEST || version > PACK_VERSION)
		return reason_say(why, -ENOTSUP,
		    "a packed segment has format version %u, this program "
		    "knows %d and %d",
		    version, PACK_VERSION_OLDEST, PACK_VERSION);
	if (!packed_take_header(pk, h))
		return PACKED_DAMAGED;
	err = packed_read_index(pk);
	pk->sure = err > 0;
	if (err == 0)
		err = packed_mend(pk);
	if (err < 0)
		return err;
	return pk->known > 0 ? PACKED_OPENED : PACKED_DAMAGED;
}

int
packed_open(
    const struct sysio *io, int fd, struct packed **out, struct reason *why)
{
	CLEANUP(packed_freep) struct packed *pk = calloc(1, sizeof(*pk));
	int got;

	if (!pk)
		return -ENOMEM;
	pk->io = io;
	pk->fd = fd;
	got = packed_read(pk, why);
	if (got == PACKED_OPENED)
		*out = TAKE(pk);
	return got;
}

int
packed_unpack(struct packed *pk, const uint8_t *e, size_t want)
{
	uint64_t offset = get_le64(e + PACK_ENTRY_AT);
	uint32_t len = get_le32(e + PACK_ENTRY_BYTES);
	ssize_t n;
	int got = -EPROTO;

	pk->packed.len = pk->raw.len = 0;
	/* Memory that was short once is asked for again. */
	pk->packed.failed = pk->raw.failed = false;
	if (offset > pk->index_at || len > pk->index_at - offset ||
	    len > PACK_BLOCK_MOST)
		len = 0;
	if (!mp_buf_reserve(&pk->packed, len + 1) ||
	    !mp_buf_reserve(&pk->raw, PACK_BLOCK))
		return -ENOMEM;
	n = sysio_pread(pk->io, pk->fd, pk->packed.p, len, offset);
	if (n < 0)
		return (int)n;
	if (n > 0 && (uint32_t)n == len &&
	    crc32c(0, pk->packed.p, len) == get_le32(e + PACK_ENTRY_CRC))
		got = zstd_decompress_block(
		    &pk->zstd, slice_of(pk->packed.p, len), want, &pk->raw);
	if (got == -ENOMEM)
		return got;
	return got == 0 && pk->raw.len == want;
}

/* Unpack block i into pk->raw, zeros where it is damaged; 0 or -errno. */
static int
packed_load(struct packed *pk, uint64_t i)
{
	const uint8_t *e = pk->index + i * PACK_ENTRY;
	size_t want = packed_raw_len(pk, i), frame;
	int got;

	if (pk->have == i + 1)
		return 0;
	pk->have = 0;
	got = packed_unpack(pk, e, want);
	if (got < 0)
		return got;
	frame = get_le32(e + PACK_ENTRY_FRAME);
	/* Restored from another place on, frames would get other seqs. */
	if (got > 0 && !pk->sure)
		got = strip_find_stripped(pk->raw.p, want) == frame;
	if (got > 0)
		strip_restore(pk->raw.p, want, frame, pk->salt);
	else
		memset(pk->raw.p, 0, want);
	pk->raw.len = want;
	pk->have = i + 1;
	return 0;
}

/* Bytes of the seal's page from `at` on, zeros where they are cut off. */
static ssize_t
packed_seal(struct packed *pk, uint8_t *buf, size_t len, uint64_t at)
{
	uint64_t from = at - (pk->capacity - LOG_PAGE);
	ssize_t n;

	len = (size_t)MIN((uint64_t)len, pk->capacity - at);
	n = sysio_pread(
	    pk->io, pk->fd, buf, len, packed_end(pk) - LOG_PAGE + from);
	if (n < 0)
		return n;
	memset(buf + n, 0, len - (size_t)n);
	return (ssize_t)len;
}

/* What is there at `at`: how many bytes, at most len. */
static ssize_t
packed_some(struct packed *pk, uint8_t *buf, size_t len, uint64_t at)
{
	uint64_t seal = pk->capacity - LOG_PAGE, i;
	size_t skip;
	int err;

	if (at >= seal)
		return packed_seal(pk, buf, len, at);
	if (at >= pk->covered || packed_block(pk, at) >= pk->known) {
		len = (size_t)MIN((uint64_t)len, seal - at);
		memset(buf, 0, len);
		return (ssize_t)len;
	}
	i = packed_block(pk, at);
	err = packed_load(pk, i);
	if (err < 0)
		return err;
	skip = (size_t)(at - packed_start(pk, i));
	len = MIN(len, pk->raw.len - skip);
	memcpy(buf, pk->raw.p + skip, len);
	return (ssize_t)len;
}

ssize_t
packed_pread(struct packed *pk, void *buf, size_t len, uint64_t at)
{
	size_t done = 0;

	while (done < len && at + done < pk->capacity) {
		ssize_t n = packed_some(
		    pk, (uint8_t *)buf + done, len - done, at + done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* --- packing --- */

struct packing {
	const struct sysio *io;
	int dirfd;
	int from; /* the segment */
	int to;
	bool placed; /* what is in `to` has its name */
	uint64_t at; /* the next byte of the file */
	struct packed pk;
	uint8_t *raw;
	struct mp_buf out;
};

static int
pack_block(struct packing *pg, uint64_t i)
{
	size_t want = packed_raw_len(&pg->pk, i);
	ssize_t n = sysio_pread(
	    pg->io, pg->from, pg->raw, want, packed_start(&pg->pk, i));
	uint8_t *e = pg->pk.index + i * PACK_ENTRY;
	size_t frame;
	int err;

	if (n < 0)
		return (int)n;
	if ((size_t)n != want)
		return -EPROTO;
	frame = strip_find(pg->raw, want, pg->pk.salt);
	strip_frames(pg->raw, want, frame, pg->pk.salt);
	pg->out.len = 0;
	err = zstd_compress_block(
	    &pg->pk.zstd, PACK_LEVEL, slice_of(pg->raw, want), &pg->out);
	if (err == 0)
		err = sysio_write_behind(
		    pg->io, pg->to, pg->out.p, pg->out.len, pg->at);
	put_le64(e + PACK_ENTRY_AT, pg->at);
	put_le32(e + PACK_ENTRY_BYTES, (uint32_t)pg->out.len);
	put_le32(e + PACK_ENTRY_CRC, crc32c(0, pg->out.p, pg->out.len));
	put_le32(e + PACK_ENTRY_FRAME, (uint32_t)frame);
	pg->at += pg->out.len;
	return err;
}

/* Index, seal and header, and a sync. */
static int
pack_end(struct packing *pg)
{
	size_t len = pg->pk.n * PACK_ENTRY;
	uint8_t h[PACK_HEADER] = { 0 };
	ssize_t n;
	int err;

	put_le64(h + PACK_AT_MAGIC, PACK_MAGIC);
	put_le32(h + PACK_AT_VERSION, PACK_VERSION);
	put_le32(h + PACK_AT_BLOCK, PACK_BLOCK);
	put_le64(h + PACK_AT_CAPACITY, pg->pk.capacity);
	put_le64(h + PACK_AT_COVERED, pg->pk.covered);
	put_le64(h + PACK_AT_INDEX, pg->at);
	put_le32(h + PACK_AT_SALT, pg->pk.salt);
	put_le32(h + PACK_AT_INDEX_CRC, crc32c(0, pg->pk.index, len));
	put_le32(h + PACK_AT_CRC, crc32c(0, h, PACK_AT_CRC));
	n = sysio_pread(
	    pg->io, pg->from, pg->raw, LOG_PAGE, pg->pk.capacity - LOG_PAGE);
	if (n < 0)
		return (int)n;
	if (n != LOG_PAGE)
		return -EPROTO;
	err = sysio_pwrite(pg->io, pg->to, pg->pk.index, len, pg->at);
	if (err == 0)
		err = sysio_pwrite(
		    pg->io, pg->to, pg->raw, LOG_PAGE, pg->at + len);
	if (err == 0)
		err = sysio_pwrite(pg->io, pg->to, h, sizeof(h), 0);
	return err < 0 ? err : sysio_fsync(pg->io, pg->to);
}

static int
pack_write(struct packing *pg, const struct segment *s)
{
	int err = 0;

	pg->pk.capacity = s->header.capacity;
	pg->pk.salt = s->header.salt;
	/* A torn tail stays behind the last frame of one left in a crash. */
	pg->pk.covered = s->seal == SEAL_GOOD
			     ? ALIGN_UP(s->extent.valid_length, LOG_PAGE)
			     : pg->pk.capacity - LOG_PAGE;
	pg->pk.first = SEGMENT_FRAMES;
	pg->pk.n = packed_blocks(&pg->pk);
	pg->pk.index = calloc(pg->pk.n, PACK_ENTRY);
	pg->raw = malloc(PACK_BLOCK);
	if (!pg->pk.index || !pg->raw)
		return -ENOMEM;
	pg->at = PACK_HEADER;
	for (uint64_t i = 0; err == 0 && i < pg->pk.n; i++)
		err = pack_block(pg, i);
	return err < 0 ? err : pack_end(pg);
}

/* Is what the file says, read anew, what the segment is?  1, 0 or -errno. */
static int
pack_compare(struct packing *pg, struct reason *why)
{
	CLEANUP(packed_freep) struct packed *pk = NULL;
	CLEANUP(freep) uint8_t *two = malloc(PACK_BLOCK);
	uint64_t capacity = pg->pk.capacity;
	int got = packed_open(pg->io, pg->to, &pk, why);

	if (!two)
		return -ENOMEM;
	if (got != PACKED_OPENED)
		return got < 0 ? got : 0;
	if (packed_oddity(pk))
		return 0;
	for (uint64_t at = 0; at < capacity; at += PACK_BLOCK) {
		ssize_t n =
		    sysio_pread(pg->io, pg->from, pg->raw, PACK_BLOCK, at);
		ssize_t m = packed_pread(pk, two, PACK_BLOCK, at);

		if (n < 0 || m < 0)
			return (int)MIN(n, m);
		if (n != m || memcmp(pg->raw, two, (size_t)n) != 0)
			return 0;
	}
	return 1;
}

static void
packing_deinit(struct packing *pg)
{
	if (pg->from >= 0)
		(void)sysio_close(pg->io, pg->from);
	if (pg->to >= 0) {
		(void)sysio_close(pg->io, pg->to);
		if (!pg->placed)
			(void)sysio_unlink(pg->io, pg->dirfd, PACK_TMP);
	}
	free(pg->raw);
	free(pg->pk.index);
	zstd_deinit(&pg->pk.zstd);
	mp_buf_deinit(&pg->out);
}

/* The packed file has its name before the other loses its own. */
static int
pack_swap(struct packing *pg, const struct segment *s, struct reason *why)
{
	char name[SEGMENT_NAME_SIZE];
	int err;

	segment_name(name, s->header.first_seq, s->header.incarnation, ".segz");
	err = sysio_rename(pg->io, pg->dirfd, PACK_TMP, name);
	pg->placed = err == 0;
	if (err == 0)
		err = sysio_fsync(pg->io, pg->dirfd);
	if (err == 0)
		err = sysio_unlink(pg->io, pg->dirfd, s->name);
	return err < 0 ? reason_set(why, err, "cannot swap '%s'", s->name) : 0;
}

int
pack_segment(const struct sysio *io, int dirfd, const struct segment *s,
    struct reason *why)
{
	CLEANUP(packing_deinit)
	struct packing pg = { .io = io, .dirfd = dirfd, .from = -1, .to = -1 };
	int got;

	pg.from = sysio_openat(io, dirfd, s->name, O_RDONLY, 0);
	if (pg.from < 0)
		return reason_set(why, pg.from, "cannot open '%s'", s->name);
	pg.to =
	    sysio_openat(io, dirfd, PACK_TMP, O_RDWR | O_CREAT | O_TRUNC, 0640);
	if (pg.to < 0)
		return reason_set(why, pg.to, "cannot make '" PACK_TMP "'");
	got = pack_write(&pg, s);
	if (got < 0)
		return reason_set(why, got, "cannot pack '%s'", s->name);
	got = pack_compare(&pg, why);
	if (got < 0)
		return reason_set(why, got, "cannot read '" PACK_TMP "'");
	if (got == 0)
		return reason_set(why, PACK_DIFFERS,
		    "'%s', packed, reads otherwise", s->name);
	return pack_swap(&pg, s, why);
}
