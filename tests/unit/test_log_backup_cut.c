/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A backup that is brought up to date, in the file model, and the power goes
 * at any call: the old one or the new one can be restored.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/backup.h"
#include "log/restore.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/seed.h"

enum {
	OLD = 60, /* of modelfix_fill_segments() */
	NEW = 120,
	NOW_US = 1000000000,
	IMAGES = 4, /* at each call */
};

static int
directory(struct modelfix *m, const char *name)
{
	int fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, name, O_RDONLY | O_DIRECTORY, 0);

	assert_true(fd >= 0);
	return fd;
}

/* The power goes at its call n; 0: it stays. */
static int
back_up(struct modelfix *m, uint64_t n)
{
	struct log_backup b = { .limit_seq = UINT64_MAX, .now_us = NOW_US };
	int to = directory(m, "backup"), err;

	if (n > 0)
		filemodel_cut_at(m->fm, filemodel_calls(m->fm) + n);
	err = log_backup(m->fx.io, m->fx.dirfd, to, &b, &m->fx.why);
	(void)sysio_close(m->fx.io, to);
	return err;
}

/* How many events the backup gives. */
static uint64_t
restore(struct modelfix *m)
{
	struct log_restore r = { .until_seq = UINT64_MAX,
		.until_us = UINT64_MAX,
		.now_us = NOW_US,
		.segment_bytes = LOGFIX_SEGMENT };
	int from = directory(m, "backup"), to = directory(m, "restored");

	if (log_restore(m->fx.io, from, to, &r, &m->fx.why) != LOG_RESTORED)
		fail_msg("%s", m->fx.why.text);
	(void)sysio_close(m->fx.io, from);
	(void)sysio_close(m->fx.io, to);
	return r.seq;
}

/* And then what is left is restored; false: it was done before. */
static bool
cut_at(struct modelfix *m, uint64_t n, enum filemodel_survive how,
    uint64_t seed, unsigned *renewed)
{
	CLEANUP(filemodel_freep)
	struct filemodel *fm = filemodel_clone(m->fm);
	struct modelfix c = { .fm = fm };
	uint64_t last;
	bool done;

	logfix_init(&c.fx, filemodel_io(fm), filemodel_root(fm));
	done = back_up(&c, n) == LOG_BACKUP_DONE;
	filemodel_restart(fm, how, seed);
	last = restore(&c);
	assert_true(last == OLD || last == NEW);
	assert_true(!done || last == NEW);
	*renewed += !done && last == NEW;
	return !done;
}

static void
wherever_the_power_goes_one_can_be_restored(void **state)
{
	struct modelfix *m = *state;
	uint64_t seed = seed_draw();
	unsigned renewed = 0;
	bool more = true;

	modelfix_fill_segments(m);
	assert_int_equal(sysio_mkdir(m->fx.io, m->fx.dirfd, "backup", 0750), 0);
	assert_int_equal(
	    sysio_mkdir(m->fx.io, m->fx.dirfd, "restored", 0750), 0);
	assert_int_equal(sysio_fsync(m->fx.io, m->fx.dirfd), 0);
	assert_int_equal(back_up(m, 0), LOG_BACKUP_DONE);
	logfix_fill(&m->fx, 20, 3);
	logfix_stop(&m->fx);
	for (uint64_t n = 1; more; n++) {
		more = cut_at(m, n, SURVIVE_NOTHING, 0, &renewed);
		(void)cut_at(m, n, SURVIVE_ALL, 0, &renewed);
		for (unsigned i = 0; i < IMAGES; i++)
			(void)cut_at(m, n,
			    i % 2 ? SURVIVE_SUFFIX : SURVIVE_RANDOM,
			    filemodel_next(&seed), &renewed);
	}
	assert_true(renewed > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    wherever_the_power_goes_one_can_be_restored, modelfix_setup,
		    modelfix_teardown),
	};

	return cmocka_run_group_tests_name("log_backup_cut", tests, NULL, NULL);
}
