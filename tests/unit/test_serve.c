/* SPDX-License-Identifier: BSD-2-Clause */

/* The broker's socket, over queries that a test rules over. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/serve_priv.h"
#include "core/time.h"
#include "tests/lib/servefix.h"

static void
requests_are_pipelined_and_answered_by_id(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	servefix_say(fx, p, "{'op':'history','id':1,'topic':'hold'}");
	servefix_await_held(fx);
	servefix_say(fx, p, "{'op':'open','id':2,'topics':['p.2']}");
	servefix_say(
	    fx, p, "{'op':'page','id':3,'topics':['a'],'after':1,'upto':5}");
	servefix_say(fx, p, "{'op':'ping','id':4,'t':'x'}");
	servefix_expect(
	    fx, p, "'op':'pong'", "'id':4", "'t':'x'", "'head':100", NULL);
	for (unsigned i = 0; i < 2; i++) {
		const char *text = servefix_next(fx, p);

		assert_true(strstr(text, "'op':'opened','id':2") ||
			    strstr(text, "'op':'page','id':3,'upto':5"));
	}
	servefix_quiet(fx, p);
	servefix_release(1);
	servefix_expect(fx, p, "'op':'history'", "'id':1", NULL);
}

static void
a_snapshot_is_read_in_parts_until_it_is_closed(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx), other = servefix_peer(fx);
	unsigned long long handle;
	const char *text;

	servefix_say(fx, p, "{'op':'open','id':1,'topics':['p.3']}");
	text = servefix_next(fx, p);
	assert_int_equal(
	    sscanf(text, "{'op':'opened','id':1,'snapshot':%llu", &handle), 1);
	assert_non_null(strstr(text, "'seq':100,'full':true,'rows':3"));
	servefix_say(
	    fx, p, "{'op':'part','id':2,'snapshot':%llu,'n':0}", handle);
	servefix_expect(
	    fx, p, "{'op':'part','id':2,'rows':[0,'x'],'last':false}", NULL);
	servefix_say(
	    fx, p, "{'op':'part','id':3,'snapshot':%llu,'n':2}", handle);
	servefix_expect(fx, p, "'rows':[2,'x'],'last':true", NULL);
	servefix_say(
	    fx, p, "{'op':'part','id':4,'snapshot':%llu,'n':3}", handle);
	servefix_expect(fx, p, "'code':'not_found'", "no part 3", NULL);
	servefix_say(
	    fx, other, "{'op':'part','id':4,'snapshot':%llu,'n':0}", handle);
	servefix_expect(fx, other, "'code':'not_found'", NULL);
	servefix_spools_go();
	servefix_say(
	    fx, p, "{'op':'part','id':5,'snapshot':%llu,'n':0}", handle);
	servefix_expect(fx, p, "'code':'not_found'", "make room", NULL);
	assert_int_equal(servefix_spools(), 1);
	servefix_say(fx, p, "{'op':'close','snapshot':%llu}", handle);
	servefix_say(fx, p, "{'op':'close','snapshot':%llu}", handle);
	servefix_say(
	    fx, p, "{'op':'part','id':6,'snapshot':%llu,'n':0}", handle);
	servefix_expect(fx, p, "'code':'not_found'", "'id':6", NULL);
	assert_int_equal(servefix_spools(), 0);
}

static void
a_lost_connection_ends_what_it_had_begun(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx), other = servefix_peer(fx);

	servefix_say(fx, p, "{'op':'open','id':1,'topics':['p.1']}");
	servefix_expect(fx, p, "opened", NULL);
	servefix_say(fx, p,
	    "{'op':'present','member':1,'user':'u','client':'c',"
	    "'topics':['a'],'since':5}");
	servefix_say(fx, p, "{'op':'open','id':2,'topics':['hold']}");
	servefix_await_held(fx);
	servefix_say(
	    fx, p, "{'op':'state','id':3,'topics':['p.1'],'min_seq':500}");
	servefix_say(fx, other, "{'op':'presence','id':1,'topics':['>']}");
	servefix_expect(fx, other, "'user':'u'", NULL);
	servefix_leave(fx, p);
	servefix_say(fx, other, "{'op':'presence','id':2,'topics':['>']}");
	for (;;) {
		const char *text = servefix_next(fx, other);

		if (strstr(text, "'members':[]"))
			break;
		servefix_say(
		    fx, other, "{'op':'presence','id':2,'topics':['>']}");
	}
	/* The answer that comes then finds nobody. */
	servefix_release(1);
	while (servefix_spools() > 0)
		servefix_turn(fx);
	servefix_quiet(fx, other);
}

