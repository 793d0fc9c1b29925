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
	uint64_t last; /* event that it has */
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

/* Of any log that is whole. */
extern const struct faultfix_op faultfix_reading;
extern const struct faultfix_op faultfix_verifying;
extern const struct faultfix_op faultfix_recovery;
extern const struct faultfix_op faultfix_sums; /* those that are missing */
extern const struct faultfix_op faultfix_backup;
extern const struct faultfix_op faultfix_backup_again;
extern const struct faultfix_op faultfix_backup_part; /* up to event 18 */
extern const struct faultfix_op faultfix_restore;
/* Verification of a log by faultfix_fill_edited(). */
extern const struct faultfix_op faultfix_auditing;
/* With events damaged by one of the following. */
extern const struct faultfix_op faultfix_plan;
extern const struct faultfix_op faultfix_repair;

/* A frame of a log by modelfix_fill_segments(). */
void faultfix_damage(struct modelfix *m);
/* A frame, and all headers of the next segment. */
void faultfix_damage_aged(struct modelfix *m);
/* The middle of a frame that another follows. */
void faultfix_damage_wide(struct modelfix *m);

/*
 * With all that time does to a log: a floor and its base, a packed segment,
 * one left in a crash, one whose seal is damaged, sums, a witness.
 */
void faultfix_fill_aged(struct modelfix *m);
/* Frames that are not read at once, two to a segment. */
void faultfix_fill_wide(struct modelfix *m);
/* An event was changed, and sums say which. */
void faultfix_fill_edited(struct modelfix *m);

/* The writer is gone, and all that may be packed is. */
void faultfix_pack(struct modelfix *m);

#endif
