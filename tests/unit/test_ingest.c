/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Producers are answered once what an answer rests on is durable, and each
 * gets what is his.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/proto.h"
#include "log/format.h"
#include "tests/lib/ingestfix.h"
#include "writer/ingest_priv.h"

static void
an_answer_waits_until_its_frame_is_flushed(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_append(&p, 2, "a", 7, NULL);
	ingestfix_send(fx, &p);
	ingestfix_hear_nothing(&p);
	/* To be woken is not to be done. */
	ingest_wake(fx->in);
	ingestfix_turn(fx);
	ingestfix_hear_nothing(&p);
	ingestfix_done(fx);
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 1, "appended"), "seq"), 1);
	ingestfix_hear_error(&p, 2, "conflict");
	ingestfix_hear_nothing(&p);
	frame_stream_deinit(&p);
}

static void
welcome_and_pong_name_what_is_durable(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_ask(&p, 2, "hello", "v", 1);
	ingestfix_ask(&p, 3, "ping", NULL, 0);
	ingestfix_send(fx, &p);
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 2, "welcome"), "head"), 0);
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 3, "pong"), "head"), 0);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "appended");
	ingestfix_ask(&p, 4, "hello", "v", 1);
	ingestfix_ask(&p, 5, "ping", NULL, 0);
	ingestfix_send(fx, &p);
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 4, "welcome"), "head"), 1);
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 5, "pong"), "head"), 1);
	frame_stream_deinit(&p);
}

static void
welcome_says_where_flushes_may_be_lost(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	fx->parts.unsafe = true;
	ingestfix_again(fx);
	ingestfix_dial(fx, &p, geteuid());
	ingestfix_ask(&p, 1, "hello", "v", 1);
	ingestfix_send(fx, &p);
	assert_true(ingestfix_bool(
	    ingestfix_hear(&p, 1, "welcome"), "unsafe_filesystem"));
	frame_stream_deinit(&p);
}

static void
welcome_says_how_far_back_keys_are_known(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;
	char key[16];

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_ask(&p, 1, "hello", "v", 1);
	ingestfix_send(fx, &p);
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 1, "welcome"), "keys_seconds"),
	    315360000);
	/* More than are remembered: the oldest goes. */
	for (uint64_t i = 0; i <= 1000; i++) {
		snprintf(key, sizeof(key), "%llu", (unsigned long long)i);
		ingestfix_append(&p, 2, "a", INGESTFIX_ANY, key);
		ingestfix_send(fx, &p);
		ingestfix_done(fx);
		(void)ingestfix_hear(&p, 2, "appended");
	}
	ingestfix_ask(&p, 3, "hello", "v", 1);
	ingestfix_send(fx, &p);
	assert_true(ingestfix_uint(ingestfix_hear(&p, 3, "welcome"),
			"keys_seconds") < 10000);
	frame_stream_deinit(&p);
}

static void
what_was_asked_before_the_end_is_answered(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_append(&p, 2, "a", INGESTFIX_ANY, NULL);
	assert_int_equal(frame_flush(&p), FRAME_IO_DONE);
	assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
	ingestfix_turn(fx);
	assert_int_equal(ingestfix_counts(fx).producers, 1);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "appended");
	(void)ingestfix_hear(&p, 2, "appended");
	ingestfix_hear_end(&p);
	assert_int_equal(ingestfix_counts(fx).producers, 0);
	frame_stream_deinit(&p);
}

static void
who_sends_no_value_is_told_and_ended(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;
	size_t mark;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	mp_buf_bytes(frame_begin(&p, &mark), "\xc1", 1);
	assert_int_equal(frame_end(&p, mark), 0);
	ingestfix_append(&p, 3, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	ingestfix_hear_error(&p, 0, "bad_request");
	/* What is held still comes; what stands behind is not looked at. */
	assert_int_equal(ingestfix_counts(fx).producers, 1);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "appended");
	ingestfix_hear_end(&p);
	assert_int_equal(ingestfix_counts(fx).producers, 0);
	assert_int_equal(ingestfix_counts(fx).appends, 1);
	frame_stream_deinit(&p);
}

/* Not in the shortest form: the id is a uint 16. */
static void
append_loosely(struct frame_stream *p, char id, char topic)
{
	char bytes[] = "\x83\xa2op\xa6"
		       "append\xa2id\xcd\x00?\xa6"
		       "events\x91\x83\xa5topic\xa1?\xa4type\xa3set\xa4"
		       "data\x01";
	const size_t len = sizeof(bytes) - 1;
	char *mark_of_id = memchr(bytes, '?', len);
	size_t mark;

	*mark_of_id = id;
	*(char *)memchr(mark_of_id, '?', (size_t)(bytes + len - mark_of_id)) =
	    topic;
	mp_buf_bytes(frame_begin(p, &mark), bytes, len);
	assert_int_equal(frame_end(p, mark), 0);
}

