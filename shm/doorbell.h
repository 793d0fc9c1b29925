/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Wake-up: how a reader parks and the writer wakes it, over an attachment
 * that consists of the ring's descriptor, a doorbell socket and a status
 * page.  The status page is the reader's to write; to the writer it is a hint.
 */

#ifndef PEAL_SHM_DOORBELL_H
#define PEAL_SHM_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;
struct ring_reader;

/* --- the reader's side --- */

struct doorbell;

/*
 * Attach at dir/ring.sock as role ("gateway", "broker", "tail": up to 15
 * bytes): receives the ring, maps it as *ring, and the doorbell.  The caller
 * owns both.  -ECONNREFUSED and -ENOENT: no writer runs.
 */
MUST_CHECK int doorbell_attach(const char *dir, const char *role,
    struct doorbell **out, struct ring_reader **ring, struct reason *why);
struct doorbell *doorbell_free(struct doorbell *bell);
CLEANUP_FN(struct doorbell *, doorbell_free)

/* Becomes readable when rung, and when the writer has gone. */
int doorbell_fd(const struct doorbell *bell);

/*
 * Say that we are about to wait.  true: nothing is there, wait for the fd;
 * false: events came meanwhile, go on reading (and are not parked).
 */
bool doorbell_park(struct doorbell *bell, const struct ring_reader *rd);
/*
 * Awake: clears the parked flag and empties the doorbell.  rung says whether
 * the descriptor was readable; when it was not but events are there, a missed
 * wake-up is counted.  Returns false when the writer has hung up.
 */
bool doorbell_awake(
    struct doorbell *bell, const struct ring_reader *rd, bool rung);

/* What tools show of this reader. */
struct doorbell_report {
	uint64_t position; /* seq */
	uint64_t clients;
	uint64_t lapped;
};
void doorbell_report(struct doorbell *bell, const struct doorbell_report *r);

/* --- the writer's side --- */

enum { DOORBELL_READERS = 64 };

struct ring_writer;
struct doorbell_hub;

/* On success the caller owns *out. */
MUST_CHECK int doorbell_hub_new(
    struct ring_writer *rw, struct doorbell_hub **out);
struct doorbell_hub *doorbell_hub_free(struct doorbell_hub *hub);
CLEANUP_FN(struct doorbell_hub *, doorbell_hub_free)

/*
 * Serve one connection accepted on ring.sock: makes status page and doorbell,
 * sends the attachment.  The socket stays the caller's; when it closes, call
 * doorbell_hub_remove().  Returns the slot (0 or above), or -errno (-EUSERS:
 * all slots are taken).
 */
MUST_CHECK int doorbell_hub_add(
    struct doorbell_hub *hub, int sock, const char *role, long pid);
void doorbell_hub_remove(struct doorbell_hub *hub, int slot);

/* Wake every parked reader; any thread, never blocks.  Returns how many. */
unsigned doorbell_hub_ring(struct doorbell_hub *hub);
/* Copy the status pages' hints into the ring's readers' table for tools. */
void doorbell_hub_copy(struct doorbell_hub *hub);

#endif
