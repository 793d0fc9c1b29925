/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What retention must not lose, with the writer's own state and rows that
 * agree with the log or do not.  PEAL_TEST_SEED repeats a run.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log/base.h"
#include "log/format_priv.h"
#include "log/retain.h"
#include "log/segment.h"
#include "tests/lib/cutfix.h"
#include "tests/lib/retainfix.h"
#include "tests/lib/seed.h"
#include "writer/rebase.h"

enum {
	KEEP = 4 * SEQFIX_SEGMENT, /* some of which are packed */
	ROUNDS = 30,
};

static const struct seqfix_lie none = { .of = 0 };
static uint64_t seed;

/* A writer that has filled some segments, and a floor that it may take. */
struct filled {
	struct ledger ledger;
	struct seqfix sf;
	struct log_floor floor;
};

static int
setup(void **state)
{
	static struct filled f;
	const struct retain_policy policy = { .keep_bytes = KEEP };

	f = (struct filled){ 0 };
	assert_int_equal(seqfix_begin(&f.sf, &f.ledger, seed, ROUNDS), 0);
	assert_int_equal(retainfix_look(filemodel_io(f.sf.fm), f.sf.dirfd,
			     &policy, &f.floor, &f.sf.why),
	    RETAIN_FLOOR);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct filled *f = *state;

	seqfix_end(&f->sf);
	return 0;
}

/* The floor that is written. */
static uint64_t
floor_now(struct seqfix *sf)
{
	struct log_floor floor;

	assert_true(
	    floor_read(filemodel_io(sf->fm), sf->dirfd, &floor, &sf->why) >= 0);
	return floor.seq;
}

static void
versions_and_keys_outlive_the_events_that_made_them(void **state)
{
	struct filled *f = *state;
	uint64_t oldest = f->floor.seq;

	assert_int_equal(seqfix_retain(&f->sf, KEEP), 0);
	assert_true(oldest > 10);
	assert_int_equal(floor_now(&f->sf), oldest);
	/* Neither a checkpoint nor an index helps. */
	for (int i = 0; i < 2; i++) {
		if (filemodel_size(f->sf.fm, CHECKPOINT_NAME) >= 0)
			filemodel_put_aside(f->sf.fm, CHECKPOINT_NAME, NULL);
		assert_int_equal(seqfix_start(&f->sf, false), 0);
		assert_int_equal(f->sf.tail.oldest_seq, oldest);
		if (!seqfix_good(&f->sf))
			fail_msg("%s", f->sf.why.text);
		assert_int_equal(seqfix_work(&f->sf, 2), 0);
	}
}

/* One floor upon another: the second base is made from the first. */
static void
a_base_is_made_of_the_base_before(void **state)
{
	struct filled *f = *state;
	uint64_t before = 1;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(seqfix_retain(&f->sf, KEEP), 0);
		assert_true(floor_now(&f->sf) > before);
		before = floor_now(&f->sf);
		assert_int_equal(seqfix_work(&f->sf, 10), 0);
	}
	assert_int_equal(seqfix_start(&f->sf, false), 0);
	if (!seqfix_good(&f->sf) || !seqfix_goes_on(&f->sf))
		fail_msg("%s", f->sf.why.text);
}

static void
a_base_says_of_which_event_it_is(void **state)
{
	struct filled *f = *state;
	uint64_t seq = f->floor.seq - 1;
	struct base *base = NULL;

	assert_int_equal(seqfix_rebase(&f->sf, &f->floor, &none), REBASE_DONE);
	assert_int_equal(base_open(filemodel_io(f->sf.fm), f->sf.dirfd, seq,
			     f->floor.log_id, &base, &f->sf.why),
	    BASE_OPENED);
	assert_int_equal(base_id(base)->seq, seq);
	assert_int_equal(base_id(base)->epoch, f->floor.epoch);
	assert_int_equal(base_id(base)->time_us, f->ledger.ev[seq - 1].time_us);
	(void)base_free(base);
}

