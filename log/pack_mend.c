/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Packed segments without their index.  Blocks lie back to back and say how
 * long they are, and the header has the sum of the index, which tells whether
 * what is found is what was written.  Where that is not so, each block needs
 * its own entry: what is stripped of its sums verifies whatever it holds.
 */

#include <errno.h>
#include <stdlib.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/pack_priv.h"
#include "log/strip.h"

enum {
	MEND_PIECE = 2 * PACK_BLOCK_MOST /* of the file, read at once */
};

struct mend {
	struct packed *pk;
	uint64_t end;	/* no block goes beyond */
	uint8_t *found; /* an index of the blocks that are there */
	uint64_t n;	/* of them */
	/* A piece of the file. */
	uint8_t *piece;
	uint64_t at;
	size_t len;
};

static void
mend_deinit(struct mend *md)
{
	free(md->found);
	free(md->piece);
}

/* Point *p at what is at `at`: all of the block that begins there, if any. */
static ssize_t
mend_get(struct mend *md, uint64_t at, const uint8_t **p)
{
	uint64_t want = MIN(md->end - at, (uint64_t)PACK_BLOCK_MOST);
	ssize_t n;

	if (at < md->at || at + want > md->at + md->len) {
		md->len = 0;
		n = sysio_pread(md->pk->io, md->pk->fd, md->piece,
		    (size_t)MIN(md->end - at, (uint64_t)MEND_PIECE), at);
		if (n < 0)
			return n;
		md->at = at;
		md->len = (size_t)n;
	}
	*p = md->piece + (at - md->at);
	return (ssize_t)MIN((size_t)want, md->len - (size_t)(at - md->at));
}

/* Is block i at `at`?  Its bytes, and what an entry says of them; 0; -errno. */
static ssize_t
mend_try(struct mend *md, uint64_t i, uint64_t at)
{
	uint8_t *e = md->found + i * PACK_ENTRY;
	const uint8_t *p;
	ssize_t n;
	size_t len;

	if (at < PACK_HEADER || at >= md->end)
		return 0;
	n = mend_get(md, at, &p);
	if (n <= 0)
		return n;
	len = zstd_block_len(slice_of(p, (size_t)n), packed_raw_len(md->pk, i));
	if (len == 0)
		return 0;
	put_le64(e + PACK_ENTRY_AT, at);
	put_le32(e + PACK_ENTRY_BYTES, (uint32_t)len);
	put_le32(e + PACK_ENTRY_CRC, crc32c(0, p, len));
	md->n++;
	return (ssize_t)len;
}

/* From each block to the next; behind one that has no end, as the index says. */
static int
mend_walk(struct mend *md)
{
	uint64_t at = PACK_HEADER;

	for (uint64_t i = 0; i < md->pk->known; i++) {
		const uint8_t *stored = md->pk->index + i * PACK_ENTRY;
		uint64_t second = get_le64(stored + PACK_ENTRY_AT);
		ssize_t len = mend_try(md, i, at);

		if (len == 0 && second != at) {
			at = second;
			len = mend_try(md, i, at);
		}
		if (len < 0)
			return (int)len;
		at = len > 0 ? at + (uint64_t)len : 0;
		put_le32(md->found + i * PACK_ENTRY + PACK_ENTRY_FRAME,
		    get_le32(stored + PACK_ENTRY_FRAME));
	}
	return 0;
}

/* Is what was found the index that was written? */
static bool
mend_is_index(const struct mend *md)
{
	return md->n == md->pk->n &&
	       crc32c(0, md->found, md->n * PACK_ENTRY) == md->pk->index_crc;
}

/* Where in each block the first frame begins. */
static int
mend_find_frames(struct mend *md)
{
	struct packed *pk = md->pk;

	for (uint64_t i = 0; i < pk->known; i++) {
		uint8_t *e = md->found + i * PACK_ENTRY;
		size_t want = packed_raw_len(pk, i);
		int got = packed_unpack(pk, e, want);

		if (got < 0)
			return got;
		if (got > 0)
			put_le32(e + PACK_ENTRY_FRAME,
			    (uint32_t)strip_find_stripped(pk->raw.p, want));
	}
	return 0;
}

/* What was found is where it is: whether it is right, its sum says. */
static void
mend_places(struct mend *md)
{
	struct packed *pk = md->pk;

	for (uint64_t i = 0; i < pk->known; i++) {
		const uint8_t *e = md->found + i * PACK_ENTRY;
		uint8_t *stored = pk->index + i * PACK_ENTRY;

		if (get_le32(e + PACK_ENTRY_BYTES) == 0)
			continue;
		put_le64(stored + PACK_ENTRY_AT, get_le64(e + PACK_ENTRY_AT));
		put_le32(
		    stored + PACK_ENTRY_BYTES, get_le32(e + PACK_ENTRY_BYTES));
	}
}

/* Blocks that are not in the file have no end to be looked for. */
static void
mend_trim(struct packed *pk)
{
	while (
	    pk->known > 0 && get_le32(pk->index + (pk->known - 1) * PACK_ENTRY +
				      PACK_ENTRY_BYTES) == 0)
		pk->known--;
}

int
packed_mend(struct packed *pk)
{
	CLEANUP(mend_deinit)
	struct mend md = { .pk = pk,
		.end = MIN(pk->index_at, pk->file_bytes),
		.found = calloc(pk->known + 1, PACK_ENTRY),
		.piece = malloc(MEND_PIECE) };
	int err;

	if (!md.found || !md.piece)
		return -ENOMEM;
	err = mend_walk(&md);
	if (err < 0)
		return err;
	pk->sure = mend_is_index(&md);
	if (!pk->sure && md.n == pk->n) {
		err = mend_find_frames(&md);
		if (err < 0)
			return err;
		pk->sure = mend_is_index(&md);
	}
	pk->mended = pk->sure;
	if (pk->sure) {
		free(pk->index);
		pk->index = TAKE(md.found);
	} else {
		mend_places(&md);
		mend_trim(pk);
	}
	return 0;
}
