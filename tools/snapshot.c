/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The client of `state`.  Parts are read one at a time; the server sends the
 * next when the one before has gone.
 */

#include "tools/snapshot.h"
#include "core/mp.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/row.h"
#include "tools/query.h"
#include "tools/refuse.h"

static int
snapshot_ask(struct query *q, const struct snapshot *snap, struct reason *why)
{
	unsigned n = 1;
	struct mp_buf *b;

	n += snap->at.kind != WHEN_NONE;
	n += snap->min_seq > 0;
	b = query_begin(q, "state", n);
	mp_pack_cstr(b, "topics");
	mp_pack_array(b, snap->n);
	for (unsigned i = 0; i < snap->n; i++)
		mp_pack_str(b, snap->patterns[i]);
	if (snap->at.kind != WHEN_NONE)
		mp_pack_cstr(b, "at");
	if (snap->at.kind == WHEN_SEQ) {
		mp_pack_uint(b, snap->at.v);
	} else if (snap->at.kind == WHEN_TIME) {
		mp_pack_map(b, 1);
		mp_pair_uint(b, "time", snap->at.v);
	}
	if (snap->min_seq)
		mp_pair_uint(b, "min_seq", snap->min_seq);
	return query_send(q, why);
}

static bool
snapshot_bool(struct slice map, const char *name, bool *v)
{
	struct mp_walk w = mp_walk(proto_get(map, name));
	struct mp_item item;

	if (!mp_next(&w, &item) || item.type != MP_BOOL)
		return false;
	*v = item.boolean;
	return true;
}

static int
snapshot_rows(
    struct snapshot *snap, struct mp_walk w, uint32_t n, struct reason *why)
{
	struct slice bytes;
	struct row row;
	int err = 0;

	for (uint32_t i = 0; i < n && err == 0; i++) {
		if (!mp_skip(&w, &bytes))
			return REFUSE(why, "the server sent half a part");
		err = row_decode(bytes, &row, why);
		if (err < 0)
			return err;
		if (row.seq > snap->seq)
			return REFUSE(why,
			    "the server sent a row of seq %llu in the state at "
			    "seq %llu",
			    (unsigned long long)row.seq,
			    (unsigned long long)snap->seq);
		snap->rows++;
		err = snap->row(snap->arg, &row, bytes, why);
	}
	return err;
}

static int
snapshot_part(struct snapshot *snap, struct slice part, bool first, bool *last,
    struct reason *why)
{
	struct proto_uint seq = proto_get_uint(part, "seq");
	struct mp_walk w = mp_walk(proto_get(part, "rows"));
	struct mp_item rows;
	int err = 0;

	if (!seq.set || !mp_next(&w, &rows) || rows.type != MP_ARRAY ||
	    !snapshot_bool(part, "last", last))
		return REFUSE(why, "the server sent a part that is none");
	if (!first && seq.v != snap->seq)
		return REFUSE(why,
		    "the server sent parts at seq %llu and at seq %llu",
		    (unsigned long long)snap->seq, (unsigned long long)seq.v);
	snap->seq = seq.v;
	if (first && snap->begin)
		err = snap->begin(snap->arg, seq.v, why);
	return err ? err : snapshot_rows(snap, w, rows.n, why);
}

int
snapshot_read(struct query *q, struct snapshot *snap, struct reason *why)
{
	bool first = true, last = false;
	struct slice part;
	int err;

	snap->rows = 0;
	err = snapshot_ask(q, snap, why);
	while (err == 0 && !last) {
		err = query_reply(q, "snapshot", &part, why);
		if (err == 0)
			err = snapshot_part(snap, part, first, &last, why);
		first = false;
	}
	return err > 0 ? SNAPSHOT_STOPPED : err;
}
