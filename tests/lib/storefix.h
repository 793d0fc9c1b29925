/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A store for tests: events written as JSON go in, rows come out as JSON.
 * What fails in here is the test's failure, but for what is returned.
 */

#ifndef PEAL_TESTS_LIB_STOREFIX_H
#define PEAL_TESTS_LIB_STOREFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/store.h"
#include "broker/store_fold.h"
#include "core/map.h"
#include "core/mp.h"
#include "tests/lib/tmpdir.h"

struct storefix {
	struct tmpdir *dir;
	struct store_options opt;
	struct rules *rules;
	struct store *st;
	uint8_t log_id[16];
	uint64_t seq;	      /* of the last event */
	struct map *versions; /* of topics, as the writer counts them */
	struct mp_buf event;
	struct mp_buf text;
};

/* cmocka's: *state is a struct storefix, opened, with a log. */
int storefix_setup(void **state);
int storefix_teardown(void **state);

void storefix_open(struct storefix *fx);
/* Configure these rules, NULL: the usual ones, for the next open. */
void storefix_rules(struct storefix *fx, const char *text);

/* The next event, encoded: its bytes live until the next call. */
struct slice storefix_event(struct storefix *fx, const char *topic,
    const char *type, const char *actor, const char *data);
/* Fold the next event; what store_fold_event() returned. */
int storefix_try(struct storefix *fx, const char *topic, const char *type,
    const char *actor, const char *data);
/* The same by actor "ann", and it must do. */
void storefix_fold(
    struct storefix *fx, const char *topic, const char *type, const char *data);
void storefix_commit(struct storefix *fx);

/*
 * The row [topic, version, seq, deleted, value] as JSON, "-" for none, with
 * "dropped " in front of one that is; lives until the next call.
 */
const char *storefix_row(struct storefix *fx, const char *topic);

/* A walk as text: topics or seqs, separated by spaces; frees it. */
const char *storefix_walk(struct storefix *fx, struct store_iter *it);
/* Several walks, each in a transaction of its own. */
const char *storefix_rows(struct storefix *fx, const char *from, bool dropped);
const char *storefix_changed(struct storefix *fx, uint64_t after);
const char *storefix_edges(struct storefix *fx, const char *name);
const char *storefix_topic(
    struct storefix *fx, const char *topic, uint64_t seq, bool reverse);
const char *storefix_actor(
    struct storefix *fx, const char *actor, uint64_t seq, bool reverse);

#endif
