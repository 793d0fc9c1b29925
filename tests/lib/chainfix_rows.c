/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a client checks of snapshots: the parts of a round are at one seq and
 * hold exactly the rows that it asked for and may see, each once; a further
 * round begins where the one before ended.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mp.h"
#include "core/reason.h"
#include "core/row.h"
#include "tests/lib/chainfix.h"

#define CHECK CHAINFIX_CHECK

static bool
get_bool(struct slice map, const char *key, bool otherwise)
{
	struct slice value = proto_get(map, key);
	struct mp_walk w = mp_walk(value);
	struct mp_item item;

	if (value.len == 0)
		return otherwise;
	CHECK(mp_next(&w, &item) && item.type == MP_BOOL, "%s", key);
	return item.boolean;
}

static unsigned
topic_number(struct slice topic)
{
	for (unsigned i = 0; i < chainfix_n_topics; i++)
		if (slice_is(topic, chainfix_topics[i]))
			return i;
	CHECK(false, "a row of no topic");
	return 0;
}

static void
take_rows(struct chainfix_sub *sub, struct slice rows)
{
	struct mp_walk w = mp_walk(rows);
	struct mp_item array;

	CHECK(mp_next(&w, &array) && array.type == MP_ARRAY, "rows");
	for (uint32_t i = 0; i < array.n; i++) {
		struct reason why;
		struct slice bytes;
		struct row row;
		unsigned t;

		CHECK(mp_skip(&w, &bytes), "rows end early");
		CHECK(row_decode(bytes, &row, &why) == 0, "%s", why.text);
		t = topic_number(row.topic);
		CHECK(sub->rows[t] == 0, "a row came twice in a round");
		sub->rows[t] = row.seq;
	}
}

/* The rows of the round that has ended, against the list of all events. */
static void
check_rows(const struct chainfix_client *c, const struct chainfix_sub *sub,
    uint64_t since)
{
	const struct chainfix *w = c->world;

	for (unsigned i = 0; i < chainfix_n_topics; i++) {
		const char *topic = chainfix_topics[i];
		uint64_t seq = sub->seq;

		while (seq > 0 && strcmp(w->events[seq - 1].topic, topic) != 0)
			seq--;
		if (seq <= since || !chainfix_matches(sub, slice_cstr(topic),
					slice_cstr("any")))
			seq = 0;
		CHECK(sub->rows[i] == seq,
		    "row of %s at %" PRIu64 " is of seq %" PRIu64
		    ", not %" PRIu64,
		    topic, sub->seq, sub->rows[i], seq);
	}
}

static void
begin_round(struct chainfix_client *c, struct chainfix_sub *sub, uint64_t seq)
{
	CHECK(sub->announced, "rows before subscribed");
	CHECK(!sub->has_since || seq >= sub->since,
	    "a snapshot of %" PRIu64 " for who has %" PRIu64, seq, sub->since);
	c->again += sub->state == CHAINFIX_BETWEEN;
	sub->state = CHAINFIX_ROWS;
	sub->seq = seq;
	memset(sub->rows, 0, sizeof(sub->rows));
}

void
chainfix_got_snapshot(
    struct chainfix_client *c, struct chainfix_sub *sub, struct slice map)
{
	struct proto_uint seq = proto_get_uint(map, "seq");
	bool last = get_bool(map, "last", false);
	bool live = get_bool(map, "live", true);
	bool full = get_bool(map, "full", false);

	CHECK(seq.set, "a snapshot without its seq");
	CHECK(sub->state == CHAINFIX_ROWS || sub->state == CHAINFIX_BETWEEN,
	    "a snapshot that nobody waits for");
	if (sub->state == CHAINFIX_BETWEEN || sub->seq == 0)
		begin_round(c, sub, seq.v);
	CHECK(sub->seq == seq.v, "parts of one round with two seqs");
	CHECK(full == !sub->has_since, "full");
	take_rows(sub, proto_get(map, "rows"));
	CHECK(last || live, "live before the last part");
	CHECK(last == (proto_get(map, "scope").len > 0), "scope");
	if (!last)
		return;
	check_rows(c, sub, full ? 0 : sub->since);
	c->rounds++;
	sub->pos = sub->since = sub->seq;
	sub->has_since = true;
	sub->state = live ? CHAINFIX_WAIT : CHAINFIX_BETWEEN;
	CHECK(!live || !c->chain || sub->pos >= c->at,
	    "live at %" PRIu64 " behind the chain at %" PRIu64, sub->pos,
	    c->at);
}
