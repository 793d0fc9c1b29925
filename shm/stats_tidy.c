/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What crashes have left is kept for whoever looks at it, and not for ever:
 * of each process the newest few.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "shm/stats.h"

struct left {
	char name[NAME_MAX + 1];
	struct timespec at; /* when it was made */
};

/* A file that somebody holds, or that is none, is left alone. */
static bool
is_free(int dirfd, const char *name, struct timespec *at)
{
	CLEANUP(closep) int fd = -1;
	struct stat st;

	fd = openat(dirfd, name,
	    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	*at = st.st_mtim;
	return flock(fd, LOCK_SH | LOCK_NB) == 0;
}

/*
 * PROCESS.PID of a pid that nobody has.  The lock alone would not do: who was
 * started by a former version has none.
 */
static bool
is_dead(const char *name, const char *process)
{
	size_t n = strlen(process);
	char *end;
	long pid;

	if (strncmp(name, process, n) != 0 || name[n] != '.')
		return false;
	errno = 0;
	pid = strtol(name + n + 1, &end, 10);
	return !errno && !*end && pid > 0 && pid <= INT_MAX &&
	       kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static bool
is_older(const struct left *a, const struct left *b)
{
	if (a->at.tv_sec != b->at.tv_sec)
		return a->at.tv_sec < b->at.tv_sec;
	return a->at.tv_nsec < b->at.tv_nsec;
}

/* Keep it, and give up the oldest where there are too many then. */
static void
keep(int dirfd, struct left list[STATS_PAGES_LEFT], unsigned most, unsigned *n,
    const struct left *one)
{
	unsigned oldest = 0;

	if (*n < most) {
		list[(*n)++] = *one;
		return;
	}
	for (unsigned i = 1; i < *n; i++)
		if (is_older(&list[i], &list[oldest]))
			oldest = i;
	if (is_older(one, &list[oldest])) {
		(void)unlinkat(dirfd, one->name, 0);
		return;
	}
	(void)unlinkat(dirfd, list[oldest].name, 0);
	list[oldest] = *one;
}

void
stats_page_tidy(int dirfd, const char *process, unsigned most)
{
	struct left list[STATS_PAGES_LEFT], one;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	unsigned n = 0;

	if (!dir && fd >= 0)
		(void)close(fd);
	while (dir && (entry = readdir(dir))) {
		if (!is_dead(entry->d_name, process) ||
		    !is_free(dirfd, entry->d_name, &one.at))
			continue;
		memcpy(one.name, entry->d_name, strlen(entry->d_name) + 1);
		keep(dirfd, list, MIN(most, (unsigned)STATS_PAGES_LEFT), &n,
		    &one);
	}
	if (dir)
		(void)closedir(dir);
}
