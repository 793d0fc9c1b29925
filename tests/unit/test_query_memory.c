/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Queries with each allocation failing, alone or with all behind it.  The
 * answer is the right one or a refusal that says what is short; no archive is
 * called damaged for it, and nothing is left behind.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/archives.h"
#include "broker/spool.h"
#include "core/topic_set.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/queryfix.h"

enum {
	EVENTS = 250,
	EVERY = 100, /* there is an archive */
	UPTO = 240,  /* of the page */
};

static const char *const snapshots[] = {
	"{\"op\":\"open\",\"topics\":[\">\"]}",
	"{\"op\":\"open\",\"topics\":[\"t.3.4\",\"t.1.2\",\"t.2.>\"]}",
	"{\"op\":\"open\",\"topics\":[\"graph.relation.*.*.e2\",\"t.1.>\"]}",
	"{\"op\":\"open\",\"topics\":[\">\"],\"read\":[\"t.1.*\",\"t.3\"]}",
	"{\"op\":\"open\",\"topics\":[\"t.>\"],\"since\":200}",
	"{\"op\":\"open\",\"topics\":[\">\"],\"at\":50}",
	"{\"op\":\"open\",\"topics\":[\">\"],\"at\":150}",
	"{\"op\":\"open\",\"topics\":[\"t.1.2\",\"t.2.*\"],\"at\":201}",
};

static const char *const pages[] = {
	"{\"op\":\"history\",\"topic\":\"t.1.2\"}",
	"{\"op\":\"history\",\"topic\":\"t.*.3\",\"limit\":5}",
	"{\"op\":\"history\",\"actor\":\"ada\",\"reverse\":true}",
	"{\"op\":\"page\",\"topics\":[\"t.>\"],\"after\":3,\"upto\":240}",
};

/* A request, what it gave with memory, and what it gives. */
struct question {
	struct queryfix *fx;
	const char *json;
	struct proto_request req;
	struct topic_set set; /* of snapshots */
	struct mp_buf want;
	unsigned refused;
};

/* All parts of a snapshot as they are sent; 0 or -ENOMEM. */
static int
take_parts(struct spool *s, struct mp_buf *got)
{
	for (uint64_t n = 0; n < spool_parts(s); n++) {
		int err = spool_pack_part(s, n, got);

		if (err < 0)
			return err;
		assert_int_equal(err, SPOOL_PART);
	}
	return got->failed ? -ENOMEM : 0;
}

static enum proto_code
answer(struct question *qu, struct mp_buf *got)
{
	struct query *q = &qu->fx->q;
	struct spool *s = NULL;
	enum proto_code code;

	switch (qu->req.op) {
	case PROTO_HISTORY:
		return query_history(q, &qu->req, got, &qu->fx->no);
	case PROTO_PAGE:
		return query_page(q, &qu->req, got, &qu->fx->no);
	default:
		break;
	}
	code = query_snapshot(q, &qu->req, &qu->set, &s, &qu->fx->no);
	if (code == PROTO_OK && take_parts(s, got) < 0) {
		snprintf(qu->fx->no.text, sizeof(qu->fx->no.text), "memory");
		code = PROTO_UNAVAILABLE;
	}
	(void)spool_unref(s);
	return code;
}

/* As if nobody had asked before. */
static void
forget_spools(struct queryfix *fx)
{
	fx->q.spools = spools_free(fx->q.spools);
	assert_int_equal(spools_new(fx->dir->path, 1 << 30, &fx->q.spools), 0);
}

/* The elements of a reply's events, and whether it says that there are more. */
static struct slice
events_of(const struct mp_buf *reply, bool *more)
{
	struct slice bytes = slice_of(reply->p, reply->len);
	struct slice events = proto_get(bytes, "events");
	struct proto_uint upto = proto_get_uint(bytes, "upto");
	struct mp_walk w = mp_walk(events);
	struct mp_item head;

	assert_true(mp_next(&w, &head) && head.type == MP_ARRAY);
	*more =
	    proto_get_uint(bytes, "next").set || (upto.set && upto.v < UPTO);
	return slice_of(w.p, (size_t)(w.end - w.p));
}

/*
 * A snapshot is what it was with memory.  History may stop after a tenth of
 * a second, and says so: it is as much of it.
 */
static void
expect_right(const struct question *qu, const struct mp_buf *got)
{
	bool more_is = false, more_ought = false;
	struct slice is = slice_of(got->p, got->len);
	struct slice ought = slice_of(qu->want.p, qu->want.len);

	if (qu->req.op == PROTO_HISTORY || qu->req.op == PROTO_PAGE) {
		is = events_of(got, &more_is);
		ought = events_of(&qu->want, &more_ought);
	}
	assert_memory_equal(is.p, ought.p, MIN(is.len, ought.len));
	assert_true(is.len >= ought.len || more_is);
	assert_true(is.len <= ought.len || more_ought);
}