static void
a_query_waits_for_its_seq(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	servefix_say(
	    fx, p, "{'op':'open','id':1,'topics':['p.1'],'min_seq':101}");
	servefix_say(
	    fx, p, "{'op':'open','id':2,'topics':['p.1'],'since':103}");
	servefix_say(fx, p, "{'op':'history','id':3,'min_seq':102}");
	servefix_say(
	    fx, p, "{'op':'open','id':4,'topics':['p.1'],'min_seq':100}");
	servefix_expect(fx, p, "'id':4", "'seq':100", NULL);
	servefix_quiet(fx, p);
	servefix_commit(101);
	servefix_expect(fx, p, "'id':1", "'seq':101", NULL);
	servefix_quiet(fx, p);
	servefix_commit(102);
	servefix_expect(fx, p, "'op':'history','id':3", NULL);
	servefix_commit(103);
	servefix_expect(fx, p, "'id':2", "'seq':103", NULL);
}

static void
a_wait_ends_after_two_seconds(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);
	uint64_t begin = time_mono_ns(), took;

	servefix_store("log-1", 200, 100);
	/* It was caught up with before the log grew. */
	servefix_store("log-1", 100, 100);
	servefix_say(fx, p, "{'op':'open','id':9,'topics':['p.1']}");
	servefix_expect(fx, p, "'op':'opened'", NULL);
	servefix_store("log-1", 200, 100);
	servefix_say(
	    fx, p, "{'op':'open','id':1,'topics':['p.1'],'min_seq':200}");
	servefix_say(
	    fx, p, "{'op':'open','id':2,'topics':['p.1'],'min_seq':201}");
	servefix_expect(
	    fx, p, "'id':1", "'code':'behind'", "at seq 100, not at 200", NULL);
	took = time_mono_ns() - begin;
	assert_true(took >= 2 * NS_PER_S - NS_PER_S / 10);
	servefix_expect(
	    fx, p, "'id':2", "'code':'ahead'", "seq 201", "head, 200", NULL);
}

static void
a_state_that_is_being_rebuilt_is_not_shown(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	servefix_store("log-1", 50000, 100);
	servefix_say(fx, p, "{'op':'open','id':1,'topics':['p.1']}");
	servefix_expect(fx, p, "'code':'unavailable'", "'retry_ms':1000",
	    "at seq 100 of 50000", NULL);
	servefix_say(fx, p, "{'op':'history','id':2}");
	servefix_expect(fx, p, "'id':2", "'code':'unavailable'", NULL);
	/* Pages are read from the log. */
	servefix_say(
	    fx, p, "{'op':'page','id':3,'topics':['a'],'after':1,'upto':5}");
	servefix_expect(fx, p, "'op':'page'", NULL);
	/* So near to the end it waits. */
	servefix_commit(40000);
	servefix_say(fx, p, "{'op':'open','id':4,'topics':['p.1']}");
	servefix_quiet(fx, p);
	servefix_commit(49999);
	servefix_quiet(fx, p);
	servefix_commit(50000);
	servefix_expect(fx, p, "'op':'opened'", "'id':4", NULL);
	/* Whatever comes later is lag. */
	servefix_store("log-1", 90000, 50001);
	servefix_say(fx, p, "{'op':'open','id':5,'topics':['p.1']}");
	servefix_expect(fx, p, "'op':'opened'", "'seq':50001", NULL);
	/* Another log begins anew. */
	servefix_store("log-2", 90000, 1);
	servefix_say(fx, p, "{'op':'open','id':6,'topics':['p.1']}");
	servefix_expect(
	    fx, p, "'code':'unavailable'", "at seq 1 of 90000", NULL);
	servefix_commit(90000);
	servefix_say(fx, p, "{'op':'open','id':7,'topics':['p.1']}");
	servefix_expect(fx, p, "'op':'opened'", NULL);
	/* And so does the same one, where the state was thrown away. */
	servefix_store("log-2", 90000, 2);
	servefix_say(fx, p, "{'op':'open','id':8,'topics':['p.1']}");
	servefix_expect(
	    fx, p, "'code':'unavailable'", "at seq 2 of 90000", NULL);
}

