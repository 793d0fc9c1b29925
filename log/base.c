/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The base's file:
 *
 *	rows: an archive | state: a checkpoint | zeros | trailer
 *
 * It ends on a page, so that it can be read past the page cache.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "core/sha256.h"
#include "log/archive.h"
#include "log/base.h"
#include "log/format.h"
#include "log/format_priv.h"
#include "log/window.h"

enum {
	BASE_VERSION = 1,
	BASE_AT_MAGIC = 0,
	BASE_AT_VERSION = 8,
	BASE_AT_LOG_ID = 16,
	BASE_AT_EPOCH = 32,
	BASE_AT_SEQ = 40,
	BASE_AT_TIME_US = 48,
	BASE_AT_ROWS = 56,
	BASE_AT_STATE = 64,
	BASE_AT_CRC = 220,
	BASE_AT_SHA = 224,
	BASE_TRAILER = BASE_AT_SHA + SHA256_BYTES,
	BASE_COPY = 1 << 20,
};

_Static_assert(BASE_AT_CRC + 4 == BASE_AT_SHA, "the hash ends the file");

void
base_name(char name[BASE_NAME_SIZE], uint64_t seq)
{
	snprintf(name, BASE_NAME_SIZE, "base-%020" PRIu64 ".zst", seq);
}

bool
base_parse_name(const char *name, uint64_t *seq)
{
	char want[BASE_NAME_SIZE];

	if (sscanf(name, "base-%20" SCNu64 ".zst", seq) != 1)
		return false;
	base_name(want, *seq);
	return strcmp(name, want) == 0;
}

/* --- writing --- */

struct base_writer {
	const struct sysio *io;
	int dirfd;
	int fd;
	bool made;   /* the temporary file is there */
	uint64_t at; /* the next byte goes here */
	struct base_id id;
	struct sha256 sum;
};

int
base_create(const struct sysio *io, int dirfd, const struct base_id *id,
    struct base_writer **out, struct reason *why)
{
	CLEANUP(base_writer_freep) struct base_writer *w = NULL;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->io = io;
	w->dirfd = dirfd;
	w->id = *id;
	w->id.rows_bytes = w->id.state_bytes = 0;
	w->fd =
	    sysio_openat(io, dirfd, BASE_TMP, O_RDWR | O_CREAT | O_TRUNC, 0640);
	if (w->fd < 0)
		return reason_set(why, w->fd, "cannot make '" BASE_TMP "'");
	w->made = true;
	sha256_init(&w->sum);
	*out = TAKE(w);
	return 0;
}

struct base_writer *
base_writer_free(struct base_writer *w)
{
	if (!w)
		return NULL;
	if (w->fd >= 0)
		(void)sysio_close(w->io, w->fd);
	if (w->made)
		(void)sysio_unlink(w->io, w->dirfd, BASE_TMP);
	sha256_deinit(&w->sum);
	free(w);
	return NULL;
}

int
base_put(struct base_writer *w, const void *p, size_t len, struct reason *why)
{
	int err = sysio_write_behind(w->io, w->fd, p, len, w->at);

	if (err < 0)
		return reason_set(why, err, "cannot write '" BASE_TMP "'");
	sha256_update(&w->sum, p, len);
	w->at += len;
	return 0;
}

int
base_put_rows(struct base_writer *w, const struct sysio *from, int fd,
    uint64_t bytes, struct archive **out, struct reason *why)
{
	CLEANUP(freep) uint8_t *buf = malloc(BASE_COPY);
	int err;

	if (!buf)
		return -ENOMEM;
	while (w->at < bytes) {
		size_t len = (size_t)MIN(bytes - w->at, (uint64_t)BASE_COPY);
		ssize_t n = sysio_pread(from, fd, buf, len, w->at);

		if (n < 0)
			return reason_set(why, (int)n, "cannot read the rows");
		if (n == 0)
			break;
		err = base_put(w, buf, (size_t)n, why);
		if (err < 0)
			return err;
	}
	w->id.rows_bytes = w->at;
	return archive_open_fd(w->io, w->fd, w->at, BASE_TMP, out, why);
}

static void
base_put_trailer(const struct base_writer *w, uint8_t t[BASE_AT_SHA])
{
	const struct base_id *id = &w->id;

	memset(t, 0, BASE_AT_SHA);
	put_le64(t + BASE_AT_MAGIC, BASE_MAGIC);
	put_le32(t + BASE_AT_VERSION, BASE_VERSION);
	memcpy(t + BASE_AT_LOG_ID, id->log_id, sizeof(id->log_id));
	put_le64(t + BASE_AT_EPOCH, id->epoch);
	put_le64(t + BASE_AT_SEQ, id->seq);
	put_le64(t + BASE_AT_TIME_US, id->time_us);
	put_le64(t + BASE_AT_ROWS, id->rows_bytes);
	put_le64(t + BASE_AT_STATE, id->state_bytes);
	put_le32(t + BASE_AT_CRC, crc32c(0, t, BASE_AT_CRC));
}

