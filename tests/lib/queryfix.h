/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What queries need: a log on disk, a store in memory that has folded it, and
 * a naive fold of any seq to compare with.
 */

#ifndef PEAL_TESTS_LIB_QUERYFIX_H
#define PEAL_TESTS_LIB_QUERYFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/query.h"
#include "core/mp.h"
#include "core/proto.h"
#include "core/row.h"
#include "core/rules.h"
#include "tests/lib/fakestore.h"
#include "tests/lib/logfix.h"
#include "tests/lib/tmpdir.h"

struct spool;

struct queryfix {
	struct tmpdir *dir;
	struct logfix *log;
	struct rules *rules;
	struct store *store;
	struct query q;
	/* Events as stored, by seq - 1, and the request being composed. */
	struct queryfix_event {
		uint8_t *bytes;
		size_t len;
	} * v;
	size_t n, cap, composed;
	uint64_t time_us; /* of the request; moved by the test */
	bool store_waits; /* events do not go to the store */
	uint64_t tail;	  /* where tail_set */
	bool tail_set;
	unsigned seed;
	/* Of requests. */
	struct mp_buf message;
	struct query_refusal no;
};

/* cmocka's setup and teardown. */
int queryfix_setup(void **state);
int queryfix_teardown(void **state);

/* Look into the directory anew, with other limits. */
void queryfix_archives(struct queryfix *fx, uint64_t max_bytes, uint64_t every);

/* 0 to n - 1, by the printed seed. */
unsigned queryfix_random(struct queryfix *fx, unsigned n);

/* Add an event to the request; data is JSON. */
void queryfix_add(struct queryfix *fx, const char *topic, const char *type,
    const char *actor, const char *data);
/* The request goes to log and store; true durable with queryfix_flush(). */
void queryfix_commit(struct queryfix *fx);
void queryfix_flush(struct queryfix *fx);
/* add, commit and flush. */
void queryfix_append(struct queryfix *fx, const char *topic, const char *type,
    const char *actor, const char *data);
/* n random events in random requests on topics "t.A.B", and others. */
void queryfix_append_random(struct queryfix *fx, unsigned n);

/*
 * The request of the broker's socket with this JSON form; lives until the
 * next call.
 */
struct proto_request queryfix_request(struct queryfix *fx, const char *json);

/*
 * The snapshot that this request gives, whose reference is the caller's, or
 * the code and fx->no of its refusal.
 */
MUST_CHECK enum proto_code queryfix_ask(
    struct queryfix *fx, const char *json, struct spool **out);
/* One that is not refused. */
struct spool *queryfix_snapshot(struct queryfix *fx, const char *json);
/* All its rows, back to back, at the end of b: as many as it says. */
void queryfix_rows(struct spool *s, struct mp_buf *b);
/* The topics of its rows, each followed by a space. */
void queryfix_expect_topics(
    struct queryfix *fx, const char *json, const char *want);

/* The rows at seq that set matches, in order of topics, by folding. */
void queryfix_fold(struct queryfix *fx, uint64_t seq,
    const struct topic_set *set, struct mp_buf *rows, uint32_t *n);

#endif
