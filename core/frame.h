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
#include <sys/types.h>

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
	/*
	 * Set by who expects a descriptor: one that comes is kept here until
	 * frame_take_fd().  Otherwise what comes is closed.
	 */
	bool wants_fd;
	int came; /* the descriptor and 1; 0: none */
};

void frame_stream_init(struct frame_stream *fs, int fd, size_t frame_max);
/* Closes the descriptor, and one that came. */
void frame_stream_deinit(struct frame_stream *fs);

enum frame_io {
	FRAME_IO_DONE = 0, /* something was read; or all was sent */
	FRAME_IO_AGAIN,	   /* the descriptor would block */
	FRAME_IO_CLOSED,   /* the peer has closed */
};

/*
 * One recv() of whatever is there; ends the life of earlier frames' bytes.
 * At most a frame of frame_max and a chunk are kept unread: while as much
 * waits nothing is received, and the answer is FRAME_IO_DONE.  Below zero:
 * -errno.
 */
MUST_CHECK int frame_fill(struct frame_stream *fs);

/* The descriptor that came with what was read, now the caller's; -1: none. */
int frame_take_fd(struct frame_stream *fs);

enum frame_next {
	FRAME_NONE = 0,
	FRAME_ONE,
	FRAME_TOO_LONG, /* or empty: where the next one begins is unknown */
};

/*
 * The next whole frame; its bytes live until the next frame_fill().  After
 * FRAME_TOO_LONG the connection is good for nothing but an error and a close.
 */
MUST_CHECK int frame_next(struct frame_stream *fs, struct slice *value);

/*
 * Begin a frame in the output buffer and get the buffer to pack into; then
 * end it, which fills in the length.  -ENOMEM when packing ran out of it,
 * -EMSGSIZE beyond 4 GiB: the frame is dropped, those before it stay.
 */
struct mp_buf *frame_begin(struct frame_stream *fs, size_t *mark);
MUST_CHECK int frame_end(struct frame_stream *fs, size_t mark);
/* Drop the frame begun at mark. */
void frame_cancel(struct frame_stream *fs, size_t mark);

/*
 * Send what is there; frames gather until then, so that a system call
 * carries many.  Never raises SIGPIPE.  FRAME_IO_CLOSED: the peer reads no
 * more, and what was unsent is dropped.  Below zero: -errno.
 */
MUST_CHECK int frame_flush(struct frame_stream *fs);

static inline size_t
frame_unsent(const struct frame_stream *fs)
{
	return fs->out.len - fs->out_sent;
}

/*
 * Listen at path; only then is the socket reachable, with the file mode
 * asked for.  What a dead process left there is replaced in one step; where
 * somebody still answers it is -EADDRINUSE, where a file is no socket
 * -EEXIST.  type is SOCK_STREAM or SOCK_SEQPACKET, with SOCK_NONBLOCK or'ed
 * in where that is wanted; descriptors are always close-on-exec.  Paths may
 * be longer than sockaddr_un holds.
 */
MUST_CHECK int frame_listen(
    const char *path, int type, unsigned mode, int *fd, struct reason *why);
/* -ENOENT: no such socket; -ECONNREFUSED: nobody listens on it any more. */
MUST_CHECK int frame_connect(
    const char *path, int type, int *fd, struct reason *why);
/*
 * Does somebody listen at path?  Also who takes no connection now, or none of
 * this type; false is certain, as of a moment ago.
 */
bool frame_served(const char *path, int type);

/* Who the peer was when it connected (SO_PEERCRED); 0, or -errno. */
MUST_CHECK int frame_peer(int sock, uid_t *uid, gid_t *gid, long *pid);
/* 1 when the peer was in the group, supplementary ones too, 0 when not. */
MUST_CHECK int frame_peer_in_group(int sock, gid_t gid);

enum {
	FRAME_FDS_MAX = 4
};

/* Send one packet with n descriptors (at most FRAME_FDS_MAX): 0 or -errno. */
MUST_CHECK int frame_send_fds(
    int sock, const void *buf, size_t len, const int *fds, unsigned n);
/*
 * Receive one.  *n in: room in fds, out: received, all close-on-exec and the
 * caller's.  Returns the packet's bytes, 0: closed.  More descriptors than
 * room or a longer packet than size: -EMSGSIZE, nothing is kept.
 */
MUST_CHECK ssize_t frame_recv_fds(
    int sock, void *buf, size_t size, int *fds, unsigned *n);

#endif
