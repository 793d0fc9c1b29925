/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The syncer.  A round is: take frames, stamp, write, fdatasync, witness,
 * publish, wake, sum.  The order of these steps is the promise of the project, and
 * syncer_round() is where it can be read.
 */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/bytes.h"
#include "core/diag.h"
#include "core/reason.h"
#include "core/time.h"
#include "log/format.h"
#include "log/log_writer.h"
#include "log/witness.h"
#include "shm/doorbell.h"
#include "shm/ring_writer.h"
#include "shm/stats.h"
#include "writer/gather.h"
#include "writer/space.h"
#include "writer/syncer.h"

enum {
	FLUSH_BYTES = 256 << 10, /* a flush ends behind the frame past this */
	FLUSH_FRAMES = 4096,
	FLUSH_RUNS = 500, /* separate runs in memory, one vector each */
	IDLE_MS = 100,
};

struct syncer {
	struct syncer_parts parts;
	pthread_t thread;
	bool started;
	bool idle_due; /* flushed since the last IDLE frame */
	uint64_t last_seq;
	uint64_t serial;
	struct reason failure;

	struct gather_item items[FLUSH_FRAMES];
	unsigned n_items;
	struct iovec runs[FLUSH_RUNS];
	unsigned n_runs;
	uint64_t log_bytes; /* of the frames in runs */
	unsigned log_frames;
	uint64_t durable_ns; /* when the last flush ended */
	uint64_t durable_boot_ns;

	_Atomic uint64_t durable_seq;
	_Atomic uint64_t done_serial;
	_Atomic uint64_t flush_began_ns;
	_Atomic uint64_t rolls;
	_Atomic uint64_t counts[6];
	atomic_bool failed;
};

enum {
	C_FLUSHES,
	C_BYTES,
	C_NS,
	C_SLOW,
	C_WITNESS,
	C_RINGS
};

static void
count(struct syncer *sy, unsigned which, uint64_t n)
{
	uint64_t now =
	    atomic_load_explicit(&sy->counts[which], memory_order_relaxed);

	atomic_store_explicit(
	    &sy->counts[which], now + n, memory_order_relaxed);
}

int
syncer_new(const struct syncer_parts *parts, struct syncer **out)
{
	struct syncer *sy = calloc(1, sizeof(*sy));

	if (!sy)
		return -ENOMEM;
	sy->parts = *parts;
	sy->last_seq = parts->last_seq;
	atomic_init(&sy->durable_seq, parts->last_seq);
	*out = sy;
	return 0;
}

struct syncer *
syncer_free(struct syncer *sy)
{
	if (!sy)
		return NULL;
	assert(!sy->started);
	free(sy);
	return NULL;
}

/* Seal the open segment and begin the next one. */
static int
roll(struct syncer *sy, uint64_t first_seq, struct reason *why)
{
	int err;

	if (!log_writer_has_spare(sy->parts.log))
		return reason_say(why, -ENOSPC,
		    "no spare segment is ready for seq %llu",
		    (unsigned long long)first_seq);
	err = log_writer_roll(sy->parts.log, first_seq, why);
	if (err < 0)
		return err;
	atomic_fetch_add(&sy->rolls, 1);
	if (sy->parts.space)
		space_rolled(sy->parts.space);
	return 0;
}

static void
add_run(struct syncer *sy, struct gather_item *item)
{
	struct iovec *last = sy->n_runs ? &sy->runs[sy->n_runs - 1] : NULL;

	if (last && (uint8_t *)last->iov_base + last->iov_len == item->frame)
		last->iov_len += item->len;
	else
		sy->runs[sy->n_runs++] =
		    (struct iovec){ item->frame, item->len };
	sy->log_bytes += item->len;
	sy->log_frames++;
}

/*
 * Take what one flush holds.  It ends where the next frame needs another
 * segment; that segment is begun only when it is the first of a flush.
 */
static int
take(struct syncer *sy, struct reason *why)
{
	struct gather_item *item;
	int err;

	sy->n_items = sy->n_runs = sy->log_frames = 0;
	sy->log_bytes = 0;
	while (sy->n_items < FLUSH_FRAMES && sy->n_runs < FLUSH_RUNS &&
	       sy->log_bytes <= FLUSH_BYTES) {
		item = &sy->items[sy->n_items];
		if (gather_peek(sy->parts.gather, item) == GATHER_NONE)
			break;
		if (!item->emit) {
			if (log_writer_room(sy->parts.log) < item->len) {
				if (sy->log_frames)
					break;
				err =
				    roll(sy, frame_first_seq(item->frame), why);
				if (err < 0)
					return err;
			}
			log_writer_stamp(sy->parts.log, item->frame,
			    atomic_load(&sy->durable_seq));
			add_run(sy, item);
			sy->last_seq = frame_first_seq(item->frame) +
				       frame_n_events(item->frame) - 1;
		}
		gather_step(sy->parts.gather);
		sy->n_items++;
	}
	return 0;
}

