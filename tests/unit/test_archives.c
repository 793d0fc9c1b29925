/* SPDX-License-Identifier: BSD-2-Clause */

/* The archives of a log: due, written, thinned out, and restored from. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/archives.h"
#include "core/reason.h"
#include "tests/lib/queryfix.h"

static struct store_status st;

static bool
is_due(struct queryfix *fx, uint64_t seq)
{
	store_status(fx->store, &st);
	return archives_due(fx->q.archives,
	    st.log[0] ? st.log : "00112233445566778899aabbccddeeff-1", seq);
}

static void
write_one(struct queryfix *fx)
{
	struct reason why;

	if (archives_write(&fx->q, &why) < 0)
		fail_msg("%s", why.text);
}

static struct archives_status
status(struct queryfix *fx)
{
	struct archives_status as;

	archives_status(fx->q.archives, &as);
	return as;
}

/* Flip a byte in the middle of an archive. */
static void
damage(struct queryfix *fx, uint64_t seq)
{
	char name[ARCHIVE_NAME_SIZE];
	uint8_t byte;
	off_t at;
	int fd;

	archive_name(name, seq);
	fd = openat(fx->dir->fd, name, O_RDWR);
	assert_true(fd >= 0);
	at = lseek(fd, 0, SEEK_END) / 2;
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	(void)close(fd);
}

static void
one_is_due_every_so_many_events(void **state)
{
	struct queryfix *fx = *state;

	assert_false(is_due(fx, 99));
	assert_true(is_due(fx, 100));
	queryfix_append_random(fx, 120);
	write_one(fx);
	assert_int_equal(status(fx).newest, 120);
	assert_false(is_due(fx, 219));
	assert_true(is_due(fx, 220));
	/* Those of another log do not count. */
	fakestore_set_log(fx->store, "ff112233445566778899aabbccddeeff-1");
	assert_false(is_due(fx, 219));
	queryfix_archives(fx, 1 << 30, 100);
	assert_true(is_due(fx, 219));
	queryfix_archives(fx, 0, 100);
	assert_false(is_due(fx, 1000));
}

static void
nothing_is_written_where_none_are_kept_or_nothing_is_folded(void **state)
{
	struct queryfix *fx = *state;
	struct reason why;

	assert_true(archives_write(&fx->q, &why) < 0);
	queryfix_archives(fx, 0, 100);
	queryfix_append_random(fx, 20);
	write_one(fx);
	assert_int_equal(tmpdir_count(fx->dir), 0);
}

struct restored {
	struct mp_buf rows;
	uint32_t n, dropped;
	int answer;
};

static int
add(void *ctx, struct slice row, bool dropped)
{
	struct restored *r = ctx;

	mp_pack_raw(&r->rows, row);
	r->n++;
	r->dropped += dropped;
	return r->answer;
}

static int
restore(struct queryfix *fx, uint64_t upto, struct restored *r, uint64_t *seq)
{
	struct store_archive a = {
		.log = st.log,
		.rules_version = rules_version(fx->rules),
		.upto = upto,
	};
	struct reason why;
	int got;

	store_status(fx->store, &st);
	r->rows.len = 0;
	r->n = r->dropped = 0;
	got = archives_restore(fx->q.archives, &a, add, r, &why);
	*seq = a.seq;
	return got;
}

static void
expect_restored(struct queryfix *fx, uint64_t upto, uint64_t want)
{
	CLEANUP(mp_buf_deinit) struct mp_buf rows = { 0 };
	struct restored r = { 0 };
	uint64_t seq;
	uint32_t n;

	assert_int_equal(restore(fx, upto, &r, &seq), STORE_RESTORED);
	assert_int_equal(seq, want);
	queryfix_fold(fx, want, NULL, &rows, &n);
	assert_int_equal(r.n, n);
	assert_int_equal(r.rows.len, rows.len);
	assert_memory_equal(r.rows.p, rows.p, rows.len);
	mp_buf_deinit(&r.rows);
}

