/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The welcome: where log and state stand, by which rules, and every count
 * that the broker keeps.
 */

#include "broker/archives.h"
#include "broker/clients.h"
#include "broker/folder.h"
#include "broker/presence.h"
#include "broker/serve_priv.h"
#include "broker/spool.h"
#include "broker/store.h"

struct counts {
	struct store_status store;
	struct folder_status folder;
	struct spools_status spools;
	struct archives_status archives;
	struct clients_counts clients;
	struct presence_counts presence;
};

static void
collect(struct serve *sv, struct counts *c)
{
	store_status(sv->parts.store, &c->store);
	folder_status(sv->folder, &c->folder);
	spools_status(sv->parts.query->spools, &c->spools);
	archives_status(sv->parts.query->archives, &c->archives);
	clients_counts(sv->parts.clients, &c->clients);
	presence_counts(sv->presence, &c->presence);
}

static void
pack_counts(struct mp_buf *b, struct serve *sv, const struct counts *c)
{
	const struct {
		const char *name;
		uint64_t value;
	} table[] = {
		{ "rows", c->store.rows },
		{ "unfoldable", c->store.unfoldable },
		{ "too_large", c->store.too_large },
		{ "commits", c->store.commits },
		{ "commit_failed", c->store.commit_failed },
		{ "stalled", c->folder.stalled },
		{ "lapped", c->folder.lapped },
		{ "snapshots", c->spools.spools },
		{ "snapshot_bytes", c->spools.bytes },
		{ "snapshots_built", c->spools.built },
		{ "snapshots_shared", c->spools.shared },
		{ "snapshots_gone", c->spools.gone },
		{ "archives", c->archives.archives },
		{ "archive_bytes", c->archives.bytes },
		{ "archive_newest", c->archives.newest },
		{ "archives_written", c->archives.written },
		{ "archives_failed", c->archives.failed },
		{ "archives_damaged", c->archives.damaged },
		{ "acks", c->clients.acks },
		{ "acks_refused", c->clients.refused },
		{ "clients_unflushed", c->clients.unflushed },
		{ "clients_evicted", c->clients.evicted },
		{ "cursors_expired", c->clients.expired },
		{ "flushes", c->clients.flushes },
		{ "flush_failed", c->clients.flush_failed },
		{ "members", c->presence.members },
		{ "members_dropped", c->presence.dropped },
		{ "connections", sv->ids.used },
		{ "requests", sv->counts.requests },
		{ "refused", sv->counts.refused },
		{ "garbage", sv->counts.garbage },
		{ "waited", sv->counts.waited },
		{ "jobs_waiting", jobs_waiting(sv->parts.jobs) },
	};

	mp_pack_cstr(b, "counts");
	mp_pack_map(b, ARRAY_LEN(table));
	for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
		mp_pack_cstr(b, table[i].name);
		mp_pack_uint(b, table[i].value);
	}
}

static void
pack_uint(struct mp_buf *b, const char *name, uint64_t v)
{
	mp_pack_cstr(b, name);
	mp_pack_uint(b, v);
}

/* How far each view of the log has got. */
static void
pack_projections(struct mp_buf *b, const struct store_status *store)
{
	mp_pack_cstr(b, "projections");
	mp_pack_map(b, 4);
	pack_uint(b, "state", store->seq);
	pack_uint(b, "graph", store->seq);
	pack_uint(b, "timeline", store->history_seq);
	pack_uint(b, "activity", store->history_seq);
}

void
serve_hello(struct serve_conn *p, const struct proto_request *req)
{
	struct serve *sv = p->sv;
	struct mp_buf *b;
	struct counts c;
	size_t mark;

	if (req->hello.v.v != 1) {
		serve_refuse(p, req->id, PROTO_BAD_REQUEST,
		    "field \"v\" of hello: the version spoken here is 1");
		return;
	}
	collect(sv, &c);
	b = serve_begin(p, &mark);
	proto_pack_head(b, "welcome", req->id, 9);
	pack_uint(b, "v", 1);
	mp_pack_cstr(b, "log");
	mp_pack_cstr(b, c.store.log);
	pack_uint(b, "seq", c.store.seq);
	pack_uint(b, "head", c.folder.tail_seq);
	pack_uint(b, "oldest", c.folder.oldest_seq);
	pack_uint(b, "tombstone_floor", c.store.tombstone_floor);
	mp_pack_cstr(b, "fold");
	if (store_pack_rules(sv->parts.store, b) < 0) {
		frame_cancel(&p->fs, mark);
		serve_refuse(p, req->id, PROTO_UNAVAILABLE,
		    "the fold rules can't be told at present");
		return;
	}
	pack_projections(b, &c.store);
	pack_counts(b, sv, &c);
	serve_end(p, mark);
}
