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
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "shm/stats.h"
#include "tests/lib/tmpdir.h"

static const struct stats_def defs[] = {
	{ "birds", "birds", "how many were seen", STATS_COUNTER },
	{ "trees", "trees", "how many there are now", STATS_GAUGE },
};
static const struct stats_table table = { "forest", defs, ARRAY_LEN(defs) };

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
	assert_int_equal(view->n, 2);
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
	assert_int_equal(stats_view_item(view, 2, &item), -ENOENT);
	assert_null(stats_page_free(mine));
	/* A clean end takes the file along; who has it open keeps it. */
	assert_false(tmpdir_has(dir, page_name()));
	assert_int_equal(stats_view_item(view, 0, &item), 0);
	assert_null(stats_page_free(theirs));
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
	_Alignas(64) uint8_t area[2048] = { 0 };
	struct stats_view view;
	struct stats st;

	stats_init(&st, area, &table);
	memcpy(area + at, &v, sizeof(v));
	return stats_view_init(&view, area, size, NULL);
}

static void
counters_that_point_outside_are_refused(void **state)
{
	size_t size = stats_bytes(&table);

	/* Magic; version; entries; entry size; name, unit, text; offset. */
	assert_int_equal(bent(36, 0, size), 0);
	assert_int_equal(bent(0, 0, size), -EPROTO);
	assert_int_equal(bent(8, 2, size), -EPROTO);
	assert_int_equal(bent(12, 1 << 20, size), -EPROTO);
	assert_int_equal(bent(12, 2, 128 + 255), -EPROTO);
	assert_int_equal(bent(16, 64, size), -EPROTO);
	assert_int_equal(bent(128, 0, size), -EPROTO);
	assert_int_equal(bent(128, 0x1b5b1b5b, size), -EPROTO);
	assert_int_equal(bent(160, 0xffffffff, size), -EPROTO);
	assert_int_equal(bent(244, (uint32_t)size - 8, size), 0);
	assert_int_equal(bent(244, (uint32_t)size - 7, size), -EPROTO);
	assert_int_equal(bent(244, (uint32_t)size, size), -EPROTO);
	assert_int_equal(bent(244, 0xfffffff8, size), -EPROTO);
	assert_int_equal(bent(36, 0, 127), -EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_page_can_be_read_while_its_owner_counts, tmpdir_setup,
		    tmpdir_teardown),
		cmocka_unit_test_setup_teardown(
		    a_page_that_a_crash_left_is_replaced, tmpdir_setup,
		    tmpdir_teardown),
		cmocka_unit_test_setup_teardown(
		    a_file_that_is_no_page_is_refused, tmpdir_setup,
		    tmpdir_teardown),
		cmocka_unit_test(counters_that_point_outside_are_refused),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
