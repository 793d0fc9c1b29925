/* SPDX-License-Identifier: BSD-2-Clause */

/* Clients' cursors: what was taken is read back, also after a kill. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "broker/clients.h"
#include "core/reason.h"
#include "core/time.h"
#include "tests/lib/tmpdir.h"

#define KEEP_US (UINT64_C(1000) * US_PER_S)
#define NOW	(UINT64_C(1700000000) * US_PER_S)
#define LOG	"0123-1"
#define OTHER	"0123-2"

static struct clients *
open_in(struct tmpdir *dir)
{
	struct clients *c = NULL;
	struct reason why = { "" };

	if (clients_open(tmpdir_path(dir, "clients"), KEEP_US, &c, &why) !=
	    CLIENTS_OPENED)
		fail_msg("%s", why.text);
	return c;
}

static enum clients_ack
ack(struct clients *c, const char *user, const char *client, const char *name,
    const char *log, uint64_t seq, uint64_t now)
{
	struct clients_cursor cursor = { slice_cstr(user), slice_cstr(client),
		slice_cstr(name), slice_cstr(log), seq };

	return clients_ack(c, &cursor, now);
}

static void
flush(struct clients *c, uint64_t now)
{
	struct reason why = { "" };

	if (clients_flush(c, now, &why) != 0)
		fail_msg("%s", why.text);
}

/* What is read of a client, as "name=seq@log ...". */
static const char *
read_at(struct clients *c, const char *user, const char *client, uint64_t now)
{
	static char text[8192];
	struct clients_list *list = calloc(1, sizeof(*list));
	size_t len = 0;

	assert_non_null(list);
	assert_int_equal(
	    clients_read(c, slice_cstr(user), slice_cstr(client), now, list),
	    0);
	text[0] = '\0';
	for (unsigned i = 0; i < list->n; i++) {
		const struct clients_named *at = &list->v[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s%.*s=%llu@%.*s", i ? " " : "", at->name_len,
		    (const char *)at->name, (unsigned long long)at->seq,
		    at->log_len, (const char *)at->log);
	}
	free(list);
	return text;
}

#define READ(c, user, client) read_at(c, user, client, NOW)

static struct clients_counts
counts(struct clients *c)
{
	struct clients_counts n;

	clients_counts(c, &n);
	return n;
}

static void
what_was_taken_is_read_before_and_after_the_flush(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);

	assert_string_equal(READ(c, "u", "c"), "");
	assert_int_equal(ack(c, "u", "c", "b", LOG, 7, NOW), CLIENTS_TAKEN);
	assert_int_equal(ack(c, "u", "c", "", LOG, 9, NOW), CLIENTS_TAKEN);
	assert_int_equal(ack(c, "u", "d", "", LOG, 1, NOW), CLIENTS_TAKEN);
	assert_string_equal(READ(c, "u", "c"), "=9@" LOG " b=7@" LOG);
	assert_true(clients_due(c, NOW));
	flush(c, NOW);
	assert_int_equal(counts(c).unflushed, 0);
	assert_string_equal(READ(c, "u", "c"), "=9@" LOG " b=7@" LOG);
	assert_string_equal(READ(c, "u", "d"), "=1@" LOG);
	/* Prefixes of names are names of their own. */
	assert_string_equal(READ(c, "uc", ""), "");
	assert_string_equal(READ(c, "", "u"), "");
}

static void
a_cursor_only_grows_within_its_log(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);

	ack(c, "u", "c", "n", LOG, 10, NOW);
	ack(c, "u", "c", "n", LOG, 9, NOW);
	assert_string_equal(READ(c, "u", "c"), "n=10@" LOG);
	flush(c, NOW);
	ack(c, "u", "c", "n", LOG, 9, NOW);
	assert_string_equal(READ(c, "u", "c"), "n=10@" LOG);
	flush(c, NOW);
	assert_string_equal(READ(c, "u", "c"), "n=10@" LOG);
	ack(c, "u", "c", "n", LOG, 11, NOW);
	flush(c, NOW);
	assert_string_equal(READ(c, "u", "c"), "n=11@" LOG);
}

