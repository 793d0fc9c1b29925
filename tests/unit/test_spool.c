/* SPDX-License-Identifier: BSD-2-Clause */

/* Spools: parts, sharing, and who has to go when the disk is full. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "broker/spool.h"
#include "core/reason.h"
#include "tests/lib/tmpdir.h"

enum {
	PART = 60 << 10
};

static struct spools *
spools(void **state, uint64_t max)
{
	struct tmpdir *dir = *state;
	struct spools *ss;

	assert_int_equal(spools_new(dir->path, max, &ss), 0);
	return ss;
}

static struct spool_want
want(const char *key, uint64_t seq_now)
{
	return (struct spool_want){ slice_cstr(key), 1, seq_now, 0 };
}

static int
find(struct spools *ss, struct spool_want w, struct spool **s)
{
	struct reason why;

	return spools_find(ss, &w, s, &why);
}

/* A "row" of len bytes: a bin, so that parts stay well-formed. */
static int
put(struct spool *s, size_t len, uint8_t fill)
{
	uint8_t *p = malloc(len);
	int got;

	memset(p, fill, len);
	p[0] = 0xc6;
	p[1] = (uint8_t)((len - 5) >> 24);
	p[2] = (uint8_t)((len - 5) >> 16);
	p[3] = (uint8_t)((len - 5) >> 8);
	p[4] = (uint8_t)(len - 5);
	got = spool_put(s, slice_of(p, len));
	free(p);
	return got;
}

/* One that is whole, of n rows of len bytes. */
static struct spool *
built(struct spools *ss, const char *key, uint64_t seq, unsigned n, size_t len)
{
	struct spool *s;

	assert_int_equal(find(ss, want(key, seq), &s), SPOOLS_BUILD);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(put(s, len, (uint8_t)i), SPOOL_PUT);
	assert_int_equal(spool_flush(s), SPOOL_PUT);
	spool_finish(s, seq, true);
	return s;
}

static void
an_empty_snapshot_has_one_empty_part(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 20);
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	struct spool *s = built(ss, "a", 7, 0, 0);

	assert_int_equal(spool_parts(s), 1);
	assert_int_equal(spool_seq(s), 7);
	assert_true(spool_full(s));
	assert_int_equal(spool_pack_part(s, 0, &b), SPOOL_PART);
	assert_int_equal(b.len, 1);
	assert_int_equal(b.p[0], 0x90);
	assert_int_equal(spool_pack_part(s, 1, &b), SPOOL_NONE);
	assert_int_equal(b.len, 1);
	(void)spool_unref(s);
}

static void
of_what_nobody_holds_the_last_64_are_kept(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 20);
	struct spools_status st;
	struct spool *s;
	char key[16];

	for (unsigned i = 0; i < 200; i++) {
		struct spool_want w;

		snprintf(key, sizeof(key), "%u", i);
		w = (struct spool_want){ slice_cstr(key), 0, 7, 0 };
		assert_int_equal(find(ss, w, &s), SPOOLS_BUILD);
		spool_finish(s, 7, true);
		(void)spool_unref(s);
		spools_status(ss, &st);
		assert_int_equal(st.spools, MIN(i + 1, 64));
	}
	s = NULL;
	assert_int_equal(
	    find(ss, (struct spool_want){ slice_cstr("136"), 0, 7, 0 }, &s),
	    SPOOLS_SHARED);
	(void)spool_unref(s);
	assert_int_equal(
	    find(ss, (struct spool_want){ slice_cstr("135"), 0, 7, 0 }, &s),
	    SPOOLS_BUILD);
	spool_abandon(s);
}

static void
parts_are_full_but_never_over_60_kib(void **state)
{
	static const struct {
		size_t len;
		unsigned n;
		uint64_t parts;
	} cases[] = {
		{ PART / 4 - 1, 4, 1 },
		{ PART / 4, 4, 1 },
		{ PART / 4, 5, 2 },
		{ PART / 4 + 1, 4, 2 },
		{ PART - 1, 2, 2 },
		{ PART, 2, 2 },
		{ PART + 1, 2, 2 },
		{ (1 << 20) - 1, 3, 3 },
		{ 1 << 20, 3, 3 },
		{ (1 << 20) + 1, 3, 3 },
		{ 100, 30000, 49 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(spools_freep)
		struct spools *ss = spools(state, 1 << 30);
		struct spool *s = built(ss, "a", 1, cases[i].n, cases[i].len);
		unsigned rows = 0;

		assert_int_equal(spool_parts(s), cases[i].parts);
		assert_int_equal(spool_rows(s), cases[i].n);
		for (uint64_t k = 0; k < cases[i].parts; k++) {
			CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
			struct mp_item head, item;
			struct mp_walk w;

			assert_int_equal(spool_pack_part(s, k, &b), SPOOL_PART);
			w = mp_walk(slice_of(b.p, b.len));
			assert_true(mp_next(&w, &head));
			assert_int_equal(head.type, MP_ARRAY);
			assert_true(head.n == 1 || b.len <= PART + 5);
			for (uint32_t r = 0; r < head.n; r++, rows++) {
				assert_true(mp_next(&w, &item));
				assert_int_equal(item.type, MP_BIN);
				assert_int_equal(item.s.len, cases[i].len - 5);
				assert_int_equal(item.s.p[0], (uint8_t)rows);
			}
			assert_ptr_equal(w.p, w.end);
		}
		assert_int_equal(rows, cases[i].n);
		(void)spool_unref(s);
	}
}

static void
who_asks_for_the_same_while_nothing_moved_shares(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 20);
	struct spool *a = built(ss, "a", 5, 1, 100), *b;
	struct spools_status st;

	assert_int_equal(find(ss, want("a", 5), &b), SPOOLS_SHARED);
	assert_ptr_equal(a, b);
	(void)spool_unref(a);
	(void)spool_unref(b);
	/* Nobody holds it, and it is still there. */
	assert_int_equal(find(ss, want("a", 5), &b), SPOOLS_SHARED);
	(void)spool_unref(b);
	spools_status(ss, &st);
	assert_int_equal(st.built, 1);
	assert_int_equal(st.shared, 2);
}

