/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A snapshot of `$acl.>` and `$revoke.>`, taken part by part.  The broker is
 * asked before and after which log its state is of, since a log may be
 * replaced under both of us.  Whatever goes wrong, it begins again.
 */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/diag.h"
#include "core/loop.h"
#include "core/mp.h"
#include "core/proto.h"
#include "gateway/alloc.h"
#include "gateway/ask.h"
#include "gateway/grants.h"
#include "gateway/prime.h"

enum {
	RETRY_US = 50 * 1000
};

enum step {
	STEP_DONE,
	STEP_LOG,   /* which log is it? */
	STEP_OPEN,  /* a snapshot */
	STEP_PARTS, /* its rows */
	STEP_AGAIN, /* and still the same log? */
};

struct prime {
	struct ask *ask;
	struct grants *grants;
	const char *log;
	void (*done)(void *arg);
	void *arg;

	enum step step;
	bool outdated; /* the snapshot that is being opened is in vain */
	uint64_t min_seq;
	uint64_t snapshot; /* the broker's handle */
	uint64_t seq;	   /* of the snapshot */
	uint64_t part;	   /* the next one */
	uint64_t rows;
	struct ask_call *call;
	struct loop_timer retry;
	char waits_for[200];
};

/* What is new is said. */
static void
wait_for(struct prime *p, const char *what, struct slice detail)
{
	char quoted[120], text[sizeof(p->waits_for)];

	snprintf(text, sizeof(text), "permissions are not known yet: %s%s",
	    what, diag_quote(quoted, sizeof(quoted), detail.p, detail.len));
	if (strcmp(text, p->waits_for) == 0)
		return;
	memcpy(p->waits_for, text, sizeof(text));
	diag_limited("permissions", "%s", text);
}

static void ask_next(struct prime *p);

static bool
is_refused(struct prime *p, struct slice reply)
{
	if (!reply.p) {
		wait_for(p, "the broker went away", slice_of(NULL, 0));
		return true;
	}
	if (!slice_is(proto_get_str(reply, "op"), "error"))
		return false;
	wait_for(p, "the broker says: ", proto_get_str(reply, "message"));
	return true;
}

static void
close_snapshot(struct prime *p)
{
	uint64_t id;
	struct mp_buf *b;

	if (!ask_takes(p->ask))
		return;
	b = ask_begin(p->ask, &id);
	proto_pack_head(b, "close", (struct proto_uint){ 0 }, 1);
	mp_pair_uint(b, "snapshot", p->snapshot);
	ask_tell(p->ask);
}

/*
 * Which log the rows were of, nobody has said yet.  Without them, what the
 * ring has said meanwhile is wanted of the broker, too.
 */
static void
disown(struct prime *p)
{
	uint64_t newest;

	if (p->rows == 0)
		return;
	newest = grants_disown(p->grants);
	p->min_seq = MAX(p->min_seq, newest);
	p->rows = 0;
}

/* Not now: from the beginning, soon. */
static void
again(struct prime *p)
{
	if (p->step == STEP_PARTS)
		close_snapshot(p);
	disown(p);
	p->step = STEP_LOG;
	p->outdated = false;
	if (loop_timer_set(&p->retry, RETRY_US, 0) < 0)
		alloc_failed();
}

/* true: that was the last part. */
static bool
take_part(struct prime *p, struct slice reply)
{
	struct slice rows = proto_get(reply, "rows"), row;
	struct slice last = proto_get(reply, "last");
	struct mp_walk w = mp_walk(rows);
	struct mp_item item;

	if (rows.len > 0 && mp_next(&w, &item) && item.type == MP_ARRAY)
		for (; mp_skip(&w, &row); p->rows++)
			grants_row(p->grants, row);
	p->part++;
	w = mp_walk(last);
	return last.len > 0 && mp_next(&w, &item) && item.type == MP_BOOL &&
	       item.boolean;
}

static void
finish(struct prime *p)
{
	p->step = STEP_DONE;
	p->rows = 0;
	p->waits_for[0] = '\0';
	grants_all_known(p->grants, p->seq);
	diag_limited_note("permissions known",
	    "permissions are known: users=%llu seq=%llu",
	    (unsigned long long)grants_count(p->grants),
	    (unsigned long long)p->seq);
	p->done(p->arg);
}

