/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The writer's answers carry our ids; they go on with the clients' own.
 * What is written here and what comes back is the protocol of doc/protocol.md
 * in frames of local sockets.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/diag.h"
#include "core/event.h"
#include "core/frame.h"
#include "core/loop.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/forward.h"
#include "gateway/quota.h"

enum {
	BUCKETS = 4096,
	UNSENT_MAX = 32 << 20, /* then the writer does not keep up */
	RETRY_US = 50 * 1000,
	RETRY_MS = 1000, /* what clients are told */
	HELLO_ID = 0,	 /* requests of clients begin at 1 */
};

struct forward {
	struct loop *loop;
	forward_answer *answer;
	char path[108];
	bool up;
	bool failed; /* a write failed: to be closed from the loop */
	bool dirty;  /* requests were packed since the last write */
	struct frame_stream stream;
	struct loop_io io;
	struct loop_timer retry;
	size_t mark;
	uint64_t next_id;
	uint64_t keys_seconds; /* as the writer said last */
	uint64_t waiting;
	struct forward_pending *buckets[BUCKETS];
};

static struct forward_pending **
slot_of(struct forward *f, uint64_t wire_id)
{
	struct forward_pending **at = &f->buckets[wire_id % BUCKETS];

	while (*at && (*at)->wire_id != wire_id)
		at = &(*at)->next;
	return at;
}

/* Out of the tables; the caller frees. */
static struct forward_pending *
take(struct forward *f, struct forward_pending **at)
{
	struct forward_pending *p = *at;

	*at = p->next;
	f->waiting--;
	if (p->owner)
		LIST_REMOVE(p, owner_link);
	quota_answered(p->quota, p->bytes);
	return p;
}

static void
answer_lost(struct forward *f, const struct forward_pending *p)
{
	struct mp_buf b = { 0 };

	if (p->emit)
		proto_pack_error(&b, p->id, PROTO_UNAVAILABLE,
		    "the writer went away before it took the event", RETRY_MS);
	else
		proto_pack_error(&b, p->id, PROTO_UNKNOWN,
		    "the writer went away before it answered: the events may be stored",
		    0);
	if (!b.failed)
		f->answer(p->owner, slice_of(b.p, b.len));
	mp_buf_deinit(&b);
}

void
forward_give_up(struct forward *f)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		while (f->buckets[i]) {
			struct forward_pending *p = take(f, &f->buckets[i]);

			if (p->owner)
				answer_lost(f, p);
			free(p);
		}
}

static void
retry(struct forward *f)
{
	if (loop_timer_set(&f->retry, RETRY_US, 0) < 0)
		alloc_failed();
}

static void
hang_up(struct forward *f, const char *why)
{
	diag_warn("lost the writer: %s", why);
	loop_io_deinit(&f->io);
	frame_stream_deinit(&f->stream);
	f->up = false;
	forward_give_up(f);
	retry(f);
}

/* The writer's reply with the client's id in place of ours. */
static void
pass_on(struct forward *f, const struct forward_pending *p,
    const struct proto_reply *reply)
{
	struct mp_walk w = mp_walk(reply->body);
	struct mp_buf b = { 0 };
	struct mp_item map;

	if (!mp_next(&w, &map) || map.type != MP_MAP)
		return;
	mp_pack_map(&b, map.n - !p->id.set);
	for (uint32_t i = 0; i < map.n; i++) {
		struct slice key, value;
		struct mp_walk kw;
		struct mp_item name;

		if (!mp_skip(&w, &key) || !mp_skip(&w, &value))
			break;
		kw = mp_walk(key);
		if (!mp_next(&kw, &name) || name.type != MP_STR ||
		    !slice_is(name.s, "id")) {
			mp_pack_raw(&b, key);
			mp_pack_raw(&b, value);
		} else if (p->id.set) {
			mp_pack_raw(&b, key);
			mp_pack_uint(&b, p->id.v);
		}
	}
	if (!b.failed)
		f->answer(p->owner, slice_of(b.p, b.len));
	mp_buf_deinit(&b);
}

/* false: this is no writer that we could talk to. */
static bool
take_reply(struct forward *f, struct slice value, struct reason *why)
{
	struct proto_reply reply;
	struct forward_pending **at, *p;
	int rc = mpvalid_check(value.p, value.len, why);

	if (rc < 0 || rc == MPVALID_BAD)
		return false;
	if (proto_reply_parse(value, &reply, why) != PROTO_OK)
		return false;
	if (!reply.id.set) {
		reason_set(why, 0, "an answer without an id");
		return false;
	}
	if (reply.id.v == HELLO_ID) {
		f->keys_seconds = proto_get_uint(value, "keys_seconds").v;
		return true;
	}
	at = slot_of(f, reply.id.v);
	if (!*at) {
		reason_set(why, 0, "an answer to nothing that was asked");
		return false;
	}
	p = take(f, at);
	if (p->owner)
		pass_on(f, p, &reply);
	free(p);
	return true;
}

