/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Witness file.  It fits a sector and is written with one call, so that a
 * crash leaves an old or a new one; anything else fails its CRC.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "log/format_priv.h"
#include "log/witness.h"

enum {
	WITNESS_VERSION = 1,
	WITNESS_AT_MAGIC = 0,
	WITNESS_AT_VERSION = 8,
	WITNESS_AT_LOG_ID = 16,
	WITNESS_AT_EPOCH = 32,
	WITNESS_AT_SEQ = 40,
	WITNESS_AT_CRC = 60,
	WITNESS_BYTES = 64,
};

struct witness {
	const struct sysio *io;
	int fd;
	uint8_t bytes[WITNESS_BYTES];
};

int
witness_open(const struct sysio *io, int dirfd, const char *name,
    const uint8_t log_id[16], uint64_t epoch, struct witness **out,
    struct reason *why)
{
	CLEANUP(witness_freep) struct witness *wit = NULL;

	wit = calloc(1, sizeof(*wit));
	if (!wit)
		return -ENOMEM;
	wit->io = io;
	wit->fd = sysio_openat(io, dirfd, name, O_RDWR | O_CREAT, 0640);
	if (wit->fd < 0)
		return reason_set(why, wit->fd, "cannot open '%s'", name);
	put_le64(wit->bytes + WITNESS_AT_MAGIC, WITNESS_MAGIC);
	put_le32(wit->bytes + WITNESS_AT_VERSION, WITNESS_VERSION);
	memcpy(wit->bytes + WITNESS_AT_LOG_ID, log_id, 16);
	put_le64(wit->bytes + WITNESS_AT_EPOCH, epoch);
	*out = TAKE(wit);
	return 0;
}

struct witness *
witness_free(struct witness *wit)
{
	if (!wit)
		return NULL;
	if (wit->fd >= 0)
		(void)sysio_close(wit->io, wit->fd);
	free(wit);
	return NULL;
}

int
witness_store(struct witness *wit, uint64_t seq)
{
	put_le64(wit->bytes + WITNESS_AT_SEQ, seq);
	put_le32(
	    wit->bytes + WITNESS_AT_CRC, crc32c(0, wit->bytes, WITNESS_AT_CRC));
	return sysio_pwrite(wit->io, wit->fd, wit->bytes, WITNESS_BYTES, 0);
}

bool
witness_is_of(
    const struct log_witness *wit, const struct segment_header *newest)
{
	return memcmp(wit->log_id, newest->log_id, sizeof(wit->log_id)) == 0 &&
	       wit->epoch >= newest->epoch;
}

int
witness_load(const struct sysio *io, int dirfd, const char *name,
    struct log_witness *out, struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	uint8_t bytes[WITNESS_BYTES];
	ssize_t n;

	f.fd = sysio_openat(io, dirfd, name, O_RDONLY, 0);
	if (f.fd == -ENOENT)
		return WITNESS_NONE;
	if (f.fd < 0)
		return reason_set(why, f.fd, "cannot open '%s'", name);
	n = sysio_pread(io, f.fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return reason_set(why, (int)n, "cannot read '%s'", name);
	if (n == 0)
		return WITNESS_NONE;
	if (n != WITNESS_BYTES ||
	    get_le64(bytes + WITNESS_AT_MAGIC) != WITNESS_MAGIC ||
	    get_le32(bytes + WITNESS_AT_VERSION) != WITNESS_VERSION ||
	    get_le32(bytes + WITNESS_AT_CRC) !=
		crc32c(0, bytes, WITNESS_AT_CRC))
		return reason_set(why, WITNESS_BAD, "'%s' is damaged", name);
	out->name = name;
	memcpy(out->log_id, bytes + WITNESS_AT_LOG_ID, 16);
	out->epoch = get_le64(bytes + WITNESS_AT_EPOCH);
	out->seq = get_le64(bytes + WITNESS_AT_SEQ);
	return WITNESS_LOADED;
}

int
witness_load_broker(
    const char *path, struct log_witness *out, struct reason *why)
{
	CLEANUP(closep)
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return WITNESS_NONE;
	if (fd < 0)
		return reason_set(why, -errno, "cannot open '%s'", path);
	return witness_load(&sysio_posix, fd, WITNESS_BROKER, out, why);
}
