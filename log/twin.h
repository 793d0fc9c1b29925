/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Twins: a segment and the same one packed, both there after a crash between
 * the two names.  A log counts the first; where that is damaged, and the other
 * is not, a repair loses nothing.
 */

#ifndef PEAL_LOG_TWIN_H
#define PEAL_LOG_TWIN_H

#include "core/macros.h"
#include "core/sysio.h"
#include "log/segment.h"

struct reason;

/*
 * Let list have the packed file of each segment whose own is not whole, where
 * the packed one is, as the next segment's header says.  notes (or NULL) hears
 * of each.  0 or -errno.
 */
MUST_CHECK int twin_choose(const struct sysio *io, int dirfd,
    struct segment_list *list, void (*notes)(const char *sentence),
    struct reason *why);

#endif
