/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Self-described counters.  The writing side lays the table out once; the
 * reading side believes nothing and copies each entry before it checks it.
 */

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/stats.h"

/* "PEALSTAT" */
#define STATS_MAGIC UINT64_C(0x544154534c414550)

enum {
	STATS_VERSION = 2,
	STATS_OLDEST = 1, /* had no histograms */
	STATS_ENTRIES = 4096
};

struct stats_head {
	uint64_t magic;
	uint32_t version;
	uint32_t entries;
	uint32_t entry_bytes;
	uint32_t pid;
	uint64_t started_us;
	char process[32];
	uint8_t zero[64];
};

struct stats_entry {
	char name[32];
	char unit[16];
	char text[64];
	uint32_t kind;
	uint32_t value_at; /* offset from the head */
	uint32_t sub;	   /* of a histogram: STATS_HIST_SUB */
	uint32_t buckets;  /* and STATS_HIST_BUCKETS */
};

_Static_assert(sizeof(struct stats_head) == 128, "head as documented");
_Static_assert(sizeof(struct stats_entry) == 128, "entry as documented");
_Static_assert(offsetof(struct stats_buckets, n) == 64, "as documented");

static size_t
cells_at(unsigned n)
{
	return sizeof(struct stats_head) + n * sizeof(struct stats_entry);
}

/* Histograms come behind all cells. */
static size_t
hists_at(const struct stats_table *table)
{
	return cells_at(table->n + table->n_hists) +
	       table->n * sizeof(struct stats_cell);
}

size_t
stats_bytes(const struct stats_table *table)
{
	return hists_at(table) + table->n_hists * sizeof(struct stats_buckets);
}

static void
entry_fill(
    struct stats_entry *entry, const struct stats_def *def, size_t value_at)
{
	snprintf(entry->name, sizeof(entry->name), "%s", def->name);
	snprintf(entry->unit, sizeof(entry->unit), "%s", def->unit);
	snprintf(entry->text, sizeof(entry->text), "%s", def->text);
	entry->kind = def->kind;
	entry->value_at = (uint32_t)value_at;
	if (def->kind == STATS_HISTOGRAM) {
		entry->sub = STATS_HIST_SUB;
		entry->buckets = STATS_HIST_BUCKETS;
	}
}

void
stats_init(struct stats *st, void *area, const struct stats_table *table)
{
	struct stats_head *head = area;
	struct stats_entry *entry = (void *)(head + 1);
	const unsigned all = table->n + table->n_hists;

	st->cells = (void *)((uint8_t *)area + cells_at(all));
	st->hists = (void *)((uint8_t *)area + hists_at(table));
	head->version = STATS_VERSION;
	head->entries = all;
	head->entry_bytes = sizeof(struct stats_entry);
	head->pid = (uint32_t)getpid();
	head->started_us = time_wall_us();
	snprintf(head->process, sizeof(head->process), "%s", table->process);
	for (unsigned i = 0; i < table->n; i++)
		entry_fill(entry++, &table->defs[i],
		    (size_t)((uint8_t *)&st->cells[i] - (uint8_t *)area));
	for (unsigned i = 0; i < table->n_hists; i++)
		entry_fill(entry++, &table->hists[i],
		    (size_t)((uint8_t *)&st->hists[i] - (uint8_t *)area));
	/* The magic comes last: who sees it sees the rest. */
	atomic_store_explicit((_Atomic uint64_t *)&head->magic, STATS_MAGIC,
	    memory_order_release);
}

static void
copy(_Atomic uint64_t *to, const _Atomic uint64_t *from)
{
	atomic_store_explicit(to,
	    atomic_load_explicit(from, memory_order_relaxed),
	    memory_order_relaxed);
}

void
stats_take(const struct stats *to, const struct stats *from,
    const struct stats_table *table)
{
	for (unsigned i = 0; i < table->n; i++)
		stats_set(to, i, stats_get(from, i));
	for (unsigned i = 0; i < table->n_hists; i++) {
		struct stats_buckets *h = &to->hists[i];
		const struct stats_buckets *was = &from->hists[i];

		for (unsigned b = 0; b < STATS_HIST_BUCKETS; b++)
			copy(&h->n[b], &was->n[b]);
		copy(&h->sum, &was->sum);
		copy(&h->max, &was->max);
	}
}

/* NUL-ended within size, and nothing in it that a terminal would obey. */
static bool
is_text(const char *s, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!s[i])
			return true;
		if (!isascii(s[i]) || !isprint(s[i]))
			return false;
	}
	return false;
}

