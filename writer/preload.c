/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Pre-load.  How far back the room reaches is not known before the events'
 * sizes are, so the plan looks at the last thousand, then twice as many, and
 * so on, until they fill the ring.
 */

#include <errno.h>

#include "core/event.h"
#include "core/reason.h"
#include "log/log_reader.h"
#include "log/recover.h"
#include "shm/ring_writer.h"
#include "writer/preload.h"

enum {
	FIRST_LOOK = 1024
};

/* What may be used of the ring. */
struct room {
	uint64_t events;
	uint64_t bytes;
};

static int
open_at(const struct sysio *io, int dirfd, const struct log_tail *tail,
    uint64_t seq, struct log_reader **rd, struct reason *why)
{
	CLEANUP(log_reader_freep) struct log_reader *r = NULL;
	int err;

	err = log_reader_open(io, dirfd, tail->last_seq, &r, why);
	if (!err)
		err = log_reader_seek(r, seq, why);
	if (err)
		return err;
	*rd = TAKE(r);
	return 0;
}

/* A read that must not end early: recovery has vouched for all of it. */
static int
next_frame(struct log_reader *rd, struct log_frame *frame, struct reason *why)
{
	int got = log_reader_next(rd, frame, why);

	if (got == LOG_READ_DAMAGED || got == LOG_READ_GONE)
		return -EBADMSG;
	return got;
}

/*
 * Sizes of the requests from first on, then the newest of them that fit:
 * *head becomes the seq before them, *all tells that every one did.
 */
static int
look(struct log_reader *rd, uint64_t first, uint64_t last,
    const struct room *room, uint64_t *head, bool *all, struct reason *why)
{
	struct request {
		uint64_t first_seq;
		uint64_t bytes;
	};
	CLEANUP(freep) struct request *reqs = NULL;
	uint64_t events = 0, bytes = 0;
	size_t n = 0, cap = 0;
	struct log_frame f;
	int got;

	while ((got = next_frame(rd, &f, why)) == LOG_READ_FRAME) {
		if (n == cap) {
			void *p;

			cap = cap ? cap * 2 : FIRST_LOOK;
			p = realloc(reqs, cap * sizeof(*reqs));
			if (!p)
				return -ENOMEM;
			reqs = p;
		}
		reqs[n++] = (struct request){ f.first_seq, f.payload.len };
	}
	if (got < 0)
		return got;
	*head = last;
	*all = true;
	while (n-- > 0) {
		events = last - reqs[n].first_seq + 1;
		bytes += reqs[n].bytes;
		if (events > room->events || bytes > room->bytes) {
			*all = false;
			break;
		}
		*head = reqs[n].first_seq - 1;
	}
	return 0;
}

int
preload_plan(const struct sysio *io, int dirfd, const struct log_tail *tail,
    const struct ring_options *ring, uint64_t *head_seq, struct reason *why)
{
	struct room room = { (uint64_t)ring->slots / 8 * 7,
		ring->payload_bytes / 8 * 7 };
	uint64_t head = tail->last_seq, want = FIRST_LOOK;
	bool all = true;

	/* From the newest backwards, until the room or the log ends. */
	while (all && tail->last_seq && head >= tail->oldest_seq) {
		CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
		uint64_t kept = tail->last_seq - tail->oldest_seq + 1;
		uint64_t first = tail->last_seq + 1 - MIN(want, kept);
		int err;

		err = open_at(io, dirfd, tail, first, &rd, why);
		if (!err)
			err = look(
			    rd, first, tail->last_seq, &room, &head, &all, why);
		if (err)
			return err;
		want *= 2;
	}
	*head_seq = head;
	return 0;
}

/* Publish one request as a pass of its own. */
static int
publish(struct ring_writer *rw, const struct log_frame *f,
    const struct hash_key *key, struct reason *why)
{
	uint64_t bytes =
	    f->payload.len - (uint64_t)f->n_events * LOG_EVENT_HEADER;
	uint32_t i = 0, crc;
	struct slice ev_bytes;
	size_t at = 0;

	ring_writer_begin(rw, f->n_events, bytes);
	while (log_frame_event(f, &at, &ev_bytes, &crc)) {
		struct ring_event ev = { .time_us = f->time_us,
			.len = (uint32_t)ev_bytes.len,
			.crc = crc };
		struct event e;
		int err = event_decode(ev_bytes, &e, why);

		if (err)
			return err;
		ev.seq = e.seq;
		ev.version = e.version;
		ev.topic_hash = hash_bytes(key, e.topic.p, e.topic.len);
		if (++i == f->n_events)
			ev.flags = RING_LAST_OF_REQUEST;
		ring_writer_add(rw, &ev, ev_bytes.p);
	}
	ring_writer_commit(rw);
	return 0;
}

int
preload_run(const struct sysio *io, int dirfd, const struct log_tail *tail,
    uint64_t head_seq, const struct hash_key *topic_key, struct ring_writer *rw,
    struct reason *why)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct log_frame f;
	int err, got;

	if (head_seq == tail->last_seq)
		return 0;
	err = open_at(io, dirfd, tail, head_seq + 1, &rd, why);
	if (err)
		return err;
	while ((got = next_frame(rd, &f, why)) == LOG_READ_FRAME) {
		err = publish(rw, &f, topic_key, why);
		if (err)
			return err;
	}
	return got;
}
