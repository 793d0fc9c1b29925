/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The attachment to the writer: ring, doorbell and status page, and their
 * successors when the writer starts anew.  What was attached stays readable
 * until then, so that clients notice nothing.
 */

#ifndef PEAL_GATEWAY_ATTACH_H
#define PEAL_GATEWAY_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "shm/doorbell.h"

struct attach;
struct loop;
struct reason;
struct ring_reader;

/*
 * A ring was attached (the old one is freed when this returns).  false: it
 * is refused, and tried again later.
 */
typedef bool attach_ring(void *arg, struct ring_reader *ring);

/* Attach at dir, as soon as a writer answers; the caller owns *out. */
MUST_CHECK int attach_new(struct loop *loop, const char *dir,
    attach_ring *on_ring, void *arg, struct attach **out);
struct attach *attach_free(struct attach *a);
CLEANUP_FN(struct attach *, attach_free)

/* The present ring, NULL before the first. */
struct ring_reader *attach_ring_of(const struct attach *a);
/* Does the writer that made it still run? */
bool attach_live(const struct attach *a);

/* Before waiting: true when there is nothing to read, and the bell is set. */
bool attach_park(struct attach *a);
/* After waiting, or after attach_park() said false. */
void attach_awake(struct attach *a);

void attach_report(struct attach *a, const struct doorbell_report *report);

#endif
