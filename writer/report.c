/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Report.  Everybody counts at home, with plain numbers; a few times a second
 * they are copied to where tools look.
 */

#include "writer/report.h"
#include "shm/ring_writer.h"
#include "shm/stats.h"
#include "writer/attach.h"
#include "writer/ingest.h"
#include "writer/syncer.h"

void
report_counters(const struct report_parts *parts)
{
	const struct stats *st = ring_writer_stats(parts->ring);
	struct ingest_counts in;
	struct syncer_counts sy;

	ingest_counts(parts->ingest, &in);
	syncer_counts(parts->syncer, &sy);
	stats_set(st, STATS_WRITER_appends, in.appends);
	stats_set(st, STATS_WRITER_events, in.events);
	stats_set(st, STATS_WRITER_conflicts, in.conflicts);
	stats_set(st, STATS_WRITER_duplicates, in.duplicates);
	stats_set(st, STATS_WRITER_key_reused, in.key_reused);
	stats_set(st, STATS_WRITER_refused_storage_full, in.storage_full);
	stats_set(st, STATS_WRITER_emits, in.emits);
	stats_set(st, STATS_WRITER_clock_leaps, in.clock_leaps);
	stats_set(st, STATS_WRITER_flushes, sy.flushes);
	stats_set(st, STATS_WRITER_flush_bytes, sy.flush_bytes);
	stats_set(st, STATS_WRITER_flush_ns, sy.flush_ns);
	stats_set(st, STATS_WRITER_stalls, sy.slow_flushes);
	stats_set(st, STATS_WRITER_witness_failed, sy.witness_failed);
	stats_set(st, STATS_WRITER_readers, attach_readers(parts->attach));
	stats_set(st, STATS_WRITER_ckpt_failed, parts->checkpoint_failed);
}
