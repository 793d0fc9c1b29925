/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sums of a segment: a few bytes of each event's SHA-256 in a file beside it.
 * Its digest says that a segment was edited, and these where.  A cache:
 * without it the place is known less exactly.
 */

#ifndef PEAL_LOG_SUMS_H
#define PEAL_LOG_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/mp.h"
#include "core/sysio.h"
#include "log/segment.h"

struct reason;

struct sums {
	uint64_t n;		    /* events */
	uint8_t digest[LOG_DIGEST]; /* of the segment that they are of */
	uint8_t *v;		    /* 4 bytes each; the file's */
};

/* "FIRST-INCARNATION.sum" */
void sums_name(char name[SEGMENT_NAME_SIZE], const struct segment_header *seg);
bool sums_is_name(const char *name);

enum sums_read {
	SUMS_NONE = 0, /* not there, or not right */
	SUMS_READ,
};

/* To be ended with sums_deinit().  Below zero: -ENOMEM. */
MUST_CHECK int sums_read(const struct sysio *io, int dirfd,
    const struct segment_header *seg, struct sums *sums);
void sums_deinit(struct sums *sums);

/*
 * *seq is set to the first event of the segment in dirfd that is not one of
 * sums; 0: as far as frames verify, all are.
 */
MUST_CHECK int sums_compare(const struct sysio *io, int dirfd,
    const struct segment *seg, const struct sums *sums, uint64_t *seq,
    struct reason *why);

/*
 * What makes them in one process, which need not look at everything again and
 * again; zeros at first.
 */
struct sums_maker {
	const struct segment_list *list; /* of this round; borrowed */
	size_t at;			 /* its next segment */
	uint64_t seen; /* those up to this number have whole ones, or none */
	struct mp_buf
	    left; /* numbers of segments that get none: 8 bytes each */
};

/* Begin anew at the oldest segment of list, which has its chain checked. */
void sums_round(struct sums_maker *m, const struct segment_list *list);
void sums_maker_deinit(struct sums_maker *m);

enum sums_make {
	SUMS_NOTHING = 0, /* all are there, or there is no room */
	SUMS_MADE,	  /* those of one segment; others may lack them */
	SUMS_DAMAGED,	  /* of one there are none, says why; others go on */
};

/*
 * Make the sums of the next segment of the round that can have them and has
 * not, or not whole: one whose digest is known, as it is no more the newest,
 * and is that of its frames.  One that was in vain, also below zero, is tried
 * again by the next process only.
 */
MUST_CHECK int sums_make(const struct sysio *io, int dirfd,
    struct sums_maker *m, struct reason *why);

#endif
