/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What clients.c (memory) and clients_disk.c (LMDB) share: keys, values and
 * how a newer cursor meets an older one.
 */

#ifndef PEAL_BROKER_CLIENTS_PRIV_H
#define PEAL_BROKER_CLIENTS_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "broker/clients.h"
#include "core/bytes.h"
#include "core/macros.h"

enum {
	CLIENTS_KEY_MAX = 3 * (CLIENTS_TEXT_MAX + 1), /* LMDB takes 511 */
};

/* user, client and name, each behind a byte of its length. */
struct clients_key {
	uint16_t len;
	uint8_t b[CLIENTS_KEY_MAX];
};

void clients_key_add(struct clients_key *key, struct slice text);
struct slice clients_key_slice(const struct clients_key *key);

/* A cursor that is not flushed yet. */
struct clients_fresh {
	struct clients_named at;
	uint64_t used_us;
};

/* A client of which something is not flushed yet. */
struct clients_dirty {
	TAILQ_ENTRY(clients_dirty) age;
	struct clients_key key; /* of user and client */
	uint64_t changes;	/* grows with each */
	uint64_t read_us;	/* all of its names were used then; 0: no */
	unsigned n;
	struct clients_fresh *v[CLIENTS_NAMES];
};

/* What flushing found on the way. */
struct clients_flushed {
	uint64_t refused, evicted, expired;
};

struct clients_disk;

MUST_CHECK int clients_disk_open(
    const char *dir, struct clients_disk **out, struct reason *why);
struct clients_disk *clients_disk_free(struct clients_disk *d);
CLEANUP_FN(struct clients_disk *, clients_disk_free)

/* Put what is stored of a client into *out, ordered by name: 0 or -errno. */
MUST_CHECK int clients_disk_read(struct clients_disk *d,
    const struct clients_key *prefix, struct clients_list *out);

/* Lower *needed, as clients_needed() has it, to what is stored needs. */
MUST_CHECK int clients_disk_needed(struct clients_disk *d, struct slice log,
    uint64_t oldest, uint64_t *needed, struct reason *why);

/* In one transaction, durable at the end.  0, or -errno and nothing is done. */
MUST_CHECK int clients_disk_write(struct clients_disk *d,
    struct clients_dirty *const *v, unsigned n, struct clients_flushed *found,
    struct reason *why);

/* Remove what was not used since before_us; durable at the end. */
MUST_CHECK int clients_disk_expire(struct clients_disk *d, uint64_t before_us,
    struct clients_flushed *found, struct reason *why);

/* Let newer, another ack for the same name, have its effect on *at. */
void clients_merge(struct clients_named *at, const struct clients_named *newer);
/* Lower *needed to what stands behind at, where it counts. */
void clients_lower(const struct clients_named *at, struct slice log,
    uint64_t oldest, uint64_t *needed);
/* The cursor of that name; NULL when there is none. */
struct clients_named *clients_list_find(
    struct clients_list *list, struct slice name);

#endif
