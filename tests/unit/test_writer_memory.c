/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The writer with each of its allocations failing, alone or with all behind
 * it.  A start fails or finds all that there is; a floor moves or stays.  Who
 * tries again where memory is there gets what there is to get.
 * PEAL_TEST_SEED repeats a run.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/base.h"
#include "log/retain.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/retainfix.h"
#include "tests/lib/seed.h"
#include "tests/lib/seqfix.h"
#include "writer/rebase.h"

enum {
	ROUNDS = 30,
	KEEP = 4 * SEQFIX_SEGMENT,
};

static uint64_t seed;

/* A writer that has filled some segments. */
struct filled {
	struct filemodel *fm;
	struct ledger ledger;
	struct seqfix sf;
};

static int
setup(void **state)
{
	static struct filled f;

	f = (struct filled){ .fm = filemodel_new(seed) };
	seqfix_init(&f.sf, f.fm, &f.ledger, seed);
	assert_int_equal(seqfix_start(&f.sf, false), 0);
	assert_int_equal(seqfix_work(&f.sf, ROUNDS), 0);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct filled *f = *state;

	seqfix_stop(&f->sf);
	f->fm = filemodel_free(f->fm);
	return 0;
}

static void
expect_good(struct seqfix *sf)
{
	sf->why.text[0] = '\0';
	if (seqfix_start(sf, false) != 0 || !seqfix_good(sf) ||
	    !seqfix_goes_on(sf))
		fail_msg("%s", sf->why.text);
}

/* A start of what f has left, in a copy, with the nth allocation failing. */
static bool
start_short(const struct filled *f, uint64_t n, bool for_good)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = filemodel_clone(f->fm);
	struct ledger ledger = f->ledger;
	struct seqfix sf;
	bool fired;
	int got;

	seqfix_init(&sf, fm, &ledger, seed);
	sf.io = nomemory_io(filemodel_io(fm));
	snprintf(sf.why.text, sizeof(sf.why.text), "out of memory");
	nomemory_at(n, for_good);
	got = seqfix_start(&sf, false);
	fired = nomemory_end();
	sf.io = filemodel_io(fm);
	if (got != 0 &&
	    (!fired || got != -ENOMEM || !strstr(sf.why.text, "memory")))
		fail_msg(
		    "allocation %u: %d, '%s'", (unsigned)n, got, sf.why.text);
	if (got == 0 && !seqfix_good(&sf))
		fail_msg("allocation %u: '%s'", (unsigned)n, sf.why.text);
	seqfix_stop(&sf);
	if (got != 0)
		expect_good(&sf);
	seqfix_stop(&sf);
	return fired;
}

static void
sweep_starts(const struct filled *f)
{
	uint64_t n = 1;

	while (start_short(f, n, false))
		n++;
	assert_true(n > 10);
	for (n = 1; start_short(f, n, true); n++)
		;
}

static void
a_start_fails_or_finds_all_that_there_is(void **state)
{
	struct filled *f = *state;

	assert_int_equal(seqfix_finish(&f->sf), 0);
	assert_true(filemodel_size(f->fm, CHECKPOINT_NAME) > 0);
	sweep_starts(f);
	filemodel_put_aside(f->fm, CHECKPOINT_NAME, NULL);
	sweep_starts(f);
}

static void
a_base_is_never_called_damaged_for_want_of_memory(void **state)
{
	struct filled *f = *state;

	assert_int_equal(seqfix_retain(&f->sf, KEEP), 0);
	assert_int_equal(seqfix_finish(&f->sf), 0);
	filemodel_put_aside(f->fm, CHECKPOINT_NAME, NULL);
	sweep_starts(f);
}

/* To move the floor, in a copy, with the nth allocation failing. */
static bool
rebase_short(const struct filled *f, const struct rebase *rb, uint64_t n)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = filemodel_clone(f->fm);
	struct ledger ledger = f->ledger;
	struct reason why = REASON_NO_MEMORY;
	struct rebase mine = *rb;
	struct log_floor floor;
	struct seqfix sf;
	bool fired;
	int got;

	mine.io = nomemory_io(filemodel_io(fm));
	nomemory_at(n, false);
	got = rebase_run(&mine, &why);
	fired = nomemory_end();
	mine.io = filemodel_io(fm);
	if (got != 0) {
		if (!fired || got != -ENOMEM || !strstr(why.text, "memory"))
			fail_msg("allocation %u: %d, '%s'", (unsigned)n, got,
			    why.text);
		assert_int_equal(filemodel_size(fm, BASE_TMP), -1);
		assert_true(floor_read(mine.io, mine.dirfd, &floor, &why) >= 0);
		assert_int_equal(floor.seq, 1);
		assert_int_equal(rebase_run(&mine, &why), REBASE_DONE);
	}
	assert_int_equal(retain_remove(mine.io, mine.dirfd, &why), 0);
	filemodel_kill(fm);
	seqfix_init(&sf, fm, &ledger, seed);
	expect_good(&sf);
	assert_true(sf.tail.oldest_seq > 1);
	seqfix_stop(&sf);
	return fired;
}

static void
a_floor_moves_or_stays(void **state)
{
	const struct retain_policy policy = { .keep_bytes = KEEP };
	const struct seqfix_lie none = { .of = 0 };
	CLEANUP(filemodel_freep) struct filemodel *disk = filemodel_new(1);
	struct filled *f = *state;
	struct seqfix *sf = &f->sf;
	struct rebase rb = { .dirfd = sf->dirfd,
		.max_keys = SEQFIX_KEYS,
		.rows_io = filemodel_io(disk) };
	uint64_t n = 1;

	assert_int_equal(retainfix_look(filemodel_io(f->fm), sf->dirfd, &policy,
			     &rb.floor, &sf->why),
	    RETAIN_FLOOR);
	rb.rows_fd = seqfix_rows(sf, disk, &rb.floor, &none);
	assert_true(rb.rows_fd >= 0);
	assert_int_equal(seqfix_finish(sf), 0);
	while (rebase_short(f, &rb, n))
		n++;
	assert_true(n > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_start_fails_or_finds_all_that_there_is, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_base_is_never_called_damaged_for_want_of_memory, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_floor_moves_or_stays, setup, teardown),
	};

	seed = seed_draw();
	return cmocka_run_group_tests_name("writer_memory", tests, NULL, NULL);
}