static void
readable(struct forward *f)
{
	struct reason why = { "" };
	struct slice value;
	int rc = frame_fill(&f->stream);

	if (rc == FRAME_IO_AGAIN)
		return;
	if (rc != FRAME_IO_DONE) {
		hang_up(f, rc < 0 ? strerror(-rc) : "it has closed");
		return;
	}
	while ((rc = frame_next(&f->stream, &value)) == FRAME_ONE)
		if (!take_reply(f, value, &why)) {
			hang_up(f, why.text);
			return;
		}
	if (rc != FRAME_NONE)
		hang_up(f, "a frame that is too long");
}

static void
flush(struct forward *f)
{
	int rc = frame_flush(&f->stream);

	f->failed = rc != FRAME_IO_DONE && rc != FRAME_IO_AGAIN;
	/* What failed is told from the loop, not from within a request. */
	if (loop_io_want(&f->io, rc == FRAME_IO_AGAIN || f->failed
				     ? LOOP_READ | LOOP_WRITE
				     : LOOP_READ) < 0)
		alloc_failed();
}

void
forward_flush(struct forward *f)
{
	if (f->up && f->dirty)
		flush(f);
	f->dirty = false;
}

static void
on_io(void *arg, unsigned what)
{
	struct forward *f = arg;

	if (f->failed) {
		hang_up(f, "it takes nothing any more");
		return;
	}
	if (what & LOOP_WRITE)
		flush(f);
	if (what & LOOP_READ)
		readable(f);
}

void
forward_hello(struct forward *f)
{
	struct mp_buf *b;

	if (!forward_up(f))
		return;
	b = frame_begin(&f->stream, &f->mark);
	proto_pack_head(b, "hello", (struct proto_uint){ true, HELLO_ID }, 1);
	mp_pack_cstr(b, "v");
	mp_pack_uint(b, 1);
	if (frame_end(&f->stream, f->mark) == 0)
		f->dirty = true;
}

uint64_t
forward_keys_seconds(const struct forward *f)
{
	return f->keys_seconds;
}

static void
connect_writer(void *arg)
{
	struct forward *f = arg;
	int fd;

	if (frame_connect(f->path, SOCK_STREAM | SOCK_NONBLOCK, &fd, NULL) <
	    0) {
		retry(f);
		return;
	}
	frame_stream_init(&f->stream, fd, EVENT_MAX);
	f->failed = false;
	f->up = true;
	if (loop_io_add(f->loop, &f->io, fd, LOOP_READ, on_io, f) < 0)
		hang_up(f, "no memory");
	forward_hello(f);
}

int
forward_new(struct loop *loop, const char *dir, forward_answer *answer,
    struct forward **out)
{
	struct forward *f CLEANUP(forward_freep) = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->loop = loop;
	f->answer = answer;
	f->next_id = 1;
	if (snprintf(f->path, sizeof(f->path), "%s/writer.sock", dir) >=
	    (int)sizeof(f->path))
		return -ENAMETOOLONG;
	err = loop_timer_init(loop, &f->retry, connect_writer, f);
	if (err < 0)
		return err;
	connect_writer(f);
	*out = TAKE(f);
	return 0;
}

struct forward *
forward_free(struct forward *f)
{
	if (!f)
		return NULL;
	if (f->up) {
		loop_io_deinit(&f->io);
		frame_stream_deinit(&f->stream);
	}
	forward_give_up(f);
	loop_timer_deinit(&f->retry);
	free(f);
	return NULL;
}

bool
forward_up(const struct forward *f)
{
	return f->up && !f->failed && frame_unsent(&f->stream) < UNSENT_MAX;
}

struct mp_buf *
forward_begin(struct forward *f, uint64_t *wire_id)
{
	*wire_id = f->next_id;
	return frame_begin(&f->stream, &f->mark);
}

void
forward_cancel(struct forward *f)
{
	frame_cancel(&f->stream, f->mark);
}

bool
forward_end(struct forward *f, struct forward_list *list,
    const struct forward_pending *request)
{
	struct forward_pending *p, **at;

	if (frame_end(&f->stream, f->mark) < 0)
		return false;
	p = alloc_bytes(sizeof(*p));
	*p = *request;
	p->wire_id = f->next_id++;
	at = slot_of(f, p->wire_id);
	p->next = *at;
	*at = p;
	LIST_INSERT_HEAD(list, p, owner_link);
	f->waiting++;
	f->dirty = true;
	return true;
}

void
forward_disown(struct forward_list *list)
{
	while (!LIST_EMPTY(list)) {
		struct forward_pending *p = LIST_FIRST(list);

		LIST_REMOVE(p, owner_link);
		p->owner = NULL;
	}
}

uint64_t
forward_waiting(const struct forward *f)
{
	return f->waiting;
}
