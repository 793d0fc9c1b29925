/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Parking and waking between real processes: a writer of two threads, one
 * that attaches readers and one that publishes, and readers that are stopped
 * and killed at random.  Nobody sleeps on, and no wake-up is missed, however
 * timers and doorbells meet.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/reason.h"
#include "core/time.h"
#include "shm/doorbell.h"
#include "shm/stats.h"
#include "tests/lib/ringfix.h"

enum {
	READERS = 4,
	RUN_MS = 1500,
	DEADLINE_MS = 300000,
	ENOUGH_KILLS = 10,
	ENOUGH_RINGS = 500,
};

struct tally {
	_Atomic bool stop;	/* publish no more */
	_Atomic uint64_t final; /* last seq, once stopped */
	_Atomic uint64_t rings;
	_Atomic uint64_t reached[READERS];
	_Atomic uint64_t missed;
	_Atomic int wrong;
	char what[200];
};

static struct tally *tally;
static uint64_t seed;

static uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
wrong(const char *what)
{
	snprintf(tally->what, sizeof(tally->what), "%s", what);
	tally->wrong = 1;
	_exit(1);
}

/* --- a reading process --- */

static void
read_all(struct ring_reader *rd, unsigned me)
{
	struct ring_event ev[8];
	uint8_t buf[4096];
	uint32_t n;
	size_t need;

	for (;;) {
		switch (
		    ring_reader_read(rd, ev, 8, buf, sizeof(buf), &n, &need)) {
		case RING_EVENT:
			tally->reached[me] = ev[n - 1].seq;
			break;
		case RING_LAPPED:
			tally->reached[me] = ring_reader_seek_oldest(rd);
			break;
		case RING_EMPTY:
			return;
		default:
			wrong("the ring contradicts itself");
		}
	}
}

/* One with a short timer, so that it often meets a ring half way. */
static void
reader_run(const char *dir, unsigned me, int timer_ms)
{
	struct doorbell *bell;
	struct ring_reader *rd;
	struct reason why;
	struct pollfd p;
	uint64_t missed = 0, turn = 0;
	int err;

	/* The writer may be stopped; the deadline is the run's. */
	while ((err = doorbell_attach(dir, "tail", &bell, &rd, &why)) < 0)
		if (err != -ETIMEDOUT && err != -EAGAIN)
			wrong(why.text);
	p = (struct pollfd){ .fd = doorbell_fd(bell), .events = POLLIN };
	for (;;) {
		read_all(rd, me);
		/* Let events come in just here: parking looks once more. */
		if (++turn % 2)
			(void)sched_yield();
		if (!doorbell_park(bell, rd))
			continue;
		if (poll(&p, 1, timer_ms) < 0 && errno != EINTR)
			wrong("poll");
		if (!doorbell_awake(bell, rd, p.revents & POLLIN))
			wrong("the writer hung up");
		tally->missed += doorbell_missed(bell) - missed;
		missed = doorbell_missed(bell);
	}
}

/* --- the writing process --- */

struct writer {
	struct ringfix *fx;
	struct doorbell_hub *hub;
	int listener;
	uint64_t dice;
};

static void *
publish_run(void *arg)
{
	struct writer *w = arg;

	while (!tally->stop) {
		uint64_t roll = random_next(&w->dice);

		ringfix_publish(w->fx, 1 + roll % 3);
		tally->rings += doorbell_hub_ring(w->hub);
		/* A pause now and then, or nobody would ever park. */
		if (roll >> 60 == 0)
			(void)poll(NULL, 0, 1);
		else if (roll >> 63)
			(void)sched_yield();
	}
	tally->final = w->fx->seq;
	return NULL;
}

/* Accept, attach and remove; never comes back. */
static void
serve_run(struct writer *w)
{
	struct pollfd p[1 + DOORBELL_READERS] = { { w->listener, POLLIN, 0 } };
	int slots[1 + DOORBELL_READERS] = { 0 };
	char role[DOORBELL_ROLE];
	unsigned n = 1;

	for (;;) {
		(void)poll(p, n, 10);
		doorbell_hub_copy(w->hub);
		for (unsigned i = n - 1; i > 0; i--) {
			if (!p[i].revents)
				continue;
			if (slots[i] < 0 &&
			    doorbell_hub_request(p[i].fd, role) == 0) {
				slots[i] =
				    doorbell_hub_add(w->hub, p[i].fd, role, 1);
				if (slots[i] >= 0)
					continue;
			}
			doorbell_hub_remove(w->hub, slots[i]);
			(void)close(p[i].fd);
			p[i] = p[--n];
			slots[i] = slots[n];
		}
		if (p[0].revents && n < ARRAY_LEN(p)) {
			p[n] = (struct pollfd){ .events = POLLIN };
			p[n].fd = accept4(w->listener, NULL, NULL,
			    SOCK_CLOEXEC | SOCK_NONBLOCK);
			slots[n] = -1;
			n += p[n].fd >= 0;
		}
	}
}

