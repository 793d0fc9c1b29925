/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The broker stands still, dies, or is asked for far more than anybody reads:
 * what needs it waits or is unavailable, everything else goes on.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <poll.h>

#include "tests/lib/query.h"

enum {
	UNREAD = 200,
	USERS = 10,
	NOTICEABLE_MS = 8000, /* less than a broker has to answer */
	ATTEMPTS = 20,
#ifdef __SANITIZE_ADDRESS__
	TIMES = 6, /* what a sanitizer keeps beside the memory asked for */
#else
	TIMES = 1,
#endif
};

#define ALL "{\"op\":\"state\",\"id\":1,\"topics\":[\"open.>\"]}"
#define SNAPSHOT                                                  \
	"{\"op\":\"subscribe\",\"id\":1,\"topics\":[\"open.>\"]," \
	"\"from\":\"snapshot\"}"

/* The child of peal up that has this name; 0: there is none. */
static pid_t
child(const char *name)
{
	long up = strtol(getenv("PEAL_UP"), NULL, 10), ppid;
	char path[300], text[300], *end;
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	pid_t found = 0;
	FILE *f;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (strtol(entry->d_name, NULL, 10) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fgets(text, sizeof(text), f) != NULL &&
		    (end = strstr(text, ") ")) != NULL && end[2] != 'Z' &&
		    sscanf(end + 4, "%ld", &ppid) == 1 && ppid == up) {
			*end = '\0';
			if (!strcmp(strchr(text, '(') + 1, name))
				found = (pid_t)strtol(entry->d_name, NULL, 10);
		}
		fclose(f);
	}
	closedir(dir);
	return found;
}

static pid_t
broker(void)
{
	pid_t pid = child("peal-broker");

	assert_true(pid > 0);
	return pid;
}

/* Kilobytes of memory of its own that a process has. */
static long
memory(pid_t pid)
{
	char path[64], line[200];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "RssAnon: %ld", &kb);
	fclose(f);
	assert_true(kb > 0);
	return kb;
}

static void
live_from_now(struct client *c, const char *topic)
{
	char json[200];

	live_open(c, live_token());
	snprintf(json, sizeof(json),
	    "{\"op\":\"subscribe\",\"id\":9,\"topics\":[\"%s\"],"
	    "\"from\":\"now\"}",
	    topic);
	live_answered(c, json, "subscribed");
}

/* What is appended comes. */
static void
goes_on(struct client *c, const char *topic)
{
	uint64_t seq = query_append(c, topic, "thing_set");

	while (c->span.upto < seq)
		assert_int_equal(
		    client_next(c, WIRE_DEADLINE_MS), CLIENT_BATCH);
}

/*
 * One that waits for the broker takes long each time; on a busy machine another
 * one does now and then.
 */
static void
welcomed_soon(void)
{
	int64_t took = INT64_MAX;

	for (unsigned i = 0; i < ATTEMPTS && took > NOTICEABLE_MS; i++) {
		int64_t begun = wire_now_ms();
		struct client c;

		if (!client_open_as(&c, live_to(), live_token(), "soon"))
			fail_msg("no welcome: %s", c.wrong);
		took = wire_now_ms() - begun;
		client_close(&c);
	}
	if (took > NOTICEABLE_MS)
		fail_msg("welcome took %lld ms", (long long)took);
}

/* An answer, or unavailable; true when it was an answer. */
static bool
answered(struct client *c, const char *json)
{
	struct query q;

	live_say(c->wire, json);
	query_answer(c, 1, &q);
	if (q.code[0] != '\0') {
		assert_string_equal(q.code, "unavailable");
		if (client_uint(c, "retry_ms", 0) == 0)
			fail_msg("unavailable without retry_ms");
		return false;
	}
	return true;
}

static void
answered_at_last(const char *json)
{
	int64_t until = wire_now_ms() + 2 * WIRE_DEADLINE_MS;
	struct client c;

	live_open(&c, live_token());
	while (!answered(&c, json)) {
		assert_true(wire_now_ms() < until);
		(void)poll(NULL, 0, 20);
	}
	client_close(&c);
}

static void
what_does_not_need_a_broker_that_stands_still_goes_on(void **state)
{
	static const char *const texts[] = { ALL,
		"{\"op\":\"history\",\"id\":1}",
		"{\"op\":\"presence\",\"id\":1,\"topics\":[\"open.>\"]}",
		SNAPSHOT };
	pid_t pid = broker();
	struct client c, asks;

	live_from_now(&c, "open.go");
	live_open(&asks, live_token());
	assert_int_equal(kill(pid, SIGSTOP), 0);
	welcomed_soon();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		live_say(asks.wire, texts[i]);
	goes_on(&c, "open.go");
	welcomed_soon();
	live_serves();
	assert_int_equal(kill(pid, SIGCONT), 0);
	client_close(&asks);
	answered_at_last(ALL);
	goes_on(&c, "open.go");
	client_close(&c);
}

static void
questions_to_a_broker_that_stands_still_are_unavailable_in_the_end(void **state)
{
	pid_t pid = broker();
	struct client c;
	struct query q;

	live_open(&c, live_token());
	assert_int_equal(kill(pid, SIGSTOP), 0);
	live_say(c.wire, ALL);
	query_answer(&c, 1, &q);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_string_equal(q.code, "unavailable");
	printf("# unavailable after %lld ms\n", (long long)q.ms);
	client_close(&c);
	answered_at_last(ALL);
}

