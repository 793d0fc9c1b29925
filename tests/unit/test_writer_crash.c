/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The writer is killed, or the power goes while its successor starts: what
 * was promised and what is published is on the disk; the judge that says so
 * is shown what is wrong first.  PEAL_TEST_SEED repeats a run.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/cutfix.h"
#include "tests/lib/imageset.h"
#include "tests/lib/seed.h"

static uint64_t seed;

/*
 * A killed writer's successor reads what nobody has flushed.  What it
 * publishes of that must be on the disk.
 */
static void
what_is_published_after_a_kill_outlives_a_power_cut(void **state)
{
	static struct ledger ledger, then;
	static struct seqfix sf;
	uint64_t calls = cutfix_calls(seed), unflushed = 0;

	for (uint64_t call = 1; call <= calls; call++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = cutfix_run(seed, call, &ledger);

		filemodel_kill(fm);
		then = ledger;
		seqfix_init(&sf, fm, &then, call);
		if (seqfix_start(&sf, false) || !seqfix_good(&sf))
			fail_msg(
			    "a kill at call %d: %s", (int)call, sf.why.text);
		seqfix_stop(&sf);
		unflushed += then.n > ledger.promised;
		for (unsigned k = 0; k < 4; k++) {
			CLEANUP(filemodel_freep)
			struct filemodel *cut = filemodel_clone(fm);

			filemodel_restart(cut, cutfix_fate(k), call * 4 + k);
			cutfix_judge(
			    cut, &then, k == 0, call, "a kill and a cut");
		}
	}
	/* Or nothing of this was tried. */
	assert_true(unflushed > 5);
}

/* The power goes while a successor recovers, loads and begins to serve. */
static void
a_power_cut_while_starting_keeps_every_promise(void **state)
{
	CLEANUP(imageset_freep) struct imageset *images = imageset_new();
	static struct ledger ledger, then;
	static struct seqfix sf;
	uint64_t calls = cutfix_calls(seed);

	for (uint64_t call = 3; call <= calls; call += 11) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = cutfix_run(seed, call, &ledger);
		int err = -1;

		filemodel_restart(fm, SURVIVE_RANDOM, seed + call);
		for (uint64_t second = 1; err < 0; second++) {
			CLEANUP(filemodel_freep)
			struct filemodel *again = filemodel_clone(fm);

			filemodel_cut_at(
			    again, filemodel_calls(again) + second);
			then = ledger;
			seqfix_init(&sf, again, &then, call);
			err = seqfix_start(&sf, false);
			if (!err)
				err = seqfix_work(&sf, 1);
			assert_true(err <= 0);
			seqfix_stop(&sf);
			for (unsigned k = 0; k < 6; k++) {
				CLEANUP(filemodel_freep)
				struct filemodel *cut = filemodel_clone(again);

				filemodel_restart(
				    cut, cutfix_fate(k), call + k);
				if (imageset_add(images, filemodel_image(cut)))
					cutfix_judge(cut, &then, false, call,
					    "a second cut");
			}
		}
	}
	print_message("# %llu distinct disks after a second cut\n",
	    (unsigned long long)imageset_count(images));
}

/* Does the judge find out that ledger is not whole's? */
static bool
found_out(const struct filemodel *whole, const struct ledger *ledger)
{
	CLEANUP(filemodel_freep)
	struct filemodel *fm = filemodel_clone(whole);
	struct reason why;

	return cutfix_verdict(fm, ledger, NULL, &why) != CUTFIX_GOOD;
}

static void
the_judge_refuses_what_is_wrong(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *whole = NULL;
	static struct ledger ledger, wrong;
	uint64_t keyed = 0;

	whole = cutfix_run(seed, 0, &ledger);
	filemodel_restart(whole, SURVIVE_ALL, 0);
	assert_false(found_out(whole, &ledger));
	/* Of the newest events, which retention has left. */
	wrong = ledger;
	wrong.ev[wrong.n - 9].is.data++;
	assert_true(found_out(whole, &wrong));
	wrong = ledger;
	wrong.ev[wrong.n - 7].is.topic++;
	assert_true(found_out(whole, &wrong));
	wrong = ledger;
	wrong.ev[wrong.n - 1].time_us++;
	assert_true(found_out(whole, &wrong));
	wrong = ledger;
	wrong.ev[wrong.n - 1].ends = false;
	assert_true(found_out(whole, &wrong));
	wrong = ledger;
	wrong.ev[wrong.n] = wrong.ev[wrong.n - 1];
	wrong.promised = ++wrong.n;
	assert_true(found_out(whole, &wrong));
	/* An event that was promised and never was a log's. */
	while (ledger.ev[keyed].key < 0)
		keyed++;
	wrong = ledger;
	wrong.ev[keyed].key = LEDGER_KEYS - 1 - wrong.ev[keyed].key;
	assert_true(found_out(whole, &wrong));
}

/* Or the tests above might pass because they cut nothing. */
static void
a_disk_that_flushes_nothing_is_found_out(void **state)
{
	static struct ledger ledger;
	uint64_t calls = cutfix_calls(seed);
	unsigned found = 0;

	for (uint64_t call = calls / 2; call <= calls; call += 9) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_new(seed);
		static struct seqfix sf;

		memset(&ledger, 0, sizeof(ledger));
		seqfix_init(&sf, fm, &ledger, seed);
		filemodel_lie(fm);
		filemodel_cut_at(fm, call);
		(void)!cutfix_workload(&sf);
		seqfix_stop(&sf);
		filemodel_restart(fm, SURVIVE_RANDOM, seed + call);
		found += found_out(fm, &ledger);
	}
	assert_true(found > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_judge_refuses_what_is_wrong),
		cmocka_unit_test(a_disk_that_flushes_nothing_is_found_out),
		cmocka_unit_test(
		    what_is_published_after_a_kill_outlives_a_power_cut),
		cmocka_unit_test(
		    a_power_cut_while_starting_keeps_every_promise),
	};

	seed = seed_draw();
	return cmocka_run_group_tests_name("writer_crash", tests, NULL, NULL);
}
