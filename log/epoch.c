/* SPDX-License-Identifier: BSD-2-Clause */

/* A new epoch of a log, for what restores and repairs it. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/crc32c.h"
#include "core/event.h"
#include "core/reason.h"
#include "log/epoch.h"
#include "log/log_writer.h"
#include "log/recover.h"
#include "log/witness.h"

static int
epoch_event(struct log_writer *lw, const struct log_epoch *ep, uint64_t time_us,
    struct reason *why)
{
	char topic[32];
	struct event ev = { .seq = ep->seq,
		.time_us = time_us,
		.version = 1,
		.topic = slice_of(topic, (size_t)snprintf(topic, sizeof(topic),
					     "$log.%" PRIu64, ep->epoch)),
		.type = slice_cstr(ep->type),
		.actor = SLICE_STR("peal"),
		.data = ep->data };
	size_t size = event_size(&ev), len = LOG_EVENT_HEADER + size;
	CLEANUP(freep) uint8_t *frame = malloc(LOG_FRAME_HEADER + len);
	struct iovec iov = { frame, LOG_FRAME_HEADER + len };
	uint8_t *p;

	if (!frame)
		return -ENOMEM;
	p = frame + LOG_FRAME_HEADER;
	(void)event_encode(&ev, p + LOG_EVENT_HEADER);
	put_le32(p, (uint32_t)size);
	put_le32(p + 4, crc32c(0, p + LOG_EVENT_HEADER, size));
	frame_compose(
	    frame, FRAME_EVENTS, 1, ep->seq, time_us, 0, (uint32_t)len);
	log_writer_stamp(lw, frame, ep->seq - 1);
	return log_writer_flush(lw, &iov, 1, ep->seq, why);
}

static int
epoch_write(const struct sysio *io, int dirfd, const struct log_tail *tail,
    const struct log_epoch *ep, struct reason *why)
{
	CLEANUP(log_writer_freep) struct log_writer *lw = NULL;
	int err;

	err = log_writer_open(io, dirfd, tail, ep->segment_bytes, &lw, why);
	if (err == 0)
		err = log_writer_prepare(lw, why);
	if (err == LOG_NO_ROOM)
		return -ENOSPC;
	if (err == 0)
		err = log_writer_roll(lw, ep->seq, why);
	if (err == 0)
		err = epoch_event(
		    lw, ep, MAX(ep->now_us, tail->last_time_us), why);
	if (err == 0)
		err = log_writer_idle(lw, ep->seq, why);
	return err;
}

static int
epoch_witness(const struct sysio *io, int dirfd, const struct log_tail *tail,
    uint64_t seq, struct reason *why)
{
	CLEANUP(witness_freep) struct witness *wit = NULL;
	int err = witness_open(
	    io, dirfd, WITNESS_NAME, tail->log_id, tail->epoch, &wit, why);

	if (err == 0 && witness_store(wit, seq) < 0)
		return reason_set(why, -EIO, "cannot write '%s'", WITNESS_NAME);
	return err;
}

int
log_epoch_begin(
    const struct sysio *io, int dirfd, struct log_epoch *ep, struct reason *why)
{
	struct log_tail tail;
	int err = recover_log(io, dirfd, NULL, 0, ep->notes, &tail, why);

	if (err == RECOVER_DAMAGED)
		return LOG_EPOCH_DAMAGED;
	if (err < 0)
		return err;
	if (tail.last_seq == 0)
		return reason_say(why, -ENOENT, "the log has no event");
	tail.epoch =
	    MAX(MAX(tail.epoch, ep->after) + 1, ep->now_us / UINT64_C(1000000));
	ep->epoch = tail.epoch;
	ep->seq = tail.last_seq + 1;
	err = epoch_write(io, dirfd, &tail, ep, why);
	if (err == 0)
		err = epoch_witness(io, dirfd, &tail, ep->seq, why);
	return err;
}