static void
take_reply(struct prime *p, struct slice reply)
{
	switch (p->step) {
	case STEP_LOG:
		p->step = STEP_OPEN;
		break;
	case STEP_OPEN:
		p->snapshot = proto_get_uint(reply, "snapshot").v;
		p->seq = proto_get_uint(reply, "seq").v;
		p->part = p->rows = 0;
		p->step = STEP_PARTS;
		break;
	case STEP_PARTS:
		if (!take_part(p, reply))
			break;
		close_snapshot(p);
		p->step = STEP_AGAIN;
		break;
	case STEP_AGAIN:
	case STEP_DONE:
		finish(p);
		return;
	}
	ask_next(p);
}

static void
on_answer(void *arg, struct slice reply)
{
	struct prime *p = arg;
	bool asked_log = p->step == STEP_LOG || p->step == STEP_AGAIN;
	struct slice log;

	p->call = NULL;
	if (is_refused(p, reply)) {
		again(p);
		return;
	}
	if (p->outdated) {
		p->snapshot = proto_get_uint(reply, "snapshot").v;
		close_snapshot(p);
		p->outdated = false;
		p->step = STEP_LOG;
		ask_next(p);
		return;
	}
	log = asked_log ? proto_get_str(reply, "log") : slice_cstr(p->log);
	if (!slice_is(log, p->log)) {
		wait_for(p, "the broker has another log: ", log);
		again(p);
		return;
	}
	take_reply(p, reply);
}

static void
pack_open(struct mp_buf *b, struct proto_uint id, uint64_t min_seq)
{
	proto_pack_head(b, "open", id, 2);
	mp_pack_cstr(b, "topics");
	mp_pack_array(b, 2);
	mp_pack_cstr(b, "$acl.>");
	mp_pack_cstr(b, "$revoke.>");
	mp_pair_uint(b, "min_seq", min_seq);
}

static void
ask_next(struct prime *p)
{
	struct proto_uint id = { .set = true };
	struct mp_buf *b;

	if (!ask_is_up(p->ask)) {
		wait_for(p, "the broker is away", slice_of(NULL, 0));
		again(p);
		return;
	}
	b = ask_begin(p->ask, &id.v);
	if (p->step == STEP_OPEN) {
		pack_open(b, id, p->min_seq);
	} else if (p->step == STEP_PARTS) {
		proto_pack_head(b, "part", id, 2);
		mp_pair_uint(b, "snapshot", p->snapshot);
		mp_pair_uint(b, "n", p->part);
	} else {
		proto_pack_head(b, "hello", id, 1);
		mp_pair_uint(b, "v", 1);
	}
	p->call = ask_end(p->ask, on_answer, p);
}

static void
on_retry(void *arg)
{
	ask_next(arg);
}

struct prime *
prime_new(struct loop *loop, struct ask *ask, struct grants *grants,
    const char *log, void (*done)(void *arg), void *arg)
{
	struct prime *p = alloc_zero(1, sizeof(*p));

	p->ask = ask;
	p->grants = grants;
	p->log = log;
	p->done = done;
	p->arg = arg;
	snprintf(p->waits_for, sizeof(p->waits_for), "waiting for the writer");
	if (loop_timer_init(loop, &p->retry, on_retry, p) < 0)
		alloc_failed();
	return p;
}

struct prime *
prime_free(struct prime *p)
{
	if (!p)
		return NULL;
	(void)ask_cancel(p->call);
	loop_timer_deinit(&p->retry);
	free(p);
	return NULL;
}

void
prime_begin(struct prime *p, uint64_t seq, bool other_log)
{
	grants_forget(p->grants, other_log);
	p->min_seq = seq;
	disown(p);
	/* Only its answer tells what there is to close. */
	p->outdated = p->step == STEP_OPEN;
	if (p->outdated)
		return;
	p->call = ask_cancel(p->call);
	if (p->step == STEP_PARTS)
		close_snapshot(p);
	loop_timer_stop(&p->retry);
	p->step = STEP_LOG;
	ask_next(p);
}

const char *
prime_waits_for(const struct prime *p)
{
	return p->waits_for;
}
