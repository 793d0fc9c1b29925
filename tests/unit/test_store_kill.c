/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A process that folds and is killed with -9 at any instant: what it leaves
 * is the fold of exactly the events up to its position, in every table.
 */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/store_priv.h"
#include "core/event.h"
#include "core/fold.h"
#include "core/rules.h"
#include "core/time.h"
#include "tests/lib/storefix.h"

enum {
	EVENTS = 20000,
	TOPICS = 150,
	ACTORS = 5,
};

/* Every event of the test, as the log would have it. */
struct events {
	struct mp_buf bytes;
	size_t at[EVENTS + 1];
	unsigned topic[EVENTS];
	unsigned actor[EVENTS];
};

static struct slice
event(const struct events *ev, uint64_t seq)
{
	return slice_of(
	    ev->bytes.p + ev->at[seq - 1], ev->at[seq] - ev->at[seq - 1]);
}

static void
topic_name(unsigned i, char buf[40])
{
	if (i % 10)
		snprintf(buf, 40, "t.%u", i);
	else
		snprintf(buf, 40, "graph.relation.a%03u.b.n%u", i, i % 4);
}

static struct events *
make_events(struct storefix *fx)
{
	static const char *const types[] = { "x_set", "x_changed", "x_deleted",
		"x_added", "x_touched", "x_restored" };
	struct events *ev = calloc(1, sizeof(*ev));
	char topic[40], actor[20], data[80];

	assert_non_null(ev);
	for (int i = 0; i < EVENTS; i++) {
		struct slice bytes;

		ev->topic[i] = (unsigned)rand() % TOPICS;
		ev->actor[i] = (unsigned)rand() % ACTORS;
		topic_name(ev->topic[i], topic);
		snprintf(actor, sizeof(actor), "actor%u", ev->actor[i]);
		snprintf(data, sizeof(data),
		    "{\"from\":\"n%d\",\"to\":\"m%d\",\"k%d\":%d}", rand() % 4,
		    rand() % 4, rand() % 9, i);
		bytes = storefix_event(fx, topic,
		    types[(unsigned)rand() % ARRAY_LEN(types)], actor, data);
		mp_buf_bytes(&ev->bytes, bytes.p, bytes.len);
		ev->at[i + 1] = ev->bytes.len;
	}
	assert_false(ev->bytes.failed);
	return ev;
}

/* --- the child --- */

/* Folds on from wherever it stands; says each commit, and at its end. */
static void
fold_on(struct storefix *fx, const struct events *ev, int say)
{
	uint64_t seq;

	storefix_open(fx);
	for (;;) {
		uint64_t behind = store_fold_behind(fx->st);
		uint64_t live = store_fold_seq(fx->st);

		seq = behind < live ? behind + 1 : live + 1;
		if (seq > EVENTS)
			break;
		if (store_fold_event(fx->st, seq, event(ev, seq)) < 0)
			_exit(1);
		if (seq % 37 == 0 &&
		    (store_fold_commit(fx->st) < 0 || write(say, "c", 1) != 1))
			_exit(2);
	}
	if (store_fold_commit(fx->st) < 0 || write(say, "e", 1) != 1)
		_exit(3);
	(void)pause();
	_exit(4);
}

/* Let a child fold until it has committed n times and a little more. */
static bool
run_and_kill(struct storefix *fx, const struct events *ev, int n)
{
	struct pollfd p;
	int fds[2], status;
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(fds[0]);
		fold_on(fx, ev, fds[1]);
	}
	(void)close(fds[1]);
	while (n-- > 0 && c != 'e')
		assert_int_equal(read(fds[0], &c, 1), 1);
	/* Somewhere before or within the next commit. */
	p = (struct pollfd){ .fd = fds[0], .events = 0 };
	if (c != 'e')
		(void)poll(&p, 1, rand() % 3);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	(void)close(fds[0]);
	return c == 'e';
}

/* --- what it must have left --- */

struct model {
	uint8_t *row[TOPICS]; /* encoded; NULL: there is none */
	size_t len[TOPICS];
	uint64_t seq[TOPICS];
};

