/* SPDX-License-Identifier: BSD-2-Clause */

/* SIGHUP: which keys change, which stay, and what is said of both. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/reason.h"
#include "core/reload.h"
#include "tests/lib/tmpdir.h"

static struct conf *
configured(struct tmpdir *dir, const char *text)
{
	struct conf *conf = conf_new();
	struct reason why;

	assert_non_null(conf);
	if (conf_read(conf, tmpdir_text(dir, "conf", text), &why) < 0)
		fail_msg("%s", why.text);
	return conf;
}

/* What is said on standard error meanwhile. */
static int
reloaded(struct tmpdir *dir, struct conf *conf, const char *uses,
    struct reason *why, char said[4096])
{
	int kept = dup(STDERR_FILENO);
	int fd =
	    open(tmpdir_path(dir, "said"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	ssize_t n;
	int got;

	assert_true(kept >= 0 && fd >= 0);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	got = reload_conf(conf, uses, why);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	n = pread(fd, said, 4095, 0);
	assert_true(n >= 0);
	said[n] = '\0';
	close(kept);
	close(fd);
	return got;
}

static const char first[] = "[ring]\nslots = 8\n[gateway]\nbatch_ms = 1\n";

static void
what_can_be_applied_counts_and_is_said(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = configured(*state, first);
	char said[4096];
	struct reason why;

	tmpdir_text(
	    *state, "conf", "[ring]\nslots = 8\n[gateway]\nbatch_ms = 2\n");
	assert_int_equal(reloaded(*state, conf, "ring gateway", &why, said), 1);
	assert_int_equal(conf_uint(conf, CONF_gateway_batch_ms), 2);
	assert_non_null(
	    strstr(said, "gateway.batch_ms = \"2\" counts from now on"));
	assert_non_null(strstr(said, "changed=1"));
	assert_null(strstr(said, "restart"));
}

static void
what_takes_a_restart_stays_and_is_said(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = configured(*state, first);
	const char *kept = conf_text(conf, CONF_ring_slots);
	char said[4096];
	struct reason why;

	tmpdir_text(
	    *state, "conf", "[ring]\nslots = 16\n[gateway]\nbatch_ms = 1\n");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
		    reloaded(*state, conf, "ring gateway", &why, said), 0);
		assert_non_null(strstr(said,
		    "ring.slots = \"16\" takes a restart: it stays as it was"));
	}
	assert_int_equal(conf_uint(conf, CONF_ring_slots), 8);
	/* Whoever keeps a pointer to it keeps a good one. */
	assert_ptr_equal(conf_text(conf, CONF_ring_slots), kept);
}

static void
what_another_process_goes_by_is_its_own_affair(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = configured(*state, first);
	char said[4096];
	struct reason why;

	tmpdir_text(*state, "conf",
	    "[ring]\nslots = 16\ngroup = g\n[gateway]\nbatch_ms = 3\n");
	assert_int_equal(
	    reloaded(*state, conf, "log ring.group", &why, said), 0);
	assert_null(strstr(said, "ring.slots"));
	assert_null(strstr(said, "batch_ms"));
	assert_non_null(strstr(said, "ring.group = \"g\" takes a restart"));
	assert_int_equal(conf_uint(conf, CONF_gateway_batch_ms), 1);
}

static void
a_key_that_left_the_file_has_its_default_again(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = configured(*state, first);
	char said[4096];
	struct reason why;

	tmpdir_text(*state, "conf", "[ring]\nslots = 8\n");
	assert_int_equal(reloaded(*state, conf, "gateway", &why, said), 1);
	assert_int_equal(conf_uint(conf, CONF_gateway_batch_ms), 5);
}

static void
the_command_line_stands_above_a_new_file_too(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = configured(*state, first);
	char said[4096];
	struct reason why;

	assert_int_equal(conf_set(conf, "gateway.batch_ms=7", &why), 0);
	tmpdir_text(*state, "conf", "[gateway]\nbatch_ms = 2\n");
	assert_int_equal(reloaded(*state, conf, "gateway", &why, said), 0);
	assert_int_equal(conf_uint(conf, CONF_gateway_batch_ms), 7);
	assert_null(strstr(said, "batch_ms"));
}

static void
a_bad_file_changes_nothing(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = configured(*state, first);
	char said[4096];
	struct reason why = { "" };

	tmpdir_text(*state, "conf", "[gateway]\nbatch_ms = 2\nbatch = 3\n");
	assert_int_equal(
	    reloaded(*state, conf, "gateway", &why, said), -EINVAL);
	assert_non_null(strstr(why.text, "conf:3: "));
	assert_int_equal(conf_uint(conf, CONF_gateway_batch_ms), 1);
	assert_string_equal(said, "");
}

static void
without_a_file_there_is_nothing_to_read(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	char said[4096];
	struct reason why;

	assert_int_equal(reloaded(*state, conf, "gateway", &why, said), 0);
	assert_string_equal(said, "");
}

#define IN_DIRECTORY(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(what_can_be_applied_counts_and_is_said),
		IN_DIRECTORY(what_takes_a_restart_stays_and_is_said),
		IN_DIRECTORY(what_another_process_goes_by_is_its_own_affair),
		IN_DIRECTORY(a_key_that_left_the_file_has_its_default_again),
		IN_DIRECTORY(the_command_line_stands_above_a_new_file_too),
		IN_DIRECTORY(a_bad_file_changes_nothing),
		IN_DIRECTORY(without_a_file_there_is_nothing_to_read),
	};

	return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
