/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a syncer needs around it, on a real file system; hooks count what it
 * asks for, and let it fail.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/event.h"
#include "tests/lib/syncfix.h"
#include "writer/preload.h"

static int
hooked_fdatasync(void *ctx, int fd)
{
	struct syncfix *f = ctx;

	f->flushes++;
	/* With threads, others make and end what these ask. */
	if (!f->threads && f->rw)
		f->tail_seen = ring_writer_tail_seq(f->rw);
	if (!f->threads && f->sy)
		f->age_seen = syncer_flush_age_ns(f->sy);
	return f->fail_with ? f->fail_with : sysio_posix.fdatasync(NULL, fd);
}

static ssize_t
hooked_pwritev(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	struct syncfix *f = ctx;

	f->writes++;
	return f->write_fails ? f->write_fails
			      : sysio_posix.pwritev(NULL, fd, iov, n, at);
}

struct syncer_parts
syncfix_parts_of(const struct syncfix *f)
{
	return (struct syncer_parts){ .gather = f->g,
		.log = f->lw,
		.ring = f->rw,
		.witness = f->wit,
		.wake_fd = -1,
		.last_seq = f->seq };
}

void
syncfix_start(struct syncfix *f)
{
	struct syncer_parts parts;

	assert_int_equal(
	    recover_log(&f->io, f->dir->fd, NULL, 0, NULL, &f->tail, &f->why),
	    RECOVER_OK);
	assert_int_equal(log_writer_open(&f->io, f->dir->fd, &f->tail,
			     SYNCFIX_SEGMENT, &f->lw, &f->why),
	    0);
	f->opt = (struct ring_options){ .slots = 1024,
		.payload_bytes = f->ring_bytes,
		.epoch = f->tail.epoch,
		.incarnation = f->tail.incarnation,
		.group = (gid_t)-1,
		.topic_key = { { 1, 2 } } };
	memcpy(f->opt.log_id, f->tail.log_id, 16);
	assert_int_equal(preload_plan(&f->io, f->dir->fd, &f->tail, &f->opt,
			     &f->opt.head_seq, &f->why),
	    0);
	assert_int_equal(
	    ring_writer_create(f->dir->fd, &f->opt, &f->rw, &f->why), 0);
	assert_int_equal(
	    preload_run(&f->io, f->dir->fd, &f->tail, f->opt.head_seq,
		&f->opt.topic_key, f->rw, &f->why),
	    0);
	assert_int_equal(ring_writer_install(f->rw, &f->why), 0);
	assert_int_equal(witness_open(&f->io, f->dir->fd, WITNESS_NAME,
			     f->tail.log_id, f->tail.epoch, &f->wit, &f->why),
	    0);
	f->g = gather_new();
	f->seq = f->tail.last_seq;
	parts = syncfix_parts_of(f);
	assert_int_equal(syncer_new(&parts, &f->sy), 0);
}

void
syncfix_stop(struct syncfix *f)
{
	f->sy = syncer_free(f->sy);
	f->g = gather_free(f->g);
	f->wit = witness_free(f->wit);
	f->rw = ring_writer_free(f->rw);
	f->lw = log_writer_free(f->lw);
}

int
syncfix_setup(void **state)
{
	struct syncfix *f = calloc(1, sizeof(*f));

	assert_int_equal(tmpdir_setup((void **)&f->dir), 0);
	f->io = sysio_posix;
	f->io.ctx = f;
	f->io.fdatasync = hooked_fdatasync;
	f->io.pwritev = hooked_pwritev;
	f->ring_bytes = 1 << 17;
	syncfix_start(f);
	*state = f;
	return 0;
}

int
syncfix_teardown(void **state)
{
	struct syncfix *f = *state;

	syncfix_stop(f);
	tmpdir_teardown((void **)&f->dir);
	free(f);
	return 0;
}

/* Event i of the next request, with size bytes of data at data. */
static struct event
event_of(
    const struct syncfix *f, uint32_t i, uint8_t *data, size_t size, bool emit)
{
	data[0] = 0xc6; /* bin32 */
	data[1] = (uint8_t)(size >> 24);
	data[2] = (uint8_t)(size >> 16);
	data[3] = (uint8_t)(size >> 8);
	data[4] = (uint8_t)size;
	return (struct event){ .seq = emit ? 0 : f->seq + 1 + i,
		.time_us = 77,
		.version = emit ? 0 : f->seq + 1 + i,
		.topic = SLICE_STR("t"),
		.type = SLICE_STR("set"),
		.data = slice_of(data, size + 5) };
}

size_t
syncfix_frame_size(const struct syncfix *f, uint32_t n, size_t size, bool emit)
{
	CLEANUP(freep) uint8_t *data = calloc(1, size + 5);
	size_t bytes = LOG_FRAME_HEADER;

	for (uint32_t i = 0; i < n; i++) {
		struct event ev = event_of(f, i, data, size, emit);

		bytes += LOG_EVENT_HEADER + event_size(&ev);
	}
	return bytes;
}

void
syncfix_gather(struct syncfix *f, uint32_t n, size_t size, bool emit)
{
	CLEANUP(freep) uint8_t *data = calloc(1, size + 5);
	size_t payload =
	    syncfix_frame_size(f, n, size, emit) - LOG_FRAME_HEADER;
	struct gather_note *notes;
	uint8_t *frame = gather_begin(f->g, payload, n, &notes), *at;

	at = frame + LOG_FRAME_HEADER;
	for (uint32_t i = 0; i < n; i++) {
		struct event ev = event_of(f, i, data, size, emit);
		uint8_t *end = event_encode(&ev, at + LOG_EVENT_HEADER);
		size_t len = (size_t)(end - at) - LOG_EVENT_HEADER;

		put_le32(at, (uint32_t)len);
		put_le32(at + 4, crc32c(0, at + LOG_EVENT_HEADER, len));
		at = end;
		notes[i] =
		    (struct gather_note){ 5, ev.version, f->accepted_ns };
	}
	frame_compose(frame, emit ? (enum frame_type)GATHER_EMIT : FRAME_EVENTS,
	    n, emit ? f->seq : f->seq + 1, 77, 0, (uint32_t)payload);
	f->serial = gather_commit(f->g, payload);
	if (!emit)
		f->seq += n;
}

void
syncfix_spare(struct syncfix *f)
{
	assert_int_equal(log_writer_prepare(f->lw, &f->why), LOG_PREPARED);
}

unsigned
syncfix_grants(struct space *space, uint64_t len, enum space_answer answer)
{
	enum space_answer got;
	unsigned n = 0;

	while ((got = space_ask(space, len)) == SPACE_GRANTED)
		n++;
	assert_int_equal(got, answer);
	return n;
}
