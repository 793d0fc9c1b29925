/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The broker's part in retention: it asks of which event rows are wanted, and
 * brings them as a descriptor.  Only who may write system topics anyway, or
 * owns the broker's directory, is listened to.
 */

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "core/reason.h"
#include "writer/ingest_priv.h"
#include "writer/retainer.h"

enum {
	BUSY_RETRY_MS = 10000
};

static bool
is_broker(const struct producer *p)
{
	const char *dir = p->in->parts.broker_directory;
	struct stat st;

	return p->may_system ||
	       (dir && stat(dir, &st) == 0 && st.st_uid == p->uid);
}

static void
handle_retain(
    struct producer *p, struct proto_uint id, struct proto_uint needed)
{
	struct retainer *r = p->in->parts.retainer;
	bool holds = retainer_holds(r);
	struct mp_buf *b;
	size_t mark;

	if (needed.set)
		retainer_need(r, needed.v);
	/* Next comes `base`, with a descriptor. */
	p->fs.wants_fd = true;
	b = request_begin_now(p, &mark);
	proto_pack_head(b, "retain", id, 1 + holds);
	mp_pair_uint(b, "seq", retainer_wanted(r));
	if (holds)
		mp_pair_uint(b, "oldest", retainer_oldest(r));
	request_end_now(p, mark);
}

static void
handle_base(struct producer *p, struct proto_uint id, struct proto_uint seq)
{
	CLEANUP(closep) int fd = frame_take_fd(&p->fs);
	struct reason why = { "" };
	size_t mark;

	if (fd < 0 || !seq.set) {
		request_refuse(p, id, PROTO_BAD_REQUEST,
		    "base came without a descriptor or a \"seq\"", 0);
		return;
	}
	switch (retainer_hand(p->in->parts.retainer, seq.v, fd)) {
	case RETAINER_TAKEN:
		fd = -1;
		proto_pack_head(request_begin_now(p, &mark), "ok", id, 0);
		request_end_now(p, mark);
		break;
	case RETAINER_BUSY:
		request_refuse(p, id, PROTO_UNAVAILABLE,
		    "another base is being made", BUSY_RETRY_MS);
		break;
	default:
		reason_set(
		    &why, 0, "rows of seq %" PRIu64 " are not wanted", seq.v);
		request_refuse(p, id, PROTO_NOT_FOUND, why.text, 0);
	}
}

bool
handover_handle(struct producer *p, struct slice value)
{
	struct slice op = proto_get_str(value, "op");
	struct proto_uint id = proto_get_uint(value, "id");
	bool retain = op.p && slice_is(op, "retain");

	if (!retain && !(op.p && slice_is(op, "base")))
		return false;
	if (!is_broker(p))
		request_refuse(p, id, PROTO_FORBIDDEN,
		    "this is for the broker and for administrators", 0);
	else if (!p->in->parts.retainer)
		request_refuse(p, id, PROTO_UNAVAILABLE,
		    "this writer gives up nothing", BUSY_RETRY_MS);
	else if (retain)
		handle_retain(p, id, proto_get_uint(value, "needed"));
	else
		handle_base(p, id, proto_get_uint(value, "seq"));
	return true;
}
