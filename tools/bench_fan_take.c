/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a client of peal or of the bare server says and gets.  Position and
 * count are each client's own, and no batch is taken that does not begin at
 * its position.
 */

#include <errno.h>

#include "core/json.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_reader.h"
#include "tools/bench_fan_clients_priv.h"
#include "tools/refuse.h"

int
bench_fan_take_send(struct fan_clients *c, struct fan_client *cl)
{
	struct slice msg = slice_of(c->out.p, c->out.len);
	int err = c->out.failed ? -ENOMEM : 0;

	if (c->plan->json && err >= 0) {
		c->other.len = 0;
		err = json_from_mp(msg, &c->other);
		msg = slice_of(c->other.p, c->other.len);
	}
	if (err >= 0)
		err = remote_send(cl->remote, msg);
	c->out.len = 0;
	return err;
}

void
bench_fan_take_live(struct fan_clients *c, struct fan_client *cl)
{
	uint64_t storm_ns = atomic_load(&c->plan->shared->storm_ns);

	cl->live = true;
	cl->attempts = 0;
	if (cl->lost && c->stormy)
		bench_hist_add(&c->self->back, time_mono_ns() - storm_ns, 1);
	c->live++;
	atomic_store(&c->self->live, c->live);
}

void
bench_fan_take_due(
    struct fan_clients *c, const struct fan_client *cl, uint64_t since_ns)
{
	enum fan_phase phase = atomic_load(&c->plan->shared->phase);
	uint64_t now = time_mono_ns();
	struct bench_hist *hist =
	    phase == FAN_STORM ? &c->self->meanwhile : &c->self->latency;

	if (!cl->lost)
		bench_hist_add(hist, now > since_ns ? now - since_ns : 0, 1);
}

/* From when the newest event was published, where that is what came. */
static void
take_durable(struct fan_clients *c, const struct fan_client *cl, uint64_t upto)
{
	struct ring_status status;

	ring_reader_status(c->ring, &status);
	if (status.tail_seq == upto)
		bench_fan_take_due(c, cl, status.publish_ns);
}

static int
take_batch(struct fan_clients *c, struct fan_client *cl, struct slice msg,
    uint64_t after, struct reason *why)
{
	const struct known_message *k;
	int err;

	k = bench_known_find(&c->known, msg, after, &err, why);
	if (!k)
		return err;
	if (!cl->follow.live || after != cl->follow.position)
		return REFUSE(why,
		    "the chain is broken: (%llu, ...] came at position %llu",
		    (unsigned long long)after,
		    (unsigned long long)cl->follow.position);
	cl->follow.position = k->upto;
	cl->events += k->n;
	c->self->deliveries += k->n;
	c->self->messages++;
	if (c->ring && k->n)
		take_durable(c, cl, k->upto);
	for (uint32_t i = 0; !c->ring && i < k->n; i++)
		bench_fan_take_due(c, cl, k->due_ns[i]);
	return 0;
}

int
bench_fan_take_opened(struct fan_clients *c, struct fan_client *cl)
{
	const struct fan_plan *plan = c->plan;

	if (plan->kind == FAN_PEER)
		return bench_fan_peer_opened(c, cl);
	if (plan->kind == FAN_BARE || plan->upgrade_only) {
		cl->follow.positioned = cl->follow.live = true;
		bench_fan_take_live(c, cl);
		return 0;
	}
	follow_pack_hello(&c->out, plan->tokens[cl->number % plan->n_tokens]);
	return bench_fan_take_send(c, cl);
}

static int
take_welcome(struct fan_clients *c, struct fan_client *cl)
{
	const struct fan_plan *plan = c->plan;
	char shared[FAN_TOPIC], own[FAN_TOPIC];
	const char *topics[] = { shared, own };

	bench_fan_topic(plan, -1, shared);
	if (plan->owned)
		bench_fan_topic(plan, (int)(cl->number % plan->owned), own);
	follow_pack_subscribe(
	    &cl->follow, &c->out, topics, plan->owned ? 2 : 1);
	return bench_fan_take_send(c, cl);
}

static int
take_control(struct fan_clients *c, struct fan_client *cl, struct slice msg,
    struct reason *why)
{
	struct follow_message got;
	int err = follow_take(&cl->follow, msg, &got, why);

	if (err < 0)
		return err;
	/* Parts of a replay are all that brings events here. */
	cl->events += got.n;
	c->self->deliveries += got.n;
	c->self->messages += got.n > 0;
	if (cl->follow.live && !cl->live)
		bench_fan_take_live(c, cl);
	switch (got.kind) {
	case FOLLOW_WELCOME:
		return take_welcome(c, cl);
	case FOLLOW_LAGGED:
		return REFUSE(why, "a client lagged (%.*s)", (int)got.text.len,
		    (const char *)got.text.p);
	case FOLLOW_ERROR:
		return REFUSE(why, "%s: %.*s", proto_code_name(got.code),
		    (int)got.text.len, (const char *)got.text.p);
	default:
		return 0;
	}
}

/* Batches are looked up as they are; the rest is made into MessagePack. */
static int
take_text(struct fan_clients *c, struct fan_client *cl, struct slice msg,
    struct reason *why)
{
	uint64_t after = 0;
	size_t at = 1;

	if (msg.len && msg.p[0] == '[') {
		while (at < msg.len && msg.p[at] >= '0' && msg.p[at] <= '9')
			after = 10 * after + (uint64_t)(msg.p[at++] - '0');
		return take_batch(c, cl, msg, after, why);
	}
	c->other.len = 0;
	if (json_to_mp(msg, &c->other, why) != 0)
		return -EPROTO;
	return take_control(c, cl, slice_of(c->other.p, c->other.len), why);
}

int
bench_fan_take(struct fan_clients *c, struct fan_client *cl, struct slice msg,
    struct reason *why)
{
	struct mp_walk w = mp_walk(msg);
	struct mp_item head, after;

	if (c->plan->kind == FAN_PEER)
		return bench_fan_peer_take(c, cl, msg, why);
	if (c->plan->json)
		return take_text(c, cl, msg, why);
	if (mp_next(&w, &head) && head.type == MP_ARRAY &&
	    mp_next(&w, &after) && after.type == MP_UINT)
		return take_batch(c, cl, msg, after.u, why);
	return take_control(c, cl, msg, why);
}
