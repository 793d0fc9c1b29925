/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each subscription has a state and a position of its own, and one chain runs
 * over those that are live.  Nothing is remembered of events but the rows
 * they lead to: a version that is left out shows there.
 */

#include "tests/lib/view_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mpvalid.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/topic.h"
#include "tests/lib/checker.h"

bool
view_blame(struct view *v, const char *fmt, ...)
{
	va_list ap;

	if (v->fault[0] != '\0')
		return false;
	va_start(ap, fmt);
	(void)vsnprintf(v->fault, sizeof(v->fault), fmt, ap);
	va_end(ap);
	return false;
}

struct view *
view_new(struct slice fold)
{
	struct view *v = calloc(1, sizeof(*v));

	if (v != NULL) {
		v->fold = fold;
		v->lagged = VIEW_NO_POSITION;
	}
	return v;
}

void
view_may_read(struct view *v, const char *const *patterns)
{
	v->read = patterns;
}

void
view_conflates(struct view *v)
{
	v->conflates = true;
}

struct view *
view_free(struct view *v)
{
	if (v == NULL)
		return NULL;
	for (unsigned i = 0; i < VIEW_SUBS; i++) {
		mp_buf_deinit(&v->subs[i].scope);
		rows_free(v->subs[i].rows);
	}
	free(v->ends);
	free(v);
	return NULL;
}

const char *
view_fault(const struct view *v)
{
	return v->fault;
}

const struct view_counts *
view_counts(const struct view *v)
{
	return &v->counts;
}

void
view_counts_add(struct view_counts *sum, const struct view_counts *more)
{
	sum->rounds += more->rounds;
	sum->full += more->full;
	sum->parts += more->parts;
	sum->rows += more->rows;
	sum->batches += more->batches;
	sum->events += more->events;
	sum->replays += more->replays;
	sum->replayed += more->replayed;
	sum->ephemeral += more->ephemeral;
	sum->lagged += more->lagged;
}

void
view_counts_print(const struct view_counts *n)
{
	printf("lagged=%" PRIu64 " rounds=%" PRIu64 " full=%" PRIu64
	       " parts=%" PRIu64 " rows=%" PRIu64 " batches=%" PRIu64
	       " events=%" PRIu64 " replays=%" PRIu64 " replayed=%" PRIu64,
	    n->lagged, n->rounds, n->full, n->parts, n->rows, n->batches,
	    n->events, n->replays, n->replayed);
}

int64_t
view_lagged(const struct view *v)
{
	return v->lagged;
}

int64_t
view_chain(const struct view *v)
{
	return v->chain ? v->at : VIEW_NO_POSITION;
}

/* The one that has the id, or had it last; NULL: nobody ever. */
static const struct view_sub *
view_find(const struct view *v, uint64_t id)
{
	const struct view_sub *ended = NULL;

	for (unsigned i = 0; i < VIEW_SUBS; i++)
		if (v->subs[i].ask.id == id &&
		    v->subs[i].ask.topics[0] != NULL) {
			if (v->subs[i].state != VIEW_ENDED)
				return &v->subs[i];
			ended = &v->subs[i];
		}
	return ended;
}

static struct view_sub *
view_sub(struct view *v, uint64_t id)
{
	const struct view_sub *s = view_find(v, id);

	return s != NULL && s->state != VIEW_ENDED ? &v->subs[s - v->subs]
						   : NULL;
}

enum view_state
view_state(const struct view *v, uint64_t id)
{
	const struct view_sub *s = view_find(v, id);

	return s != NULL ? s->state : VIEW_ENDED;
}

int64_t
view_position(const struct view *v, uint64_t id)
{
	const struct view_sub *s = view_find(v, id);

	return s != NULL ? s->position : VIEW_NO_POSITION;
}

struct rows *
view_rows(const struct view *v, uint64_t id)
{
	const struct view_sub *s = view_find(v, id);

	return s != NULL ? s->rows : NULL;
}

struct slice
view_scope(const struct view *v, uint64_t id)
{
	const struct view_sub *s = view_find(v, id);

	return s != NULL ? slice_of(s->scope.p, s->scope.len)
			 : (struct slice){ 0 };
}