static void
another_log_replaces_a_cursor(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);

	ack(c, "u", "c", "n", LOG, 10, NOW);
	ack(c, "u", "c", "n", OTHER, 3, NOW);
	assert_string_equal(READ(c, "u", "c"), "n=3@" OTHER);
	flush(c, NOW);
	ack(c, "u", "c", "n", "third", 2, NOW);
	assert_string_equal(READ(c, "u", "c"), "n=2@third");
	flush(c, NOW);
	assert_string_equal(READ(c, "u", "c"), "n=2@third");
}

static void
texts_of_the_greatest_length_fit(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);
	static char text[CLIENTS_TEXT_MAX + 1], log[CLIENTS_LOG_MAX + 1];
	struct clients_list *list = calloc(1, sizeof(*list));

	memset(text, 'x', CLIENTS_TEXT_MAX);
	memset(log, 'y', CLIENTS_LOG_MAX);
	ack(c, text, text, text, log, (UINT64_C(1) << 53) - 1, NOW);
	flush(c, NOW);
	assert_int_equal(
	    clients_read(c, slice_cstr(text), slice_cstr(text), NOW, list), 0);
	assert_int_equal(list->n, 1);
	assert_int_equal(list->v[0].name_len, CLIENTS_TEXT_MAX);
	assert_int_equal(list->v[0].log_len, CLIENTS_LOG_MAX);
	assert_int_equal(list->v[0].seq, (UINT64_C(1) << 53) - 1);
	free(list);
}

static void
a_client_has_sixteen_names(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);
	struct clients_cursor last = { SLICE_STR("u"), SLICE_STR("c"),
		SLICE_STR("late"), SLICE_STR(LOG), 1 };
	char name[8];

	for (unsigned i = 1; i <= CLIENTS_NAMES; i++) {
		snprintf(name, sizeof(name), "n%02u", i);
		assert_int_equal(
		    ack(c, "u", "c", name, LOG, i, NOW), CLIENTS_TAKEN);
	}
	assert_int_equal(
	    ack(c, "u", "c", "late", LOG, 1, NOW), CLIENTS_TOO_MANY);
	assert_int_equal(ack(c, "u", "c", "n16", LOG, 17, NOW), CLIENTS_TAKEN);
	flush(c, NOW);
	/* Memory does not know of them now. */
	assert_int_equal(ack(c, "u", "c", "late", LOG, 1, NOW), CLIENTS_TAKEN);
	assert_int_equal(clients_admit(c, &last), CLIENTS_TOO_MANY);
	assert_null(strstr(READ(c, "u", "c"), "late"));
	assert_int_equal(ack(c, "u", "c", "n01", LOG, 9, NOW), CLIENTS_TAKEN);
	last.name = SLICE_STR("n01");
	assert_int_equal(clients_admit(c, &last), CLIENTS_TAKEN);
	/* One that nobody looks at is dropped by the flush. */
	assert_int_equal(ack(c, "u", "c", "late", LOG, 1, NOW), CLIENTS_TAKEN);
	flush(c, NOW);
	assert_null(strstr(READ(c, "u", "c"), "late"));
	assert_non_null(strstr(READ(c, "u", "c"), "n01=9@"));
	assert_non_null(strstr(READ(c, "u", "c"), "n16=17@"));
	assert_int_equal(counts(c).refused, 3);
}

static void
the_least_recently_used_client_of_a_user_goes(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);
	char client[8];

	for (unsigned i = 1; i <= CLIENTS_PER_USER; i++) {
		snprintf(client, sizeof(client), "c%02u", i);
		ack(c, "u", client, "a", LOG, i, NOW + i);
		ack(c, "u", client, "b", LOG, i, NOW + i);
	}
	ack(c, "v", "c01", "", LOG, 1, NOW);
	flush(c, NOW);
	assert_int_equal(counts(c).evicted, 0);
	/* The first is read, which is a use; the second is acked. */
	assert_string_equal(
	    read_at(c, "u", "c01", NOW + 1000), "a=1@" LOG " b=1@" LOG);
	ack(c, "u", "c02", "b", LOG, 2, NOW + 1000);
	ack(c, "u", "new", "", LOG, 5, NOW + 1001);
	flush(c, NOW);
	assert_int_equal(counts(c).evicted, 1);
	assert_string_equal(READ(c, "u", "c03"), "");
	assert_string_equal(READ(c, "u", "c01"), "a=1@" LOG " b=1@" LOG);
	assert_string_equal(READ(c, "u", "c02"), "a=2@" LOG " b=2@" LOG);
	assert_string_equal(READ(c, "u", "new"), "=5@" LOG);
	assert_string_equal(READ(c, "v", "c01"), "=1@" LOG);
}

