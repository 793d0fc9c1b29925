/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The producer's side of writer.sock.  What comes from the socket is
 * validated before it is read, though the writer is one of ours.
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/refuse.h"
#include "tools/writer_client.h"

enum {
	REPLY_MAX = 1 << 20,
	HELLO_ID = 0,
	HELLO_MS = 10000
};

int
writer_client_open(
    struct writer_client *wc, const char *run_dir, struct reason *why)
{
	char path[PATH_MAX];
	int err, fd;

	wc->open = false;
	snprintf(path, sizeof(path), "%s/writer.sock", run_dir);
	err = frame_connect(path, SOCK_STREAM | SOCK_NONBLOCK, &fd, why);
	if (err == -ENOENT || err == -ECONNREFUSED) {
		(void)reason_set(why, 0,
		    "no peal is running here: nobody serves '%.150s'", path);
		return err;
	}
	if (err < 0)
		return err;
	frame_stream_init(&wc->fs, fd, REPLY_MAX);
	wc->open = true;
	return 0;
}

void
writer_client_close(struct writer_client *wc)
{
	if (wc->open)
		frame_stream_deinit(&wc->fs);
	wc->open = false;
}

static int
writer_client_say_hello(struct writer_client *wc)
{
	size_t mark;
	struct mp_buf *b = frame_begin(&wc->fs, &mark);

	mp_pack_map(b, 3);
	mp_pair_cstr(b, "op", "hello");
	mp_pair_uint(b, "id", HELLO_ID);
	mp_pair_uint(b, "v", 1);
	return frame_end(&wc->fs, mark);
}

/* What a welcome says; other members are of no use here. */
static int
writer_client_welcome(struct slice value, char log[PROTO_LOG_NAME],
    uint64_t *head, struct reason *why)
{
	struct slice name;
	struct proto_reply reply;
	int err;

	err = mpvalid_check(value.p, value.len, why);
	if (err < 0)
		return err;
	if (err == MPVALID_BAD ||
	    proto_reply_parse(value, &reply, why) != PROTO_OK ||
	    !slice_is(reply.op, "welcome"))
		return REFUSE(why, "the writer does not say which log it has");
	name = proto_get_str(value, "log");
	if (name.len == 0 || name.len >= PROTO_LOG_NAME)
		return REFUSE(why, "the writer does not say which log it has");
	memcpy(log, name.p, name.len);
	log[name.len] = '\0';
	*head = proto_get_uint(value, "head").v;
	return 0;
}

int
writer_client_hello(struct writer_client *wc, char log[PROTO_LOG_NAME],
    uint64_t *head, struct reason *why)
{
	uint64_t deadline = time_mono_ns() + HELLO_MS * NS_PER_MS;
	struct slice value;
	int err = writer_client_say_hello(wc);

	if (err < 0)
		return reason_set(why, err, "cannot ask the writer");
	while (time_mono_ns() < deadline) {
		err = writer_client_wait(wc, 100, why);
		if (err == WRITER_CLOSED)
			return reason_say(why, -EPIPE, "the writer went away");
		if (err < 0)
			return err;
		err = frame_next(&wc->fs, &value);
		if (err == FRAME_ONE)
			return writer_client_welcome(value, log, head, why);
		if (err == FRAME_TOO_LONG)
			return REFUSE(why, "the writer's answer is too long");
	}
	return reason_say(why, -ETIMEDOUT, "the writer does not answer");
}

static void
writer_client_pack_expect(struct mp_buf *b, const struct writer_append *append)
{
	mp_pack_cstr(b, "expect");
	if (append->expect == PROTO_EXPECT_EXISTS)
		mp_pack_cstr(b, "exists");
	else
		mp_pack_uint(b, append->version);
}

void
writer_client_pack_event(struct mp_buf *b, const struct writer_append *append)
{
	unsigned n = 3;

	n += append->actor.p != NULL;
	n += append->key.p != NULL;
	n += append->meta.len > 0;
	n += append->time_us.set;
	n += append->schema.set;
	n += append->expect != PROTO_EXPECT_ANY;
	mp_pack_map(b, n);
	mp_pair_str(b, "topic", append->topic);
	mp_pair_str(b, "type", append->type);
	mp_pair_raw(b, "data", append->data);
	if (append->actor.p)
		mp_pair_str(b, "actor", append->actor);
	if (append->key.p)
		mp_pair_str(b, "key", append->key);
	if (append->meta.len)
		mp_pair_raw(b, "meta", append->meta);
	if (append->time_us.set)
		mp_pair_uint(b, "time", append->time_us.v);
	if (append->schema.set)
		mp_pair_uint(b, "schema", append->schema.v);
	if (append->expect != PROTO_EXPECT_ANY)
		writer_client_pack_expect(b, append);
}