bool
view_asked(struct view *v, const struct view_ask *ask)
{
	const struct view_sub *heir_of =
	    ask->heir_of != 0 ? view_find(v, ask->heir_of) : NULL;
	struct view_sub *s = NULL;
	struct rows *rows;
	int64_t base = ask->position;

	if (view_sub(v, ask->id) != NULL)
		return false;
	if (heir_of != NULL) {
		base = heir_of->base;
		rows = TAKE(v->subs[heir_of - v->subs].rows);
	} else {
		rows = rows_new(v->fold);
	}
	for (unsigned i = 0; i < VIEW_SUBS && s == NULL; i++)
		if (v->subs[i].ask.id == ask->id)
			s = &v->subs[i];
	/* What ended last is asked about longest. */
	for (unsigned i = 0; i < VIEW_SUBS && s == NULL; i++) {
		struct view_sub *next = &v->subs[v->next++ % VIEW_SUBS];

		if (next->state == VIEW_ENDED)
			s = next;
	}
	if (s == NULL || rows == NULL) {
		rows_free(rows);
		return false;
	}
	if (v->conflates)
		rows_conflated(rows);
	rows_free(s->rows);
	s->rows = rows;
	s->ask = *ask;
	s->state = VIEW_ASKED;
	s->answered = false;
	s->position =
	    ask->from == VIEW_POSITION ? ask->position : VIEW_NO_POSITION;
	s->base = base;
	if (ask->from == VIEW_SNAPSHOT && ask->position == VIEW_NO_POSITION)
		s->base = 0;
	s->scope.len = 0;
	return true;
}

/* --- the chain --- */

bool
view_ended_at(struct view *v, int64_t seq)
{
	if (v->n_ends == v->cap_ends) {
		size_t cap = v->cap_ends != 0 ? 2 * v->cap_ends : 256;
		int64_t *more = realloc(v->ends, cap * sizeof(*more));

		if (more == NULL)
			return view_blame(v, "out of memory");
		v->ends = more;
		v->cap_ends = cap;
	}
	v->ends[v->n_ends++] = seq;
	return true;
}

bool
view_ready(struct view *v, struct view_sub *s)
{
	if (!v->chain) {
		v->chain = true;
		v->at = s->position;
		v->last_time = 0;
	}
	if (s->position < v->at)
		return view_blame(v,
		    "subscription %" PRIu64 " goes live at %" PRId64
		    " behind the chain at %" PRId64,
		    s->ask.id, s->position, v->at);
	s->state = s->position == v->at ? VIEW_LIVE : VIEW_AHEAD;
	return true;
}

/* The chain ends with its last live subscription; one that waits begins one. */
static void
view_settle(struct view *v)
{
	struct view_sub *next = NULL;

	for (unsigned i = 0; i < VIEW_SUBS; i++) {
		struct view_sub *s = &v->subs[i];

		if (s->state == VIEW_LIVE)
			return;
		if (s->state == VIEW_AHEAD &&
		    (next == NULL || s->position < next->position))
			next = s;
	}
	v->chain = false;
	if (next == NULL)
		return;
	(void)view_ready(v, next);
	for (unsigned i = 0; i < VIEW_SUBS; i++)
		if (v->subs[i].state == VIEW_AHEAD &&
		    v->subs[i].position == v->at)
			v->subs[i].state = VIEW_LIVE;
}

bool
view_wants(
    const struct view *v, const struct view_sub *s, const struct event *ev)
{
	bool topic = false, type = s->ask.types[0] == NULL;
	bool may = v->read == NULL;

	for (unsigned i = 0; !may && v->read[i] != NULL; i++)
		may = checker_match(
		    v->read[i], (const char *)ev->topic.p, ev->topic.len);

	for (unsigned i = 0; i < VIEW_TOPICS && s->ask.topics[i] != NULL; i++)
		topic |= checker_match(
		    s->ask.topics[i], (const char *)ev->topic.p, ev->topic.len);
	for (unsigned i = 0; i < VIEW_TOPICS && s->ask.types[i] != NULL; i++)
		type |= topic_glob_match(slice_cstr(s->ask.types[i]), ev->type);
	return may && topic && type;
}

