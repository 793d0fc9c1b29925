/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Answers of many parts.  The next part is packed when the one before has
 * left, so that a peer that does not read holds one part in memory, however
 * many answers it has asked for.
 */

#include <errno.h>
#include <string.h>

#include "broker/serve_priv.h"
#include "broker/spool.h"

struct serve_stream {
	TAILQ_ENTRY(serve_stream) all;
	struct serve_call *call;
	struct spool *spool;
	uint64_t n; /* the next part */
};

static void
stream_free(struct serve_conn *p, struct serve_stream *s)
{
	TAILQ_REMOVE(&p->streams, s, all);
	serve_call_end(s->call, p);
	(void)spool_unref(s->spool);
	free(s);
}

void
serve_state_begin(
    struct serve_conn *p, struct serve_call *call, struct spool *spool)
{
	struct serve_stream *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)spool_unref(spool);
		serve_call_end(call, p);
		p->dead = true;
		return;
	}
	s->call = call;
	s->spool = spool;
	TAILQ_INSERT_TAIL(&p->streams, s, all);
	p->sv->counts.streams++;
}

/* Enum spool_part or below zero; *last: it was the last one. */
static int
pack_part(struct serve_conn *p, struct serve_stream *s, bool *last)
{
	size_t mark;
	struct mp_buf *b = serve_begin(p, &mark);
	int outcome;

	*last = s->n + 1 == spool_parts(s->spool);
	proto_pack_head(b, "snapshot", s->call->req.id, 4);
	mp_pair_uint(b, "seq", spool_seq(s->spool));
	mp_pack_cstr(b, "rows");
	outcome = spool_pack_part(s->spool, s->n, b);
	if (outcome != SPOOL_PART) {
		frame_cancel(&p->fs, mark);
		return outcome;
	}
	mp_pair_bool(b, "full", spool_full(s->spool));
	mp_pair_bool(b, "last", *last);
	serve_end(p, mark);
	return outcome;
}

void
serve_state_pump(struct serve_conn *p)
{
	struct serve_stream *s = TAILQ_FIRST(&p->streams);
	bool last;
	int outcome;

	if (!s || frame_unsent(&p->fs))
		return;
	outcome = pack_part(p, s, &last);
	if (outcome == SPOOL_GONE)
		serve_refuse(p, s->call->req.id, PROTO_UNAVAILABLE,
		    "the snapshot had to make room for others");
	else if (outcome != SPOOL_PART)
		serve_refuse(p, s->call->req.id, PROTO_INTERNAL,
		    "the snapshot can't be read");
	if (outcome != SPOOL_PART || last) {
		stream_free(p, s);
		return;
	}
	s->n++;
	/* Several answers come in turns. */
	TAILQ_REMOVE(&p->streams, s, all);
	TAILQ_INSERT_TAIL(&p->streams, s, all);
}

void
serve_state_forget(struct serve_conn *p)
{
	while (!TAILQ_EMPTY(&p->streams))
		stream_free(p, TAILQ_FIRST(&p->streams));
}
