/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Segments without headers whose files are holes, mostly: a name and a length
 * cost nobody anything, and must not cost who looks for events in them.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log/format_priv.h"
#include "log/recover.h"
#include "log/repair.h"
#include "log/segment.h"
#include "tests/lib/logfix.h"

enum {
	FRAMES = 60, /* in some segments */
	EVENTS = 8,
	LAST = FRAMES * EVENTS,
	DEADLINE = 60, /* seconds, of what takes some milliseconds */
};

/* The file of that name has a terabyte from now on; it begins with zeros. */
static void
make_sparse(struct logfix *fx, const char *name)
{
	static const uint8_t zeros[SEGMENT_FRAMES];
	int fd = sysio_openat(fx->io, fx->dirfd, name, O_RDWR | O_CREAT, 0640);
	int err;

	assert_true(fd >= 0);
	assert_int_equal(sysio_pwrite(fx->io, fd, zeros, sizeof(zeros), 0), 0);
	err = sysio_ftruncate(fx->io, fd, SEGMENT_BYTES_MAX);
	assert_int_equal(sysio_close(fx->io, fd), 0);
	/* A file system that has no such files has no such danger. */
	if (err == -EFBIG)
		skip();
	assert_int_equal(err, 0);
}

static void
fill(struct logfix *fx)
{
	logfix_start(fx);
	logfix_fill(fx, FRAMES, EVENTS);
	logfix_stop(fx);
}

static void
one_of_zeros_was_never_used(void **state)
{
	struct logfix *fx = *state;
	char name[SEGMENT_NAME_SIZE];

	fill(fx);
	segment_name(name, LAST + 1, 7, ".seg");
	make_sparse(fx, name);
	(void)alarm(DEADLINE);
	logfix_start(fx);
	(void)alarm(0);
	assert_int_equal(fx->tail.last_seq, LAST);
	logfix_expect(fx, LAST);
}

static void
all_of_its_events_are_found_and_none_of_its_length(void **state)
{
	struct logfix *fx = *state;
	struct log_repair r = { .now_us = 1000000,
		.segment_bytes = LOGFIX_SEGMENT };
	struct logfix new;
	struct segment_list list;
	int fd;

	fill(fx);
	assert_int_equal(
	    segment_list_read(fx->io, fx->dirfd, &list, &fx->why), 0);
	assert_true(list.n > 2);
	make_sparse(fx, list.v[1].name);
	segment_list_deinit(&list);
	(void)alarm(DEADLINE);
	assert_int_equal(log_repair_plan(fx->io, fx->dirfd, &r, &fx->why),
	    LOG_REPAIR_PLANNED);
	assert_int_equal(r.n_lost, 0);
	assert_int_equal(sysio_mkdir(fx->io, fx->dirfd, "repaired", 0750), 0);
	fd = sysio_openat(
	    fx->io, fx->dirfd, "repaired", O_RDONLY | O_DIRECTORY, 0);
	assert_true(fd >= 0);
	if (log_repair_make(fx->io, fx->dirfd, fd, &r, &fx->why) != 0)
		fail_msg("%s", fx->why.text);
	(void)alarm(0);
	log_repair_deinit(&r);
	assert_int_equal(segment_list_read(fx->io, fd, &list, &fx->why), 0);
	for (size_t i = 0; i < list.n; i++)
		assert_int_equal(list.v[i].file_bytes, LOGFIX_SEGMENT);
	segment_list_deinit(&list);
	logfix_init(&new, fx->io, fd);
	logfix_start(&new);
	assert_int_equal(new.tail.last_seq, LAST + 1);
	logfix_deinit(&new);
	(void)sysio_close(fx->io, fd);
}

int
main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, logfix_setup, logfix_teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_of_zeros_was_never_used),
		TEST(all_of_its_events_are_found_and_none_of_its_length),
	};

	return cmocka_run_group_tests_name("log_sparse", tests, NULL, NULL);
}
