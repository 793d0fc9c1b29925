/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The power goes at every call of a workload, and of what was not flushed
 * nothing, everything, a prefix or some sectors survive: what was acknowledged
 * is there, whole and in order, and the log goes on.  Each call can fail as
 * well.  PEAL_TEST_SEED repeats a run, PEAL_TEST_ROUNDS makes it longer.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/log_reader.h"
#include "log/verify.h"
#include "log/witness.h"
#include "tests/lib/filemodel.h"
#include "tests/lib/logfix.h"
#include "tests/lib/seed.h"

enum {
	SEQS_MAX = 512,
	SMALL_SEGMENT = 32 << 10
};

/* What a producer knows. */
struct history {
	uint64_t acked;	   /* the highest seq that was acknowledged */
	uint64_t appended; /* the highest that was asked for */
	unsigned witnessed;
	bool end[SEQS_MAX]; /* seqs with which a request ends; 0 too */
};

static uint64_t seed;
static unsigned rounds;

static void
workload_append(struct logfix *fx, struct history *h, unsigned n, int *err)
{
	if (*err < 0)
		return;
	h->appended = MAX(h->appended, fx->next_seq + n - 1);
	h->end[fx->next_seq + n - 1] = true;
	*err = logfix_stamp(fx, n);
}

/* One start of a writer with some flushes.  Below zero: it has died. */
static int
workload_start(struct logfix *fx, struct history *h, unsigned flushes)
{
	CLEANUP(witness_freep) struct witness *wit = NULL;
	int err = logfix_recover(fx);

	if (err != RECOVER_OK)
		return err < 0 ? err : -EUCLEAN;
	err = witness_open(fx->io, fx->dirfd, WITNESS_NAME, fx->tail.log_id,
	    fx->tail.epoch, &wit, &fx->why);
	for (unsigned i = 0; err == 0 && i < flushes; i++) {
		workload_append(fx, h, 1 + i % 3, &err);
		if (i % 2)
			workload_append(fx, h, 2, &err);
		if (i % 4 == 3)
			workload_append(fx, h, 20, &err);
		if (err == 0)
			err = logfix_flush(fx);
		if (err < 0)
			break;
		h->acked = MAX(h->acked, fx->durable_seq);
		/* That may fail without harm. */
		h->witnessed += witness_store(wit, fx->durable_seq) == 0;
		if (i % 3 == 2)
			err = logfix_idle(fx);
	}
	return err;
}

static int
workload(struct filemodel *fm, struct history *h)
{
	struct logfix fx;
	int err;

	*h = (struct history){ .end[0] = true };
	logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
	fx.segment_bytes = SMALL_SEGMENT;
	err = workload_start(&fx, h, 16);
	if (err == 0)
		err = workload_start(&fx, h, 1);
	if (err == 0)
		err = workload_start(&fx, h, 6);
	logfix_deinit(&fx);
	return err;
}

static void
note_problem(void *arg, const struct log_problem *problem)
{
	log_problem_sentence(problem, arg);
}

/*
 * Recover what is in fm, compare with h, and go on.  false: it is not what it
 * must be, and complaint says why.
 */
static bool
log_is_good(struct filemodel *fm, const struct history *h, char *complaint)
{
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.problem = note_problem,
		.arg = complaint };
	struct logfix fx;
	uint64_t last;
	int outcome = -1;
	bool good = false;
	long n = -1;

	complaint[0] = '\0';
	logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
	fx.segment_bytes = SMALL_SEGMENT;
	if (logfix_recover(&fx) != RECOVER_OK) {
		snprintf(complaint, LOG_PROBLEM_SENTENCE, "%s", fx.why.text);
		goto out;
	}
	last = fx.tail.last_seq;
	snprintf(complaint, LOG_PROBLEM_SENTENCE, "it ends with %d", (int)last);
	if (last < h->acked || last > h->appended || !h->end[last])
		goto out;
	n = logfix_read(&fx, last, &outcome);
	snprintf(complaint, LOG_PROBLEM_SENTENCE, "%ld are read, then %d", n,
	    outcome);
	if (n != (long)last || outcome != LOG_READ_END)
		goto out;
	complaint[0] = '\0';
	for (int i = 0; i < 3; i++)
		if (logfix_append(&fx, 3) < 0)
			goto out;
	if (logfix_recover(&fx) != RECOVER_OK || fx.tail.last_seq != last + 9)
		goto out;
	n = logfix_read(&fx, last + 9, &outcome);
	if (n != (long)last + 9 || outcome != LOG_READ_END)
		goto out;
	good = log_verify(fx.io, fx.dirfd, &verify, &fx.why) == 0 &&
	       verify.problems == 0 && verify.events == last + 9;
out:
	logfix_deinit(&fx);
	return good;
}

/* The lengths of what a cut leaves are tried one after the other. */
static const struct {
	enum filemodel_survive how;
	unsigned times;
} fates[] = {
	{ SURVIVE_NOTHING, 1 },
	{ SURVIVE_ALL, 1 },
	{ SURVIVE_PREFIX, 3 },
	{ SURVIVE_RANDOM, 5 },
};