/*
 * Does fd, a file of bytes, end with the SHA-256 of what is before?  1, 0 or
 * -errno; sha is what it should be.
 */
static int
base_sum(const struct sysio *io, int fd, uint64_t bytes,
    uint8_t sha[SHA256_BYTES], struct reason *why)
{
	CLEANUP(sha256_deinit) struct sha256 sum = { 0 };
	uint64_t at = 0, len = bytes - SHA256_BYTES;
	const uint8_t *p;
	struct window win;
	ssize_t n = window_init(&win, io, fd, bytes);
	bool same = false;

	if (n < 0)
		return (int)n;
	sha256_init(&sum);
	while (at < len && (n = window_get(&win, at, &p)) > 0) {
		n = (ssize_t)MIN((uint64_t)n, len - at);
		sha256_update(&sum, p, (size_t)n);
		at += (uint64_t)n;
	}
	sha256_final(&sum, sha);
	if (n > 0)
		n = window_get(&win, len, &p);
	if (n >= SHA256_BYTES)
		same = memcmp(p, sha, SHA256_BYTES) == 0;
	window_deinit(&win);
	return n < 0 ? reason_set(why, (int)n, "cannot read a base") : same;
}

/* Does the disk hold what was put? */
static int
base_read_back(
    struct base_writer *w, const uint8_t want[SHA256_BYTES], struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { w->io, -1 };
	uint8_t sha[SHA256_BYTES];
	int same;

	f.fd = sysio_open_disk(w->io, w->dirfd, BASE_TMP);
	if (f.fd < 0)
		return reason_set(
		    why, f.fd, "cannot open '" BASE_TMP "' again");
	same = base_sum(w->io, f.fd, w->at + SHA256_BYTES, sha, why);
	if (same < 0)
		return same;
	if (!same || memcmp(sha, want, sizeof(sha)) != 0)
		return reason_say(why, -EIO,
		    "'" BASE_TMP
		    "' was synced, and the disk holds other bytes");
	return 0;
}

static int
base_settle(struct base_writer *w, struct reason *why)
{
	char name[BASE_NAME_SIZE];
	int err;

	base_name(name, w->id.seq);
	err = sysio_rename(w->io, w->dirfd, BASE_TMP, name);
	if (err < 0)
		return reason_set(why, err, "cannot name '%s'", name);
	w->made = false;
	err = sysio_fsync(w->io, w->dirfd);
	if (err < 0)
		return reason_set(why, err, "cannot sync the log's directory");
	return 0;
}

int
base_finish(struct base_writer *w, struct reason *why)
{
	static const uint8_t zeros[LOG_PAGE];
	uint8_t t[BASE_AT_SHA], sha[SHA256_BYTES];
	uint64_t end;
	int err;

	w->id.state_bytes = w->at - w->id.rows_bytes;
	end = ALIGN_UP(w->at + BASE_TRAILER, LOG_PAGE);
	err = base_put(w, zeros, (size_t)(end - BASE_TRAILER - w->at), why);
	base_put_trailer(w, t);
	if (err == 0)
		err = base_put(w, t, sizeof(t), why);
	if (err < 0)
		return err;
	sha256_final(&w->sum, sha);
	err = sysio_pwrite(w->io, w->fd, sha, sizeof(sha), w->at);
	if (err == 0)
		err = sysio_fsync(w->io, w->fd);
	if (err < 0)
		return reason_set(why, err, "cannot write '" BASE_TMP "'");
	err = base_read_back(w, sha, why);
	return err < 0 ? err : base_settle(w, why);
}

/* --- reading --- */

struct base {
	const struct sysio *io;
	int fd;
	char name[BASE_NAME_SIZE];
	uint64_t bytes;
	struct base_id id;
	struct archive *rows;
};

struct base *
base_free(struct base *b)
{
	if (!b)
		return NULL;
	(void)archive_free(b->rows);
	if (b->fd >= 0)
		(void)sysio_close(b->io, b->fd);
	free(b);
	return NULL;
}

const struct base_id *
base_id(const struct base *b)
{
	return &b->id;
}

struct archive *
base_rows(struct base *b)
{
	return b->rows;
}

struct archive *
base_take_rows(struct base *b)
{
	struct archive *rows = TAKE(b->rows);

	archive_own_fd(rows);
	b->fd = -1;
	return rows;
}

int
base_fd(const struct base *b)
{
	return b->fd;
}