static void
without_a_log_nothing_is_answered(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	servefix_store("", 0, 0);
	servefix_attached(false);
	servefix_say(fx, p, "{'op':'open','id':1,'topics':['p.1']}");
	servefix_expect(fx, p, "'code':'unavailable'", "'retry_ms':1000", NULL);
	/* An empty log is one. */
	servefix_say(fx, p, "{'op':'open','id':2,'topics':['p.1']}");
	servefix_quiet(fx, p);
	servefix_attached(true);
	servefix_commit(0);
	servefix_expect(fx, p, "'op':'opened'", "'seq':0", NULL);
}

static void
without_a_writer_the_last_state_is_shown(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	servefix_store("log-1", 0, 50);
	servefix_attached(false);
	servefix_say(fx, p, "{'op':'open','id':1,'topics':['p.1']}");
	servefix_expect(fx, p, "'op':'opened'", "'seq':50", NULL);
}

static void
a_state_comes_in_parts(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	servefix_say(fx, p, "{'op':'state','id':1,'topics':['p.2']}");
	servefix_expect(fx, p,
	    "{'op':'snapshot','id':1,'seq':100,'rows':[0,'x'],'full':true,"
	    "'last':false}",
	    NULL);
	servefix_expect(fx, p, "'rows':[1,'x'],'full':true,'last':true", NULL);
	servefix_say(fx, p, "{'op':'state','topics':['none']}");
	servefix_expect(
	    fx, p, "'code':'not_found'", "'oldest':7", "it is not kept", NULL);
	assert_int_equal(servefix_spools(), 0);
}

static void
who_does_not_read_a_state_holds_one_part(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx), other = servefix_peer(fx);
	unsigned packed;

	servefix_part_bytes(250000);
	for (unsigned i = 0; i < 5; i++)
		servefix_say(
		    fx, p, "{'op':'state','id':%u,'topics':['p.40']}", i);
	servefix_say(fx, other, "{'op':'ping','id':1}");
	servefix_expect(fx, other, "'op':'pong'", NULL);
	while (servefix_spools() < 5)
		servefix_turn(fx);
	for (unsigned i = 0; i < 200; i++)
		servefix_turn(fx);
	/* One in the socket, and one that waits for it. */
	packed = servefix_packed();
	assert_in_range(packed, 1, 3);
	for (unsigned i = 0; i < 5 * 40; i++)
		servefix_expect(fx, p, "'op':'snapshot'", NULL);
	assert_int_equal(servefix_packed(), 200);
	servefix_quiet(fx, p);
	assert_int_equal(servefix_spools(), 0);
}

static void
a_state_that_has_to_go_is_told(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	servefix_part_bytes(250000);
	servefix_say(fx, p, "{'op':'state','id':1,'topics':['p.40']}");
	servefix_expect(fx, p, "'op':'snapshot'", NULL);
	servefix_spools_go();
	for (;;) {
		const char *text = servefix_next(fx, p);

		if (!strstr(text, "'op':'error'"))
			continue;
		assert_non_null(strstr(text, "'code':'unavailable'"));
		assert_non_null(strstr(text, "'id':1"));
		break;
	}
	servefix_quiet(fx, p);
}

