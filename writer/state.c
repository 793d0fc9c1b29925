/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * State from the log: replaying a frame has the same effect as having
 * sequenced it.
 */

#include <errno.h>
#include <string.h>

#include "core/event.h"
#include "core/mp.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "log/log_reader.h"
#include "writer/fingerprint.h"
#include "writer/state.h"

int
state_init(struct state *st, const struct sysio *io, uint64_t max_keys)
{
	struct keys_salt salt;
	int err;

	*st = (struct state){ 0 };
	err = sysio_random(io, &st->topic_key, sizeof(st->topic_key));
	if (!err)
		err = sysio_random(io, &salt, sizeof(salt));
	if (err < 0)
		return err;
	st->versions = versions_new();
	st->keys = keys_new(max_keys);
	if (!st->versions || !st->keys) {
		state_deinit(st);
		return -ENOMEM;
	}
	keys_set_salt(st->keys, &salt);
	return 0;
}

void
state_deinit(struct state *st)
{
	st->versions = versions_free(st->versions);
	st->keys = keys_free(st->keys);
	sha256_deinit(&st->sum);
}

/* The idempotency key that an event was stored with; p NULL: none. */
static struct slice
stored_key(const struct event *ev)
{
	struct slice value = event_meta_get(ev->meta, "key");
	struct mp_walk w = mp_walk(value);
	struct mp_item item;

	if (value.len && mp_next(&w, &item) && item.type == MP_STR)
		return item.s;
	return slice_of(NULL, 0);
}

/* A repaired log has lost versions of some topics. */
static int
replay_skip(struct state *st, uint64_t hash, const struct event *ev)
{
	struct version v = { .version = ev->version, .last_seq = ev->seq };

	return versions_set(st->versions, hash, ev->topic, v);
}

static int
replay_event(struct state *st, const struct event *ev, struct reason *why)
{
	uint64_t hash = hash_bytes(&st->topic_key, ev->topic.p, ev->topic.len);
	struct version_undo undo;
	uint64_t version;

	if (ev->seq != st->head_seq + 1)
		return reason_say(why, -EPROTO,
		    "seq %llu stands where %llu belongs",
		    (unsigned long long)ev->seq,
		    (unsigned long long)st->head_seq + 1);
	version = versions_bump(st->versions, hash, ev->topic, ev->seq, &undo);
	if (!version)
		return -ENOMEM;
	if (!log_loss_allows(&st->loss, version - 1, ev->version))
		return reason_say(why, -EPROTO,
		    "seq %llu has version %llu where its topic is at %llu",
		    (unsigned long long)ev->seq,
		    (unsigned long long)ev->version,
		    (unsigned long long)version);
	if (version != ev->version && replay_skip(st, hash, ev) < 0)
		return -ENOMEM;
	log_loss_see(&st->loss, ev->topic);
	st->head_seq = ev->seq;
	st->last_time_us = ev->time_us;
	return 0;
}

int
state_replay(
    struct state *st, const struct log_frame *frame, struct reason *why)
{
	struct keys_request req = { .first_seq = frame->first_seq,
		.time_us = frame->time_us };
	struct key_id ids[EVENT_REQUEST_MAX];
	uint64_t versions[EVENT_REQUEST_MAX];
	struct slice bytes, key;
	size_t at = 0;
	uint32_t crc;
	int err;

	fingerprint_begin(&st->sum);
	while (log_frame_event(frame, &at, &bytes, &crc)) {
		struct event ev;

		err = event_decode(bytes, &ev, why);
		if (!err)
			err = replay_event(st, &ev, why);
		if (err)
			return err;
		key = stored_key(&ev);
		if (!key.p || req.n == EVENT_REQUEST_MAX)
			continue;
		ids[req.n] = keys_id(st->keys, ev.actor, key);
		versions[req.n++] = ev.version;
		fingerprint_event(
		    &st->sum, ev.topic, ev.type, ev.data, ev.meta);
	}
	fingerprint_end(&st->sum, req.fingerprint);
	if (!req.n)
		return 0;
	return keys_add(st->keys, &req, ids, versions);
}
