/* SPDX-License-Identifier: BSD-2-Clause */

/* History and pages of replays, against a filter that looks at everything. */

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/mpvalid.h"
#include "core/topic.h"
#include "core/topic_set.h"
#include "tests/lib/queryfix.h"

/* An answer of history or page. */
struct answer {
	struct mp_buf reply;
	struct slice events[10001];
	uint32_t n;
	struct proto_uint next, upto;
};

static void
take(struct answer *a)
{
	struct slice bytes = slice_of(a->reply.p, a->reply.len), events;
	struct mp_item head;
	struct mp_walk w;

	assert_int_equal(proto_get_uint(bytes, "id").v, 7);
	events = proto_get(bytes, "events");
	a->next = proto_get_uint(bytes, "next");
	a->upto = proto_get_uint(bytes, "upto");
	w = mp_walk(events);
	assert_true(mp_next(&w, &head));
	assert_int_equal(head.type, MP_ARRAY);
	assert_true(head.n <= 10000);
	/* No message is longer, but for one that has one large event. */
	assert_true(a->reply.len <= 256 << 10 || head.n == 1);
	a->n = head.n;
	for (uint32_t i = 0; i < head.n; i++)
		assert_true(mp_skip(&w, &a->events[i]));
	assert_ptr_equal(w.p, w.end);
}

static struct answer *
ask(struct queryfix *fx, const char *json)
{
	static struct answer a;
	struct proto_request req = queryfix_request(fx, json);
	enum proto_code code;

	a.reply.len = 0;
	if (req.op == PROTO_PAGE)
		code = query_page(&fx->q, &req, &a.reply, &fx->no);
	else
		code = query_history(&fx->q, &req, &a.reply, &fx->no);
	if (code)
		fail_msg("'%s': %s", json, fx->no.text);
	take(&a);
	return &a;
}

static enum proto_code
refusal(struct queryfix *fx, const char *json)
{
	CLEANUP(mp_buf_deinit) struct mp_buf reply = { 0 };
	struct proto_request req = queryfix_request(fx, json);

	if (req.op == PROTO_PAGE)
		return query_page(&fx->q, &req, &reply, &fx->no);
	return query_history(&fx->q, &req, &reply, &fx->no);
}

/* What a query asks for, and how the naive filter sees it. */
struct filter {
	const char *json; /* without after, before and braces */
	const char *topic, *actor, *type, *read;
	bool admin;
};

static const struct filter filters[] = {
	{ "" },
	{ "\"topic\":\"t.1.2\"", "t.1.2" },
	{ "\"topic\":\"t.*\"", "t.*" },
	{ "\"topic\":\"t.2.>\",\"actor\":\"ada\"", "t.2.>", "ada" },
	{ "\"actor\":\"bob\"", NULL, "bob" },
	{ "\"actor\":\"\"", NULL, "" },
	{ "\"actor\":\"nobody\"", NULL, "nobody" },
	{ "\"type\":\"*ed\",\"topic\":\">\"", ">", NULL, "*ed" },
	{ "\"type\":\"re*\"", NULL, NULL, "re*" },
	{ "\"topic\":\"t.1.2\",\"actor\":\"cy\"", "t.1.2", "cy" },
	{ "\"topic\":\"$acl.u1\"", "$acl.u1" },
	{ "\"topic\":\">\"", ">" },
	{ "\"topic\":\">\",\"read\":[\"t.1.*\"]", ">", NULL, NULL, "t.1.*" },
	{ "\"read\":[\"t.1.*\"]", "t.1.*", NULL, NULL, "t.1.*" },
	{ "\"read\":[\"$acl.>\"]", "none" },
	{ "\"read\":[\"$acl.>\"],\"admin\":true", "$acl.>", NULL, NULL,
	    "$acl.>", true },
	{ "\"topic\":\"t.2.2\",\"read\":[\"t.1.*\"]", "none" },
	{ "\"read\":[]", "none" },
};

