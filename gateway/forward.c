/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The writer's answers carry our ids; they go on with the clients' own.
 * What is written here and what comes back is the protocol of doc/protocol.md
 * in frames of local sockets.
 */

#include <errno.h>
#include <stdlib.h>

#include "core/event.h"
#include "core/reason.h"
#include "gateway/alloc.h"
#include "gateway/counters.h"
#include "gateway/forward.h"
#include "gateway/local.h"
#include "gateway/quota.h"

enum {
	BUCKETS = 4096,
	RETRY_MS = 1000, /* what clients are told */
	HELLO_ID = 0,	 /* requests of clients begin at 1 */
};

struct forward {
	struct local writer;
	forward_answer *answer;
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

/* The writer's reply with the client's id in place of ours. */
static void
pass_on(struct forward *f, const struct forward_pending *p,
    const struct proto_reply *reply)
{
	struct mp_buf b = { 0 };

	proto_pack_reply(&b, reply->body, p->id);
	if (!b.failed)
		f->answer(p->owner, slice_of(b.p, b.len));
	mp_buf_deinit(&b);
}

static bool
on_value(void *arg, struct slice value, struct reason *why)
{
	struct forward *f = arg;
	struct proto_reply reply;
	struct forward_pending **at, *p;

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
on_up(void *arg)
{
	forward_hello(arg);
}

static void
on_down(void *arg)
{
	forward_give_up(arg);
}

static const struct local_handler handler = {
	.peer = "writer",
	.frame_max = EVENT_MAX,
	.up = on_up,
	.value = on_value,
	.down = on_down,
};

void
forward_flush(struct forward *f)
{
	local_flush(&f->writer);
}

void
forward_hello(struct forward *f)
{
	struct mp_buf *b;

	if (!forward_up(f))
		return;
	b = local_begin(&f->writer);
	proto_pack_head(b, "hello", (struct proto_uint){ true, HELLO_ID }, 1);
	mp_pair_uint(b, "v", 1);
	(void)local_end(&f->writer);
}

uint64_t
forward_keys_seconds(const struct forward *f)
{
	return f->keys_seconds;
}

int
forward_new(struct loop *loop, const char *dir, forward_answer *answer,
    struct forward **out)
{
	struct forward *f CLEANUP(forward_freep) = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->answer = answer;
	f->next_id = 1;
	err = local_init(&f->writer, loop, dir, "writer.sock", &handler, f);
	if (err < 0)
		return err;
	*out = TAKE(f);
	return 0;
}

struct forward *
forward_free(struct forward *f)
{
	if (!f)
		return NULL;
	local_deinit(&f->writer);
	forward_give_up(f);
	free(f);
	return NULL;
}

bool
forward_up(const struct forward *f)
{
	return local_is_up(&f->writer);
}

struct mp_buf *
forward_begin(struct forward *f, uint64_t *wire_id)
{
	*wire_id = f->next_id;
	return local_begin(&f->writer);
}

void
forward_cancel(struct forward *f)
{
	local_cancel(&f->writer);
}

bool
forward_end(struct forward *f, struct forward_list *list,
    const struct forward_pending *request)
{
	struct forward_pending *p, **at;

	if (!local_end(&f->writer))
		return false;
	p = alloc_bytes(sizeof(*p));
	COUNTERS_ADD(forwarded, 1);
	*p = *request;
	p->wire_id = f->next_id++;
	at = slot_of(f, p->wire_id);
	p->next = *at;
	*at = p;
	LIST_INSERT_HEAD(list, p, owner_link);
	f->waiting++;
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