static void
model_fold(struct model *m, const struct events *ev, uint64_t upto,
    const struct rules *rules)
{
	struct fold f = { 0 };
	struct row before, after;
	struct event e;

	memset(m, 0, sizeof(*m));
	for (uint64_t seq = 1; seq <= upto; seq++) {
		unsigned t = ev->topic[seq - 1];
		uint8_t *next;

		assert_int_equal(event_decode(event(ev, seq), &e, NULL), 0);
		if (m->row[t])
			assert_int_equal(
			    row_decode(
				slice_of(m->row[t], m->len[t]), &before, NULL),
			    0);
		assert_true(fold_event(&f, rules, m->row[t] ? &before : NULL,
				&e, &after) >= 0);
		m->len[t] = row_size(&after);
		next = malloc(m->len[t]);
		assert_non_null(next);
		(void)row_encode(&after, next);
		free(m->row[t]);
		m->row[t] = next;
		m->seq[t] = seq;
	}
	fold_deinit(&f);
}

static void
expect_rows(struct store_read *r, const struct model *m)
{
	struct store_iter *it;
	struct store_item item;
	unsigned n = 0, changed = 0;
	struct slice row;
	uint64_t last = 0;
	bool dropped;
	char topic[40];

	for (unsigned i = 0; i < TOPICS; i++) {
		topic_name(i, topic);
		n += m->row[i] != NULL;
		assert_int_equal(
		    store_row(r, slice_cstr(topic), &row, &dropped),
		    m->row[i] ? STORE_FOUND : STORE_END);
		if (!m->row[i])
			continue;
		assert_true(slice_equal(row, slice_of(m->row[i], m->len[i])));
	}
	assert_int_equal(store_iter_changed(r, 0, &it), 0);
	for (; store_iter_next(it, &item) == STORE_FOUND; changed++) {
		unsigned i = 0;

		while (i < TOPICS && m->seq[i] != item.seq)
			i++;
		assert_true(i < TOPICS && item.seq > last);
		topic_name(i, topic);
		assert_true(slice_is(item.topic, topic));
		last = item.seq;
	}
	assert_int_equal(changed, n);
	store_iter_free(it);
}

static void
expect_history(struct store_read *r, const struct events *ev, uint64_t upto)
{
	char name[40];

	for (unsigned i = 0; i < TOPICS + ACTORS; i++) {
		bool actor = i >= TOPICS;
		const unsigned *of = actor ? ev->actor : ev->topic;
		unsigned want = actor ? i - TOPICS : i;
		struct store_iter *it;
		struct store_item item;

		if (actor)
			snprintf(name, sizeof(name), "actor%u", want);
		else
			topic_name(want, name);
		assert_int_equal(
		    actor
			? store_iter_actor(r, slice_cstr(name), 0, false, &it)
			: store_iter_topic(r, slice_cstr(name), 0, false, &it),
		    0);
		for (uint64_t seq = 1; seq <= upto; seq++) {
			if (of[seq - 1] != want)
				continue;
			assert_int_equal(
			    store_iter_next(it, &item), STORE_FOUND);
			assert_int_equal(item.seq, seq);
		}
		assert_int_equal(store_iter_next(it, &item), STORE_END);
		store_iter_free(it);
	}
}

/* Each relation that has a row stands under its last token. */
static void
expect_edges(struct store_read *r, const struct model *m)
{
	char name[4], topic[40];

	for (unsigned to = 0; to < 4; to++) {
		struct store_iter *it;
		struct store_item item;

		snprintf(name, sizeof(name), "n%u", to);
		assert_int_equal(store_iter_edges(r, slice_cstr(name), &it), 0);
		for (unsigned i = 0; i < TOPICS; i += 10) {
			if (!m->row[i] || i % 4 != to)
				continue;
			topic_name(i, topic);
			assert_int_equal(
			    store_iter_next(it, &item), STORE_FOUND);
			assert_true(slice_is(item.topic, topic));
		}
		assert_int_equal(store_iter_next(it, &item), STORE_END);
		store_iter_free(it);
	}
}

static uint64_t
expect_whole(
    struct storefix *fx, const struct events *ev, const struct rules *rules)
{
	struct store_read *r;
	struct model m;
	uint64_t seq;

