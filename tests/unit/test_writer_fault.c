/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each call of a workload of the writer fails, is interrupted, does half of
 * its work or lies: the writer stops for good or goes on as if nothing had
 * happened, and the disk holds what was promised or says aloud what it lacks.
 * PEAL_TEST_SEED repeats a run.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log/log_writer.h"
#include "tests/lib/cutfix.h"
#include "tests/lib/seed.h"
#include "writer/space.h"

static uint64_t seed;

/* The workload with err in this call.  What it returned; it is stopped. */
static int
run_with(struct filemodel *fm, struct ledger *ledger, uint64_t call, int err,
    enum filemodel_survive loss)
{
	static struct seqfix sf;
	int got;

	memset(ledger, 0, sizeof(*ledger));
	seqfix_init(&sf, fm, ledger, seed);
	filemodel_fail_at(fm, call, err);
	filemodel_set_loss(fm, loss);
	got = cutfix_workload(&sf);
	if (got == SEQFIX_WRONG ||
	    (got == SEQFIX_DAMAGED && err != FILEMODEL_LIE))
		fail_msg(
		    "error %d in call %d: %s", err, (int)call, sf.why.text);
	/* It has failed: whatever is tried now, nothing gets out any more. */
	if (got < 0 && sf.syncer) {
		uint64_t promised = ledger->promised;

		(void)!seqfix_flush(&sf);
		(void)!seqfix_idle(&sf);
		assert_int_equal(ledger->promised, promised);
	}
	seqfix_stop(&sf);
	return got;
}

/* The process has ended; then the power goes, too. */
static void
judge_failed(struct filemodel *fm, const struct ledger *ledger, uint64_t call)
{
	CLEANUP(filemodel_freep) struct filemodel *cut = filemodel_clone(fm);

	filemodel_kill(fm);
	cutfix_judge(fm, ledger, true, call, "an error");
	filemodel_restart(cut, SURVIVE_NOTHING, 0);
	cutfix_judge(cut, ledger, false, call, "an error and a power cut");
}

static void
an_error_of_any_call_stops_the_writer_or_does_no_harm(void **state)
{
	static const int errors[] = { -EIO, -ENOSPC, -EDQUOT };
	static struct ledger ledger;
	uint64_t calls = cutfix_calls(seed);
	unsigned stopped = 0;

	for (uint64_t call = 1; call <= calls; call++)
		for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
			CLEANUP(filemodel_freep)
			struct filemodel *fm = filemodel_new(seed);

			stopped +=
			    run_with(fm, &ledger, call, errors[i],
				i == 1 ? SURVIVE_RANDOM : SURVIVE_NOTHING) < 0;
			assert_true(filemodel_fired(fm));
			judge_failed(fm, &ledger, call);
		}
	/* Neither all of them nor none. */
	assert_in_range(stopped, calls, 3 * calls - 50);
}

static void
an_interruption_or_half_a_transfer_changes_nothing(void **state)
{
	static const int errors[] = { -EINTR, FILEMODEL_SHORT };
	static struct ledger ledger, whole;
	uint64_t calls = cutfix_calls(seed);

	filemodel_free(cutfix_run(seed, 0, &whole));
	for (uint64_t call = 1; call <= calls; call++)
		for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
			CLEANUP(filemodel_freep)
			struct filemodel *fm = filemodel_new(seed);

			if (run_with(
				fm, &ledger, call, errors[i], SURVIVE_NOTHING))
				fail_msg("%d in call %d", errors[i], (int)call);
			assert_true(filemodel_fired(fm));
			assert_memory_equal(&ledger, &whole, sizeof(whole));
			filemodel_restart(fm, SURVIVE_NOTHING, 0);
			cutfix_judge(fm, &ledger, false, call, "half a call");
		}
}

/* Whose log it is, as the broker's witness knows it. */
static struct log_witness
broker_witness(const struct filemodel *fm, uint64_t seq)
{
	CLEANUP(filemodel_freep) struct filemodel *look = filemodel_clone(fm);
	struct log_witness wit = { .name = "position.wit", .epoch = 1 };
	struct reason why;

	filemodel_kill(look);
	assert_int_equal(witness_load(filemodel_io(look), filemodel_root(look),
			     WITNESS_NAME, &wit, &why),
	    WITNESS_LOADED);
	wit.name = "position.wit";
	wit.seq = seq;
	return wit;
}

