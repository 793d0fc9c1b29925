/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Self-described counters.  The writing side lays the table out once; the
 * reading side believes nothing and copies each entry before it checks it.
 */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/reason.h"
#include "core/time.h"
#include "shm/stats.h"

/* "PEALSTAT" */
#define STATS_MAGIC UINT64_C(0x544154534c414550)

enum {
	STATS_VERSION = 1,
	STATS_ENTRIES = 4096,
	STATS_FILE = 1 << 24
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
	uint32_t zero[2];
};

_Static_assert(sizeof(struct stats_head) == 128, "head as documented");
_Static_assert(sizeof(struct stats_entry) == 128, "entry as documented");

#define FITS(name_, unit_, text_)                                              \
	_Static_assert(                                                        \
	    sizeof(name_) <= 32 && sizeof(unit_) <= 16 && sizeof(text_) <= 64, \
	    "too long: " name_);
#define STATS_WRITER(name, kind, unit, text)  FITS(#name, unit, text)
#define STATS_GATEWAY(name, kind, unit, text) FITS(#name, unit, text)
#include "shm/stats_defs.h"

static const struct stats_def writer_defs[] = {
#define STATS_WRITER(name, kind, unit, text) \
	{ #name, unit, text, STATS_##kind },
#include "shm/stats_defs.h"
};

const struct stats_table stats_writer_table = {
	.process = "writer",
	.defs = writer_defs,
	.n = ARRAY_LEN(writer_defs),
};

static const struct stats_def gateway_defs[] = {
#define STATS_GATEWAY(name, kind, unit, text) \
	{ #name, unit, text, STATS_##kind },
#include "shm/stats_defs.h"
};

const struct stats_table stats_gateway_table = {
	.process = "gateway",
	.defs = gateway_defs,
	.n = ARRAY_LEN(gateway_defs),
};

static size_t
cells_at(unsigned n)
{
	return sizeof(struct stats_head) + n * sizeof(struct stats_entry);
}

size_t
stats_bytes(const struct stats_table *table)
{
	return cells_at(table->n) + table->n * sizeof(struct stats_cell);
}

void
stats_init(struct stats *st, void *area, const struct stats_table *table)
{
	struct stats_head *head = area;
	struct stats_entry *entry = (void *)(head + 1);

	head->version = STATS_VERSION;
	head->entries = table->n;
	head->entry_bytes = sizeof(struct stats_entry);
	head->pid = (uint32_t)getpid();
	head->started_us = time_wall_us();
	snprintf(head->process, sizeof(head->process), "%s", table->process);
	for (unsigned i = 0; i < table->n; i++, entry++) {
		const struct stats_def *def = &table->defs[i];

		snprintf(entry->name, sizeof(entry->name), "%s", def->name);
		snprintf(entry->unit, sizeof(entry->unit), "%s", def->unit);
		snprintf(entry->text, sizeof(entry->text), "%s", def->text);
		entry->kind = def->kind;
		entry->value_at = (uint32_t)(cells_at(table->n) +
					     i * sizeof(struct stats_cell));
	}
	/* The magic comes last: who sees it sees the rest. */
	atomic_store_explicit((_Atomic uint64_t *)&head->magic, STATS_MAGIC,
	    memory_order_release);
	st->cells = (void *)((uint8_t *)area + cells_at(table->n));
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
	return is_text(entry->name, sizeof(entry->name)) && entry->name[0] &&
	       is_text(entry->unit, sizeof(entry->unit)) &&
	       is_text(entry->text, sizeof(entry->text)) &&
	       entry->value_at % 8 == 0 && size >= 8 &&
	       entry->value_at <= size - 8;
}

int
stats_view_init(
    struct stats_view *view, const void *area, size_t size, struct reason *why)
{
	struct stats_head head;
	struct stats_entry entry;

	if (!area || size < sizeof(head))
		return reason_set(why, -EPROTO,
		    "no counters: %zu bytes are less than a head", size);
	memcpy(&head, area, sizeof(head));
	if (head.magic != STATS_MAGIC)
		return reason_set(why, -EPROTO, "no counters: wrong magic");
	if (head.version != STATS_VERSION ||
	    head.entry_bytes != sizeof(struct stats_entry))
		return reason_set(why, -EPROTO,
		    "counters of version %u, not %d", head.version,
		    STATS_VERSION);
	if (head.entries > STATS_ENTRIES || cells_at(head.entries) > size ||
	    !is_text(head.process, sizeof(head.process)))
		return reason_set(why, -EPROTO,
		    "damaged counters: %u entries in %zu bytes", head.entries,
		    size);
	for (unsigned i = 0; i < head.entries; i++) {
		entry_copy(area, i, &entry);
		if (!entry_valid(&entry, size))
			return reason_set(
			    why, -EPROTO, "damaged counters: entry %u", i);
	}
	*view = (struct stats_view){
		.area = area,
		.size = size,
		.n = head.entries,
		.pid = head.pid,
		.started_us = head.started_us,
	};
	memcpy(view->process, head.process, sizeof(view->process));
	return 0;
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
	item->kind = entry.kind == STATS_GAUGE ? STATS_GAUGE : STATS_COUNTER;
	item->value = __atomic_load_n(
	    (const uint64_t *)(const void *)(view->area + entry.value_at),
	    __ATOMIC_RELAXED);
	return 0;
}

struct stats_page {
	void *area;
	size_t size;
	int dirfd; /* -1: not ours to remove */
	char name[64];
	struct stats stats;
	struct stats_view view;
};

struct stats_page *
stats_page_free(struct stats_page *page)
{
	if (!page)
		return NULL;
	if (page->dirfd >= 0) {
		(void)unlinkat(page->dirfd, page->name, 0);
		(void)close(page->dirfd);
	}
	if (page->area)
		(void)munmap(page->area, page->size);
	free(page);
	return NULL;
}

static int
page_new(struct stats_page **out)
{
	struct stats_page *page = calloc(1, sizeof(*page));

	if (!page)
		return -ENOMEM;
	page->dirfd = -1;
	*out = page;
	return 0;
}

static int
page_map(struct stats_page *page, int fd, int prot)
{
	void *area = mmap(NULL, page->size, prot, MAP_SHARED, fd, 0);

	if (area == MAP_FAILED)
		return -errno;
	page->area = area;
	return 0;
}

int
stats_page_create(int dirfd, const struct stats_table *table,
    struct stats_page **out, struct reason *why)
{
	CLEANUP(stats_page_freep) struct stats_page *page = NULL;
	CLEANUP(closep) int fd = -1;
	int err = page_new(&page);

	if (err < 0)
		return reason_set(why, err, "cannot make a counter page");
	snprintf(page->name, sizeof(page->name), "%s.%ld", table->process,
	    (long)getpid());
	page->size = stats_bytes(table);
	/* One with our pid is of a process that is gone. */
	(void)unlinkat(dirfd, page->name, 0);
	fd = openat(
	    dirfd, page->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return reason_set(
		    why, -errno, "cannot create '%s'", page->name);
	page->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	if (fallocate(fd, 0, 0, (off_t)page->size) < 0)
		return reason_set(why, -errno, "cannot fill '%s'", page->name);
	err = page_map(page, fd, PROT_READ | PROT_WRITE);
	if (err < 0)
		return reason_set(why, err, "cannot map '%s'", page->name);
	stats_init(&page->stats, page->area, table);
	err = stats_view_init(&page->view, page->area, page->size, why);
	if (err < 0)
		return err;
	*out = TAKE(page);
	return 0;
}

/* Memory of our own with what the file holds now, zeros where it is short. */
static int
page_copy(struct stats_page *page, int fd)
{
	size_t at = 0;
	ssize_t n;

	page->area = mmap(NULL, page->size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page->area == MAP_FAILED) {
		page->area = NULL;
		return -errno;
	}
	while (at < page->size) {
		n = pread(
		    fd, (uint8_t *)page->area + at, page->size - at, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	return 0;
}

static int
page_open(int dirfd, const char *name, bool copy, struct stats_page **out,
    struct reason *why)
{
	CLEANUP(stats_page_freep) struct stats_page *page = NULL;
	CLEANUP(closep) int fd = -1;
	struct reason inner;
	struct stat st;
	int err = page_new(&page);

	if (err < 0)
		return reason_set(why, err, "cannot read '%s'", name);
	fd = openat(dirfd, name,
	    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return reason_set(why, -errno, "cannot open '%s'", name);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > STATS_FILE)
		return reason_set(
		    why, -EPROTO, "'%s' is no counter page", name);
	page->size = (size_t)st.st_size;
	err = copy ? page_copy(page, fd) : page_map(page, fd, PROT_READ);
	if (err < 0)
		return reason_set(why, err, "cannot read '%s'", name);
	err = stats_view_init(&page->view, page->area, page->size, &inner);
	if (err < 0)
		return reason_set(why, err, "'%s': %s", name, inner.text);
	*out = TAKE(page);
	return 0;
}

int
stats_page_open(
    int dirfd, const char *name, struct stats_page **out, struct reason *why)
{
	return page_open(dirfd, name, false, out, why);
}

int
stats_page_copy(
    int dirfd, const char *name, struct stats_page **out, struct reason *why)
{
	return page_open(dirfd, name, true, out, why);
}

int
stats_page_dirfd(const struct stats_page *page)
{
	return page->dirfd;
}

const struct stats *
stats_page_stats(const struct stats_page *page)
{
	return &page->stats;
}

const struct stats_view *
stats_page_view(const struct stats_page *page)
{
	return &page->view;
}
