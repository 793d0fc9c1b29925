/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Manifest of a backup: which files of a log it holds, up to which event, and
 * the SHA-256 of each.  What stands in one is a stranger's word: a name that
 * is none of a log's file is refused, so that none leads out of a directory.
 */

#ifndef PEAL_LOG_MANIFEST_H
#define PEAL_LOG_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sha256.h"
#include "core/sysio.h"

struct reason;

#define MANIFEST_NAME "manifest.json"

enum {
	MANIFEST_NAME_SIZE = 48
};

struct manifest_file {
	char name[MANIFEST_NAME_SIZE];
	uint64_t bytes; /* as it is in the backup */
	/*
	 * Of a segment that is kept without its zeros: what it has as a
	 * segment, else 0; and whether a seal's page follows its frames.
	 */
	uint64_t capacity;
	bool sealed;
	uint64_t first_seq, last_seq; /* of a segment */
	uint8_t sha256[SHA256_BYTES];
};

struct manifest {
	uint8_t log_id[16];
	uint64_t epoch;
	uint64_t seq;		     /* the newest event */
	uint64_t taken_us;	     /* wall clock */
	bool has_head;		     /* backups of old have none */
	uint8_t head[SHA256_BYTES];  /* the log's digest at seq */
	struct manifest_file *files; /* in the order of their names */
	size_t n, cap;
};

void manifest_deinit(struct manifest *m);

/* Add a file at the end; -ENOMEM. */
MUST_CHECK int manifest_add(struct manifest *m, const struct manifest_file *f);
/* The file of that name; NULL: none. */
const struct manifest_file *manifest_find(
    const struct manifest *m, const char *name);

/* Replace dirfd's manifest. */
MUST_CHECK int manifest_store(const struct sysio *io, int dirfd,
    const struct manifest *m, struct reason *why);
/*
 * Read dirfd's manifest; *m is to be ended with manifest_deinit().  -ENOENT:
 * there is none.  -EPROTO: it is none that could have been stored.
 */
MUST_CHECK int manifest_load(
    const struct sysio *io, int dirfd, struct manifest *m, struct reason *why);

#endif
