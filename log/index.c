/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Index of a segment.  Deleting the file costs a scan and nothing else; it is
 * bound to its segment by log id, number and salt.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/fs.h"
#include "log/format_priv.h"
#include "log/index.h"
#include "log/segment.h"

enum {
	INDEX_STEP = 64 << 10,
	INDEX_VERSION = 1,
	/* Header, entries, then the CRC32C of both. */
	INDEX_AT_MAGIC = 0,
	INDEX_AT_VERSION = 8,
	INDEX_AT_SALT = 12,
	INDEX_AT_LOG_ID = 16,
	INDEX_AT_NUMBER = 32,
	INDEX_AT_ENTRIES = 40,
	INDEX_HEADER = 48,
	INDEX_ENTRY = 24,
	INDEX_CRC = 4,
};

void
index_deinit(struct index *ix)
{
	free(ix->v);
	*ix = (struct index){ 0 };
}

void
index_clear(struct index *ix)
{
	ix->n = 0;
}

void
index_note(struct index *ix, uint64_t seq, uint64_t offset, uint64_t time_us)
{
	if (ix->n > 0 && (offset < ix->v[ix->n - 1].offset + INDEX_STEP ||
			     seq <= ix->v[ix->n - 1].seq))
		return;
	if (ix->n == ix->cap) {
		size_t cap = ix->cap ? ix->cap * 2 : 256;
		void *v = reallocarray(ix->v, cap, sizeof(*ix->v));

		if (!v)
			return;
		ix->v = v;
		ix->cap = cap;
	}
	ix->v[ix->n++] = (struct index_entry){ seq, offset, time_us };
}

const struct index_entry *
index_find(const struct index *ix, uint64_t seq)
{
	size_t low = 0, high = ix->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ix->v[mid].seq <= seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? &ix->v[low - 1] : NULL;
}

static void
index_put_header(uint8_t *p, const struct segment_header *seg, uint64_t entries)
{
	memset(p, 0, INDEX_HEADER);
	put_le64(p + INDEX_AT_MAGIC, INDEX_MAGIC);
	put_le32(p + INDEX_AT_VERSION, INDEX_VERSION);
	put_le32(p + INDEX_AT_SALT, seg->salt);
	memcpy(p + INDEX_AT_LOG_ID, seg->log_id, sizeof(seg->log_id));
	put_le64(p + INDEX_AT_NUMBER, seg->number);
	put_le64(p + INDEX_AT_ENTRIES, entries);
}

int
index_write(const struct sysio *io, int dirfd, const struct segment_header *seg,
    const struct index *ix)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	CLEANUP(freep) uint8_t *buf = NULL;
	char name[SEGMENT_NAME_SIZE];
	size_t len = INDEX_HEADER + ix->n * INDEX_ENTRY;
	uint8_t *p;

	buf = malloc(len + INDEX_CRC);
	if (!buf)
		return -ENOMEM;
	index_put_header(buf, seg, ix->n);
	p = buf + INDEX_HEADER;
	for (size_t i = 0; i < ix->n; i++, p += INDEX_ENTRY) {
		put_le64(p, ix->v[i].seq);
		put_le64(p + 8, ix->v[i].offset);
		put_le64(p + 16, ix->v[i].time_us);
	}
	put_le32(p, crc32c(0, buf, len));
	segment_name(name, seg->first_seq, seg->incarnation, ".idx");
	f.fd =
	    sysio_openat(io, dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (f.fd < 0)
		return f.fd;
	return sysio_pwrite(io, f.fd, buf, len + INDEX_CRC, 0);
}

static bool
index_verify(const uint8_t *buf, size_t len, const struct segment_header *seg)
{
	uint8_t header[INDEX_HEADER];

	if (len < INDEX_HEADER + INDEX_CRC ||
	    (len - INDEX_HEADER - INDEX_CRC) % INDEX_ENTRY != 0 ||
	    get_le32(buf + len - INDEX_CRC) != crc32c(0, buf, len - INDEX_CRC))
		return false;
	index_put_header(
	    header, seg, (len - INDEX_HEADER - INDEX_CRC) / INDEX_ENTRY);
	return memcmp(buf, header, INDEX_HEADER) == 0;
}

enum index_read
index_read(const struct sysio *io, int dirfd, const struct segment_header *seg,
    struct index *ix)
{
	CLEANUP(freep) uint8_t *buf = NULL;
	uint64_t max = INDEX_HEADER + INDEX_CRC +
		       (seg->capacity / INDEX_STEP + 1) * INDEX_ENTRY;
	char name[SEGMENT_NAME_SIZE];
	struct index_entry *v;
	size_t len, n;

	segment_name(name, seg->first_seq, seg->incarnation, ".idx");
	/* Whatever keeps a cache from being read: there is none then. */
	if (fs_read(io, dirfd, name, (size_t)max, &buf, &len, NULL) < 0 ||
	    !index_verify(buf, len, seg))
		return INDEX_NONE;
	n = (len - INDEX_HEADER - INDEX_CRC) / INDEX_ENTRY;
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		return INDEX_NONE;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = buf + INDEX_HEADER + i * INDEX_ENTRY;

		v[i].seq = get_le64(p);
		v[i].offset = get_le64(p + 8);
		v[i].time_us = get_le64(p + 16);
	}
	index_deinit(ix);
	*ix = (struct index){ .v = v, .n = n, .cap = n + 1 };
	return INDEX_READ;
}
