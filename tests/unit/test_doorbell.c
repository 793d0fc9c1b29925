/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attaching, parking and waking, both sides in one process; a thread serves
 * ring.sock where the reader waits for an answer.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/reason.h"
#include "core/time.h"
#include "shm/doorbell.h"
#include "shm/ring_layout_priv.h"
#include "shm/stats.h"
#include "tests/lib/ringfix.h"

enum {
	WAIT_MS = 300000
};

struct bellfix {
	struct ringfix ring;
	int sock; /* of the one that was served last */
	int slot; /* what doorbell_hub_add() returned */
	bool refuse;
	char role[DOORBELL_ROLE];
};

static bool
readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static int
setup(void **state)
{
	struct bellfix *fx = calloc(1, sizeof(*fx));

	assert_non_null(fx);
	ringfix_dir(&fx->ring);
	ringfix_open(&fx->ring);
	ringfix_listen(&fx->ring, 0);
	fx->sock = -1;
	*state = fx;
	return 0;
}

static int
teardown(void **state)
{
	struct bellfix *fx = *state;

	closep(&fx->sock);
	ringfix_close(&fx->ring);
	free(fx);
	return 0;
}

/* The writer's side of one attachment. */
static void *
serve(void *arg)
{
	struct bellfix *fx = arg;
	int err;

	closep(&fx->sock);
	if (!readable(fx->ring.listener, WAIT_MS))
		return NULL;
	fx->sock = accept4(
	    fx->ring.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fx->sock < 0 || !readable(fx->sock, WAIT_MS))
		return NULL;
	err = doorbell_hub_request(fx->sock, fx->role);
	if (fx->refuse)
		doorbell_hub_refuse(fx->ring.hub, fx->sock, DOORBELL_ACCOUNT);
	else
		fx->slot = err < 0 ? err
				   : doorbell_hub_add(fx->ring.hub, fx->sock,
					 fx->role, 4711);
	return NULL;
}

static int
attach(struct bellfix *fx, struct doorbell **bell, struct ring_reader **rd,
    struct reason *why)
{
	pthread_t thread;
	int err;

	assert_int_equal(pthread_create(&thread, NULL, serve, fx), 0);
	err = doorbell_attach(fx->ring.dir, "gateway", bell, rd, why);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return err;
}

struct attached {
	struct doorbell *bell;
	struct ring_reader *rd;
};

static struct attached
attach_well(struct bellfix *fx)
{
	struct reason why = { "" };
	struct attached a = { NULL, NULL };

	if (attach(fx, &a.bell, &a.rd, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(fx->slot >= 0);
	return a;
}

static void
detach(struct attached *a)
{
	a->bell = doorbell_free(a->bell);
	a->rd = ring_reader_free(a->rd);
}

static void
read_all(struct ring_reader *rd)
{
	struct ring_event ev[8];
	uint8_t buf[4096];
	uint32_t n;
	size_t need;
	int found;

	do {
		found =
		    ring_reader_read(rd, ev, 8, buf, sizeof(buf), &n, &need);
	} while (found == RING_EVENT);
	assert_int_equal(found, RING_EMPTY);
}

static uint64_t
writer_counter(struct bellfix *fx, unsigned i)
{
	return stats_get(ring_writer_stats(fx->ring.writer), i);
}

static void
an_attached_reader_reads_the_ring_that_was_handed_over(void **state)
{
	struct bellfix *fx = *state;
	struct attached a = attach_well(fx);
	const struct ring_info *info = ring_reader_info(a.rd);

	assert_string_equal(fx->role, "gateway");
	assert_memory_equal(info->log_id, fx->ring.opt.log_id, 16);
	assert_int_equal(info->epoch, 5);
	assert_int_equal(info->incarnation, 6);
	assert_int_equal(info->topic_key.k[1], 8);
	assert_int_equal(writer_counter(fx, STATS_WRITER_readers), 1);
	detach(&a);
}

static void
a_parked_reader_is_rung_once(void **state)
{
	struct bellfix *fx = *state;
	struct attached a = attach_well(fx);

	assert_true(doorbell_park(a.bell, a.rd));
	assert_false(readable(doorbell_fd(a.bell), 0));
	ringfix_publish(&fx->ring, 1);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 1);
	ringfix_publish(&fx->ring, 1);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 0);
	assert_true(readable(doorbell_fd(a.bell), WAIT_MS));
	assert_true(doorbell_awake(a.bell, a.rd, true));
	assert_false(readable(doorbell_fd(a.bell), 0));
	/* Awake again, it need not be rung. */
	ringfix_publish(&fx->ring, 1);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 0);
	read_all(a.rd);
	/* A second time, as if for the first. */
	assert_true(doorbell_park(a.bell, a.rd));
	ringfix_publish(&fx->ring, 1);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 1);
	assert_true(doorbell_awake(a.bell, a.rd, true));
	assert_int_equal(doorbell_missed(a.bell), 0);
	detach(&a);
}