static void
ask(struct question *qu)
{
	CLEANUP(mp_buf_deinit) struct mp_buf got = { 0 };

	if (answer(qu, &got) != PROTO_OK)
		fail_msg("'%s': %s", qu->json, qu->fx->no.text);
	if (qu->want.len == 0)
		mp_pack_raw(&qu->want, slice_of(got.p, got.len));
	expect_right(qu, &got);
}

/* With the nth allocation failing; false: there were fewer. */
static bool
ask_short(struct question *qu, uint64_t n, bool for_good)
{
	CLEANUP(mp_buf_deinit) struct mp_buf got = { 0 };
	struct query_refusal *no = &qu->fx->no;
	enum proto_code code;
	bool fired;

	forget_spools(qu->fx);
	no->text[0] = '\0';
	nomemory_at(n, for_good);
	code = answer(qu, &got);
	fired = nomemory_end();
	if (code == PROTO_OK) {
		expect_right(qu, &got);
		return fired;
	}
	if (!fired || code != PROTO_UNAVAILABLE || !strstr(no->text, "memory"))
		fail_msg("'%s', allocation %u: code %d, '%s'", qu->json,
		    (unsigned)n, code, no->text);
	qu->refused++;
	ask(qu);
	return true;
}

static void
sweep(struct queryfix *fx, const char *json)
{
	struct question qu = { .fx = fx, .json = json };
	unsigned descriptors;
	uint64_t n;

	qu.req = queryfix_request(fx, json);
	if (qu.req.op != PROTO_HISTORY)
		assert_int_equal(topic_set_init(&qu.set, qu.req.state.topics,
				     qu.req.read, qu.req.admin),
		    0);
	ask(&qu);
	forget_spools(fx);
	descriptors = descriptors_open();
	for (n = 1; ask_short(&qu, n, false); n++)
		;
	for (n = 1; ask_short(&qu, n, true); n++)
		;
	assert_true(qu.refused > 2);
	forget_spools(fx);
	assert_int_equal(descriptors_open(), descriptors);
	topic_set_deinit(&qu.set);
	mp_buf_deinit(&qu.want);
}

static int
setup(void **state)
{
	struct reason why = { "" };
	struct queryfix *fx;

	assert_int_equal(queryfix_setup(state), 0);
	fx = *state;
	queryfix_append_random(fx, EVERY);
	if (archives_write(&fx->q, &why) < 0)
		fail_msg("%s", why.text);
	queryfix_append_random(fx, EVENTS - EVERY);
	return 0;
}

static void
expect_archives(struct queryfix *fx, uint64_t n)
{
	struct archives_status st;

	archives_status(fx->q.archives, &st);
	assert_int_equal(st.archives, n);
	assert_int_equal(st.damaged, 0);
}

static void
snapshots_are_right_or_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(snapshots); i++)
		sweep(*state, snapshots[i]);
	expect_archives(*state, 1);
}

static void
pages_are_right_or_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		sweep(*state, pages[i]);
}

static void
an_archive_is_written_or_not(void **state)
{
	struct queryfix *fx = *state;
	unsigned files = tmpdir_count(fx->dir);
	bool fired = true;

	for (uint64_t n = 1; fired; n++) {
		struct reason why = { "" };
		int got;

		nomemory_at(n, false);
		got = archives_write(&fx->q, &why);
		fired = nomemory_end();
		if (got == 0) {
			assert_int_equal(tmpdir_count(fx->dir), files + 1);
			expect_archives(fx, 2);
		} else if (!fired || got != -ENOMEM || !why.text[0]) {
			fail_msg("allocation %u: %d, '%s'", (unsigned)n, got,
			    why.text);
		}
		assert_false(tmpdir_has(fx->dir, "archive.tmp"));
	}
}

static void
archives_are_listed_all_or_not_at_all(void **state)
{
	struct queryfix *fx = *state;
	struct archives_options opt = { fx->dir->path, 1 << 30, EVERY };
	bool fired = true;

	for (uint64_t n = 1; fired; n++) {
		struct reason why = { "" };
		int got;

		fx->q.archives = archives_free(fx->q.archives);
		nomemory_at(n, false);
		got = archives_new(&opt, &fx->q.archives, &why);
		fired = nomemory_end();
		if (got == 0)
			expect_archives(fx, 1);
		else
			assert_true(fired && got == -ENOMEM);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    snapshots_are_right_or_refused, setup, queryfix_teardown),
		cmocka_unit_test_setup_teardown(
		    pages_are_right_or_refused, setup, queryfix_teardown),
		cmocka_unit_test_setup_teardown(
		    an_archive_is_written_or_not, setup, queryfix_teardown),
		cmocka_unit_test_setup_teardown(
		    archives_are_listed_all_or_not_at_all, setup,
		    queryfix_teardown),
	};

	return cmocka_run_group_tests_name("query_memory", tests, NULL, NULL);
}
