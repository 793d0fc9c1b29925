/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal bench ring`: publishing and reading, each in turns with memcpy() of
 * the same bytes, and waking.  Everything is in one process, whose threads
 * are to each other what processes are.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/doorbell.h"
#include "shm/ring_reader.h"
#include "shm/ring_writer.h"
#include "tools/bench.h"
#include "tools/bench_pairs.h"
#include "tools/bench_ring_priv.h"
#include "tools/tool.h"

enum {
	EVENT = BENCH_RING_EVENT,
	PASS = BENCH_RING_PASS,
	RUN = 256, /* events a read takes */
	SLOTS = 1 << 18,
	PAYLOAD = 1 << 26,
	EVENTS = 1 << 20, /* of a round */
};

void
bench_ring_publish(struct ring_bench *b, unsigned events, unsigned pass)
{
	for (unsigned done = 0; done < events; done += pass) {
		ring_writer_begin(b->rw, pass, (uint64_t)pass * EVENT);
		for (unsigned i = 0; i < pass; i++) {
			b->events[i].seq = ++b->seq;
			ring_writer_add(b->rw, &b->events[i],
			    b->source + (size_t)i * EVENT);
		}
		ring_writer_commit(b->rw);
	}
}

/* ns for each event, as doubles from here on. */
static double
publish_ours(struct ring_bench *b)
{
	uint64_t begun = time_mono_ns();

	bench_ring_publish(b, EVENTS, PASS);
	return (double)(time_mono_ns() - begun) / EVENTS;
}

static double
publish_bare(struct ring_bench *b)
{
	uint64_t begun = time_mono_ns();

	for (unsigned i = 0; i < EVENTS; i++, b->bare_pos += EVENT)
		memcpy(b->bare + (b->bare_pos & (PAYLOAD - 1)),
		    b->source + (size_t)(i % PASS) * EVENT, EVENT);
	return (double)(time_mono_ns() - begun) / EVENTS;
}

uint64_t
bench_ring_drain(struct ring_reader *rd, uint64_t *laps)
{
	static _Thread_local struct ring_event ev[RUN];
	static _Thread_local uint8_t buf[RUN * EVENT];
	uint64_t events = 0;
	uint32_t n;
	size_t need;

	for (;;) {
		switch (ring_reader_read(
		    rd, ev, RUN, buf, sizeof(buf), &n, &need)) {
		case RING_EVENT:
			events += n;
			break;
		case RING_LAPPED:
			++*laps;
			(void)ring_reader_seek_oldest(rd);
			break;
		default:
			return events;
		}
	}
}

static double
read_ours(struct ring_bench *b)
{
	uint64_t laps = 0, events = 0, begun = time_mono_ns();

	while (events < EVENTS) {
		(void)ring_reader_seek_oldest(b->rd);
		events += bench_ring_drain(b->rd, &laps);
	}
	return (double)(time_mono_ns() - begun) / (double)events;
}

static double
read_bare(struct ring_bench *b)
{
	static uint8_t buf[RUN * EVENT];
	uint64_t begun = time_mono_ns();

	for (unsigned i = 0; i < EVENTS; i++, b->bare_pos += EVENT) {
		memcpy(buf + (size_t)(i % RUN) * EVENT,
		    b->bare + (b->bare_pos & (PAYLOAD - 1)), EVENT);
		/* Or it would be left out: nobody looks at buf. */
		__asm__ volatile("" ::"r"(buf) : "memory");
	}
	return (double)(time_mono_ns() - begun) / EVENTS;
}

/* --- a reader beside a writer at full speed --- */

struct follower {
	struct ring_reader *rd;
	_Atomic bool stop;
	uint64_t events;
	uint64_t laps;
};

static void *
follow(void *arg)
{
	struct follower *f = arg;

	(void)ring_reader_seek_tail(f->rd);
	while (!f->stop)
		f->events += bench_ring_drain(f->rd, &f->laps);
	return NULL;
}

static int
follow_report(struct ring_bench *b)
{
	struct follower f = { 0 };
	uint64_t begun, ns;
	pthread_t thread;

	if (ring_reader_clone(b->rd, &f.rd) < 0 ||
	    pthread_create(&thread, NULL, follow, &f))
		return reason_set(&b->why, -ENOMEM, "cannot make a reader");
	begun = time_mono_ns();
	bench_ring_publish(b, 4 * EVENTS, PASS);
	ns = time_mono_ns() - begun;
	f.stop = true;
	(void)pthread_join(thread, NULL);
	f.rd = ring_reader_free(f.rd);
	printf("follow   %.1f M events/s published, %.1f M/s read beside it, "
	       "%" PRIu64 " laps\n",
	    4e3 * EVENTS / (double)ns, 1e3 * (double)f.events / (double)ns,
	    f.laps);
	return 0;
}

static int
bench_run(struct ring_bench *b, unsigned rounds)
{
	struct bench_pairs published = { .n = 0 }, read = { .n = 0 };
	int err;

	printf("%d-byte events, a ring of %d slots and %d MiB, passes of %d\n",
	    EVENT, SLOTS, PAYLOAD >> 20, PASS);
	/* Once round, so that no page is new. */
	(void)publish_ours(b);
	(void)publish_bare(b);
	for (unsigned i = 0; i < rounds; i++) {
		double ours = publish_ours(b);

		bench_pairs_add(&published, ours, publish_bare(b));
		ours = read_ours(b);
		bench_pairs_add(&read, ours, read_bare(b));
	}
	bench_pairs_print(&published, "publish", "memcpy");
	bench_pairs_print(&read, "read", "memcpy");
	err = follow_report(b);
	if (err < 0)
		return err;
	return bench_ring_wakeups(b, rounds);
}

static int
bench_open(struct ring_bench *b)
{
	struct ring_options opt = {
		.slots = SLOTS,
		.payload_bytes = PAYLOAD,
		.group = (gid_t)-1,
	};
	char path[128];
	int err;

	for (unsigned i = 0; i < PASS; i++)
		b->events[i] =
		    (struct ring_event){ .version = 1, .len = EVENT };
	snprintf(b->dir, sizeof(b->dir), "/dev/shm/peal-bench-XXXXXX");
	b->dirfd = -1;
	if (!mkdtemp(b->dir))
		return reason_set(&b->why, -errno, "cannot make '%s'", b->dir);
	b->dirfd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->dirfd < 0)
		return reason_set(&b->why, -errno, "cannot open '%s'", b->dir);
	b->bare = mmap(NULL, PAYLOAD, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->bare == MAP_FAILED)
		return reason_set(&b->why, -errno, "cannot get memory");
	err = ring_writer_create(b->dirfd, &opt, &b->rw, &b->why);
	if (err == 0)
		err = ring_writer_install(b->rw, &b->why);
	snprintf(path, sizeof(path), "%s/ring", b->dir);
	if (err == 0)
		err = ring_reader_open(path, &b->rd, &b->why);
	if (err == 0)
		err = doorbell_hub_new(b->rw, &b->hub);
	return err;
}

static void
bench_close(struct ring_bench *b)
{
	b->hub = doorbell_hub_free(b->hub);
	b->rd = ring_reader_free(b->rd);
	b->rw = ring_writer_free(b->rw);
	if (b->dirfd >= 0) {
		(void)unlinkat(b->dirfd, "ring", 0);
		(void)unlinkat(b->dirfd, "ring.sock", 0);
		(void)close(b->dirfd);
	}
	(void)rmdir(b->dir);
	if (b->bare && b->bare != MAP_FAILED)
		(void)munmap(b->bare, PAYLOAD);
}

int
bench_ring(int argc, char **argv)
{
	uint64_t rounds = 5;
	const struct tool_option options[] = {
		{ .name = "rounds",
		    .kind = TOOL_UINT,
		    .value = &rounds,
		    .arg = "N",
		    .help = "pairs of rounds, default 5",
		    .min = 1,
		    .max = BENCH_PAIRS_MAX },
		{ .name = NULL },
	};
	const struct tool_usage usage = {
		.name = "bench ring",
		.text = "Measure the ring: publishing and reading events of "
			"128 bytes beside memcpy(), and a\nwake-up beside a "
			"bare doorbell.",
		.options = options,
	};
	struct ring_bench *b;
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	b = calloc(1, sizeof(*b));
	if (!b)
		return tool_end(&t, tool_error(&t, "out of memory"));
	status = TOOL_OK;
	if (bench_open(b) < 0 || bench_run(b, (unsigned)rounds) < 0)
		status = tool_fail(&t, &b->why);
	bench_close(b);
	free(b);
	return tool_end(&t, status);
}
