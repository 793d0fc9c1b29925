/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Loss: the events that stand in a repaired log where others were lost, one
 * for each, so that every other event keeps its seq.  A topic whose events
 * are among the lost goes on with a later version than the next one, up to
 * the event that ends the repair and nowhere else.
 */

#ifndef PEAL_LOG_LOSS_H
#define PEAL_LOG_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

#define LOSS_TYPE   "event_lost"   /* on topic $log.EPOCH.lost */
#define REPAIR_TYPE "log_repaired" /* on topic $log.EPOCH */

struct log_range {
	uint64_t first;
	uint64_t last;
};

enum {
	LOSS_TOPIC_SIZE = 32
};

/*
 * Append to b the bytes of the event that takes the place of seq, one of
 * those in lost, in the repair that begins epoch; version counts them.
 */
void log_loss_put(struct mp_buf *b, uint64_t epoch,
    const struct log_range *lost, uint64_t seq, uint64_t version,
    uint64_t time_us);

/* What is known of the topics that have an event; all zero at first. */
struct log_loss {
	uint64_t lost;	/* epoch of the latest repair whose losses are passed */
	uint64_t ended; /* the latest epoch whose event is passed */
};

/* There is an event of this topic; in any order. */
void log_loss_see(struct log_loss *loss, struct slice topic);

/* May the next event of a topic have version, where it is at `at`? */
static inline bool
log_loss_allows(const struct log_loss *loss, uint64_t at, uint64_t version)
{
	return version == at + 1 || (loss->lost > loss->ended && version > at);
}

#endif
