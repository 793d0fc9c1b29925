/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Subscriptions under other permissions.  Who may see the same as before is
 * moved over and notices nothing; for whom it is more, or less, it ends.
 */

#include "gateway/alloc.h"
#include "gateway/send.h"
#include "gateway/send_priv.h"

static void
end(struct sender *s, struct send_sub *sub)
{
	static const struct fetch_refusal changed = {
		.code = PROTO_UNAVAILABLE,
		.retry_ms = 1,
		.message = "the permissions changed while this was answered",
	};

	if (send_is_query(sub))
		send_sub_error(sub, &changed);
	else
		send_lagged_sub(s, sub, "permissions");
}

/* Give each its new filter; true: some go on with it, and are live. */
static bool
swap_filters(struct sender *s, const struct acl *acl)
{
	struct send_sub *sub;
	bool moved = false;

	LIST_FOREACH (sub, &s->subs, link) {
		struct filter *was CLEANUP(filter_unrefp) = sub->filter;

		sub->filter = filter_permit(was, acl);
		sub->outdated = !filter_same_view(was, sub->filter);
		moved = moved || (sub->filter != was && !sub->outdated &&
				     sub->state == SEND_LIVE);
	}
	return moved;
}

void
send_permit(struct sender *s, const struct acl *acl)
{
	struct send_sub *sub, *next;
	bool moved = swap_filters(s, acl);

	/* What those that end are given last is cut to what they all may. */
	for (sub = LIST_FIRST(&s->subs); sub; sub = next) {
		next = LIST_NEXT(sub, link);
		if (sub->outdated)
			end(s, sub);
	}
	if (moved)
		send_shrink(s, true);
}
