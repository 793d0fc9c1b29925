/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Counters in a file of their own.  Who makes it removes it at a clean end;
 * who opens it believes neither its name nor its size.
 *
 * The owner's mapping keeps the file open, and with it a lock: the kernel
 * says whether he lives, where a pid may be another's by now.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/reason.h"
#include "shm/stats.h"

/* Of a file; more is none of ours. */
#define PAGE_MAX (1 << 24)

struct stats_page {
	void *area;
	size_t size;
	int dirfd; /* -1: not ours to remove */
	bool held; /* somebody has it locked: its owner */
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

/* All of it under a name that nobody looks at. */
static int
page_fill(struct stats_page *page, int dirfd, const char *fresh,
    const struct stats_table *table, struct reason *why)
{
	CLEANUP(closep) int fd = -1;
	int err;

	(void)unlinkat(dirfd, fresh, 0);
	fd = openat(dirfd, fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return reason_set(
		    why, -errno, "cannot create '%s'", page->name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return reason_set(why, -errno, "cannot lock '%s'", page->name);
	if (fallocate(fd, 0, 0, (off_t)page->size) < 0)
		return reason_set(why, -errno, "cannot fill '%s'", page->name);
	err = page_map(page, fd, PROT_READ | PROT_WRITE);
	if (err < 0)
		return reason_set(why, err, "cannot map '%s'", page->name);
	stats_init(&page->stats, page->area, table);
	err = stats_view_init(&page->view, page->area, page->size, why);
	if (err < 0)
		return err;
	/* One of this name is of a process that is gone. */
	if (renameat(dirfd, fresh, dirfd, page->name) < 0)
		return reason_set(
		    why, -errno, "cannot create '%s'", page->name);
	return 0;
}

int
stats_page_create(int dirfd, const struct stats_table *table,
    struct stats_page **out, struct reason *why)
{
	CLEANUP(stats_page_freep) struct stats_page *page = NULL;
	int err = page_new(&page);
	char fresh[80];

	if (err < 0)
		return reason_set(why, err, "cannot make a counter page");
	snprintf(page->name, sizeof(page->name), "%s.%ld", table->process,
	    (long)getpid());
	snprintf(fresh, sizeof(fresh), ".%s.new", page->name);
	page->size = stats_bytes(table);
	err = page_fill(page, dirfd, fresh, table, why);
	if (err < 0) {
		(void)unlinkat(dirfd, fresh, 0);
		return err;
	}
	page->held = true;
	page->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	stats_page_tidy(dirfd, table->process, STATS_PAGES_LEFT);
	*out = TAKE(page);
	return 0;
}

int
stats_page_create_in(const char *run_dir, const struct stats_table *table,
    struct stats_page **out, struct reason *why)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(closep) int dirfd = -1;

	if (asprintf(&path, "%s/stat", run_dir) < 0) {
		path = NULL;
		return reason_set(why, -ENOMEM, "cannot make a counter page");
	}
	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		return reason_set(why, -errno, "cannot make '%s'", path);
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return reason_set(why, -errno, "cannot use '%s'", path);
	return stats_page_create(dirfd, table, out, why);
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
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > PAGE_MAX)
		return reason_say(
		    why, -EPROTO, "'%s' is no counter page", name);
	page->size = (size_t)st.st_size;
	/* Ours, where it succeeds, ends with the descriptor. */
	page->held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	err = copy ? page_copy(page, fd) : page_map(page, fd, PROT_READ);
	if (err < 0)
		return reason_set(why, err, "cannot read '%s'", name);
	err = stats_view_init(&page->view, page->area, page->size, &inner);
	if (err < 0)
		return reason_say(why, err, "'%s': %s", name, inner.text);
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

bool
stats_page_held(const struct stats_page *page)
{
	return page->held;
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
