/* SPDX-License-Identifier: BSD-2-Clause */

/* Counters that describe themselves, in a page file and as bytes of strangers. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "shm/stats.h"
#include "tests/lib/tmpdir.h"

static const struct stats_def defs[] = {
	{ "birds", "birds", "how many were seen", STATS_COUNTER },
	{ "trees", "trees", "how many there are now", STATS_GAUGE },
};
static const struct stats_def hists[] = {
	{ "heights", "cm", "of trees that were measured", STATS_HISTOGRAM },
};
static const struct stats_table table = {
	.process = "forest",
	.defs = defs,
	.n = ARRAY_LEN(defs),
	.hists = hists,
	.n_hists = ARRAY_LEN(hists),
};

enum {
	HEIGHTS, /* in hists */
	HEIGHTS_ENTRY = 2
};

static const char *
page_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "forest.%ld", (long)getpid());
	return name;
}

static void
a_page_can_be_read_while_its_owner_counts(void **state)
{
	struct tmpdir *dir = *state;
	struct stats_page *mine, *theirs;
	const struct stats_view *view;
	struct stats_item item;
	struct stat st;

	assert_int_equal(stats_page_create(dir->fd, &table, &mine, NULL), 0);
	assert_int_equal(fstatat(dir->fd, page_name(), &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(
	    stats_page_open(dir->fd, page_name(), &theirs, NULL), 0);
	view = stats_page_view(theirs);
	assert_string_equal(view->process, "forest");
	assert_int_equal(view->pid, getpid());
	assert_int_equal(view->n, 3);
	stats_add(stats_page_stats(mine), 0, 5);
	stats_add(stats_page_stats(mine), 0, 2);
	stats_set(stats_page_stats(mine), 1, UINT64_MAX);
	assert_int_equal(stats_view_item(view, 0, &item), 0);
	assert_string_equal(item.name, "birds");
	assert_string_equal(item.text, "how many were seen");
	assert_int_equal(item.kind, STATS_COUNTER);
	assert_int_equal(item.value, 7);
	assert_int_equal(stats_view_item(view, 1, &item), 0);
	assert_int_equal(item.kind, STATS_GAUGE);
	assert_true(item.value == UINT64_MAX);
	assert_int_equal(stats_view_item(view, 3, &item), -ENOENT);
	assert_null(stats_page_free(mine));
	/* A clean end takes the file along; who has it open keeps it. */
	assert_false(tmpdir_has(dir, page_name()));
	assert_int_equal(stats_view_item(view, 0, &item), 0);
	assert_null(stats_page_free(theirs));
}

static void
a_histogram_tells_how_often_it_got_which_values(void **state)
{
	struct tmpdir *dir = *state;
	struct stats_page *mine, *theirs;
	const struct stats_view *view;
	struct stats_hist *h = calloc(1, sizeof(*h));
	struct stats_item item;

	assert_non_null(h);
	assert_int_equal(stats_page_create(dir->fd, &table, &mine, NULL), 0);
	assert_int_equal(
	    stats_page_open(dir->fd, page_name(), &theirs, NULL), 0);
	view = stats_page_view(theirs);
	assert_int_equal(stats_view_hist(view, HEIGHTS_ENTRY, h), 0);
	assert_int_equal(h->count, 0);
	assert_int_equal(stats_hist_percentile(h, 50), 0);
	stats_record(stats_page_stats(mine), HEIGHTS, 170, 3);
	stats_record(stats_page_stats(mine), HEIGHTS, 0, 1);
	stats_record(stats_page_stats(mine), HEIGHTS, UINT64_MAX, 1);
	assert_int_equal(stats_view_hist(view, HEIGHTS_ENTRY, h), 0);
	assert_int_equal(h->count, 5);
	assert_int_equal(h->sum, 3 * 170 - 1);
	assert_true(h->max == UINT64_MAX);
	assert_int_equal(h->n[0], 1);
	assert_int_equal(h->n[stats_hist_bucket(170)], 3);
	assert_int_equal(h->n[STATS_HIST_BUCKETS - 1], 1);
	assert_int_equal(stats_view_item(view, HEIGHTS_ENTRY, &item), 0);
	assert_string_equal(item.name, "heights");
	assert_int_equal(item.kind, STATS_HISTOGRAM);
	assert_int_equal(item.value, 5);
	/* Others are none, and there are no more. */
	assert_int_equal(stats_view_hist(view, 0, h), -EPROTO);
	assert_int_equal(stats_view_hist(view, 3, h), -ENOENT);
	assert_null(stats_page_free(mine));
	assert_null(stats_page_free(theirs));
	free(h);
}

static void
what_was_counted_is_taken_along(void **state)
{
	static struct stats_cell cells[2];
	static struct stats_buckets buckets[1];
	const struct stats before = { cells, buckets };
	struct tmpdir *dir = *state;
	struct stats_hist *h = calloc(1, sizeof(*h));
	struct stats_page *page;

	assert_non_null(h);
	stats_set(&before, 1, 42);
	stats_record(&before, HEIGHTS, 170, 2);
	assert_int_equal(stats_page_create(dir->fd, &table, &page, NULL), 0);
	stats_take(stats_page_stats(page), &before, &table);
	stats_record(stats_page_stats(page), HEIGHTS, 100, 1);
	assert_int_equal(stats_get(stats_page_stats(page), 0), 0);
	assert_int_equal(stats_get(stats_page_stats(page), 1), 42);
	assert_int_equal(
	    stats_view_hist(stats_page_view(page), HEIGHTS_ENTRY, h), 0);
	assert_int_equal(h->count, 3);
	assert_int_equal(h->sum, 440);
	assert_int_equal(h->max, 170);
	assert_null(stats_page_free(page));
	free(h);
}

static void
a_page_that_a_crash_left_is_replaced(void **state)
{
	struct tmpdir *dir = *state;
	struct stats_page *page;

	(void)tmpdir_text(dir, page_name(), "what a crash left");
	assert_int_equal(stats_page_create(dir->fd, &table, &page, NULL), 0);
	assert_null(stats_page_free(page));
}

/* A page as a crash leaves it, of a process that has ended; its name. */
static const char *
crashed(struct tmpdir *dir)
{
	static char name[64];
	struct stats_page *page;
	pid_t pid = fork();

	if (pid == 0)
		_exit(stats_page_create(dir->fd, &table, &page, NULL) < 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(name, sizeof(name), "forest.%ld", (long)pid);
	return name;
}

static void
a_page_is_held_as_long_as_its_owner_lives(void **state)
{
	struct stats_page *mine, *page;
	struct tmpdir *dir = *state;

	assert_int_equal(stats_page_create(dir->fd, &table, &mine, NULL), 0);
	assert_true(stats_page_held(mine));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
		    stats_page_open(dir->fd, page_name(), &page, NULL), 0);
		assert_true(stats_page_held(page));
		(void)stats_page_free(page);
	}
	assert_int_equal(
	    stats_page_copy(dir->fd, crashed(dir), &page, NULL), 0);
	assert_false(stats_page_held(page));
	(void)stats_page_free(page);
	(void)stats_page_free(mine);
}

static void
of_what_crashes_left_the_newest_stay(void **state)
{
	char names[STATS_PAGES_LEFT + 3][64];
	struct stats_page *mine, *other;
	struct tmpdir *dir = *state;
	static const struct stats_table meadow = {
		.process = "meadow", .defs = defs, .n = 1
	};

	assert_int_equal(stats_page_create(dir->fd, &meadow, &other, NULL), 0);
	tmpdir_text(dir, "forest", "no page");
	tmpdir_text(dir, "forest.", "no page");
	tmpdir_text(dir, "forest.1x", "no page");
	tmpdir_text(dir, "forest.1", "a former version's: it lives");
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		struct timespec at[2] = { { .tv_sec = 1000 + i },
			{ .tv_sec = 1000 + i } };

		snprintf(names[i], sizeof(names[i]), "%s", crashed(dir));
		assert_int_equal(utimensat(dir->fd, names[i], at, 0), 0);
	}
	assert_int_equal(stats_page_create(dir->fd, &table, &mine, NULL), 0);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(tmpdir_has(dir, names[i]), i >= 3);
	/* Those that stay, what is no page of a dead one, the two that live. */
	assert_int_equal(tmpdir_count(dir), STATS_PAGES_LEFT + 4 + 2);
	(void)stats_page_free(mine);
	(void)stats_page_free(other);
}