static void
the_death_of_the_broker_is_survived(void **state)
{
	struct client c, unread;
	struct query q;

	live_from_now(&c, "open.go");
	live_open(&unread, live_token());
	live_say(unread.wire, SNAPSHOT);
	assert_int_equal(kill(broker(), SIGKILL), 0);
	welcomed_soon();
	goes_on(&c, "open.go");
	answered_at_last(ALL);
	answered_at_last("{\"op\":\"history\",\"id\":1}");
	answered_at_last(SNAPSHOT);
	/* Whatever became of its snapshot, it is told, and stays. */
	query_answer(&unread, 1, &q);
	assert_true(q.code[0] == '\0' || !strcmp(q.code, "unavailable"));
	live_answered(&unread, "{\"op\":\"ping\",\"id\":2}", "pong");
	client_close(&unread);
	client_close(&c);
}

/* Ask for everything, and read nothing. */
static void
unread_begins(struct client *c, const char *token)
{
	wire_narrow(4096);
	live_open(c, token);
	wire_narrow(0);
	live_say(c->wire, SNAPSHOT);
}

static void
snapshots_that_nobody_reads_cost_little_and_delay_nobody(void **state)
{
	pid_t gateway = child("peal-gateway"), who = broker();
	long before[2], after[2];
	struct client *c = calloc(UNREAD, sizeof(*c)), reads;
	char *tokens[USERS], user[20];
	struct query q;
	unsigned rows;

	assert_non_null(c);
	for (unsigned i = 0; i < USERS; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		tokens[i] =
		    query_token(user, "{\"read\":[\">\"],\"write\":[\">\"]}");
	}
	live_open(&reads, live_token());
	query_ask(&reads, 1, &q, ALL);
	rows = q.rows;
	assert_true(rows > 1000);
	before[0] = memory(gateway);
	before[1] = memory(who);
	for (unsigned i = 0; i < UNREAD; i++)
		unread_begins(&c[i], tokens[i % USERS]);
	/* Others are served, also with the same. */
	query_ask(&reads, 1, &q, ALL);
	assert_string_equal(q.code, "");
	assert_true(q.rows >= rows);
	query_ask(&reads, 1, &q, SNAPSHOT);
	assert_string_equal(q.code, "");
	assert_true(q.rows >= rows);
	goes_on(&reads, "open.go");
	after[0] = memory(gateway);
	after[1] = memory(who);
	printf("# gateway %ld to %ld kB, broker %ld to %ld kB, %u rows\n",
	    before[0], after[0], before[1], after[1], rows);
	/* A part each, and what a connection takes. */
	assert_true(after[0] - before[0] < TIMES * UNREAD * (256 + 64));
	assert_true(after[1] - before[1] < TIMES * 64 * 1024);
	/* Those that read at last get all of it. */
	for (unsigned i = 0; i < UNREAD; i += 20) {
		query_answer(&c[i], 1, &q);
		assert_string_equal(q.code, "");
		assert_true(q.rows >= rows);
	}
	for (unsigned i = 0; i < UNREAD; i++)
		client_close(&c[i]);
	client_close(&reads);
	for (unsigned i = 0; i < USERS; i++)
		free(tokens[i]);
	free(c);
}

static void
more_questions_than_allowed_are_all_answered(void **state)
{
	unsigned open = 300, refused = 0, parts = 0;
	struct client c;
	char json[100];

	live_open(&c, live_token());
	for (unsigned i = 1; i <= open; i++) {
		snprintf(json, sizeof(json),
		    "{\"op\":\"state\",\"id\":%u,\"topics\":[\"open.1.>\"]}",
		    i);
		live_say(c.wire, json);
	}
	while (open > 0) {
		const msgpack_object *last;

		assert_int_equal(
		    client_next(&c, WIRE_DEADLINE_MS), CLIENT_CONTROL);
		last = client_get(&c, "last");
		if (!strcmp(c.op, "error")) {
			assert_true(client_is(&c, "code", "rate_limited") ||
				    client_is(&c, "code", "unavailable"));
			refused++;
			open--;
			continue;
		}
		assert_string_equal(c.op, "snapshot");
		parts++;
		if (last->via.boolean)
			open--;
	}
	printf("# %u parts, %u refused\n", parts, refused);
	live_answered(&c, "{\"op\":\"ping\",\"id\":1}", "pong");
	client_close(&c);
}

int
main(void)
{
#define HOSTILE(fn) cmocka_unit_test_teardown(fn, live_teardown)
	const struct CMUnitTest tests[] = {
		HOSTILE(more_questions_than_allowed_are_all_answered),
		HOSTILE(
		    snapshots_that_nobody_reads_cost_little_and_delay_nobody),
		HOSTILE(what_does_not_need_a_broker_that_stands_still_goes_on),
		HOSTILE(
		    questions_to_a_broker_that_stands_still_are_unavailable_in_the_end),
		HOSTILE(the_death_of_the_broker_is_survived),
	};

	if (!live_init() || getenv("PEAL_UP") == NULL)
		return 2;
	return cmocka_run_group_tests_name("hostile broker", tests, NULL, NULL);
}
