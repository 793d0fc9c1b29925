/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Salvage: what is whole in a damaged log, in order, and what is lost in
 * between.  What is not known to have been acknowledged is not waited for,
 * and nothing is taken of which that is not known and others stand in the
 * way.
 */

#ifndef PEAL_LOG_SALVAGE_H
#define PEAL_LOG_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/format_priv.h"
#include "log/loss.h"
#include "log/segment.h"

struct reason;

struct salvage {
	const struct sysio *io;
	int dirfd;
	const struct segment_list *list; /* judged by chain_check() */
	size_t n;			 /* of them are the log's */
	uint64_t known;			 /* witnesses say: up to it, at least */
	/* A frame with events that is whole; below zero ends the salvage. */
	int (*frame)(void *arg, const struct frame_header *f,
	    const uint8_t *payload, struct reason *why);
	/* Events that are not there; time_us: of the event before, or 0. */
	int (*lost)(void *arg, const struct log_range *range, uint64_t time_us,
	    struct reason *why);
	/* Segment i was read; bad: something in it was not whole. */
	void (*segment)(void *arg, size_t i, bool bad);
	void *arg;
	/* Where it is. */
	uint64_t next_seq;
	uint64_t time_us;
	bool blind; /* the newest segment is there, and nothing in it whole */
};

/*
 * From segment `from` on, whose first event, or that of the first that is
 * left, is sv->next_seq.
 */
MUST_CHECK int salvage_run(struct salvage *sv, size_t from, struct reason *why);

#endif
