/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The power goes at every call of a workload of the writer, and of what was
 * not flushed nothing, everything, a prefix, a suffix or some sectors and
 * names survive: what was promised is there, in order and once, state and
 * keys are those of the events, and it goes on.  Several programs share the
 * disks that are tried.  PEAL_TEST_SEED repeats a run, PEAL_TEST_IMAGES says
 * how many distinct disks it tries.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/cutfix.h"
#include "tests/lib/imageset.h"
#include "tests/lib/seed.h"

/* Four of them make 100,000, and some that two of them may share. */
#ifdef __SANITIZE_ADDRESS__
#define IMAGES 2000
#else
#define IMAGES 25500
#endif

enum {
	TRIES = 400,	  /* fates of one cut */
	STALE_TRIES = 20, /* in a row that give no new disk */
};

static uint64_t seed;
static uint64_t wanted;

/* All that one cut can leave, or enough of it. */
static void
judge_cut(struct filemodel *cut, const struct ledger *ledger,
    struct imageset *images, uint64_t call)
{
	unsigned stale = 0;

	/* Once for all clones: the hashes of files that the cut leaves alone. */
	(void)filemodel_image(cut);
	for (unsigned k = 0; k < TRIES && stale < STALE_TRIES; k++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(cut);

		filemodel_restart(fm, cutfix_fate(k), seed + call * TRIES + k);
		stale++;
		if (!imageset_add(images, filemodel_image(fm)))
			continue;
		stale = 0;
		cutfix_judge(fm, ledger, k % 4 == 0, call, "a power cut");
	}
}

static void
a_power_cut_at_any_call_keeps_every_promise(void **state)
{
	CLEANUP(imageset_freep) struct imageset *images = imageset_new();
	uint64_t number = seed, cuts = 0;
	static struct ledger ledger;

	for (; imageset_count(images) < wanted; number++) {
		uint64_t calls = cutfix_calls(number);

		/* The first workload to its end, the last while it is needed. */
		for (uint64_t call = 1;
		     call <= calls &&
		     (number == seed || imageset_count(images) < wanted);
		     call++) {
			CLEANUP(filemodel_freep)
			struct filemodel *cut =
			    cutfix_run(number, call, &ledger);

			judge_cut(cut, &ledger, images, call);
			cuts++;
		}
	}
	print_message("# %llu distinct disks after %llu cuts of %llu "
		      "workloads\n",
	    (unsigned long long)imageset_count(images),
	    (unsigned long long)cuts, (unsigned long long)(number - seed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_cut_at_any_call_keeps_every_promise),
	};
	const char *text = getenv("PEAL_TEST_IMAGES");

	seed = seed_draw();
	wanted = text ? strtoull(text, NULL, 10) : IMAGES;
	return cmocka_run_group_tests_name("writer_cut", tests, NULL, NULL);
}
