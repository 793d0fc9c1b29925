/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Indexes, checkpoints, witness and seals are caches: without all of them the
 * log, its state and its keys are the same, and it goes on.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log/format.h"
#include "log/log_reader.h"
#include "log/witness.h"
#include "tests/lib/cutfix.h"
#include "tests/lib/seed.h"

enum {
	WORKLOADS = 6,
	NAMES = 64,
	NAME_BYTES = 64
};

struct names {
	char v[NAMES][NAME_BYTES];
	size_t n;
};

static uint64_t seed;

static int
take_name(void *arg, const char *name)
{
	struct names *names = arg;

	assert_true(names->n < NAMES && strlen(name) < NAME_BYTES);
	strcpy(names->v[names->n++], name);
	return 0;
}

static bool
ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcmp(name + n - m, suffix) == 0;
}

static void
wipe_seal(void *arg, uint8_t *bytes, uint64_t size)
{
	unsigned *wiped = arg;
	uint8_t *seal = bytes + size - LOG_PAGE;

	*wiped += memcmp(seal, seal + 1, LOG_PAGE - 1) != 0;
	memset(seal, 0, LOG_PAGE);
}

struct lost {
	unsigned indexes, checkpoints, witnesses, seals, packed;
};

/* Take the caches away; the seals, too, where seals says so. */
static void
lose(struct filemodel *fm, bool seals, struct lost *lost)
{
	struct names names = { .n = 0 };

	assert_int_equal(
	    sysio_list(filemodel_io(fm), filemodel_root(fm), take_name, &names),
	    0);
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.v[i];
		bool packed = ends_with(name, ".segz");

		if (ends_with(name, ".seg") || packed) {
			lost->packed += packed;
			if (seals)
				filemodel_edit(
				    fm, name, wipe_seal, &lost->seals);
			continue;
		}
		if (ends_with(name, ".idx"))
			lost->indexes++;
		else if (strcmp(name, "writer.ckpt") == 0)
			lost->checkpoints++;
		else if (strcmp(name, WITNESS_NAME) == 0)
			lost->witnesses++;
		else
			continue;
		filemodel_put_aside(fm, name, NULL);
	}
}

static void
lose_and_judge(bool seals, struct lost *lost)
{
	static struct seqfix sf;
	static struct ledger ledger;

	for (unsigned i = 0; i < WORKLOADS; i++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = cutfix_run(seed + i, 0, &ledger);
		int err;

		filemodel_restart(fm, SURVIVE_ALL, 0);
		lose(fm, seals, lost);
		seqfix_init(&sf, fm, &ledger, seed + i);
		sf.rotten = seals;
		err = seqfix_start(&sf, false);
		if (err || !seqfix_good(&sf) || !seqfix_goes_on(&sf))
			fail_msg("workload %u: %d, %s", i, err, sf.why.text);
		seqfix_stop(&sf);
	}
}

static void
without_index_checkpoint_and_witness_all_is_the_same(void **state)
{
	struct lost lost = { 0 };

	(void)state;
	lose_and_judge(false, &lost);
	assert_true(lost.indexes >= WORKLOADS && lost.packed > 0);
	assert_int_equal(lost.checkpoints, WORKLOADS);
	assert_int_equal(lost.witnesses, WORKLOADS);
}

static void
without_the_seals_too(void **state)
{
	struct lost lost = { 0 };

	(void)state;
	lose_and_judge(true, &lost);
	assert_true(lost.seals >= WORKLOADS && lost.packed > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    without_index_checkpoint_and_witness_all_is_the_same),
		cmocka_unit_test(without_the_seals_too),
	};

	seed = seed_draw();
	return cmocka_run_group_tests_name("writer_caches", tests, NULL, NULL);
}
