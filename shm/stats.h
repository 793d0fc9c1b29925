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
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;

enum stats_kind {
	STATS_COUNTER = 1, /* only grows */
	STATS_GAUGE,	   /* what it is now */
};

struct stats_def {
	const char *name;
	const char *unit;
	const char *text;
	enum stats_kind kind;
};

/* One table for each kind of process. */
struct stats_table {
	const char *process;
	const struct stats_def *defs;
	unsigned n;
};

enum stats_writer {
#define STATS_WRITER(name, kind, unit, text) STATS_WRITER_##name,
#include "shm/stats_defs.h"
	STATS_WRITER_ALL
};

enum stats_gateway {
#define STATS_GATEWAY(name, kind, unit, text) STATS_GATEWAY_##name,
#include "shm/stats_defs.h"
	STATS_GATEWAY_ALL
};

extern const struct stats_table stats_writer_table;
extern const struct stats_table stats_gateway_table;

/* --- the owner's side --- */

/* A cell has a line of its own, so that owners do not disturb each other. */
struct stats_cell {
	_Alignas(64) _Atomic uint64_t v;
};

struct stats {
	struct stats_cell *cells;
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

/* --- the tools' side --- */

/* Memory of strangers that was checked: entries point into it. */
struct stats_view {
	const uint8_t *area;
	size_t size;
	unsigned n;
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
	uint64_t value;
};

/* -EPROTO with a reason when the size bytes at area are no counters. */
MUST_CHECK int stats_view_init(
    struct stats_view *view, const void *area, size_t size, struct reason *why);
/* Entry i (below view->n).  -EPROTO when it has gone bad meanwhile. */
MUST_CHECK int stats_view_item(
    const struct stats_view *view, unsigned i, struct stats_item *item);

/* --- counters in a file of their own: RUN/stat/NAME.PID --- */

struct stats_page;

/*
 * Make dirfd/NAME.PID (0640), NAME being the table's process; on success the
 * caller owns *out.  stats_page_free() removes the file: what stays behind
 * is what a crash left.
 */
MUST_CHECK int stats_page_create(int dirfd, const struct stats_table *table,
    struct stats_page **out, struct reason *why);
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

/* Of a page of ours: the directory that its file is removed from. */
int stats_page_dirfd(const struct stats_page *page);
const struct stats *stats_page_stats(const struct stats_page *page);
const struct stats_view *stats_page_view(const struct stats_page *page);

#endif