static void
who_does_not_read_is_not_read(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);
	unsigned long long handle;
	unsigned packed;

	servefix_part_bytes(250000);
	servefix_say(fx, p, "{'op':'open','id':1,'topics':['p.40']}");
	assert_int_equal(sscanf(servefix_next(fx, p),
			     "{'op':'opened','id':1,'snapshot':%llu", &handle),
	    1);
	for (unsigned i = 0; i < 40; i++)
		servefix_say(fx, p,
		    "{'op':'part','id':%u,'snapshot':%llu,'n':%u}", i, handle,
		    i);
	for (unsigned i = 0; i < 200; i++)
		servefix_turn(fx);
	packed = servefix_packed();
	assert_in_range(packed, 1, SERVE_UNSENT_BYTES / 250000 + 3);
	for (unsigned i = 0; i < 40; i++) {
		char id[24];

		snprintf(id, sizeof(id), "'op':'part','id':%u,", i);
		servefix_expect(fx, p, id, NULL);
	}
}

static void
unanswered_requests_are_bounded(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx), other = servefix_peer(fx);
	struct frame_stream *fs = &fx->peers[p];
	unsigned sent = 0;

	servefix_say(fx, p,
	    "{'op':'open','id':1,'topics':['p.1'],"
	    "'min_seq':101}");
	/* Until nothing more goes out. */
	for (unsigned idle = 0; idle < 200 && sent < 1000000; idle++) {
		size_t mark;
		struct mp_buf *b;

		while (frame_unsent(fs) < 4096) {
			b = frame_begin(fs, &mark);
			proto_pack_head(b, "page",
			    (struct proto_uint){ true, ++sent + 1 }, 4);
			mp_pack_cstr(b, "topics");
			mp_pack_array(b, 1);
			mp_pack_cstr(b, "a");
			mp_pair_uint(b, "after", 0);
			mp_pair_uint(b, "upto", 1);
			mp_pair_uint(b, "min_seq", 1);
			assert_int_equal(frame_end(fs, mark), 0);
		}
		if (frame_flush(fs) == FRAME_IO_DONE)
			idle = 0;
		servefix_turn(fx);
	}
	/* Their answers fill the socket, and the rest of them memory. */
	assert_true(sent < 1000000);
	servefix_say(fx, other, "{'op':'ping','id':1}");
	servefix_expect(fx, other, "'op':'pong'", NULL);
}

static void
calls_that_wait_are_bounded(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	for (unsigned i = 0; i < SERVE_CALLS; i++)
		servefix_say(
		    fx, p, "{'op':'history','id':%u,'min_seq':101}", i);
	servefix_say(fx, p, "{'op':'ping','id':5000}");
	servefix_quiet(fx, p);
	servefix_commit(101);
	for (unsigned i = 0, pongs = 0; i < SERVE_CALLS + 1; i++) {
		if (strstr(servefix_next(fx, p), "'op':'pong'"))
			pongs++;
		if (i == SERVE_CALLS)
			assert_int_equal(pongs, 1);
	}
}

static void
connections_take_turns(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx), other = servefix_peer(fx);
	unsigned before = 0;
	const char *at;

	servefix_say(fx, p, "{'op':'open','id':900,'topics':['hold']}");
	servefix_await_held(fx);
	for (unsigned i = 0; i < 50; i++)
		servefix_say(fx, p, "{'op':'history','id':%u}", i);
	for (unsigned i = 50; i < 60; i++)
		servefix_say(
		    fx, p, "{'op':'open','id':%u,'topics':['p.1']}", i);
	servefix_say(fx, other, "{'op':'open','id':700,'topics':['p.1']}");
	servefix_say(fx, other, "{'op':'ping','id':2}");
	servefix_expect(fx, other, "'op':'pong'", NULL);
	(void)servefix_order();
	servefix_release(1);
	servefix_expect(fx, other, "'op':'opened','id':700", NULL);
	for (unsigned i = 0; i < 61; i++)
		(void)servefix_next(fx, p);
	/* One of the ten that were asked before it had its turn before it. */
	for (at = servefix_order(); *at && strncmp(at, "s700 ", 5) != 0; at++)
		before += *at == 's';
	assert_int_equal(before, 1);
	assert_int_equal(*at, 's');
}

