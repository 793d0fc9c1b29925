/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counters in shared memory that describe themselves: name, kind, unit and
 * help stand beside the values, so that a tool of another build, or after a
 * crash, can show them.  Each counter has one owner, who adds to it with
 * plain relaxed stores; everybody else only reads.
 */

#ifndef PEAL_SHM_STATS_H
#define PEAL_SHM_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"
#include "shm/stats_hist.h"

struct reason;

enum stats_kind {
	STATS_COUNTER = 1, /* only grows */
	STATS_GAUGE,	   /* what it is now */
	STATS_HISTOGRAM,   /* of values that were recorded */
};

/* "counter", "gauge", "histogram". */
const char *stats_kind_name(enum stats_kind kind);

struct stats_def {
	const char *name;
	const char *unit;
	const char *text;
	enum stats_kind kind;
};

/* One table for each kind of process. */
struct stats_table {
	const char *process;
	const struct stats_def *defs; /* counters and gauges */
	unsigned n;
	const struct stats_def *hists; /* histograms; they come behind */
	unsigned n_hists;
};

enum stats_writer {
#define STATS_WRITER(name, kind, unit, text) STATS_WRITER_##name,
#include "shm/stats_defs.h"
	STATS_WRITER_ALL
};

enum stats_writer_hist {
#define STATS_WRITER_HIST(name, unit, text) STATS_WRITER_HIST_##name,
#include "shm/stats_defs.h"
	STATS_WRITER_HIST_ALL
};

enum stats_broker {
#define STATS_BROKER(name, kind, unit, text) STATS_BROKER_##name,
#include "shm/stats_defs.h"
	STATS_BROKER_ALL
};

enum stats_broker_hist {
#define STATS_BROKER_HIST(name, unit, text) STATS_BROKER_HIST_##name,
#include "shm/stats_defs.h"
	STATS_BROKER_HIST_ALL
};

enum stats_gateway {
#define STATS_GATEWAY(name, kind, unit, text) STATS_GATEWAY_##name,
#include "shm/stats_defs.h"
	STATS_GATEWAY_ALL
};

enum stats_gateway_hist {
#define STATS_GATEWAY_HIST(name, unit, text) STATS_GATEWAY_HIST_##name,
#include "shm/stats_defs.h"
	STATS_GATEWAY_HIST_ALL
};

extern const struct stats_table stats_writer_table;
extern const struct stats_table stats_broker_table;
extern const struct stats_table stats_gateway_table;

/* --- the owner's side --- */

/* A cell has a line of its own, so that owners do not disturb each other. */
struct stats_cell {
	_Alignas(64) _Atomic uint64_t v;
};

/* A histogram: all of it has the same owner. */
struct stats_buckets {
	_Alignas(64) _Atomic uint64_t sum;
	_Atomic uint64_t max;
	_Alignas(64) _Atomic uint64_t n[STATS_HIST_BUCKETS];
};

struct stats {
	struct stats_cell *cells;
	struct stats_buckets *hists;
};

/* Bytes that the table takes, a multiple of 64. */
size_t stats_bytes(const struct stats_table *table);
/* Fill zeroed memory, aligned to 64, of stats_bytes(); all values are 0. */
void stats_init(struct stats *st, void *area, const struct stats_table *table);

static inline void
stats_set(const struct stats *st, unsigned i, uint64_t v)
{
	atomic_store_explicit(&st->cells[i].v, v, memory_order_relaxed);
}

static inline uint64_t
stats_get(const struct stats *st, unsigned i)
{
	return atomic_load_explicit(&st->cells[i].v, memory_order_relaxed);
}

static inline void
stats_add(const struct stats *st, unsigned i, uint64_t n)
{
	stats_set(st, i, stats_get(st, i) + n);
}