static bool
passes(const struct filter *f, const struct event *ev)
{
	if (f->topic && !topic_match(slice_cstr(f->topic), ev->topic))
		return false;
	if (f->read && !topic_match(slice_cstr(f->read), ev->topic))
		return false;
	if (f->actor && !slice_is(ev->actor, f->actor))
		return false;
	return !f->type || topic_glob_match(slice_cstr(f->type), ev->type);
}

/* Bounds of a query; both exclusive. */
struct range {
	uint64_t after, before;
	unsigned limit;
	bool reverse;
	unsigned pages;
};

static void
request_of(const struct filter *f, const struct range *r, char json[400])
{
	snprintf(json, 400,
	    "{\"op\":\"history\"%s%s,\"after\":%" PRIu64 ",\"before\":%" PRIu64
	    ",\"limit\":%u,\"reverse\":%s}",
	    f->json[0] ? "," : "", f->json, r->after, r->before, r->limit,
	    r->reverse ? "true" : "false");
}

/* All pages of a query are what the filter lets through, once, in order. */
static void
expect_history(struct queryfix *fx, const struct filter *f, struct range *r)
{
	uint64_t seq =
	    r->reverse ? MIN(r->before, fx->n + 1) - 1 : r->after + 1;
	uint64_t after = r->after, before = r->before;
	struct answer *a;
	char json[400];

	r->pages = 0;
	do {
		request_of(f, r, json);
		a = ask(fx, json);
		r->pages++;
		assert_true(a->n <= r->limit);
		for (uint32_t i = 0; i < a->n; i++) {
			const struct queryfix_event *e;
			struct event ev;

			assert_int_equal(
			    event_decode(a->events[i], &ev, NULL), 0);
			assert_true(ev.seq > after && ev.seq < before);
			e = &fx->v[ev.seq - 1];
			assert_true(slice_equal(
			    a->events[i], slice_of(e->bytes, e->len)));
			assert_true(passes(f, &ev));
			/* What was passed over is not asked for. */
			for (; seq != ev.seq; seq += r->reverse ? -1 : 1) {
				struct event other;

				e = &fx->v[seq - 1];
				assert_int_equal(
				    event_decode(slice_of(e->bytes, e->len),
					&other, NULL),
				    0);
				if (passes(f, &other))
					fail_msg(
					    "'%s' lacks %" PRIu64, json, seq);
			}
			seq += r->reverse ? -1 : 1;
		}
		if (a->next.set && r->reverse)
			r->before = a->next.v;
		else if (a->next.set)
			r->after = a->next.v;
	} while (a->next.set);
	for (; seq > after && seq < MIN(before, fx->n + 1);
	     seq += r->reverse ? -1 : 1) {
		const struct queryfix_event *e = &fx->v[seq - 1];
		struct event other;

		assert_int_equal(
		    event_decode(slice_of(e->bytes, e->len), &other, NULL), 0);
		if (passes(f, &other))
			fail_msg(
			    "'%s' lacks %" PRIu64 " at its end", json, seq);
	}
	r->after = after;
	r->before = before;
}

static void
expect_all(struct queryfix *fx)
{
	for (unsigned i = 0; i < ARRAY_LEN(filters) * 4; i++) {
		struct range r = {
			.limit = i % 3 ? 1 + queryfix_random(fx, 30) : 10000,
			.before = PROTO_SEQ_MAX,
			.reverse = i / ARRAY_LEN(filters) % 2,
		};

		if (i >= ARRAY_LEN(filters) * 2) {
			r.after = queryfix_random(fx, (unsigned)fx->n);
			r.before = r.after + queryfix_random(fx, 400);
		}
		expect_history(fx, &filters[i % ARRAY_LEN(filters)], &r);
	}
}

static void
pages_hold_what_a_filter_lets_through_in_order(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 1500);
	expect_all(fx);
}