static int
base_is_damaged(const struct base *b, const char *what, struct reason *why)
{
	return reason_set(
	    why, BASE_DAMAGED, "base '%s' is damaged: %s", b->name, what);
}

/* Is what the trailer says possible? */
static bool
base_adds_up(const struct base *b)
{
	const struct base_id *id = &b->id;
	uint64_t room = b->bytes - BASE_TRAILER;

	return id->rows_bytes <= room &&
	       id->state_bytes <= room - id->rows_bytes &&
	       room - id->rows_bytes - id->state_bytes < LOG_PAGE;
}

static int
base_read_trailer(struct base *b, struct reason *why)
{
	uint8_t t[BASE_TRAILER];
	ssize_t n;

	if (b->bytes < BASE_TRAILER || b->bytes % LOG_PAGE != 0)
		return base_is_damaged(b, "it is cut short", why);
	n = sysio_pread(b->io, b->fd, t, sizeof(t), b->bytes - sizeof(t));
	if (n < 0)
		return reason_set(why, (int)n, "cannot read '%s'", b->name);
	if (n != sizeof(t) || get_le64(t + BASE_AT_MAGIC) != BASE_MAGIC ||
	    get_le32(t + BASE_AT_CRC) != crc32c(0, t, BASE_AT_CRC))
		return base_is_damaged(b, "its trailer does not verify", why);
	if (get_le32(t + BASE_AT_VERSION) != BASE_VERSION)
		return reason_say(why, -ENOTSUP,
		    "base '%s' has format version %u, this program knows %d",
		    b->name, get_le32(t + BASE_AT_VERSION), BASE_VERSION);
	memcpy(b->id.log_id, t + BASE_AT_LOG_ID, sizeof(b->id.log_id));
	b->id.epoch = get_le64(t + BASE_AT_EPOCH);
	b->id.seq = get_le64(t + BASE_AT_SEQ);
	b->id.time_us = get_le64(t + BASE_AT_TIME_US);
	b->id.rows_bytes = get_le64(t + BASE_AT_ROWS);
	b->id.state_bytes = get_le64(t + BASE_AT_STATE);
	return base_adds_up(b) ? BASE_OPENED
			       : base_is_damaged(b, "it is cut short", why);
}

/* The rows are those of the same event of the same log and epoch. */
static int
base_open_rows(struct base *b, struct reason *why)
{
	const struct archive_id *rows;
	int got = archive_open_fd(
	    b->io, b->fd, b->id.rows_bytes, b->name, &b->rows, why);

	if (got != ARCHIVE_ROW)
		return got < 0 ? got : BASE_DAMAGED;
	rows = archive_id(b->rows);
	if (rows->seq != b->id.seq || rows->epoch != b->id.epoch ||
	    memcmp(rows->log_id, b->id.log_id, sizeof(rows->log_id)) != 0)
		return base_is_damaged(
		    b, "its rows are of another event, log or epoch", why);
	return BASE_OPENED;
}

static int
base_read(
    struct base *b, uint64_t seq, const uint8_t log_id[16], struct reason *why)
{
	int got = sysio_size(b->io, b->fd, &b->bytes);

	if (got < 0)
		return reason_set(why, got, "cannot read '%s'", b->name);
	got = base_read_trailer(b, why);
	if (got != BASE_OPENED)
		return got;
	if (memcmp(b->id.log_id, log_id, sizeof(b->id.log_id)) != 0)
		return base_is_damaged(b, "it is of another log", why);
	if (b->id.seq != seq)
		return base_is_damaged(b, "its name is another's", why);
	return base_open_rows(b, why);
}

int
base_open(const struct sysio *io, int dirfd, uint64_t seq,
    const uint8_t log_id[16], struct base **out, struct reason *why)
{
	CLEANUP(base_freep) struct base *b = calloc(1, sizeof(*b));
	int got;

	if (!b)
		return -ENOMEM;
	b->io = io;
	base_name(b->name, seq);
	b->fd = sysio_openat(io, dirfd, b->name, O_RDONLY, 0);
	if (b->fd == -ENOENT)
		return reason_set(why, BASE_DAMAGED,
		    "base '%s' is missing: what events 1 to %" PRIu64
		    " came to is in it alone",
		    b->name, seq);
	if (b->fd < 0)
		return reason_set(why, b->fd, "cannot open '%s'", b->name);
	got = base_read(b, seq, log_id, why);
	if (got == BASE_OPENED)
		*out = TAKE(b);
	return got;
}

int
base_verify(struct base *b, struct reason *why)
{
	uint8_t sha[SHA256_BYTES];
	int same = base_sum(b->io, b->fd, b->bytes, sha, why);

	if (same < 0)
		return same;
	return same ? BASE_OPENED
		    : base_is_damaged(b, "its hash is another", why);
}
