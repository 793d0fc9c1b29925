/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The reader of states.  It steps over each row and counts it, which is the
 * least that a client does, and keeps none.
 */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "core/conf.h"
#include "core/frame.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_rows.h"
#include "tools/bench_staff.h"
#include "tools/credentials.h"
#include "tools/follow.h"
#include "tools/query.h"
#include "tools/refuse.h"
#include "tools/remote.h"
#include "tools/tls_bare.h"
#include "tools/tool.h"

enum {
	ROWS_ID = 1,
	ROWS_FRAME_MAX = 4 << 20,
	ROWS_PATIENCE_S = 120, /* for the next message */
	ROWS_ACCEPT_MS = 10000,
};

void
bench_rows_deinit(struct bench_rows *r)
{
	mp_buf_deinit(&r->sample);
}

/* --- requests --- */

static void
rows_pack(struct mp_buf *b, const struct bench_rows *r, bool subscribe)
{
	unsigned n = 1;

	n += subscribe;
	n += r->at > 0;
	n += r->min_seq > 0;
	proto_pack_head(b, subscribe ? "subscribe" : "state",
	    (struct proto_uint){ true, ROWS_ID }, n);
	mp_pack_cstr(b, "topics");
	mp_pack_array(b, r->n);
	for (unsigned i = 0; i < r->n; i++)
		mp_pack_str(b, r->topics[i]);
	if (subscribe)
		mp_pair_cstr(b, "from", "snapshot");
	if (r->at)
		mp_pair_uint(b, "at", r->at);
	if (r->min_seq)
		mp_pair_uint(b, "min_seq", r->min_seq);
}

/* --- parts --- */

static int
rows_count(struct bench_rows *r, struct mp_walk *w, struct reason *why)
{
	struct mp_item array;
	struct slice row;

	if (!mp_next(w, &array) || array.type != MP_ARRAY)
		return REFUSE(why, "a part has no array of rows");
	for (uint32_t i = 0; i < array.n; i++)
		if (!mp_skip(w, &row))
			return REFUSE(why, "a part is cut off");
	r->rows += array.n;
	return 0;
}

/* A message: 1 when it is a part of the state. */
static int
rows_take(struct bench_rows *r, struct slice msg, struct reason *why)
{
	struct mp_walk w = mp_walk(msg);
	struct slice op = { NULL, 0 }, name, value;
	struct mp_item item;

	if (!mp_next(&w, &item) || item.type != MP_MAP)
		return 0;
	for (uint32_t n = item.n; n > 0; n--) {
		if (!mp_next_name(&w, &name) || !name.p)
			return REFUSE(why, "a message is no map of names");
		if (slice_is(name, "rows")) {
			if (rows_count(r, &w, why) < 0)
				return -EPROTO;
			continue;
		}
		if (slice_is(name, "op") || slice_is(name, "seq") ||
		    slice_is(name, "last")) {
			if (!mp_next(&w, &item))
				return REFUSE(why, "a message is cut off");
			if (item.type == MP_STR)
				op = item.s;
			else if (item.type == MP_UINT)
				r->seq = item.u;
			else if (item.type == MP_BOOL)
				r->last = item.boolean;
		} else if (!mp_skip(&w, &value)) {
			return REFUSE(why, "a message is cut off");
		}
	}
	if (op.p && slice_is(op, "error"))
		return query_refused(msg, why);
	if (!op.p || !slice_is(op, "snapshot"))
		return 0;
	r->bytes += msg.len;
	r->parts++;
	return 1;
}

/* From here on the clock runs. */
static void
rows_begin(struct bench_rows *r, uint64_t *begin_ns)
{
	r->rows = r->bytes = r->parts = 0;
	r->last = false;
	r->sample.len = 0;
	*begin_ns = time_mono_ns();
}

static int
rows_part(struct bench_rows *r, struct slice msg, uint64_t begin_ns,
    struct reason *why)
{
	int got = rows_take(r, msg, why);

	if (got <= 0)
		return got;
	r->all_ns = time_mono_ns() - begin_ns;
	if (r->parts == 1) {
		r->first_ns = r->all_ns;
		mp_pack_raw(&r->sample, msg);
	}
	return r->sample.failed ? reason_set(why, -ENOMEM, "cannot keep a part")
				: 1;
}

/* --- the broker's socket --- */