static void
an_index_that_is_behind_gives_the_same(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 1200);
	fakestore_set_history_seq(fx->store, 0);
	expect_all(fx);
	fakestore_set_history_seq(fx->store, 700);
	expect_all(fx);
}

static void
a_store_that_is_behind_the_log_hides_nothing(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 500);
	fx->store_waits = true;
	queryfix_append_random(fx, 100);
	expect_all(fx);
}

static void
nothing_is_beyond_the_tail(void **state)
{
	struct queryfix *fx = *state;
	struct answer *a;

	queryfix_append_random(fx, 20);
	fx->tail_set = true;
	for (fx->tail = 0; fx->tail < 3; fx->tail++) {
		a = ask(fx, "{\"op\":\"history\"}");
		assert_int_equal(a->n, fx->tail);
		a = ask(fx, "{\"op\":\"history\",\"reverse\":true}");
		assert_int_equal(a->n, fx->tail);
	}
}

static void
extremes_are_empty_pages_without_next(void **state)
{
	struct queryfix *fx = *state;
	static const char *const cases[] = {
		"{\"op\":\"history\",\"after\":9007199254740991}",
		"{\"op\":\"history\",\"after\":20}",
		"{\"op\":\"history\",\"before\":0}",
		"{\"op\":\"history\",\"before\":1}",
		"{\"op\":\"history\",\"after\":5,\"before\":5}",
		"{\"op\":\"history\",\"after\":5,\"before\":6}",
		"{\"op\":\"history\",\"after\":6,\"before\":5}",
		"{\"op\":\"history\",\"after\":9,\"before\":0,\"reverse\":true}",
		"{\"op\":\"history\",\"before\":1,\"reverse\":true}",
		"{\"op\":\"history\",\"to_time\":0}",
		"{\"op\":\"history\",\"from_time\":9007199254740991}",
		"{\"op\":\"history\",\"topic\":\"none\",\"before\":1}",
	};
	struct answer *a;

	queryfix_append_random(fx, 20);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		a = ask(fx, cases[i]);
		assert_int_equal(a->n, 0);
		assert_false(a->next.set);
	}
	a = ask(fx, "{\"op\":\"history\",\"after\":19,\"limit\":1}");
	assert_int_equal(a->n, 1);
	assert_false(a->next.set);
	a = ask(fx, "{\"op\":\"history\",\"after\":18,\"limit\":1}");
	assert_int_equal(a->next.v, 19);
	a = ask(fx, "{\"op\":\"history\",\"before\":2,\"reverse\":true}");
	assert_int_equal(a->n, 1);
	assert_false(a->next.set);
}

static void
an_empty_log_has_no_history(void **state)
{
	struct queryfix *fx = *state;

	assert_int_equal(ask(fx, "{\"op\":\"history\"}")->n, 0);
	assert_int_equal(ask(fx, "{\"op\":\"history\",\"topic\":\"a\"}")->n, 0);
}

static uint64_t
time_of(const struct queryfix *fx, uint64_t seq)
{
	struct event ev;

	assert_int_equal(
	    event_decode(
		slice_of(fx->v[seq - 1].bytes, fx->v[seq - 1].len), &ev, NULL),
	    0);
	return ev.time_us;
}

static void
times_bound_it_from_inclusive_to_exclusive(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 400);
	for (unsigned i = 0; i < 60; i++) {
		uint64_t from = time_of(fx, 1 + queryfix_random(fx, 400)) - 1 +
				queryfix_random(fx, 3);
		uint64_t to = from + queryfix_random(fx, 60);
		struct answer *a;
		uint32_t want = 0, got = 0;
		char json[160];

		for (uint64_t seq = 1; seq <= fx->n; seq++)
			want +=
			    time_of(fx, seq) >= from && time_of(fx, seq) < to;
		snprintf(json, sizeof(json),
		    "{\"op\":\"history\",\"from_time\":%" PRIu64
		    ",\"to_time\":%" PRIu64 ",\"limit\":1000,\"reverse\":%s}",
		    from, to, i % 2 ? "true" : "false");
		a = ask(fx, json);
		for (uint32_t k = 0; k < a->n; k++) {
			struct event ev;

			assert_int_equal(
			    event_decode(a->events[k], &ev, NULL), 0);
			got += ev.time_us >= from && ev.time_us < to;
		}
		assert_int_equal(a->n, want);
		assert_int_equal(got, want);
		assert_false(a->next.set);
	}
}

