/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One archive: all rows of a past seq in one compressed file, as in
 * doc/formats.md.  Each block is checked before its rows are used; whoever
 * builds on all of them checks the whole file first.
 */

#ifndef PEAL_LOG_ARCHIVE_H
#define PEAL_LOG_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"
#include "core/sysio.h"

#define ARCHIVE_TMP "archive.tmp"

struct archive;
struct archive_writer;
struct reason;
struct row;

enum {
	ARCHIVE_NAME_SIZE = 40
};

/* What a file says of itself. */
struct archive_id {
	uint8_t log_id[16];
	uint64_t epoch;
	uint64_t seq;
	uint64_t rules_version;
	uint64_t floor; /* the store's tombstone_floor */
};

void archive_name(char name[ARCHIVE_NAME_SIZE], uint64_t seq);

/* --- writing --- */

/* Begin the file tmp in dirfd, which outlives it, as the name does. */
MUST_CHECK int archive_create(const struct sysio *io, int dirfd,
    const char *tmp, const struct archive_id *id, struct archive_writer **out,
    struct reason *why);
/*
 * Rows come in the order of their topics, each once; marked: behind a uint,
 * twice the row's bytes, and 1 where it is dropped.
 */
MUST_CHECK int archive_put(
    struct archive_writer *w, struct slice marked, struct reason *why);
/* All is put: write the rest; *bytes is the file's size.  Nothing is synced. */
MUST_CHECK int archive_end(
    struct archive_writer *w, uint64_t *bytes, struct reason *why);
/* The same, and give the file its name, durably. */
MUST_CHECK int archive_finish(
    struct archive_writer *w, uint64_t *bytes, struct reason *why);
/* Without archive_finish() nothing stays. */
struct archive_writer *archive_writer_free(struct archive_writer *w);
CLEANUP_FN(struct archive_writer *, archive_writer_free)

/* --- reading; one thread at a time --- */

enum archive_read {
	ARCHIVE_END = 0,
	ARCHIVE_ROW, /* or: it is right */
	ARCHIVE_DAMAGED,
};

/*
 * Open the archive of seq: its header, trailer and index are checked.
 * ARCHIVE_ROW, ARCHIVE_DAMAGED with a sentence, or below zero.
 */
MUST_CHECK int archive_open(const struct sysio *io, int dirfd, uint64_t seq,
    struct archive **out, struct reason *why);
/*
 * The same of what the first bytes of fd hold, which stays the caller's and
 * outlives it; name is for sentences.  Its seq is the caller's to check.
 */
MUST_CHECK int archive_open_fd(const struct sysio *io, int fd, uint64_t bytes,
    const char *name, struct archive **out, struct reason *why);
struct archive *archive_free(struct archive *a);
CLEANUP_FN(struct archive *, archive_free)
/* Its descriptor, which was the caller's, is a's from now on. */
void archive_own_fd(struct archive *a);
const struct archive_id *archive_id(const struct archive *a);
uint64_t archive_rows(const struct archive *a);
uint64_t archive_bytes(const struct archive *a);

/* All bytes, by the SHA-256 at the end.  As archive_open(). */
MUST_CHECK int archive_verify(struct archive *a, struct reason *why);

/* The next row to be read is the first at or behind topic. */
void archive_seek(struct archive *a, struct slice topic);
/* A row, whose bytes live until the next call. */
struct archive_row {
	struct slice topic;
	struct slice row;
	bool dropped;
};

/* The next row.  Enum archive_read or below zero. */
MUST_CHECK int archive_next(
    struct archive *a, struct archive_row *out, struct reason *why);

#endif
