/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Load: the sequencer's state of a log whose end recovery has made certain,
 * from the checkpoint and the frames behind it.
 */

#ifndef PEAL_WRITER_LOAD_H
#define PEAL_WRITER_LOAD_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/recover.h"
#include "writer/state.h"

enum load_result {
	LOAD_DONE = 0,
	LOAD_DAMAGED, /* *why names what */
};

/*
 * *st is to be given to state_deinit() whatever the result.  note is told, in
 * a sentence, where a checkpoint does not serve and the log is read instead.
 */
MUST_CHECK int load_state(const struct sysio *io, int dirfd,
    const struct log_tail *tail, uint64_t max_keys,
    void (*note)(const char *sentence), struct state *st, struct reason *why);

/*
 * The same for a past seq, tail->last_seq, from the log alone: of tail its
 * id and the oldest event count, too.
 */
MUST_CHECK int load_past(const struct sysio *io, int dirfd,
    const struct log_tail *tail, uint64_t max_keys, struct state *st,
    struct reason *why);

#endif