static void
a_page_is_no_longer_than_a_message_or_one_event(void **state)
{
	struct queryfix *fx = *state;
	char *data = malloc(1000000);

	memset(data, 'x', 999999);
	data[0] = data[900000] = '"';
	data[900001] = '\0';
	fx->log->segment_bytes = 16 << 20;
	logfix_stop(fx->log);
	logfix_start(fx->log);
	for (unsigned i = 0; i < 12; i++)
		queryfix_append(fx, "big", "created", "ada", data);
	free(data);
	for (unsigned i = 0; i < 4; i++) {
		struct range r = {
			.limit = 1000, .before = PROTO_SEQ_MAX, .reverse = i % 2
		};

		expect_history(fx,
		    i < 2 ? &filters[0]
			  : &(struct filter){ "\"topic\":\"big\"", "big" },
		    &r);
		assert_int_equal(r.pages, 12);
	}
}

/* --- pages --- */

static void
pages_chain_to_all_that_matches(void **state)
{
	struct queryfix *fx = *state;
	static const struct filter f = { "", "t.>", NULL, "*ed" };
	uint64_t after = 0, seq = 1;
	unsigned pages = 0;

	queryfix_append_random(fx, 3000);
	while (after < fx->n) {
		struct answer *a;
		size_t bytes = 0;
		char json[200];

		snprintf(json, sizeof(json),
		    "{\"op\":\"page\",\"topics\":[\"t.>\"],"
		    "\"types\":[\"*ed\"],\"after\":%" PRIu64 ",\"upto\":%zu}",
		    after, fx->n);
		a = ask(fx, json);
		assert_true(a->upto.v > after && a->upto.v <= fx->n);
		for (uint32_t i = 0; i < a->n; i++) {
			struct event ev;

			assert_int_equal(
			    event_decode(a->events[i], &ev, NULL), 0);
			assert_true(ev.seq > after && ev.seq <= a->upto.v);
			for (; seq < ev.seq; seq++) {
				struct event other;

				assert_int_equal(
				    event_decode(slice_of(fx->v[seq - 1].bytes,
						     fx->v[seq - 1].len),
					&other, NULL),
				    0);
				assert_false(passes(&f, &other));
			}
			assert_true(passes(&f, &ev));
			seq++;
			bytes += a->events[i].len;
		}
		assert_true(bytes <= 48 << 10);
		after = a->upto.v;
		pages++;
	}
	assert_true(pages > 1);
}

static void
a_page_ends_at_the_end_of_a_request(void **state)
{
	struct queryfix *fx = *state;
	char data[1100];
	struct answer *a;

	memset(data, 'x', sizeof(data));
	data[0] = data[1090] = '"';
	data[1091] = '\0';
	for (unsigned request = 0; request < 5; request++) {
		for (unsigned i = 0; i < 20; i++)
			queryfix_add(fx, "a", "created", "ada", data);
		queryfix_commit(fx);
	}
	queryfix_flush(fx);
	a = ask(fx,
	    "{\"op\":\"page\",\"topics\":[\">\"],\"after\":0,\"upto\":100}");
	assert_int_equal(a->upto.v, 40);
	assert_int_equal(a->n, 40);
	/* One that is larger than a page comes alone and whole. */
	for (unsigned i = 0; i < 60; i++)
		queryfix_add(fx, "a", "created", "ada", data);
	queryfix_commit(fx);
	queryfix_flush(fx);
	a = ask(fx,
	    "{\"op\":\"page\",\"topics\":[\">\"],\"after\":80,\"upto\":160}");
	assert_int_equal(a->upto.v, 100);
	a = ask(fx,
	    "{\"op\":\"page\",\"topics\":[\">\"],\"after\":100,\"upto\":160}");
	assert_int_equal(a->upto.v, 160);
	assert_int_equal(a->n, 60);
	/* From within a request, and to within one. */
	a = ask(
	    fx, "{\"op\":\"page\",\"topics\":[\">\"],\"after\":7,\"upto\":13}");
	assert_int_equal(a->upto.v, 13);
	assert_int_equal(a->n, 6);
}

