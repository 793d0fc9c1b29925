/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Files of counters where something is in their way: no half of one is ever
 * seen, nothing that is another's is removed, and the sentence says why.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "shm/stats.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/tmpdir.h"

static const struct stats_def defs[] = {
	{ "birds", "birds", "how many were seen", STATS_COUNTER },
};
static const struct stats_table table = {
	.process = "forest",
	.defs = defs,
	.n = ARRAY_LEN(defs),
};

static const char *
page_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "forest.%ld", (long)getpid());
	return name;
}

static const char *
fresh_name(void)
{
	static char name[80];

	snprintf(name, sizeof(name), ".%s.new", page_name());
	return name;
}

static void
assert_not_made(struct tmpdir *dir, int err, const char *text)
{
	struct stats_page *page = NULL;
	struct reason why = { "" };

	assert_int_equal(stats_page_create(dir->fd, &table, &page, &why), err);
	assert_null(page);
	if (!strstr(why.text, text) || !strstr(why.text, page_name()))
		fail_msg("'%s' lacks '%s'", why.text, text);
}

static void
a_directory_of_its_name_is_left_where_it_is(void **state)
{
	struct tmpdir *dir = *state;

	assert_int_equal(mkdirat(dir->fd, page_name(), 0700), 0);
	assert_not_made(dir, -EISDIR, "cannot create");
	assert_int_equal(tmpdir_count(dir), 1);
	assert_false(tmpdir_has(dir, fresh_name()));
	assert_int_equal(unlinkat(dir->fd, page_name(), AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(dir->fd, fresh_name(), 0700), 0);
	assert_not_made(dir, -EEXIST, "cannot create");
	assert_true(tmpdir_has(dir, fresh_name()));
	assert_int_equal(tmpdir_count(dir), 0);
	assert_int_equal(unlinkat(dir->fd, fresh_name(), AT_REMOVEDIR), 0);
}

/* What somebody with our pid has left does not count. */
static void
a_page_has_its_room_before_it_has_its_name(void **state)
{
	struct tmpdir *dir = *state;
	struct stats_page *page = NULL;
	struct stat st;
	char name[64];

	tmpdir_text(dir, fresh_name(), "half of one");
	assert_int_equal(stats_page_create(dir->fd, &table, &page, NULL), 0);
	assert_false(tmpdir_has(dir, fresh_name()));
	(void)stats_page_free(page);
	/* What were missing later would be a SIGBUS on a full disk. */
	snprintf(name, sizeof(name), "gateway.%ld", (long)getpid());
	assert_int_equal(
	    stats_page_create(dir->fd, &stats_gateway_table, &page, NULL), 0);
	assert_int_equal(fstatat(dir->fd, name, &st, 0), 0);
	assert_true(
	    (size_t)st.st_blocks * 512 >= stats_bytes(&stats_gateway_table));
	(void)stats_page_free(page);
}

static void
without_room_there_is_no_page_and_no_part_of_one(void **state)
{
	struct rlimit small = { 64, 64 }, old;
	struct tmpdir *dir = *state;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_not_made(dir, -EFBIG, "cannot fill");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(tmpdir_count(dir), 0);
	assert_false(tmpdir_has(dir, fresh_name()));
}

static void
without_a_descriptor_there_is_no_page_either(void **state)
{
	struct tmpdir *dir = *state;
	struct rlimit old = descriptors_leave(0);

	assert_not_made(dir, -EMFILE, "cannot create");
	descriptors_restore(&old);
	assert_int_equal(tmpdir_count(dir), 0);
}

static void
a_directory_for_pages_is_made_where_it_is_missing(void **state)
{
	struct tmpdir *dir = *state;
	struct stats_page *page = NULL;
	struct stats_page *other = NULL;
	struct reason why = { "" };
	struct stat st;
	char path[80];

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
		    stats_page_create_in(dir->path, &table, &page, &why), 0);
		assert_int_equal(fstatat(dir->fd, "stat", &st, 0), 0);
		assert_int_equal(
		    st.st_mode & 07777, S_ISDIR(st.st_mode) * 0750);
		snprintf(path, sizeof(path), "stat/%s", page_name());
		assert_true(tmpdir_has(dir, path));
		assert_int_equal(stats_page_open(stats_page_dirfd(page),
				     page_name(), &other, &why),
		    0);
		assert_int_equal(stats_page_dirfd(other), -1);
		(void)stats_page_free(other);
		(void)stats_page_free(page);
		assert_false(tmpdir_has(dir, path));
	}
	assert_int_equal(unlinkat(dir->fd, "stat", AT_REMOVEDIR), 0);
	page = NULL;
	tmpdir_text(dir, "stat", "a file");
	assert_int_equal(
	    stats_page_create_in(dir->path, &table, &page, &why), -ENOTDIR);
	assert_non_null(strstr(why.text, "cannot use '"));
	assert_non_null(strstr(why.text, "/stat'"));
	assert_int_equal(
	    stats_page_create_in(tmpdir_path(dir, "none"), &table, &page, &why),
	    -ENOENT);
	assert_non_null(strstr(why.text, "cannot make '"));
	assert_null(page);
}

