/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The retainer's thread at a log on disk, which writes as pwritev(2) of this
 * program does, and so may be made to write what it was not told to.
 */

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "log/segment.h"
#include "tests/lib/logfix.h"
#include "writer/retainer.h"

enum {
	PACK_BLOCKS = 64, /* where the first one is in a packed segment */
	SEGMENT = 32 << 10,
	DEADLINE = 300, /* seconds; it takes some milliseconds */
};

static atomic_uint packings;
static sem_t swapped; /* a segment gave way to its packed form */

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	uint8_t bytes[SEGMENT];
	struct iovec wrong = { bytes, iov[0].iov_len };

	if (at != PACK_BLOCKS || atomic_fetch_add(&packings, 1) > 0)
		return syscall(SYS_pwritev, fd, iov, n, at, 0);
	assert_in_range(wrong.iov_len, 1, sizeof(bytes));
	memcpy(bytes, iov[0].iov_base, wrong.iov_len);
	bytes[wrong.iov_len / 2] ^= 1;
	return syscall(SYS_pwritev, fd, &wrong, 1, at, 0);
}

int
unlinkat(int dirfd, const char *name, int flags)
{
	int err = (int)syscall(SYS_unlinkat, dirfd, name, flags);
	size_t len = strlen(name);

	if (err == 0 && len > 4 && strcmp(name + len - 4, ".seg") == 0)
		(void)sem_post(&swapped);
	return err;
}

static void
await_packed(size_t n)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE;
	for (; n > 0; n--) {
		int err;

		do {
			err = sem_timedwait(&swapped, &until);
		} while (err < 0 && errno == EINTR);
		if (err < 0)
			fail_msg("%d more are not packed", (int)n);
	}
}

/* How many segments there are; which of them is not packed, by its place. */
static size_t
look(struct logfix *fx, size_t unpacked[3])
{
	struct segment_list list;
	size_t n = 0, found = 0;

	assert_int_equal(
	    segment_list_read(fx->io, fx->dirfd, &list, &fx->why), 0);
	for (; n < list.n; n++)
		if (!list.v[n].packed && found < 3)
			unpacked[found++] = n;
	segment_list_deinit(&list);
	return n;
}

static void
a_segment_that_cannot_be_packed_is_left_and_the_others_are_not(void **state)
{
	struct logfix *fx = *state;
	struct retainer_options opt = { .dirfd = fx->dirfd,
		.oldest = 1,
		.keep_bytes = UINT64_MAX,
		.pack = true };
	struct retainer *r = NULL;
	struct retainer_counts counts;
	size_t unpacked[3], n, more;

	assert_int_equal(sem_init(&swapped, 0, 0), 0);
	fx->segment_bytes = SEGMENT;
	logfix_start(fx);
	logfix_fill(fx, 30, 3);
	opt.log = fx->lw;
	n = look(fx, unpacked);
	assert_true(n > 4);
	assert_int_equal(retainer_start(&opt, &r, &fx->why), 0);
	/* But for the first one and the two newest. */
	await_packed(n - 3);
	logfix_fill(fx, 30, 3);
	more = look(fx, unpacked) - n;
	assert_true(more > 1);
	retainer_nudge(r);
	await_packed(more);
	retainer_counts(r, &counts);
	assert_int_equal(counts.failed, 1);
	assert_null(retainer_stop(r));
	assert_int_equal(look(fx, unpacked), n + more);
	assert_int_equal(unpacked[0], 0);
	assert_int_equal(unpacked[1], n + more - 2);
	assert_int_equal(atomic_load(&packings), n + more - 2);
	/* The next process tries it again. */
	assert_int_equal(retainer_start(&opt, &r, &fx->why), 0);
	await_packed(1);
	assert_null(retainer_stop(r));
	look(fx, unpacked);
	assert_int_equal(unpacked[0], n + more - 2);
	logfix_expect(fx, 180);
	(void)sem_destroy(&swapped);
}

/* So many segments more; the retainer has looked at them when it packed. */
static void
grow(struct logfix *fx, struct retainer *r)
{
	size_t unpacked[3], n = look(fx, unpacked);

	logfix_fill(fx, 30, 3);
	n = look(fx, unpacked) - n;
	assert_true(n > 1);
	retainer_nudge(r);
	await_packed(n);
}

/* The seq of the event before the second newest segment. */
static uint64_t
before_newest(struct logfix *fx)
{
	struct segment_list list;
	uint64_t seq;

	assert_int_equal(
	    segment_list_read(fx->io, fx->dirfd, &list, &fx->why), 0);
	assert_true(list.n > 2);
	seq = list.v[list.n - 2].header.first_seq - 1;
	segment_list_deinit(&list);
	return seq;
}

static void
what_clients_need_is_not_known_before_the_broker_says_so(void **state)
{
	struct logfix *fx = *state;
	struct retainer_options opt = { .dirfd = fx->dirfd,
		.oldest = 1,
		.hold_bytes = UINT64_MAX,
		.pack = true };
	struct retainer *r = NULL;
	struct retainer_counts counts;
	size_t unpacked[3], n;
	uint64_t seq;
	int fd = dup(fx->dirfd);

	assert_int_equal(sem_init(&swapped, 0, 0), 0);
	/* Nothing is written wrongly here. */
	atomic_store(&packings, 1);
	fx->segment_bytes = SEGMENT;
	logfix_start(fx);
	opt.log = fx->lw;
	logfix_fill(fx, 20, 3);
	n = look(fx, unpacked);
	assert_true(n > 3);
	assert_int_equal(retainer_start(&opt, &r, &fx->why), 0);
	await_packed(n - 2);
	grow(fx, r);
	assert_int_equal(retainer_wanted(r), 0);
	retainer_counts(r, &counts);
	assert_true(counts.held > 0);
	retainer_need(r, 0);
	grow(fx, r);
	seq = retainer_wanted(r);
	assert_in_range(seq, 1, before_newest(fx));
	/* What was asked for stays so: rows take their time to come. */
	grow(fx, r);
	assert_true(before_newest(fx) > seq);
	assert_int_equal(retainer_wanted(r), seq);
	assert_int_equal(retainer_hand(r, 0, fd), RETAINER_UNWANTED);
	assert_int_equal(retainer_hand(r, seq + 1, fd), RETAINER_UNWANTED);
	assert_null(retainer_stop(r));
	assert_int_equal(close(fd), 0);
	(void)sem_destroy(&swapped);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_segment_that_cannot_be_packed_is_left_and_the_others_are_not,
		    logfix_setup, logfix_teardown),
		cmocka_unit_test_setup_teardown(
		    what_clients_need_is_not_known_before_the_broker_says_so,
		    logfix_setup, logfix_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
