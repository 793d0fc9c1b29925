/* SPDX-License-Identifier: BSD-2-Clause */

/* Diagnostics and the reasons that they print. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/diag.h"
#include "core/journal.h"
#include "core/reason.h"
#include "tests/lib/tmpdir.h"

/* What say() writes to stderr, which is a file meanwhile. */
static void
heard(void (*say)(void), char *text, size_t size)
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t len;

	assert_non_null(f);
	assert_true(saved >= 0);
	assert_int_equal(dup2(fileno(f), STDERR_FILENO), STDERR_FILENO);
	diag_init("test");
	say();
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved);
	rewind(f);
	len = fread(text, 1, size - 1, f);
	text[len] = '\0';
	(void)fclose(f);
}

static void
say_all_levels(void)
{
	diag_error("one=%d", 1);
	diag_warn("two");
	diag_note("three\nfour\033[31m\177");
}

static void
lines_carry_level_and_name_and_no_control_character(void **state)
{
	char text[500];

	heard(say_all_levels, text, sizeof(text));
	assert_string_equal(text,
	    "<3>test: one=1\n<4>test: two\n<5>test: three\\x0afour\\x1b[31m\\x7f\n");
}

static void
say_too_much(void)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	diag_error("%.*s", (int)sizeof(text), text);
}

