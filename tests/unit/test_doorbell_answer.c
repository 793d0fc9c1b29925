/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Answers that no honest writer gives, and readers that are gone before they
 * get theirs: a sentence, and neither side keeps a descriptor or a seat.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/reason.h"
#include "shm/doorbell.h"
#include "shm/ring_layout_priv.h"
#include "shm/stats.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/ringfix.h"

struct bellfix {
	struct ringfix ring;
	int page; /* a good status page */
};

static int
setup(void **state)
{
	struct bellfix *fx = calloc(1, sizeof(*fx));

	assert_non_null(fx);
	ringfix_dir(&fx->ring);
	ringfix_open(&fx->ring);
	ringfix_listen(&fx->ring, 0);
	fx->page = memfd_create("page", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fx->page, RING_PAGE), 0);
	*state = fx;
	return 0;
}

static int
teardown(void **state)
{
	struct bellfix *fx = *state;

	closep(&fx->page);
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
		.fds = { ring_writer_reader_fd(fx->ring.writer), fx->ring.listener,
			fx->page },
		.n = 3,
	};

	memcpy(a.reply.log_id, fx->ring.opt.log_id, sizeof(a.reply.log_id));
	return a;
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
	sock = accept4(fx->ring.listener, NULL, NULL, SOCK_CLOEXEC);
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
	unsigned before = descriptors_open();
	struct reason why = { "" };

	assert_int_equal(answered(fx, a, &why), err);
	if (!strstr(why.text, text))
		fail_msg("'%s' lacks '%s'", why.text, text);
	assert_int_equal(descriptors_open(), before);
}

static void
an_answer_of_another_form_is_refused_and_nothing_of_it_kept(void **state)
{
	const char *text = "the answer on 'ring.sock' is not of version 1";
	struct bellfix *fx = *state;
	struct answer a = good_answer(fx);

	assert_answer(fx, &a, 0, "");
	a.len--;
	assert_answer(fx, &a, -EPROTO, text);
	a.len++;
	for (a.n = 0; a.n < 3; a.n++)
		assert_answer(fx, &a, -EPROTO, text);
	assert_answer(fx, &a, 0, "");
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
#define AT(member) offsetof(struct ring_attach_reply, member)
	static const struct {
		size_t byte;
		const char *text;
	} rows[] = {
		{ AT(magic), "is not of version 1" },
		{ AT(magic) + 1, "is not of version 1" },
		{ AT(version), "is not of version 1" },
		{ AT(version) + 1, "is not of version 1" },
		{ AT(log_id), "is not the one announced" },
		{ AT(log_id) + 15, "is not the one announced" },
		{ AT(epoch), "is not the one announced" },
		{ AT(incarnation), "is not the one announced" },
	};
#undef AT
	struct bellfix *fx = *state;
	struct answer a = good_answer(fx);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		((uint8_t *)&a.reply)[rows[i].byte] ^= 1;
		assert_answer(fx, &a, -EPROTO, rows[i].text);
		((uint8_t *)&a.reply)[rows[i].byte] ^= 1;
	}
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
	unsigned before = descriptors_open();
	int sock = gone();

	for (unsigned i = 0; i < 2 * DOORBELL_READERS; i++)
		assert_int_equal(
		    doorbell_hub_add(fx->ring.hub, sock, "tail", 17), -EPIPE);
	assert_int_equal(
	    ring_reader_seats(fx->ring.reader, seats, RING_SEATS), 0);
	assert_int_equal(counter(fx, STATS_WRITER_readers), 0);
	doorbell_hub_refuse(fx->ring.hub, sock, DOORBELL_ACCOUNT);
	assert_int_equal(counter(fx, STATS_WRITER_rejected_readers), 1);
	(void)close(sock);
	assert_int_equal(descriptors_open(), before);
	/* Slots that nobody has are none to remove. */
	doorbell_hub_remove(fx->ring.hub, -1);
	doorbell_hub_remove(fx->ring.hub, DOORBELL_READERS);
	assert_int_equal(counter(fx, STATS_WRITER_readers), 0);
}

static void
without_descriptors_a_seat_stays_free_and_later_serves(void **state)
{
	struct bellfix *fx = *state;
	unsigned before;
	int s[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s), 0);
	before = descriptors_open();
	/* Two ends of the bell and the page. */
	for (unsigned n = 0; n <= 3; n++) {
		struct rlimit old = descriptors_leave(n);
		int slot = doorbell_hub_add(fx->ring.hub, s[0], "tail", 17);

		descriptors_restore(&old);
		assert_int_equal(slot, n < 3 ? -EMFILE : 0);
		assert_int_equal(counter(fx, STATS_WRITER_readers), n == 3);
		if (n < 3)
			assert_int_equal(descriptors_open(), before);
	}
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