static void
a_young_spool_is_shared_unless_it_is_below_what_is_asked(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 20);
	struct spool *a = built(ss, "a", 5, 1, 100), *b;
	struct spool_want w = want("a", 6);

	assert_int_equal(find(ss, w, &b), SPOOLS_SHARED);
	(void)spool_unref(b);
	w.min_seq = 5;
	assert_int_equal(find(ss, w, &b), SPOOLS_SHARED);
	(void)spool_unref(b);
	w.min_seq = 6;
	assert_int_equal(find(ss, w, &b), SPOOLS_BUILD);
	assert_ptr_not_equal(a, b);
	spool_abandon(b);
	(void)spool_unref(a);
}

static void
another_key_or_generation_is_another_spool(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 20);
	struct spool *a = built(ss, "a", 5, 1, 100), *b;
	struct spool_want w = want("a", 5);

	assert_int_equal(find(ss, want("b", 5), &b), SPOOLS_BUILD);
	spool_abandon(b);
	w.generation = 2;
	assert_int_equal(find(ss, w, &b), SPOOLS_BUILD);
	spool_abandon(b);
	(void)spool_unref(a);
}

struct asker {
	struct spools *ss;
	struct spool *s;
	int got;
};

static void *
ask(void *arg)
{
	struct asker *as = arg;

	as->got = find(as->ss, want("a", 1), &as->s);
	return NULL;
}

static void
who_asks_while_it_is_built_waits_for_it(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 20);
	struct asker as = { .ss = ss };
	pthread_t thread;
	struct spool *s;

	assert_int_equal(find(ss, want("a", 1), &s), SPOOLS_BUILD);
	assert_int_equal(pthread_create(&thread, NULL, ask, &as), 0);
	assert_int_equal(put(s, 100, 1), SPOOL_PUT);
	assert_int_equal(spool_flush(s), SPOOL_PUT);
	spool_finish(s, 1, true);
	pthread_join(thread, NULL);
	assert_int_equal(as.got, SPOOLS_SHARED);
	assert_ptr_equal(as.s, s);
	(void)spool_unref(as.s);
	(void)spool_unref(s);
}

static void
who_waits_for_one_that_fails_builds_his_own(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 20);
	struct asker as = { .ss = ss };
	pthread_t thread;
	struct spool *s;

	assert_int_equal(find(ss, want("a", 1), &s), SPOOLS_BUILD);
	assert_int_equal(pthread_create(&thread, NULL, ask, &as), 0);
	spool_abandon(s);
	pthread_join(thread, NULL);
	assert_int_equal(as.got, SPOOLS_BUILD);
	spool_abandon(as.s);
}

static void
the_one_that_nobody_holds_makes_room_for_others(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 3 << 20);
	struct spools_status st;
	struct spool *a, *b, *c;

	a = built(ss, "a", 1, 1, 1 << 20);
	b = built(ss, "b", 1, 1, 1 << 20);
	(void)spool_unref(a);
	c = built(ss, "c", 1, 2, 1 << 20);
	spools_status(ss, &st);
	assert_int_equal(st.spools, 2);
	assert_int_equal(st.bytes, 3 << 20);
	assert_int_equal(st.gone, 0);
	(void)spool_unref(b);
	(void)spool_unref(c);
}

static void
who_has_not_read_for_long_finds_it_gone(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 3 << 20);
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	struct spools_status st;
	struct spool *a, *c;

	spools_set_idle(ss, 0);
	a = built(ss, "a", 1, 2, 1 << 20);
	assert_int_equal(spool_pack_part(a, 0, &b), SPOOL_PART);
	c = built(ss, "c", 1, 2, 1 << 20);
	b.len = 0;
	assert_int_equal(spool_pack_part(a, 1, &b), SPOOL_GONE);
	assert_int_equal(b.len, 0);
	assert_int_equal(spool_pack_part(a, 2, &b), SPOOL_NONE);
	spools_status(ss, &st);
	assert_int_equal(st.gone, 1);
	assert_int_equal(st.bytes, 2 << 20);
	/* Nobody is given what has gone. */
	(void)spool_unref(a);
	assert_int_equal(find(ss, want("a", 1), &a), SPOOLS_BUILD);
	spool_abandon(a);
	(void)spool_unref(c);
}