static void
the_newest_at_or_before_is_restored_with_all_its_rows(void **state)
{
	struct queryfix *fx = *state;
	struct restored r = { 0 };
	uint64_t seq;

	assert_int_equal(restore(fx, 99, &r, &seq), STORE_NO_ARCHIVE);
	for (unsigned i = 0; i < 3; i++) {
		queryfix_append_random(fx, 100);
		write_one(fx);
	}
	expect_restored(fx, 300, 300);
	expect_restored(fx, UINT64_MAX, 300);
	expect_restored(fx, 299, 200);
	expect_restored(fx, 200, 200);
	expect_restored(fx, 100, 100);
	assert_int_equal(restore(fx, 99, &r, &seq), STORE_NO_ARCHIVE);
	/* The same after a start. */
	queryfix_archives(fx, 1 << 30, 100);
	expect_restored(fx, 299, 200);
	/* What the store refuses ends it. */
	r.answer = -ENOSPC;
	assert_int_equal(restore(fx, 300, &r, &seq), -ENOSPC);
	assert_int_equal(r.n, 1);
	mp_buf_deinit(&r.rows);
}

static void
dropped_rows_are_in_it_and_marked(void **state)
{
	struct queryfix *fx = *state;
	struct restored r = { 0 };
	uint64_t seq;

	queryfix_append(fx, "a", "created", "ada", "1");
	queryfix_append(fx, "a", "deleted", "ada", "1");
	queryfix_append(fx, "b", "created", "ada", "1");
	fakestore_drop(fx->store, SLICE_STR("a"));
	write_one(fx);
	assert_int_equal(restore(fx, 3, &r, &seq), STORE_RESTORED);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.dropped, 1);
	mp_buf_deinit(&r.rows);
}

static void
a_damaged_one_is_passed_over_for_an_older_one(void **state)
{
	struct queryfix *fx = *state;

	for (unsigned i = 0; i < 3; i++) {
		queryfix_append_random(fx, 100);
		write_one(fx);
	}
	damage(fx, 300);
	expect_restored(fx, 300, 200);
	assert_int_equal(status(fx).damaged, 1);
	expect_restored(fx, 300, 200);
	assert_int_equal(status(fx).damaged, 1);
	assert_int_equal(status(fx).newest, 200);
	/* One that is missing, too. */
	assert_int_equal(
	    unlinkat(fx->dir->fd, "archive-00000000000000000200.zst", 0), 0);
	expect_restored(fx, 300, 100);
	assert_int_equal(status(fx).damaged, 2);
	/* One that is cut short is seen when the directory is listed. */
	assert_int_equal(
	    truncate(
		tmpdir_path(fx->dir, "archive-00000000000000000100.zst"), 50),
	    0);
	queryfix_archives(fx, 1 << 30, 100);
	assert_true(status(fx).damaged >= 1);
}

/* It was to go to make room, and somebody had just chosen it. */
static void
one_that_went_away_meanwhile_is_not_damaged(void **state)
{
	struct reason why = { "cannot open it" };
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 100);
	write_one(fx);
	archives_condemn(fx->q.archives, 50, &why);
	assert_int_equal(status(fx).damaged, 0);
	archives_condemn(fx->q.archives, 100, &why);
	assert_int_equal(status(fx).damaged, 1);
}

static void
other_rules_or_another_log_find_nothing(void **state)
{
	struct queryfix *fx = *state;
	struct archive *a;

	queryfix_append_random(fx, 100);
	write_one(fx);
	store_status(fx->store, &st);
	assert_int_equal(archives_find(fx->q.archives, st.log,
			     rules_version(fx->rules) + 1, 100, &a),
	    0);
	assert_null(a);
	assert_int_equal(
	    archives_find(fx->q.archives, "ff112233445566778899aabbccddeeff-1",
		rules_version(fx->rules), 100, &a),
	    0);
	assert_null(a);
	assert_int_equal(archives_find(fx->q.archives, st.log,
			     rules_version(fx->rules), 100, &a),
	    0);
	assert_non_null(a);
	(void)archive_free(a);
}

