/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A few items from the front of an event, without decoding the rest.  The
 * bytes come from the ring, whose writer may be damaged: they are checked.
 * Every event passes here, so the form that events have is read by the byte.
 */

#include "gateway/peek.h"
#include "core/mp.h"

/* Canonical heads, by the byte; false sends the caller the long way. */
static inline bool
quick_uint(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
	const uint8_t *q = *p;
	unsigned n;

	if (q >= end)
		return false;
	if (*q < 0x80) {
		*v = *q;
		*p = q + 1;
		return true;
	}
	if (*q < 0xcc || *q > 0xcf)
		return false;
	n = 1u << (*q - 0xcc);
	if ((size_t)(end - q) < n + 1)
		return false;
	*v = 0;
	for (unsigned i = 1; i <= n; i++)
		*v = *v << 8 | q[i];
	*p = q + n + 1;
	return true;
}

static inline bool
quick_str(const uint8_t **p, const uint8_t *end, struct slice *s)
{
	const uint8_t *q = *p;
	size_t head = 1, len;

	if (end - q < 2)
		return false;
	if ((*q & 0xe0) == 0xa0) {
		len = *q & 0x1f;
	} else if (*q == 0xd9) {
		len = q[1];
		head = 2;
	} else {
		return false;
	}
	if ((size_t)(end - q) < head + len)
		return false;
	*s = slice_of(q + head, len);
	*p = q + head + len;
	return true;
}

static bool
peek_long(struct slice bytes, struct peek *peek)
{
	struct mp_walk w = mp_walk(bytes);
	struct mp_item array, seq, time, topic, version, type;

	if (!mp_next(&w, &array) || array.type != MP_ARRAY || array.n < 7)
		return false;
	if (!mp_next(&w, &seq) || seq.type != MP_UINT)
		return false;
	if (!mp_next(&w, &time) || !mp_next(&w, &topic) || topic.type != MP_STR)
		return false;
	if (!mp_next(&w, &version) || version.type != MP_UINT ||
	    !mp_next(&w, &type) || type.type != MP_STR)
		return false;
	*peek = (struct peek){ seq.u, version.u, topic.s, type.s };
	return true;
}

bool
peek_event(struct slice bytes, struct peek *peek)
{
	const uint8_t *p = bytes.p, *end = bytes.p + bytes.len;
	uint64_t time;

	if (bytes.len > 0 && (*p == 0x97 || *p == 0x98)) {
		p++;
		if (quick_uint(&p, end, &peek->seq) &&
		    quick_uint(&p, end, &time) &&
		    quick_str(&p, end, &peek->topic) &&
		    quick_uint(&p, end, &peek->version) &&
		    quick_str(&p, end, &peek->type))
			return true;
	}
	return peek_long(bytes, peek);
}

bool
peek_next(struct slice *run, struct slice *event)
{
	struct mp_walk w = mp_walk(*run);

	if (run->len == 0 || !mp_skip(&w, event))
		return false;
	*run = slice_of(w.p, (size_t)(w.end - w.p));
	return true;
}
