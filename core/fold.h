/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Folding: a row and the topic's next event give the next row.  The same
 * events give the same bytes, whoever folds them, and no event is refused:
 * what can't be folded touches the row.
 */

#ifndef PEAL_CORE_FOLD_H
#define PEAL_CORE_FOLD_H

#include <stdint.h>

#include "core/event.h"
#include "core/macros.h"
#include "core/mp.h"
#include "core/row.h"
#include "core/rules.h"

/* Working memory, to be used for one event after another; {0} at first. */
struct fold {
	struct mp_buf value;
};

void fold_deinit(struct fold *f);

enum fold_result {
	FOLD_DONE = 0,
	FOLD_UNFOLDABLE, /* the event does not fit its rule: it touched */
	FOLD_TOO_LARGE,	 /* the row would pass ROW_MAX: it touched */
};

/*
 * The row after ev, whose predecessor is before (NULL: ev is the topic's
 * first).  *after points into before, ev and f, and lives until the next
 * call; before may be what the last call gave only once it was copied.
 * enum fold_result, or -ENOMEM.
 */
MUST_CHECK int fold_event(struct fold *f, const struct rules *rules,
    const struct row *before, const struct event *ev, struct row *after);

#endif
