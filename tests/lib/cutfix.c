/* SPDX-License-Identifier: BSD-2-Clause */

/* Cuts; what a workload does follows from its number alone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/cutfix.h"

enum {
	EVENTS_MIN = 60
};

/*
 * Three starts and what lies between; the second is killed.  The oldest
 * segments go twice, and what may be packed is.
 */
int
cutfix_workload(struct seqfix *sf)
{
	int err = seqfix_start(sf, false);

	if (!err)
		err = seqfix_work(sf, 12);
	if (!err)
		err = seqfix_finish(sf);
	if (!err)
		err = seqfix_start(sf, false);
	if (!err)
		err = seqfix_retain(sf, 2 * SEQFIX_SEGMENT);
	if (!err)
		err = seqfix_work(sf, 6);
	if (!err)
		err = seqfix_start(sf, false);
	if (!err)
		err = seqfix_work(sf, 4);
	if (!err)
		err = seqfix_retain(sf, 3 * SEQFIX_SEGMENT);
	/* Some dice give requests of one event. */
	while (!err && sf->ledger->n < EVENTS_MIN)
		err = seqfix_work(sf, 1);
	return err;
}

/* The workload of this number, up to call (0: to its end). */
struct filemodel *
cutfix_run(uint64_t number, uint64_t call, struct ledger *ledger)
{
	struct filemodel *fm = filemodel_new(number);
	static struct seqfix sf;
	int err;

	memset(ledger, 0, sizeof(*ledger));
	seqfix_init(&sf, fm, ledger, number);
	if (call)
		filemodel_cut_at(fm, call);
	err = cutfix_workload(&sf);
	if (err > 0 || (err < 0 && !call))
		fail_msg("workload %llu: %d, %s", (unsigned long long)number,
		    err, sf.why.text);
	seqfix_stop(&sf);
	return fm;
}

uint64_t
cutfix_calls(uint64_t number)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	static struct ledger ledger;

	fm = cutfix_run(number, 0, &ledger);
	assert_true(filemodel_calls(fm) > 200 && ledger.n > 50);
	assert_true(filemodel_size(fm, FLOOR_NAME) > 0);
	return filemodel_calls(fm);
}

/* Whatever is asked of fm, it must be good. */
void
cutfix_judge(struct filemodel *fm, const struct ledger *ledger, bool goes_on,
    uint64_t call, const char *what)
{
	static struct seqfix sf;
	struct ledger copy = *ledger;
	int err;

	seqfix_init(&sf, fm, &copy, call);
	sf.why.text[0] = '\0';
	err = seqfix_start(&sf, false);
	if (err || !seqfix_good(&sf) || (goes_on && !seqfix_goes_on(&sf)))
		fail_msg("%s at call %d: %d, promised %d of %d: %s", what,
		    (int)call, err, (int)ledger->promised, (int)ledger->n,
		    sf.why.text);
	seqfix_stop(&sf);
}

enum filemodel_survive
cutfix_fate(unsigned k)
{
	static const enum filemodel_survive later[] = { SURVIVE_RANDOM,
		SURVIVE_PREFIX, SURVIVE_RANDOM, SURVIVE_SUFFIX };

	if (k < 2)
		return k ? SURVIVE_ALL : SURVIVE_NOTHING;
	return later[k % ARRAY_LEN(later)];
}

enum cutfix_verdict
cutfix_verdict(struct filemodel *fm, const struct ledger *ledger,
    const struct log_witness *known, struct reason *why)
{
	static struct seqfix sf;
	struct ledger copy = *ledger;
	enum cutfix_verdict is = CUTFIX_GOOD;
	int err;

	seqfix_init(&sf, fm, &copy, 1);
	sf.rotten = known != NULL;
	if (known)
		sf.known[sf.n_known++] = *known;
	sf.why.text[0] = '\0';
	err = seqfix_start(&sf, false);
	if (err == SEQFIX_DAMAGED)
		is = CUTFIX_REFUSED;
	else if (err || !seqfix_good(&sf))
		is = CUTFIX_WRONG;
	*why = sf.why;
	seqfix_stop(&sf);
	return is;
}
