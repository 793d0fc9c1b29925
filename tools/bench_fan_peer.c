/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a client of a peer says and gets.  Events are numbered by the
 * publisher, so that one that is lost is noticed here, where no chain is.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/reason.h"
#include "tools/bench_fan_clients_priv.h"
#include "tools/bench_peer.h"
#include "tools/refuse.h"

int
bench_fan_peer_opened(struct fan_clients *c, struct fan_client *cl)
{
	const struct bench_peer_kind *kind = c->plan->peer->kind;

	if (!kind->hello || c->plan->upgrade_only) {
		bench_fan_take_live(c, cl);
		return 0;
	}
	kind->hello(&c->out);
	return bench_fan_take_send(c, cl);
}

static uint64_t
peer_number(const uint8_t *p)
{
	char text[17];

	memcpy(text, p, 16);
	text[16] = '\0';
	return strtoull(text, NULL, 16);
}

static int
peer_event(struct fan_clients *c, struct fan_client *cl, struct slice payload,
    struct reason *why)
{
	uint64_t n;

	if (payload.len < FAN_MARK_TEXT)
		return REFUSE(why, "an event has data of somebody else");
	n = peer_number(payload.p + 16);
	if (n <= cl->events)
		return REFUSE(why, "event %llu came after event %llu",
		    (unsigned long long)n, (unsigned long long)cl->events);
	c->self->missed += n - cl->events - 1;
	c->self->deliveries++;
	cl->events = cl->follow.position = n;
	bench_fan_take_due(c, cl, peer_number(payload.p));
	return 0;
}

static int
peer_item(struct fan_clients *c, struct fan_client *cl, enum peer_kind what,
    const struct peer_item *item, struct reason *why)
{
	const struct bench_peer_kind *kind = c->plan->peer->kind;

	switch (what) {
	case PEER_EVENT:
		return peer_event(c, cl, item->payload, why);
	case PEER_READY:
		if (!cl->live)
			bench_fan_take_live(c, cl);
		return 0;
	case PEER_ACCEPTED:
		kind->subscribe(&c->out);
		return bench_fan_take_send(c, cl);
	case PEER_ASKED:
		mp_buf_bytes(&c->out, kind->answer, strlen(kind->answer));
		return bench_fan_take_send(c, cl);
	default:
		return 0;
	}
}

int
bench_fan_peer_take(struct fan_clients *c, struct fan_client *cl,
    struct slice msg, struct reason *why)
{
	const struct bench_peer_kind *kind = c->plan->peer->kind;
	struct peer_item item;
	enum peer_kind what;
	struct slice in = msg;
	int err = 0;

	c->self->messages++;
	if (cl->part.len) {
		mp_buf_bytes(&cl->part, msg.p, msg.len);
		in = slice_of(cl->part.p, cl->part.len);
	}
	while (err >= 0 && in.len) {
		item = (struct peer_item){ 0 };
		what = kind->parse(in, &item);
		if (what == PEER_PARTIAL)
			break;
		err = peer_item(c, cl, what, &item, why);
		in.p += item.len;
		in.len -= item.len;
	}
	/* What is left waits for the rest. */
	if (in.len && cl->part.len)
		memmove(cl->part.p, in.p, in.len);
	else if (in.len)
		mp_buf_bytes(&cl->part, in.p, in.len);
	cl->part.len = in.len;
	return cl->part.failed ? -ENOMEM : err;
}
