/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How the state gets to the disk: this program has sync_file_range(2) and
 * fdatasync(2) of its own, which tell what was asked for, and may fail.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/store_sync.h"
#include "core/reason.h"
#include "tests/lib/storefix.h"

enum {
	PIECE_MAX = 1 << 20,
	ROWS = 20000,
	LENGTH_MIN = 3 << 20 /* of the file that holds them */
};

/* Of one thread at a time: the syncer's while it is there. */
static struct {
	int fails;    /* the next piece, with this; 0: it does not */
	int fd;	      /* of the pieces since the last sync */
	uint64_t end; /* they reach from 0 to here, without a gap */
	unsigned pieces;
	unsigned syncs;
	unsigned unwritten; /* of them: for which pieces were missing */
} seen;

int
sync_file_range(int fd, off64_t at, off64_t len, unsigned flags)
{
	if (seen.fails) {
		errno = seen.fails;
		seen.fails = 0;
		return -1;
	}
	if (len <= PIECE_MAX && (uint64_t)at == seen.end) {
		seen.fd = fd;
		seen.end += (uint64_t)len;
		seen.pieces++;
	}
	return (int)syscall(SYS_sync_file_range, fd, at, len, flags);
}

int
fdatasync(int fd)
{
	struct stat sb;

	/* Other files are synced, too, and have no pieces. */
	if (fd == seen.fd && fstat(fd, &sb) == 0) {
		seen.syncs++;
		seen.unwritten += seen.end < (uint64_t)sb.st_size;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void
fold_rows(struct storefix *fx)
{
	char topic[24], data[128];

	snprintf(data, sizeof(data), "\"%0100d\"", 1);
	for (int i = 0; i < ROWS; i++) {
		snprintf(topic, sizeof(topic), "row.%d", i);
		storefix_fold(fx, topic, "x_set", data);
	}
	storefix_commit(fx);
}

static void
watch(int fails)
{
	memset(&seen, 0, sizeof(seen));
	seen.fd = -1;
	seen.fails = fails;
}

/* A syncer that has come round, and ended. */
static void
run_syncer(struct storefix *fx, int fails)
{
	CLEANUP(store_sync_stopp) struct store_sync *sy = NULL;
	struct reason why = { "" };

	watch(fails);
	if (store_sync_start(fx->st, fx->opt.dir, &sy, &why) < 0)
		fail_msg("%s", why.text);
}

static uint64_t
length_of_state(struct storefix *fx)
{
	struct stat sb;

	assert_int_equal(
	    stat(tmpdir_path(fx->dir, "broker/state/data.mdb"), &sb), 0);
	assert_in_range(sb.st_size, LENGTH_MIN, INT64_MAX);
	return (uint64_t)sb.st_size;
}

static void
what_is_committed_is_written_out_piece_by_piece(void **state)
{
	struct storefix *fx = *state;

	fold_rows(fx);
	run_syncer(fx, 0);
	assert_in_range(seen.end, length_of_state(fx), UINT64_MAX);
	assert_in_range(seen.pieces, LENGTH_MIN / PIECE_MAX, UINT32_MAX);
}

static void
at_the_end_it_is_synced_behind_that(void **state)
{
	struct storefix *fx = *state;

	fold_rows(fx);
	watch(0);
	fx->st = store_free(fx->st);
	assert_in_range(seen.end, length_of_state(fx), UINT64_MAX);
	assert_in_range(seen.syncs, 1, UINT32_MAX);
	assert_int_equal(seen.unwritten, 0);
	storefix_open(fx);
	assert_int_equal(store_fold_seq(fx->st), ROWS);
}

static void
a_piece_that_fails_has_the_next_start_fold_anew(void **state)
{
	struct storefix *fx = *state;

	storefix_fold(fx, "a", "x_set", "1");
	storefix_commit(fx);
	run_syncer(fx, EIO);
	assert_int_equal(seen.fails, 0);
	fx->st = store_free(fx->st);
	storefix_open(fx);
	assert_int_equal(store_fold_seq(fx->st), 0);
}

static void
one_that_fails_at_the_end_does_so_too(void **state)
{
	struct storefix *fx = *state;

	storefix_fold(fx, "a", "x_set", "1");
	storefix_commit(fx);
	watch(EIO);
	fx->st = store_free(fx->st);
	assert_int_equal(seen.fails, 0);
	storefix_open(fx);
	assert_int_equal(store_fold_seq(fx->st), 0);
}

#define T(fn) \
	cmocka_unit_test_setup_teardown(fn, storefix_setup, storefix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_committed_is_written_out_piece_by_piece),
		T(at_the_end_it_is_synced_behind_that),
		T(a_piece_that_fails_has_the_next_start_fold_anew),
		T(one_that_fails_at_the_end_does_so_too),
	};

	return cmocka_run_group_tests_name("store sync", tests, NULL, NULL);
}
