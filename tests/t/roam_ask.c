/* SPDX-License-Identifier: BSD-2-Clause */

/* What clients that roam ask for: anything, of which their view is told. */

#include <inttypes.h>
#include <string.h>

#include "core/json.h"
#include "core/macros.h"
#include "core/proto.h"
#include "tests/t/roam_priv.h"

static const char *const roam_patterns[] = { ">", "load.>", "load.*.7",
	"load.3.>", "load.4.>", "quiet.>", "load.3.19", "none.>", "*.1.>",
	"quiet.*.3" };

uint64_t
roam_random(struct roamer *r, uint64_t below)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random % below;
}

void
roam_blame(struct roamer *r, const char *what, const char *detail)
{
	if (r->fault[0] == '\0')
		(void)snprintf(r->fault, sizeof(r->fault), "%s%s; it asked %s",
		    what, detail, r->last);
}

static void
roam_send(struct roamer *r, struct mp_buf *b)
{
	r->requests++;
	if (r->plan->trace != NULL) {
		fprintf(r->trace, "> ");
		roam_trace(r, slice_of(b->p, b->len));
	}
	/* Who has lost the connection reads that, too. */
	if (!wire_frame(r->client.wire, WIRE_FIN | WIRE_BINARY, b->p, b->len) &&
	    !r->plan->lossy)
		roam_blame(r, "cannot send", "");
	mp_buf_deinit(b);
}

void
roam_trace(struct roamer *r, struct slice message)
{
	struct mp_walk w = mp_walk(message);
	struct slice op = proto_get_str(message, "op");
	struct mp_item head, after, upto;
	struct mp_buf json = { 0 };

	if (r->plan->trace == NULL)
		return;
	if (mp_next(&w, &head) && head.type == MP_ARRAY &&
	    mp_next(&w, &after) && mp_next(&w, &upto))
		fprintf(r->trace, "[%" PRIu64 ",%" PRIu64 "] %u events\n",
		    after.u, upto.u, head.n - 2);
	else if (slice_is(op, "snapshot") || slice_is(op, "replay"))
		fprintf(r->trace,
		    "%.*s id=%" PRIu64 " seq=%" PRIu64 " after=%" PRIu64
		    " upto=%" PRIu64 " full=%d last=%d live=%d bytes=%zu\n",
		    (int)op.len, (const char *)op.p,
		    proto_get_uint(message, "id").v,
		    proto_get_uint(message, "seq").v,
		    proto_get_uint(message, "after").v,
		    proto_get_uint(message, "upto").v,
		    slice_is(proto_get(message, "full"), "\xc3"),
		    slice_is(proto_get(message, "last"), "\xc3"),
		    !slice_is(proto_get(message, "live"), "\xc2"), message.len);
	else if (json_from_mp(message, &json) == 0)
		fprintf(
		    r->trace, "%.*s\n", (int)json.len, (const char *)json.p);
	mp_buf_deinit(&json);
}

static void
roam_pack_from(struct mp_buf *b, const struct view_ask *ask)
{
	mp_pack_cstr(b, "from");
	if (ask->from == VIEW_POSITION)
		mp_pack_uint(b, (uint64_t)ask->position);
	else
		mp_pack_cstr(b, ask->from == VIEW_NOW ? "now" : "snapshot");
}

/* Ask for what sub->ask says, under a new id. */
static void
roam_subscribe(struct roamer *r, struct roam_sub *sub)
{
	struct view_ask *ask = &sub->ask;
	bool since = ask->from == VIEW_SNAPSHOT && ask->position >= 0;
	bool scope = since && sub->scope.len != 0 && roam_random(r, 4) != 0;
	bool log = since || ask->from == VIEW_POSITION;
	bool types = ask->types[0] != NULL, conflate = r->conflate_ms > 0;
	struct mp_buf b = { 0 };

	ask->id = r->next_id++;
	sub->used = true;
	sub->ending = false;
	sub->retry_ms = 0;
	snprintf(r->last, sizeof(r->last),
	    "id %" PRIu64 " '%s' from %d position %" PRId64 " types %s",
	    ask->id, ask->topics[0], ask->from, ask->position,
	    types ? ask->types[0] : "-");
	proto_pack_head(&b, "subscribe", (struct proto_uint){ true, ask->id },
	    2 + since + log + scope + types + conflate);
	if (conflate)
		mp_pair_uint(&b, "conflate", r->conflate_ms);
	mp_pack_cstr(&b, "topics");
	mp_pack_array(&b, 1);
	mp_pack_cstr(&b, ask->topics[0]);
	roam_pack_from(&b, ask);
	if (log)
		mp_pair_cstr(&b, "log", r->client.log);
	if (since)
		mp_pair_uint(&b, "since", (uint64_t)ask->position);
	if (scope)
		mp_pair_raw(
		    &b, "scope", slice_of(sub->scope.p, sub->scope.len));
	if (types) {
		mp_pack_cstr(&b, "types");
		mp_pack_array(&b, 1);
		mp_pack_cstr(&b, ask->types[0]);
	}
	if (!view_asked(r->view, ask))
		roam_blame(r, "the view has no room", "");
	roam_send(r, &b);
}

void
roam_unsubscribe(struct roamer *r, struct roam_sub *sub)
{
	struct mp_buf b = { 0 };

	sub->ending = true;
	proto_pack_head(
	    &b, "unsubscribe", (struct proto_uint){ true, sub->ask.id }, 0);
	roam_send(r, &b);
}

void
roam_begin(struct roamer *r, struct roam_sub *sub)
{
	uint64_t kind = roam_random(r, 4);

	memset(&sub->ask, 0, sizeof(sub->ask));
	sub->scope.len = 0;
	sub->ask.topics[0] =
	    roam_patterns[roam_random(r, ARRAY_LEN(roam_patterns))];
	sub->ask.position = VIEW_NO_POSITION;
	sub->snapshot = kind < 2;
	if (kind < 2) {
		sub->ask.from = VIEW_SNAPSHOT;
	} else if (kind == 2) {
		sub->ask.from = VIEW_NOW;
	} else {
		sub->ask.from = VIEW_POSITION;
		sub->ask.position = (int64_t)roam_random(r, r->client.head + 1);
	}
	if (kind >= 2 && roam_random(r, 3) == 0)
		sub->ask.types[0] = "*_changed";
	roam_subscribe(r, sub);
}

void
roam_again(struct roamer *r, struct roam_sub *sub)
{
	int64_t position = view_position(r->view, sub->ask.id);

	r->resumed++;
	sub->ask.position = position >= 0 ? position : sub->ask.position;
	if (!sub->snapshot) {
		/* What it missed it does without. */
		sub->ask.from = VIEW_NOW;
		sub->ask.position = VIEW_NO_POSITION;
	}
	sub->ask.heir_of =
	    sub->ask.position >= 0 && sub->snapshot ? sub->ask.id : 0;
	roam_subscribe(r, sub);
}
