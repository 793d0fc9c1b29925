/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Cuts: a workload of a writer over the file model, stopped at any of its
 * calls, and the verdict on what it leaves.
 */

#ifndef PEAL_TESTS_LIB_CUTFIX_H
#define PEAL_TESTS_LIB_CUTFIX_H

#include "tests/lib/seqfix.h"

enum cutfix_verdict {
	CUTFIX_GOOD,
	CUTFIX_REFUSED, /* loudly, by recovery or while loading */
	CUTFIX_WRONG,
};

/*
 * Three starts: the second follows an end in good order, the third a kill.
 * 0, or what the first call that failed said.
 */
MUST_CHECK int cutfix_workload(struct seqfix *sf);

/*
 * The workload of this number until the power goes in call (0: to its end),
 * nothing lost yet.  The caller owns the model.
 */
struct filemodel *cutfix_run(
    uint64_t number, uint64_t call, struct ledger *ledger);
/* Calls of the whole workload. */
uint64_t cutfix_calls(uint64_t number);

/* What to let survive in the kth try. */
enum filemodel_survive cutfix_fate(unsigned k);

/*
 * Recover what fm holds; the test fails where it is not what it must be.
 * goes_on: append to it, too, and start once more.
 */
void cutfix_judge(struct filemodel *fm, const struct ledger *ledger,
    bool goes_on, uint64_t call, const char *what);
/*
 * The same verdict, without the failure; *why tells.  known: a witness where
 * the disk has lied, NULL elsewhere.
 */
enum cutfix_verdict cutfix_verdict(struct filemodel *fm,
    const struct ledger *ledger, const struct log_witness *known,
    struct reason *why);

#endif