static int
rows_frame(struct frame_stream *fs, struct slice *msg, struct reason *why)
{
	int got, io;

	while ((got = frame_next(fs, msg)) == FRAME_NONE) {
		io = frame_fill(fs);
		if (io == FRAME_IO_AGAIN)
			return reason_say(why, -ETIMEDOUT, "nothing comes");
		if (io == FRAME_IO_CLOSED)
			return reason_say(why, -EPIPE, "the server went away");
		if (io < 0)
			return reason_set(why, io, "cannot receive");
		if (tool_stopped())
			return reason_say(why, -EINTR, "stopped");
	}
	return got == FRAME_ONE ? 0 : REFUSE(why, "a frame is too long");
}

/* Frames until the last part, or until there were `parts` of them. */
static int
rows_read_frames(struct frame_stream *fs, struct bench_rows *r, uint64_t parts,
    uint64_t begin_ns, struct reason *why)
{
	struct slice msg;
	int err;

	while (parts ? r->parts < parts : !r->last) {
		err = rows_frame(fs, &msg, why);
		if (err >= 0)
			err = rows_part(r, msg, begin_ns, why);
		if (err < 0)
			return err;
	}
	return 0;
}

static int
rows_local(struct frame_stream *fs, struct bench_rows *r, struct reason *why)
{
	uint64_t begin_ns;
	size_t mark;
	int err;

	rows_begin(r, &begin_ns);
	rows_pack(frame_begin(fs, &mark), r, false);
	err = frame_end(fs, mark);
	if (err >= 0)
		err = frame_flush(fs);
	if (err < 0)
		return reason_set(why, err, "cannot ask the broker");
	return rows_read_frames(fs, r, 0, begin_ns, why);
}

int
bench_rows_local(const struct tool *t, struct bench_rows *r, struct reason *why)
{
	const struct timeval patience = { ROWS_PATIENCE_S, 0 };
	struct frame_stream fs;
	char path[PATH_MAX];
	int err, fd;

	snprintf(
	    path, sizeof(path), "%s/broker.sock", house_run_dir(&t->house));
	err = frame_connect(path, SOCK_STREAM, &fd, why);
	if (err < 0)
		return err;
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	frame_stream_init(&fs, fd, ROWS_FRAME_MAX);
	err = rows_local(&fs, r, why);
	frame_stream_deinit(&fs);
	return err;
}

/* --- a gateway --- */

static int
rows_message(struct remote *conn, struct slice *msg, struct reason *why)
{
	int got = remote_wait(conn, ROWS_PATIENCE_S * 1000, msg, why);

	if (got == REMOTE_MESSAGE || got == REMOTE_OPENED || got < 0)
		return got;
	return REFUSE(why, "the server closed (%u%s%.150s)",
	    remote_close_code(conn), *remote_close_text(conn) ? ": " : "",
	    remote_close_text(conn));
}

static int
rows_send(struct remote *conn, struct mp_buf *b, struct reason *why)
{
	int err =
	    b->failed ? -ENOMEM : remote_send(conn, slice_of(b->p, b->len));

	b->len = 0;
	return err < 0 ? reason_set(why, err, "cannot ask the gateway") : 0;
}

/* Messages until the last part, or until there were `parts` of them. */
static int
rows_read_messages(struct remote *conn, struct bench_rows *r, uint64_t parts,
    uint64_t begin_ns, struct reason *why)
{
	struct slice msg;
	int err;

	while (parts ? r->parts < parts : !r->last) {
		err = rows_message(conn, &msg, why);
		if (err == REMOTE_MESSAGE)
			err = rows_part(r, msg, begin_ns, why);
		if (err < 0)
			return err;
	}
	return 0;
}

static int
rows_remote(struct remote *conn, const char *token, struct mp_buf *b,
    struct bench_rows *r, struct reason *why)
{
	uint64_t begin_ns;
	struct slice msg;
	int err = rows_message(conn, &msg, why);

	follow_pack_hello(b, token);
	if (err >= 0)
		err = rows_send(conn, b, why);
	if (err >= 0)
		err = rows_message(conn, &msg, why);
	if (err >= 0)
		err = rows_take(r, msg, why); /* welcome, or a refusal */
	if (err < 0)
		return err;
	rows_begin(r, &begin_ns);
	rows_pack(b, r, true);
	err = rows_send(conn, b, why);
	return err < 0 ? err : rows_read_messages(conn, r, 0, begin_ns, why);
}

int
bench_rows_remote(
    const struct bench_staff *s, struct bench_rows *r, struct reason *why)
{
	CLEANUP(remote_target_freep) struct remote_target *target = NULL;
	CLEANUP(remote_freep) struct remote *conn = NULL;
	struct mp_buf b = { 0 };
	char path[PATH_MAX];
	int err = remote_target_open(
	    s->url, credentials_cafile(s->t, path), &target, why);

	if (err >= 0)
		err = remote_open(target, &conn, why);
	if (err >= 0)
		err = rows_remote(conn, s->token, &b, r, why);
	mp_buf_deinit(&b);
	return err;
}

