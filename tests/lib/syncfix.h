/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A syncer for tests, over a real log and a real ring in a directory of its
 * own, and requests for it whose events are of one topic.
 */

#ifndef PEAL_TESTS_LIB_SYNCFIX_H
#define PEAL_TESTS_LIB_SYNCFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/reason.h"
#include "core/sysio.h"
#include "log/log_writer.h"
#include "log/recover.h"
#include "log/witness.h"
#include "shm/ring_writer.h"
#include "tests/lib/tmpdir.h"
#include "writer/gather.h"
#include "writer/space.h"
#include "writer/syncer.h"

enum {
	SYNCFIX_SEGMENT = 4 << 20
};

struct syncfix {
	struct sysio io; /* the real one, with hooks */
	struct tmpdir *dir;
	struct log_tail tail;
	struct log_writer *lw;
	uint64_t ring_bytes; /* of the next start's */
	struct ring_options opt;
	struct ring_writer *rw;
	struct witness *wit;
	struct gather *g;
	struct syncer *sy;
	uint64_t seq;
	uint64_t serial;
	/* what the hooks see and do */
	uint64_t tail_seen;   /* of the ring, when the flush was asked for */
	uint64_t age_seen;    /* of the flush, while it was under way */
	uint64_t accepted_ns; /* of what is gathered; CLOCK_BOOTTIME */
	_Atomic unsigned flushes;
	_Atomic unsigned writes;
	int fail_with; /* flushes fail so; 0: they don't */
	int write_fails;
	bool threads; /* hooks are called from several */
	struct reason why;
};

/* cmocka's: *state is a struct syncfix, started. */
int syncfix_setup(void **state);
int syncfix_teardown(void **state);

/* A writer over what the directory holds. */
void syncfix_start(struct syncfix *f);
void syncfix_stop(struct syncfix *f);

/* For a syncer that goes on behind the last event. */
struct syncer_parts syncfix_parts_of(const struct syncfix *f);

/* A spare segment is ready then. */
void syncfix_spare(struct syncfix *f);

/* Gather one request of n events with data of size bytes, or an emit. */
void syncfix_gather(struct syncfix *f, uint32_t n, size_t size, bool emit);
/* Bytes of the frame that it makes. */
size_t syncfix_frame_size(
    const struct syncfix *f, uint32_t n, size_t size, bool emit);

/* How many frames of len bytes are granted until that ends with answer. */
unsigned syncfix_grants(
    struct space *space, uint64_t len, enum space_answer answer);

#endif