static void
a_reader_that_is_awake_is_not_rung(void **state)
{
	struct bellfix *fx = *state;
	struct attached a = attach_well(fx);

	ringfix_publish(&fx->ring, 1);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 0);
	assert_false(doorbell_park(a.bell, a.rd));
	ringfix_publish(&fx->ring, 1);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 0);
	detach(&a);
}

static void
only_a_ring_that_was_claimed_and_not_heard_counts_as_missed(void **state)
{
	struct bellfix *fx = *state;
	struct attached a = attach_well(fx);
	struct ring_seat_info seats[RING_SEATS];
	uint64_t before;
	char byte;

	/* The timer comes between commit and ring: nobody is to blame. */
	assert_true(doorbell_park(a.bell, a.rd));
	ringfix_publish(&fx->ring, 1);
	assert_true(doorbell_awake(a.bell, a.rd, false));
	assert_int_equal(doorbell_missed(a.bell), 0);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 0);
	read_all(a.rd);
	/* Nothing came at all. */
	assert_true(doorbell_park(a.bell, a.rd));
	assert_true(doorbell_awake(a.bell, a.rd, false));
	assert_int_equal(doorbell_missed(a.bell), 0);
	/* The doorbell is stolen. */
	assert_true(doorbell_park(a.bell, a.rd));
	ringfix_publish(&fx->ring, 1);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 1);
	assert_int_equal(recv(doorbell_fd(a.bell), &byte, 1, 0), 1);
	assert_true(doorbell_awake(a.bell, a.rd, false));
	assert_int_equal(doorbell_missed(a.bell), 1);
	doorbell_hub_copy(fx->ring.hub);
	doorbell_hub_copy(fx->ring.hub);
	assert_int_equal(writer_counter(fx, STATS_WRITER_missed_wakeups), 1);
	/* Who has not slept was not woken. */
	before = time_mono_ns();
	assert_true(doorbell_awake(a.bell, a.rd, false));
	doorbell_hub_copy(fx->ring.hub);
	assert_int_equal(
	    ring_reader_seats(fx->ring.reader, seats, RING_SEATS), 1);
	assert_int_equal(seats[0].missed, 1);
	assert_int_equal(seats[0].wakeups, 3);
	assert_true(seats[0].heartbeat_ns >= before);
	detach(&a);
}

static void
a_reader_that_sleeps_through_a_thousand_rings_blocks_nobody(void **state)
{
	struct bellfix *fx = *state;
	struct attached a = attach_well(fx);

	/* As one who parks anew each time and never listens. */
	for (unsigned i = 0; i < 1000; i++) {
		read_all(a.rd);
		assert_true(doorbell_park(a.bell, a.rd));
		ringfix_publish(&fx->ring, 1);
		(void)doorbell_hub_ring(fx->ring.hub);
	}
	assert_true(doorbell_awake(a.bell, a.rd, true));
	assert_false(readable(doorbell_fd(a.bell), 0));
	detach(&a);
}

static void
the_bell_becomes_readable_when_the_writer_goes(void **state)
{
	struct bellfix *fx = *state;
	struct attached a = attach_well(fx);
	char byte;

	assert_true(doorbell_park(a.bell, a.rd));
	ringfix_publish(&fx->ring, 1);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 1);
	assert_int_equal(recv(doorbell_fd(a.bell), &byte, 1, 0), 1);
	fx->ring.hub = doorbell_hub_free(fx->ring.hub);
	assert_true(readable(doorbell_fd(a.bell), WAIT_MS));
	assert_false(doorbell_awake(a.bell, a.rd, true));
	/* Of one who has gone there is nothing to be missed. */
	assert_int_equal(doorbell_missed(a.bell), 0);
	detach(&a);
}

static unsigned
status_pages(void)
{
	return ringfix_mappings("memfd:peal-reader");
}

static void
the_attachment_closes_when_the_reader_goes(void **state)
{
	struct bellfix *fx = *state;
	struct attached a = attach_well(fx);
	int slot = fx->slot;
	char byte;

	assert_true(doorbell_park(a.bell, a.rd));
	detach(&a);
	assert_true(readable(fx->sock, WAIT_MS));
	assert_int_equal(recv(fx->sock, &byte, 1, 0), 0);
	/* Rung before it is noticed: no signal, no error. */
	ringfix_publish(&fx->ring, 1);
	assert_int_equal(doorbell_hub_ring(fx->ring.hub), 0);
	assert_int_equal(status_pages(), 1);
	doorbell_hub_remove(fx->ring.hub, slot);
	doorbell_hub_remove(fx->ring.hub, slot);
	assert_int_equal(status_pages(), 0);
	assert_int_equal(writer_counter(fx, STATS_WRITER_readers), 0);
	a = attach_well(fx);
	assert_int_equal(fx->slot, slot);
	detach(&a);
}

