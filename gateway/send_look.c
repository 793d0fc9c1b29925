/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How far a connection is, for tools.  Who is at the tip has no lag, however
 * long nothing came that it asked for.
 */

#include "gateway/send_priv.h"

/* The one that has the longest way to go; UINT64_MAX: nobody knows. */
static uint64_t
least_loaded(const struct sender *s)
{
	uint64_t least = UINT64_MAX;
	const struct send_sub *sub;

	LIST_FOREACH (sub, &s->subs, link) {
		struct proto_uint at = send_sub_position(sub);

		if (sub->state < SEND_WAIT && !send_is_query(sub) && at.set)
			least = MIN(least, at.v);
	}
	return least;
}

void
send_look(const struct sender *s, struct send_look *look)
{
	struct proto_uint chain = send_chain(s);
	uint64_t done = s->hub->groups->done, from = done, loaded;
	const struct send_sub *sub;

	*look = (struct send_look){ .behind = s->state == SEND_BEHIND };
	LIST_FOREACH (sub, &s->subs, link) {
		look->subscriptions += !send_is_query(sub);
		look->loads = look->loads ||
			      (sub->state < SEND_LIVE && !send_is_query(sub));
	}
	if (look->behind)
		from = MAX(s->position, s->scan);
	loaded = look->loads ? least_loaded(s) : UINT64_MAX;
	from = MIN(from, loaded);
	look->lag = done - MIN(from, done);
	if (chain.set)
		look->position = MIN(chain.v, loaded);
	else if (loaded != UINT64_MAX)
		look->position = loaded;
}