static void
a_file_that_is_no_page_is_refused(void **state)
{
	struct tmpdir *dir = *state;
	struct stats_page *page = NULL;
	struct reason why;
	uint8_t zeros[4096] = { 0 };

	assert_int_equal(
	    stats_page_open(dir->fd, "none", &page, &why), -ENOENT);
	(void)tmpdir_text(dir, "empty", "");
	assert_int_equal(
	    stats_page_open(dir->fd, "empty", &page, &why), -EPROTO);
	(void)tmpdir_text(dir, "short", "PEALSTAT");
	assert_int_equal(
	    stats_page_open(dir->fd, "short", &page, &why), -EPROTO);
	assert_non_null(strstr(why.text, "'short'"));
	(void)tmpdir_put(dir, "zeros", slice_of(zeros, sizeof(zeros)));
	assert_int_equal(
	    stats_page_open(dir->fd, "zeros", &page, &why), -EPROTO);
	assert_int_equal(mkfifoat(dir->fd, "fifo", 0600), 0);
	assert_int_equal(
	    stats_page_open(dir->fd, "fifo", &page, &why), -EPROTO);
	assert_int_equal(symlinkat("zeros", dir->fd, "link"), 0);
	assert_int_equal(stats_page_open(dir->fd, "link", &page, &why), -ELOOP);
	assert_null(page);
}

