/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A ring of 8 slots under one writer and several reader processes that are
 * stopped and killed at random: every event that a reader accepts is whole,
 * seqs grow, and each gap was announced.  The checker is shown wrong
 * histories first, and a writer that keeps no order.
 */

#include <inttypes.h>
#include <poll.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/time.h"
#include "shm/ring_map.h"
#include "tests/lib/ringfix.h"

enum {
	READERS = 3,
	LONGEST = 1400,
	RUN_MS = 1000,
	DEADLINE_MS = 300000,
	ENOUGH_EVENTS = 1000, /* accepted, lest a run prove nothing */
	ENOUGH_LAPS = 10,
	ENOUGH_KILLS = 10,
};

/* Shared by all processes of a run. */
struct tally {
	_Atomic uint64_t accepted;
	_Atomic uint64_t laps;
	_Atomic int wrong; /* a reader has seen what must not be */
	char what[160];
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

/* Mostly short, now and then a third of the payload. */
static struct ring_event
make_event(uint64_t seq, bool ephemeral, uint8_t *buf)
{
	uint64_t x = (seq * 2 + ephemeral) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t len = 1 + (uint32_t)(x >> 40) % (x >> 61 ? 200 : LONGEST);

	for (uint32_t i = 0; i < len; i++)
		buf[i] = (uint8_t)((x >> (i % 7 * 8)) + i);
	return (struct ring_event){
		.seq = seq,
		.time_us = ~x,
		.topic_hash = x,
		.version = seq + 7,
		.len = len,
		.crc = crc32c(0, buf, len),
		.flags = ephemeral ? RING_EPHEMERAL : 0,
	};
}

/* --- the checker --- */

struct checker {
	uint64_t last; /* seq */
	bool placed;   /* last says something */
	bool gap_said; /* lapped, and what comes next may be anything later */
};

/* NULL, or what is wrong with it. */
static const char *
checker_event(
    struct checker *c, const struct ring_event *ev, const uint8_t *bytes)
{
	uint8_t buf[LONGEST];
	struct ring_event right =
	    make_event(ev->seq, ev->flags & RING_EPHEMERAL, buf);

