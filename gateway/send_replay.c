/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Replays: past events for one subscription, from the ring, or page by page
 * from the log where the ring has moved on.  A replay runs up to the head;
 * there its subscription waits until the chain is as far.
 */

#include "core/diag.h"
#include "core/mp.h"
#include "gateway/alloc.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/send.h"
#include "gateway/send_priv.h"
#include "gateway/trim.h"

/* Events of one part, and up to where there are no others. */
struct part {
	struct slice events; /* back to back */
	uint32_t n;
	uint64_t upto;
};

/* {"op":"replay","id":…,"after":…,"upto":…,"events":[…],"last":…} */
static void
send_part(struct sender *s, const struct send_sub *sub, const struct part *part,
    bool last)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "replay", sub->id, 4);
	mp_pair_uint(&b, "after", sub->position);
	mp_pair_uint(&b, "upto", part->upto);
	mp_pack_cstr(&b, "events");
	mp_pack_array(&b, part->n);
	mp_pack_raw(&b, part->events);
	mp_pair_bool(&b, "last", last);
	send_message(s, &b);
}

/* What was found goes out where there is something to say. */
static void
give(struct sender *s, struct send_sub *sub, const struct part *part)
{
	bool last = part->upto == s->hub->groups->done;

	sub->scan = part->upto;
	if (!last && part->n == 0)
		return;
	send_part(s, sub, part, last);
	sub->position = part->upto;
	if (!last)
		return;
	sub->state = SEND_WAIT;
	send_taking_free(TAKE(sub->taking));
}

/*
 * The ring has moved on.  Who asked for every event gets it from the log; who
 * has taken a snapshot takes another.
 */
static void
step_log(struct sender *s, struct send_sub *sub)
{
	struct fetched *page CLEANUP(fetched_unrefp) = NULL;
	enum fetch_found found = FETCH_GONE;
	struct part part;

	if (s->hub->fetch && !sub->taking)
		found = fetch_page(s->hub->fetch, sub->filter, sub->scan,
		    s->hub->groups->done, &sub->wait, &page);
	if (found == FETCH_GONE)
		send_lagged_sub(s, sub, "ring");
	if (found != FETCH_HERE)
		return;
	part = (struct part){ slice_of(page->bytes, page->len), page->n,
		page->upto };
	give(s, sub, &part);
}

void
send_replay_came(struct send_sub *sub, const struct fetch_refusal *no)
{
	struct sender *s = sub->sender;

	if (no)
		send_lagged_sub(
		    s, sub, no->code == PROTO_NOT_FOUND ? "retention" : "ring");
	send_pump(s);
}

void
send_step_replay(struct sender *s, struct send_sub *sub)
{
	struct block *b CLEANUP(block_unrefp) = NULL;
	uint64_t done = s->hub->groups->done;
	struct part part = { .upto = sub->scan };
	const struct catchup_ask ask = { sub->filter, NULL, sub->scan, done };
	int rc;

	if (sub->scan == done) {
		give(s, sub, &part);
		return;
	}
	rc = catchup_block(s->hub->catchup, &ask, &b);
	if (rc == CATCHUP_LAPPED) {
		step_log(s, sub);
		return;
	}
	if (rc < 0) {
		diag_limited("ring", "the ring contradicts itself");
		send_lagged_sub(s, sub, "ring");
		return;
	}
	part = (struct part){ trim_events(b), b->n_events, b->upto };
	give(s, sub, &part);
}
