/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The broker's socket, asked what no honest gateway or tool asks, or far more
 * than is read: it answers with an error, and serves on.
 */

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/json.h"
#include "core/proto.h"
#include "core/reason.h"
#include "tests/lib/wire.h"

enum {
	FRAME_LONGEST = 4 << 20,
	UNREAD = 100,
#ifdef __SANITIZE_ADDRESS__
	TIMES = 6, /* what a sanitizer keeps beside the memory asked for */
#else
	TIMES = 1,
#endif
};

static const char *socket_path;

static void
dial(struct frame_stream *fs)
{
	struct reason why;
	int fd;

	if (frame_connect(socket_path, SOCK_STREAM, &fd, &why) < 0)
		fail_msg("%s", why.text);
	frame_stream_init(fs, fd, FRAME_LONGEST);
}

static void
say(struct frame_stream *fs, const char *json)
{
	struct reason why;
	size_t mark;
	struct mp_buf *b = frame_begin(fs, &mark);

	if (json_to_mp(slice_cstr(json), b, &why) < 0)
		fail_msg("%s: %s", json, why.text);
	assert_int_equal(frame_end(fs, mark), 0);
	assert_int_equal(frame_flush(fs), FRAME_IO_DONE);
}

/* The next answer; len 0: it has ended. */
static struct slice
hear(struct frame_stream *fs)
{
	int64_t until = wire_now_ms() + WIRE_DEADLINE_MS;
	struct slice value;

	for (;;) {
		struct pollfd pfd = { .fd = fs->fd, .events = POLLIN };
		int r = frame_next(fs, &value);

		if (r == FRAME_ONE)
			return value;
		assert_int_equal(r, FRAME_NONE);
		if (poll(&pfd, 1, (int)(until - wire_now_ms())) != 1)
			fail_msg("no answer in time");
		r = frame_fill(fs);
		if (r == FRAME_IO_CLOSED)
			return (struct slice){ 0 };
		assert_true(r == FRAME_IO_DONE || r == FRAME_IO_AGAIN);
	}
}

/* Its answer is this op, or an error of this code; returns the answer. */
static struct slice
answered(struct frame_stream *fs, const char *json, const char *want)
{
	struct slice answer, op, text;

	say(fs, json);
	answer = hear(fs);
	op = proto_get_str(answer, "op");
	text = proto_get_str(answer, "message");
	if (slice_is(op, "error"))
		op = proto_get_str(answer, "code");
	if (!slice_is(op, want))
		fail_msg("'%.*s' (%.*s) came after %s, not '%s'", (int)op.len,
		    (const char *)op.p, (int)text.len, (const char *)text.p,
		    json, want);
	return answer;
}

static int
still_serves(void **state)
{
	struct frame_stream fs;

	dial(&fs);
	(void)answered(&fs, "{\"op\":\"ping\",\"id\":1}", "pong");
	(void)answered(&fs, "{\"op\":\"hello\",\"v\":1,\"id\":2}", "welcome");
	frame_stream_deinit(&fs);
	return 0;
}