static void
without_room_the_one_that_asks_is_refused(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 3 << 20);
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	struct spools_status st;
	struct spool *a, *s;

	a = built(ss, "a", 1, 2, 1 << 20);
	assert_int_equal(find(ss, want("b", 1), &s), SPOOLS_BUILD);
	assert_int_equal(put(s, 1 << 20, 1), SPOOL_PUT);
	assert_int_equal(put(s, 1 << 20, 2), SPOOL_PUT);
	assert_int_equal(spool_flush(s), SPOOL_NO_ROOM);
	spool_abandon(s);
	spools_status(ss, &st);
	assert_int_equal(st.bytes, 2 << 20);
	assert_int_equal(spool_pack_part(a, 1, &b), SPOOL_PART);
	(void)spool_unref(a);
}

static void
one_that_is_larger_than_all_that_is_allowed_is_too_large(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 2 << 20);
	struct spool *s;
	int got = SPOOL_PUT;

	for (unsigned n = 1; n <= 3; n++) {
		assert_int_equal(find(ss, want("a", 1), &s), SPOOLS_BUILD);
		for (unsigned i = 0; i < n && got == SPOOL_PUT; i++)
			got = put(s, 1 << 20, 1);
		if (got == SPOOL_PUT)
			got = spool_flush(s);
		assert_int_equal(got, n <= 2 ? SPOOL_PUT : SPOOL_TOO_LARGE);
		spool_abandon(s);
	}
}

static void
a_disk_that_takes_no_more_is_an_error_and_no_spool(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 30);
	struct rlimit before, less = { 1 << 20, RLIM_INFINITY };
	struct spools_status st;
	struct spool *s;
	int got = SPOOL_PUT;

	assert_int_equal(find(ss, want("a", 1), &s), SPOOLS_BUILD);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	less.rlim_max = before.rlim_max;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	for (unsigned i = 0; i < 4 && got == SPOOL_PUT; i++)
		got = put(s, 1 << 20, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(got, -EFBIG);
	spool_abandon(s);
	spools_status(ss, &st);
	assert_int_equal(st.bytes, 0);
	assert_int_equal(st.spools, 0);
}

static void
a_copy_takes_the_place_of_what_was_written(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 30);
	CLEANUP(mp_buf_deinit) struct mp_buf b = { 0 };
	struct spools_status st;
	struct spool *s, *copy;
	struct reason why;
	uint32_t rows;

	assert_int_equal(find(ss, want("a", 1), &s), SPOOLS_BUILD);
	assert_int_equal(put(s, 1000, 1), SPOOL_PUT);
	assert_int_equal(put(s, 1000, 2), SPOOL_PUT);
	assert_int_equal(spool_flush(s), SPOOL_PUT);
	assert_int_equal(spool_begin_copy(s, &copy, &why), 0);
	assert_int_equal(put(copy, 500, 3), SPOOL_PUT);
	assert_int_equal(spool_flush(copy), SPOOL_PUT);
	spool_replace(s, copy);
	spool_finish(s, 9, false);
	assert_int_equal(spool_rows(s), 1);
	assert_false(spool_full(s));
	assert_int_equal(spool_read_part(s, 0, &b, &rows), SPOOL_PART);
	assert_int_equal(rows, 1);
	assert_int_equal(b.len, 500);
	assert_int_equal(b.p[5], 3);
	spools_status(ss, &st);
	assert_int_equal(st.bytes, 500);
	(void)spool_unref(s);
}

static void
nothing_has_a_name_in_the_directory(void **state)
{
	CLEANUP(spools_freep) struct spools *ss = spools(state, 1 << 30);
	struct spool *s = built(ss, "a", 1, 10, 1000);

	assert_int_equal(tmpdir_count(*state), 0);
	(void)spool_unref(s);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_snapshot_has_one_empty_part),
		TEST(of_what_nobody_holds_the_last_64_are_kept),
		TEST(parts_are_full_but_never_over_60_kib),
		TEST(who_asks_for_the_same_while_nothing_moved_shares),
		TEST(a_young_spool_is_shared_unless_it_is_below_what_is_asked),
		TEST(another_key_or_generation_is_another_spool),
		TEST(who_asks_while_it_is_built_waits_for_it),
		TEST(who_waits_for_one_that_fails_builds_his_own),
		TEST(the_one_that_nobody_holds_makes_room_for_others),
		TEST(who_has_not_read_for_long_finds_it_gone),
		TEST(without_room_the_one_that_asks_is_refused),
		TEST(one_that_is_larger_than_all_that_is_allowed_is_too_large),
		TEST(a_disk_that_takes_no_more_is_an_error_and_no_spool),
		TEST(a_copy_takes_the_place_of_what_was_written),
		TEST(nothing_has_a_name_in_the_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
