/* SPDX-License-Identifier: BSD-2-Clause */

/* The command line of daemons, and what it writes where. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/options.h"
#include "core/reason.h"
#include "tests/lib/tmpdir.h"

/* A run of options_daemon(), with what it wrote. */
struct run {
	struct conf *conf;
	int code;
	char out[4000];
	char err[4000];
};

static int
redirect(int fd, FILE *to)
{
	int saved = dup(fd);

	assert_true(saved >= 0);
	assert_int_equal(dup2(fileno(to), fd), fd);
	return saved;
}

static void
restore(int fd, int saved, FILE *from, char *text, size_t size)
{
	size_t len;

	assert_int_equal(dup2(saved, fd), fd);
	(void)close(saved);
	rewind(from);
	len = fread(text, 1, size - 1, from);
	text[len] = '\0';
	(void)fclose(from);
}

static void
run_with(struct run *run, const char **argv)
{
	FILE *out = tmpfile(), *err = tmpfile();
	int saved_out, saved_err, argc = 0;

	while (argv[argc])
		argc++;
	assert_non_null(out);
	assert_non_null(err);
	*run = (struct run){ .conf = NULL };
	fflush(stdout);
	saved_out = redirect(STDOUT_FILENO, out);
	saved_err = redirect(STDERR_FILENO, err);
	run->code = options_daemon(
	    argc, (char **)(uintptr_t)argv, "Serves the test.", &run->conf);
	fflush(stdout);
	restore(STDOUT_FILENO, saved_out, out, run->out, sizeof(run->out));
	restore(STDERR_FILENO, saved_err, err, run->err, sizeof(run->err));
}

#define RUN(run, ...) \
	run_with(     \
	    run, (const char *[]){ "/usr/bin/peal-test", __VA_ARGS__, NULL })

static void
options_come_before_the_file_in_either_order(void **state)
{
	const char *file = tmpdir_text(
	    *state, "conf", "[ring]\nslots=128\n[writer]\nkeys=9\n");
	struct run run;

	RUN(&run, "-o", "ring.slots=64", "-c", file, "--option=ring.group=g");
	assert_int_equal(run.code, OPTIONS_RUN);
	assert_int_equal(conf_uint(run.conf, CONF_ring_slots), 64);
	assert_int_equal(conf_uint(run.conf, CONF_writer_keys), 9);
	assert_string_equal(conf_text(run.conf, CONF_ring_group), "g");
	assert_string_equal(run.err, "");
	run.conf = conf_free(run.conf);
}

static void
an_empty_file_gives_the_defaults(void **state)
{
	struct run run;

	RUN(&run, "-c", "/dev/null");
	assert_int_equal(run.code, OPTIONS_RUN);
	assert_int_equal(conf_uint(run.conf, CONF_ring_slots), 1 << 18);
	run.conf = conf_free(run.conf);
}

static void
help_and_version_are_said_on_stdout(void **state)
{
	struct run run;

	RUN(&run, "--help");
	assert_int_equal(run.code, OPTIONS_EXIT_OK);
	assert_null(run.conf);
	assert_non_null(strstr(run.out, "usage: peal-test "));
	assert_non_null(strstr(run.out, "Serves the test."));
	assert_string_equal(run.err, "");
	RUN(&run, "--version");
	assert_int_equal(run.code, OPTIONS_EXIT_OK);
	assert_memory_equal(run.out, "peal-test ", 10);
}

static void
what_is_wrong_is_said_in_a_sentence_with_exit_code_2(void **state)
{
	const char *bad = tmpdir_text(*state, "bad", "[ring]\nslots=7\n");
	const char *none = tmpdir_path(*state, "none");
	struct run run;

	RUN(&run, "-o", "ring.slots=7");
	assert_int_equal(run.code, OPTIONS_EXIT_USAGE);
	assert_null(run.conf);
	assert_non_null(strstr(run.err, "ring.slots = \"7\" is refused"));
	RUN(&run, "-c", bad);
	assert_int_equal(run.code, OPTIONS_EXIT_USAGE);
	assert_non_null(strstr(run.err, "/bad:2: ring.slots"));
	RUN(&run, "-c", none);
	assert_int_equal(run.code, OPTIONS_EXIT_USAGE);
	assert_non_null(strstr(run.err, "/none'"));
	RUN(&run, "--what");
	assert_int_equal(run.code, OPTIONS_EXIT_USAGE);
	assert_non_null(strstr(run.err, "'--what'"));
	RUN(&run, "-o");
	assert_int_equal(run.code, OPTIONS_EXIT_USAGE);
	RUN(&run, "stray");
	assert_int_equal(run.code, OPTIONS_EXIT_USAGE);
	assert_non_null(strstr(run.err, "'stray' is one argument too many"));
	assert_string_equal(run.out, "");
}

/* What options_check() says; it must end with code. */
static char *
errors_of(
    const struct conf *conf, options_judge *const *judges, unsigned n, int code)
{
	static char text[2000];
	FILE *err = tmpfile();
	int saved, got;

	assert_non_null(err);
	assert_non_null(conf);
	saved = redirect(STDERR_FILENO, err);
	got = options_check(conf, judges, n);
	restore(STDERR_FILENO, saved, err, text, sizeof(text));
	assert_int_equal(got, code);
	return text;
}

static int
refuse_all(const struct conf *conf, struct reason *why)
{
	return reason_say(why, -EINVAL, "refused by the first");
}

static int
judge_data(const struct conf *conf, struct reason *why)
{
	return options_judge_directory(conf, CONF_log_directory, why);
}

static int
accept_all(const struct conf *conf, struct reason *why)
{
	return 0;
}

static void
check_asks_every_judge_and_says_what_each_refuses(void **state)
{
	options_judge *const judges[] = { refuse_all, judge_data, accept_all };
	const char *file = tmpdir_text(*state, "file", "");
	char option[300], *said;
	struct run run;

	snprintf(option, sizeof(option), "log.directory=%s", file);
	RUN(&run, "--check", "-o", option, "-c", "/dev/null");
	assert_int_equal(run.code, OPTIONS_CHECK);
	said = errors_of(run.conf, judges, 3, OPTIONS_EXIT_USAGE);
	assert_non_null(strstr(said, "refused by the first"));
	assert_non_null(strstr(said, "log.directory: '"));
	assert_non_null(strstr(said, "/file' can't be used"));
	said = errors_of(run.conf, judges + 2, 1, OPTIONS_EXIT_OK);
	assert_string_equal(said, "");
	run.conf = conf_free(run.conf);
	/* A directory, and one that is yet to be made. */
	snprintf(option, sizeof(option), "log.directory=%s",
	    tmpdir_path(*state, "."));
	RUN(&run, "--check", "-o", option, "-c", "/dev/null");
	said = errors_of(run.conf, judges + 1, 1, OPTIONS_EXIT_OK);
	assert_string_equal(said, "");
	run.conf = conf_free(run.conf);
	snprintf(option, sizeof(option), "log.directory=%s/none",
	    tmpdir_path(*state, "."));
	RUN(&run, "--check", "-o", option, "-c", "/dev/null");
	said = errors_of(run.conf, judges + 1, 1, OPTIONS_EXIT_OK);
	assert_string_equal(said, "");
	run.conf = conf_free(run.conf);
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(options_come_before_the_file_in_either_order),
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(help_and_version_are_said_on_stdout),
		IN_DIRECTORY(
		    what_is_wrong_is_said_in_a_sentence_with_exit_code_2),
		IN_DIRECTORY(check_asks_every_judge_and_says_what_each_refuses),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