/* A sync in this call says that it was done.  false: the call is no sync. */
static bool
judge_lie(uint64_t call, unsigned *refused)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = filemodel_new(seed);
	static struct ledger ledger;
	struct log_witness wit;
	struct reason why;

	(void)run_with(fm, &ledger, call, FILEMODEL_LIE, SURVIVE_NOTHING);
	if (!filemodel_fired(fm))
		return false;
	wit = broker_witness(fm, ledger.promised);
	for (unsigned k = 0; k < 8; k++) {
		CLEANUP(filemodel_freep)
		struct filemodel *cut = filemodel_clone(fm);
		enum cutfix_verdict is;

		filemodel_restart(cut, cutfix_fate(k), seed + k);
		is = cutfix_verdict(cut, &ledger, &wit, &why);
		if (is == CUTFIX_WRONG)
			fail_msg("a lie in call %d, fate %u: %s", (int)call, k,
			    why.text);
		/* The floor is of no event, and its base of all before. */
		if (is == CUTFIX_REFUSED && !strstr(why.text, "events ") &&
		    !strstr(why.text, "'FLOOR'"))
			fail_msg("a lie in call %d names no range: %s",
			    (int)call, why.text);
		*refused += is == CUTFIX_REFUSED;
	}
	return true;
}

static void
a_sync_that_lies_is_found_out_or_does_no_harm(void **state)
{
	uint64_t calls = cutfix_calls(seed);
	unsigned lies = 0, refused = 0;

	for (uint64_t call = 1; call <= calls; call++)
		lies += judge_lie(call, &refused);
	print_message("# %u syncs lied, %u of %u disks were refused\n", lies,
	    refused, 8 * lies);
	assert_true(lies > 50 && refused > lies);
}

/* A writer with a thin disk: the first segment and its spare, no more. */
static void
fill_disk(struct seqfix *sf, unsigned *stored)
{
	struct ask a = { .n = 1, .key = -1 };
	int got = SEQFIX_RIGHT;

	*stored = 0;
	while (got != SEQFIX_FULL) {
		a.ev[0] = (struct ask_event){ .expect = ASK_ANY,
			.data = LEDGER_LARGE + *stored };
		got = seqfix_ask(sf, &a);
		if (got == SEQFIX_WRONG)
			fail_msg("%s", sf->why.text);
		*stored += got == SEQFIX_RIGHT;
		assert_true(*stored < 300);
		if (got != SEQFIX_FULL)
			assert_int_equal(seqfix_flush(sf), 0);
	}
}

static void
a_full_disk_refuses_appends_reads_on_and_resumes(void **state)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = filemodel_new(seed);
	static struct ledger ledger;
	static struct seqfix sf;
	struct ask a = { .n = 1,
		.key = 3,
		.ev = { { .expect = ASK_ANY, .data = LEDGER_LARGE } } };
	unsigned stored, more;

	memset(&ledger, 0, sizeof(ledger));
	seqfix_init(&sf, fm, &ledger, seed);
	sf.segment_bytes = 4 << 20;
	sf.ring_bytes = 4 << 20;
	assert_int_equal(seqfix_start(&sf, true), 0);
	assert_int_equal(seqfix_flush(&sf), 0);
	filemodel_set_room(fm, 1 << 20);
	fill_disk(&sf, &stored);
	assert_true(stored > 30);
	/* What is there is right, and a repeat is told as one. */
	sf.tail.last_seq = ledger.n;
	if (!seqfix_good(&sf))
		fail_msg("%s", sf.why.text);
	assert_int_equal(seqfix_ask(&sf, &a), SEQFIX_FULL);
	filemodel_set_room(fm, 1 << 30);
	space_try(sf.space);
	assert_int_equal(seqfix_ask(&sf, &a), SEQFIX_RIGHT);
	assert_int_equal(seqfix_flush(&sf), 0);
	filemodel_set_room(fm, 1 << 20);
	fill_disk(&sf, &more);
	assert_true(more > 30);
	seqfix_stop(&sf);
	filemodel_restart(fm, SURVIVE_NOTHING, 0);
	/* Without room for a segment it starts and serves. */
	assert_int_equal(seqfix_start(&sf, true), 0);
	assert_true(seqfix_good(&sf));
	space_try(sf.space);
	a.key = 4;
	assert_int_equal(seqfix_ask(&sf, &a), SEQFIX_FULL);
	filemodel_set_room(fm, 1 << 30);
	space_try(sf.space);
	assert_int_equal(seqfix_ask(&sf, &a), SEQFIX_RIGHT);
	assert_int_equal(seqfix_flush(&sf), 0);
	seqfix_stop(&sf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_error_of_any_call_stops_the_writer_or_does_no_harm),
		cmocka_unit_test(
		    an_interruption_or_half_a_transfer_changes_nothing),
		cmocka_unit_test(a_sync_that_lies_is_found_out_or_does_no_harm),
		cmocka_unit_test(
		    a_full_disk_refuses_appends_reads_on_and_resumes),
	};

	seed = seed_draw();
	return cmocka_run_group_tests_name("writer_fault", tests, NULL, NULL);
}
