/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Presence: who is subscribed to what, as gateways say it.  A group is what
 * one connection has said, and goes with it.
 */

#ifndef PEAL_BROKER_PRESENCE_H
#define PEAL_BROKER_PRESENCE_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct presence;
struct presence_group;
struct topic_set;

enum {
	PRESENCE_MEMBERS_MAX = 100000, /* of a group */
	PRESENCE_BYTES_MAX = 256 << 20,
};

struct presence *presence_new(void);
/* Its groups have ended. */
struct presence *presence_free(struct presence *p);
CLEANUP_FN(struct presence *, presence_free)

/* NULL: no memory. */
struct presence_group *presence_group_new(struct presence *p);
/* All of its members are absent from now on. */
struct presence_group *presence_group_free(struct presence_group *g);

struct presence_member {
	uint64_t number;
	struct slice user, client;
	struct slice topics; /* array of patterns */
	struct slice read;   /* array of patterns; p NULL: everything */
	bool admin;
	uint64_t since_us;
};

enum presence_taken {
	PRESENCE_TAKEN = 0,
	PRESENCE_FULL, /* dropped, and counted */
};

/* Stands for the number from now on, whoever did before.  Copies. */
enum presence_taken presence_present(
    struct presence_group *g, const struct presence_member *m);
void presence_absent(struct presence_group *g, uint64_t number);

/*
 * Pack an array of {user, client, topic, since}: one for each pattern of a
 * member that has something in common with asker and with what the member
 * itself may read; ordered by user, client and topic, each once, with its
 * earliest since.  0, -ENOMEM, or -EMSGSIZE where it would pass max_bytes:
 * b is then as it was.
 */
MUST_CHECK int presence_pack(struct presence *p, const struct topic_set *asker,
    size_t max_bytes, struct mp_buf *b);

struct presence_counts {
	uint64_t members;
	uint64_t bytes;
	uint64_t dropped;
};

void presence_counts(const struct presence *p, struct presence_counts *out);

#endif