/* It follows what the subscription knows, and is known from now on. */
static bool
view_fold(struct view *v, struct view_sub *s, const struct event *ev)
{
	const struct rows_row *row = rows_get(s->rows, ev->topic);
	uint64_t version = row != NULL ? row->row.version : 0;
	uint64_t seq = row != NULL ? row->row.seq : 0;
	const char *what = NULL;

	if (ev->version > version + 1 && s->ask.types[0] == NULL &&
	    s->base <= (int64_t)seq && (!v->conflates || version == 0))
		what = "leaves versions out";
	else if (ev->version <= version || ev->seq <= seq)
		what = "does not follow";
	if (what != NULL)
		return view_blame(v,
		    "event %" PRIu64 " of '%.*s', version %" PRIu64
		    ", %s: subscription %" PRIu64 " knows version %" PRIu64
		    " at %" PRIu64,
		    ev->seq, (int)ev->topic.len, (const char *)ev->topic.p,
		    ev->version, what, s->ask.id, version, seq);
	return rows_fold(s->rows, ev) != NULL || view_blame(v, "out of memory");
}

/* To one, or to all that are live and want it; *wanted: there was any. */
static bool
view_hand(
    struct view *v, struct view_sub *one, const struct event *ev, bool *wanted)
{
	*wanted = false;
	for (unsigned i = 0; i < VIEW_SUBS; i++) {
		struct view_sub *s = &v->subs[i];

		if (one != NULL ? s != one : s->state != VIEW_LIVE)
			continue;
		if (!view_wants(v, s, ev))
			continue;
		*wanted = true;
		if (ev->seq != 0 && !view_fold(v, s, ev))
			return false;
	}
	return true;
}

/* An event that came; one: in a replay for it. */
static bool
view_event(struct view *v, struct view_sub *one, struct slice bytes,
    int64_t *after, int64_t upto)
{
	struct reason why;
	struct event ev;
	bool wanted;

	if (event_decode(bytes, &ev, &why) < 0)
		return view_blame(v, "not an event: %s", why.text);
	if ((ev.seq == 0) != (ev.version == 0) || (ev.seq == 0 && one != NULL))
		return view_blame(v,
		    "event %" PRIu64 " is version %" PRIu64 "%s", ev.seq,
		    ev.version, one != NULL ? " and replayed" : "");
	if (ev.seq != 0 &&
	    ((int64_t)ev.seq <= *after || (int64_t)ev.seq > upto))
		return view_blame(v,
		    "event %" PRIu64 " comes in (%" PRId64 ", %" PRId64 "]",
		    ev.seq, *after, upto);
	if (!view_hand(v, one, &ev, &wanted))
		return false;
	if (!wanted)
		return view_blame(v,
		    "event %" PRIu64 " of '%.*s' was not asked for", ev.seq,
		    (int)ev.topic.len, (const char *)ev.topic.p);
	if (ev.seq == 0)
		v->counts.ephemeral++;
	else
		*after = (int64_t)ev.seq;
	return true;
}

/* Events up to the end of the walk. */
static bool
view_events(struct view *v, struct view_sub *one, struct mp_walk *w, uint32_t n,
    int64_t after, int64_t upto, uint64_t *count)
{
	struct slice bytes;

	for (uint32_t i = 0; i < n; i++) {
		if (!mp_skip(w, &bytes))
			return view_blame(v, "events end too early");
		if (!view_event(v, one, bytes, &after, upto))
			return false;
		++*count;
	}
	return true;
}

static bool
view_batch_fits(struct view *v, int64_t after, int64_t upto)
{
	if (!v->chain)
		return view_blame(v,
		    "a batch (%" PRId64 ", %" PRId64
		    "] while no subscription is live",
		    after, upto);
	if (after != v->at)
		return view_blame(v,
		    "%s: a batch begins after %" PRId64
		    " and the chain is at %" PRId64,
		    after > v->at ? "gap" : "repetition", after, v->at);
	if (upto < after)
		return view_blame(v,
		    "a batch goes from %" PRId64 " back to %" PRId64, after,
		    upto);
	for (unsigned i = 0; i < VIEW_SUBS; i++)
		if (v->subs[i].state == VIEW_AHEAD &&
		    v->subs[i].position < upto)
			return view_blame(v,
			    "a batch (%" PRId64 ", %" PRId64
			    "] does not end where subscription %" PRIu64
			    " joins, at %" PRId64,
			    after, upto, v->subs[i].ask.id,
			    v->subs[i].position);
	return true;
}

