/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Presence: the broker is told of each subscription that begins and ends,
 * and of all of them when it comes back, since it remembers none.
 */

#include "core/time.h"
#include "gateway/ask.h"
#include "gateway/fetch.h"
#include "gateway/session_priv.h"

static void
tell(struct session *s, const struct send_sub *sub)
{
	uint64_t id;
	struct mp_buf *b;

	if (!ask_takes(s->gw->ask))
		return;
	b = ask_begin(s->gw->ask, &id);
	proto_pack_head(b, "present", (struct proto_uint){ 0 },
	    4 + fetch_filter_pairs(sub->filter, false));
	mp_pair_uint(b, "member", sub->member);
	mp_pair_uint(b, "since", sub->since_us);
	mp_pair_cstr(b, "user", s->user);
	mp_pair_cstr(b, "client", s->client);
	fetch_pack_filter(b, sub->filter, false);
	ask_tell(s->gw->ask);
}

void
session_present(struct session *s, struct send_sub *sub)
{
	sub->member = ++s->gw->next_member;
	sub->since_us = time_wall_us();
	tell(s, sub);
}

void
session_present_all(struct session *s)
{
	struct send_sub *sub;

	LIST_FOREACH (sub, &s->sender.subs, link)
		if (sub->member > 0)
			tell(s, sub);
}

void
session_absent(void *arg, uint64_t member)
{
	struct gateway *gw = arg;
	uint64_t id;
	struct mp_buf *b;

	if (!ask_takes(gw->ask))
		return;
	b = ask_begin(gw->ask, &id);
	proto_pack_head(b, "absent", (struct proto_uint){ 0 }, 1);
	mp_pair_uint(b, "member", member);
	ask_tell(gw->ask);
}
