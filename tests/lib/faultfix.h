/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is done to a log, done in a copy of it for each fault that may come in
 * between: a call that fails, or memory that is short.
 */

#ifndef PEAL_TESTS_LIB_FAULTFIX_H
#define PEAL_TESTS_LIB_FAULTFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "log/repair.h"
#include "log/verify.h"
#include "tests/lib/modelfix.h"

enum {
	FAULTFIX_LAST = 60, /* of modelfix_fill_segments() */
};

/* The copy, with directories for what is made of it. */
struct faultfix {
	struct modelfix m;
	int to, second;
	/* What the operation found. */
	long n_read;
	struct log_verify verified;
	struct log_repair planned;
};

struct faultfix_op {
	/* Done without faults; or NULL. */
	int (*before)(struct faultfix *w);
	/*
	 * Below zero: -errno, and why.  0: all is as it should be, as far as
	 * this one says, and then look() looks.
	 */
	int (*run)(struct faultfix *w);
	void (*look)(struct faultfix *w);
};

struct faultfix_kind {
	/* The nth time from now on it fails. */
	void (*arm)(struct faultfix *w, uint64_t n);
	/* Has it?  It does so no more. */
	bool (*disarm)(struct faultfix *w);
	/* It has, and got is what the operation says: is that right? */
	bool (*told)(struct faultfix *w, int got);
};

/*
 * op with a fault at its first chance, its second …, until it has ended
 * without one; some that failed are tried again.  Returns how many failed.
 */
unsigned faultfix_sweep(struct modelfix *m, const struct faultfix_kind *kind,
    const struct faultfix_op *op);

/* Of a log as modelfix_fill_segments() makes it, or the same packed. */
extern const struct faultfix_op faultfix_reading;
extern const struct faultfix_op faultfix_verifying;
extern const struct faultfix_op faultfix_backup;
extern const struct faultfix_op faultfix_backup_part; /* up to event 18 */
extern const struct faultfix_op faultfix_restore;
/* With events 28 to 30 damaged by faultfix_damage(). */
extern const struct faultfix_op faultfix_plan;
extern const struct faultfix_op faultfix_repair;

void faultfix_damage(struct modelfix *m);
/* The writer is gone, and all that may be packed is. */
void faultfix_pack(struct modelfix *m);

#endif