void
writer_client_pack_events(
    struct mp_buf *b, const struct writer_append *v, uint32_t n)
{
	mp_pack_array(b, n);
	for (uint32_t i = 0; i < n; i++)
		writer_client_pack_event(b, &v[i]);
}

void
writer_client_pack(
    struct mp_buf *b, uint64_t id, const struct writer_append *append)
{
	proto_pack_head(b, "append", (struct proto_uint){ true, id }, 1);
	mp_pack_cstr(b, "events");
	writer_client_pack_events(b, append, 1);
}

int
writer_client_send(struct writer_client *wc, struct slice request)
{
	size_t mark;

	mp_pack_raw(frame_begin(&wc->fs, &mark), request);
	return frame_end(&wc->fs, mark);
}

int
writer_client_wait(struct writer_client *wc, int timeout_ms, struct reason *why)
{
	struct pollfd pfd = { .fd = wc->fs.fd, .events = POLLIN };
	int moved = WRITER_TIMEOUT, io;

	if (frame_unsent(&wc->fs)) {
		io = frame_flush(&wc->fs);
		if (io == -EPIPE || io == -ECONNRESET)
			return WRITER_CLOSED;
		if (io < 0)
			return reason_set(why, io, "cannot send to the writer");
		if (io == FRAME_IO_AGAIN)
			pfd.events |= POLLOUT;
		else
			moved = WRITER_MOVED;
	}
	if (poll(&pfd, 1, timeout_ms) < 0 && errno != EINTR)
		return reason_set(why, -errno, "cannot wait for the writer");
	if (pfd.revents & POLLOUT)
		moved = WRITER_MOVED;
	if (!(pfd.revents & (POLLIN | POLLHUP | POLLERR)))
		return moved;
	io = frame_fill(&wc->fs);
	if (io == FRAME_IO_CLOSED || io == -ECONNRESET || io == -EPIPE)
		return WRITER_CLOSED;
	if (io < 0)
		return reason_set(why, io, "cannot receive from the writer");
	return io == FRAME_IO_DONE ? WRITER_MOVED : moved;
}

static int
writer_client_parse(
    struct slice value, struct writer_reply *reply, struct reason *why)
{
	struct proto_reply head;
	struct slice versions;
	struct mp_item item;
	struct mp_walk w;
	int err;

	err = mpvalid_check(value.p, value.len, why);
	if (err < 0)
		return err;
	if (err == MPVALID_BAD ||
	    proto_reply_parse(value, &head, why) != PROTO_OK || !head.id.set)
		return REFUSE(why, "the writer's answer makes no sense");
	*reply = (struct writer_reply){ .id = head.id.v, .body = value };
	if (slice_is(head.op, "appended")) {
		reply->seq = proto_get_uint(value, "seq").v;
		reply->time_us = proto_get_uint(value, "time").v;
		versions = proto_get(value, "versions");
		w = mp_walk(versions);
		if (mp_next(&w, &item) && item.type == MP_ARRAY &&
		    mp_next(&w, &item) && item.type == MP_UINT)
			reply->version = item.u;
		w = mp_walk(proto_get(value, "duplicate"));
		reply->duplicate =
		    mp_next(&w, &item) && item.type == MP_BOOL && item.boolean;
		return 1;
	}
	reply->code = proto_code_find(proto_get_str(value, "code"));
	reply->message = proto_get_str(value, "message");
	reply->retry_ms = proto_get_uint(value, "retry_ms").v;
	if (reply->code == PROTO_OK || reply->code == PROTO_CODES)
		reply->code = PROTO_INTERNAL;
	return 1;
}

int
writer_client_reply(
    struct writer_client *wc, struct writer_reply *reply, struct reason *why)
{
	struct slice value;

	switch (frame_next(&wc->fs, &value)) {
	case FRAME_NONE:
		return 0;
	case FRAME_ONE:
		return writer_client_parse(value, reply, why);
	default:
		return REFUSE(why, "the writer's answer is too long");
	}
}

int
writer_client_call(struct writer_client *wc, struct slice request,
    int timeout_ms, struct writer_reply *reply, struct reason *why)
{
	uint64_t end_ns =
	    time_mono_ns() + (uint64_t)MAX(timeout_ms, 0) * NS_PER_MS;
	int got = writer_client_send(wc, request);

	if (got < 0)
		return reason_set(why, got, "cannot ask the writer");
	while (timeout_ms < 0 || time_mono_ns() < end_ns) {
		got = writer_client_wait(wc, MIN(timeout_ms, 100), why);
		if (got == WRITER_CLOSED) {
			(void)reason_set(
			    why, 0, "the writer went away before it answered");
			return -EPIPE;
		}
		if (got >= 0)
			got = writer_client_reply(wc, reply, why);
		if (got)
			return MIN(got, 0);
	}
	(void)reason_set(why, 0, "the writer does not answer");
	return -ETIMEDOUT;
}
