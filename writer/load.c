/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Load.  A checkpoint that is damaged, missing or ahead of the log costs only
 * time: everything in it follows from the log, and from the base where
 * retention has removed events.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "log/base.h"
#include "log/log_reader.h"
#include "writer/checkpoint.h"
#include "writer/load.h"

struct load {
	const struct sysio *io;
	int dirfd;
	const struct log_tail *tail;
	struct state *st;
	struct reason *why;
};

/* Replay what is behind the checkpoint. */
static int
load_replay(const struct load *ld)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct state *st = ld->st;
	uint64_t last = ld->tail->last_seq;
	struct log_frame frame;
	int err, got;

	if (st->head_seq == last)
		return 0;
	err = log_reader_open(ld->io, ld->dirfd, last, &rd, ld->why);
	if (!err)
		err = log_reader_seek(rd, st->head_seq + 1, ld->why);
	if (err)
		return err;
	while ((got = log_reader_next(rd, &frame, ld->why)) == LOG_READ_FRAME) {
		err = state_replay(st, &frame, ld->why);
		if (err == -EPROTO)
			return LOAD_DAMAGED;
		if (err)
			return err;
	}
	if (got == LOG_READ_END && st->head_seq != last)
		return reason_set(ld->why, LOAD_DAMAGED,
		    "the log ends at seq %llu, recovery saw %llu",
		    (unsigned long long)st->head_seq, (unsigned long long)last);
	return got > 0 ? LOAD_DAMAGED : got;
}

/* The state before the oldest event: an empty one, or that of the base. */
static int
load_base(const struct load *ld, uint64_t max_keys)
{
	CLEANUP(base_freep) struct base *base = NULL;
	uint64_t oldest = ld->tail->oldest_seq;
	int err, got;

	err = state_init(ld->st, ld->io, max_keys);
	if (err < 0 || oldest == 1)
		return err;
	got = base_open(
	    ld->io, ld->dirfd, oldest - 1, ld->tail->log_id, &base, ld->why);
	if (got != BASE_OPENED)
		return got < 0 ? got : LOAD_DAMAGED;
	got = checkpoint_get(ld->io, base, ld->st, ld->why);
	return got == CHECKPOINT_NONE ? LOAD_DAMAGED : got;
}

/* The checkpoint, or without one the state before the oldest event. */
static int
load_begin(const struct load *ld, uint64_t max_keys,
    void (*note)(const char *sentence))
{
	struct checkpoint_of of = { .epoch = ld->tail->epoch };
	struct reason none = { "" };
	char sentence[sizeof(none.text) + 64];
	int got;

	memcpy(of.log_id, ld->tail->log_id, sizeof(of.log_id));
	got = checkpoint_load(
	    ld->io, ld->dirfd, &of, ld->tail->last_seq, ld->st, &none);
	if (got == CHECKPOINT_LOADED &&
	    ld->st->head_seq + 1 < ld->tail->oldest_seq)
		got = reason_set(&none, CHECKPOINT_NONE,
		    "'" CHECKPOINT_NAME "' is older than the oldest event");
	if (got != CHECKPOINT_NONE)
		return got < 0 ? got : 0;
	if (ld->tail->last_seq && note) {
		snprintf(sentence, sizeof(sentence),
		    "reading the log instead of a checkpoint: %s", none.text);
		note(sentence);
	}
	state_deinit(ld->st);
	return load_base(ld, max_keys);
}

int
load_state(const struct sysio *io, int dirfd, const struct log_tail *tail,
    uint64_t max_keys, void (*note)(const char *sentence), struct state *st,
    struct reason *why)
{
	struct load ld = { io, dirfd, tail, st, why };
	int err = state_init(st, io, max_keys);

	if (!err)
		err = load_begin(&ld, max_keys, note);
	return err ? err : load_replay(&ld);
}

int
load_past(const struct sysio *io, int dirfd, const struct log_tail *tail,
    uint64_t max_keys, struct state *st, struct reason *why)
{
	struct load ld = { io, dirfd, tail, st, why };
	int err;

	*st = (struct state){ 0 };
	err = load_base(&ld, max_keys);
	return err ? err : load_replay(&ld);
}