static void
what_is_not_understood_is_refused(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	servefix_say(fx, p, "{'op':'conjure','id':1}");
	servefix_expect(
	    fx, p, "'code':'bad_request'", "'id':1", "conjure", NULL);
	servefix_say(fx, p,
	    "{'op':'append','id':2,'events':[{'topic':'a',"
	    "'type':'t','data':1}]}");
	servefix_expect(fx, p, "'code':'bad_request'", "'id':2", NULL);
	servefix_say(fx, p, "{'op':'open','id':3,'topics':['a..b']}");
	servefix_expect(fx, p, "'code':'bad_request'", "topics", NULL);
	servefix_say(fx, p, "{'op':'hello','id':4,'v':2}");
	servefix_expect(fx, p, "'code':'bad_request'", NULL);
	servefix_say(fx, p, "[1]");
	servefix_expect(fx, p, "'code':'bad_request'", NULL);
	servefix_say(fx, p, "{'op':'ping'}");
	servefix_expect(fx, p, "'op':'pong'", NULL);
}

static void
garbage_closes_the_connection(void **state)
{
	struct servefix *fx = *state;
	static const uint8_t no_value[] = { 2, 0, 0, 0, 0x81, 0xc1 };
	static const uint8_t too_long[] = { 1, 0, 0x10, 0 };
	static const uint8_t empty[] = { 0, 0, 0, 0 };
	unsigned a = servefix_peer(fx), b = servefix_peer(fx);
	unsigned c = servefix_peer(fx), d = servefix_peer(fx);

	servefix_bytes(fx, a, no_value, sizeof(no_value));
	servefix_expect(fx, a, "'code':'bad_request'", NULL);
	assert_true(servefix_closed(fx, a));
	servefix_bytes(fx, b, too_long, sizeof(too_long));
	assert_true(servefix_closed(fx, b));
	servefix_bytes(fx, c, empty, sizeof(empty));
	assert_true(servefix_closed(fx, c));
	servefix_say(fx, d, "{'op':'ping'}");
	servefix_expect(fx, d, "'op':'pong'", NULL);
}

static void
a_welcome_says_where_all_stands(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	servefix_say(fx, p, "{'op':'hello','v':1,'id':1}");
	servefix_expect(fx, p, "'op':'welcome','id':1,'v':1", "'log':'log-1'",
	    "'seq':100", "'head':100", "'oldest':0", "'tombstone_floor':0",
	    "'fold':{}",
	    "'projections':{'state':100,'graph':100,'timeline':100,"
	    "'activity':100}",
	    "'snapshots_built':77", "'archive_newest':88", "'connections':1",
	    NULL);
}

