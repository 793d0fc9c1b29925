/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Socket frames: many per system call in both directions, and no byte is
 * moved but the piece of a frame that a chunk has cut.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/frame.h"
#include "core/reason.h"

enum {
	HEAD = 4,	     /* bytes of a frame's length */
	CHUNK = 64 << 10,    /* least room that a recv() is given */
	ROOM = 256 << 10,    /* room to begin with */
	IDLE_ROOM = 4 << 20, /* an empty output buffer keeps no more */
};

void
frame_stream_init(struct frame_stream *fs, int fd, size_t frame_max)
{
	*fs = (struct frame_stream){ .fd = fd, .frame_max = frame_max };
}

void
frame_stream_deinit(struct frame_stream *fs)
{
	closep(&fs->fd);
	if (fs->came)
		(void)close(fs->came - 1);
	mp_buf_deinit(&fs->in);
	mp_buf_deinit(&fs->out);
	*fs = (struct frame_stream){ .fd = -1 };
}

/* Bytes by which an incomplete frame at the front exceeds what is there. */
static size_t
frame_missing(const struct frame_stream *fs)
{
	size_t unread = fs->in.len - fs->in_read;
	size_t whole;

	if (unread < HEAD)
		return 0;
	whole = HEAD + (size_t)get_le32(fs->in.p + fs->in_read);
	if (whole > HEAD + fs->frame_max || whole <= unread)
		return 0;
	return whole - unread;
}

/* Make room for a chunk, or for the rest of a frame that has begun. */
static int
frame_room(struct frame_stream *fs)
{
	size_t unread = fs->in.len - fs->in_read;
	size_t want = MAX(frame_missing(fs), (size_t)CHUNK);

	if (fs->in.cap - fs->in.len >= want)
		return 0;
	if (unread && fs->in_read)
		memmove(fs->in.p, fs->in.p + fs->in_read, unread);
	fs->in.len = unread;
	fs->in_read = 0;
	if (fs->in.cap - fs->in.len >= want)
		return 0;
	if (!mp_buf_reserve(&fs->in, MAX(want, (size_t)ROOM))) {
		fs->in.failed = false;
		return -ENOMEM;
	}
	return 0;
}

union frame_control {
	struct cmsghdr head;
	char room[CMSG_SPACE(FRAME_FDS_MAX * sizeof(int))];
};

/* Close what came, but for the first keep descriptors, which go to fds. */
static unsigned
frame_take_fds(struct msghdr *msg, int *fds, unsigned keep)
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < bytes / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (n < keep)
				fds[n++] = fd;
			else
				(void)close(fd);
		}
	}
	return n;
}

/* recv(), with the descriptor that may come along. */
static ssize_t
frame_recv(struct frame_stream *fs)
{
	struct iovec iov = { fs->in.p + fs->in.len, fs->in.cap - fs->in.len };
	union frame_control control;
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(int)) };
	ssize_t n;
	int fd;

	if (LIKELY(!fs->wants_fd))
		return recv(fs->fd, iov.iov_base, iov.iov_len, 0);
	n = recvmsg(fs->fd, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0 || frame_take_fds(&msg, &fd, 1) == 0)
		return n;
	if (fs->came)
		(void)close(fs->came - 1);
	fs->came = fd + 1;
	return n;
}

int
frame_take_fd(struct frame_stream *fs)
{
	int fd = fs->came - 1;

	fs->came = 0;
	return fd;
}

int
frame_fill(struct frame_stream *fs)
{
	ssize_t n;
	int err;

	if (fs->in_read == fs->in.len)
		fs->in_read = fs->in.len = 0;
	if (fs->in.len - fs->in_read >= HEAD + fs->frame_max + CHUNK)
		return FRAME_IO_DONE;
	err = frame_room(fs);
	if (err < 0)
		return err;
	do {
		n = frame_recv(fs);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		fs->in.len += (size_t)n;
		return FRAME_IO_DONE;
	}
	if (n == 0 || errno == ECONNRESET)
		return FRAME_IO_CLOSED;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return FRAME_IO_AGAIN;
	return -errno;
}

