/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Pages: parts of a replay, from the log.  A page holds whole requests, as
 * many as fit; its `upto` says how far it has looked, whatever it found.
 */

#include <errno.h>

#include "broker/logs.h"
#include "broker/query_priv.h"
#include "core/event.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/topic.h"
#include "log/log_reader.h"

enum {
	PAGE_BYTES = 48 << 10,
	PAGE_CLOCK = 64, /* frames between two looks at the clock */
};

struct page {
	const struct proto_request *req;
	struct topic_set set;
	struct logs_lease lease;
	struct reason why;
	uint64_t after, upto;
	struct mp_buf events;
	uint32_t count;
};

static void
page_deinit(struct page *pg)
{
	logs_return(&pg->lease);
	topic_set_deinit(&pg->set);
	mp_buf_deinit(&pg->events);
}

static bool
page_wants_type(struct slice globs, struct slice type)
{
	struct mp_walk w = mp_walk(globs);
	struct mp_item item;

	if (!globs.p)
		return true;
	if (!mp_next(&w, &item) || item.type != MP_ARRAY)
		return false;
	for (uint32_t n = item.n; n > 0; n--) {
		if (!mp_next(&w, &item) || item.type != MP_STR)
			return false;
		if (topic_glob_match(item.s, type))
			return true;
	}
	return false;
}

/* Add what is wanted of a request; how many, or below zero. */
static int
page_add(struct page *pg, const struct log_frame *frame)
{
	uint64_t seq = frame->first_seq;
	struct slice bytes;
	struct event ev;
	uint32_t crc;
	size_t at = 0;
	int err, n = 0;

	for (; log_frame_event(frame, &at, &bytes, &crc); seq++) {
		if (seq <= pg->after || seq > pg->upto)
			continue;
		err = event_decode(bytes, &ev, &pg->why);
		if (err < 0)
			return err;
		if (!page_wants_type(pg->req->page.types, ev.type) ||
		    !topic_set_matches(&pg->set, ev.topic))
			continue;
		mp_pack_raw(&pg->events, bytes);
		n++;
	}
	return n;
}

/* Fill the page; pg->upto moves back to where it ends. */
static int
page_fill(struct page *pg)
{
	uint64_t deadline_ns = time_mono_ns() + QUERY_WORK_NS;
	uint64_t done = pg->after;
	struct log_frame frame;
	int got;

	got = log_reader_seek(pg->lease.rd, pg->after + 1, &pg->why);
	if (got < 0)
		return got;
	for (unsigned frames = 1; done < pg->upto; frames++) {
		size_t before = pg->events.len;
		int n;

		got = log_reader_next(pg->lease.rd, &frame, &pg->why);
		if (got == LOG_READ_END) {
			reason_set(&pg->why, 0, "the log ends at seq %llu",
			    (unsigned long long)done);
			return LOG_READ_DAMAGED;
		}
		if (got != LOG_READ_FRAME)
			return got;
		n = page_add(pg, &frame);
		if (n < 0)
			return n;
		if (n > 0 && pg->count > 0 && pg->events.len > PAGE_BYTES) {
			pg->events.len = before;
			break;
		}
		pg->count += (uint32_t)n;
		done = MIN(frame.first_seq + frame.n_events - 1, pg->upto);
		if (pg->events.len >= PAGE_BYTES ||
		    (frames % PAGE_CLOCK == 0 && time_mono_ns() > deadline_ns))
			break;
	}
	pg->upto = done;
	return LOG_READ_END;
}

enum proto_code
query_page(struct query *q, const struct proto_request *req,
    struct mp_buf *reply, struct query_refusal *no)
{
	CLEANUP(page_deinit) struct page pg = { .req = req };
	uint64_t tail = query_tail(q);
	int got;

	pg.after = req->page.after.v;
	pg.upto = MIN(req->page.upto.v, tail);
	if (req->page.upto.v <= pg.after)
		return query_refuse(no, PROTO_BAD_REQUEST,
		    "field \"upto\" of page is not beyond \"after\"");
	if (pg.after >= tail)
		return query_refuse_ahead(no, pg.after + 1, tail);
	got = topic_set_init(&pg.set, req->page.topics, req->read, req->admin);
	if (got == 0)
		/* A reader that does not reach as far makes a shorter page. */
		got =
		    logs_lease(q->logs, pg.after + 1, tail, &pg.lease, &pg.why);
	if (got < 0)
		return query_refuse_log(no, got, &pg.why);
	if (pg.after + 1 < pg.lease.oldest)
		return query_refuse_old(no, pg.after + 1, pg.lease.oldest);
	pg.upto = MIN(pg.upto, pg.lease.limit);
	got = page_fill(&pg);
	if (got == LOG_READ_GONE || got == -ENOENT) {
		uint64_t oldest = log_reader_oldest(pg.lease.rd);

		logs_discard(&pg.lease);
		return query_refuse_old(no, pg.after + 1, oldest);
	}
	if (got != LOG_READ_END) {
		logs_discard(&pg.lease);
		return query_refuse_log(no, got, &pg.why);
	}
	proto_pack_head(reply, "page", req->id, 3);
	mp_pair_uint(reply, "after", pg.after);
	mp_pair_uint(reply, "upto", pg.upto);
	mp_pack_cstr(reply, "events");
	mp_pack_array(reply, pg.count);
	mp_pack_raw(reply, slice_of(pg.events.p, pg.events.len));
	if (pg.events.failed || reply->failed)
		return query_refuse(
		    no, PROTO_UNAVAILABLE, "there is no memory for the answer");
	return PROTO_OK;
}
