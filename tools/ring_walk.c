/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Walking and judging a ring.  What is judged are copies, taken as any
 * reader takes them.
 */

#include <errno.h>

#include "core/crc32c.h"
#include "core/event.h"
#include "core/hash.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "tools/ring_walk.h"

enum {
	WALK_RUN = 1024,
	WALK_BUFFER = 2 * EVENT_MAX
};

struct walk {
	struct ring_reader *rd;
	struct ring_event *ev;
	uint8_t *buf;
	uint64_t end; /* first ordinal that is not looked at */
	uint64_t overtaken;
	ring_walk_fn fn;
	void *arg;
};

static int
walk_run(struct walk *w, uint32_t n, uint64_t ordinal, struct reason *why)
{
	const uint8_t *p = w->buf;
	int err = 0;

	for (uint32_t i = 0; !err && i < n && ordinal < w->end; i++) {
		err = w->fn(w->arg, &w->ev[i], ordinal++,
		    slice_of(p, w->ev[i].len), why);
		p += w->ev[i].len;
	}
	return err;
}

static int
walk_all(struct walk *w, struct reason *why)
{
	uint64_t ordinal;
	uint32_t n;
	size_t need;
	int err = 0;

	while (!err) {
		ordinal = ring_reader_ordinal(w->rd);
		if (ordinal >= w->end)
			return 0;
		err = ring_reader_read(
		    w->rd, w->ev, WALK_RUN, w->buf, WALK_BUFFER, &n, &need);
		switch (err) {
		case RING_EMPTY:
			return 0;
		case RING_EVENT:
			err = walk_run(w, n, ordinal, why);
			break;
		case RING_LAPPED:
			w->overtaken++;
			(void)ring_reader_seek_oldest(w->rd);
			err = 0;
			break;
		case RING_TOO_SMALL:
			return reason_say(why, -EFBIG,
			    "the event at ordinal %llu has %zu bytes",
			    (unsigned long long)ordinal, need);
		default:
			return reason_set(why, err,
			    "the ring contradicts itself at ordinal %llu",
			    (unsigned long long)ordinal);
		}
	}
	return err;
}

static int
walk_begin(struct walk *w, uint64_t seq, struct reason *why)
{
	int err;

	w->ev = malloc(WALK_RUN * sizeof(*w->ev));
	w->buf = malloc(WALK_BUFFER);
	if (!w->ev || !w->buf)
		return reason_set(why, -ENOMEM, "cannot read the ring");
	(void)ring_reader_seek_tail(w->rd);
	w->end = ring_reader_ordinal(w->rd);
	err = ring_reader_seek(w->rd, seq);
	if (err == RING_LAPPED)
		(void)ring_reader_seek_oldest(w->rd);
	return err < 0 ? reason_set(why, err, "cannot read the ring") : 0;
}

static int
walk_events(struct walk *w, uint64_t seq, struct reason *why)
{
	int err = walk_begin(w, seq, why);

	if (err >= 0)
		err = walk_all(w, why);
	free(w->ev);
	free(w->buf);
	return err;
}

int
ring_walk(struct ring_reader *rd, uint64_t seq, ring_walk_fn fn, void *arg,
    struct reason *why)
{
	struct walk w = { .rd = rd, .fn = fn, .arg = arg };

	return walk_events(&w, seq, why);
}

/* --- judging --- */

struct walk_judge {
	struct walk *walk;
	const struct ring_info *info;
	struct ring_walk_result result;
	uint64_t overtaken; /* when the event before was looked at */
	uint64_t ordinal;
	uint64_t time_us;
};

#define WALK_FAULT(ev, ordinal, text)                                     \
	reason_set(why, RING_WALK_FAULT, "event %llu (ordinal %llu): %s", \
	    (unsigned long long)(ev)->seq, (unsigned long long)(ordinal), \
	    text)

/* The event by itself: what the record says of it must be true. */
static int
walk_judge_alone(const struct walk_judge *j, const struct ring_event *ev,
    uint64_t ordinal, struct slice bytes, struct reason *why)
{
	bool ephemeral = ev->flags & RING_EPHEMERAL;
	struct event e;

	if (crc32c(0, bytes.p, bytes.len) != ev->crc)
		return WALK_FAULT(ev, ordinal, "its bytes do not fit its CRC");
	if (mpvalid_check(bytes.p, bytes.len, NULL) != MPVALID_OK ||
	    event_decode(bytes, &e, NULL) < 0)
		return WALK_FAULT(ev, ordinal, "its bytes are no event");
	if (e.seq != (ephemeral ? 0 : ev->seq) || e.time_us != ev->time_us ||
	    e.version != ev->version)
		return WALK_FAULT(
		    ev, ordinal, "its record tells of another event");
	if (hash_bytes(&j->info->topic_key, e.topic.p, e.topic.len) !=
	    ev->topic_hash)
		return WALK_FAULT(
		    ev, ordinal, "its record has another topic's hash");
	return 0;
}

static int
walk_judge(void *arg, const struct ring_event *ev, uint64_t ordinal,
    struct slice bytes, struct reason *why)
{
	bool ephemeral = ev->flags & RING_EPHEMERAL;
	struct walk_judge *j = arg;
	int err = walk_judge_alone(j, ev, ordinal, bytes, why);

	if (err)
		return err;
	/* Behind a gap that the writer tore there is nothing to compare. */
	if (j->result.events && j->overtaken == j->walk->overtaken) {
		if (ordinal != j->ordinal + 1)
			return WALK_FAULT(ev, ordinal, "ordinals have a gap");
		if (ev->seq != j->result.last_seq + !ephemeral)
			return WALK_FAULT(ev, ordinal,
			    "its seq does not follow the one before");
		if (ev->time_us < j->time_us && !ephemeral)
			return WALK_FAULT(
			    ev, ordinal, "it is older than the one before");
	}
	if (!j->result.events)
		j->result.first_seq = ev->seq;
	j->result.events++;
	j->result.last_seq = ev->seq;
	j->overtaken = j->walk->overtaken;
	j->ordinal = ordinal;
	if (!ephemeral)
		j->time_us = ev->time_us;
	return 0;
}

int
ring_walk_verify(
    struct ring_reader *rd, struct ring_walk_result *result, struct reason *why)
{
	struct walk w = { .rd = rd, .fn = walk_judge };
	struct walk_judge judge = { .walk = &w, .info = ring_reader_info(rd) };
	int err;

	w.arg = &judge;
	err = walk_events(&w, 0, why);
	if (err)
		return err;
	*result = judge.result;
	result->overtaken = w.overtaken;
	return RING_WALK_SOUND;
}
