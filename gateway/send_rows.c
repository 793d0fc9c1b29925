/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rows for one subscription, or for one query: a snapshot taken part by
 * part, and further rounds with what changed meanwhile, until the ring holds
 * all that came after.  A client that does not read costs one part.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mp.h"
#include "core/sha256.h"
#include "gateway/alloc.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/send.h"
#include "gateway/send_priv.h"

struct send_taking {
	struct fetch_snap *snap; /* NULL: to be opened */
	uint64_t part;		 /* the next one */
	struct proto_uint since; /* what the client has, or was given */
	bool full;		 /* all rows, whatever since says */
	bool query;
	bool round; /* not the first one: `subscribed` was said */
	uint64_t min_seq;
	struct mp_buf at;
};

void
send_taking_free(struct send_taking *t)
{
	if (!t)
		return;
	(void)fetch_snap_unref(t->snap);
	mp_buf_deinit(&t->at);
	free(t);
}

bool
send_is_query(const struct send_sub *sub)
{
	return sub->taking && sub->taking->query;
}

struct proto_uint
send_rows_position(const struct send_sub *sub)
{
	return sub->taking->since;
}

void
send_scope(const struct send_hub *hub, const struct filter *filter,
    char scope[SEND_SCOPE])
{
	struct mp_buf b = { 0 };
	uint8_t digest[SHA256_BYTES];

	mp_pack_uint(&b, hub->fold_version);
	mp_buf_bytes(&b, filter->key, filter->key_len);
	if (b.failed)
		alloc_failed();
	sha256(b.p, b.len, digest);
	mp_buf_deinit(&b);
	for (unsigned i = 0; i < (SEND_SCOPE - 1) / 2; i++)
		snprintf(scope + 2 * (size_t)i, 3, "%02x", digest[i]);
}

void
send_subscribe_snapshot(struct sender *s, const struct send_snapshot *ask)
{
	struct send_taking *t = alloc_zero(1, sizeof(*t));
	struct send_sub *sub =
	    send_sub_new(s, ask->id, ask->filter, SEND_OPENING, 0);

	t->since = ask->since;
	t->full = ask->full;
	t->query = ask->query;
	t->min_seq = MAX(ask->min_seq, ask->since.v);
	mp_buf_bytes(&t->at, ask->at.p, ask->at.len);
	if (t->at.failed)
		alloc_failed();
	sub->taking = t;
}

/* The way to rows has ended, before the first one or in the middle. */
static void
refuse(struct send_sub *sub, const struct fetch_refusal *no)
{
	const struct send_taking *t = sub->taking;

	if (t->query || (sub->state == SEND_OPENING && !t->round))
		send_sub_error(sub, no);
	else
		send_lagged_sub(sub->sender, sub, "snapshot");
}

static void
refuse_away(struct send_sub *sub)
{
	struct fetch_refusal no;

	(void)fetch_refusal_of(slice_of(NULL, 0), &no);
	refuse(sub, &no);
}

static void
say_subscribed(struct sender *s, const struct send_sub *sub)
{
	struct mp_buf b = { 0 };

	proto_pack_head(&b, "subscribed", sub->id, 0);
	if (b.failed)
		alloc_failed();
	conn_control(s->conn, slice_of(b.p, b.len));
	mp_buf_deinit(&b);
}

static void
opened(struct send_sub *sub)
{
	struct send_taking *t = sub->taking;

	if (!t->query && !t->round)
		say_subscribed(sub->sender, sub);
	sub->state = SEND_TAKING;
	t->part = 0;
}

static void
step_opening(struct sender *s, struct send_sub *sub)
{
	struct send_taking *t = sub->taking;
	struct fetch_query query = {
		.filter = sub->filter,
		.min_seq = t->min_seq,
		.at = slice_of(t->at.p, t->at.len),
	};
	enum fetch_found found = FETCH_GONE;

	if (!t->full)
		query.since = t->since;
	if (s->hub->fetch)
		found = fetch_open(s->hub->fetch, &query,
		    s->hub->groups->now_ns, &sub->wait, &t->snap);
	if (found == FETCH_GONE)
		refuse_away(sub);
	else if (found == FETCH_HERE)
		opened(sub);
}

