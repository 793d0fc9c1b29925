/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A writer over the file model, without threads: recovery, state, sequencer,
 * keys, syncer, checkpoints and ring, all of the real code, driven by hand
 * and by dice, and compared with a ledger.
 */

#ifndef PEAL_TESTS_LIB_SEQFIX_H
#define PEAL_TESTS_LIB_SEQFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/reason.h"
#include "log/floor.h"
#include "log/recover.h"
#include "log/witness.h"
#include "tests/lib/filemodel.h"
#include "tests/lib/ledger.h"
#include "writer/admit.h"
#include "writer/checkpoint.h"
#include "writer/sequence.h"
#include "writer/state.h"

enum {
	SEQFIX_PROMISES = 64,
	SEQFIX_SEGMENT = 32 << 10,
	SEQFIX_DAMAGED = 3, /* of seqfix_start() */
	SEQFIX_KEYS = 1000,
};

struct seqfix {
	struct filemodel *fm;
	const struct sysio *io; /* of fm, or what stands before it */
	int dirfd;
	struct ledger *ledger;
	uint64_t dice;
	uint64_t segment_bytes;
	uint64_t ring_bytes; /* of payload */
	/* For the next start. */
	struct log_witness known[2];
	unsigned n_known;
	bool rotten; /* whoever verifies may complain */
	struct reason why;

	/* What a process has. */
	struct log_tail tail;
	struct state st;
	struct log_writer *log;
	struct witness *witness;
	struct ring_writer *ring;
	struct gather *gather;
	struct space *space; /* where seqfix_start() is told to have one */
	struct syncer *syncer;
	struct sequencer sq;
	struct admit *ad; /* the one of the program: it is large */
	struct mp_buf msg;
	uint64_t now_us;
	uint64_t rolls;		/* at the last checkpoint */
	uint64_t checkpoint_at; /* seq of one that is not installed; 0: none */
	struct {
		uint64_t serial, seq;
	} promises[SEQFIX_PROMISES]; /* answers that are held */
	unsigned n_promises;
	bool running;
};

/* Over fm, which stays the caller's, as stays ledger. */
void seqfix_init(struct seqfix *sf, struct filemodel *fm, struct ledger *ledger,
    uint64_t seed);
/* Below n. */
uint64_t seqfix_roll(struct seqfix *sf, uint64_t n);

/*
 * Recover, load, pre-load a ring.  0, SEQFIX_DAMAGED with a reason, or
 * -errno.  The ledger is cut to where the log ends, if it may end there;
 * what is in the ring is promised from then on.  with_space: the sequencer
 * asks for room, which wants segments of 4 MiB.
 */
MUST_CHECK int seqfix_start(struct seqfix *sf, bool with_space);
/* Let go of everything as a dying process does. */
void seqfix_stop(struct seqfix *sf);
/* In good order, with a checkpoint. */
MUST_CHECK int seqfix_finish(struct seqfix *sf);

enum seqfix_asked {
	SEQFIX_RIGHT = 0, /* answered as the ledger says */
	SEQFIX_WRONG,	  /* why says how it was not */
	SEQFIX_FULL,	  /* storage_full, and nothing has changed */
	SEQFIX_WAIT,	  /* no room yet */
};

/* Sequence a request; its answer is held until its frame is done. */
MUST_CHECK int seqfix_ask(struct seqfix *sf, const struct ask *a);
/* A request as dice and ledger want it: new, repeated, reused, conflicting. */
void seqfix_draw(struct seqfix *sf, struct ask *a);

/*
 * Write, flush and publish what has gathered, release answers, save and
 * install checkpoints.  0 or -errno: the process has failed.
 */
MUST_CHECK int seqfix_flush(struct seqfix *sf);
MUST_CHECK int seqfix_idle(struct seqfix *sf);

/*
 * n rounds that store something: some requests, a flush and now and then an
 * IDLE frame.  0, -errno, or SEQFIX_WRONG.
 */
MUST_CHECK int seqfix_work(struct seqfix *sf, unsigned n);
/* The same of a new writer over a model of its own; ledger: an empty one. */
MUST_CHECK int seqfix_begin(
    struct seqfix *sf, struct ledger *ledger, uint64_t seed, unsigned n);
/* Let go of it, and of its model. */
void seqfix_end(struct seqfix *sf);

/* What is wrong with rows; all zero: nothing. */
struct seqfix_lie {
	uint64_t epoch, seq; /* of the archive: as much more, less */
	uint8_t log;
	bool backwards;
	unsigned of; /* the row that the rest is about */
	uint64_t version, last_seq;
	bool left_out, twice;
	bool edited; /* since its hash was made */
};

/* The rows of the event before floor, on disk: a descriptor or -errno. */
MUST_CHECK int seqfix_rows(struct seqfix *sf, struct filemodel *disk,
    const struct log_floor *floor, const struct seqfix_lie *lie);
/* As rebase_run(), with such rows. */
MUST_CHECK int seqfix_rebase(struct seqfix *sf, const struct log_floor *floor,
    const struct seqfix_lie *lie);
/*
 * Give up the oldest segments, as long as more than keep_bytes of them are
 * there, and pack what may be packed.  0, -errno or SEQFIX_WRONG.
 */
MUST_CHECK int seqfix_retain(struct seqfix *sf, uint64_t keep_bytes);

/*
 * Are log, state, keys and ring after a start what the ledger says?  false,
 * and why tells.
 */
MUST_CHECK bool seqfix_good(struct seqfix *sf);
/* The same after going on for a little and starting once more. */
MUST_CHECK bool seqfix_goes_on(struct seqfix *sf);

#endif