/* What is said of rows that the log does not bear out. */
static void
refuse(struct filled *f, struct seqfix_lie lie, const char *text)
{
	int got = seqfix_rebase(&f->sf, &f->floor, &lie);

	if (got != REBASE_REFUSED || !strstr(f->sf.why.text, text))
		fail_msg("%d, not '%s': %s", got, text, f->sf.why.text);
	assert_int_equal(floor_now(&f->sf), 1);
	assert_int_equal(filemodel_size(f->sf.fm, BASE_TMP), -1);
}

static void
rows_that_the_log_does_not_bear_out_are_refused(void **state)
{
	struct filled *f = *state;

	refuse(f, (struct seqfix_lie){ .log = 1 }, "another log or epoch");
	refuse(f, (struct seqfix_lie){ .epoch = 1 }, "another log or epoch");
	refuse(f, (struct seqfix_lie){ .seq = 1 }, "the rows are of seq");
	refuse(f, (struct seqfix_lie){ .version = 1 }, "has version");
	refuse(f, (struct seqfix_lie){ .last_seq = 1 }, "has version");
	refuse(f, (struct seqfix_lie){ .left_out = true }, "topics");
	refuse(f, (struct seqfix_lie){ .twice = true }, "out of order");
	refuse(f, (struct seqfix_lie){ .backwards = true }, "out of order");
	refuse(f, (struct seqfix_lie){ .edited = true }, "its hash is another");
	assert_int_equal(seqfix_rebase(&f->sf, &f->floor, &none), REBASE_DONE);
	assert_int_equal(floor_now(&f->sf), f->floor.seq);
}

static void
a_floor_never_goes_back(void **state)
{
	struct filled *f = *state;

	assert_int_equal(seqfix_rebase(&f->sf, &f->floor, &none), REBASE_DONE);
	assert_int_equal(seqfix_rebase(&f->sf, &f->floor, &none), -EINVAL);
	assert_int_equal(floor_now(&f->sf), f->floor.seq);
}

static void
invert(void *arg, uint8_t *bytes, uint64_t size)
{
	const uint64_t *at = arg;

	assert_true(*at < size);
	bytes[*at] ^= 0xff;
}

/* It may have been further than this one. */
static void
a_floor_that_is_damaged_is_not_replaced(void **state)
{
	struct filled *f = *state;
	struct log_floor floor;
	uint64_t at = 16;

	assert_int_equal(seqfix_rebase(&f->sf, &f->floor, &none), REBASE_DONE);
	filemodel_edit(f->sf.fm, FLOOR_NAME, invert, &at);
	f->floor.seq++;
	assert_int_equal(seqfix_rebase(&f->sf, &f->floor, &none), -EINVAL);
	assert_non_null(strstr(f->sf.why.text, "floor is not where it was"));
	assert_int_equal(
	    floor_read(filemodel_io(f->sf.fm), f->sf.dirfd, &floor, &f->sf.why),
	    FLOOR_BAD);
}

/* That the log is damaged is no fault of the rows. */
static void
a_log_that_is_damaged_gives_up_nothing(void **state)
{
	struct filled *f = *state;
	struct segment_list list;
	uint64_t at = SEGMENT_FRAMES + LOG_FRAME_HEADER;

	assert_int_equal(segment_list_read(filemodel_io(f->sf.fm), f->sf.dirfd,
			     &list, &f->sf.why),
	    0);
	filemodel_edit(f->sf.fm, list.v[0].name, invert, &at);
	assert_int_equal(seqfix_rebase(&f->sf, &f->floor, &none), -EUCLEAN);
	assert_non_null(strstr(f->sf.why.text, list.v[0].name));
	assert_int_equal(floor_now(&f->sf), 1);
	segment_list_deinit(&list);
}

