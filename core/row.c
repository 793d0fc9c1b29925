/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The row's bytes.  Whoever encodes equal rows gets equal bytes; whatever
 * reads them back stays within them.
 */

#include <errno.h>

#include "core/event.h"
#include "core/mp.h"
#include "core/mp_put_priv.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/topic.h"

enum {
	FIELDS = 9
};

size_t
row_size(const struct row *row)
{
	return 2 + mp_put_str_size(row->topic.len) +
	       mp_put_uint_size(row->version) + mp_put_uint_size(row->seq) +
	       mp_put_uint_size(row->created_us) +
	       mp_put_str_size(row->created_by.len) +
	       mp_put_uint_size(row->updated_us) +
	       mp_put_str_size(row->updated_by.len) + row->value.len;
}

uint8_t *
row_encode(const struct row *row, uint8_t *p)
{
	*p++ = 0x90 | FIELDS;
	p = mp_put_str(p, row->topic);
	p = mp_put_uint(p, row->version);
	p = mp_put_uint(p, row->seq);
	p = mp_put_uint(p, row->created_us);
	p = mp_put_str(p, row->created_by);
	p = mp_put_uint(p, row->updated_us);
	p = mp_put_str(p, row->updated_by);
	*p++ = row->deleted ? 0xc3 : 0xc2;
	return mp_put_bytes(p, row->value);
}

static int
not_a_row(struct reason *why, const char *field)
{
	(void)reason_set(why, 0, "a row's %s is missing or wrong", field);
	return -EPROTO;
}

int
row_decode(struct slice bytes, struct row *out, struct reason *why)
{
	struct mp_walk w = mp_walk(bytes);
	struct mp_item item;
	struct row row;

	if (!mp_next(&w, &item) || item.type != MP_ARRAY || item.n != FIELDS)
		return not_a_row(why, "array of 9");
	if (!mp_next_str(&w, 1, TOPIC_MAX, &row.topic))
		return not_a_row(why, "topic");
	if (!mp_next_uint(&w, EVENT_SEQ_MAX, &row.version))
		return not_a_row(why, "version");
	if (!mp_next_uint(&w, EVENT_SEQ_MAX, &row.seq))
		return not_a_row(why, "seq");
	if (!mp_next_uint(&w, INT64_MAX, &row.created_us))
		return not_a_row(why, "created_time");
	if (!mp_next_str(&w, 0, TOPIC_ACTOR_MAX, &row.created_by))
		return not_a_row(why, "created_by");
	if (!mp_next_uint(&w, INT64_MAX, &row.updated_us))
		return not_a_row(why, "updated_time");
	if (!mp_next_str(&w, 0, TOPIC_ACTOR_MAX, &row.updated_by))
		return not_a_row(why, "updated_by");
	if (!mp_next(&w, &item) || item.type != MP_BOOL)
		return not_a_row(why, "deleted");
	row.deleted = item.boolean;
	row.value = slice_of(w.p, (size_t)(w.end - w.p));
	if (row.value.len == 0)
		return not_a_row(why, "value");
	*out = row;
	return 0;
}