/* An area that is good but for one field of its head or first entry. */
static int
bent(size_t at, uint32_t v, size_t size)
{
	static _Alignas(64) uint8_t area[16384];
	struct stats_view view;
	struct stats st;

	assert_true(stats_bytes(&table) <= sizeof(area));
	memset(area, 0, sizeof(area));
	stats_init(&st, area, &table);
	memcpy(area + at, &v, sizeof(v));
	return stats_view_init(&view, area, size, NULL);
}

/* Offsets of fields of an entry. */
enum {
	ENTRY = 128,
	KIND = 112,
	VALUE_AT = 116,
	SUB = 120,
	BUCKETS = 124
};

static void
counters_that_point_outside_are_refused(void **state)
{
	size_t size = stats_bytes(&table);

	/* Magic; version; entries; entry size; name, unit, kind; offset. */
	assert_int_equal(bent(36, 0, size), 0);
	assert_int_equal(bent(0, 0, size), -EPROTO);
	assert_int_equal(bent(8, 0, size), -EPROTO);
	assert_int_equal(bent(8, 1, size), 0);
	assert_int_equal(bent(8, 3, size), -EPROTO);
	assert_int_equal(bent(12, 1 << 20, size), -EPROTO);
	assert_int_equal(bent(12, 3, ENTRY + 3 * ENTRY - 1), -EPROTO);
	assert_int_equal(bent(16, 64, size), -EPROTO);
	assert_int_equal(bent(ENTRY, 0, size), -EPROTO);
	assert_int_equal(bent(ENTRY, 0x1b5b1b5b, size), -EPROTO);
	assert_int_equal(bent(ENTRY + 32, 0xffffffff, size), -EPROTO);
	assert_int_equal(bent(ENTRY + KIND, 0, size), -EPROTO);
	assert_int_equal(bent(ENTRY + KIND, 2, size), 0);
	assert_int_equal(bent(ENTRY + KIND, 4, size), -EPROTO);
	assert_int_equal(bent(ENTRY + VALUE_AT, (uint32_t)size - 8, size), 0);
	assert_int_equal(
	    bent(ENTRY + VALUE_AT, (uint32_t)size - 7, size), -EPROTO);
	assert_int_equal(
	    bent(ENTRY + VALUE_AT, (uint32_t)size - 12, size), -EPROTO);
	assert_int_equal(bent(ENTRY + VALUE_AT, (uint32_t)size, size), -EPROTO);
	assert_int_equal(bent(ENTRY + VALUE_AT, 0xfffffff8, size), -EPROTO);
	assert_int_equal(bent(36, 0, 127), -EPROTO);
}

static void
histograms_that_point_outside_or_have_other_buckets_are_refused(void **state)
{
	const size_t size = stats_bytes(&table), at = ENTRY + 2 * ENTRY;
	const uint32_t last = (uint32_t)(size - sizeof(struct stats_buckets));

	assert_int_equal(bent(at + VALUE_AT, last, size), 0);
	assert_int_equal(bent(at + VALUE_AT, last - 8, size), 0);
	assert_int_equal(bent(at + VALUE_AT, last + 8, size), -EPROTO);
	assert_int_equal(bent(at + VALUE_AT, last + 1, size), -EPROTO);
	assert_int_equal(bent(at + VALUE_AT, 0xfffffff8, size), -EPROTO);
	assert_int_equal(bent(at + VALUE_AT, last, size - 8), -EPROTO);
	assert_int_equal(bent(at + SUB, 4, size), -EPROTO);
	assert_int_equal(bent(at + SUB, 6, size), -EPROTO);
	assert_int_equal(
	    bent(at + BUCKETS, STATS_HIST_BUCKETS - 1, size), -EPROTO);
	assert_int_equal(
	    bent(at + BUCKETS, STATS_HIST_BUCKETS + 1, size), -EPROTO);
	/* A counter that says it is one. */
	assert_int_equal(bent(ENTRY + KIND, 3, size), -EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_page_can_be_read_while_its_owner_counts, tmpdir_setup,
		    tmpdir_teardown),
		cmocka_unit_test_setup_teardown(
		    a_histogram_tells_how_often_it_got_which_values,
		    tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(what_was_counted_is_taken_along,
		    tmpdir_setup, tmpdir_teardown),
		cmocka_unit_test_setup_teardown(
		    a_page_that_a_crash_left_is_replaced, tmpdir_setup,
		    tmpdir_teardown),
		cmocka_unit_test_setup_teardown(
		    a_file_that_is_no_page_is_refused, tmpdir_setup,
		    tmpdir_teardown),
		cmocka_unit_test_setup_teardown(
		    a_page_is_held_as_long_as_its_owner_lives, tmpdir_setup,
		    tmpdir_teardown),
		cmocka_unit_test_setup_teardown(
		    of_what_crashes_left_the_newest_stay, tmpdir_setup,
		    tmpdir_teardown),
		cmocka_unit_test(counters_that_point_outside_are_refused),
		cmocka_unit_test(
		    histograms_that_point_outside_or_have_other_buckets_are_refused),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
