/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Clients' cursors: how far each client has got, per name, kept in an LMDB
 * environment of their own.  Taken into memory at once, durable with the next
 * flush; what is read includes what is not flushed yet.
 */

#ifndef PEAL_BROKER_CLIENTS_H
#define PEAL_BROKER_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct clients;
struct reason;

enum {
	CLIENTS_TEXT_MAX = 128, /* bytes of user, client, name */
	CLIENTS_LOG_MAX = 256,
	CLIENTS_NAMES = 16,    /* of one client */
	CLIENTS_PER_USER = 64, /* beyond: the least recently used goes */
	CLIENTS_UNFLUSHED_MAX = 65536,
};

enum clients_opened {
	CLIENTS_OPENED = 0,
	CLIENTS_ANEW, /* what was there is damaged and set aside: *why */
};

/*
 * Open the environment in dir, which is made where it is missing.
 * keep_us: how long an unused cursor is kept.  Enum clients_opened, or below
 * zero; the caller owns *out.
 */
MUST_CHECK int clients_open(const char *dir, uint64_t keep_us,
    struct clients **out, struct reason *why);
/* Does not flush. */
struct clients *clients_free(struct clients *c);
CLEANUP_FN(struct clients *, clients_free)

struct clients_cursor {
	struct slice user, client, name;
	struct slice log; /* in which seq counts */
	uint64_t seq;
};

/* --- the loop's side --- */

enum clients_ack {
	CLIENTS_TAKEN = 0,
	CLIENTS_TOO_MANY, /* names of this client */
	CLIENTS_NO_ROOM,  /* memory, or CLIENTS_UNFLUSHED_MAX */
};

/*
 * It only grows within one log; another log replaces it.  A name too many
 * that only the disk knows of is found by clients_admit() or dropped by the
 * flush, and counted.
 */
enum clients_ack clients_ack(
    struct clients *c, const struct clients_cursor *cursor, uint64_t now_us);

/* Is there anything to flush, or something to be removed? */
bool clients_due(struct clients *c, uint64_t now_us);

struct clients_counts {
	uint64_t unflushed; /* clients */
	uint64_t acks;
	uint64_t refused; /* names too many, or no room */
	uint64_t flushes;
	uint64_t flush_failed;
	uint64_t evicted; /* clients, for others of their user */
	uint64_t expired; /* cursors that nobody used for so long */
};

void clients_counts(struct clients *c, struct clients_counts *out);

/* --- a worker's side --- */

/* Take a name back that is one too many: enum clients_ack. */
MUST_CHECK int clients_admit(
    struct clients *c, const struct clients_cursor *cursor);

struct clients_list {
	unsigned n;
	struct clients_named {
		uint8_t name_len;
		uint16_t log_len;
		uint64_t seq;
		uint8_t name[CLIENTS_TEXT_MAX];
		uint8_t log[CLIENTS_LOG_MAX];
	} v[CLIENTS_NAMES];
};

/* All of a client's, ordered by name; counts as a use of them.  0 or -errno. */
MUST_CHECK int clients_read(struct clients *c, struct slice user,
    struct slice client, uint64_t now_us, struct clients_list *out);

/*
 * The first event from oldest on that a cursor of this log stands before; 0:
 * there is none.  Cursors to which older events are missing do not count, and
 * one that has just moved may count as where it stood.  0 or -errno.
 */
MUST_CHECK int clients_needed(struct clients *c, struct slice log,
    uint64_t oldest, uint64_t *needed, struct reason *why);

/*
 * Make durable what was taken so far, and once an hour remove what nobody
 * has used for long.  Any thread.  Below zero: it stays in memory, to be
 * tried again.
 */
MUST_CHECK int clients_flush(
    struct clients *c, uint64_t now_us, struct reason *why);

#endif
