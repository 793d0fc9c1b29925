/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rewriting frames.  They gather in one buffer and are flushed together: here
 * nobody waits for a single one.
 */

#include <errno.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/event.h"
#include "core/mp.h"
#include "core/reason.h"
#include "log/log_writer.h"
#include "log/recover.h"
#include "log/rewrite.h"

enum {
	FLUSH_BYTES = 1 << 20,
	LOST_BYTES = 2 << 10, /* in a frame, about: it fits any segment */
};

struct rewrite {
	struct log_writer *lw;
	uint64_t epoch;
	uint64_t durable_seq; /* flushed */
	uint64_t last_seq;    /* gathered */
	uint64_t lost;	      /* events that were put in the place of others */
	struct mp_buf frames; /* stamped, not yet flushed */
	struct mp_buf payload;
};

int
rewrite_new(const struct sysio *io, int dirfd, const struct log_tail *tail,
    uint64_t segment_bytes, uint64_t epoch, struct rewrite **out,
    struct reason *why)
{
	CLEANUP(rewrite_freep) struct rewrite *rw = calloc(1, sizeof(*rw));
	int err;

	if (!rw)
		return -ENOMEM;
	err = log_writer_open(io, dirfd, tail, segment_bytes, &rw->lw, why);
	if (err < 0)
		return err;
	rw->epoch = epoch;
	rw->durable_seq = rw->last_seq = tail->last_seq;
	*out = TAKE(rw);
	return 0;
}

struct rewrite *
rewrite_free(struct rewrite *rw)
{
	if (!rw)
		return NULL;
	rw->lw = log_writer_free(rw->lw);
	mp_buf_deinit(&rw->frames);
	mp_buf_deinit(&rw->payload);
	free(rw);
	return NULL;
}

static int
rewrite_flush(struct rewrite *rw, struct reason *why)
{
	struct iovec iov = { rw->frames.p, rw->frames.len };
	int err;

	if (rw->frames.len == 0)
		return 0;
	err = log_writer_flush(rw->lw, &iov, 1, rw->last_seq, why);
	rw->durable_seq = rw->last_seq;
	rw->frames.len = 0;
	return err;
}

/* Room for len bytes in the open segment, or in a new one. */
static int
rewrite_room(struct rewrite *rw, uint64_t len, struct reason *why)
{
	int err;

	if (log_writer_room(rw->lw) >= len)
		return 0;
	if (log_writer_capacity(rw->lw) < len)
		return reason_set(why, -EFBIG, "a segment has no room for it");
	err = rewrite_flush(rw, why);
	if (err == 0)
		err = log_writer_prepare(rw->lw, why);
	if (err == LOG_NO_ROOM)
		return -ENOSPC;
	return err < 0 ? err : log_writer_roll(rw->lw, rw->last_seq + 1, why);
}

int
rewrite_frame(struct rewrite *rw, const struct frame_header *f,
    const uint8_t *payload, struct reason *why)
{
	size_t len = LOG_FRAME_HEADER + (size_t)f->payload_len;
	uint8_t *p;
	int err = rewrite_room(rw, len, why);

	if (err < 0)
		return err;
	p = mp_buf_reserve(&rw->frames, len);
	if (!p)
		return reason_set(why, -ENOMEM, "cannot keep a frame");
	frame_compose(p, FRAME_EVENTS, f->n_events, f->first_seq, f->time_us,
	    f->keys_hash, f->payload_len);
	memcpy(p + LOG_FRAME_HEADER, payload, f->payload_len);
	log_writer_stamp(rw->lw, p, rw->durable_seq);
	rw->frames.len += len;
	rw->last_seq = f->first_seq + f->n_events - 1;
	return rw->frames.len < FLUSH_BYTES ? 0 : rewrite_flush(rw, why);
}

/* Append the event in the place of seq to the payload. */
static void
rewrite_put_lost(struct rewrite *rw, const struct log_range *range,
    uint64_t seq, uint64_t time_us)
{
	static const uint8_t header[LOG_EVENT_HEADER];
	size_t at = rw->payload.len + LOG_EVENT_HEADER, len;
	uint8_t *p;

	mp_buf_bytes(&rw->payload, header, sizeof(header));
	log_loss_put(&rw->payload, rw->epoch, range, seq, ++rw->lost, time_us);
	if (rw->payload.failed)
		return;
	p = rw->payload.p + at;
	len = rw->payload.len - at;
	put_le32(p - 8, (uint32_t)len);
	put_le32(p - 4, crc32c(0, p, len));
}

int
rewrite_lost(struct rewrite *rw, const struct log_range *range,
    uint64_t time_us, struct reason *why)
{
	struct frame_header f = { .first_seq = range->first,
		.time_us = time_us };
	int err = 0;

	while (err == 0 && f.first_seq <= range->last) {
		f.n_events = 0;
		rw->payload.len = 0;
		do {
			rewrite_put_lost(
			    rw, range, f.first_seq + f.n_events++, time_us);
		} while (rw->payload.len < LOST_BYTES &&
			 f.first_seq + f.n_events <= range->last &&
			 !rw->payload.failed);
		if (rw->payload.failed)
			return reason_set(why, -ENOMEM, "cannot make a frame");
		f.payload_len = (uint32_t)rw->payload.len;
		err = rewrite_frame(rw, &f, rw->payload.p, why);
		f.first_seq += f.n_events;
	}
	return err;
}

int
rewrite_end(struct rewrite *rw, struct reason *why)
{
	int err = rewrite_flush(rw, why);

	return err < 0 ? err : log_writer_idle(rw->lw, rw->last_seq, why);
}
