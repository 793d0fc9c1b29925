/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A house seen from outside: rings that are made anew, replaced, overwritten
 * and cut short under the mapping, and pages of counters among litter.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shm/ring_map.h"
#include "tests/lib/ringfix.h"
#include "tools/house.h"
#include "tools/watch.h"

struct world {
	struct ringfix ring;
	struct house house;
	struct watch *watch;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char run[128], log[128];
	const char *const set[] = { run, log };

	assert_non_null(w);
	*state = w;
	ringfix_dir(&w->ring);
	snprintf(run, sizeof(run), "ring.directory=%s", w->ring.dir);
	snprintf(log, sizeof(log), "log.directory=%s", w->ring.dir);
	assert_int_equal(
	    house_find(&w->house, "/dev/null", NULL, set, 2, NULL), 0);
	assert_int_equal(watch_new(&w->house, &w->watch, NULL), 0);
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	char path[128];

	assert_null(watch_free(w->watch));
	house_deinit(&w->house);
	snprintf(path, sizeof(path), "rm -rf '%s/stat'", w->ring.dir);
	assert_int_equal(system(path), 0);
	ringfix_close(&w->ring);
	free(w);
	return 0;
}

/* cmocka takes SIGBUS for itself when a test begins. */
static void
take_faults(struct world *w)
{
	w->watch = watch_free(w->watch);
	assert_int_equal(watch_new(&w->house, &w->watch, NULL), 0);
}

static void
assert_says(const struct reason *why, const char *text)
{
	if (!strstr(why->text, text))
		fail_msg("'%s' lacks '%s'", why->text, text);
}

/* The next incarnation, in place of the one before. */
static void
restart(struct world *w)
{
	w->ring.reader = ring_reader_free(w->ring.reader);
	w->ring.writer = ring_writer_free(w->ring.writer);
	w->ring.opt.incarnation++;
	ringfix_open(&w->ring);
}

