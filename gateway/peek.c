/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A few items from the front of an event, without decoding the rest.  The
 * bytes come from the ring, whose writer may be damaged: they are checked.
 */

#include "gateway/peek.h"
#include "core/mp.h"

bool
peek_event(struct slice bytes, struct peek *peek)
{
	struct mp_walk w = mp_walk(bytes);
	struct mp_item array, seq, time, topic, version, type;

	if (!mp_next(&w, &array) || array.type != MP_ARRAY || array.n < 7)
		return false;
	if (!mp_next(&w, &seq) || seq.type != MP_UINT)
		return false;
	if (!mp_next(&w, &time) || !mp_next(&w, &topic) || topic.type != MP_STR)
		return false;
	if (!mp_next(&w, &version) || !mp_next(&w, &type) ||
	    type.type != MP_STR)
		return false;
	*peek = (struct peek){ seq.u, topic.s, type.s };
	return true;
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
