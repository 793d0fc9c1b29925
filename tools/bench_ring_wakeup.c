/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The part of `peal bench ring` that wakes: publish, ring, be woken, read and
 * answer, in turns with a bare doorbell that carries nothing.  Both sleep in
 * poll() and answer on the same socket.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/frame.h"
#include "core/time.h"
#include "shm/doorbell.h"
#include "shm/ring_reader.h"
#include "tools/bench_pairs.h"
#include "tools/bench_ring_priv.h"

enum {
	PINGS = 3001, /* of a round */
	MEDIAN = PINGS / 2,
};

/* One who is woken and answers on a socket of its own. */
struct echo {
	struct doorbell *bell; /* NULL: bare, wait on bell_fd */
	struct ring_reader *rd;
	int bell_fd;
	int answer_fd;
};

static void *
echo_run(void *arg)
{
	struct echo *e = arg;
	struct pollfd p = { .fd = e->bell_fd, .events = POLLIN };
	uint64_t laps = 0;
	char byte;

	for (unsigned i = 0; i < PINGS;) {
		if (e->bell) {
			bool rung = false;

			if (doorbell_park(e->bell, e->rd))
				rung = poll(&p, 1, 100) > 0;
			if (!doorbell_awake(e->bell, e->rd, rung))
				break;
			if (!bench_ring_drain(e->rd, &laps))
				continue;
		} else if (poll(&p, 1, -1) < 0 ||
			   recv(e->bell_fd, &byte, 1, MSG_DONTWAIT) != 1) {
			continue;
		}
		i++;
		if (send(e->answer_fd, "", 1, MSG_NOSIGNAL) != 1)
			break;
	}
	return NULL;
}

static int
compare_uint(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Median of PINGS round trips, in ns; bell_fd is rung where there is no hub. */
static double
ping(struct ring_bench *b, struct echo *e, int bell_fd, int answer_fd)
{
	static uint64_t pings[PINGS];
	pthread_t thread;
	char byte;

	if (pthread_create(&thread, NULL, echo_run, e))
		return 0;
	for (unsigned i = 0; i < PINGS; i++) {
		uint64_t begun = time_mono_ns();

		if (e->bell) {
			bench_ring_publish(b, 1, 1);
			(void)doorbell_hub_ring(b->hub);
		} else {
			(void)!send(bell_fd, "", 1, MSG_NOSIGNAL);
		}
		(void)!recv(answer_fd, &byte, 1, 0);
		pings[i] = time_mono_ns() - begun;
	}
	(void)pthread_join(thread, NULL);
	qsort(pings, PINGS, sizeof(pings[0]), compare_uint);
	return (double)pings[MEDIAN];
}

struct attach {
	const char *dir;
	struct doorbell *bell;
	struct ring_reader *rd;
	struct reason why;
	int err;
};

static void *
attach_run(void *arg)
{
	struct attach *a = arg;

	a->err = doorbell_attach(a->dir, "bench", &a->bell, &a->rd, &a->why);
	return NULL;
}

/* Both sides of an attachment; *sock keeps it. */
static int
attach(struct ring_bench *b, struct attach *a, int *sock)
{
	CLEANUP(closep) int listener = -1;
	char path[128], role[DOORBELL_ROLE];
	struct pollfd p = { .events = POLLIN };
	pthread_t thread;
	int err;

	snprintf(path, sizeof(path), "%s/ring.sock", b->dir);
	err = frame_listen(path, SOCK_SEQPACKET, 0600, &listener, &b->why);
	if (err < 0)
		return err;
	if (pthread_create(&thread, NULL, attach_run, a))
		return reason_set(&b->why, -ENOMEM, "cannot make a thread");
	*sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	p.fd = *sock;
	if (poll(&p, 1, 1000) == 1 && doorbell_hub_request(*sock, role) == 0)
		err = doorbell_hub_add(b->hub, *sock, role, (long)getpid());
	(void)pthread_join(thread, NULL);
	if (err < 0 || a->err < 0) {
		b->why = a->why;
		return err < 0 ? err : a->err;
	}
	return 0;
}

int
bench_ring_wakeups(struct ring_bench *b, unsigned rounds)
{
	CLEANUP(closep) int sock = -1;
	struct attach a = { .dir = b->dir };
	struct echo ours, bare = { 0 };
	struct bench_pairs pairs = { .n = 0 };
	int bell[2], answer[2];
	int err = attach(b, &a, &sock);

	if (err < 0)
		return err;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bell) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, answer) < 0)
		return reason_set(&b->why, -errno, "cannot make sockets");
	ours = (struct echo){ .bell = a.bell,
		.rd = a.rd,
		.bell_fd = doorbell_fd(a.bell),
		.answer_fd = answer[1] };
	bare.bell_fd = bell[1];
	bare.answer_fd = answer[1];
	(void)ring_reader_seek_tail(a.rd);
	for (unsigned i = 0; i < rounds; i++)
		bench_pairs_add(&pairs, ping(b, &ours, -1, answer[0]),
		    ping(b, &bare, bell[0], answer[0]));
	bench_pairs_print(&pairs, "wake-up", "bare doorbell");
	printf(
	    "         %" PRIu64 " missed wake-ups\n", doorbell_missed(a.bell));
	a.bell = doorbell_free(a.bell);
	a.rd = ring_reader_free(a.rd);
	for (unsigned i = 0; i < 2; i++) {
		(void)close(bell[i]);
		(void)close(answer[i]);
	}
	return 0;
}