static void
entry_copy(const uint8_t *area, unsigned i, struct stats_entry *entry)
{
	memcpy(entry, area + cells_at(i), sizeof(*entry));
}

static bool
entry_valid(const struct stats_entry *entry, size_t size)
{
	size_t takes = entry->kind == STATS_HISTOGRAM
			   ? sizeof(struct stats_buckets)
			   : sizeof(uint64_t);

	if (entry->kind < STATS_COUNTER || entry->kind > STATS_HISTOGRAM)
		return false;
	if (entry->kind == STATS_HISTOGRAM &&
	    (entry->sub != STATS_HIST_SUB ||
		entry->buckets != STATS_HIST_BUCKETS))
		return false;
	return is_text(entry->name, sizeof(entry->name)) && entry->name[0] &&
	       is_text(entry->unit, sizeof(entry->unit)) &&
	       is_text(entry->text, sizeof(entry->text)) &&
	       entry->value_at % 8 == 0 && size >= takes &&
	       entry->value_at <= size - takes;
}

int
stats_view_init(
    struct stats_view *view, const void *area, size_t size, struct reason *why)
{
	struct stats_head head;
	struct stats_entry entry;

	if (!area || size < sizeof(head))
		return reason_say(why, -EPROTO,
		    "no counters: %zu bytes are less than a head", size);
	memcpy(&head, area, sizeof(head));
	if (head.magic != STATS_MAGIC)
		return reason_say(why, -EPROTO, "no counters: wrong magic");
	if (head.version < STATS_OLDEST || head.version > STATS_VERSION ||
	    head.entry_bytes != sizeof(struct stats_entry))
		return reason_say(why, -EPROTO,
		    "counters of version %u, not %d", head.version,
		    STATS_VERSION);
	if (head.entries > STATS_ENTRIES || cells_at(head.entries) > size ||
	    !is_text(head.process, sizeof(head.process)))
		return reason_say(why, -EPROTO,
		    "damaged counters: %u entries in %zu bytes", head.entries,
		    size);
	for (unsigned i = 0; i < head.entries; i++) {
		entry_copy(area, i, &entry);
		if (!entry_valid(&entry, size))
			return reason_say(
			    why, -EPROTO, "damaged counters: entry %u", i);
	}
	*view = (struct stats_view){
		.area = area,
		.size = size,
		.n = head.entries,
		.version = head.version,
		.pid = head.pid,
		.started_us = head.started_us,
	};
	memcpy(view->process, head.process, sizeof(view->process));
	return 0;
}

/* A word of strangers, aligned to 8. */
static uint64_t
word_at(const uint8_t *at)
{
	return __atomic_load_n(
	    (const uint64_t *)(const void *)at, __ATOMIC_RELAXED);
}

static size_t
bucket_at(unsigned b)
{
	return offsetof(struct stats_buckets, n) + b * sizeof(uint64_t);
}

static uint64_t
hist_count(const uint8_t *at)
{
	uint64_t count = 0;

	for (unsigned b = 0; b < STATS_HIST_BUCKETS; b++)
		count += word_at(at + bucket_at(b));
	return count;
}

int
stats_view_item(
    const struct stats_view *view, unsigned i, struct stats_item *item)
{
	struct stats_entry entry;

	if (i >= view->n)
		return -ENOENT;
	entry_copy(view->area, i, &entry);
	if (!entry_valid(&entry, view->size))
		return -EPROTO;
	memcpy(item->name, entry.name, sizeof(item->name));
	memcpy(item->unit, entry.unit, sizeof(item->unit));
	memcpy(item->text, entry.text, sizeof(item->text));
	item->kind = entry.kind;
	item->value = entry.kind == STATS_HISTOGRAM
			  ? hist_count(view->area + entry.value_at)
			  : word_at(view->area + entry.value_at);
	return 0;
}

int
stats_view_hist(
    const struct stats_view *view, unsigned i, struct stats_hist *hist)
{
	struct stats_entry entry;
	const uint8_t *at;

	if (i >= view->n)
		return -ENOENT;
	entry_copy(view->area, i, &entry);
	if (!entry_valid(&entry, view->size) || entry.kind != STATS_HISTOGRAM)
		return -EPROTO;
	at = view->area + entry.value_at;
	hist->count = 0;
	for (unsigned b = 0; b < STATS_HIST_BUCKETS; b++) {
		hist->n[b] = word_at(at + bucket_at(b));
		hist->count += hist->n[b];
	}
	hist->sum = word_at(at + offsetof(struct stats_buckets, sum));
	hist->max = word_at(at + offsetof(struct stats_buckets, max));
	return 0;
}
