/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A broker that hangs must not hold up anybody: it is asked `hello` once a
 * second, counts as away when it has not answered the last one, and is hung
 * up on when it stays silent.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/proto.h"
#include "core/reason.h"
#include "gateway/alloc.h"
#include "gateway/ask.h"
#include "gateway/local.h"

enum {
	BUCKETS = 4096,
	FRAME_MAX = 16 << 20, /* a page of history, or a large row */
	LATE_TICKS = 2,	      /* then new questions are not asked ... */
	SILENT_TICKS = 10,    /* ... and old ones given up */
};

struct ask_call {
	struct ask_call *next; /* in its bucket */
	uint64_t id;
	ask_answer *fn; /* NULL: cancelled */
	void *arg;
};

struct ask {
	struct local broker;
	struct ask_handler handler;
	bool welcomed;
	unsigned silent; /* hellos without an answer */
	uint64_t next_id;
	uint64_t hello_id; /* of the last one */
	struct ask_call *buckets[BUCKETS];
};

static void
answer(struct ask_call *call, struct slice reply)
{
	if (call->fn)
		call->fn(call->arg, reply);
	free(call);
}

static struct ask_call *
take(struct ask *a, uint64_t id)
{
	struct ask_call **at = &a->buckets[id % BUCKETS], *call;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	call = *at;
	if (call)
		*at = call->next;
	return call;
}

static void
give_up(struct ask *a)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		while (a->buckets[i])
			answer(take(a, a->buckets[i]->id), slice_of(NULL, 0));
}

static void
hello(struct ask *a)
{
	struct mp_buf *b = local_begin(&a->broker);

	a->hello_id = a->next_id++;
	proto_pack_head(
	    b, "hello", (struct proto_uint){ true, a->hello_id }, 1);
	mp_pair_uint(b, "v", 1);
	(void)local_end(&a->broker);
}

static void
on_up(void *arg)
{
	struct ask *a = arg;

	a->welcomed = false;
	a->silent = 0;
	hello(a);
}

static void
take_welcome(struct ask *a, struct slice value)
{
	bool again = a->welcomed;

	a->welcomed = true;
	a->silent = 0;
	if (again)
		a->handler.news(a->handler.arg, value);
	else
		a->handler.up(a->handler.arg, value);
}

static bool
on_value(void *arg, struct slice value, struct reason *why)
{
	struct ask *a = arg;
	struct proto_reply reply;
	struct ask_call *call;

	if (proto_reply_parse(value, &reply, why) != PROTO_OK)
		return false;
	if (!reply.id.set) {
		reason_set(why, 0, "an answer without an id");
		return false;
	}
	if (slice_is(reply.op, "welcome") && reply.id.v == a->hello_id) {
		take_welcome(a, value);
		return true;
	}
	call = take(a, reply.id.v);
	if (!call && slice_is(reply.op, "welcome"))
		return true; /* to an earlier hello of ours */
	if (!call) {
		reason_set(why, 0, "an answer to nothing that was asked");
		return false;
	}
	answer(call, value);
	return true;
}

static void
on_down(void *arg)
{
	struct ask *a = arg;

	a->welcomed = false;
	give_up(a);
}

static const struct local_handler link_handler = {
	.peer = "broker",
	.frame_max = FRAME_MAX,
	.up = on_up,
	.value = on_value,
	.down = on_down,
};

int
ask_new(struct loop *loop, const char *dir, const struct ask_handler *handler,
    struct ask **out)
{
	struct ask *a CLEANUP(ask_freep) = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->handler = *handler;
	a->next_id = 1;
	err =
	    local_init(&a->broker, loop, dir, "broker.sock", &link_handler, a);
	if (err < 0)
		return err;
	*out = TAKE(a);
	return 0;
}

struct ask *
ask_free(struct ask *a)
{
	if (!a)
		return NULL;
	a->welcomed = false;
	local_deinit(&a->broker);
	give_up(a);
	free(a);
	return NULL;
}

bool
ask_is_up(const struct ask *a)
{
	return a->welcomed && a->silent < LATE_TICKS && local_is_up(&a->broker);
}

bool
ask_takes(const struct ask *a)
{
	return a->welcomed && a->broker.up && !a->broker.failed;
}

struct mp_buf *
ask_begin(struct ask *a, uint64_t *id)
{
	assert(a->broker.up);
	*id = a->next_id;
	return local_begin(&a->broker);
}

struct ask_call *
ask_end(struct ask *a, ask_answer *fn, void *arg)
{
	struct ask_call *call = alloc_zero(1, sizeof(*call));
	struct ask_call **bucket;

	if (!local_end(&a->broker))
		alloc_failed();
	call->id = a->next_id++;
	call->fn = fn;
	call->arg = arg;
	bucket = &a->buckets[call->id % BUCKETS];
	call->next = *bucket;
	*bucket = call;
	return call;
}

void
ask_tell(struct ask *a)
{
	if (!local_end(&a->broker))
		alloc_failed();
}

struct ask_call *
ask_cancel(struct ask_call *call)
{
	if (call)
		call->fn = NULL;
	return NULL;
}

void
ask_flush(struct ask *a)
{
	local_flush(&a->broker);
}

void
ask_tick(struct ask *a)
{
	if (!a->broker.up)
		return;
	if (++a->silent > SILENT_TICKS)
		local_hang_up(&a->broker, "it does not answer");
	else
		hello(a);
}