static void
an_unused_cursor_is_removed_after_its_time(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);
	uint64_t hour = UINT64_C(3600) * US_PER_S;

	flush(c, NOW);
	assert_false(clients_due(c, NOW + hour - 1));
	assert_true(clients_due(c, NOW + hour));
	ack(c, "u", "old", "a", LOG, 1, NOW + hour - KEEP_US - 1);
	ack(c, "u", "old", "b", LOG, 2, NOW + hour - KEEP_US);
	ack(c, "u", "old", "c", LOG, 3, NOW + hour - KEEP_US + 1);
	/* Before its hour nothing is looked at. */
	flush(c, NOW + hour - 1);
	assert_int_equal(counts(c).expired, 0);
	flush(c, NOW + hour);
	assert_int_equal(counts(c).expired, 1);
	assert_string_equal(READ(c, "u", "old"), "b=2@" LOG " c=3@" LOG);
	assert_true(clients_due(c, NOW + hour)); /* it was read */
	flush(c, NOW + hour);
	assert_false(clients_due(c, NOW + hour));
}

static void
what_was_flushed_outlives_a_kill(void **state)
{
	struct tmpdir *dir = *state;
	struct clients *c;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct reason why;

		if (clients_open(tmpdir_path(dir, "clients"), KEEP_US, &c,
			&why) != CLIENTS_OPENED)
			_exit(1);
		ack(c, "u", "c", "", LOG, 5, NOW);
		if (clients_flush(c, NOW, &why) != 0)
			_exit(2);
		ack(c, "u", "c", "", LOG, 6, NOW);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	c = open_in(dir);
	assert_string_equal(READ(c, "u", "c"), "=5@" LOG);
	clients_free(c);
}

static void
a_damaged_file_is_set_aside(void **state)
{
	struct tmpdir *dir = *state;
	struct clients *c = open_in(dir);
	struct reason why = { "" };
	static char junk[8192];

	clients_free(c);
	memset(junk, 0x5a, sizeof(junk));
	tmpdir_put(dir, "clients/data.mdb", slice_of(junk, sizeof(junk)));
	assert_int_equal(
	    clients_open(tmpdir_path(dir, "clients"), KEEP_US, &c, &why),
	    CLIENTS_ANEW);
	assert_non_null(strstr(why.text, "set aside"));
	ack(c, "u", "c", "", LOG, 1, NOW);
	flush(c, NOW);
	assert_string_equal(READ(c, "u", "c"), "=1@" LOG);
	clients_free(c);
	assert_true(tmpdir_has(dir, "clients/data.mdb.damaged"));
}

/* Room for the file to grow is taken from it while a flush is tried. */
static void
a_flush_that_fails_loses_nothing(void **state)
{
	struct tmpdir *dir = *state;
	CLEANUP(clients_freep) struct clients *c = open_in(dir);
	struct reason why = { "" };
	pid_t pid;
	int status;

	flush(c, NOW);
	clients_free(TAKE(c));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit less = { 0, RLIM_INFINITY }, before;

		(void)signal(SIGXFSZ, SIG_IGN);
		if (clients_open(tmpdir_path(dir, "clients"), KEEP_US, &c,
			&why) != CLIENTS_OPENED)
			_exit(1);
		for (unsigned i = 0; i < 2000; i++) {
			char client[16];

			snprintf(client, sizeof(client), "c%u", i % 60);
			ack(c, client, client, "n", LOG, i, NOW);
		}
		getrlimit(RLIMIT_FSIZE, &before);
		less.rlim_max = before.rlim_max;
		less.rlim_cur = 4096;
		setrlimit(RLIMIT_FSIZE, &less);
		if (clients_flush(c, NOW, &why) >= 0 || !why.text[0])
			_exit(2);
		if (counts(c).flush_failed != 1 || counts(c).unflushed != 60)
			_exit(3);
		if (strcmp(READ(c, "c1", "c1"), "n=1981@" LOG) != 0)
			_exit(4);
		setrlimit(RLIMIT_FSIZE, &before);
		if (clients_flush(c, NOW, &why) != 0 ||
		    counts(c).unflushed != 0)
			_exit(5);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	c = open_in(dir);
	assert_string_equal(READ(c, "c1", "c1"), "n=1981@" LOG);
}