static void
positions_are_stored_and_told(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx), other = servefix_peer(fx);
	struct clients_counts n;

	servefix_say(fx, p, "{'op':'cursors','id':1,'user':'u','client':'c'}");
	servefix_expect(
	    fx, p, "{'op':'cursors','id':1,'ack':{},'stale':[]}", NULL);
	servefix_say(fx, p,
	    "{'op':'ack','user':'u','client':'c','log':'log-1','seq':7}");
	servefix_say(fx, p,
	    "{'op':'ack','user':'u','client':'c','log':'log-0','seq':9,"
	    "'name':'old'}");
	servefix_say(fx, p,
	    "{'op':'ack','id':5,'user':'u','client':'c','log':'log-1',"
	    "'seq':6}");
	servefix_say(fx, p, "{'op':'cursors','id':2,'user':'u','client':'c'}");
	servefix_expect(fx, p,
	    "{'op':'cursors','id':2,'ack':{'':7},'stale':['old']}", NULL);
	servefix_say(fx, p, "{'op':'leave','user':'u','client':'c'}");
	do {
		servefix_turn(fx);
		clients_counts(fx->clients, &n);
	} while (n.flushes == 0);
	servefix_say(
	    fx, other, "{'op':'cursors','id':3,'user':'u','client':'c'}");
	servefix_expect(fx, other, "'ack':{'':7}", NULL);
}

static void
a_name_too_many_is_refused_where_it_was_asked(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx);

	for (unsigned i = 0; i <= CLIENTS_NAMES; i++)
		servefix_say(fx, p,
		    "{'op':'ack','user':'u','client':'c','log':'log-1',"
		    "'seq':1,'name':'%u'}",
		    i);
	servefix_quiet(fx, p);
	servefix_say(fx, p,
	    "{'op':'ack','id':8,'user':'u','client':'c','log':'log-1',"
	    "'seq':1,'name':'more'}");
	servefix_expect(fx, p, "'id':8", "'code':'too_large'", NULL);
}

static void
presence_is_within_what_both_may_read(void **state)
{
	struct servefix *fx = *state;
	unsigned p = servefix_peer(fx), q = servefix_peer(fx);

	servefix_say(fx, p,
	    "{'op':'present','member':1,'user':'u','client':'c',"
	    "'topics':['a.>','b.1'],'read':['b.>'],'since':5}");
	servefix_say(fx, q,
	    "{'op':'present','member':1,'user':'v','client':'c',"
	    "'topics':['a.>'],'since':6}");
	servefix_say(fx, q, "{'op':'ping'}");
	servefix_expect(fx, q, "pong", NULL);
	servefix_say(fx, p, "{'op':'presence','id':1,'topics':['>']}");
	servefix_expect(fx, p,
	    "{'op':'presence','id':1,'members':[{'user':'u','client':'c',"
	    "'topic':'b.1','since':5},{'user':'v','client':'c',"
	    "'topic':'a.>','since':6}]}",
	    NULL);
	servefix_say(
	    fx, p, "{'op':'presence','id':2,'topics':['>'],'read':['a.1']}");
	servefix_expect(fx, p, "'members':[{'user':'v'", NULL);
	servefix_say(fx, p, "{'op':'absent','member':1}");
	servefix_say(
	    fx, p, "{'op':'presence','id':3,'topics':['b.*'],'read':[]}");
	servefix_expect(fx, p, "'members':[]", NULL);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, servefix_setup, servefix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_are_pipelined_and_answered_by_id),
		TEST(a_snapshot_is_read_in_parts_until_it_is_closed),
		TEST(a_lost_connection_ends_what_it_had_begun),
		TEST(a_query_waits_for_its_seq),
		TEST(a_wait_ends_after_two_seconds),
		TEST(a_state_that_is_being_rebuilt_is_not_shown),
		TEST(without_a_log_nothing_is_answered),
		TEST(without_a_writer_the_last_state_is_shown),
		TEST(a_state_comes_in_parts),
		TEST(who_does_not_read_a_state_holds_one_part),
		TEST(a_state_that_has_to_go_is_told),
		TEST(who_does_not_read_is_not_read),
		TEST(unanswered_requests_are_bounded),
		TEST(calls_that_wait_are_bounded),
		TEST(connections_take_turns),
		TEST(what_is_not_understood_is_refused),
		TEST(garbage_closes_the_connection),
		TEST(a_welcome_says_where_all_stands),
		TEST(positions_are_stored_and_told),
		TEST(a_name_too_many_is_refused_where_it_was_asked),
		TEST(presence_is_within_what_both_may_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
