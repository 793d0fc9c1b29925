/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log for tests: events whose bytes follow from their seq, so that whatever
 * is read back can be checked without remembering what was written.
 */

#ifndef PEAL_TESTS_LIB_LOGFIX_H
#define PEAL_TESTS_LIB_LOGFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/reason.h"
#include "core/sysio.h"
#include "log/log_writer.h"
#include "log/recover.h"

enum {
	LOGFIX_SEGMENT = 64 << 10,
	LOGFIX_EVENT_MAX = 256,
	LOGFIX_FRAMES = 16, /* at most in a flush */
	LOGFIX_NOTES = 8,
};

struct logfix {
	const struct sysio *io;
	int dirfd;
	char path[64]; /* of the directory on disk; "" behind another io */
	uint64_t segment_bytes;
	struct log_writer *lw;
	struct log_tail tail;
	uint64_t next_seq;    /* of the next event to be appended */
	uint64_t durable_seq; /* flushed, as far as we were told */
	struct reason why;
	/* Frames stamped and not yet flushed. */
	struct iovec iov[LOGFIX_FRAMES];
	int n_iov;
};

/* cmocka's setup and teardown: an empty directory under TMPDIR. */
int logfix_setup(void **state);
int logfix_teardown(void **state);

/* The same behind another io, whose root directory is dirfd. */
void logfix_init(struct logfix *fx, const struct sysio *io, int dirfd);
void logfix_deinit(struct logfix *fx);

/* Recover, and open the writer; returns recover_log()'s outcome. */
int logfix_recover(struct logfix *fx);
/* The same, and it must be RECOVER_OK. */
void logfix_start(struct logfix *fx);
/* Let go of the writer as a dying process does. */
void logfix_stop(struct logfix *fx);

/* A frame of n events from next_seq on, out of malloc(). */
uint8_t *logfix_compose(struct logfix *fx, unsigned n);
/* Stamp a frame of n events; the segment is rolled where it must be. */
int logfix_stamp(struct logfix *fx, unsigned n);
/* The same of a composed frame, which malloc() gave, for next_seq. */
int logfix_stamp_frame(struct logfix *fx, uint8_t *frame);
/* Flush what was stamped. */
int logfix_flush(struct logfix *fx);
/* Both; below zero: what failed. */
int logfix_append(struct logfix *fx, unsigned n);
int logfix_idle(struct logfix *fx);

/* frames times a frame of n events, each with a flush of its own. */
void logfix_fill(struct logfix *fx, unsigned frames, unsigned n);

/* The bytes of event seq. */
size_t logfix_event(uint64_t seq, uint8_t buf[LOGFIX_EVENT_MAX]);

/*
 * Read the log from its beginning.  Returns the seq of the last event, each of
 * which was what it should be, or -1 when one was not; *outcome is that of
 * the last log_reader_next().
 */
long logfix_read(struct logfix *fx, uint64_t limit_seq, int *outcome);
/* Events 1 to last are there, and nothing else. */
void logfix_expect(struct logfix *fx, uint64_t last);

/* Sentences that recovery has noted since the last call. */
unsigned logfix_notes(void);

#endif
