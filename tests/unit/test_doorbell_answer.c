/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Answers that no honest writer gives, and readers that are gone before they
 * get theirs: a sentence, and neither side keeps a descriptor or a seat.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/reason.h"
#include "shm/doorbell.h"
#include "shm/ring_layout_priv.h"
#include "shm/stats.h"
#include "tests/lib/ringfix.h"

struct bellfix {
	struct ringfix ring;
	struct doorbell_hub *hub;
	int listener;
	int page; /* a good status page */
};

static int
setup(void **state)
{
	struct bellfix *fx = calloc(1, sizeof(*fx));
	char path[128];

	assert_non_null(fx);
	ringfix_dir(&fx->ring);
	ringfix_open(&fx->ring);
	assert_int_equal(doorbell_hub_new(fx->ring.writer, &fx->hub), 0);
	snprintf(path, sizeof(path), "%s/ring.sock", fx->ring.dir);
	assert_int_equal(
	    frame_listen(path, SOCK_SEQPACKET, 0600, &fx->listener, NULL), 0);
	fx->page = memfd_create("page", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fx->page, RING_PAGE), 0);
	*state = fx;
	return 0;
}

static int
teardown(void **state)
{
	struct bellfix *fx = *state;

	doorbell_hub_free(fx->hub);
	closep(&fx->page);
	closep(&fx->listener);
	ringfix_close(&fx->ring);
	free(fx);
	return 0;
}

/* What the writer answers; none of these descriptors is passed on. */
struct answer {
	struct ring_attach_reply reply;
	size_t len;
	int fds[3];
	unsigned n;
};

static struct answer
good_answer(const struct bellfix *fx)
{
	struct answer a = {
		.reply = {
			.magic = RING_MAGIC,
			.version = RING_VERSION,
			.epoch = fx->ring.opt.epoch,
			.incarnation = fx->ring.opt.incarnation,
		},
		.len = sizeof(a.reply),
		.fds = { ring_writer_reader_fd(fx->ring.writer), fx->listener,
			fx->page },
		.n = 3,
	};

	memcpy(a.reply.log_id, fx->ring.opt.log_id, sizeof(a.reply.log_id));
	return a;
}

static unsigned
open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A reader asks and is answered so, or the writer hangs up where a is NULL. */
static int
answered(struct bellfix *fx, const struct answer *a, struct reason *why)
{
	CLEANUP(ring_reader_freep) struct ring_reader *ring = NULL;
	CLEANUP(doorbell_freep) struct doorbell *bell = NULL;
	CLEANUP(closep) int sock = -1;
	char role[DOORBELL_ROLE];

	assert_int_equal(doorbell_ask(fx->ring.dir, "tail", &bell, why), 0);
	assert_true(doorbell_sock(bell) >= 0);
	sock = accept4(fx->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(doorbell_hub_request(sock, role), 0);
	if (a)
		assert_int_equal(
		    frame_send_fds(sock, &a->reply, a->len, a->fds, a->n), 0);
	else
		closep(&sock);
	return doorbell_answer(bell, &ring, why);
}

static void
assert_answer(
    struct bellfix *fx, const struct answer *a, int err, const char *text)
{
	unsigned before = open_descriptors();
	struct reason why = { "" };

	assert_int_equal(answered(fx, a, &why), err);
	if (!strstr(why.text, text))
		fail_msg("'%s' lacks '%s'", why.text, text);
	assert_int_equal(open_descriptors(), before);
}

static void
an_answer_of_another_form_is_refused_and_nothing_of_it_kept(void **state)
{
	const char *text = "the answer on 'ring.sock' is not of version 1";
	struct bellfix *fx = *state;
	const struct answer good = good_answer(fx);
	struct answer a = good;

	assert_answer(fx, &a, 0, "");
	a.len--;
	assert_answer(fx, &a, -EPROTO, text);
	a = good;
	a.reply.magic++;
	assert_answer(fx, &a, -EPROTO, text);
	a = good;
	a.reply.version++;
	assert_answer(fx, &a, -EPROTO, text);
	a = good;
	a.n = 2;
	assert_answer(fx, &a, -EPROTO, text);
	a.n = 0;
	assert_answer(fx, &a, -EPROTO, text);
	assert_answer(
	    fx, NULL, -ECONNREFUSED, "the writer hung up on 'ring.sock'");
}

static void
before_its_answer_a_reader_is_told_to_wait(void **state)
{
	CLEANUP(doorbell_freep) struct doorbell *bell = NULL;
	struct ring_reader *ring = NULL;
	struct bellfix *fx = *state;
	struct reason why = { "" };

	assert_int_equal(doorbell_ask(fx->ring.dir, "tail", &bell, &why), 0);
	assert_int_equal(doorbell_answer(bell, &ring, &why), -EAGAIN);
	assert_non_null(strstr(why.text, "cannot receive on 'ring.sock'"));
	assert_null(ring);
}

static void
a_refusal_counts_whatever_comes_with_it(void **state)
{
	const struct {
		uint32_t refused;
		int err;
	} rows[] = {
		{ DOORBELL_FULL, -EUSERS },
		{ DOORBELL_ACCOUNT, -EACCES },
		{ DOORBELL_ACCOUNT + 1, -ECONNREFUSED },
		{ UINT32_MAX, -ECONNREFUSED },
	};
	const char *text = "the writer refused us on 'ring.sock'";
	struct bellfix *fx = *state;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer a = good_answer(fx);

		a.reply.refused = rows[i].refused;
		assert_answer(fx, &a, rows[i].err, text);
		a.n = 1;
		assert_answer(fx, &a, rows[i].err, text);
		a.n = 0;
		assert_answer(fx, &a, rows[i].err, text);
	}
}