static void
a_page_that_finds_nothing_still_moves_on(void **state)
{
	struct queryfix *fx = *state;
	struct answer *a;

	queryfix_append_random(fx, 50);
	a = ask(fx,
	    "{\"op\":\"page\",\"topics\":[\"none\"],\"after\":0,\"upto\":50}");
	assert_int_equal(a->n, 0);
	assert_int_equal(a->upto.v, 50);
	a = ask(fx, "{\"op\":\"page\",\"topics\":[\">\"],\"read\":[\"none\"],"
		    "\"after\":0,\"upto\":50}");
	assert_int_equal(a->n, 0);
	assert_int_equal(a->upto.v, 50);
}

static void
a_page_beyond_the_log_is_ahead_and_one_that_is_none_is_refused(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 50);
	assert_int_equal(ask(fx, "{\"op\":\"page\",\"topics\":[\">\"],"
				 "\"after\":49,\"upto\":900}")
			     ->upto.v,
	    50);
	assert_int_equal(refusal(fx, "{\"op\":\"page\",\"topics\":[\">\"],"
				     "\"after\":50,\"upto\":900}"),
	    PROTO_AHEAD);
	assert_int_equal(refusal(fx, "{\"op\":\"page\",\"topics\":[\">\"],"
				     "\"after\":9,\"upto\":9}"),
	    PROTO_BAD_REQUEST);
}

/* --- damage --- */

static void
damage_is_told_by_segment_and_never_sent(void **state)
{
	struct queryfix *fx = *state;
	char name[200];
	uint8_t byte;
	int fd;

	queryfix_append_random(fx, 300);
	snprintf(name, sizeof(name), "%s/%020d-%010d.seg", fx->log->path, 1, 1);
	fd = open(name, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, 8192 + 70), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 8192 + 70), 1);
	(void)close(fd);
	assert_int_equal(refusal(fx, "{\"op\":\"history\",\"limit\":10000}"),
	    PROTO_INTERNAL);
	assert_non_null(strstr(fx->no.text, ".seg"));
	assert_int_equal(refusal(fx, "{\"op\":\"page\",\"topics\":[\">\"],"
				     "\"after\":0,\"upto\":300}"),
	    PROTO_INTERNAL);
	assert_non_null(strstr(fx->no.text, ".seg"));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, queryfix_setup, queryfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_hold_what_a_filter_lets_through_in_order),
		TEST(an_index_that_is_behind_gives_the_same),
		TEST(a_store_that_is_behind_the_log_hides_nothing),
		TEST(nothing_is_beyond_the_tail),
		TEST(extremes_are_empty_pages_without_next),
		TEST(an_empty_log_has_no_history),
		TEST(times_bound_it_from_inclusive_to_exclusive),
		TEST(a_page_is_no_longer_than_a_message_or_one_event),
		TEST(pages_chain_to_all_that_matches),
		TEST(a_page_ends_at_the_end_of_a_request),
		TEST(a_page_that_finds_nothing_still_moves_on),
		TEST(
		    a_page_beyond_the_log_is_ahead_and_one_that_is_none_is_refused),
		TEST(damage_is_told_by_segment_and_never_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