	if (crc32c(0, bytes, ev->len) != ev->crc)
		return "bytes that their CRC does not match";
	if (right.time_us != ev->time_us ||
	    right.topic_hash != ev->topic_hash ||
	    right.version != ev->version || right.len != ev->len ||
	    right.crc != ev->crc || right.flags != ev->flags ||
	    memcmp(bytes, buf, ev->len))
		return "another event than its seq says";
	if (c->placed && (ev->flags & RING_EPHEMERAL)) {
		if (c->gap_said ? ev->seq < c->last : ev->seq != c->last)
			return "an ephemeral event of another time";
	} else if (c->placed) {
		if (ev->seq <= c->last)
			return "a seq that does not grow";
		if (ev->seq != c->last + 1 && !c->gap_said)
			return "a gap that was not announced";
	}
	c->last = ev->seq;
	c->placed = true;
	c->gap_said = false;
	return NULL;
}

static void
the_checker_rejects_wrong_histories(void **state)
{
	uint8_t buf[LONGEST];
	struct checker c = { 0 };
	struct ring_event ev = make_event(5, false, buf);

	buf[ev.len / 2] ^= 1;
	assert_non_null(checker_event(&c, &ev, buf));
	ev.crc = crc32c(0, buf, ev.len);
	assert_non_null(checker_event(&c, &ev, buf));
	ev = make_event(5, false, buf);
	ev.version++;
	assert_non_null(checker_event(&c, &ev, buf));
	ev.version--;
	assert_null(checker_event(&c, &ev, buf));
	assert_non_null(checker_event(&c, &ev, buf));
	ev = make_event(7, false, buf);
	assert_non_null(checker_event(&c, &ev, buf));
	c.gap_said = true;
	assert_null(checker_event(&c, &ev, buf));
	ev = make_event(6, true, buf);
	assert_non_null(checker_event(&c, &ev, buf));
	ev = make_event(7, true, buf);
	assert_null(checker_event(&c, &ev, buf));
	ev = make_event(8, true, buf);
	assert_non_null(checker_event(&c, &ev, buf));
	ev = make_event(8, false, buf);
	assert_null(checker_event(&c, &ev, buf));
}

/* --- the reading process --- */

static void
wrong(const struct checker *c, const struct ring_event *ev, const char *what)
{
	snprintf(tally->what, sizeof(tally->what),
	    "%s: seq %" PRIu64 " flags %u behind %" PRIu64, what, ev->seq,
	    ev->flags, c->last);
	tally->wrong = 1;
	_exit(1);
}

/* Some way to go on after we were overtaken. */
static void
reader_go_on(struct ring_reader *rd, struct checker *c, uint64_t dice)
{
	/* Where seek() says RING_EVENT there is no gap, and none is said. */
	if (dice % 3 == 0 && c->placed &&
	    ring_reader_seek(rd, c->last) != RING_LAPPED)
		return;
	c->gap_said = true;
	if (dice % 2)
		(void)ring_reader_seek_oldest(rd);
	else
		(void)ring_reader_seek_tail(rd);
}

static void
reader_run(struct ring_reader *rd, uint64_t dice)
{
	uint8_t buf[4096];
	struct ring_event ev[8] = { 0 };
	struct checker c = { 0 };
	const char *what;
	uint32_t n;
	size_t need;

	for (;;) {
		uint64_t roll = random_next(&dice);
		int found = ring_reader_read(rd, ev, 1 + roll % 8, buf,
		    roll >> 63 ? sizeof(buf) : LONGEST, &n, &need);
		const uint8_t *p = buf;

		if (found == RING_EMPTY) {
			(void)sched_yield();
		} else if (found == RING_LAPPED) {
			tally->laps++;
			reader_go_on(rd, &c, roll >> 8);
		} else if (found != RING_EVENT) {
			wrong(&c, ev, "the ring contradicts itself");
		} else {
			for (uint32_t i = 0; i < n; p += ev[i++].len) {
				what = checker_event(&c, &ev[i], p);
				if (what)
					wrong(&c, &ev[i], what);
			}
			tally->accepted += n;
		}
	}
}

/* --- the writing process --- */

/* Events of one pass, at most n and at most the payload. */
struct pass {
	uint32_t n;
	uint64_t bytes;
	struct ring_event ev[8];
	uint8_t buf[8 * LONGEST];
};

static void
pass_make(struct pass *pass, uint64_t *seq, uint64_t dice)
{
	uint32_t max = dice % 4 ? 1 : 1 + (dice >> 8) % 8;
	struct ring_event ev;
	bool ephemeral;

	pass->n = 0;
	pass->bytes = 0;
	while (pass->n < max) {
		ephemeral = (dice >> (16 + pass->n)) % 4 == 0;
		ev = make_event(
		    *seq + !ephemeral, ephemeral, pass->buf + pass->bytes);
		if (pass->bytes + ev.len > 4096)
			break;
		*seq += !ephemeral;
		pass->ev[pass->n++] = ev;
		pass->bytes += ev.len;
	}
}

/* The mutant: it overwrites the oldest bytes before it says so. */
static void
overwrite_early(struct ring_writer *rw, uint64_t bytes)
{
	struct ring_map *map = ring_writer_map(rw);

	memset(
	    ring_map_bytes(map, ring_load(&map->hot->tail_pos)), 0xee, bytes);
}

static void
writer_run(struct ring_writer *rw, uint64_t dice, bool disorderly)
{
	struct pass pass;
	uint64_t seq = ring_writer_tail_seq(rw);

	for (;;) {
		const uint8_t *p = pass.buf;
		uint64_t roll = random_next(&dice);

		pass_make(&pass, &seq, roll);
		if (disorderly)
			overwrite_early(rw, 4096);
		ring_writer_begin(rw, pass.n, pass.bytes);
		for (uint32_t i = 0; i < pass.n; p += pass.ev[i++].len)
			ring_writer_add(rw, &pass.ev[i], p);
		ring_writer_commit(rw);
		/* Now at full speed, now so that readers keep up. */
		if (roll >> 62)
			for (unsigned i = 0; i < ((roll >> 32) & 3); i++)
				(void)sched_yield();
	}
}

/* --- the run --- */

struct run {
	struct ringfix fx;
	bool disorderly;
	pid_t writer;
	pid_t readers[READERS];
	unsigned kills;
	uint64_t dice;
};

static pid_t
run_fork(struct run *run, struct ring_reader *rd)
{
	uint64_t dice = random_next(&run->dice);
	pid_t parent = getpid(), pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	/* Nothing of ours outlives the test. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	if (rd)
		reader_run(rd, dice);
	writer_run(run->fx.writer, dice, run->disorderly);
	_exit(1);
}

static void
run_reap(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool
run_enough(const struct run *run, uint64_t begun_ns)
{
	if (run->disorderly)
		return false;
	return time_mono_ns() - begun_ns > RUN_MS * NS_PER_MS &&
	       tally->accepted > ENOUGH_EVENTS && tally->laps > ENOUGH_LAPS &&
	       run->kills > ENOUGH_KILLS;
}

/* One moment of chance: somebody is stopped, goes on, or dies. */
static void
run_disturb(struct run *run)
{
	uint64_t roll = random_next(&run->dice);
	unsigned i = (roll >> 8) % READERS;

	(void)kill(run->writer, roll & 1 ? SIGSTOP : SIGCONT);
	switch ((roll >> 16) % 4) {
	case 0:
		(void)kill(run->readers[i], SIGSTOP);
		break;
	case 1:
		run_reap(run->readers[i]);
		run->kills++;
		run->readers[i] = run_fork(run, run->fx.reader);
		break;
	default:
		(void)kill(run->readers[i], SIGCONT);
	}
}

/* Returns whether a reader has seen something wrong. */
static bool
run_ring(uint64_t start_ord, uint64_t start_pos, bool disorderly)
{
	struct run run = { .disorderly = disorderly, .dice = seed };
	uint64_t begun_ns = time_mono_ns();

	memset(tally, 0, sizeof(*tally));
	ringfix_dir(&run.fx);
	run.fx.opt.start_ord = start_ord;
	run.fx.opt.start_pos = start_pos;
	ringfix_open(&run.fx);
	run.writer = run_fork(&run, NULL);
	for (unsigned i = 0; i < READERS; i++)
		run.readers[i] = run_fork(&run, run.fx.reader);
	while (!tally->wrong && !run_enough(&run, begun_ns) &&
	       time_mono_ns() - begun_ns < DEADLINE_MS * NS_PER_MS) {
		(void)poll(NULL, 0, 1);
		run_disturb(&run);
	}
	run_reap(run.writer);
	for (unsigned i = 0; i < READERS; i++)
		run_reap(run.readers[i]);
	print_message("# seed %" PRIu64 ": %" PRIu64 " accepted, %" PRIu64
		      " laps, %u kills, %s\n",
	    seed, (uint64_t)tally->accepted, (uint64_t)tally->laps, run.kills,
	    tally->wrong ? tally->what : "nothing wrong");
	ringfix_close(&run.fx);
	assert_true(disorderly || tally->wrong || run_enough(&run, begun_ns));
	return tally->wrong;
}

static void
a_writer_without_order_is_found_out(void **state)
{
	assert_true(run_ring(0, 0, true));
}

static void
every_accepted_event_is_whole_and_each_gap_is_announced(void **state)
{
	assert_false(run_ring(0, 0, false));
}

static void
so_it_is_where_counters_pass_two_to_the_32(void **state)
{
	uint64_t edge = UINT64_C(1) << 32;

	assert_false(run_ring(edge - 500, edge - 100000, false));
}

static void
so_it_is_where_counters_pass_two_to_the_63(void **state)
{
	uint64_t edge = UINT64_C(1) << 63;

	assert_false(run_ring(edge - 500, edge - 100000, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checker_rejects_wrong_histories),
		cmocka_unit_test(a_writer_without_order_is_found_out),
		cmocka_unit_test(
		    every_accepted_event_is_whole_and_each_gap_is_announced),
		cmocka_unit_test(so_it_is_where_counters_pass_two_to_the_32),
		cmocka_unit_test(so_it_is_where_counters_pass_two_to_the_63),
	};
	const char *given = getenv("PEAL_SEED");

	seed = given ? strtoull(given, NULL, 10) : time_wall_us() | 1;
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		return 99;
	return cmocka_run_group_tests_name("ring_stress", tests, NULL, NULL);
}
