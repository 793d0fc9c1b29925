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
 * owns both.  -ECONNREFUSED and -ENOENT: no writer runs; -EUSERS, -EACCES:
 * it refused us; -ETIMEDOUT: it did not answer within two seconds.
 */
MUST_CHECK int doorbell_attach(const char *dir, const char *role,
    struct doorbell **out, struct ring_reader **ring, struct reason *why);
/*
 * The same in two steps, for who may not wait: doorbell_ask(), then
 * doorbell_answer() whenever doorbell_sock() is readable.  -EAGAIN: the
 * answer is yet to come; after any other failure the doorbell is of no use.
 */
MUST_CHECK int doorbell_ask(const char *dir, const char *role,
    struct doorbell **out, struct reason *why);
int doorbell_sock(const struct doorbell *bell);
MUST_CHECK int doorbell_answer(
    struct doorbell *bell, struct ring_reader **ring, struct reason *why);
struct doorbell *doorbell_free(struct doorbell *bell);
CLEANUP_FN(struct doorbell *, doorbell_free)

/*
 * Becomes readable when rung, and when the writer has gone.  Wait for it
 * level-triggered, and 100 ms at most: the safety net that counts.
 */
int doorbell_fd(const struct doorbell *bell);

/*
 * Say that we are about to wait.  true: nothing is there, wait for the fd;
 * false: events came meanwhile, go on reading (and are not parked).
 */
bool doorbell_park(struct doorbell *bell, const struct ring_reader *rd);
/*
 * Awake: clears the parked flag and empties the doorbell.  rung says whether
 * the descriptor was readable.  Where it was not, but events are there for
 * which the writer says that it has rung, a missed wake-up is counted.
 * Returns false when the writer has hung up: it has ended, or a new one runs.
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
uint64_t doorbell_missed(const struct doorbell *bell);

/* --- the writer's side --- */

enum {
	DOORBELL_READERS = 64
};

struct ring_writer;
struct doorbell_hub;

/* On success the caller owns *out. */
MUST_CHECK int doorbell_hub_new(
    struct ring_writer *rw, struct doorbell_hub **out);
struct doorbell_hub *doorbell_hub_free(struct doorbell_hub *hub);
CLEANUP_FN(struct doorbell_hub *, doorbell_hub_free)

enum {
	DOORBELL_ROLE = 16
};

/*
 * One who connected to ring.sock says first who he is: take that packet from
 * the non-blocking sock.  0: role is a printable string; -EAGAIN: it is yet
 * to come; anything else: close the socket (-EPROTO: no request of ours).
 */
MUST_CHECK int doorbell_hub_request(int sock, char role[DOORBELL_ROLE]);

enum doorbell_refusal {
	DOORBELL_ATTACHED = 0,
	DOORBELL_FULL,	  /* all slots are taken */
	DOORBELL_ACCOUNT, /* this account may not read the ring */
};

/* Say no, and count it in rejected_readers; the socket stays the caller's. */
void doorbell_hub_refuse(
    struct doorbell_hub *hub, int sock, enum doorbell_refusal why);

/*
 * Serve one connection accepted on ring.sock: makes status page and doorbell,
 * sends the attachment.  The socket (non-blocking) stays the caller's; when
 * it closes, call doorbell_hub_remove().  Returns the slot (0 or above), or
 * -errno (-EUSERS: all slots are taken, and the reader was told so).
 */
MUST_CHECK int doorbell_hub_add(
    struct doorbell_hub *hub, int sock, const char *role, long pid);
void doorbell_hub_remove(struct doorbell_hub *hub, int slot);

/*
 * Wake every parked reader, behind ring_writer_commit(); any thread, never
 * waits for a reader.  Returns how many were rung.
 */
unsigned doorbell_hub_ring(struct doorbell_hub *hub);
/*
 * Copy the status pages' hints into the ring's readers' table and counters
 * for tools; by the thread that adds and removes, a few times a second.
 */
void doorbell_hub_copy(struct doorbell_hub *hub);

#endif