static inline void
stats_grow(_Atomic uint64_t *word, uint64_t n)
{
	atomic_store_explicit(word,
	    atomic_load_explicit(word, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

/*
 * Put a value, times times, into histogram i: one of STATS_…_HIST, which
 * count from 0 for themselves.  Some 2 ns; no system call.
 */
static inline void
stats_record(const struct stats *st, unsigned i, uint64_t v, uint64_t times)
{
	struct stats_buckets *h = &st->hists[i];

	stats_grow(&h->n[stats_hist_bucket(v)], times);
	stats_grow(&h->sum, v * times);
	if (UNLIKELY(v > atomic_load_explicit(&h->max, memory_order_relaxed)))
		atomic_store_explicit(&h->max, v, memory_order_relaxed);
}

/* Become what other cells and histograms of the same table are. */
void stats_take(const struct stats *to, const struct stats *from,
    const struct stats_table *table);

/* --- the tools' side --- */

/* Memory of strangers that was checked: entries point into it. */
struct stats_view {
	const uint8_t *area;
	size_t size;
	unsigned n;
	unsigned version; /* of the format */
	char process[32];
	uint32_t pid;
	uint64_t started_us; /* wall clock */
};

/* One entry, copied: names and texts are printable ASCII. */
struct stats_item {
	char name[32];
	char unit[16];
	char text[64];
	enum stats_kind kind;
	uint64_t value; /* of a histogram: how many values it has */
};

/* In which unit its value is; that of a histogram says how many it has. */
const char *stats_counts(const struct stats_item *item);

/* -EPROTO with a reason when the size bytes at area are no counters. */
MUST_CHECK int stats_view_init(
    struct stats_view *view, const void *area, size_t size, struct reason *why);
/* Entry i (below view->n).  -EPROTO when it has gone bad meanwhile. */
MUST_CHECK int stats_view_item(
    const struct stats_view *view, unsigned i, struct stats_item *item);
/*
 * Copy entry i, a histogram, all of whose values were recorded before this
 * returned.  -EPROTO when it is none.
 */
MUST_CHECK int stats_view_hist(
    const struct stats_view *view, unsigned i, struct stats_hist *hist);

/* --- counters in a file of their own: RUN/stat/NAME.PID --- */

struct stats_page;

enum {
	STATS_PAGES_LEFT = 8
};

/*
 * Make dirfd/NAME.PID (0640), NAME being the table's process; on success the
 * caller owns *out.  It is there as a whole or not at all.  stats_page_free()
 * removes the file: what stays behind is what a crash left, and of that the
 * newest STATS_PAGES_LEFT of the same process stay.
 */
MUST_CHECK int stats_page_create(int dirfd, const struct stats_table *table,
    struct stats_page **out, struct reason *why);
/* The same in run_dir/stat, which is made where it is missing. */
MUST_CHECK int stats_page_create_in(const char *run_dir,
    const struct stats_table *table, struct stats_page **out,
    struct reason *why);
/* Read-only, for tools; -EPROTO for a file that is none. */
MUST_CHECK int stats_page_open(
    int dirfd, const char *name, struct stats_page **out, struct reason *why);
/*
 * The same as a copy of what it holds now: a stranger who cuts the file
 * short cannot make the reader stumble.
 */
MUST_CHECK int stats_page_copy(
    int dirfd, const char *name, struct stats_page **out, struct reason *why);
struct stats_page *stats_page_free(struct stats_page *page);
CLEANUP_FN(struct stats_page *, stats_page_free)

/* When it was opened, was somebody counting in it? */
bool stats_page_held(const struct stats_page *page);
/* Of a page of ours: the directory that its file is removed from. */
int stats_page_dirfd(const struct stats_page *page);
/*
 * Of files PROCESS.PID that dead ones have left keep the newest, at most so
 * many, up to STATS_PAGES_LEFT.
 */
void stats_page_tidy(int dirfd, const char *process, unsigned most);

const struct stats *stats_page_stats(const struct stats_page *page);
const struct stats_view *stats_page_view(const struct stats_page *page);

#endif
