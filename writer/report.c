/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Report.  Everybody counts at home, with plain numbers; a few times a second
 * they are copied to where tools look.
 */

#include <sys/statvfs.h>

#include "core/time.h"
#include "shm/ring_writer.h"
#include "shm/stats.h"
#include "writer/attach.h"
#include "writer/ingest.h"
#include "writer/report.h"
#include "writer/retainer.h"
#include "writer/syncer.h"

enum {
	RESERVE_SEGMENTS = 2 /* the next spare, and one that is packed */
};

/* Of what the kernel has in memory: no disk is waited for. */
static void
report_disk(const struct report_parts *parts, const struct stats *st)
{
	struct statvfs fs;

	if (fstatvfs(parts->log_dir, &fs) < 0)
		return;
	stats_set(st, STATS_WRITER_disk_free,
	    (uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize);
	stats_set(st, STATS_WRITER_disk_reserve,
	    RESERVE_SEGMENTS * parts->segment_bytes);
}

void
report_counters(const struct report_parts *parts)
{
	const struct stats *st = ring_writer_stats(parts->ring);
	struct ingest_counts in;
	struct syncer_counts sy;
	struct retainer_counts re;

	ingest_counts(parts->ingest, &in);
	syncer_counts(parts->syncer, &sy);
	retainer_counts(parts->retainer, &re);
	stats_set(st, STATS_WRITER_appends, in.appends);
	stats_set(st, STATS_WRITER_events, in.events);
	stats_set(st, STATS_WRITER_conflicts, in.conflicts);
	stats_set(st, STATS_WRITER_duplicates, in.duplicates);
	stats_set(st, STATS_WRITER_key_reused, in.key_reused);
	stats_set(st, STATS_WRITER_refused_storage_full, in.storage_full);
	stats_set(st, STATS_WRITER_refused_stalled, in.stalled);
	stats_set(st, STATS_WRITER_emits, in.emits);
	stats_set(st, STATS_WRITER_clock_leaps, in.clock_leaps);
	stats_set(st, STATS_WRITER_clock_behind, in.clock_behind);
	stats_set(st, STATS_WRITER_flushes, sy.flushes);
	stats_set(st, STATS_WRITER_flush_bytes, sy.flush_bytes);
	stats_set(st, STATS_WRITER_flush_ns, sy.flush_ns);
	stats_set(st, STATS_WRITER_stalls, sy.slow_flushes);
	stats_set(st, STATS_WRITER_witness_failed, sy.witness_failed);
	stats_set(st, STATS_WRITER_wakeups, sy.rings);
	stats_set(st, STATS_WRITER_producers, in.producers);
	stats_set(st, STATS_WRITER_readers, attach_readers(parts->attach));
	stats_set(st, STATS_WRITER_ring_window,
	    ring_writer_window_ms(parts->ring, time_mono_ns()));
	stats_set(st, STATS_WRITER_floor_moves, re.moves);
	stats_set(st, STATS_WRITER_packed, re.packed);
	stats_set(st, STATS_WRITER_retain_failed, re.failed);
	stats_set(st, STATS_WRITER_kept_for_cursors, re.held);
	report_disk(parts, st);
	stats_set(st, STATS_WRITER_unsafe_filesystem, parts->unsafe);
	stats_set(st, STATS_WRITER_ckpt_failed, parts->checkpoint_failed);
}
