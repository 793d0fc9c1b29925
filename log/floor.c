/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The floor's file.  It is replaced as a whole; one that does not verify has
 * rotted, and nobody guesses what it said.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/fs.h"
#include "core/reason.h"
#include "log/floor.h"
#include "log/format_priv.h"

enum {
	FLOOR_VERSION = 1,
	FLOOR_AT_MAGIC = 0,
	FLOOR_AT_VERSION = 8,
	FLOOR_AT_LOG_ID = 16,
	FLOOR_AT_EPOCH = 32,
	FLOOR_AT_SEQ = 40,
	FLOOR_AT_NUMBER = 48,
	FLOOR_AT_CHAIN = 56,
	FLOOR_AT_CRC = 124,
	FLOOR_BYTES = 128,
};

static bool
floor_verifies(const uint8_t *bytes, ssize_t n)
{
	return n == FLOOR_BYTES &&
	       get_le64(bytes + FLOOR_AT_MAGIC) == FLOOR_MAGIC &&
	       get_le32(bytes + FLOOR_AT_CRC) == crc32c(0, bytes, FLOOR_AT_CRC);
}

int
floor_read(const struct sysio *io, int dirfd, struct log_floor *floor,
    struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	struct log_floor none = { .seq = 1, .number = 1 };
	uint8_t bytes[FLOOR_BYTES + 1];
	ssize_t n;

	f.fd = sysio_openat(io, dirfd, FLOOR_NAME, O_RDONLY, 0);
	if (f.fd < 0 && f.fd != -ENOENT)
		return reason_set(why, f.fd, "cannot open '" FLOOR_NAME "'");
	*floor = none;
	if (f.fd < 0)
		return FLOOR_NONE;
	n = sysio_pread(io, f.fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return reason_set(why, (int)n, "cannot read '" FLOOR_NAME "'");
	if (!floor_verifies(bytes, n))
		return FLOOR_BAD;
	if (get_le32(bytes + FLOOR_AT_VERSION) != FLOOR_VERSION)
		return reason_say(why, -ENOTSUP,
		    "'" FLOOR_NAME
		    "' has format version %u, this program knows %d",
		    get_le32(bytes + FLOOR_AT_VERSION), FLOOR_VERSION);
	if (get_le64(bytes + FLOOR_AT_SEQ) < 2 ||
	    get_le64(bytes + FLOOR_AT_NUMBER) < 2)
		return FLOOR_BAD;
	memcpy(floor->log_id, bytes + FLOOR_AT_LOG_ID, sizeof(floor->log_id));
	memcpy(floor->chain, bytes + FLOOR_AT_CHAIN, sizeof(floor->chain));
	floor->epoch = get_le64(bytes + FLOOR_AT_EPOCH);
	floor->seq = get_le64(bytes + FLOOR_AT_SEQ);
	floor->number = get_le64(bytes + FLOOR_AT_NUMBER);
	return FLOOR_READ;
}

int
floor_write(const struct sysio *io, int dirfd, const struct log_floor *floor,
    struct reason *why)
{
	uint8_t bytes[FLOOR_BYTES] = { 0 };

	put_le64(bytes + FLOOR_AT_MAGIC, FLOOR_MAGIC);
	put_le32(bytes + FLOOR_AT_VERSION, FLOOR_VERSION);
	memcpy(bytes + FLOOR_AT_LOG_ID, floor->log_id, sizeof(floor->log_id));
	put_le64(bytes + FLOOR_AT_EPOCH, floor->epoch);
	put_le64(bytes + FLOOR_AT_SEQ, floor->seq);
	put_le64(bytes + FLOOR_AT_NUMBER, floor->number);
	memcpy(bytes + FLOOR_AT_CHAIN, floor->chain, sizeof(floor->chain));
	put_le32(bytes + FLOOR_AT_CRC, crc32c(0, bytes, FLOOR_AT_CRC));
	return fs_replace(
	    io, dirfd, FLOOR_NAME, bytes, sizeof(bytes), 0640, why);
}
