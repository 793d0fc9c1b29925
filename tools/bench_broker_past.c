/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * States of the past, starting, and what the state takes on disk and in
 * memory.  Past seqs are spread over the log, so that some are right behind
 * an archive and some as far from it as can be.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "core/conf.h"
#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_broker_priv.h"
#include "tools/bench_hist.h"
#include "tools/bench_rows.h"

enum {
	PAST_SEQS = 7, /* states asked for, of each kind */
	PAST_NAMED = 100,
	PAST_WAIT_MS = 600000, /* for archives */
	PAST_STARTS = 3,
};

static double
past_ms(const struct bench_hist *h, double percent)
{
	return (double)bench_hist_percentile(h, percent) / 1e6;
}

/* --- past states --- */

/* Wait until archives are as many as there will be. */
static int
past_await_archives(struct broker_bench *b, struct reason *why)
{
	uint64_t every = conf_uint(b->t.house.conf, CONF_broker_archive_events);
	uint64_t deadline = time_mono_ns() + PAST_WAIT_MS * NS_PER_MS;
	struct bench_welcome w;
	int err;

	do {
		err = bench_staff_welcome(&b->staff, &w, why);
		if (err < 0)
			return err;
		if (b->head < 2 * every ||
		    w.archive_newest + 2 * every > b->head)
			return 0;
		(void)poll(NULL, 0, 50);
	} while (time_mono_ns() < deadline && !tool_stopped());
	return reason_say(why, -ETIMEDOUT, "no archives are written");
}

static void
past_tell(const struct broker_bench *b, const char *how, struct bench_hist *all,
    struct bench_hist *first, uint64_t rows)
{
	bench_broker_begin(b, "at", how);
	bench_broker_tell(b, "rows", (double)rows, "");
	bench_broker_tell(b, "p50_ms", past_ms(all, 50), "ms");
	bench_broker_tell(b, "max_ms", past_ms(all, 100), "ms");
	bench_broker_tell(b, "first_ms", past_ms(first, 50), "ms");
	bench_broker_end(b);
}

/* States at PAST_SEQS seqs, shifted so that no two kinds ask for the same. */
static int
past_states(struct broker_bench *b, const char *how, const struct slice *topics,
    unsigned n, uint64_t shift, struct reason *why)
{
	struct bench_hist all = { 0 }, first = { 0 };
	uint64_t rows = 0;
	int err = 0;

	for (unsigned i = 1; i <= PAST_SEQS && err >= 0; i++) {
		uint64_t at = b->head * i / (PAST_SEQS + 1) + shift;
		struct bench_rows r = {
			.topics = topics, .n = n, .at = MAX(at, 1)
		};

		err = bench_rows_local(&b->t, &r, why);
		if (err >= 0 && r.seq != MAX(at, 1))
			err = reason_say(why, -EPROTO,
			    "the state at %llu came instead of that at %llu",
			    (unsigned long long)r.seq, (unsigned long long)at);
		bench_hist_add(&all, r.all_ns, 1);
		bench_hist_add(&first, r.first_ns, 1);
		rows = r.rows;
		bench_rows_deinit(&r);
	}
	if (err >= 0)
		past_tell(b, how, &all, &first, rows);
	return err;
}

int
bench_broker_at(struct broker_bench *b, struct reason *why)
{
	static const struct slice all = SLICE_STR(">");
	char names[PAST_NAMED][32];
	struct slice topics[PAST_NAMED];
	unsigned n = (unsigned)MIN(b->topics, (uint64_t)PAST_NAMED);
	int err = past_await_archives(b, why);

	for (unsigned i = 0; i < n; i++) {
		bench_load_topic(&b->load, i * (b->topics / n), names[i]);
		topics[i] = slice_cstr(names[i]);
	}
	if (err >= 0)
		err = past_states(b, "all rows", &all, 1, 0, why);
	if (err >= 0)
		err = past_states(b, "100 named topics", topics, n, 1, why);
	return err;
}

/* --- starting --- */

static int
past_restart(
    struct broker_bench *b, int signo, uint64_t *ns, struct reason *why)
{
	uint64_t begin;
	int err;

	bench_staff_stop(&b->staff, BENCH_BROKER, signo);
	begin = time_mono_ns();
	err = bench_staff_start(&b->staff, BENCH_BROKER, NULL, 0, why);
	if (err >= 0)
		err = bench_staff_folded(&b->staff, b->head, true, why);
	*ns = time_mono_ns() - begin;
	return err;
}

int
bench_broker_start(struct broker_bench *b, struct reason *why)
{
	struct bench_hist clean = { 0 }, killed = { 0 };
	uint64_t ns;
	int err = 0;

	for (unsigned i = 0; i < PAST_STARTS && err >= 0; i++) {
		err = past_restart(b, SIGTERM, &ns, why);
		bench_hist_add(&clean, ns, 1);
		if (err >= 0)
			err = past_restart(b, SIGKILL, &ns, why);
		bench_hist_add(&killed, ns, 1);
	}
	if (err < 0)
		return err;
	bench_broker_begin(b, "start", "stopped and started");
	bench_broker_tell(b, "p50_ms", past_ms(&clean, 50), "ms");
	bench_broker_tell(b, "max_ms", past_ms(&clean, 100), "ms");
	bench_broker_end(b);
	bench_broker_begin(b, "start", "after kill -9");
	bench_broker_tell(b, "p50_ms", past_ms(&killed, 50), "ms");
	bench_broker_tell(b, "max_ms", past_ms(&killed, 100), "ms");
	bench_broker_end(b);
	return 0;
}

/* --- size --- */

int
bench_broker_size(struct broker_bench *b, struct reason *why)
{
	static const struct slice all = SLICE_STR(">");
	struct bench_rows r = { .topics = &all, .n = 1 };
	struct bench_welcome w;
	struct bench_usage used;
	double rows;
	int err;

	err = bench_staff_usage(&b->staff, BENCH_BROKER, &used, why);
	if (err >= 0)
		err = bench_staff_welcome(&b->staff, &w, why);
	if (err >= 0)
		err = bench_rows_local(&b->t, &r, why);
	bench_rows_deinit(&r);
	if (err < 0)
		return err;
	rows = (double)MAX(r.rows, 1);
	bench_broker_begin(b, "size", "of a row");
	bench_broker_tell(b, "rows", rows, "");
	bench_broker_tell(b, "row_bytes", (double)r.bytes / rows, "bytes sent");
	bench_broker_tell(b, "disk_bytes",
	    (double)bench_staff_disk(&b->staff, "broker/state") / rows,
	    "bytes of state");
	bench_broker_tell(b, "memory_bytes", (double)used.anon_bytes / rows,
	    "bytes of memory");
	bench_broker_end(b);
	bench_broker_begin(b, "size", "in all");
	bench_broker_tell(b, "archives", (double)w.archives, "");
	bench_broker_tell(b, "archive_mb", (double)w.archive_bytes / 1e6, "MB");
	bench_broker_tell(b, "log_mb",
	    (double)bench_staff_disk(&b->staff, "log") / 1e6, "MB");
	bench_broker_tell(b, "memory_mb", (double)used.anon_bytes / 1e6, "MB");
	bench_broker_tell(b, "pss_mb", (double)used.pss_bytes / 1e6, "MB");
	bench_broker_end(b);
	return 0;
}
