/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Looking at a house.  Files are found by name each time, and copied before
 * they are judged; the ring alone is mapped, because it is large.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fs.h"
#include "shm/client_page.h"
#include "shm/ring_reader.h"
#include "tools/guard.h"
#include "tools/house.h"
#include "tools/watch.h"

int
watch_whole(struct watch *w, struct reason *why)
{
	if (guard_replaced() == w->replaced)
		return 0;
	return reason_say(
	    why, -EPROTO, "'%s' was cut short while it was read", w->ring_path);
}

/* --- one house --- */

int
watch_new(const struct house *house, struct watch **out, struct reason *why)
{
	struct watch *w = calloc(1, sizeof(*w));
	const char *run = house_run_dir(house);

	if (!w)
		return reason_set(why, -ENOMEM, "cannot start");
	snprintf(w->ring_path, PATH_MAX, "%.*s/ring", PATH_MAX - 8, run);
	snprintf(w->pages_path, PATH_MAX, "%.*s/stat", PATH_MAX - 8, run);
	snprintf(w->log_dir, PATH_MAX, "%s", house_log_dir(house));
	guard_begin();
	*out = w;
	return 0;
}

static void
watch_forget(struct watch *w)
{
	for (unsigned i = 0; i < w->n; i++)
		(void)stats_page_free(w->processes[i].page);
	w->n = 0;
	w->bad_n = 0;
	w->bytes = 0;
}

struct watch *
watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	watch_forget(w);
	(void)ring_reader_free(w->rd);
	free(w->copy);
	free(w);
	return NULL;
}

const char *
watch_writer(const struct watch *w)
{
	CLEANUP(closep) int dirfd = -1;
	int held;

	dirfd = open(w->log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	held = dirfd < 0 ? -errno : fs_lock_held(dirfd, "LOCK");
	if (held < 0)
		return "unknown";
	return held ? "alive" : "dead";
}

/* --- the ring --- */

int
watch_ring(struct watch *w, struct reason *why)
{
	int err = 0;

	if (w->rd && watch_whole(w, NULL) == 0 &&
	    ring_reader_is_at(w->rd, w->ring_path))
		return WATCH_SAME;
	w->rd = ring_reader_free(w->rd);
	w->replaced = guard_replaced();
	err = ring_reader_open(w->ring_path, &w->rd, why);
	if (err == -ENOENT)
		return WATCH_NONE;
	if (err == 0)
		err = watch_whole(w, why);
	if (err == 0)
		return WATCH_NEW;
	w->rd = ring_reader_free(w->rd);
	return err;
}

/* --- counters --- */

static void
watch_complain(struct watch *w, const struct reason *why)
{
	if (w->bad_n < WATCH_BAD)
		w->bad[w->bad_n] = *why;
	w->bad_n++;
}

/* Word by word: somebody adds to them meanwhile. */
static void
watch_copy_words(uint8_t *to, const uint8_t *from, size_t size)
{
	uint64_t *dst = (void *)to;
	const uint64_t *src = (const void *)from;

	for (size_t i = 0; i < size / sizeof(*dst); i++)
		dst[i] = __atomic_load_n(&src[i], __ATOMIC_RELAXED);
}

static int
watch_copy_room(struct watch *w, size_t size)
{
	uint8_t *copy;

	if (size <= w->copy_room)
		return 0;
	copy = realloc(w->copy, size);
	if (!copy)
		return -ENOMEM;
	w->copy = copy;
	w->copy_room = size;
	return 0;
}

int
watch_ring_counters(
    struct watch *w, struct stats_view *copy, struct reason *why)
{
	struct reason inner;
	struct stats_view view;
	size_t size = 0;
	int err = ring_reader_stats(w->rd, &view, &inner);

	if (err == 0) {
		size = view.size & ~(size_t)7;
		err = watch_copy_room(w, size);
	}
	if (err == -ENOMEM)
		(void)reason_set(&inner, err, "cannot copy counters");
	if (err == 0) {
		watch_copy_words(w->copy, view.area, size);
		err = stats_view_init(copy, w->copy, size, &inner);
	}
	if (watch_whole(w, why) < 0)
		return -EPROTO;
	if (err < 0)
		(void)reason_set(why, 0, "'%s': %s", w->ring_path, inner.text);
	return err;
}

static void
watch_writer_counters(struct watch *w)
{
	struct watch_process *p = &w->processes[w->n];
	struct reason why = REASON_NO_MEMORY;
	int err = watch_ring(w, &why);

	if (err == WATCH_NONE)
		return;
	if (err >= 0)
		err = watch_ring_counters(w, &p->view, &why);
	if (err < 0) {
		watch_complain(w, &why);
		return;
	}
	p->page = NULL;
	p->alive = strcmp(watch_writer(w), "dead") != 0;
	w->n++;
}

/*
 * Its owner holds it.  In the first version nobody did; then somebody with
 * that pid runs, and whether it is the same one, nobody knows.
 */
static bool
watch_page_lives(const struct watch_process *p)
{
	uint32_t pid = p->view.pid;

	return stats_page_held(p->page) ||
	       (p->view.version == 1 && pid > 0 && pid <= INT_MAX &&
		   (kill((pid_t)pid, 0) == 0 || errno == EPERM));
}

/* Is there room for a copy of it? */
static int
watch_page_fits(
    struct watch *w, int dirfd, const char *name, struct reason *why)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return reason_set(why, -errno, "cannot look at '%s'", name);
	if (!S_ISREG(st.st_mode))
		return 0;
	if ((uint64_t)st.st_size > WATCH_BYTES - w->bytes)
		return reason_say(why, -EFBIG,
		    "'%s' was not looked at: with it there are more than %d "
		    "bytes of counters",
		    name, WATCH_BYTES);
	w->bytes += (size_t)st.st_size;
	return 0;
}

