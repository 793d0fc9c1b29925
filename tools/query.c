/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The client of queries.  Both ways to the server carry the same maps; what
 * differs is how bytes come and go, and that is kept in the few functions at
 * the top.
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/frame.h"
#include "core/mpvalid.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/credentials.h"
#include "tools/query.h"
#include "tools/refuse.h"
#include "tools/remote.h"
#include "tools/tool.h"

enum {
	QUERY_FRAME_MAX = 4 << 20,
	QUERY_FIRST_ID = 100, /* those below are the callers' own */
	QUERY_PATIENCE_MS = 5000,
	QUERY_RETRY_MS = 200, /* where the server names no time */
	QUERY_RETRY_MAX_MS = 1000,
};

struct query {
	const struct tool *t;
	int timeout_ms;
	struct frame_stream fs; /* of the broker's socket */
	bool local;		/* fs is open */
	struct remote_target *target;
	struct remote *conn; /* of a gateway */
	struct mp_buf request;
	struct mp_buf welcome;
	uint64_t id;
	enum proto_code code;
	bool answered; /* something of the answer has come */
	uint64_t patience_ns;
};

/* --- the broker's socket --- */

static int
query_local_open(struct query *q, struct reason *why)
{
	char path[PATH_MAX];
	int err, fd;

	snprintf(
	    path, sizeof(path), "%s/broker.sock", house_run_dir(&q->t->house));
	err = frame_connect(path, SOCK_STREAM | SOCK_NONBLOCK, &fd, why);
	if (err == -ENOENT || err == -ECONNREFUSED) {
		(void)reason_set(why, 0,
		    "no broker is running here: nobody serves '%.150s'", path);
		return err;
	}
	if (err < 0)
		return err;
	frame_stream_init(&q->fs, fd, QUERY_FRAME_MAX);
	q->local = true;
	return 0;
}

static int
query_silent(const struct query *q, struct reason *why)
{
	(void)reason_set(why, 0, "the server says nothing for %d seconds",
	    q->timeout_ms / 1000);
	return -ETIMEDOUT;
}

/* Move bytes both ways, waiting until some have come. */
static int
query_local_move(struct query *q, struct reason *why)
{
	struct pollfd pfd = { .fd = q->fs.fd, .events = POLLIN };
	int io = 0, n;

	if (frame_unsent(&q->fs))
		io = frame_flush(&q->fs);
	if (io < 0)
		return reason_set(why, io, "cannot send to the broker");
	if (io == FRAME_IO_AGAIN)
		pfd.events |= POLLOUT;
	n = poll(&pfd, 1, q->timeout_ms);
	if (n < 0 && errno != EINTR)
		return reason_set(why, -errno, "cannot wait for the broker");
	if (n == 0)
		return query_silent(q, why);
	if (n < 0 || !(pfd.revents & (POLLIN | POLLHUP | POLLERR)))
		return 0;
	io = frame_fill(&q->fs);
	if (io == FRAME_IO_CLOSED || io == -ECONNRESET || io == -EPIPE) {
		(void)reason_set(why, 0, "the broker went away");
		return -EPIPE;
	}
	return io < 0 ? reason_set(why, io, "cannot receive from the broker")
		      : 0;
}

static int
query_local_next(struct query *q, struct slice *msg, struct reason *why)
{
	int got, err;

	while ((got = frame_next(&q->fs, msg)) == FRAME_NONE) {
		err = query_local_move(q, why);
		if (err < 0)
			return err;
	}
	return got == FRAME_ONE
		   ? 0
		   : REFUSE(why, "the broker's answer is too long");
}

/* --- a gateway --- */

/* What a step of the connection is, where only one is of use. */
static int
query_remote_wait(struct query *q, enum remote_step wanted, struct slice *msg,
    struct reason *why)
{
	int got = remote_wait(q->conn, q->timeout_ms, msg, why);
	const char *text;