static void
wrong_requests_are_answered_and_the_connection_stays(void **state)
{
	static const char *const texts[] = {
		"{\"op\":\"conjure\",\"id\":1}",
		"{\"op\":\"open\",\"id\":1}",
		"{\"op\":\"open\",\"id\":1,\"topics\":[]}",
		"{\"op\":\"open\",\"id\":1,\"topics\":[\"a..b\"]}",
		"{\"op\":\"open\",\"id\":1,\"topics\":[\"a\"],\"read\":[1]}",
		"{\"op\":\"open\",\"id\":1,\"topics\":[\"a\"],\"read\":\"a\"}",
		"{\"op\":\"open\",\"id\":1,\"topics\":[\"a\"],\"admin\":1}",
		"{\"op\":\"open\",\"id\":1,\"topics\":[\"a\"],\"since\":-1}",
		"{\"op\":\"part\",\"id\":1}",
		"{\"op\":\"part\",\"id\":1,\"snapshot\":1}",
		"{\"op\":\"part\",\"id\":1,\"snapshot\":-1,\"n\":0}",
		"{\"op\":\"part\",\"id\":1,\"snapshot\":\"1\",\"n\":0}",
		"{\"op\":\"page\",\"id\":1,\"topics\":[\"a\"]}",
		"{\"op\":\"page\",\"id\":1,\"topics\":[\"a\"],\"after\":0}",
		"{\"op\":\"page\",\"id\":1,\"after\":0,\"upto\":1}",
		"{\"op\":\"page\",\"id\":1,\"topics\":[\"a\"],\"after\":-1,"
		"\"upto\":1}",
		"{\"op\":\"page\",\"id\":1,\"topics\":[\"a\"],\"types\":[],"
		"\"after\":0,\"upto\":1}",
		"{\"op\":\"cursors\",\"id\":1}",
		"{\"op\":\"cursors\",\"id\":1,\"user\":\"u\"}",
		"{\"op\":\"ack\",\"id\":1,\"user\":\"u\",\"client\":\"c\"}",
		"{\"op\":\"leave\",\"id\":1}",
		"{\"op\":\"present\",\"id\":1,\"member\":1}",
		"{\"op\":\"absent\",\"id\":1}",
		"{\"op\":\"state\",\"id\":1}",
		"{\"op\":\"history\",\"id\":1,\"limit\":10001}",
		"{\"op\":\"presence\",\"id\":1}",
	};
	struct frame_stream fs;

	dial(&fs);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		(void)answered(&fs, texts[i], "bad_request");
	frame_stream_deinit(&fs);
}

static void
snapshots_that_are_none_are_not_found(void **state)
{
	struct frame_stream fs, other;
	struct slice answer;
	char json[100];
	uint64_t handle;

	dial(&fs);
	dial(&other);
	(void)answered(&fs, "{\"op\":\"part\",\"id\":1,\"snapshot\":7,\"n\":0}",
	    "not_found");
	say(&fs, "{\"op\":\"close\",\"snapshot\":9007199254740991}");
	answer = answered(&fs,
	    "{\"op\":\"open\",\"id\":2,\"topics\":[\"open.>\"]}", "opened");
	handle = proto_get_uint(answer, "snapshot").v;
	snprintf(json, sizeof(json),
	    "{\"op\":\"part\",\"id\":3,\"snapshot\":%llu,\"n\":0}",
	    (unsigned long long)handle);
	(void)answered(&fs, json, "part");
	/* A handle is its connection's, unless the other has one of its own. */
	(void)answered(&other, json, "not_found");
	snprintf(json, sizeof(json),
	    "{\"op\":\"part\",\"id\":3,\"snapshot\":%llu,"
	    "\"n\":9007199254740991}",
	    (unsigned long long)handle);
	say(&fs, json);
	assert_false(slice_is(proto_get_str(hear(&fs), "op"), "part"));
	snprintf(json, sizeof(json), "{\"op\":\"close\",\"snapshot\":%llu}",
	    (unsigned long long)handle);
	say(&fs, json);
	snprintf(json, sizeof(json),
	    "{\"op\":\"part\",\"id\":3,\"snapshot\":%llu,\"n\":0}",
	    (unsigned long long)handle);
	(void)answered(&fs, json, "not_found");
	frame_stream_deinit(&fs);
	frame_stream_deinit(&other);
}

static void
pages_of_nothing_are_answered(void **state)
{
	struct frame_stream fs;
	struct slice answer;

	dial(&fs);
	answer = answered(&fs,
	    "{\"op\":\"page\",\"id\":1,\"topics\":[\"nothing.>\"],"
	    "\"after\":0,\"upto\":100}",
	    "page");
	assert_int_equal(proto_get_uint(answer, "after").v, 0);
	assert_true(proto_get_uint(answer, "upto").v > 0);
	/* Whatever it says to these, it answers. */
	say(&fs, "{\"op\":\"page\",\"id\":1,\"topics\":[\"open.>\"],"
		 "\"after\":5,\"upto\":5}");
	(void)hear(&fs);
	say(&fs, "{\"op\":\"page\",\"id\":1,\"topics\":[\"open.>\"],"
		 "\"after\":9,\"upto\":5}");
	(void)hear(&fs);
	say(&fs, "{\"op\":\"page\",\"id\":1,\"topics\":[\"open.>\"],"
		 "\"after\":9007199254740990,\"upto\":9007199254740991}");
	answer = hear(&fs);
	assert_true(answer.len != 0);
	assert_false(slice_is(proto_get_str(answer, "op"), "page"));
	(void)answered(&fs, "{\"op\":\"ping\",\"id\":1}", "pong");
	frame_stream_deinit(&fs);
}

