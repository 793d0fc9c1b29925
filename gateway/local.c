/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A write that fails is told from the loop, never from within a request: who
 * asks must not be answered before it has finished asking.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/diag.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "gateway/alloc.h"
#include "gateway/local.h"

enum {
	RETRY_US = 50 * 1000,
	UNSENT_MAX = 32 << 20, /* then the peer does not keep up */
};

static void
retry(struct local *l)
{
	if (loop_timer_set(&l->retry, RETRY_US, 0) < 0)
		alloc_failed();
}

void
local_hang_up(struct local *l, const char *why)
{
	diag_limited(
	    l->handler->peer, "lost the %s: %s", l->handler->peer, why);
	loop_io_deinit(&l->io);
	frame_stream_deinit(&l->stream);
	l->up = false;
	l->dirty = false;
	l->handler->down(l->arg);
	retry(l);
}

static bool
take(struct local *l, struct slice value, struct reason *why)
{
	int rc = mpvalid_check(value.p, value.len, why);

	return rc == MPVALID_OK && l->handler->value(l->arg, value, why);
}

static void
readable(struct local *l)
{
	struct reason why = { "" };
	struct slice value;
	int rc = frame_fill(&l->stream);

	if (rc == FRAME_IO_AGAIN)
		return;
	if (rc != FRAME_IO_DONE) {
		local_hang_up(l, rc < 0 ? strerror(-rc) : "it has closed");
		return;
	}
	while ((rc = frame_next(&l->stream, &value)) == FRAME_ONE)
		if (!take(l, value, &why)) {
			local_hang_up(l, why.text);
			return;
		}
	if (rc != FRAME_NONE)
		local_hang_up(l, "a frame that is too long");
}

static void
flush(struct local *l)
{
	int rc = frame_flush(&l->stream);

	l->failed = rc != FRAME_IO_DONE && rc != FRAME_IO_AGAIN;
	if (loop_io_want(&l->io, rc == FRAME_IO_AGAIN || l->failed
				     ? LOOP_READ | LOOP_WRITE
				     : LOOP_READ) < 0)
		alloc_failed();
}

void
local_flush(struct local *l)
{
	if (l->up && l->dirty)
		flush(l);
	l->dirty = false;
}

static void
on_io(void *arg, unsigned what)
{
	struct local *l = arg;

	if (l->failed) {
		local_hang_up(l, "it takes nothing any more");
		return;
	}
	if (what & LOOP_WRITE)
		flush(l);
	if (what & LOOP_READ)
		readable(l);
}

static void
reach(void *arg)
{
	struct local *l = arg;
	int fd;

	if (frame_connect(l->path, SOCK_STREAM | SOCK_NONBLOCK, &fd, NULL) <
	    0) {
		retry(l);
		return;
	}
	frame_stream_init(&l->stream, fd, l->handler->frame_max);
	l->failed = false;
	l->up = true;
	if (loop_io_add(l->loop, &l->io, fd, LOOP_READ, on_io, l) < 0)
		alloc_failed();
	l->handler->up(l->arg);
}

int
local_init(struct local *l, struct loop *loop, const char *dir,
    const char *name, const struct local_handler *handler, void *arg)
{
	int err;

	*l = (struct local){ .loop = loop, .handler = handler, .arg = arg };
	if (snprintf(l->path, sizeof(l->path), "%s/%s", dir, name) >=
	    (int)sizeof(l->path))
		return -ENAMETOOLONG;
	err = loop_timer_init(loop, &l->retry, reach, l);
	if (err == 0)
		reach(l);
	return err;
}

void
local_deinit(struct local *l)
{
	if (l->up) {
		loop_io_deinit(&l->io);
		frame_stream_deinit(&l->stream);
		l->up = false;
	}
	loop_timer_deinit(&l->retry);
}

bool
local_is_up(const struct local *l)
{
	return l->up && !l->failed && frame_unsent(&l->stream) < UNSENT_MAX;
}

struct mp_buf *
local_begin(struct local *l)
{
	return frame_begin(&l->stream, &l->mark);
}

bool
local_end(struct local *l)
{
	if (frame_end(&l->stream, l->mark) < 0)
		return false;
	l->dirty = true;
	return true;
}

void
local_cancel(struct local *l)
{
	frame_cancel(&l->stream, l->mark);
}