static void
rows_that_find_no_room_leave_all_as_it_was(void **state)
{
	struct filled *f = *state;

	filemodel_set_room(f->sf.fm, 100);
	assert_int_equal(seqfix_rebase(&f->sf, &f->floor, &none), -ENOSPC);
	assert_int_equal(floor_now(&f->sf), 1);
	assert_int_equal(filemodel_size(f->sf.fm, BASE_TMP), -1);
}

/* Does a writer that has lost its checkpoint start from what is there? */
static void
expect_whole(struct filled *f, struct filemodel *fm, uint64_t call)
{
	static struct ledger then;
	static struct seqfix sf;

	then = f->ledger;
	seqfix_init(&sf, fm, &then, call);
	if (filemodel_size(fm, CHECKPOINT_NAME) >= 0)
		filemodel_put_aside(fm, CHECKPOINT_NAME, NULL);
	if (seqfix_start(&sf, false) != 0 || !seqfix_good(&sf))
		fail_msg("call %d failed: %s", (int)call, sf.why.text);
	seqfix_stop(&sf);
}

static void
a_call_that_fails_moves_no_floor_to_half_a_base(void **state)
{
	struct filled *f = *state;
	bool failed = true;
	uint64_t call = 1;

	for (; failed; call++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(f->sf.fm);
		struct seqfix sf = f->sf;
		int got;

		sf.fm = fm;
		sf.io = filemodel_io(fm);
		sf.dirfd = filemodel_root(fm);
		filemodel_fail_at(fm, filemodel_calls(fm) + call, -EIO);
		got = seqfix_rebase(&sf, &f->floor, &none);
		failed = filemodel_fired(fm);
		filemodel_fail_at(fm, UINT64_MAX, 0);
		if (got == REBASE_DONE)
			expect_whole(f, fm, call);
		else if (got != -EIO)
			fail_msg("call %d: %d", (int)call, got);
	}
	print_message("# %d calls\n", (int)call);
	assert_true(call > 50);
}

/* A disk that says that it has them, and has not. */
static void
a_base_that_is_not_on_the_disk_moves_no_floor(void **state)
{
	struct filled *f = *state;

	filemodel_lie(f->sf.fm);
	assert_int_equal(seqfix_rebase(&f->sf, &f->floor, &none), -EIO);
	assert_non_null(strstr(f->sf.why.text, "the disk holds other bytes"));
	assert_int_equal(floor_now(&f->sf), 1);
}

/* Left by a writer that could save none since; a floor has passed it. */
static void
a_checkpoint_below_the_floor_is_not_used(void **state)
{
	struct filled *f = *state;

	assert_true(filemodel_size(f->sf.fm, CHECKPOINT_NAME) > 0);
	filemodel_put_aside(f->sf.fm, CHECKPOINT_NAME, "old");
	assert_int_equal(seqfix_work(&f->sf, 2 * ROUNDS), 0);
	assert_int_equal(seqfix_retain(&f->sf, KEEP), 0);
	if (filemodel_size(f->sf.fm, CHECKPOINT_NAME) >= 0)
		filemodel_put_aside(f->sf.fm, CHECKPOINT_NAME, NULL);
	filemodel_put_aside(f->sf.fm, "old", CHECKPOINT_NAME);
	assert_int_equal(seqfix_start(&f->sf, false), 0);
	if (!seqfix_good(&f->sf))
		fail_msg("%s", f->sf.why.text);
}

/*
 * Retaining, up to its call of this number, by a process of its own; NULL: it
 * has fewer.  What it returns says nothing, for it may go on without a try.
 */
static struct filemodel *
cut_at(struct filled *f, uint64_t call, bool wrongly)
{
	struct filemodel *fm = filemodel_clone(f->sf.fm);
	uint64_t last = filemodel_calls(fm) + call;
	struct seqfix sf = f->sf;
	int err = 0;

	sf.fm = fm;
	sf.io = filemodel_io(fm);
	sf.dirfd = filemodel_root(fm);
	filemodel_cut_at(fm, last);
	if (wrongly)
		err =
		    floor_write(filemodel_io(fm), sf.dirfd, &f->floor, &sf.why);
	if (err == 0)
		err = seqfix_retain(&sf, KEEP);
	return err != 0 || filemodel_calls(fm) >= last ? fm
						       : filemodel_free(fm);
}