	storefix_open(fx);
	assert_int_equal(store_read_begin(fx->st, &r), 0);
	seq = store_read_seq(r);
	assert_int_equal(store_read_history_seq(r), seq);
	model_fold(&m, ev, seq, rules);
	expect_rows(r, &m);
	expect_history(r, ev, seq);
	expect_edges(r, &m);
	for (unsigned i = 0; i < TOPICS; i++)
		free(m.row[i]);
	store_read_end(r);
	fx->st = store_free(fx->st);
	return seq;
}

static void
seed_it(void)
{
	unsigned seed = (unsigned)time_mono_ns();

	print_message("# seed %u\n", seed);
	srand(seed);
}

static void
a_kill_at_any_instant_leaves_a_position_that_is_true(void **state)
{
	struct storefix *fx = *state;
	struct events *ev;
	uint64_t seq = 0, next;
	bool ended = false;

	seed_it();
	ev = make_events(fx);
	fx->st = store_free(fx->st);
	while (!ended) {
		ended = run_and_kill(fx, ev, 1 + rand() % 60);
		next = expect_whole(fx, ev, fx->rules);
		assert_true(next >= seq);
		seq = next;
	}
	assert_int_equal(seq, EVENTS);
	mp_buf_deinit(&ev->bytes);
	free(ev);
}

static void
a_kill_while_rules_change_costs_nothing_but_time(void **state)
{
	struct storefix *fx = *state;
	struct store_status s;
	struct rules *old = NULL;
	struct events *ev;
	uint64_t next = 0;
	bool ended = false;

	seed_it();
	ev = make_events(fx);
	for (uint64_t seq = 1; seq <= EVENTS / 2; seq++)
		assert_int_equal(
		    store_fold_event(fx->st, seq, event(ev, seq)), 0);
	storefix_commit(fx);
	fx->st = store_free(fx->st);
	assert_int_equal(rules_parse("", &old, NULL), 0);
	storefix_rules(fx, "x_set=merge x_touched=set *=touch");
	while (!ended) {
		ended = run_and_kill(fx, ev, 1 + rand() % 90);
		storefix_open(fx);
		store_status(fx->st, &s);
		fx->st = store_free(fx->st);
		/* What was caught up is not begun anew. */
		assert_true(!s.refolding || s.next_seq >= next);
		next = s.next_seq;
		(void)expect_whole(fx, ev, s.refolding ? old : fx->rules);
	}
	storefix_open(fx);
	store_status(fx->st, &s);
	assert_false(s.refolding);
	assert_int_equal(s.seq, EVENTS);
	rules_free(old);
	mp_buf_deinit(&ev->bytes);
	free(ev);
}

/* --- faults --- */

static void
fault(void)
{
	(void)raise(SIGSEGV);
}

static void
fail_assertion(void)
{
	store_guard_assert(NULL, "as LMDB would say it");
	abort();
}

static void
be_killed(void)
{
	(void)raise(SIGKILL);
}

/* What is there after a process that opened the state and ended that way. */
static uint64_t
seq_after(struct storefix *fx, void (*end)(void))
{
	struct store_status s;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* The tests' own handlers are not what is tried here. */
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGABRT, SIG_DFL);
		storefix_open(fx);
		end();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	storefix_open(fx);
	store_status(fx->st, &s);
	fx->st = store_free(fx->st);
	return s.seq;
}

static void
a_fault_of_its_own_has_the_state_folded_anew(void **state)
{
	void (*const ends[])(void) = { fault, fail_assertion };
	struct storefix *fx = *state;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		fx->seq = 0;
		if (!fx->st)
			storefix_open(fx);
		storefix_fold(fx, "a", "x_set", "1");
		storefix_commit(fx);
		fx->st = store_free(fx->st);
		assert_int_equal(seq_after(fx, be_killed), 1);
		assert_int_equal(seq_after(fx, ends[i]), 0);
	}
}

#define T(test) \
	cmocka_unit_test_setup_teardown(test, storefix_setup, storefix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_kill_at_any_instant_leaves_a_position_that_is_true),
		T(a_kill_while_rules_change_costs_nothing_but_time),
		T(a_fault_of_its_own_has_the_state_folded_anew),
	};

	return cmocka_run_group_tests_name("store_kill", tests, NULL, NULL);
}
