/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The welcome: where log and state stand, by which rules, and every count
 * that the broker keeps.
 */

#include <string.h>

#include "broker/archives.h"
#include "broker/clients.h"
#include "broker/folder.h"
#include "broker/meters.h"
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

/* All of it, by the table of the broker's counters. */
static void
take_counts(
    struct serve *sv, const struct counts *c, uint64_t v[STATS_BROKER_ALL])
{
	const uint64_t now[STATS_BROKER_ALL] = {
		[STATS_BROKER_events] = c->folder.events,
		[STATS_BROKER_seq] = c->store.seq,
		[STATS_BROKER_rows] = c->store.rows,
		[STATS_BROKER_unfoldable] = c->store.unfoldable,
		[STATS_BROKER_too_large] = c->store.too_large,
		[STATS_BROKER_commits] = c->store.commits,
		[STATS_BROKER_commit_failed] = c->store.commit_failed,
		[STATS_BROKER_stalled] = c->folder.stalled,
		[STATS_BROKER_lapped] = c->folder.lapped,
		[STATS_BROKER_snapshots] = c->spools.spools,
		[STATS_BROKER_snapshot_bytes] = c->spools.bytes,
		[STATS_BROKER_snapshots_built] = c->spools.built,
		[STATS_BROKER_snapshots_shared] = c->spools.shared,
		[STATS_BROKER_snapshots_gone] = c->spools.gone,
		[STATS_BROKER_archives] = c->archives.archives,
		[STATS_BROKER_archive_bytes] = c->archives.bytes,
		[STATS_BROKER_archive_newest] = c->archives.newest,
		[STATS_BROKER_archives_written] = c->archives.written,
		[STATS_BROKER_archives_failed] = c->archives.failed,
		[STATS_BROKER_archives_damaged] = c->archives.damaged,
		[STATS_BROKER_acks] = c->clients.acks,
		[STATS_BROKER_acks_refused] = c->clients.refused,
		[STATS_BROKER_clients_unflushed] = c->clients.unflushed,
		[STATS_BROKER_clients_evicted] = c->clients.evicted,
		[STATS_BROKER_cursors_expired] = c->clients.expired,
		[STATS_BROKER_flushes] = c->clients.flushes,
		[STATS_BROKER_flush_failed] = c->clients.flush_failed,
		[STATS_BROKER_members] = c->presence.members,
		[STATS_BROKER_members_dropped] = c->presence.dropped,
		[STATS_BROKER_connections] = sv->ids.used,
		[STATS_BROKER_requests] = sv->counts.requests,
		[STATS_BROKER_refused] = sv->counts.refused,
		[STATS_BROKER_garbage] = sv->counts.garbage,
		[STATS_BROKER_waited] = sv->counts.waited,
		[STATS_BROKER_jobs_waiting] = jobs_waiting(sv->parts.jobs),
	};

	memcpy(v, now, sizeof(now));
}

static void
pack_counts(struct mp_buf *b, struct serve *sv, const struct counts *c)
{
	const struct stats_table *table = &stats_broker_table;
	uint64_t v[STATS_BROKER_ALL];

	take_counts(sv, c, v);
	mp_pack_cstr(b, "counts");
	mp_pack_map(b, table->n);
	for (unsigned i = 0; i < table->n; i++) {
		mp_pack_cstr(b, table->defs[i].name);
		mp_pack_uint(b, v[i]);
	}
}

void
serve_report(struct serve *sv)
{
	uint64_t v[STATS_BROKER_ALL];
	struct counts c;

	collect(sv, &c);
	take_counts(sv, &c, v);
	for (unsigned i = 0; i < STATS_BROKER_ALL; i++)
		stats_set(&meters_cells, i, v[i]);
}

/* How far each view of the log has got. */
static void
pack_projections(struct mp_buf *b, const struct store_status *store)
{
	mp_pack_cstr(b, "projections");
	mp_pack_map(b, 4);
	mp_pair_uint(b, "state", store->seq);
	mp_pair_uint(b, "graph", store->seq);
	mp_pair_uint(b, "timeline", store->history_seq);
	mp_pair_uint(b, "activity", store->history_seq);
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
	mp_pair_uint(b, "v", 1);
	mp_pair_cstr(b, "log", c.store.log);
	mp_pair_uint(b, "seq", c.store.seq);
	mp_pair_uint(b, "head", c.folder.tail_seq);
	mp_pair_uint(b, "oldest", c.folder.oldest_seq);
	mp_pair_uint(b, "tombstone_floor", c.store.tombstone_floor);
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
