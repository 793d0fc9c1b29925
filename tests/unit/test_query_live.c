/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Snapshots of the real store while a thread folds into it: each is at one
 * seq, complete, and has no topic twice.
 */

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/query.h"
#include "broker/spool.h"
#include "core/json.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/topic_set.h"
#include "tests/lib/storefix.h"

enum {
	EVENTS = 6000,
	TOPICS = 300,
	COMMIT = 25,
	WORKERS = 2,
};

/* Event seq is of topic topic_of(seq). */
static unsigned
topic_of(uint64_t seq)
{
	return (unsigned)((seq * 2654435761U >> 7) % TOPICS);
}

/* The last event of a topic up to seq; 0: there is none. */
static uint64_t
last_of(unsigned topic, uint64_t seq)
{
	while (seq > 0 && topic_of(seq) != topic)
		seq--;
	return seq;
}

struct live {
	struct storefix *fx;
	struct query q;
	bool done;
};

static void *
fold(void *arg)
{
	struct live *live = arg;
	char topic[32], data[32];

	for (uint64_t seq = 1; seq <= EVENTS; seq++) {
		snprintf(topic, sizeof(topic), "t.%03u", topic_of(seq));
		snprintf(data, sizeof(data), "%" PRIu64, seq);
		storefix_fold(live->fx, topic, "created", data);
		if (seq % COMMIT == 0)
			storefix_commit(live->fx);
	}
	__atomic_store_n(&live->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Rows of s: which topics, each at its last seq; how many, or -1. */
static int
check_rows(struct spool *s, uint64_t since)
{
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	uint8_t seen[TOPICS] = { 0 };
	struct slice value;
	struct mp_walk w;
	int n = 0;

	for (uint64_t i = 0; i < spool_parts(s); i++) {
		uint32_t rows;

		if (spool_read_part(s, i, &b, &rows) != SPOOL_PART)
			return -1;
	}
	w = mp_walk(slice_of(b.p, b.len));
	while (mp_skip(&w, &value)) {
		struct row row;
		unsigned topic;

		if (row_decode(value, &row, NULL) < 0 || row.topic.len != 5)
			return -1;
		topic = (unsigned)(row.topic.p[2] - '0') * 100 +
			(unsigned)(row.topic.p[3] - '0') * 10 +
			(unsigned)(row.topic.p[4] - '0');
		if (topic >= TOPICS || seen[topic]++ || row.seq <= since ||
		    row.seq != last_of(topic, spool_seq(s)))
			return -1;
		n++;
	}
	return n;
}

static int
expected_rows(uint64_t seq, uint64_t since)
{
	int n = 0;

	for (unsigned topic = 0; topic < TOPICS; topic++)
		n += last_of(topic, seq) > since;
	return n;
}

/* One snapshot; its seq, or 0 when something is wrong. */
static uint64_t
snapshot(struct live *live, uint64_t since, bool *right)
{
	CLEANUP(mp_buf_deinit) struct mp_buf msg = { 0 };
	CLEANUP(topic_set_deinit) struct topic_set set = { 0 };
	CLEANUP(spool_unrefp) struct spool *s = NULL;
	struct query_refusal no;
	struct store_status now;
	struct proto_request req;
	struct reason why;
	char json[120];

	/* A young one of an older seq would be shared. */
	store_status(live->q.store, &now);
	snprintf(json, sizeof(json),
	    "{\"op\":\"open\",\"id\":1,\"topics\":[\"t.*\"],"
	    "\"since\":%" PRIu64 ",\"min_seq\":%" PRIu64 "}",
	    since, now.seq);
	*right =
	    !json_to_mp(slice_cstr(json), &msg, &why) &&
	    !proto_request_parse_local(slice_of(msg.p, msg.len), &req, &why) &&
	    !topic_set_init(&set, req.state.topics, req.read, false) &&
	    !query_snapshot(&live->q, &req, &set, &s, &no) &&
	    check_rows(s, since) == expected_rows(spool_seq(s), since);
	return *right ? spool_seq(s) : 0;
}

static void *
ask(void *arg)
{
	struct live *live = arg;
	uint64_t seq = 0, rounds = 0;
	bool right = true, last;

	do {
		uint64_t since = rounds++ % 3 == 0 ? 0 : seq;

		last = __atomic_load_n(&live->done, __ATOMIC_ACQUIRE);
		seq = snapshot(live, since, &right);
	} while (right && !last);
	return right && seq == EVENTS ? live : NULL;
}

static void
snapshots_while_folding_goes_on_are_at_one_seq(void **state)
{
	struct live live = { .fx = *state };
	pthread_t folder, workers[WORKERS];
	void *right;

	live.q.store = live.fx->st;
	live.q.slice_rows = 40;
	assert_int_equal(
	    spools_new(live.fx->dir->path, 1 << 30, &live.q.spools), 0);
	assert_int_equal(pthread_create(&folder, NULL, fold, &live), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(
		    pthread_create(&workers[i], NULL, ask, &live), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(pthread_join(workers[i], &right), 0);
		assert_non_null(right);
	}
	pthread_join(folder, NULL);
	(void)spools_free(live.q.spools);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    snapshots_while_folding_goes_on_are_at_one_seq,
		    storefix_setup, storefix_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