static void
tools_see_who_is_attached(void **state)
{
	struct bellfix *fx = *state;
	struct attached a = attach_well(fx);
	struct ring_seat_info seats[RING_SEATS];
	uint64_t before = time_mono_ns(), after;

	doorbell_report(
	    a.bell, &(struct doorbell_report){
			.position = 17, .clients = 3, .lapped = 2 });
	assert_true(doorbell_park(a.bell, a.rd));
	after = time_mono_ns();
	doorbell_hub_copy(fx->ring.hub);
	assert_int_equal(
	    ring_reader_seats(fx->ring.reader, seats, RING_SEATS), 1);
	assert_string_equal(seats[0].role, "gateway");
	assert_int_equal(seats[0].pid, 4711);
	assert_int_equal(seats[0].position, 17);
	assert_int_equal(seats[0].clients, 3);
	assert_int_equal(seats[0].lapped, 2);
	assert_true(seats[0].parked);
	/* Its own: one that stands still must not look alive. */
	assert_true(seats[0].heartbeat_ns >= before);
	assert_true(seats[0].heartbeat_ns <= after);
	doorbell_hub_remove(fx->ring.hub, fx->slot);
	assert_int_equal(
	    ring_reader_seats(fx->ring.reader, seats, RING_SEATS), 0);
	detach(&a);
	/* Whoever sits there next begins with nothing, and alive. */
	before = time_mono_ns();
	a = attach_well(fx);
	assert_int_equal(
	    ring_reader_seats(fx->ring.reader, seats, RING_SEATS), 1);
	assert_int_equal(seats[0].position, 0);
	assert_int_equal(seats[0].clients, 0);
	assert_int_equal(seats[0].lapped, 0);
	assert_false(seats[0].parked);
	assert_true(seats[0].heartbeat_ns >= before);
	detach(&a);
}

static void
the_sixty_fifth_reader_is_refused_with_a_sentence(void **state)
{
	struct bellfix *fx = *state;
	struct attached a[DOORBELL_READERS], more;
	int socks[DOORBELL_READERS];
	struct reason why = { "" };

	for (unsigned i = 0; i < DOORBELL_READERS; i++) {
		a[i] = attach_well(fx);
		assert_int_equal(fx->slot, i);
		socks[i] = TAKE_FD(fx->sock);
	}
	assert_int_equal(attach(fx, &more.bell, &more.rd, &why), -EUSERS);
	assert_non_null(strstr(why.text, "ring.sock"));
	assert_int_equal(fx->slot, -EUSERS);
	assert_int_equal(writer_counter(fx, STATS_WRITER_rejected_readers), 1);
	assert_int_equal(writer_counter(fx, STATS_WRITER_readers), 64);
	for (unsigned i = 0; i < DOORBELL_READERS; i++) {
		detach(&a[i]);
		closep(&socks[i]);
	}
}

static void
an_account_that_may_not_read_is_refused(void **state)
{
	struct bellfix *fx = *state;
	struct attached a;
	struct reason why;

	fx->refuse = true;
	assert_int_equal(attach(fx, &a.bell, &a.rd, &why), -EACCES);
	assert_int_equal(writer_counter(fx, STATS_WRITER_rejected_readers), 1);
}

static void
without_a_writer_attaching_says_so(void **state)
{
	struct bellfix *fx = *state;
	struct attached a;
	struct reason why;

	closep(&fx->ring.listener);
	assert_int_equal(
	    doorbell_attach(fx->ring.dir, "tail", &a.bell, &a.rd, &why),
	    -ECONNREFUSED);
	assert_int_equal(unlinkat(fx->ring.dirfd, "ring.sock", 0), 0);
	assert_int_equal(
	    doorbell_attach(fx->ring.dir, "tail", &a.bell, &a.rd, &why),
	    -ENOENT);
	assert_non_null(strstr(why.text, "ring.sock"));
}

static void
ignore(int sig)
{
}