static void
check_survivors(
    const struct filemodel *cut, const struct history *h, uint64_t call)
{
	char complaint[LOG_PROBLEM_SENTENCE];

	for (size_t i = 0; i < ARRAY_LEN(fates); i++)
		for (unsigned k = 0; k < fates[i].times * rounds; k++) {
			CLEANUP(filemodel_freep)
			struct filemodel *fm = filemodel_clone(cut);

			filemodel_restart(
			    fm, fates[i].how, seed + call * 1000 + k);
			if (!log_is_good(fm, h, complaint))
				fail_msg("cut at call %d, fate %d.%u: "
					 "acknowledged %d of %d; %s",
				    (int)call, fates[i].how, k, (int)h->acked,
				    (int)h->appended, complaint);
		}
}

static uint64_t
count_calls(void)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = filemodel_new(seed);
	struct history h;

	assert_int_equal(workload(fm, &h), 0);
	assert_int_equal(h.acked, h.appended);
	return filemodel_calls(fm);
}

static void
a_power_cut_at_any_call_loses_nothing_acknowledged(void **state)
{
	uint64_t calls = count_calls();

	assert_true(calls > 200);
	for (uint64_t call = 1; call <= calls; call++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_new(seed);
		struct history h;

		filemodel_cut_at(fm, call);
		(void)workload(fm, &h);
		check_survivors(fm, &h, call);
	}
}

static void
a_power_cut_while_recovering_loses_nothing_either(void **state)
{
	uint64_t calls = count_calls();

	for (uint64_t call = 5; call <= calls; call += 7) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_new(seed);
		struct history h;
		struct logfix fx;
		int err = -1;

		filemodel_cut_at(fm, call);
		(void)workload(fm, &h);
		filemodel_restart(fm, SURVIVE_RANDOM, seed + call);
		for (uint64_t second = 1; err < 0; second++) {
			CLEANUP(filemodel_freep)
			struct filemodel *again = filemodel_clone(fm);

			filemodel_cut_at(
			    again, filemodel_calls(again) + second);
			logfix_init(
			    &fx, filemodel_io(again), filemodel_root(again));
			fx.segment_bytes = SMALL_SEGMENT;
			err = logfix_recover(&fx);
			assert_true(err <= 0);
			logfix_deinit(&fx);
			check_survivors(again, &h, call);
		}
	}
}

/* Without it the tests above might pass because they see nothing. */
static void
a_disk_that_flushes_nothing_is_found_out(void **state)
{
	char complaint[LOG_PROBLEM_SENTENCE];
	uint64_t calls = count_calls();
	unsigned found = 0;

	for (uint64_t call = calls / 2; call <= calls; call += 5) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_new(seed);
		struct history h;

		filemodel_lie(fm);
		filemodel_cut_at(fm, call);
		(void)workload(fm, &h);
		filemodel_restart(fm, SURVIVE_RANDOM, seed + call);
		if (!log_is_good(fm, &h, complaint))
			found++;
	}
	assert_true(found > 10);
}

static void
an_error_at_any_call_ends_the_writer_and_loses_nothing(void **state)
{
	static const int errors[] = { -EIO, -ENOSPC };
	uint64_t calls = count_calls();
	char complaint[LOG_PROBLEM_SENTENCE];

	for (uint64_t call = 1; call <= calls; call++)
		for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
			CLEANUP(filemodel_freep)
			struct filemodel *fm = filemodel_new(seed);
			struct history h;

			filemodel_fail_at(fm, call, errors[i]);
			(void)workload(fm, &h);
			assert_true(filemodel_fired(fm));
			/* The process has ended, the system has not. */
			if (!log_is_good(fm, &h, complaint))
				fail_msg("error %d at call %d: acknowledged "
					 "%d of %d; %s",
				    errors[i], (int)call, (int)h.acked,
				    (int)h.appended, complaint);
		}
}

static void
an_interruption_or_a_short_write_at_any_call_changes_nothing(void **state)
{
	static const int errors[] = { -EINTR, FILEMODEL_SHORT };
	uint64_t calls = count_calls();
	char complaint[LOG_PROBLEM_SENTENCE];

	for (uint64_t call = 1; call <= calls; call++)
		for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
			CLEANUP(filemodel_freep)
			struct filemodel *fm = filemodel_new(seed);
			struct history h;

			filemodel_fail_at(fm, call, errors[i]);
			if (workload(fm, &h) < 0 || h.acked != h.appended)
				fail_msg("%d at call %d", errors[i], (int)call);
			assert_true(filemodel_fired(fm));
			assert_true(log_is_good(fm, &h, complaint));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_power_cut_at_any_call_loses_nothing_acknowledged),
		cmocka_unit_test(
		    a_power_cut_while_recovering_loses_nothing_either),
		cmocka_unit_test(a_disk_that_flushes_nothing_is_found_out),
		cmocka_unit_test(
		    an_error_at_any_call_ends_the_writer_and_loses_nothing),
		cmocka_unit_test(
		    an_interruption_or_a_short_write_at_any_call_changes_nothing),
	};
	const char *text = getenv("PEAL_TEST_ROUNDS");

	seed = seed_draw();
	rounds = text ? (unsigned)strtoul(text, NULL, 10) : 1;
	return cmocka_run_group_tests_name("log_crash", tests, NULL, NULL);
}
