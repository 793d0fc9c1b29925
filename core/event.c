/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The event's bytes.  They are made here, once; whatever reads them back
 * stays within them, whoever wrote them.
 */

#include <errno.h>
#include <string.h>

#include "core/event.h"
#include "core/mp.h"
#include "core/mp_put_priv.h"
#include "core/reason.h"
#include "core/topic.h"

enum {
	FIELDS = 7,
	FIELDS_WITH_META = 8
};

size_t
event_size(const struct event *ev)
{
	return 1 + mp_put_uint_size(ev->seq) + mp_put_uint_size(ev->time_us) +
	       mp_put_str_size(ev->topic.len) + mp_put_uint_size(ev->version) +
	       mp_put_str_size(ev->type.len) + mp_put_str_size(ev->actor.len) +
	       ev->data.len + ev->meta.len;
}

uint8_t *
event_encode(const struct event *ev, uint8_t *p)
{
	*p++ = 0x90 | (ev->meta.len ? FIELDS_WITH_META : FIELDS);
	p = mp_put_uint(p, ev->seq);
	p = mp_put_uint(p, ev->time_us);
	p = mp_put_str(p, ev->topic);
	p = mp_put_uint(p, ev->version);
	p = mp_put_str(p, ev->type);
	p = mp_put_str(p, ev->actor);
	memcpy(p, ev->data.p, ev->data.len);
	p += ev->data.len;
	if (ev->meta.len) {
		memcpy(p, ev->meta.p, ev->meta.len);
		p += ev->meta.len;
	}
	return p;
}

static int
not_an_event(struct reason *why, const char *field)
{
	(void)reason_set(why, 0, "an event's %s is missing or wrong", field);
	return -EPROTO;
}

/* What follows the six fields: data alone, or data and meta. */
static int
decode_rest(
    struct mp_walk *w, bool has_meta, struct event *ev, struct reason *why)
{
	ev->data = slice_of(w->p, (size_t)(w->end - w->p));
	ev->meta = slice_of(NULL, 0);
	if (has_meta) {
		if (!mp_skip(w, &ev->data))
			return not_an_event(why, "data");
		ev->meta = slice_of(w->p, (size_t)(w->end - w->p));
		if (ev->meta.len == 0 ||
		    !((*w->p & 0xf0) == 0x80 || *w->p >= 0xde) || *w->p > 0xdf)
			return not_an_event(why, "meta");
	}
	if (ev->data.len == 0)
		return not_an_event(why, "data");
	return 0;
}

int
event_decode(struct slice bytes, struct event *out, struct reason *why)
{
	struct mp_walk w = mp_walk(bytes);
	struct mp_item head;
	struct event ev;
	int err;

	if (!mp_next(&w, &head) || head.type != MP_ARRAY ||
	    (head.n != FIELDS && head.n != FIELDS_WITH_META))
		return not_an_event(why, "array of 7 or 8");
	if (!mp_next_uint(&w, EVENT_SEQ_MAX, &ev.seq))
		return not_an_event(why, "seq");
	if (!mp_next_uint(&w, INT64_MAX, &ev.time_us))
		return not_an_event(why, "time");
	if (!mp_next_str(&w, 1, TOPIC_MAX, &ev.topic))
		return not_an_event(why, "topic");
	if (!mp_next_uint(&w, EVENT_SEQ_MAX, &ev.version))
		return not_an_event(why, "version");
	if (!mp_next_str(&w, 1, TOPIC_TYPE_MAX, &ev.type))
		return not_an_event(why, "type");
	if (!mp_next_str(&w, 0, TOPIC_ACTOR_MAX, &ev.actor))
		return not_an_event(why, "actor");
	err = decode_rest(&w, head.n == FIELDS_WITH_META, &ev, why);
	if (err)
		return err;
	*out = ev;
	return 0;
}

struct slice
event_meta_get(struct slice meta, const char *key)
{
	struct slice want = slice_cstr(key), name, value;
	struct mp_walk w = mp_walk(meta);
	struct mp_item head;

	if (!mp_next(&w, &head) || head.type != MP_MAP)
		return slice_of(NULL, 0);
	for (uint32_t i = 0; i < head.n; i++) {
		if (!mp_next_name(&w, &name) || !mp_skip(&w, &value))
			break;
		if (name.p && slice_equal(name, want))
			return value;
	}
	return slice_of(NULL, 0);
}
