/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The one producer.  It never reads what a reader could have written, and
 * keeps the order of publication: what is about to go is called invalid
 * before the first byte of it is overwritten, and what is new is complete
 * before the tail says that it is there.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_map.h"
#include "shm/ring_window.h"
#include "shm/ring_writer.h"
#include "shm/stats.h"

#define RING_NAME "ring"
#define RING_NEW  "ring.new"

struct ring_writer {
	struct ring_map map;
	int dirfd;
	int fd;
	int reader_fd;
	bool installed;
	struct stats stats;

	/* What is in the ring, and below it what the pass has added. */
	uint64_t valid_ord;
	uint64_t tail_ord;
	uint64_t tail_pos;
	uint64_t tail_seq;

	uint64_t pass_ord; /* the pass ends with these */
	uint64_t pass_pos;
	uint32_t stamp;
	bool in_pass;
	uint64_t published_ns;	      /* the last pass */
	struct ring_window_mark from; /* where the pass began */
	struct ring_window window;
};

struct ring_writer *
ring_writer_free(struct ring_writer *rw)
{
	if (!rw)
		return NULL;
	if (!rw->installed && rw->fd >= 0)
		(void)unlinkat(rw->dirfd, RING_NEW, 0);
	ring_map_deinit(&rw->map);
	closep(&rw->reader_fd);
	closep(&rw->fd);
	closep(&rw->dirfd);
	free(rw);
	return NULL;
}

/*
 * Give the file to a group.  Where it has it already, from a directory with
 * the set-group-ID bit, nothing is asked of the kernel: a service that may
 * not change owners needs no more.
 */
static int
writer_give(int fd, gid_t group, struct reason *why)
{
	struct stat st;

	if (group == (gid_t)-1 || (fstat(fd, &st) == 0 && st.st_gid == group) ||
	    fchown(fd, (uid_t)-1, group) == 0)
		return 0;
	return reason_set(why, -errno, "cannot give '" RING_NEW "' to group %u",
	    (unsigned)group);
}

/* The file, whole: a page that were missing later would be a SIGBUS. */
static int
writer_file(struct ring_writer *rw, const struct ring_header *head, gid_t group,
    struct reason *why)
{
	int err;

	if (unlinkat(rw->dirfd, RING_NEW, 0) < 0 && errno != ENOENT)
		return reason_set(why, -errno, "cannot remove '" RING_NEW "'");
	rw->fd = openat(
	    rw->dirfd, RING_NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (rw->fd < 0)
		return reason_set(why, -errno, "cannot create '" RING_NEW "'");
	err = writer_give(rw->fd, group, why);
	if (err < 0)
		return err;
	if (fchmod(rw->fd, 0640) < 0)
		return reason_set(
		    why, -errno, "cannot set the mode of '" RING_NEW "'");
	do {
		err = fallocate(rw->fd, 0, 0, (off_t)head->file_bytes);
	} while (err < 0 && errno == EINTR);
	if (err < 0)
		return reason_set(why, -errno,
		    "cannot get %llu bytes for the ring",
		    (unsigned long long)head->file_bytes);
	rw->reader_fd = openat(rw->dirfd, RING_NEW, O_RDONLY | O_CLOEXEC);
	if (rw->reader_fd < 0)
		return reason_set(why, -errno, "cannot open '" RING_NEW "'");
	return 0;
}

static void
head_fill(struct ring_header *head, const struct ring_options *opt)
{
	head->version = RING_VERSION;
	head->header_bytes = sizeof(*head);
	memcpy(head->log_id, opt->log_id, sizeof(head->log_id));
	head->epoch = opt->epoch;
	head->incarnation = opt->incarnation;
	head->slots = opt->slots;
	head->payload_bytes = opt->payload_bytes;
	head->topic_key[0] = opt->topic_key.k[0];
	head->topic_key[1] = opt->topic_key.k[1];
	head->head_seq = opt->head_seq;
	head->start_ord = opt->start_ord ? opt->start_ord : 1;
	head->start_pos = opt->start_pos;
	head->created_us = time_wall_us();
	head->writer_pid = (uint32_t)getpid();
	head->unsafe = opt->unsafe;
}

/* Everything but the magic. */
static void
writer_fill(struct ring_writer *rw)
{
	struct ring_header *head = &rw->map.head;
	struct ring_hot *hot = rw->map.hot;

	memcpy(rw->map.base, head, sizeof(*head));
	rw->valid_ord = head->start_ord;
	rw->tail_ord = head->start_ord - 1;
	rw->tail_pos = head->start_pos;
	rw->tail_seq = head->head_seq;
	ring_store(&hot->valid_ord, rw->valid_ord);
	ring_store(&hot->tail_ord, rw->tail_ord);
	ring_store(&hot->tail_seq, rw->tail_seq);
	ring_store(&hot->tail_pos, rw->tail_pos);
	ring_store(&hot->rung_ord, rw->tail_ord);
	ring_store(&hot->oldest_seq, 1);
	ring_writer_heartbeat(rw);
	stats_init(&rw->stats, rw->map.stats, &stats_writer_table);
}

int
ring_writer_create(int dirfd, const struct ring_options *opt,
    struct ring_writer **out, struct reason *why)
{
	CLEANUP(ring_writer_freep) struct ring_writer *rw = NULL;
	struct ring_header head = { 0 };
	int err;