/* --- bare --- */

static void
rows_ended(pid_t pid, struct bench_rows *r)
{
	struct rusage used;

	(void)kill(pid, SIGKILL);
	if (wait4(pid, NULL, 0, &used) != pid)
		return;
	r->cpu_ns =
	    (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * NS_PER_S +
	    (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000;
}

/* The bare server on a Unix socket: a whole life. */
static void
rows_serve(int fd, const struct bench_rows *like)
{
	struct mp_buf b = { 0 };
	uint8_t head[4];
	ssize_t n = 0;

	/* The request. */
	n = recv(fd, head, 1, 0);
	put_le32(head, (uint32_t)like->sample.len);
	mp_buf_bytes(&b, head, sizeof(head));
	mp_pack_raw(&b, slice_of(like->sample.p, like->sample.len));
	for (uint64_t i = 0; i < like->parts && !b.failed && n >= 0; i++)
		for (size_t sent = 0; sent < b.len && n >= 0;
		     sent += (size_t)MAX(n, 0))
			n = send(fd, b.p + sent, b.len - sent, MSG_NOSIGNAL);
	_exit(TOOL_OK);
}

int
bench_rows_bare(
    const struct bench_rows *like, struct bench_rows *r, struct reason *why)
{
	struct frame_stream fs;
	uint64_t begin_ns;
	int pair[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return reason_set(why, -errno, "cannot make sockets");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		rows_serve(pair[1], like);
	}
	(void)close(pair[1]);
	rows_begin(r, &begin_ns);
	frame_stream_init(&fs, pair[0], ROWS_FRAME_MAX);
	err = pid < 0 || send(pair[0], "", 1, MSG_NOSIGNAL) < 0
		  ? reason_set(why, -errno, "cannot start a server")
		  : rows_read_frames(&fs, r, like->parts, begin_ns, why);
	frame_stream_deinit(&fs);
	if (pid > 0)
		rows_ended(pid, r);
	return err;
}

/* The bare server over TLS: a whole life. */
static void
rows_serve_tls(struct tls_bare *server, const struct bench_rows *like)
{
	struct mp_buf b = { 0 };
	struct reason why = REASON_NO_MEMORY;
	int err = 0;

	tls_bare_pack_head(&b, like->sample.len);
	mp_pack_raw(&b, slice_of(like->sample.p, like->sample.len));
	if (b.failed || tls_bare_accept(server, ROWS_ACCEPT_MS, &why) != 1)
		_exit(TOOL_ERROR);
	for (uint64_t i = 0; i < like->parts && err >= 0; i++)
		err = tls_bare_write(server, b.p, b.len, &why);
	/* Until the client has gone, which ends this process. */
	(void)pause();
	_exit(TOOL_OK);
}

static int
rows_bare_read(const struct tool *t, unsigned port,
    const struct bench_rows *like, struct bench_rows *r, struct reason *why)
{
	CLEANUP(remote_target_freep) struct remote_target *target = NULL;
	CLEANUP(remote_freep) struct remote *conn = NULL;
	char path[PATH_MAX], url[64];
	uint64_t begin_ns;
	struct slice msg;
	int err;

	snprintf(url, sizeof(url), "https://127.0.0.1:%u", port);
	err =
	    remote_target_open(url, credentials_cafile(t, path), &target, why);
	if (err >= 0)
		err = remote_open(target, &conn, why);
	if (err >= 0)
		err = rows_message(conn, &msg, why);
	if (err < 0)
		return err;
	rows_begin(r, &begin_ns);
	return rows_read_messages(conn, r, like->parts, begin_ns, why);
}

int
bench_rows_bare_tls(const struct tool *t, const struct bench_rows *like,
    struct bench_rows *r, struct reason *why)
{
	CLEANUP(tls_bare_freep) struct tls_bare *server = NULL;
	unsigned port;
	pid_t pid;
	int err = tls_bare_open(conf_text(t->house.conf, CONF_tls_certificate),
	    conf_text(t->house.conf, CONF_tls_key), &server, &port, why);

	if (err < 0)
		return err;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		rows_serve_tls(server, like);
	}
	if (pid < 0)
		return reason_set(why, -errno, "cannot start a server");
	err = rows_bare_read(t, port, like, r, why);
	rows_ended(pid, r);
	return err;
}