void
send_rows_came(struct send_sub *sub, const struct fetch_refusal *no)
{
	struct sender *s = sub->sender;

	if (no)
		refuse(sub, no);
	else if (sub->state == SEND_OPENING)
		opened(sub);
	send_pump(s);
}

/* What the last part of a round says of what comes. */
enum ending {
	MORE_PARTS,
	GOES_LIVE,
	REPLAYS,
	NEXT_ROUND,
};

static enum ending
ending_of(const struct sender *s, uint64_t seq)
{
	struct proto_uint chain = send_chain(s);

	if (chain.set && seq >= chain.v)
		return GOES_LIVE;
	if (seq + 1 < catchup_oldest(s->hub->catchup))
		return NEXT_ROUND;
	return chain.set ? REPLAYS : GOES_LIVE;
}

/* {"op":"snapshot","id":…,"seq":…,"rows":[…],"full":…,"last":…,…} */
static void
send_part(struct sender *s, const struct send_sub *sub,
    const struct fetched *part, enum ending ending)
{
	const struct send_taking *t = sub->taking;
	bool live = ending != NEXT_ROUND && ending != REPLAYS;
	bool scope = part->last && !t->query;
	struct mp_buf b = { 0 };
	char text[SEND_SCOPE];

	proto_pack_head(&b, "snapshot", sub->id, 4 + scope + !live);
	mp_pair_uint(&b, "seq", fetch_snap_seq(t->snap));
	mp_pack_cstr(&b, "rows");
	mp_pack_array(&b, part->n);
	mp_pack_raw(&b, slice_of(part->bytes, part->len));
	mp_pair_bool(&b, "full", fetch_snap_full(t->snap));
	mp_pair_bool(&b, "last", part->last);
	if (scope) {
		send_scope(s->hub, sub->filter, text);
		mp_pair_cstr(&b, "scope", text);
	}
	if (!live)
		mp_pair_bool(&b, "live", false);
	send_message(s, &b);
}

/* All rows of the round are out. */
static void
end_round(struct send_sub *sub, enum ending ending)
{
	struct send_taking *t = sub->taking;
	uint64_t seq = fetch_snap_seq(t->snap);

	if (t->query) {
		send_sub_free(sub);
		return;
	}
	t->snap = fetch_snap_unref(t->snap);
	t->since = (struct proto_uint){ true, seq };
	t->full = false;
	t->round = true;
	/* A broker that is behind the ring would give the same once more. */
	t->min_seq = seq + 1;
	sub->position = sub->scan = seq;
	if (ending == NEXT_ROUND) {
		sub->state = SEND_OPENING;
	} else if (ending == REPLAYS) {
		sub->state = SEND_REPLAY;
	} else {
		sub->state = SEND_WAIT;
		send_taking_free(TAKE(sub->taking));
	}
}

static void
step_taking(struct sender *s, struct send_sub *sub)
{
	struct send_taking *t = sub->taking;
	struct fetched *part CLEANUP(fetched_unrefp) = NULL;
	enum ending ending = MORE_PARTS;

	/* The broker may have seen what our feed has yet to take. */
	if (!t->query && fetch_snap_seq(t->snap) > s->hub->groups->done) {
		send_wait_ahead(s);
		return;
	}
	switch (
	    fetch_part(s->hub->fetch, t->snap, t->part, &sub->wait, &part)) {
	case FETCH_HERE:
		break;
	case FETCH_WAITING:
		return;
	case FETCH_GONE:
		refuse_away(sub);
		return;
	}
	if (part->last && !t->query)
		ending = ending_of(s, fetch_snap_seq(t->snap));
	send_part(s, sub, part, ending);
	t->part++;
	if (part->last)
		end_round(sub, ending);
}

void
send_step_rows(struct sender *s, struct send_sub *sub)
{
	if (sub->state == SEND_OPENING)
		step_opening(s, sub);
	else
		step_taking(s, sub);
}
