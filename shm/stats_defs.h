/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every counter of every process: name, kind, unit, help.  Names are what
 * `peal stat` and /metrics say (there with the prefix peal_).  Included
 * several times, once for each table; has no include guard on purpose.
 */

#ifndef STATS_WRITER
#define STATS_WRITER(name, kind, unit, text)
#endif

STATS_WRITER(appends, COUNTER, "requests", "append requests stored")
STATS_WRITER(events, COUNTER, "events", "events stored")
STATS_WRITER(conflicts, COUNTER, "requests",
    "appends refused by an expectation or check")
STATS_WRITER(duplicates, COUNTER, "requests",
    "appends answered from their key, stored before")
STATS_WRITER(key_reused, COUNTER, "requests",
    "appends refused: key seen with other events")
STATS_WRITER(refused_storage_full, COUNTER, "requests",
    "appends refused for want of space")
STATS_WRITER(flushes, COUNTER, "flushes", "flushes of the log")
STATS_WRITER(flush_bytes, COUNTER, "bytes", "bytes written by flushes")
STATS_WRITER(flush_ns, COUNTER, "ns", "time spent in flushes")
STATS_WRITER(emits, COUNTER, "events", "ephemeral events published")
STATS_WRITER(readers, GAUGE, "readers", "readers attached to the ring")
STATS_WRITER(
    rejected_readers, COUNTER, "readers", "readers refused at ring.sock")
STATS_WRITER(ckpt_failed, COUNTER, "files", "checkpoints that failed")
STATS_WRITER(witness_failed, COUNTER, "files", "witness writes that failed")
STATS_WRITER(clock_leaps, COUNTER, "leaps", "leaps of the clock held back")
STATS_WRITER(stalls, COUNTER, "flushes", "flushes that took over a second")
STATS_WRITER(
    missed_wakeups, COUNTER, "wakeups", "doorbells readers had to do without")

#undef STATS_WRITER