static void
a_long_line_is_cut_and_still_ends(void **state)
{
	char text[6000];

	heard(say_too_much, text, sizeof(text));
	assert_in_range(strlen(text), 900, 1024);
	assert_non_null(strstr(text, "xxx...\n"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void
say_often(void)
{
	for (int i = 0; i < 100; i++) {
		diag_limited("one cause", "i=%d", i);
		if (i % 50 == 0)
			diag_limited("another", "j=%d", i);
	}
}

static void
one_cause_is_said_once_a_second(void **state)
{
	char text[6000];

	heard(say_often, text, sizeof(text));
	assert_string_equal(text, "<4>test: i=0\n<4>test: j=0\n");
}

/* stderr is a file here, which can be read. */
static bool
was_said(const char *what)
{
	char text[6000];
	ssize_t n = pread(STDERR_FILENO, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	return strstr(text, what) != NULL;
}

/* Causes of other tests may have their turn before this one. */
static void
say_and_tick(void)
{
	for (int i = 0; i < 6; i++)
		diag_limited("a third", "k=%d", i);
	while (!was_said("cause=\"a third\""))
		diag_tick();
	diag_tick();
}

static void
what_was_held_back_is_said_when_its_cause_is_quiet(void **state)
{
	char text[6000];

	heard(say_and_tick, text, sizeof(text));
	assert_int_equal(strncmp(text, "<4>test: k=0\n<5>", 16), 0);
	assert_non_null(strstr(text, "<5>test: more of the same were held "
				     "back: cause=\"a third\" lines=5\n"));
	assert_null(strstr(strstr(text, "a third") + 1, "a third"));
}

/* A journal of our own, and what it was sent. */
struct journal {
	int fd;
	char got[4096];
};

static void
journal_begin(struct journal *j, struct tmpdir *dir)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path = tmpdir_path(dir, "journal");

	assert_true(strlen(path) < sizeof(sa.sun_path));
	strcpy(sa.sun_path, path);
	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(j->fd >= 0);
	assert_int_equal(bind(j->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	diag_init("peal-test");
	diag_journal(path);
}

static const char *
journal_take(struct journal *j)
{
	ssize_t n = recv(j->fd, j->got, sizeof(j->got) - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	j->got[n] = '\0';
	return j->got;
}

static void
journal_end(struct journal *j)
{
	diag_journal(NULL);
	close(j->fd);
}

static void
the_journal_gets_each_value_as_a_field(void **state)
{
	struct journal j;

	journal_begin(&j, *state);
	diag_warn("a warning: file='%s' n=%d (of=%llu), kept: last_2=%s.",
	    "/a b", -7, 18446744073709551615ULL, "x");
	assert_string_equal(journal_take(&j),
	    "MESSAGE=a warning: file='/a b' n=-7 (of=18446744073709551615), "
	    "kept: last_2=x.\n"
	    "PRIORITY=4\n"
	    "SYSLOG_IDENTIFIER=peal-test\n"
	    "PEAL_FILE=/a b\n"
	    "PEAL_N=-7\n"
	    "PEAL_LAST_2=x.\n");
	diag_note("plain, n=1 and %%=%s", "b=2");
	assert_string_equal(journal_take(&j),
	    "MESSAGE=plain, n=1 and %=b=2\n"
	    "PRIORITY=5\nSYSLOG_IDENTIFIER=peal-test\n");
	diag_limited("the cause", "once n=%d", 1);
	assert_string_equal(journal_take(&j),
	    "MESSAGE=once n=1\nPRIORITY=4\nSYSLOG_IDENTIFIER=peal-test\n"
	    "PEAL_CAUSE=the cause\nPEAL_N=1\n");
	journal_end(&j);
}

/* However an argument looks, it makes no field and no line. */
static void
an_argument_can_forge_neither_field_nor_line(void **state)
{
	static const char *const args[] = {
		"x\nPRIORITY=0\nPEAL_SEQ=9",
		"x seq=9",
		"x' seq=9 '",
		"\1seq\2",
		"\2\1",
		"\1",
		"\2",
		"\1\1\2\2",
		"%n%s",
		"\377\200\033[2J",
	};
	struct journal j;

	journal_begin(&j, *state);
	for (unsigned i = 0; i < ARRAY_LEN(args); i++) {
		const char *got;

		diag_warn("name='%s' seq=%d", args[i], 5);
		got = journal_take(&j);
		assert_non_null(strstr(got, "\nPRIORITY=4\n"));
		assert_null(strstr(got, "\nPRIORITY=0"));
		assert_null(strstr(got, "\nPEAL_SEQ=9"));
		if (!strchr(args[i], 1) && !strchr(args[i], 2))
			assert_non_null(strstr(got, "\nPEAL_SEQ=5\n"));
		for (; *got; got++)
			assert_true(
			    *got == '\n' || (*got >= 0x20 && *got < 0x7f));
	}
	journal_end(&j);
}

static void
a_line_too_long_has_no_fields_and_an_end(void **state)
{
	char text[3000];
	struct journal j;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	journal_begin(&j, *state);
	diag_warn("text=%s seq=%d", text, 5);
	assert_non_null(strstr(journal_take(&j), "xxx...\nPRIORITY=4\n"));
	assert_null(strstr(j.got, "PEAL_"));
	journal_end(&j);
}

static void
say_with_a_journal(void)
{
	diag_error("the last word: n=%d", 1);
}

/* journald may ask who it was when the process has ended. */
static void
an_error_goes_to_the_stream_that_systemd_knows(void **state)
{
	struct journal j;
	char text[500];

	journal_begin(&j, *state);
	heard(say_with_a_journal, text, sizeof(text));
	assert_string_equal(text, "<3>test: the last word: n=1\n");
	assert_int_equal(recv(j.fd, j.got, sizeof(j.got), MSG_DONTWAIT), -1);
	journal_end(&j);
}

static void
say_without_a_journal(void)
{
	diag_journal("/nowhere/to/be/found");
	diag_warn("n=%d", 1);
	diag_journal(NULL);
}

static void
without_its_journal_a_line_goes_to_stderr(void **state)
{
	char text[500];

	heard(say_without_a_journal, text, sizeof(text));
	assert_string_equal(text, "<4>test: n=1\n");
}

static void
stderr_is_the_journal_where_it_is_what_systemd_said(void **state)
{
	char stream[80];
	struct stat st;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fstat(fds[1], &st), 0);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_false(journal_is(fds[1]));
	snprintf(stream, sizeof(stream), "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	assert_true(journal_is(fds[1]));
	assert_false(journal_is(STDIN_FILENO));
	strcat(stream, "x");
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	assert_false(journal_is(fds[1]));
	assert_int_equal(setenv("JOURNAL_STREAM", "", 1), 0);
	assert_false(journal_is(fds[1]));
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	close(fds[0]);
	close(fds[1]);
}

#define IN_DIRECTORY(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

static void
hostile_text_is_quoted_and_cut(void **state)
{
	char buf[16];

	assert_string_equal(
	    diag_quote(buf, sizeof(buf), "a\"\\\n\377", 5), "a\\x22\\x5c...");
	assert_string_equal(diag_quote(buf, sizeof(buf), "", 0), "");
	for (size_t size = 8; size <= sizeof(buf); size++)
		for (size_t len = 0; len <= 20; len++) {
			const char *q = diag_quote(
			    buf, size, "\1bcde\2ghijk\3mnopq\4st", len);

			assert_true(strlen(q) < size);
		}
	assert_string_equal(diag_quote(buf, 8, "abcdefgh", 8), "a...");
}

static void
a_reason_keeps_the_error_and_its_text(void **state)
{
	struct reason why = { "" };

	assert_int_equal(
	    reason_set(&why, -ENOENT, "cannot open '%s'", "x"), -ENOENT);
	assert_string_equal(
	    why.text, "cannot open 'x': No such file or directory");
	assert_int_equal(reason_set(&why, 7, "seven"), 7);
	assert_string_equal(why.text, "seven");
	assert_int_equal(reason_set(NULL, -EIO, "nobody asks"), -EIO);
	assert_int_equal(reason_set(&why, -99999, "odd"), -99999);
	assert_string_equal(why.text, "odd: unknown error");
}

static void
a_reason_may_be_told_in_its_successor(void **state)
{
	struct reason why = { "" };

	(void)reason_set(&why, 0, "the inner part");
	(void)reason_set(&why, 0, "while working: %s", why.text);
	assert_string_equal(why.text, "while working: the inner part");
}

static void
a_reason_is_cut_to_its_room(void **state)
{
	struct reason why;
	char text[500];

	memset(text, 'r', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)reason_set(&why, -EIO, "%s", text);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lines_carry_level_and_name_and_no_control_character),
		cmocka_unit_test(a_long_line_is_cut_and_still_ends),
		cmocka_unit_test(one_cause_is_said_once_a_second),
		cmocka_unit_test(
		    what_was_held_back_is_said_when_its_cause_is_quiet),
		IN_DIRECTORY(the_journal_gets_each_value_as_a_field),
		IN_DIRECTORY(an_argument_can_forge_neither_field_nor_line),
		IN_DIRECTORY(a_line_too_long_has_no_fields_and_an_end),
		IN_DIRECTORY(an_error_goes_to_the_stream_that_systemd_knows),
		cmocka_unit_test(without_its_journal_a_line_goes_to_stderr),
		cmocka_unit_test(
		    stderr_is_the_journal_where_it_is_what_systemd_said),
		cmocka_unit_test(hostile_text_is_quoted_and_cut),
		cmocka_unit_test(a_reason_keeps_the_error_and_its_text),
		cmocka_unit_test(a_reason_may_be_told_in_its_successor),
		cmocka_unit_test(a_reason_is_cut_to_its_room),
	};

	return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