/* Kilobytes of memory of its own that the broker has. */
static long
memory(void)
{
	char path[64], line[200];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/status", getenv("PEAL_BROKER"));
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "RssAnon: %ld", &kb);
	fclose(f);
	assert_true(kb > 0);
	return kb;
}

static void
states_that_nobody_reads_cost_little(void **state)
{
	struct frame_stream fs[UNREAD];
	long before = memory(), after;

	for (unsigned i = 0; i < UNREAD; i++) {
		dial(&fs[i]);
		for (unsigned k = 0; k < 20; k++)
			say(&fs[i],
			    "{\"op\":\"state\",\"id\":1,\"topics\":[\">\"]}");
	}
	assert_int_equal(still_serves(NULL), 0);
	after = memory();
	printf("# %ld to %ld kB\n", before, after);
	/* A part each, and what a connection takes. */
	assert_true(after - before < TIMES * (UNREAD * (256 + 64) + 65536));
	for (unsigned i = 0; i < UNREAD; i++)
		frame_stream_deinit(&fs[i]);
}

static void
snapshots_left_open_end_with_their_connection(void **state)
{
	struct frame_stream fs;

	for (unsigned i = 0; i < 50; i++) {
		dial(&fs);
		for (unsigned k = 0; k < 40; k++)
			say(&fs, "{\"op\":\"open\",\"id\":1,"
				 "\"topics\":[\"open.>\"]}");
		(void)hear(&fs);
		frame_stream_deinit(&fs);
	}
}

static void
members_end_with_their_connection(void **state)
{
	static const char present[] =
	    "{\"op\":\"present\",\"member\":%u,\"user\":\"u%u\","
	    "\"client\":\"c\",\"topics\":[\"open.>\"],\"since\":1}";
	static const char asked[] =
	    "{\"op\":\"presence\",\"id\":1,\"topics\":[\"open.>\"]}";
	int64_t until = wire_now_ms() + WIRE_DEADLINE_MS;
	struct frame_stream fs, other;
	struct slice answer;
	char json[200];

	dial(&fs);
	dial(&other);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(json, sizeof(json), present, i, i);
		say(&fs, json);
	}
	(void)answered(&fs, "{\"op\":\"ping\",\"id\":1}", "pong");
	answer = answered(&other, asked, "presence");
	assert_non_null(memmem(answer.p, answer.len, "u99", 3));
	say(&fs, "{\"op\":\"absent\",\"member\":99}");
	say(&fs, "{\"op\":\"absent\",\"member\":12345}");
	(void)answered(&fs, "{\"op\":\"ping\",\"id\":1}", "pong");
	answer = answered(&other, asked, "presence");
	assert_null(memmem(answer.p, answer.len, "u99", 3));
	assert_non_null(memmem(answer.p, answer.len, "u98", 3));
	frame_stream_deinit(&fs);
	do {
		assert_true(wire_now_ms() < until);
		answer = answered(&other, asked, "presence");
	} while (memmem(answer.p, answer.len, "u98", 3) != NULL);
	frame_stream_deinit(&other);
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, still_serves)
	const struct CMUnitTest tests[] = {
		HOSTILE(wrong_requests_are_answered_and_the_connection_stays),
		HOSTILE(snapshots_that_are_none_are_not_found),
		HOSTILE(pages_of_nothing_are_answered),
		HOSTILE(states_that_nobody_reads_cost_little),
		HOSTILE(snapshots_left_open_end_with_their_connection),
		HOSTILE(members_end_with_their_connection),
	};

	signal(SIGPIPE, SIG_IGN);
	socket_path = getenv("PEAL_SOCKET");
	if (socket_path == NULL || getenv("PEAL_BROKER") == NULL)
		return 2;
	return cmocka_run_group_tests_name(
	    "hostile questions on the socket", tests, NULL, NULL);
}