int
frame_next(struct frame_stream *fs, struct slice *value)
{
	size_t unread = fs->in.len - fs->in_read;
	const uint8_t *head = fs->in.p + fs->in_read;
	uint32_t len;

	if (unread < HEAD)
		return FRAME_NONE;
	len = get_le32(head);
	if (UNLIKELY(len == 0 || len > fs->frame_max))
		return FRAME_TOO_LONG;
	if (unread - HEAD < len)
		return FRAME_NONE;
	fs->in_read += HEAD + (size_t)len;
	*value = slice_of(head + HEAD, len);
	return FRAME_ONE;
}

struct mp_buf *
frame_begin(struct frame_stream *fs, size_t *mark)
{
	static const uint8_t room_for_length[HEAD];

	*mark = fs->out.len;
	mp_buf_bytes(&fs->out, room_for_length, HEAD);
	return &fs->out;
}

void
frame_cancel(struct frame_stream *fs, size_t mark)
{
	fs->out.len = mark;
	fs->out.failed = false;
}

int
frame_end(struct frame_stream *fs, size_t mark)
{
	size_t len = fs->out.len - mark - HEAD;

	if (UNLIKELY(fs->out.failed)) {
		frame_cancel(fs, mark);
		return -ENOMEM;
	}
	if (UNLIKELY(len == 0 || len > UINT32_MAX)) {
		frame_cancel(fs, mark);
		return len ? -EMSGSIZE : -EINVAL;
	}
	put_le32(fs->out.p + mark, (uint32_t)len);
	return 0;
}

/* What was sent leaves the buffer; each byte is moved once on average. */
static void
frame_drop_sent(struct frame_stream *fs)
{
	size_t unsent = frame_unsent(fs);

	if (unsent == 0 && fs->out.cap > IDLE_ROOM) {
		mp_buf_deinit(&fs->out);
		fs->out = (struct mp_buf){ 0 };
	} else if (unsent <= fs->out_sent) {
		if (unsent)
			memmove(fs->out.p, fs->out.p + fs->out_sent, unsent);
		fs->out.len = unsent;
	} else {
		return;
	}
	fs->out_sent = 0;
}

int
frame_flush(struct frame_stream *fs)
{
	int outcome = FRAME_IO_DONE;

	while (outcome == FRAME_IO_DONE && frame_unsent(fs)) {
		ssize_t n = send(fs->fd, fs->out.p + fs->out_sent,
		    frame_unsent(fs), MSG_NOSIGNAL);

		if (n >= 0)
			fs->out_sent += (size_t)n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			outcome = FRAME_IO_AGAIN;
		else if (errno == EPIPE || errno == ECONNRESET)
			outcome = FRAME_IO_CLOSED;
		else if (errno != EINTR)
			outcome = -errno;
	}
	if (outcome == FRAME_IO_CLOSED)
		fs->out_sent = fs->out.len; /* nobody will ever read it */
	frame_drop_sent(fs);
	return outcome;
}

/*
 * The address of path.  One that is too long for sockaddr_un is named through
 * a descriptor of its directory, which *dir owns for as long as it is used.
 */
static int
frame_address(const char *path, struct sockaddr_un *sa, int *dir)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	int len;

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) < sizeof(sa->sun_path)) {
		memcpy(sa->sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (!slash || (size_t)(slash - path) >= sizeof(parent))
		return -ENAMETOOLONG;
	snprintf(parent, sizeof(parent), "%.*s/", (int)(slash - path), path);
	*dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return -errno;
	len = snprintf(sa->sun_path, sizeof(sa->sun_path),
	    "/proc/self/fd/%d/%s", *dir, slash + 1);
	return len < (int)sizeof(sa->sun_path) ? 0 : -ENAMETOOLONG;
}

static int
frame_try_connect(const char *path, int type, int *out)
{
	CLEANUP(closep) int dir = -1;
	CLEANUP(closep) int fd = -1;
	struct sockaddr_un sa;
	int err = frame_address(path, &sa, &dir);

	if (err < 0)
		return err;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		if (errno != EINTR)
			return -errno;
	*out = TAKE_FD(fd);
	return 0;
}

int
frame_connect(const char *path, int type, int *fd, struct reason *why)
{
	int err = frame_try_connect(path, type, fd);

	if (err < 0)
		return reason_set(why, err, "cannot connect to '%s'", path);
	return 0;
}

/*
 * Only these two say that nobody listens.  A full backlog, another type of
 * socket, one that we may not use: somebody lives there.
 */
static bool
frame_nobody(int err)
{
	return err == -ECONNREFUSED || err == -ENOENT;
}

bool
frame_served(const char *path, int type)
{
	CLEANUP(closep) int fd = -1;

	return !frame_nobody(
	    frame_try_connect(path, type | SOCK_NONBLOCK, &fd));
}

/* Zero when a new socket may take the place of what is at path. */
static int
frame_vacant(const char *path, int type, struct reason *why)
{
	CLEANUP(closep) int fd = -1;
	struct stat st;
	long pid = 0;
	uid_t uid;
	gid_t gid;
	int err;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return reason_set(why, -errno, "cannot look at '%s'", path);
	}
	if (!S_ISSOCK(st.st_mode))
		return reason_say(
		    why, -EEXIST, "cannot listen at '%s': not a socket", path);
	err = frame_try_connect(path, type | SOCK_NONBLOCK, &fd);
	if (frame_nobody(err))
		return 0;
	if (err == 0 && frame_peer(fd, &uid, &gid, &pid) == 0)
		return reason_say(why, -EADDRINUSE,
		    "cannot listen at '%s': process %ld does", path, pid);
	return reason_set(why, -EADDRINUSE, "cannot listen at '%s'", path);
}

