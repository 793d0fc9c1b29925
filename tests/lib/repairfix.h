/* SPDX-License-Identifier: BSD-2-Clause */

/* A log in the file model that is repaired, for tests. */

#ifndef PEAL_TESTS_LIB_REPAIRFIX_H
#define PEAL_TESTS_LIB_REPAIRFIX_H

#include <stdint.h>

#include "log/repair.h"
#include "tests/lib/modelfix.h"

enum {
	REPAIRFIX_NOW_S = 1000000,
};

/* "5..8,20..22"; "none". */
const char *repairfix_ranges(const struct log_repair *r);
/* log_repair_plan() without other witnesses; the writer is gone then. */
int repairfix_plan(struct modelfix *m, struct log_repair *r);
/* The log in dirfd begins with oldest, and all of it is as r says. */
void repairfix_check(
    struct modelfix *m, int dirfd, const struct log_repair *r, uint64_t oldest);
/* Make it as planned; the writer goes on with it.  Its directory. */
int repairfix_make(struct modelfix *m, struct log_repair *r, uint64_t oldest);
/*
 * Damage was done: exactly that is lost, the first `linked` segments stay as
 * they are, the rest goes on, and the log that was is as it was.
 */
void repairfix_expect(struct modelfix *m, const char *lost, uint64_t linked);
/* Nothing is planned, and the sentence has text in it. */
void repairfix_refused(struct modelfix *m, const char *text);

#endif
