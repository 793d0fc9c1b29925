/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A store in memory, in place of broker/store.h's: every version of every row
 * stays, so that a read transaction is but a seq.  For tests of what reads
 * the store, which move it on between two transactions as they like.
 */

#ifndef PEAL_TESTS_LIB_FAKESTORE_H
#define PEAL_TESTS_LIB_FAKESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/store.h"
#include "core/row.h"

struct rules;

/* rules outlives it; NULL: store_pack_rules() is not asked for. */
struct store *fakestore_new(const struct rules *rules);
struct store *fakestore_free(struct store *st);

/* The row after the event row->seq, which is beyond all before. */
void fakestore_put(struct store *st, const struct row *row);
/* The newest row of a topic; false: there is none. */
bool fakestore_get(struct store *st, struct slice topic, struct slice *row);
/* The tombstone of a topic has passed its time. */
void fakestore_drop(struct store *st, struct slice topic);
void fakestore_set_floor(struct store *st, uint64_t seq);
void fakestore_set_history_seq(struct store *st, uint64_t seq);
/* Everything was folded anew. */
void fakestore_regenerate(struct store *st);
void fakestore_set_log(struct store *st, const char *log);

/* Called before each read transaction begins. */
void fakestore_on_read(struct store *st, void (*fn)(void *arg), void *arg);
/* How many have begun. */
unsigned fakestore_reads(const struct store *st);

#endif
