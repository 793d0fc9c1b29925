/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Versions: each topic's newest version and seq.  The table holds pending
 * state, ahead of the disk; whoever answers from it waits for the flush.
 */

#ifndef PEAL_WRITER_VERSIONS_H
#define PEAL_WRITER_VERSIONS_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct versions;

struct version {
	uint64_t version; /* 0: no event ever */
	uint64_t last_seq;
};

struct versions *versions_new(void);
struct versions *versions_free(struct versions *vs);
CLEANUP_FN(struct versions *, versions_free)

uint64_t versions_count(const struct versions *vs);

/* hash is the topic's under the ring's key, here and below. */
struct version versions_get(
    const struct versions *vs, uint64_t hash, struct slice topic);

/*
 * The next event of the topic has seq: returns its version, 0 when there is
 * no memory.  undo takes what versions_undo() needs.
 */
struct version_undo {
	uint32_t entry;
	uint64_t last_seq;
};

uint64_t versions_bump(struct versions *vs, uint64_t hash, struct slice topic,
    uint64_t seq, struct version_undo *undo);
/* Take back the newest bump; several in reverse order. */
void versions_undo(struct versions *vs, const struct version_undo *undo);

/* For checkpoint and replay: set a topic's entry.  0 or -ENOMEM. */
MUST_CHECK int versions_set(
    struct versions *vs, uint64_t hash, struct slice topic, struct version v);

/* Entry i of versions_count(); topic points into the table. */
struct version versions_at(
    const struct versions *vs, uint64_t i, struct slice *topic);

#endif