/* NULL, or what is wrong with what a cut has left. */
static const char *
complain(struct filled *f, struct filemodel *cut, unsigned k)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = filemodel_clone(cut);
	static struct reason why;

	filemodel_restart(fm, cutfix_fate(k), seed + k);
	return cutfix_verdict(fm, &f->ledger, NULL, &why) == CUTFIX_GOOD
		   ? NULL
		   : why.text;
}

static void
a_power_cut_at_any_call_loses_neither_events_nor_their_effects(void **state)
{
	struct filled *f = *state;
	struct filemodel *cut;
	uint64_t call = 1;

	for (; (cut = cut_at(f, call, false)); call++) {
		for (unsigned k = 0; k < 8; k++) {
			const char *wrong = complain(f, cut, k);

			if (wrong)
				fail_msg("call %d, fate %u: %s", (int)call, k,
				    wrong);
		}
		(void)filemodel_free(cut);
	}
	print_message("# %d calls\n", (int)call);
	assert_true(call > 250);
}

/*
 * A writer is killed while it retains; the next one goes on from names that
 * nobody has flushed, removes what the floor has passed, and the power goes.
 */
static void
a_kill_and_a_power_cut_behind_it_lose_nothing_either(void **state)
{
	static struct ledger then;
	static struct seqfix sf;
	struct filled *f = *state;
	struct filemodel *fm;
	uint64_t call = 1;

	for (; (fm = cut_at(f, call, false)); call++) {
		filemodel_kill(fm);
		then = f->ledger;
		seqfix_init(&sf, fm, &then, call);
		if (seqfix_start(&sf, false) != 0 ||
		    retain_remove(filemodel_io(fm), sf.dirfd, &sf.why) < 0)
			fail_msg(
			    "a kill at call %d: %s", (int)call, sf.why.text);
		seqfix_stop(&sf);
		for (unsigned k = 0; k < 8; k++) {
			const char *wrong = complain(f, fm, k);

			if (wrong)
				fail_msg("a kill at call %d, fate %u: %s",
				    (int)call, k, wrong);
		}
		(void)filemodel_free(fm);
	}
	/* Or nothing of this was tried. */
	assert_true(call > 250);
}

/* The same with a floor that moves before its base is there. */
static void
a_floor_before_its_base_is_found_out(void **state)
{
	struct filled *f = *state;
	unsigned found = 0;

	for (uint64_t call = 8; call < 30; call++) {
		struct filemodel *cut = cut_at(f, call, true);

		for (unsigned k = 0; cut && k < 8; k++)
			found += complain(f, cut, k) != NULL;
		(void)filemodel_free(cut);
	}
	assert_true(found > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(versions_and_keys_outlive_the_events_that_made_them),
		TEST(a_base_is_made_of_the_base_before),
		TEST(a_base_says_of_which_event_it_is),
		TEST(rows_that_the_log_does_not_bear_out_are_refused),
		TEST(a_floor_never_goes_back),
		TEST(a_floor_that_is_damaged_is_not_replaced),
		TEST(a_log_that_is_damaged_gives_up_nothing),
		TEST(rows_that_find_no_room_leave_all_as_it_was),
		TEST(a_call_that_fails_moves_no_floor_to_half_a_base),
		TEST(a_base_that_is_not_on_the_disk_moves_no_floor),
		TEST(a_checkpoint_below_the_floor_is_not_used),
		TEST(
		    a_power_cut_at_any_call_loses_neither_events_nor_their_effects),
		TEST(a_kill_and_a_power_cut_behind_it_lose_nothing_either),
		TEST(a_floor_before_its_base_is_found_out),
	};

	seed = seed_draw();
	return cmocka_run_group_tests_name("rebase", tests, NULL, NULL);
}