static uint64_t
birds(const struct stats_page *page)
{
	struct stats_item item = { .value = 0 };

	assert_int_equal(stats_view_item(stats_page_view(page), 0, &item), 0);
	return item.value;
}

static void
a_copy_stays_as_it_was_while_its_owner_goes_on(void **state)
{
	struct stats_page *mine, *seen, *copied;
	struct tmpdir *dir = *state;

	assert_int_equal(stats_page_create(dir->fd, &table, &mine, NULL), 0);
	stats_add(stats_page_stats(mine), 0, 3);
	assert_int_equal(stats_page_open(dir->fd, page_name(), &seen, NULL), 0);
	assert_int_equal(
	    stats_page_copy(dir->fd, page_name(), &copied, NULL), 0);
	stats_add(stats_page_stats(mine), 0, 4);
	assert_int_equal(birds(seen), 7);
	assert_int_equal(birds(copied), 3);
	(void)stats_page_free(copied);
	(void)stats_page_free(seen);
	(void)stats_page_free(mine);
}

static void
assert_not_read(struct tmpdir *dir, const char *name, int err, const char *text)
{
	struct stats_page *page = NULL;
	struct reason why = { "" };

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
		    i == 0 ? stats_page_open(dir->fd, name, &page, &why)
			   : stats_page_copy(dir->fd, name, &page, &why),
		    err);
		assert_null(page);
		if (!strstr(why.text, text) || !strstr(why.text, name))
			fail_msg("'%s' lacks '%s'", why.text, text);
	}
}