static void
beyond_the_budget_gaps_double_from_the_oldest_end(void **state)
{
	struct queryfix *fx = *state;
	struct archives_status as;
	uint64_t seq = UINT64_MAX, gap = 0, before = UINT64_MAX;
	struct archive *a;

	/* Room for about eight. */
	queryfix_append_random(fx, 400);
	write_one(fx);
	queryfix_archives(fx, status(fx).bytes * 8, 1);
	for (unsigned i = 0; i < 30; i++) {
		queryfix_append_random(fx, 20);
		write_one(fx);
		as = status(fx);
		assert_true(as.bytes <= as.bytes * 8);
		assert_int_equal(as.newest, fx->n);
	}
	assert_true(as.archives >= 5 && as.archives <= 9);
	store_status(fx->store, &st);
	/* From the newest on, gaps do not shrink but by a half of one. */
	while (seq > 0) {
		assert_int_equal(archives_find(fx->q.archives, st.log,
				     rules_version(fx->rules), seq, &a),
		    0);
		if (!a)
			break;
		seq = archive_id(a)->seq;
		(void)archive_free(a);
		if (before != UINT64_MAX) {
			assert_true((before - seq) * 2 >= gap);
			gap = before - seq;
			assert_int_equal(gap % 20, 0);
		}
		before = seq--;
	}
	assert_int_equal(before, 400);
}

static void
what_no_longer_fits_goes_first(void **state)
{
	struct queryfix *fx = *state;
	uint64_t one;

	queryfix_append_random(fx, 400);
	write_one(fx);
	one = status(fx).bytes;
	queryfix_append_random(fx, 4);
	write_one(fx);
	fakestore_set_log(fx->store, "ff112233445566778899aabbccddeeff-1");
	queryfix_archives(fx, one * 5 / 2, 1);
	queryfix_append_random(fx, 4);
	write_one(fx);
	assert_int_equal(status(fx).newest, 408);
	assert_int_equal(status(fx).archives, 2);
	assert_false(tmpdir_has(fx->dir, "archive-00000000000000000400.zst"));
	/* One that is too large alone is not kept, nor tried at once again. */
	queryfix_archives(fx, one / 2, 100);
	queryfix_append_random(fx, 4);
	write_one(fx);
	assert_int_equal(status(fx).archives, 0);
	assert_false(is_due(fx, 500));
	assert_true(is_due(fx, 512));
}

static void
change_some(void *arg)
{
	struct queryfix *fx = arg;

	if (fx->n < 600)
		queryfix_append_random(fx, queryfix_random(fx, 5));
}

static void
one_that_takes_many_transactions_is_at_one_seq(void **state)
{
	struct queryfix *fx = *state;

	queryfix_append_random(fx, 300);
	fakestore_on_read(fx->store, change_some, fx);
	fx->q.slice_rows = 8;
	write_one(fx);
	fakestore_on_read(fx->store, NULL, NULL);
	assert_true(status(fx).newest > 300);
	expect_restored(fx, UINT64_MAX, status(fx).newest);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, queryfix_setup, queryfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_is_due_every_so_many_events),
		TEST(
		    nothing_is_written_where_none_are_kept_or_nothing_is_folded),
		TEST(the_newest_at_or_before_is_restored_with_all_its_rows),
		TEST(dropped_rows_are_in_it_and_marked),
		TEST(a_damaged_one_is_passed_over_for_an_older_one),
		TEST(one_that_went_away_meanwhile_is_not_damaged),
		TEST(other_rules_or_another_log_find_nothing),
		TEST(beyond_the_budget_gaps_double_from_the_oldest_end),
		TEST(what_no_longer_fits_goes_first),
		TEST(one_that_takes_many_transactions_is_at_one_seq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
