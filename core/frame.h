/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Socket frames: u32 little-endian length, then one MessagePack value, on a
 * Unix stream socket.  One stream object per connection, for either side and
 * for blocking and non-blocking descriptors alike.
 */

#ifndef PEAL_CORE_FRAME_H
#define PEAL_CORE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;

struct frame_stream {
	int fd;		  /* owned */
	size_t frame_max; /* longest incoming frame, bytes of the value */
	struct mp_buf in;
	size_t in_read; /* bytes of in that were consumed */
	struct mp_buf out;
	size_t out_sent;
};

void frame_stream_init(struct frame_stream *fs, int fd, size_t frame_max);
/* Closes the descriptor. */
void frame_stream_deinit(struct frame_stream *fs);

enum frame_io {
	FRAME_IO_DONE = 0, /* something was read; or all was sent */
	FRAME_IO_AGAIN,	   /* the descriptor would block */
	FRAME_IO_CLOSED,   /* the peer has closed */
};

/* One recv() of whatever is there.  Below zero: -errno. */
MUST_CHECK int frame_fill(struct frame_stream *fs);

enum frame_next { FRAME_NONE = 0, FRAME_ONE, FRAME_TOO_LONG };

/* The next whole frame; its bytes live until the next frame_fill(). */
MUST_CHECK int frame_next(struct frame_stream *fs, struct slice *value);

/*
 * Begin a frame in the output buffer and get the buffer to pack into; then
 * end it, which fills in the length.  -ENOMEM when packing ran out of it.
 */
struct mp_buf *frame_begin(struct frame_stream *fs, size_t *mark);
MUST_CHECK int frame_end(struct frame_stream *fs, size_t mark);

/* Send what is there.  Below zero: -errno. */
MUST_CHECK int frame_flush(struct frame_stream *fs);

static inline size_t
frame_unsent(const struct frame_stream *fs)
{
	return fs->out.len - fs->out_sent;
}

/*
 * Sockets: listen (mode is the file's; an old socket file is replaced),
 * connect, and the peer's credentials.  Descriptors are non-blocking where
 * asked, always close-on-exec.  type is SOCK_STREAM or SOCK_SEQPACKET.
 */
MUST_CHECK int frame_listen(
    const char *path, int type, unsigned mode, int *fd, struct reason *why);
MUST_CHECK int frame_connect(
    const char *path, int type, int *fd, struct reason *why);

/* Send or receive one packet with n descriptors (at most 4). */
MUST_CHECK int frame_send_fds(
    int sock, const void *buf, size_t len, const int *fds, unsigned n);
/* *n in: room in fds, out: received.  Returns the packet's bytes, 0: closed. */
MUST_CHECK ssize_t frame_recv_fds(
    int sock, void *buf, size_t size, int *fds, unsigned *n);

#endif