int
frame_listen(
    const char *path, int type, unsigned mode, int *out, struct reason *why)
{
	CLEANUP(closep) int dir = -1;
	CLEANUP(closep) int fd = -1;
	struct sockaddr_un sa;
	char fresh[PATH_MAX];
	int err;

	if (snprintf(fresh, sizeof(fresh), "%s.new", path) >=
	    (int)sizeof(fresh))
		return reason_set(why, -ENAMETOOLONG, "socket '%s'", path);
	err = frame_vacant(path, type, why);
	if (err < 0)
		return err;
	if (unlink(fresh) < 0 && errno != ENOENT)
		return reason_set(why, -errno, "cannot remove '%s'", fresh);
	err = frame_address(fresh, &sa, &dir);
	if (err < 0)
		return reason_set(why, err, "cannot use path '%s'", path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return reason_set(why, -errno, "cannot make a socket");
	/* Until listen() a connect is refused: no mode is too wide before. */
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return reason_set(why, -errno, "cannot bind '%s'", fresh);
	if (chmod(fresh, mode) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    rename(fresh, path) < 0) {
		err = reason_set(why, -errno, "cannot listen at '%s'", path);
		(void)unlink(fresh);
		return err;
	}
	*out = TAKE_FD(fd);
	return 0;
}

int
frame_peer(int sock, uid_t *uid, gid_t *gid, long *pid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*uid = cred.uid;
	*gid = cred.gid;
	*pid = cred.pid;
	return 0;
}

int
frame_peer_in_group(int sock, gid_t gid)
{
	CLEANUP(freep) gid_t *groups = NULL;
	gid_t primary = 0;
	socklen_t len = 0;
	uid_t uid;
	long pid;
	int err = frame_peer(sock, &uid, &primary, &pid);

	if (err < 0)
		return err;
	if (primary == gid)
		return 1;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0)
		return 0; /* no supplementary group at all */
	if (errno != ERANGE)
		return -errno;
	groups = malloc(len);
	if (!groups)
		return -ENOMEM;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return -errno;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == gid)
			return 1;
	return 0;
}

int
frame_send_fds(
    int sock, const void *buf, size_t len, const int *fds, unsigned n)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union frame_control control = { 0 };
	struct cmsghdr *cmsg = &control.head;
	ssize_t sent;

	if (n > FRAME_FDS_MAX)
		return -EINVAL;
	if (n) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	do {
		sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	/* The descriptors have left with the first byte: no second try. */
	return (size_t)sent == len ? 0 : -EMSGSIZE;
}

ssize_t
frame_recv_fds(int sock, void *buf, size_t size, int *fds, unsigned *n)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	union frame_control control;
	unsigned room = MIN(*n, (unsigned)FRAME_FDS_MAX);
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = room ? CMSG_SPACE(room * sizeof(int)) : 0 };
	ssize_t got;

	do {
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		(void)frame_take_fds(&msg, fds, 0);
		return -EMSGSIZE;
	}
	*n = frame_take_fds(&msg, fds, room);
	return got;
}
