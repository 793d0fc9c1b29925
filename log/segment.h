/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Segments as files: their names, and what header and seal say of them.  A
 * segment is read here without looking at its frames, and never changed.
 */

#ifndef PEAL_LOG_SEGMENT_H
#define PEAL_LOG_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/floor.h"
#include "log/format.h"

struct reason;

enum {
	SEGMENT_NAME_SIZE = 40
};

enum segment_seal {
	SEAL_NONE = 0, /* zeros: open, or left in a crash */
	SEAL_GOOD,
	SEAL_BAD, /* something is there that does not verify */
};

struct segment {
	char name[SEGMENT_NAME_SIZE];
	uint64_t name_first_seq; /* as the name has it */
	uint32_t name_incarnation;
	bool packed;	     /* the file is log/pack.h's ... */
	uint64_t file_bytes; /* ... of as many, as the segment was */
	const char *oddity;  /* ... and odd, as packed_oddity() has it */
	uint64_t disk_bytes; /* of the file itself */
	bool headed;	 /* a header verifies; without one the rest is unset */
	bool one_header; /* the other copy does not */
	bool cut;	 /* no header, and shorter than any segment ever was */
	bool foreign;	 /* of another log, as chain_check() has found */
	struct segment_header header;
	enum segment_seal seal;
	struct segment_footer footer; /* where the seal is good ... */
	uint64_t seal_time_us;	      /* ... its last event's time, too */
	/*
	 * Where its frames end, as its successor's header or else its seal
	 * says.  extent.number is 0 where nobody says so.
	 */
	struct segment_predecessor extent;
};

/* "FIRST-INCARNATION" and suffix (".seg", ".segz", ".idx"); it always fits. */
void segment_name(char name[SEGMENT_NAME_SIZE], uint64_t first_seq,
    uint32_t incarnation, const char *suffix);
/* false when name is no segment's; packed ones have names, too. */
bool segment_parse_name(
    const char *name, uint64_t *first_seq, uint32_t *incarnation);

/*
 * Read headers and seal of the segment called name.  A file without a valid
 * header is no error.  -ENOTSUP: of a version that we do not know.
 */
MUST_CHECK int segment_read(const struct sysio *io, int dirfd, const char *name,
    struct segment *seg, struct reason *why);

/*
 * Open the file of s for reading; where it was packed since s was read, that
 * one, and s is as it is now, but for its extent.  A descriptor, or -errno:
 * -ENOENT when neither is there.
 */
MUST_CHECK int segment_open(
    const struct sysio *io, int dirfd, struct segment *s, struct reason *why);

/*
 * The segments in dirfd by (first seq, incarnation) of their names, from the
 * floor on: what is left below it is not of the log any more.
 */
struct segment_list {
	struct segment *v;
	size_t n;
	struct log_floor floor;
	bool bad_floor; /* it does not verify: what it said is not known */
};

/*
 * The list is of one moment, also while retention goes on.  On success to be
 * ended with segment_list_deinit().
 */
MUST_CHECK int segment_list_read(const struct sysio *io, int dirfd,
    struct segment_list *list, struct reason *why);
void segment_list_deinit(struct segment_list *list);

/*
 * How many of list are judged: all but a newest one that has no header and
 * was never used.  It had its size before it had its name: one that was cut
 * was used.
 */
size_t segment_list_used(const struct segment_list *list);

/*
 * 1: behind its headers s, which has none, has bytes that are not zero; it was
 * used.  0: it was not.
 */
MUST_CHECK int segment_has_bytes(const struct sysio *io, int dirfd,
    const struct segment *s, struct reason *why);

#endif