static void
writer_run(struct ringfix *fx, int listener, uint64_t dice)
{
	struct writer w = { .fx = fx, .listener = listener, .dice = dice };
	pthread_t thread;

	if (doorbell_hub_new(fx->writer, &w.hub) < 0 ||
	    pthread_create(&thread, NULL, publish_run, &w))
		wrong("no writer");
	serve_run(&w);
}

/* --- the run --- */

struct run {
	struct ringfix fx;
	int listener;
	uint64_t dice;
	pid_t writer;
	pid_t readers[READERS];
	unsigned kills;
};

static pid_t
run_fork(struct run *run)
{
	pid_t parent = getpid(), pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	return 0;
}

static void
run_reader(struct run *run, unsigned i)
{
	pid_t pid = run_fork(run);

	if (!pid)
		reader_run(run->fx.dir, i, i % 2 ? 1 : DEADLINE_MS);
	run->readers[i] = pid;
}

static void
run_reap(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
run_disturb(struct run *run)
{
	uint64_t roll = random_next(&run->dice);
	unsigned i = roll % READERS;

	switch ((roll >> 16) % 8) {
	case 0:
		(void)kill(run->readers[i], SIGSTOP);
		break;
	case 1:
		run_reap(run->readers[i]);
		run->kills++;
		run_reader(run, i);
		break;
	case 2:
		(void)kill(run->writer, SIGSTOP);
		break;
	default:
		(void)kill(run->readers[i], SIGCONT);
		(void)kill(run->writer, SIGCONT);
	}
}

/* Everybody who lives gets to the end, with nothing but doorbells. */
static bool
run_settled(struct run *run)
{
	if (!tally->final)
		return false;
	for (unsigned i = 0; i < READERS; i++)
		if (tally->reached[i] != tally->final)
			return false;
	return true;
}

static void
nobody_sleeps_on_and_no_wake_up_is_missed(void **state)
{
	struct run run = { .dice = seed };
	uint64_t begun_ns = time_mono_ns();
	uint64_t deadline_ns = begun_ns + DEADLINE_MS * NS_PER_MS;
	char path[128];

	ringfix_dir(&run.fx);
	ringfix_open(&run.fx);
	snprintf(path, sizeof(path), "%s/ring.sock", run.fx.dir);
	assert_int_equal(
	    frame_listen(path, SOCK_SEQPACKET, 0600, &run.listener, NULL), 0);
	run.writer = run_fork(&run);
	if (!run.writer)
		writer_run(&run.fx, run.listener, seed);
	for (unsigned i = 0; i < READERS; i++)
		run_reader(&run, i);
	while (!tally->wrong && time_mono_ns() < deadline_ns &&
	       (time_mono_ns() - begun_ns < RUN_MS * NS_PER_MS ||
		   run.kills < ENOUGH_KILLS || tally->rings < ENOUGH_RINGS)) {
		(void)poll(NULL, 0, 2);
		run_disturb(&run);
	}
	(void)kill(run.writer, SIGCONT);
	for (unsigned i = 0; i < READERS; i++)
		(void)kill(run.readers[i], SIGCONT);
	tally->stop = true;
	while (
	    !tally->wrong && !run_settled(&run) && time_mono_ns() < deadline_ns)
		(void)poll(NULL, 0, 2);
	print_message("# seed %" PRIu64 ": %" PRIu64 " events, %" PRIu64
		      " rings, %u kills\n",
	    seed, (uint64_t)tally->final, (uint64_t)tally->rings, run.kills);
	for (unsigned i = 0; i < READERS; i++)
		run_reap(run.readers[i]);
	run_reap(run.writer);
	if (tally->wrong)
		fail_msg("%s", tally->what);
	assert_true(run.kills >= ENOUGH_KILLS);
	assert_true(tally->rings >= ENOUGH_RINGS);
	assert_true(run_settled(&run));
	assert_int_equal(tally->missed, 0);
	assert_int_equal(stats_get(ring_writer_stats(run.fx.writer),
			     STATS_WRITER_missed_wakeups),
	    0);
	(void)close(run.listener);
	ringfix_close(&run.fx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sleeps_on_and_no_wake_up_is_missed),
	};
	const char *given = getenv("PEAL_SEED");

	seed = given ? strtoull(given, NULL, 10) : time_wall_us() | 1;
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		return 99;
	return cmocka_run_group_tests_name(
	    "doorbell_stress", tests, NULL, NULL);
}