	if (got < 0)
		return got;
	if (got == REMOTE_AGAIN)
		return query_silent(q, why);
	if (got == REMOTE_CLOSED) {
		text = remote_close_text(q->conn);
		return REFUSE(why, "the server closed (%u%s%.150s)",
		    remote_close_code(q->conn), *text ? ": " : "", text);
	}
	return (enum remote_step)got == wanted
		   ? 0
		   : REFUSE(why, "the server opens at the wrong time");
}

static int
query_remote_open(struct query *q, struct reason *why)
{
	char path[PATH_MAX];
	struct slice msg;
	int err;

	err = remote_target_open(
	    q->t->url, credentials_cafile(q->t, path), &q->target, why);
	if (err >= 0)
		err = remote_open(q->target, &q->conn, why);
	return err < 0 ? err : query_remote_wait(q, REMOTE_OPENED, &msg, why);
}

static int
query_remote_next(struct query *q, struct slice *msg, struct reason *why)
{
	return query_remote_wait(q, REMOTE_MESSAGE, msg, why);
}

/* --- either --- */

int
query_put(struct query *q, struct slice request, struct reason *why)
{
	size_t mark;
	int err;

	if (q->local) {
		mp_pack_raw(frame_begin(&q->fs, &mark), request);
		err = frame_end(&q->fs, mark);
	} else {
		err = remote_send(q->conn, request);
	}
	return err < 0 ? reason_set(why, err, "cannot ask") : 0;
}

int
query_message(struct query *q, struct slice *msg, struct reason *why)
{
	int err = q->local ? query_local_next(q, msg, why)
			   : query_remote_next(q, msg, why);

	if (err < 0)
		return err;
	err = mpvalid_check(msg->p, msg->len, why);
	return err == MPVALID_BAD ? -EPROTO : MIN(err, 0);
}

struct mp_buf *
query_begin(struct query *q, const char *op, unsigned n)
{
	q->request.len = 0;
	q->id++;
	proto_pack_head(&q->request, op, (struct proto_uint){ true, q->id }, n);
	return &q->request;
}

int
query_send(struct query *q, struct reason *why)
{
	if (q->request.failed)
		return reason_set(why, -ENOMEM, "cannot ask");
	q->answered = false;
	q->code = PROTO_OK;
	q->patience_ns = time_mono_ns() + QUERY_PATIENCE_MS * NS_PER_MS;
	return query_put(q, slice_of(q->request.p, q->request.len), why);
}

int
query_refused(struct slice body, struct reason *why)
{
	struct slice code = proto_get_str(body, "code");
	struct slice text = proto_get_str(body, "message");
	struct proto_uint oldest = proto_get_uint(body, "oldest");
	char kept[60] = "";

	if (oldest.set)
		snprintf(kept, sizeof(kept), " (the oldest that is kept: %llu)",
		    (unsigned long long)oldest.v);
	return REFUSE(why, "%.*s: %.*s%s", (int)MIN(code.len, 40u),
	    (const char *)code.p, (int)MIN(text.len, 130u),
	    (const char *)text.p, kept);
}

/* The server can't answer at present: 1 when it was asked once more. */
static int
query_retry(struct query *q, struct slice body, struct reason *why)
{
	uint64_t pause_ms = proto_get_uint(body, "retry_ms").v;

	if (!slice_is(proto_get_str(body, "code"), "unavailable") ||
	    q->answered || time_mono_ns() > q->patience_ns)
		return 0;
	if (pause_ms == 0)
		pause_ms = QUERY_RETRY_MS;
	(void)poll(NULL, 0, (int)MIN(pause_ms, (uint64_t)QUERY_RETRY_MAX_MS));
	if (query_put(q, slice_of(q->request.p, q->request.len), why) < 0)
		return -ENOMEM;
	return 1;
}

/* What to do about it stands behind a sentence that the default led to. */
static int
query_told(const struct query *q, struct slice body, struct reason *why)
{
	int err = query_refused(body, why);
	size_t len = strlen(why->text);

	if (q->code == PROTO_BEHIND && q->t->min_seq == TOOL_HEAD)
		snprintf(why->text + len, sizeof(why->text) - len,
		    " (--min-seq 0 takes what is there)");
	return err;
}