static void
what_is_not_flushed_is_bounded(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);
	char client[16];

	for (unsigned i = 0; i < CLIENTS_UNFLUSHED_MAX; i++) {
		snprintf(client, sizeof(client), "%u", i);
		if (ack(c, client, "c", "", LOG, 1, NOW) != CLIENTS_TAKEN)
			fail_msg("client %u", i);
	}
	assert_int_equal(ack(c, "more", "c", "", LOG, 1, NOW), CLIENTS_NO_ROOM);
	assert_int_equal(ack(c, "0", "c", "", LOG, 2, NOW), CLIENTS_TAKEN);
	assert_int_equal(counts(c).refused, 1);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, tmpdir_setup, tmpdir_teardown)

/* --- what the log keeps for them --- */

static uint64_t
needed(struct clients *c, uint64_t oldest)
{
	struct reason why = { "" };
	uint64_t seq = 77;

	if (clients_needed(c, slice_cstr(LOG), oldest, &seq, &why) != 0)
		fail_msg("%s", why.text);
	return seq;
}

static void
the_lowest_cursor_says_what_is_needed(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);

	assert_int_equal(needed(c, 1), 0);
	ack(c, "u", "c", "", LOG, 40, NOW);
	ack(c, "u", "c", "n", LOG, 30, NOW);
	ack(c, "v", "c", "", LOG, 50, NOW);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(needed(c, 1), 31);
		/* At its limit it counts; then it has lost what it needs. */
		assert_int_equal(needed(c, 31), 31);
		assert_int_equal(needed(c, 32), 41);
		assert_int_equal(needed(c, 42), 51);
		assert_int_equal(needed(c, 52), 0);
		flush(c, NOW);
	}
	/* Of what is not flushed yet, too. */
	ack(c, "w", "c", "", LOG, 20, NOW);
	assert_int_equal(needed(c, 1), 21);
	ack(c, "x", "c", "", LOG, 0, NOW);
	assert_int_equal(needed(c, 1), 1);
	assert_int_equal(needed(c, 2), 21);
	ack(c, "w", "c", "", LOG, 60, NOW);
	ack(c, "x", "c", "", LOG, UINT64_MAX, NOW);
	flush(c, NOW);
	assert_int_equal(needed(c, 1), 31);
	assert_int_equal(needed(c, 62), UINT64_MAX);
}

static void
a_cursor_of_another_log_needs_nothing(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);

	ack(c, "u", "c", "", OTHER, 10, NOW);
	assert_int_equal(needed(c, 1), 0);
	flush(c, NOW);
	assert_int_equal(needed(c, 1), 0);
	ack(c, "u", "c", "", LOG, 20, NOW);
	flush(c, NOW);
	assert_int_equal(needed(c, 1), 21);
	/* The log has a new epoch, and the client has followed. */
	ack(c, "u", "c", "", OTHER, 5, NOW);
	flush(c, NOW);
	assert_int_equal(needed(c, 1), 0);
}

static void
a_cursor_that_has_expired_needs_nothing(void **state)
{
	CLEANUP(clients_freep) struct clients *c = open_in(*state);

	const uint64_t hour = UINT64_C(3600) * US_PER_S;

	ack(c, "u", "c", "", LOG, 10, NOW);
	ack(c, "u", "d", "", LOG, 20, NOW + hour);
	flush(c, NOW + KEEP_US);
	assert_int_equal(needed(c, 1), 11);
	flush(c, NOW + KEEP_US + hour);
	assert_int_equal(needed(c, 1), 21);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_taken_is_read_before_and_after_the_flush),
		TEST(a_cursor_only_grows_within_its_log),
		TEST(another_log_replaces_a_cursor),
		TEST(texts_of_the_greatest_length_fit),
		TEST(a_client_has_sixteen_names),
		TEST(the_least_recently_used_client_of_a_user_goes),
		TEST(an_unused_cursor_is_removed_after_its_time),
		TEST(the_lowest_cursor_says_what_is_needed),
		TEST(a_cursor_of_another_log_needs_nothing),
		TEST(a_cursor_that_has_expired_needs_nothing),
		TEST(what_was_flushed_outlives_a_kill),
		TEST(a_damaged_file_is_set_aside),
		TEST(a_flush_that_fails_loses_nothing),
		TEST(what_is_not_flushed_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
