/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sequencing: seqs have no gap, so a request gets them only when nothing can
 * refuse it any more: admitted, with room on the disk and in memory.
 */

#include "writer/sequence.h"
#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/event.h"
#include "core/reason.h"
#include "log/format.h"
#include "writer/gather.h"
#include "writer/space.h"
#include "writer/state.h"

static uint8_t *
put_event(uint8_t *at, const struct event *ev)
{
	uint8_t *bytes = at + LOG_EVENT_HEADER;
	uint8_t *end = event_encode(ev, bytes);
	size_t len = (size_t)(end - bytes);

	put_le32(at, (uint32_t)len);
	put_le32(at + 4, crc32c(0, bytes, len));
	return end;
}

/* The header's hint of which keys a frame holds. */
static uint64_t
keys_hash(const struct admit *ad)
{
	uint64_t h = 0;

	for (uint32_t i = 0; ad->keyed && i < ad->n; i++)
		h = frame_keys_hash(h, ad->ev[i].in.key);
	return h;
}

static int
remember_keys(struct sequencer *sq, const struct admit *ad)
{
	struct keys_request req = { .first_seq = sq->state->head_seq + 1,
		.time_us = ad->time_us,
		.n = ad->n };

	if (!ad->keyed)
		return 0;
	for (unsigned i = 0; i < sizeof(req.fingerprint); i++)
		req.fingerprint[i] = ad->fingerprint[i];
	return keys_add(sq->state->keys, &req, ad->ids, ad->versions);
}

static enum proto_code
compose(
    struct sequencer *sq, struct admit *ad, size_t payload, struct reason *why)
{
	struct state *st = sq->state;
	struct gather_note *notes;
	uint8_t *frame, *at;

	frame = gather_begin(sq->gather, payload, ad->n, &notes);
	if (!frame || remember_keys(sq, ad) < 0)
		return reason_set(why, PROTO_INTERNAL, "out of memory");
	at = frame + LOG_FRAME_HEADER;
	for (uint32_t i = 0; i < ad->n; i++) {
		struct event ev;

		admit_stored(ad, i, &ev);
		ev.seq = st->head_seq + 1 + i;
		at = put_event(at, &ev);
		notes[i] = (struct gather_note){ ad->ev[i].hash, ev.version,
			sq->accepted_ns };
	}
	frame_compose(frame, FRAME_EVENTS, ad->n, st->head_seq + 1, ad->time_us,
	    keys_hash(ad), (uint32_t)payload);
	st->head_seq += ad->n;
	st->last_time_us = ad->time_us;
	gather_commit(sq->gather, payload);
	return PROTO_OK;
}

/* Room on the disk, asked for last: a repeat and a conflict need none. */
static enum sequence
store(struct sequencer *sq, struct admit *ad, struct sequence_outcome *out,
    struct reason *why)
{
	size_t payload = ad->n * (size_t)LOG_EVENT_HEADER + ad->bytes;
	size_t frame = LOG_FRAME_HEADER + payload;
	enum space_answer room = SPACE_GRANTED;

	if (sq->space)
		room = space_ask(sq->space, frame);
	if (room == SPACE_GRANTED) {
		out->seq = sq->state->head_seq + 1;
		out->code = compose(sq, ad, payload, why);
		if (out->code == PROTO_OK)
			return SEQUENCE_DONE;
		if (sq->space)
			space_give_back(sq->space, frame);
	} else if (room == SPACE_FULL) {
		out->code = reason_set(why, PROTO_STORAGE_FULL,
		    "the disk has no room for another segment of the log");
	}
	admit_undo(ad, sq->state);
	return room == SPACE_WAIT ? SEQUENCE_WAIT : SEQUENCE_DONE;
}

enum sequence
sequence_append(struct sequencer *sq, struct admit *ad,
    struct sequence_outcome *out, struct reason *why)
{
	enum sequence done = SEQUENCE_DONE;

	*out = (struct sequence_outcome){ 0 };
	out->code = admit_request(ad, sq->state, &sq->limits, why);
	if (out->code == PROTO_OK && ad->repeat) {
		out->duplicate = true;
		out->seq = ad->stored.first_seq;
		out->time_us = ad->stored.time_us;
	} else if (out->code == PROTO_OK) {
		done = store(sq, ad, out, why);
		out->time_us = ad->time_us;
	}
	out->n = ad->n;
	out->versions = ad->versions;
	out->serial = gather_serial(sq->gather);
	return done;
}

enum proto_code
sequence_emit(struct sequencer *sq, const struct event *ev, uint64_t *serial,
    struct reason *why)
{
	size_t payload = LOG_EVENT_HEADER + event_size(ev);
	struct gather_note *notes;
	uint8_t *frame;

	if (payload - LOG_EVENT_HEADER > sq->limits.event_bytes)
		return reason_set(why, PROTO_TOO_LARGE,
		    "an event of %zu bytes, at most %u are taken",
		    payload - LOG_EVENT_HEADER, sq->limits.event_bytes);
	frame = gather_begin(sq->gather, payload, 1, &notes);
	if (!frame)
		return reason_set(why, PROTO_INTERNAL, "out of memory");
	put_event(frame + LOG_FRAME_HEADER, ev);
	notes[0] = (struct gather_note){
		.topic_hash = hash_bytes(
		    &sq->state->topic_key, ev->topic.p, ev->topic.len),
		.accepted_ns = sq->accepted_ns,
	};
	frame_compose(frame, (enum frame_type)GATHER_EMIT, 1,
	    sq->state->head_seq, ev->time_us, 0, (uint32_t)payload);
	*serial = gather_commit(sq->gather, payload);
	return PROTO_OK;
}