static bool
query_is_map(struct slice msg)
{
	struct mp_walk w = mp_walk(msg);
	struct mp_item item;

	return mp_next(&w, &item) && item.type == MP_MAP;
}

int
query_reply(
    struct query *q, const char *op, struct slice *body, struct reason *why)
{
	uint64_t end_ns = time_mono_ns() + (uint64_t)q->timeout_ms * NS_PER_MS;
	struct proto_reply reply;
	struct slice msg;
	int err;

	while (time_mono_ns() < end_ns) {
		err = query_message(q, &msg, why);
		if (err < 0)
			return err;
		/* Batches are no answer, nor is what comes unasked. */
		if (!query_is_map(msg) ||
		    proto_reply_parse(msg, &reply, why) != PROTO_OK)
			continue;
		if (slice_is(reply.op, "error") &&
		    (!reply.id.set || reply.id.v == q->id)) {
			q->code = proto_code_find(proto_get_str(msg, "code"));
			err = query_retry(q, msg, why);
			if (err > 0)
				continue;
			return err < 0 ? err : query_told(q, msg, why);
		}
		if (!slice_is(reply.op, op) ||
		    (reply.id.set && reply.id.v != q->id))
			continue;
		q->answered = true;
		q->code = PROTO_OK;
		*body = msg;
		return 0;
	}
	return query_silent(q, why);
}

/* --- the connection --- */

static int
query_hello(struct query *q, struct reason *why)
{
	char token[CREDENTIALS_TOKEN_MAX] = "";
	struct mp_buf *b;
	struct slice welcome;
	int err = 0;

	if (!q->local)
		err = credentials_token(q->t, token, why);
	if (err < 0)
		return err;
	b = query_begin(q, "hello", *token ? 3 : 2);
	mp_pair_uint(b, "v", 1);
	mp_pair_cstr(b, "agent", "peal");
	if (*token)
		mp_pair_cstr(b, "token", token);
	err = query_send(q, why);
	if (err >= 0)
		err = query_reply(q, "welcome", &welcome, why);
	if (err < 0)
		return err;
	mp_pack_raw(&q->welcome, welcome);
	return q->welcome.failed ? reason_set(why, -ENOMEM, "cannot ask") : 0;
}

int
query_open(const struct tool *t, struct query **out, struct reason *why)
{
	CLEANUP(query_freep) struct query *q = calloc(1, sizeof(*q));
	int err;

	if (!q)
		return reason_set(why, -ENOMEM, "cannot ask");
	q->t = t;
	q->timeout_ms = (int)t->timeout_s * 1000;
	q->id = QUERY_FIRST_ID;
	err = t->url ? query_remote_open(q, why) : query_local_open(q, why);
	if (err >= 0)
		err = query_hello(q, why);
	if (err < 0)
		return err;
	*out = TAKE(q);
	return 0;
}

struct query *
query_free(struct query *q)
{
	struct reason ignored;
	struct slice msg;

	if (!q)
		return NULL;
	if (q->local)
		frame_stream_deinit(&q->fs);
	if (q->conn && remote_is_open(q->conn)) {
		remote_say_close(q->conn, PROTO_CLOSE_DONE);
		(void)!remote_wait(q->conn, 0, &msg, &ignored);
	}
	q->conn = remote_free(q->conn);
	q->target = remote_target_free(q->target);
	mp_buf_deinit(&q->request);
	mp_buf_deinit(&q->welcome);
	free(q);
	return NULL;
}

struct slice
query_welcome(const struct query *q)
{
	return slice_of(q->welcome.p, q->welcome.len);
}

enum proto_code
query_code(const struct query *q)
{
	return q->code;
}

uint64_t
query_min_seq(const struct query *q)
{
	if (q->t->min_seq != TOOL_HEAD)
		return q->t->min_seq;
	return proto_get_uint(query_welcome(q), "head").v;
}