static void
watch_page(struct watch *w, int dirfd, const char *name)
{
	struct watch_process *p = &w->processes[w->n];
	struct reason why = REASON_NO_MEMORY;
	int err = watch_page_fits(w, dirfd, name, &why);

	p->page = NULL;
	if (err == 0)
		err = stats_page_copy(dirfd, name, &p->page, &why);
	/* It has ended since the directory was read. */
	if (err == -ENOENT)
		return;
	if (err < 0) {
		watch_complain(w, &why);
		return;
	}
	p->view = *stats_page_view(p->page);
	p->alive = watch_page_lives(p);
	w->n++;
}

static int
watch_by_name(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* At most WATCH_PAGES names, each to be freed; more are counted alone. */
static unsigned
watch_list(DIR *dir, char *names[WATCH_PAGES], unsigned *left_out)
{
	const struct dirent *entry;
	unsigned n = 0;

	*left_out = 0;
	while ((entry = readdir(dir))) {
		char *name;

		if (entry->d_name[0] == '.' ||
		    strcmp(entry->d_name, CLIENT_DIRECTORY) == 0)
			continue;
		name = n < WATCH_PAGES ? strdup(entry->d_name) : NULL;
		if (name)
			names[n++] = name;
		else
			++*left_out;
	}
	qsort(names, n, sizeof(*names), watch_by_name);
	return n;
}

int
watch_counters(struct watch *w, struct reason *why)
{
	char *names[WATCH_PAGES];
	unsigned n, left_out;
	struct reason many;
	DIR *dir;

	watch_forget(w);
	watch_writer_counters(w);
	dir = opendir(w->pages_path);
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return reason_set(
		    why, -errno, "cannot read '%s'", w->pages_path);
	n = watch_list(dir, names, &left_out);
	for (unsigned i = 0; i < n; i++) {
		watch_page(w, dirfd(dir), names[i]);
		free(names[i]);
	}
	(void)closedir(dir);
	if (left_out) {
		(void)reason_set(&many, 0,
		    "'%s' has %u files: %u were not looked at", w->pages_path,
		    n + left_out, left_out);
		watch_complain(w, &many);
	}
	return 0;
}
