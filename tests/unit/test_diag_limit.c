/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is said once a second for each cause: how many lines were held back
 * is said with the next, on stderr and in the journal.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/diag.h"
#include "tests/lib/tmpdir.h"

/* That many seconds passed between two calls: so slow is no machine. */
enum {
	LINES_MAX = 20
};

/* stderr, in a file meanwhile. */
struct heard {
	int saved;
	FILE *file;
	char text[4000];
};

static void
listen_to(struct heard *h)
{
	h->file = tmpfile();
	h->saved = dup(STDERR_FILENO);
	assert_non_null(h->file);
	assert_int_equal(dup2(fileno(h->file), STDERR_FILENO), STDERR_FILENO);
	diag_init("test");
}

static const char *
so_far(struct heard *h)
{
	ssize_t n = pread(STDERR_FILENO, h->text, sizeof(h->text) - 1, 0);

	assert_true(n >= 0);
	h->text[n] = '\0';
	return h->text;
}

static void
listen_no_more(struct heard *h)
{
	(void)so_far(h);
	assert_int_equal(dup2(h->saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(h->saved);
	(void)fclose(h->file);
}

static unsigned
count_lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void
the_next_line_of_a_cause_says_how_many_were_held_back(void **state)
{
	char expected[1000] = "";
	unsigned said = 0, lines;
	struct heard h;
	size_t at = 0;

	listen_to(&h);
	/* Until the second is over, however many that are. */
	do {
		diag_limited_note("often", "n=%u", said++);
		lines = count_lines(so_far(&h));
	} while (!strstr(h.text, "held_back") && lines < LINES_MAX);
	listen_no_more(&h);
	/* One, and one for each call that came a second too late. */
	for (unsigned i = 0; i + 1 < lines; i++)
		at += (size_t)snprintf(
		    expected + at, sizeof(expected) - at, "<5>test: n=%u\n", i);
	snprintf(expected + at, sizeof(expected) - at,
	    "<5>test: n=%u held_back=%u\n", said - 1, said - lines);
	assert_string_equal(h.text, expected);
}

static void
the_journal_has_the_number_as_a_field(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path = tmpdir_path(*state, "journal");
	char got[4096] = "", first[4096] = "", field[80];
	unsigned said, lines = 0;
	ssize_t n;
	int fd;

	assert_true(strlen(path) < sizeof(sa.sun_path));
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	diag_init("test");
	diag_journal(path);
	for (said = 0; !strstr(got, "PEAL_HELD_BACK") && lines < LINES_MAX;
	     said++) {
		diag_limited("seldom", "n=%u", said);
		n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
		if (n <= 0)
			continue;
		got[n] = '\0';
		if (lines++ == 0)
			strcpy(first, got);
	}
	diag_journal(NULL);
	(void)close(fd);
	assert_non_null(strstr(first, "PEAL_CAUSE=seldom\n"));
	assert_null(strstr(first, "PEAL_HELD_BACK"));
	snprintf(field, sizeof(field), "PEAL_HELD_BACK=%u\n", said - lines);
	if (!strstr(got, field))
		fail_msg("'%s' lacks '%s'", got, field);
}

static void
who_asks_by_hand_gets_lines_without_a_level(void **state)
{
	struct heard h;

	listen_to(&h);
	diag_plain();
	diag_error("it says \"%s\"", "no");
	listen_no_more(&h);
	assert_string_equal(h.text, "test: it says \"no\"\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_next_line_of_a_cause_says_how_many_were_held_back),
		cmocka_unit_test_setup_teardown(
		    the_journal_has_the_number_as_a_field, tmpdir_setup,
		    tmpdir_teardown),
		cmocka_unit_test(who_asks_by_hand_gets_lines_without_a_level),
	};

	return cmocka_run_group_tests_name("diag_limit", tests, NULL, NULL);
}