static void
a_status_page_that_cannot_be_written_is_refused(void **state)
{
	struct bellfix *fx = *state;
	struct answer a = good_answer(fx);

	a.fds[2] = a.fds[0];
	assert_answer(fx, &a, -EACCES, "cannot map the status page");
	a.fds[2] = fx->page;
	assert_int_equal(ftruncate(fx->page, RING_PAGE - 1), 0);
	assert_answer(fx, &a, -EPROTO, "the status page is too short");
}

static void
another_ring_than_the_one_announced_is_refused(void **state)
{
	const char *text = "the ring handed over is not the one announced";
	struct bellfix *fx = *state;
	const struct answer good = good_answer(fx);
	struct answer a = good;

	a.reply.epoch++;
	assert_answer(fx, &a, -EPROTO, text);
	a = good;
	a.reply.incarnation++;
	assert_answer(fx, &a, -EPROTO, text);
	a = good;
	a.reply.log_id[15] ^= 1;
	assert_answer(fx, &a, -EPROTO, text);
	a = good;
	a.fds[0] = fx->page;
	assert_answer(fx, &a, -EPROTO, "the ring handed over is no ring");
}

/* The hub's end of a connection whose other end is closed. */
static int
gone(void)
{
	int s[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s), 0);
	(void)close(s[1]);
	return s[0];
}

static uint64_t
counter(const struct bellfix *fx, unsigned i)
{
	return stats_get(ring_writer_stats(fx->ring.writer), i);
}

static void
a_reader_that_has_gone_takes_no_seat(void **state)
{
	struct bellfix *fx = *state;
	struct ring_seat_info seats[RING_SEATS];
	unsigned before = open_descriptors();
	int sock = gone();

	for (unsigned i = 0; i < 2 * DOORBELL_READERS; i++)
		assert_int_equal(
		    doorbell_hub_add(fx->hub, sock, "tail", 17), -EPIPE);
	assert_int_equal(
	    ring_reader_seats(fx->ring.reader, seats, RING_SEATS), 0);
	assert_int_equal(counter(fx, STATS_WRITER_readers), 0);
	doorbell_hub_refuse(fx->hub, sock, DOORBELL_ACCOUNT);
	assert_int_equal(counter(fx, STATS_WRITER_rejected_readers), 1);
	(void)close(sock);
	assert_int_equal(open_descriptors(), before);
	/* Slots that nobody has are none to remove. */
	doorbell_hub_remove(fx->hub, -1);
	doorbell_hub_remove(fx->hub, DOORBELL_READERS);
	assert_int_equal(counter(fx, STATS_WRITER_readers), 0);
}

/* No descriptor above the n lowest that are free now. */
static void
allow_descriptors(struct rlimit old, int n)
{
	int lowest = dup(STDOUT_FILENO);

	assert_true(lowest >= 0);
	(void)close(lowest);
	old.rlim_cur = (rlim_t)(lowest + n);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void
without_descriptors_a_seat_stays_free_and_later_serves(void **state)
{
	struct bellfix *fx = *state;
	unsigned before, failed = 0;
	int s[2], slot = -1;
	struct rlimit old;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	before = open_descriptors();
	for (int n = 0; slot < 0; n++) {
		allow_descriptors(old, n);
		slot = doorbell_hub_add(fx->hub, s[0], "tail", 17);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (slot >= 0)
			break;
		failed++;
		assert_int_equal(slot, -EMFILE);
		assert_int_equal(counter(fx, STATS_WRITER_readers), 0);
		assert_int_equal(open_descriptors(), before);
	}
	/* Two ends of the bell and the page. */
	assert_int_equal(failed, 3);
	assert_int_equal(slot, 0);
	assert_int_equal(counter(fx, STATS_WRITER_readers), 1);
	(void)close(s[0]);
	(void)close(s[1]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(
		    an_answer_of_another_form_is_refused_and_nothing_of_it_kept),
		TEST(before_its_answer_a_reader_is_told_to_wait),
		TEST(a_refusal_counts_whatever_comes_with_it),
		TEST(a_status_page_that_cannot_be_written_is_refused),
		TEST(another_ring_than_the_one_announced_is_refused),
		TEST(a_reader_that_has_gone_takes_no_seat),
		TEST(without_descriptors_a_seat_stays_free_and_later_serves),
	};

	return cmocka_run_group_tests_name(
	    "doorbell_answer", tests, NULL, NULL);
}