static bool
view_batch(struct view *v, struct slice message)
{
	struct mp_walk w = mp_walk(message);
	struct mp_item head, after, upto;

	if (!mp_next(&w, &head) || head.n < 2 || !mp_next(&w, &after) ||
	    after.type != MP_UINT || !mp_next(&w, &upto) ||
	    upto.type != MP_UINT || upto.u > INT64_MAX || after.u > INT64_MAX)
		return view_blame(v, "a batch without after and upto");
	if (!view_batch_fits(v, (int64_t)after.u, (int64_t)upto.u) ||
	    !view_events(v, NULL, &w, head.n - 2, (int64_t)after.u,
		(int64_t)upto.u, &v->counts.events))
		return false;
	v->counts.batches++;
	v->at = (int64_t)upto.u;
	for (unsigned i = 0; i < VIEW_SUBS; i++) {
		struct view_sub *s = &v->subs[i];

		if (s->state == VIEW_AHEAD && s->position == v->at)
			s->state = VIEW_LIVE;
		if (s->state == VIEW_LIVE)
			s->position = v->at;
	}
	return view_ended_at(v, v->at);
}

/* --- members of a control message --- */

int64_t
view_uint(struct slice message, const char *key)
{
	struct proto_uint u = proto_get_uint(message, key);

	return u.set && u.v <= INT64_MAX ? (int64_t)u.v : VIEW_NO_POSITION;
}

int
view_bool(struct slice message, const char *key)
{
	struct slice value = proto_get(message, key);

	if (value.len != 1 || (value.p[0] & 0xfe) != 0xc2)
		return -1;
	return value.p[0] & 1;
}

bool
view_array(
    struct slice message, const char *key, struct mp_walk *w, uint32_t *n)
{
	struct slice value = proto_get(message, key);
	struct mp_item head;

	*w = mp_walk(value);
	if (value.len == 0 || !mp_next(w, &head) || head.type != MP_ARRAY)
		return false;
	*n = head.n;
	return true;
}

static bool
view_replay(struct view *v, struct view_sub *s, struct slice message)
{
	int64_t after = view_uint(message, "after");
	int64_t upto = view_uint(message, "upto");
	int last = view_bool(message, "last");
	struct mp_walk w;
	uint32_t n;

	if (after < 0 || upto < 0 || last < 0 ||
	    !view_array(message, "events", &w, &n))
		return view_blame(v, "a replay without its members");
	if (!s->answered ||
	    !(s->state == VIEW_REPLAY || s->state == VIEW_BEHIND ||
		(s->state == VIEW_ASKED && s->ask.from == VIEW_POSITION)))
		return view_blame(v,
		    "subscription %" PRIu64 " gets a replay it waits not for",
		    s->ask.id);
	if (after != s->position || upto < after)
		return view_blame(v,
		    "a replay (%" PRId64 ", %" PRId64
		    "] for subscription %" PRIu64 " at %" PRId64,
		    after, upto, s->ask.id, s->position);
	if (!view_events(v, s, &w, n, after, upto, &v->counts.replayed))
		return false;
	v->counts.replays++;
	s->state = VIEW_REPLAY;
	s->position = upto;
	return view_ended_at(v, upto) && (last == 0 || view_ready(v, s));
}

/* --- answers, and what ends subscriptions --- */

static bool
view_subscribed(struct view *v, struct view_sub *s, struct slice message)
{
	int64_t seq = view_uint(message, "seq");

	if (s->answered)
		return view_blame(
		    v, "subscription %" PRIu64 " is answered twice", s->ask.id);
	s->answered = true;
	if (s->ask.from != VIEW_NOW)
		return true;
	if (seq < 0)
		return view_blame(v, "subscribed from now without seq");
	s->base = s->position = seq;
	return view_ready(v, s);
}

static bool
view_reason(struct slice message)
{
	static const char *const reasons[] = { "ring", "retention",
		"permissions", "snapshot" };

	for (unsigned i = 0; i < ARRAY_LEN(reasons); i++)
		if (slice_is(proto_get_str(message, "reason"), reasons[i]))
			return true;
	return false;
}

