/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Base: all that the events before the floor have left behind, the broker's
 * rows and the sequencer's state.  No event can bring it back, so that it is
 * verified whole before the floor moves, and what is damaged is not used.
 */

#ifndef PEAL_LOG_BASE_H
#define PEAL_LOG_BASE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"

struct archive;
struct base;
struct base_writer;
struct reason;

#define BASE_TMP "base.tmp"

enum {
	BASE_NAME_SIZE = 40
};

struct base_id {
	uint8_t log_id[16];
	uint64_t epoch;
	uint64_t seq;	  /* the last event that it holds */
	uint64_t time_us; /* of that event */
	/* Where its parts are: rows from 0 on, the state behind them. */
	uint64_t rows_bytes;
	uint64_t state_bytes;
};

void base_name(char name[BASE_NAME_SIZE], uint64_t seq);
bool base_parse_name(const char *name, uint64_t *seq);

/* --- writing --- */

/*
 * Begin BASE_TMP in dirfd, which outlives it; of id log, epoch, seq and time
 * count.
 */
MUST_CHECK int base_create(const struct sysio *io, int dirfd,
    const struct base_id *id, struct base_writer **out, struct reason *why);
/*
 * Copy the rows, the first bytes of fd behind from, and open the archive that
 * they have to be, on what was written.  What is put from now on is the
 * state.  ARCHIVE_ROW, ARCHIVE_DAMAGED or below zero; *out is the caller's,
 * and w outlives it.
 */
MUST_CHECK int base_put_rows(struct base_writer *w, const struct sysio *from,
    int fd, uint64_t bytes, struct archive **out, struct reason *why);
/* Append bytes of the state. */
MUST_CHECK int base_put(
    struct base_writer *w, const void *p, size_t len, struct reason *why);
/*
 * Write the rest, sync, read everything again from the disk, and only then
 * give the file its name, durably.
 */
MUST_CHECK int base_finish(struct base_writer *w, struct reason *why);
/* Without base_finish() nothing stays. */
struct base_writer *base_writer_free(struct base_writer *w);
CLEANUP_FN(struct base_writer *, base_writer_free)

/* --- reading --- */

enum base_open {
	BASE_OPENED = 0,
	BASE_DAMAGED, /* or missing: *why says what */
};

/*
 * Open the base of seq: its trailer, and those of its rows, are checked, and
 * that it is log_id's.
 */
MUST_CHECK int base_open(const struct sysio *io, int dirfd, uint64_t seq,
    const uint8_t log_id[16], struct base **out, struct reason *why);
struct base *base_free(struct base *b);
CLEANUP_FN(struct base *, base_free)
const struct base_id *base_id(const struct base *b);
/* Its rows; b's, and for one thread at a time. */
struct archive *base_rows(struct base *b);
/* The same, for the caller, who needs no b any more. */
struct archive *base_take_rows(struct base *b);
/* Its descriptor; b's. */
int base_fd(const struct base *b);
/* All bytes, by the SHA-256 at the end.  As base_open(). */
MUST_CHECK int base_verify(struct base *b, struct reason *why);

#endif