/* Write and flush what was taken; on return it is durable. */
static int
make_durable(struct syncer *sy, struct reason *why)
{
	const struct stats *st = ring_writer_stats(sy->parts.ring);
	uint64_t began = time_mono_ns(), ns;
	int err;

	atomic_store(&sy->flush_began_ns, began);
	err = log_writer_sync(
	    sy->parts.log, sy->runs, (int)sy->n_runs, sy->last_seq, why);
	atomic_store(&sy->flush_began_ns, 0);
	if (err < 0)
		return err;
	sy->durable_ns = time_mono_ns();
	ns = sy->durable_ns - began;
	/* As requests are stamped, which read that clock anyway. */
	sy->durable_boot_ns = time_clock_ns(CLOCK_BOOTTIME);
	stats_record(st, STATS_WRITER_HIST_flush_size, sy->log_bytes, 1);
	stats_record(st, STATS_WRITER_HIST_flush_time, ns, 1);
	count(sy, C_FLUSHES, 1);
	count(sy, C_BYTES, sy->log_bytes);
	count(sy, C_NS, ns);
	if (ns > NS_PER_S) {
		count(sy, C_SLOW, 1);
		diag_limited("slow flush", "a flush took long: ms=%llu",
		    (unsigned long long)(ns / NS_PER_MS));
	}
	if (sy->parts.witness &&
	    witness_store(sy->parts.witness, sy->last_seq) < 0)
		count(sy, C_WITNESS, 1);
	atomic_store(&sy->durable_seq, sy->last_seq);
	sy->idle_due = true;
	if (sy->parts.space)
		space_flushed(sy->parts.space, sy->log_frames, sy->log_bytes);
	return 0;
}

/* The events of a frame, as the walk sees them. */
static const uint8_t *
next_event(const uint8_t *at, uint32_t *len, uint32_t *crc)
{
	*len = get_le32(at);
	*crc = get_le32(at + 4);
	return at + LOG_EVENT_HEADER;
}

static void
publish_frame(
    struct syncer *sy, const struct gather_item *item, uint64_t *durable)
{
	const uint8_t *at = item->frame + LOG_FRAME_HEADER;
	uint32_t n = frame_n_events(item->frame);
	struct ring_event ev = { .time_us = frame_time_us(item->frame) };

	for (uint32_t i = 0; i < n; i++) {
		at = next_event(at, &ev.len, &ev.crc);
		ev.topic_hash = item->notes[i].topic_hash;
		ev.version = item->notes[i].version;
		ev.seq =
		    item->emit ? *durable : frame_first_seq(item->frame) + i;
		ev.flags = (item->emit ? RING_EPHEMERAL : 0) |
			   (i == n - 1 ? RING_LAST_OF_REQUEST : 0);
		ring_writer_add(sy->parts.ring, &ev, at);
		at += ev.len;
		*durable = ev.seq;
	}
}

/* A pass with that many events of the log is visible. */
static void
record_pass(struct syncer *sy, uint32_t stored)
{
	uint64_t now = ring_writer_published_ns(sy->parts.ring);

	if (stored > 0)
		stats_record(ring_writer_stats(sy->parts.ring),
		    STATS_WRITER_HIST_durable_published, now - sy->durable_ns,
		    stored);
}

/* Make everything that was taken visible, in passes that the ring allows. */
static void
publish(struct syncer *sy, uint64_t durable)
{
	uint32_t max_events = ring_writer_pass_events(sy->parts.ring);
	uint64_t max_bytes = ring_writer_pass_bytes(sy->parts.ring);
	unsigned from = 0;

	while (from < sy->n_items) {
		uint32_t events = 0, stored = 0;
		uint64_t bytes = 0;
		unsigned to = from;

		for (; to < sy->n_items; to++) {
			const struct gather_item *it = &sy->items[to];
			uint32_t n = frame_n_events(it->frame);
			uint64_t len = it->len - LOG_FRAME_HEADER -
				       (uint64_t)n * LOG_EVENT_HEADER;

			if (to > from && (events + n > max_events ||
					     bytes + len > max_bytes))
				break;
			events += n;
			stored += it->emit ? 0 : n;
			bytes += len;
		}
		ring_writer_begin(sy->parts.ring, events, bytes);
		for (; from < to; from++)
			publish_frame(sy, &sy->items[from], &durable);
		ring_writer_commit(sy->parts.ring);
		record_pass(sy, stored);
		if (sy->parts.bells)
			count(sy, C_RINGS, doorbell_hub_ring(sy->parts.bells));
	}
}

