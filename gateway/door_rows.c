/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rows as they come, part by part, so that a slow reader costs one part.  In
 * JSON they are one `snapshot`, in MessagePack the parts themselves.
 */

#include "core/json.h"
#include "gateway/door_priv.h"

/* What stands before the first row of the one `snapshot`. */
static void
json_head(struct door *d, struct slice part, struct mp_buf *out)
{
	struct mp_buf head CLEANUP(mp_buf_deinit) = { 0 };

	proto_pack_head(&head, "snapshot", (struct proto_uint){ 0 }, 3);
	mp_pair_uint(&head, "seq", proto_get_uint(part, "seq").v);
	mp_pair_raw(&head, "full", proto_get(part, "full"));
	mp_pair_bool(&head, "last", true);
	if (head.failed || !door_form(d, slice_of(head.p, head.len), out)) {
		out->failed = true;
		return;
	}
	out->len--; /* the closing brace */
	mp_buf_bytes(out, ",\"rows\":[", 9);
}

static void
json_rows(struct door *d, struct slice rows, struct mp_buf *out)
{
	struct mp_walk w = mp_walk(rows);
	struct mp_item array;
	struct slice row;

	if (!mp_next(&w, &array))
		return;
	while (mp_skip(&w, &row)) {
		mp_buf_bytes(
		    out, d->n_rows > 0 ? ",\n" : "\n", d->n_rows > 0 ? 2 : 1);
		d->n_rows++;
		if (!door_form(d, row, out))
			return;
	}
}

static bool
is_true(struct slice map, const char *key)
{
	struct slice value = proto_get(map, key);

	return value.len == 1 && value.p[0] == 0xc3;
}

void
door_take_rows(struct door *d, struct slice part, struct block *b)
{
	bool last = is_true(part, "last"), first = !d->head_sent;
	struct mp_buf out = { 0 };

	if (first)
		door_begin(d, NULL, NULL);
	if (d->msgpack) {
		mp_pack_raw(&out, part);
	} else {
		if (first)
			json_head(d, part, &out);
		json_rows(d, proto_get(part, "rows"), &out);
		if (last)
			mp_buf_bytes(&out, "]}\n", 3);
	}
	if (out.len > 0)
		door_chunk(d, &out);
	mp_buf_deinit(&out);
	if (last)
		door_finish(d);
}