static bool
view_lagged_one(struct view *v, struct view_sub *s, int64_t position)
{
	bool snapshot = s->ask.from == VIEW_SNAPSHOT &&
			(s->state == VIEW_ASKED || s->state == VIEW_ROUND);
	bool right = position == s->position ||
		     (snapshot && position == s->ask.position);

	if (!right)
		return view_blame(v,
		    "subscription %" PRIu64 " at %" PRId64
		    " lagged at position %" PRId64,
		    s->ask.id, s->position, position);
	s->state = VIEW_ENDED;
	view_settle(v);
	return true;
}

static bool
view_lagged_all(struct view *v, int64_t position)
{
	if (!v->chain)
		return view_blame(v, "lagged while no subscription is live");
	if (position != v->at)
		return view_blame(v,
		    "the chain is at %" PRId64
		    " and lagged says position %" PRId64,
		    v->at, position);
	for (unsigned i = 0; i < VIEW_SUBS; i++)
		if (v->subs[i].state == VIEW_LIVE)
			v->subs[i].state = VIEW_ENDED;
	view_settle(v);
	return true;
}

static bool
view_lag(struct view *v, struct slice message)
{
	int64_t id = view_uint(message, "id");
	int64_t position = view_uint(message, "position");
	int64_t head = view_uint(message, "head");
	struct view_sub *s;

	v->counts.lagged++;
	v->lagged = position;
	if (head < 0 || view_uint(message, "oldest") < 0 ||
	    !view_reason(message))
		return view_blame(v, "lagged without its members");
	if (head < position)
		return view_blame(v,
		    "lagged at %" PRId64 " beyond the head %" PRId64, position,
		    head);
	if (id < 0)
		return view_lagged_all(v, position);
	s = view_sub(v, (uint64_t)id);
	if (s == NULL)
		return view_blame(
		    v, "lagged for %" PRId64 ", which is none", id);
	return view_lagged_one(v, s, position);
}

static bool
view_control(struct view *v, struct slice message)
{
	struct slice op = proto_get_str(message, "op");
	int64_t id = view_uint(message, "id");
	struct view_sub *s = id >= 0 ? view_sub(v, (uint64_t)id) : NULL;
	bool stream = slice_is(op, "snapshot") || slice_is(op, "replay") ||
		      slice_is(op, "subscribed");

	if (op.len == 0)
		return view_blame(v, "a control message without op");
	if (slice_is(op, "lagged"))
		return view_lag(v, message);
	if (s == NULL)
		return !stream ||
		       view_blame(v, "'%.*s' for %" PRId64 ", which is none",
			   (int)op.len, (const char *)op.p, id);
	if (slice_is(op, "snapshot"))
		return view_snapshot(v, s, message);
	if (slice_is(op, "replay"))
		return view_replay(v, s, message);
	if (slice_is(op, "subscribed"))
		return view_subscribed(v, s, message);
	if (slice_is(op, "ok") || slice_is(op, "error")) {
		s->state = VIEW_ENDED;
		view_settle(v);
	}
	return true;
}

bool
view_message(struct view *v, struct slice message)
{
	struct reason why;
	struct mp_walk w = mp_walk(message);
	struct mp_item head;
	int valid = mpvalid_check(message.p, message.len, &why);

	if (v->fault[0] != '\0')
		return false;
	if (valid < 0 || valid == MPVALID_BAD)
		return view_blame(v, "not one value: %s", why.text);
	if (!mp_next(&w, &head) ||
	    (head.type != MP_ARRAY && head.type != MP_MAP))
		return view_blame(v, "neither a batch nor a control message");
	return head.type == MP_ARRAY ? view_batch(v, message)
				     : view_control(v, message);
}

bool
view_request(struct view *v, uint64_t first, uint64_t last)
{
	for (size_t i = 0; i < v->n_ends; i++)
		if (v->ends[i] >= (int64_t)first && v->ends[i] < (int64_t)last)
			return view_blame(v,
			    "a message ends at %" PRId64
			    " within the request %" PRIu64 " to %" PRIu64,
			    v->ends[i], first, last);
	return true;
}