static void
each_request_in_loose_form_is_its_own(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, geteuid());
	append_loosely(&p, 1, 'a');
	append_loosely(&p, 2, 'b');
	append_loosely(&p, 3, 'c');
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	for (uint64_t id = 1; id <= 3; id++)
		(void)ingestfix_hear(&p, id, "appended");
	assert_int_equal(versions_count(fx->st.versions), 3);
	frame_stream_deinit(&p);
}

static void
refusals_say_what_they_rest_on_and_are_counted(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;
	struct ingest_counts counts;
	struct slice answer;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_append(&p, 1, "a", 0, "k");
	ingestfix_append(&p, 2, "a", 0, "k");
	ingestfix_append(&p, 3, "b", 0, "k");
	ingestfix_append(&p, 4, "a", 9, NULL);
	ingestfix_append(&p, 5, "a", 1, NULL);
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	answer = ingestfix_hear(&p, 1, "appended");
	assert_false(ingestfix_bool(answer, "duplicate"));
	answer = ingestfix_hear(&p, 2, "appended");
	assert_true(ingestfix_bool(answer, "duplicate"));
	assert_int_equal(ingestfix_uint(answer, "seq"), 1);
	answer = ingestfix_hear_error(&p, 3, "key_reused");
	assert_true(slice_is(proto_get_str(answer, "key"), "k"));
	answer = ingestfix_hear_error(&p, 4, "conflict");
	assert_true(slice_is(proto_get_str(answer, "topic"), "a"));
	assert_int_equal(ingestfix_uint(answer, "expected"), 9);
	assert_int_equal(ingestfix_uint(answer, "actual"), 1);
	answer = ingestfix_hear(&p, 5, "appended");
	assert_int_equal(ingestfix_uint(answer, "seq"), 2);
	counts = ingestfix_counts(fx);
	assert_int_equal(counts.appends, 2);
	assert_int_equal(counts.events, 2);
	assert_int_equal(counts.duplicates, 1);
	assert_int_equal(counts.key_reused, 1);
	assert_int_equal(counts.conflicts, 1);
	assert_int_equal(counts.storage_full, 0);
	frame_stream_deinit(&p);
}

/* Of two events of a new topic, and of a check of another one. */
static void
append_two(struct frame_stream *p, uint64_t id, uint64_t version)
{
	size_t mark;
	struct mp_buf *b = frame_begin(p, &mark);

	proto_pack_head(b, "append", (struct proto_uint){ true, id }, 2);
	mp_pack_cstr(b, "events");
	mp_pack_array(b, 2);
	for (unsigned i = 0; i < 2; i++) {
		mp_pack_map(b, 3);
		mp_pair_cstr(b, "topic", "two");
		mp_pair_cstr(b, "type", "set");
		mp_pair_uint(b, "data", i);
	}
	mp_pack_cstr(b, "checks");
	mp_pack_array(b, 1);
	mp_pack_map(b, 2);
	mp_pair_cstr(b, "topic", "checked");
	mp_pair_uint(b, "version", version);
	assert_int_equal(frame_end(p, mark), 0);
}

static void
a_conflict_says_what_was_expected(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;
	struct mp_buf *b;
	size_t mark;

	ingestfix_dial(fx, &p, geteuid());
	b = frame_begin(&p, &mark);
	proto_pack_head(b, "append", (struct proto_uint){ true, 1 }, 1);
	mp_pack_cstr(b, "events");
	mp_pack_array(b, 1);
	mp_pack_map(b, 4);
	mp_pair_cstr(b, "topic", "a");
	mp_pair_cstr(b, "type", "set");
	mp_pair_uint(b, "data", 1);
	mp_pair_cstr(b, "expect", "exists");
	assert_int_equal(frame_end(&p, mark), 0);
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	assert_true(slice_is(
	    proto_get_str(ingestfix_hear_error(&p, 1, "conflict"), "expected"),
	    "exists"));
	frame_stream_deinit(&p);
}

static void
checks_are_of_their_own_request(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, geteuid());
	append_two(&p, 1, 5);
	ingestfix_append(&p, 2, "a", INGESTFIX_ANY, NULL);
	append_two(&p, 3, 0);
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	ingestfix_hear_error(&p, 1, "conflict");
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 2, "appended"), "seq"), 1);
	assert_int_equal(
	    ingestfix_uint(ingestfix_hear(&p, 3, "appended"), "seq"), 2);
	assert_int_equal(ingestfix_counts(fx).appends, 2);
	assert_int_equal(ingestfix_counts(fx).events, 3);
	frame_stream_deinit(&p);
}