static void
a_writer_that_never_answers_is_given_up(void **state)
{
	struct bellfix *fx = *state;
	const struct itimerval often = { { 0, 100000 }, { 0, 100000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction act = { .sa_handler = ignore }, old;
	struct attached a;
	struct reason why;
	int err;

	/* Not because of a signal, and not later for them. */
	assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	err = doorbell_attach(fx->ring.dir, "tail", &a.bell, &a.rd, &why);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	assert_int_equal(err, -ETIMEDOUT);
}

/* Requests as strangers would send them, to a hub that is not impressed. */
static void
a_request_that_is_none_is_refused(void **state)
{
	char packet[64] = "PEALRING\1\0\0\0\0\0\0\0gateway";
	char role[DOORBELL_ROLE];
	int s[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s), 0);
	assert_int_equal(doorbell_hub_request(s[0], role), -EAGAIN);
	assert_int_equal(send(s[1], packet, 32, 0), 32);
	assert_int_equal(doorbell_hub_request(s[0], role), 0);
	assert_string_equal(role, "gateway");
	assert_int_equal(send(s[1], packet, 31, 0), 31);
	assert_int_equal(doorbell_hub_request(s[0], role), -EPROTO);
	assert_int_equal(send(s[1], packet, 33, 0), 33);
	assert_true(doorbell_hub_request(s[0], role) < 0);
	packet[20] = '\33';
	assert_int_equal(send(s[1], packet, 32, 0), 32);
	assert_int_equal(doorbell_hub_request(s[0], role), -EPROTO);
	memset(packet + 16, 'x', 16);
	assert_int_equal(send(s[1], packet, 32, 0), 32);
	assert_int_equal(doorbell_hub_request(s[0], role), -EPROTO);
	packet[31] = '\0';
	packet[0] = 'p';
	assert_int_equal(send(s[1], packet, 32, 0), 32);
	assert_int_equal(doorbell_hub_request(s[0], role), -EPROTO);
	packet[0] = 'P';
	packet[8] = 2;
	assert_int_equal(send(s[1], packet, 32, 0), 32);
	assert_int_equal(doorbell_hub_request(s[0], role), -EPROTO);
	(void)close(s[1]);
	assert_int_equal(doorbell_hub_request(s[0], role), -ECONNRESET);
	(void)close(s[0]);
}

/* What a hostile reader has in hands: it can hurt nobody but itself. */
static void
neither_ring_nor_status_page_can_be_bent_by_a_reader(void **state)
{
	struct bellfix *fx = *state;
	char reply[64];
	char request[32] = "PEALRING\1\0\0\0\0\0\0\0gateway";
	uint64_t missed = UINT64_C(1) << 40;
	char path[128];
	unsigned n = 3;
	int sock, fds[3];

	snprintf(path, sizeof(path), "%s/ring.sock", fx->ring.dir);
	assert_int_equal(frame_connect(path, SOCK_SEQPACKET, &sock, NULL), 0);
	assert_int_equal(send(sock, request, 32, 0), 32);
	serve(fx);
	assert_int_equal(
	    frame_recv_fds(sock, reply, sizeof(reply), fds, &n), 48);
	assert_int_equal(n, 3);
	assert_ptr_equal(
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0),
	    MAP_FAILED);
	assert_int_equal(write(fds[0], "x", 1), -1);
	assert_int_equal(ftruncate(fds[2], 0), -1);
	assert_int_equal(ftruncate(fds[2], 8192), -1);
	assert_int_equal(fcntl(fds[2], F_ADD_SEALS, F_SEAL_WRITE), -1);
	/* What it makes up there moves a counter by a thousand at most. */
	assert_int_equal(pwrite(fds[2], &missed, sizeof(missed),
			     offsetof(struct ring_status_page, missed)),
	    sizeof(missed));
	doorbell_hub_copy(fx->ring.hub);
	assert_int_equal(writer_counter(fx, STATS_WRITER_missed_wakeups), 1000);
	/* Nor when it takes that back. */
	missed = 0;
	assert_int_equal(pwrite(fds[2], &missed, sizeof(missed),
			     offsetof(struct ring_status_page, missed)),
	    sizeof(missed));
	doorbell_hub_copy(fx->ring.hub);
	assert_int_equal(writer_counter(fx, STATS_WRITER_missed_wakeups), 1000);
	for (unsigned i = 0; i < 3; i++)
		(void)close(fds[i]);
	(void)close(sock);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_attached_reader_reads_the_ring_that_was_handed_over),
		TEST(a_parked_reader_is_rung_once),
		TEST(a_reader_that_is_awake_is_not_rung),
		TEST(
		    only_a_ring_that_was_claimed_and_not_heard_counts_as_missed),
		TEST(
		    a_reader_that_sleeps_through_a_thousand_rings_blocks_nobody),
		TEST(the_bell_becomes_readable_when_the_writer_goes),
		TEST(the_attachment_closes_when_the_reader_goes),
		TEST(tools_see_who_is_attached),
		TEST(the_sixty_fifth_reader_is_refused_with_a_sentence),
		TEST(an_account_that_may_not_read_is_refused),
		TEST(without_a_writer_attaching_says_so),
		TEST(a_writer_that_never_answers_is_given_up),
		TEST(a_request_that_is_none_is_refused),
		TEST(neither_ring_nor_status_page_can_be_bent_by_a_reader),
	};

	return cmocka_run_group_tests_name("doorbell", tests, NULL, NULL);
}
