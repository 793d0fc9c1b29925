/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log whose history somebody edits who makes CRCs anew, and what is said of
 * it.
 */

#ifndef PEAL_TESTS_LIB_AUDITFIX_H
#define PEAL_TESTS_LIB_AUDITFIX_H

#include <stdint.h>

#include "log/format.h"
#include "log/problem.h"
#include "tests/lib/editor.h"
#include "tests/lib/modelfix.h"

enum {
	AUDITFIX_LAST = 144,
	AUDITFIX_MIDDLE = 1, /* a sealed segment behind another */
};

struct auditfix_found {
	uint64_t problems;
	char sentence[LOG_PROBLEM_SENTENCE];
	char segment[SEGMENT_NAME_SIZE];
	uint64_t edit_first, edit_last; /* of the first edited history */
	uint64_t head_seq;
	uint8_t head[LOG_DIGEST];
};

/* Verify the log, with an anchor or without one. */
int auditfix_verify_with(struct modelfix *m, struct auditfix_found *fd,
    uint64_t anchor_seq, const uint8_t *anchor);
void auditfix_verify(struct modelfix *m, struct auditfix_found *fd);
void auditfix_expect_whole(struct modelfix *m);
/* The first edited event is one of them. */
void auditfix_expect_edited(struct modelfix *m, uint64_t first, uint64_t last);

/*
 * Events 1 to AUDITFIX_LAST, three to a request, and an IDLE frame behind
 * every fourth.
 */
void auditfix_fill(struct modelfix *m);
/* The place of the newest segment. */
size_t auditfix_newest(struct modelfix *m);

/* What is done to a segment, as filemodel_edit() wants it. */
struct auditfix_deed {
	void (*what)(struct editor *ed, uint64_t seq);
	uint64_t seq;
	enum editor_digests digests;
	uint8_t copy[64 << 10]; /* as the segment is then */
};

/* Change the event, or change it back. */
void auditfix_change(struct editor *ed, uint64_t seq);
/* Do that to segment n, from 0 on. */
void auditfix_edit(struct modelfix *m, size_t n, struct auditfix_deed *deed);
/* And make all digests from there on anew, to the end of the log. */
void auditfix_rewrite_from(
    struct modelfix *m, size_t n, struct auditfix_deed *deed);

/* Make the sums of all segments that may have them. */
void auditfix_make_sums(struct modelfix *m);
/* The file of those of segment n; valid until the next call. */
const char *auditfix_sums_of(struct modelfix *m, size_t n);

#endif