/* Whoever may write there must not make a tool map or copy just anything. */
static void
what_cannot_be_a_page_is_neither_mapped_nor_copied(void **state)
{
	struct tmpdir *dir = *state;
	unsigned before = descriptors_open();
	struct rlimit old;
	int fd;

	assert_int_equal(mkdirat(dir->fd, "directory", 0700), 0);
	assert_not_read(dir, "directory", -EPROTO, "is no counter page");
	/* 16 MiB are the most, and here they hold zeros. */
	fd = openat(dir->fd, "big", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
	assert_not_read(dir, "big", -EPROTO, "wrong magic");
	assert_int_equal(ftruncate(fd, (16 << 20) + 1), 0);
	assert_not_read(dir, "big", -EPROTO, "is no counter page");
	(void)close(fd);
	old = descriptors_leave(0);
	assert_not_read(dir, "big", -EMFILE, "cannot open");
	descriptors_restore(&old);
	assert_int_equal(descriptors_open(), before);
	assert_int_equal(unlinkat(dir->fd, "directory", AT_REMOVEDIR), 0);
}

/* The end of an entry: a histogram, far behind. */
static const uint32_t hist[] = { STATS_HISTOGRAM, 0xfffffff8, STATS_HIST_SUB,
	STATS_HIST_BUCKETS };

/* Somebody's page changes under whoever looked at it: sizes stay clamped. */
static void
an_entry_that_is_bent_later_is_refused_when_it_is_read(void **state)
{
	static _Alignas(64) uint8_t area[4096];
	struct stats_hist *h = calloc(1, sizeof(*h));
	struct stats_view view;
	struct stats_item item;
	struct stats st;

	assert_non_null(h);
	assert_true(stats_bytes(&table) <= sizeof(area));
	stats_init(&st, area, &table);
	assert_int_equal(
	    stats_view_init(&view, area, stats_bytes(&table), NULL), 0);
	assert_int_equal(stats_view_item(&view, 0, &item), 0);
	memset(area + 128 + 116, 0xff, 4);
	assert_int_equal(stats_view_item(&view, 0, &item), -EPROTO);
	assert_int_equal(stats_view_hist(&view, 0, h), -EPROTO);
	/* Also when it is a histogram now. */
	memcpy(area + 128 + 112, hist, sizeof(hist));
	assert_int_equal(stats_view_item(&view, 0, &item), -EPROTO);
	assert_int_equal(stats_view_hist(&view, 0, h), -EPROTO);
	free(h);
}

/* At the end of what is mapped. */
static void
a_page_that_is_too_small_for_what_it_says_is_refused(void **state)
{
	const size_t least = stats_bytes(&table);
	uint8_t *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static _Alignas(64) uint8_t area[4096];
	struct stats_view view;
	struct stats st;

	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	assert_true(least <= sizeof(area));
	stats_init(&st, area, &table);
	for (size_t size = 0; size < least; size += 64) {
		uint8_t *at = pages + 4096 - size;

		memcpy(at, area, size);
		assert_int_equal(
		    stats_view_init(&view, at, size, NULL), -EPROTO);
	}
	/* A histogram has thousands of bytes. */
	memcpy(area + 128 + 112, hist, sizeof(hist));
	memcpy(pages + 4096 - least, area, least);
	assert_int_equal(
	    stats_view_init(&view, pages + 4096 - least, least, NULL), -EPROTO);
	(void)munmap(pages, 8192);
}

static void
a_name_without_an_end_is_refused(void **state)
{
	/* The process; name, unit and text of an entry. */
	const struct {
		size_t at, len;
	} texts[] = { { 32, 32 }, { 128, 32 }, { 160, 16 }, { 176, 64 } };
	static _Alignas(64) uint8_t area[4096];
	struct stats_view view;
	struct stats st;

	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		memset(area, 0, sizeof(area));
		stats_init(&st, area, &table);
		memset(area + texts[i].at, 'x', texts[i].len);
		assert_int_equal(
		    stats_view_init(&view, area, stats_bytes(&table), NULL),
		    -EPROTO);
		area[texts[i].at + texts[i].len - 1] = '\0';
		assert_int_equal(
		    stats_view_init(&view, area, stats_bytes(&table), NULL), 0);
	}
	assert_int_equal(stats_view_init(&view, NULL, 0, NULL), -EPROTO);
}

/* The pid of a process that has ended. */
static long
dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* A name that tidying looks at, and the file's time. */
static const char *
left(struct tmpdir *dir, char name[64], long nsec)
{
	struct timespec at[2] = { { 1000, nsec }, { 1000, nsec } };

	snprintf(name, 64, "forest.%ld", dead_pid());
	tmpdir_text(dir, name, "left");
	assert_int_equal(utimensat(dir->fd, name, at, 0), 0);
	return name;
}

static void
of_one_second_the_older_nanosecond_goes(void **state)
{
	struct tmpdir *dir = *state;
	char older[64], newer[64];

	left(dir, older, 1);
	left(dir, newer, 2);
	stats_page_tidy(dir->fd, "forest", 2);
	assert_int_equal(tmpdir_count(dir), 2);
	stats_page_tidy(dir->fd, "forest", 1);
	assert_false(tmpdir_has(dir, older));
	assert_true(tmpdir_has(dir, newer));
}