/* How many events were made durable at once, and how long each took. */
static void
record_batch(struct syncer *sy)
{
	const struct stats *st = ring_writer_stats(sy->parts.ring);
	uint64_t events = 0;

	for (unsigned i = 0; i < sy->n_items; i++) {
		const struct gather_item *it = &sy->items[i];
		uint32_t n = it->emit ? 0 : frame_n_events(it->frame);

		if (n == 0)
			continue;
		stats_record(st, STATS_WRITER_HIST_accept_durable,
		    sy->durable_boot_ns - it->notes[0].accepted_ns, n);
		events += n;
	}
	stats_record(st, STATS_WRITER_HIST_batch_events, events, 1);
}

static void
wake_sequencer(struct syncer *sy)
{
	uint64_t one = 1;

	if (sy->parts.wake_fd >= 0 &&
	    write(sy->parts.wake_fd, &one, sizeof(one)) < 0)
		return; /* signalled already */
}

int
syncer_round(struct syncer *sy, struct reason *why)
{
	uint64_t before = sy->last_seq;
	int err;

	err = take(sy, why);
	if (err < 0)
		return err;
	if (sy->n_items == 0)
		return 0;
	if (sy->log_frames) {
		err = make_durable(sy, why);
		if (err < 0)
			return err;
	}
	publish(sy, before);
	if (sy->log_frames)
		record_batch(sy);
	sy->serial += sy->n_items;
	atomic_store(&sy->done_serial, sy->serial);
	wake_sequencer(sy);
	/* Nobody waits for it. */
	log_writer_sum(sy->parts.log, sy->runs, (int)sy->n_runs);
	gather_release(sy->parts.gather);
	return (int)sy->n_items;
}

int
syncer_idle(struct syncer *sy, struct reason *why)
{
	int err;

	if (!sy->idle_due)
		return 0;
	sy->idle_due = false;
	err = log_writer_idle(sy->parts.log, sy->last_seq, why);
	if (!err && sy->parts.space)
		space_flushed(sy->parts.space, 0, 0);
	return err;
}

static void *
run(void *arg)
{
	struct syncer *sy = arg;
	enum gather_wait what;
	int err = 0;

	for (;;) {
		what =
		    gather_wait(sy->parts.gather, sy->idle_due ? IDLE_MS : 0);
		if (what == GATHER_WORK)
			err = syncer_round(sy, &sy->failure);
		else
			err = syncer_idle(sy, &sy->failure);
		if (err < 0 || what == GATHER_STOP)
			break;
	}
	if (err < 0) {
		ring_writer_set_state(sy->parts.ring, RING_FAILED);
		atomic_store(&sy->failed, true);
		wake_sequencer(sy);
	}
	return NULL;
}

int
syncer_start(struct syncer *sy, struct reason *why)
{
	int err = pthread_create(&sy->thread, NULL, run, sy);

	if (err)
		return reason_set(why, -err, "cannot start a thread");
	(void)pthread_setname_np(sy->thread, "peal-syncer");
	sy->started = true;
	return 0;
}

void
syncer_join(struct syncer *sy)
{
	if (sy->started)
		pthread_join(sy->thread, NULL);
	sy->started = false;
}

uint64_t
syncer_durable_seq(const struct syncer *sy)
{
	return atomic_load(&sy->durable_seq);
}

uint64_t
syncer_done_serial(const struct syncer *sy)
{
	return atomic_load(&sy->done_serial);
}

bool
syncer_failed(const struct syncer *sy)
{
	return atomic_load(&sy->failed);
}

const char *
syncer_failure(const struct syncer *sy)
{
	return sy->failure.text;
}

uint64_t
syncer_flush_age_ns(const struct syncer *sy)
{
	uint64_t began = atomic_load(&sy->flush_began_ns);

	return began ? time_mono_ns() - began : 0;
}

uint64_t
syncer_rolls(const struct syncer *sy)
{
	return atomic_load(&sy->rolls);
}

void
syncer_counts(const struct syncer *sy, struct syncer_counts *c)
{
	c->flushes = atomic_load(&sy->counts[C_FLUSHES]);
	c->flush_bytes = atomic_load(&sy->counts[C_BYTES]);
	c->flush_ns = atomic_load(&sy->counts[C_NS]);
	c->slow_flushes = atomic_load(&sy->counts[C_SLOW]);
	c->witness_failed = atomic_load(&sy->counts[C_WITNESS]);
	c->rings = atomic_load(&sy->counts[C_RINGS]);
}
