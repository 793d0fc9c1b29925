/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Checkpointer: has a forked child save the state while the writer goes on,
 * whenever a segment was sealed.  The checkpoint is put in its place only
 * when all that it holds is durable.
 */

#ifndef PEAL_WRITER_CHECKPOINTER_H
#define PEAL_WRITER_CHECKPOINTER_H

#include <stdint.h>
#include <sys/types.h>

#include "core/macros.h"
#include "writer/checkpoint.h"

struct checkpointer {
	int dirfd;
	int lock_fd; /* what a child must not keep open */
	struct checkpoint_of of;
	const struct state *state;
	uint64_t segment_bytes;
	uint64_t rolls; /* at the last checkpoint */
	pid_t child;	/* 0: none */
	uint64_t seq;	/* that the child saves */
	uint64_t failed;
};

/* Begin one where enough segments were sealed since the last. */
void checkpointer_consider(struct checkpointer *cp, uint64_t rolls);
/* Look after the child; durable_seq decides whether its work may serve. */
void checkpointer_reap(struct checkpointer *cp, uint64_t durable_seq);
/* At the end: everything is durable; save in this process. */
void checkpointer_finish(struct checkpointer *cp);

#endif