/* In whatever order the directory has them. */
static void
of_many_the_newest_stay(void **state)
{
	static const long times[][5] = { { 1, 2, 3, 4, 5 }, { 5, 4, 3, 2, 1 },
		{ 3, 5, 1, 4, 2 }, { 2, 4, 1, 5, 3 }, { 5, 1, 2, 4, 3 } };
	struct tmpdir *dir = *state;
	unsigned before = descriptors_open();
	char names[6][64];

	for (unsigned i = 0; i < ARRAY_LEN(times); i++) {
		for (unsigned n = 0; n < 5; n++)
			left(dir, names[times[i][n]], times[i][n]);
		stats_page_tidy(dir->fd, "forest", 2);
		assert_int_equal(tmpdir_count(dir), 2);
		for (unsigned n = 4; n <= 5; n++)
			assert_int_equal(unlinkat(dir->fd, names[n], 0), 0);
	}
	assert_int_equal(descriptors_open(), before);
}

static void
what_is_held_or_is_no_file_is_not_tidied_away(void **state)
{
	struct tmpdir *dir = *state;
	char held[64], name[64], kept[64];
	int fd;

	left(dir, kept, 3);
	left(dir, held, 1);
	fd = openat(dir->fd, held, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	snprintf(name, sizeof(name), "forest.%ld", dead_pid());
	assert_int_equal(mkdirat(dir->fd, name, 0700), 0);
	snprintf(name, sizeof(name), "forest.%ld", dead_pid());
	assert_int_equal(symlinkat(kept, dir->fd, name), 0);
	/* Numbers that are no pid. */
	snprintf(name, sizeof(name), "forest.%ldx", dead_pid());
	tmpdir_text(dir, name, "");
	tmpdir_text(dir, "forest.0", "");
	tmpdir_text(dir, "forest.-1", "");
	tmpdir_text(dir, "forest.4294967297", "");
	tmpdir_text(dir, "forest.99999999999999999999", "");
	stats_page_tidy(dir->fd, "forest", 1);
	assert_int_equal(tmpdir_count(dir), 9);
	assert_true(tmpdir_has(dir, held));
	(void)close(fd);
	stats_page_tidy(dir->fd, "forest", 1);
	assert_false(tmpdir_has(dir, held));
	assert_true(tmpdir_has(dir, kept));
	stats_page_tidy(-1, "forest", 1);
	assert_int_equal(tmpdir_count(dir), 8);
}

static void
each_kind_has_a_name_and_histograms_count_values(void **state)
{
	struct stats_item item = { .unit = "bytes", .kind = STATS_COUNTER };

	assert_string_equal(stats_kind_name(STATS_COUNTER), "counter");
	assert_string_equal(stats_kind_name(STATS_GAUGE), "gauge");
	assert_string_equal(stats_kind_name(STATS_HISTOGRAM), "histogram");
	assert_string_equal(stats_counts(&item), "bytes");
	item.kind = STATS_HISTOGRAM;
	assert_string_equal(stats_counts(&item), "values");
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(a_directory_of_its_name_is_left_where_it_is),
		IN_DIRECTORY(a_page_has_its_room_before_it_has_its_name),
		IN_DIRECTORY(without_room_there_is_no_page_and_no_part_of_one),
		IN_DIRECTORY(without_a_descriptor_there_is_no_page_either),
		IN_DIRECTORY(a_directory_for_pages_is_made_where_it_is_missing),
		IN_DIRECTORY(a_copy_stays_as_it_was_while_its_owner_goes_on),
		IN_DIRECTORY(
		    what_cannot_be_a_page_is_neither_mapped_nor_copied),
		cmocka_unit_test(
		    an_entry_that_is_bent_later_is_refused_when_it_is_read),
		cmocka_unit_test(
		    a_page_that_is_too_small_for_what_it_says_is_refused),
		cmocka_unit_test(a_name_without_an_end_is_refused),
		IN_DIRECTORY(of_one_second_the_older_nanosecond_goes),
		IN_DIRECTORY(of_many_the_newest_stay),
		IN_DIRECTORY(what_is_held_or_is_no_file_is_not_tidied_away),
		cmocka_unit_test(
		    each_kind_has_a_name_and_histograms_count_values),
	};

	return cmocka_run_group_tests_name("stats_page", tests, NULL, NULL);
}