static int
open_ring(const struct world *w, int flags)
{
	int fd = openat(w->ring.dirfd, "ring", flags, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void
a_ring_is_found_when_it_comes_and_found_again(void **state)
{
	struct world *w = *state;
	struct reason why;

	assert_int_equal(watch_ring(w->watch, &why), WATCH_NONE);
	assert_says(&why, "/ring'");
	assert_null(w->watch->rd);
	ringfix_open(&w->ring);
	assert_int_equal(watch_ring(w->watch, &why), WATCH_NEW);
	assert_int_equal(ring_reader_info(w->watch->rd)->incarnation, 6);
	ringfix_publish(&w->ring, 3);
	assert_int_equal(watch_ring(w->watch, &why), WATCH_SAME);
	assert_int_equal(ring_reader_seek_tail(w->watch->rd), 3);
	restart(w);
	assert_int_equal(watch_ring(w->watch, &why), WATCH_NEW);
	assert_int_equal(ring_reader_info(w->watch->rd)->incarnation, 7);
	assert_int_equal(unlinkat(w->ring.dirfd, "ring", 0), 0);
	assert_int_equal(watch_ring(w->watch, &why), WATCH_NONE);
	assert_null(w->watch->rd);
}

static void
another_ring_in_the_same_file_is_another_ring(void **state)
{
	struct world *w = *state;
	struct ring_header head;
	struct reason why;
	int fd;

	ringfix_open(&w->ring);
	assert_int_equal(watch_ring(w->watch, &why), WATCH_NEW);
	fd = open_ring(w, O_RDWR);
	assert_int_equal(ring_map_header(fd, "it", &head, NULL), 0);
	head.epoch++;
	head.crc = ring_map_crc(&head);
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(watch_ring(w->watch, &why), WATCH_NEW);
	assert_true(ring_reader_info(w->watch->rd)->epoch == head.epoch);
	head.epoch++;
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(watch_ring(w->watch, &why), -EPROTO);
	assert_says(&why, "damaged header");
	assert_null(w->watch->rd);
	(void)close(fd);
}

/* What happens to a reader that is not watched: the judge can say no. */
static void
die_of_a_short_file(struct world *w)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		(void)ring_reader_seek_tail(w->watch->rd);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void
a_ring_cut_short_under_the_mapping_is_told(void **state)
{
	struct world *w = *state;
	struct ring_header head;
	struct reason why;
	int fd;

	take_faults(w);
	ringfix_open(&w->ring);
	ringfix_publish(&w->ring, 5);
	w->ring.reader = ring_reader_free(w->ring.reader);
	assert_int_equal(watch_ring(w->watch, &why), WATCH_NEW);
	assert_int_equal(watch_whole(w->watch, &why), 0);
	fd = open_ring(w, O_RDWR);
	assert_int_equal(ring_map_header(fd, "it", &head, NULL), 0);
	/* The writer of this test may not fall into the hole. */
	w->ring.writer = ring_writer_free(w->ring.writer);
	assert_int_equal(ftruncate(fd, 4096), 0);
	die_of_a_short_file(w);
	(void)ring_reader_seek_tail(w->watch->rd);
	assert_int_equal(watch_whole(w->watch, &why), -EPROTO);
	assert_says(&why, "/ring' was cut short while it was read");
	assert_int_equal(watch_ring(w->watch, &why), -EPROTO);
	assert_says(&why, "is cut off");
	/* Long enough again, the mapping has holes for ever: it is made anew. */
	assert_int_equal(ftruncate(fd, (off_t)head.file_bytes), 0);
	assert_int_equal(watch_ring(w->watch, &why), -EPROTO);
	restart(w);
	assert_int_equal(watch_ring(w->watch, &why), WATCH_NEW);
	assert_int_equal(watch_whole(w->watch, &why), 0);
	(void)close(fd);
}

static void
writing_where_a_file_was_cut_short_still_ends_us(void **state)
{
	struct world *w = *state;
	volatile uint8_t *page;
	int status, fd = openat(w->ring.dirfd, "mine", O_RDWR | O_CREAT, 0600);
	pid_t pid;

	take_faults(w);
	assert_int_equal(ftruncate(fd, 4096), 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		page[0] = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	(void)munmap((void *)(uintptr_t)page, 4096);
	(void)close(fd);
}

/* --- counters --- */

static void
put(int dirfd, const char *name, const void *bytes, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	(void)close(fd);
}

static int
make_pages(const struct world *w)
{
	int fd;

	assert_int_equal(mkdirat(w->ring.dirfd, "stat", 0700), 0);
	fd = openat(w->ring.dirfd, "stat", O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	return fd;
}

static void
counters_of_all_are_copied(void **state)
{
	struct world *w = *state;
	struct stats_page *page;
	struct stats_item item;
	struct reason why;
	int dirfd;

	assert_int_equal(watch_counters(w->watch, &why), 0);
	assert_int_equal(w->watch->n + w->watch->bad_n, 0);
	ringfix_open(&w->ring);
	dirfd = make_pages(w);
	assert_int_equal(
	    stats_page_create(dirfd, &stats_gateway_table, &page, NULL), 0);
	stats_set(stats_page_stats(page), 1, 77);
	assert_int_equal(watch_counters(w->watch, &why), 0);
	assert_int_equal(w->watch->n, 2);
	assert_int_equal(w->watch->bad_n, 0);
	assert_string_equal(w->watch->processes[0].view.process, "writer");
	/* Nobody holds the log of this house. */
	assert_false(w->watch->processes[0].alive);
	assert_string_equal(w->watch->processes[1].view.process, "gateway");
	assert_true(w->watch->processes[1].alive);
	stats_set(stats_page_stats(page), 1, 78);
	assert_int_equal(
	    stats_view_item(&w->watch->processes[1].view, 1, &item), 0);
	assert_int_equal(item.value, 77);
	assert_null(stats_page_free(page));
	assert_int_equal(watch_counters(w->watch, &why), 0);
	assert_int_equal(w->watch->n, 1);
	(void)close(dirfd);
}

/* A pid says little: here it is ours, and runs. */
static void
counters_that_nobody_holds_are_of_the_dead(void **state)
{
	const struct stats_view *view;
	struct world *w = *state;
	struct stats_page *page;
	struct reason why;
	int dirfd = make_pages(w);

	assert_int_equal(
	    stats_page_create(dirfd, &stats_gateway_table, &page, NULL), 0);
	view = stats_page_view(page);
	put(dirfd, "left", view->area, view->size);
	assert_int_equal(watch_counters(w->watch, &why), 0);
	assert_int_equal(w->watch->n, 2);
	assert_true(w->watch->processes[0].alive);
	assert_false(w->watch->processes[1].alive);
	assert_int_equal(w->watch->processes[1].view.pid, getpid());
	assert_null(stats_page_free(page));
	(void)close(dirfd);
}

static void
litter_is_named_and_harms_nothing(void **state)
{
	struct world *w = *state;
	uint8_t bytes[8192] = { 0 };
	struct stats_page *page;
	struct reason why;
	int dirfd = make_pages(w);

	assert_int_equal(
	    stats_page_create(dirfd, &stats_gateway_table, &page, NULL), 0);
	put(w->ring.dirfd, "ring", bytes, sizeof(bytes));
	put(dirfd, "a-zeros", bytes, sizeof(bytes));
	put(dirfd, "b-empty", bytes, 0);
	assert_int_equal(mkfifoat(dirfd, "c-pipe", 0600), 0);
	assert_int_equal(mkdirat(dirfd, "d-dir", 0700), 0);
	assert_int_equal(symlinkat("gateway", dirfd, "e-link"), 0);
	put(dirfd, ".hidden", bytes, sizeof(bytes));
	assert_int_equal(watch_counters(w->watch, &why), 0);
	assert_int_equal(w->watch->n, 1);
	assert_int_equal(w->watch->bad_n, 6);
	assert_says(&w->watch->bad[0], "/ring' is no ring");
	assert_says(&w->watch->bad[1], "'a-zeros'");
	assert_says(&w->watch->bad[2], "'b-empty'");
	assert_says(&w->watch->bad[3], "'c-pipe'");
	assert_says(&w->watch->bad[4], "'d-dir'");
	assert_says(&w->watch->bad[5], "'e-link'");
	assert_null(stats_page_free(page));
	(void)close(dirfd);
}

static void
any_number_of_files_costs_bounded_memory(void **state)
{
	struct world *w = *state;
	struct reason why;
	int dirfd = make_pages(w);
	char name[32];

	for (unsigned i = 0; i < WATCH_PAGES + 3; i++) {
		snprintf(name, sizeof(name), "file.%u", i);
		put(dirfd, name, "", 0);
	}
	assert_int_equal(watch_counters(w->watch, &why), 0);
	assert_int_equal(w->watch->n, 0);
	assert_int_equal(w->watch->bad_n, WATCH_PAGES + 1);
	assert_says(&w->watch->bad[0], "file.");
	(void)close(dirfd);
}

static void
large_files_cost_bounded_memory(void **state)
{
	struct world *w = *state;
	struct stats_page *page;
	struct reason why;
	int dirfd = make_pages(w);
	char name[32];

	/* Real ones, with 15 MiB of nothing behind them. */
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(
		    stats_page_create(dirfd, &stats_gateway_table, &page, NULL),
		    0);
		snprintf(name, sizeof(name), "gateway.%ld", (long)getpid());
		assert_int_equal(
		    linkat(dirfd, name, dirfd, (char[]){ 'a' + i, 0 }, 0), 0);
		assert_null(stats_page_free(page));
	}
	for (unsigned i = 0; i < 6; i++) {
		int fd = openat(dirfd, (char[]){ 'a' + i, 0 }, O_WRONLY);

		assert_int_equal(ftruncate(fd, 15 << 20), 0);
		(void)close(fd);
	}
	assert_int_equal(watch_counters(w->watch, &why), 0);
	assert_int_equal(w->watch->n, 4);
	assert_int_equal(w->watch->bad_n, 2);
	assert_says(&w->watch->bad[0], "'e' was not looked at");
	(void)close(dirfd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_ring_is_found_when_it_comes_and_found_again),
		T(another_ring_in_the_same_file_is_another_ring),
		T(a_ring_cut_short_under_the_mapping_is_told),
		T(writing_where_a_file_was_cut_short_still_ends_us),
		T(counters_of_all_are_copied),
		T(counters_that_nobody_holds_are_of_the_dead),
		T(litter_is_named_and_harms_nothing),
		T(any_number_of_files_costs_bounded_memory),
		T(large_files_cost_bounded_memory),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