	head_fill(&head, opt);
	err = ring_map_plan(&head, stats_bytes(&stats_writer_table), why);
	if (err < 0)
		return err;
	head.crc = ring_map_crc(&head);
	rw = calloc(1, sizeof(*rw));
	if (!rw)
		return reason_set(why, -ENOMEM, "cannot make the ring");
	rw->fd = rw->reader_fd = -1;
	rw->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	if (rw->dirfd < 0)
		return reason_set(why, -errno, "cannot keep the directory");
	err = writer_file(rw, &head, opt->group, why);
	if (err < 0)
		return err;
	err = ring_map_init(&rw->map, rw->fd, &head, true, why);
	if (err < 0)
		return err;
	writer_fill(rw);
	*out = TAKE(rw);
	return 0;
}

/* Who still maps the ring of an earlier start learns that it has ended. */
static void
close_predecessor(int fd)
{
	struct ring_header head;
	struct ring_map map;

	if (fd < 0 || ring_map_header(fd, RING_NAME, &head, NULL) < 0)
		return;
	if (ring_map_init(&map, fd, &head, true, NULL) < 0)
		return;
	atomic_store_explicit(
	    &map.life->state, RING_CLOSED, memory_order_release);
	ring_map_deinit(&map);
}

int
ring_writer_install(struct ring_writer *rw, struct reason *why)
{
	CLEANUP(closep) int old = -1;

	assert(!rw->installed && !rw->in_pass);
	old = openat(
	    rw->dirfd, RING_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	atomic_store_explicit(
	    (ring_word *)rw->map.base, RING_MAGIC, memory_order_release);
	if (renameat(rw->dirfd, RING_NEW, rw->dirfd, RING_NAME) < 0)
		return reason_set(why, -errno,
		    "cannot rename '" RING_NEW "' to '" RING_NAME "'");
	rw->installed = true;
	ring_window_begin(&rw->window, rw->map.head.slots,
	    rw->map.head.payload_bytes,
	    &(struct ring_window_mark){
		rw->tail_ord + 1, rw->tail_pos, time_mono_ns() });
	close_predecessor(old);
	ring_writer_set_state(rw, RING_RUNNING);
	return 0;
}

uint32_t
ring_writer_pass_events(const struct ring_writer *rw)
{
	return rw->map.head.slots / 8;
}

uint64_t
ring_writer_pass_bytes(const struct ring_writer *rw)
{
	return rw->map.head.payload_bytes / 8;
}

/*
 * The oldest ordinal that a pass up to pass_ord and pass_pos leaves whole.
 * Only differences are compared, so that counters may have any value.
 */
static uint64_t
writer_survivor(const struct ring_writer *rw)
{
	const struct ring_header *head = &rw->map.head;
	uint64_t ord = rw->valid_ord;
	uint64_t pos;

	if (rw->pass_ord - (ord - 1) > head->slots)
		ord = rw->pass_ord - head->slots + 1;
	for (; ord != rw->tail_ord + 1; ord++) {
		/* Third word of the record; only we write it. */
		pos = ring_load(&ring_map_slot(&rw->map, ord)->word[2]);
		if (rw->pass_pos - pos <= head->payload_bytes)
			break;
	}
	return ord;
}

void
ring_writer_begin(struct ring_writer *rw, uint32_t n, uint64_t bytes)
{
	const struct ring_header *head = &rw->map.head;

	assert(!rw->in_pass);
	assert(n <= head->slots && bytes <= head->payload_bytes);
	rw->in_pass = true;
	/* What is loaded before anybody reads is not late. */
	rw->stamp = rw->installed ? ring_event_stamp(time_mono_ns()) : 0;
	rw->from =
	    (struct ring_window_mark){ rw->tail_ord + 1, rw->tail_pos, 0 };
	rw->pass_ord = rw->tail_ord + n;
	rw->pass_pos = rw->tail_pos + bytes;
	rw->valid_ord = writer_survivor(rw);
	atomic_store_explicit(
	    &rw->map.hot->valid_ord, rw->valid_ord, memory_order_relaxed);
	/*
	 * A fence: whoever reads one of the words below reads this valid_ord
	 * too, behind a fence of its own.  A release store would order only
	 * what stands before it, and tests/spin/validate.pml tears.
	 */
	atomic_thread_fence(memory_order_release);
}

void
ring_writer_add(
    struct ring_writer *rw, const struct ring_event *ev, const uint8_t *bytes)
{
	struct ring_record r = {
		.ordinal = rw->tail_ord + 1,
		.pos = rw->tail_pos,
		.time_us = ev->time_us,
		.topic_hash = ev->topic_hash,
		.version = ev->version,
		.len = ev->len,
		.crc = ev->crc,
		.flags = ev->flags,
		.stamp = rw->stamp,
	};

	assert(rw->in_pass && rw->tail_ord != rw->pass_ord);
	assert(ev->len && ev->len <= rw->pass_pos - rw->tail_pos);
	assert(!(ev->flags & ~(uint32_t)RING_FLAGS));
	if (!(ev->flags & RING_EPHEMERAL)) {
		assert(ev->seq > rw->tail_seq);
		rw->tail_seq = ev->seq;
	}
	r.seq = rw->tail_seq;
	ring_bytes_in(ring_map_bytes(&rw->map, r.pos), bytes, ev->len);
	ring_slot_store(ring_map_slot(&rw->map, r.ordinal), &r);
	rw->tail_ord++;
	rw->tail_pos += ev->len;
}

void
ring_writer_commit(struct ring_writer *rw)
{
	struct ring_hot *hot = rw->map.hot;

	assert(rw->in_pass && rw->tail_ord == rw->pass_ord &&
	       rw->tail_pos == rw->pass_pos);
	rw->in_pass = false;
	rw->published_ns = time_mono_ns();
	ring_store(&hot->publish_ns, rw->published_ns);
	atomic_store_explicit(
	    &hot->tail_pos, rw->tail_pos, memory_order_release);
	atomic_store_explicit(
	    &hot->tail_seq, rw->tail_seq, memory_order_release);
	atomic_store_explicit(
	    &hot->tail_ord, rw->tail_ord, memory_order_release);
	/*
	 * Between the tail and the parked flags that doorbell_hub_ring()
	 * reads: without it both sides could miss each other's store.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	rw->from.ns = rw->published_ns;
	ring_window_pass(&rw->window, &rw->from, rw->tail_ord + 1, rw->tail_pos,
	    rw->valid_ord);
}

void
ring_writer_set_state(struct ring_writer *rw, enum ring_state state)
{
	atomic_store_explicit(
	    &rw->map.life->state, state, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
}

void
ring_writer_heartbeat(struct ring_writer *rw)
{
	ring_store(&rw->map.life->heartbeat_ns, time_mono_ns());
}

void
ring_writer_set_oldest(struct ring_writer *rw, uint64_t seq)
{
	ring_store(&rw->map.hot->oldest_seq, seq);
}

uint64_t
ring_writer_tail_seq(const struct ring_writer *rw)
{
	return rw->tail_seq;
}

uint64_t
ring_writer_published_ns(const struct ring_writer *rw)
{
	return rw->published_ns;
}

uint64_t
ring_writer_window_ms(const struct ring_writer *rw, uint64_t now_ns)
{
	return ring_window_ms(&rw->window, now_ns);
}

int
ring_writer_reader_fd(const struct ring_writer *rw)
{
	return rw->reader_fd;
}

const struct stats *
ring_writer_stats(const struct ring_writer *rw)
{
	return &rw->stats;
}

struct ring_map *
ring_writer_map(struct ring_writer *rw)
{
	return &rw->map;
}