/* The event that is the next to be flushed. */
static struct event
gathered(const struct ingestfix *fx)
{
	struct gather_item item;
	struct event ev;
	const uint8_t *at;

	assert_int_equal(gather_peek(fx->f->g, &item), GATHER_FRAME);
	at = item.frame + LOG_FRAME_HEADER;
	assert_int_equal(
	    event_decode(
		slice_of(at + LOG_EVENT_HEADER, get_le32(at)), &ev, NULL),
	    0);
	return ev;
}

static void
an_emit_is_its_account_s_unless_it_says_otherwise(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_emit(&p, 1, "a");
	ingestfix_send(fx, &p);
	assert_true(
	    slice_is(gathered(fx).actor, TAILQ_FIRST(&fx->in->all)->account));
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "ok");
	frame_stream_deinit(&p);
}

static void
emits_have_a_quota(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;
	struct slice answer;

	/* A quarter of this is less than any event, however long one waits. */
	fx->parts.ring_bytes = 4;
	ingestfix_again(fx);
	ingestfix_dial(fx, &p, geteuid());
	ingestfix_emit(&p, 1, "a");
	ingestfix_send(fx, &p);
	answer = ingestfix_hear_error(&p, 1, "rate_limited");
	assert_true(ingestfix_uint(answer, "retry_ms") > 0);
	assert_int_equal(ingestfix_counts(fx).emits, 0);
	frame_stream_deinit(&p);
}

static struct ingestfix *flushing;

/* What comes while a flush is under way is looked at before it ends. */
static int
turn_and_fdatasync(void *ctx, int fd)
{
	ingestfix_turn(flushing);
	return sysio_posix.fdatasync(NULL, fd);
}

static void
while_a_flush_takes_too_long_appends_are_unavailable(void **state)
{
	struct ingestfix *fx = flushing = *state;
	struct frame_stream p;

	ingest_set_stall(fx->in, 0);
	ingestfix_dial(fx, &p, geteuid());
	/* A segment is begun, which is no flush. */
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "appended");
	ingestfix_append(&p, 1, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	ingestfix_append(&p, 2, "a", INGESTFIX_ANY, NULL);
	ingestfix_ask(&p, 3, "ping", NULL, 0);
	assert_int_equal(frame_flush(&p), FRAME_IO_DONE);
	syncfix_spare(fx->f);
	fx->f->io.fdatasync = turn_and_fdatasync;
	ingestfix_flush(fx);
	ingestfix_hear_error(&p, 2, "unavailable");
	(void)ingestfix_hear(&p, 3, "pong");
	assert_int_equal(ingestfix_counts(fx).stalled, 1);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 1, "appended");
	ingestfix_append(&p, 4, "a", INGESTFIX_ANY, NULL);
	ingestfix_send(fx, &p);
	ingestfix_done(fx);
	(void)ingestfix_hear(&p, 4, "appended");
	frame_stream_deinit(&p);
}

static void
operations_of_others_are_refused(void **state)
{
	struct ingestfix *fx = *state;
	struct frame_stream p;

	ingestfix_dial(fx, &p, geteuid());
	ingestfix_ask(&p, 1, "unsubscribe", NULL, 0);
	ingestfix_ask(&p, 2, "ping", NULL, 0);
	ingestfix_send(fx, &p);
	ingestfix_hear_error(&p, 1, "bad_request");
	(void)ingestfix_hear(&p, 2, "pong");
	frame_stream_deinit(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		INGESTFIX_TEST(an_answer_waits_until_its_frame_is_flushed),
		INGESTFIX_TEST(welcome_and_pong_name_what_is_durable),
		INGESTFIX_TEST(welcome_says_where_flushes_may_be_lost),
		INGESTFIX_TEST(welcome_says_how_far_back_keys_are_known),
		INGESTFIX_TEST(what_was_asked_before_the_end_is_answered),
		INGESTFIX_TEST(who_sends_no_value_is_told_and_ended),
		INGESTFIX_TEST(each_request_in_loose_form_is_its_own),
		INGESTFIX_TEST(refusals_say_what_they_rest_on_and_are_counted),
		INGESTFIX_TEST(operations_of_others_are_refused),
		INGESTFIX_TEST(a_conflict_says_what_was_expected),
		INGESTFIX_TEST(checks_are_of_their_own_request),
		INGESTFIX_TEST(
		    an_emit_is_its_account_s_unless_it_says_otherwise),
		INGESTFIX_TEST(emits_have_a_quota),
		INGESTFIX_TEST(
		    while_a_flush_takes_too_long_appends_are_unavailable),
	};

	return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
