/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rounds of snapshot parts: all at one seq, each row once, none that is older
 * than what is known, and none left out that is known to have changed.
 */

#include "tests/lib/view_priv.h"

#include <inttypes.h>

#include "core/event.h"
#include "core/proto.h"
#include "core/reason.h"

static bool
view_round_begins(struct view *v, struct view_sub *s, int64_t seq, bool full)
{
	bool further = s->state == VIEW_BEHIND;

	s->round_since = further ? s->position : s->ask.position;
	s->round_seq = seq;
	s->round_full = full;
	s->round = ++v->rounds;
	s->state = VIEW_ROUND;
	v->counts.rounds++;
	v->counts.full += full;
	if (further && (full || seq <= s->position))
		return view_blame(v,
		    "subscription %" PRIu64 " gets a further round that is %s"
		    " at %" PRId64 " after one at %" PRId64,
		    s->ask.id, full ? "full" : "not newer", seq, s->position);
	if (s->round_since == VIEW_NO_POSITION && !full)
		return view_blame(v,
		    "subscription %" PRIu64
		    " gets a part of the rows and asked for all",
		    s->ask.id);
	if (seq < s->round_since)
		return view_blame(v, "a snapshot at %" PRId64 " since %" PRId64,
		    seq, s->round_since);
	return true;
}

static bool
view_row_fits(struct view *v, const struct view_sub *s, const struct row *row,
    const struct rows_row *known)
{
	const struct event any = { .topic = row->topic };
	const char *what = NULL;

	if (!view_wants(v, s, &any))
		what = "was not asked for";
	else if ((int64_t)row->seq > s->round_seq)
		what = "is newer than its snapshot";
	else if (!s->round_full && (int64_t)row->seq <= s->round_since)
		what = "has not changed since";
	else if (row->version == 0 || row->version > row->seq)
		what = "has a version that cannot be";
	else if (known != NULL && known->mark == s->round)
		what = "comes twice in a round";
	else if (known != NULL && row->version < known->row.version &&
		 (int64_t)known->row.seq <= s->round_seq)
		what = "is older than the row known";
	else if (known != NULL && ((row->version < known->row.version) !=
					  (row->seq < known->row.seq) ||
				      (row->version == known->row.version) !=
					  (row->seq == known->row.seq)))
		what = "contradicts the row known";
	if (what == NULL)
		return true;
	return view_blame(v,
	    "row '%.*s' version %" PRIu64 " at %" PRIu64
	    " in a snapshot at %" PRId64 " %s (known: version %" PRIu64
	    " at %" PRIu64 ")",
	    (int)row->topic.len, (const char *)row->topic.p, row->version,
	    row->seq, s->round_seq, what,
	    known != NULL ? known->row.version : 0,
	    known != NULL ? known->row.seq : 0);
}

static bool
view_row(struct view *v, struct view_sub *s, struct slice bytes)
{
	struct rows_row *known;
	struct reason why;
	struct row row;

	if (row_decode(bytes, &row, &why) < 0)
		return view_blame(v, "not a row: %s", why.text);
	known = rows_get(s->rows, row.topic);
	if (!view_row_fits(v, s, &row, known))
		return false;
	if (known != NULL && !known->hole &&
	    row.version == known->row.version &&
	    !slice_equal(bytes, known->bytes))
		return view_blame(v,
		    "row '%.*s' version %" PRIu64
		    " is not what its events give",
		    (int)row.topic.len, (const char *)row.topic.p, row.version);
	if (known == NULL || known->hole || row.version > known->row.version)
		known = rows_put(s->rows, bytes);
	if (known == NULL)
		return view_blame(v, "out of memory");
	known->mark = s->round;
	v->counts.rows++;
	return true;
}

struct view_missing {
	struct view *v;
	const struct view_sub *s;
};

/* What is known to have changed by then is in the round. */
static bool
view_left_out(void *arg, struct rows_row *row)
{
	struct view_missing *m = arg;
	const struct event any = { .topic = row->row.topic };

	if ((int64_t)row->row.seq > m->s->round_seq ||
	    (!m->s->round_full && (int64_t)row->row.seq <= m->s->round_since) ||
	    row->mark == m->s->round || !view_wants(m->v, m->s, &any))
		return true;
	return view_blame(m->v,
	    "row '%.*s', known at %" PRIu64
	    ", is left out of a snapshot at %" PRId64 " since %" PRId64,
	    (int)row->row.topic.len, (const char *)row->row.topic.p,
	    row->row.seq, m->s->round_seq,
	    m->s->round_full ? VIEW_NO_POSITION : m->s->round_since);
}

static bool
view_round_ends(struct view *v, struct view_sub *s, struct slice message)
{
	struct view_missing missing = { v, s };
	struct slice scope = proto_get(message, "scope");

	rows_each(s->rows, view_left_out, &missing);
	if (v->fault[0] != '\0')
		return false;
	if (scope.len == 0)
		return view_blame(v, "the last part has no scope");
	s->scope.len = 0;
	mp_buf_bytes(&s->scope, scope.p, scope.len);
	s->position = s->round_seq;
	if (s->round_full)
		s->base = 0;
	if (!view_ended_at(v, s->position))
		return false;
	if (view_bool(message, "live") == 0) {
		s->state = VIEW_BEHIND;
		return true;
	}
	return view_ready(v, s);
}

bool
view_snapshot(struct view *v, struct view_sub *s, struct slice message)
{
	int64_t seq = view_uint(message, "seq");
	int full = view_bool(message, "full");
	int last = view_bool(message, "last");
	struct slice bytes;
	struct mp_walk w;
	uint32_t n;

	if (seq < 0 || full < 0 || last < 0 ||
	    !view_array(message, "rows", &w, &n))
		return view_blame(v, "a snapshot without its members");
	if (s->ask.from != VIEW_SNAPSHOT || !s->answered ||
	    (s->state != VIEW_ASKED && s->state != VIEW_ROUND &&
		s->state != VIEW_BEHIND))
		return view_blame(v,
		    "subscription %" PRIu64 " gets a snapshot it waits not for",
		    s->ask.id);
	if (s->state != VIEW_ROUND && !view_round_begins(v, s, seq, full == 1))
		return false;
	if (seq != s->round_seq || s->round_full != (full == 1))
		return view_blame(v,
		    "parts of one round at %" PRId64 " and %" PRId64
		    ", or full and not",
		    s->round_seq, seq);
	if (last == 0 && view_bool(message, "live") >= 0)
		return view_blame(v, "a part says live and is not the last");
	v->counts.parts++;
	for (uint32_t i = 0; i < n; i++)
		if (!mp_skip(&w, &bytes) || !view_row(v, s, bytes))
			return view_blame(v, "rows end too early");
	return last == 0 || view_round_ends(v, s, message);
}
