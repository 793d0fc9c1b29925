/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Handover: the writer is asked whether it wants the rows of a past event, to
 * give up the events before them, and gets them as a file.  It is told what
 * clients have yet to get.
 */

#ifndef PEAL_BROKER_HANDOVER_H
#define PEAL_BROKER_HANDOVER_H

#include "core/macros.h"

struct clients;
struct handover;
struct jobs;
struct loop;
struct query;

/* All, and run_dir (of writer.sock), outlive *out, which is the caller's. */
MUST_CHECK int handover_new(struct loop *loop, struct jobs *jobs,
    struct query *query, struct clients *clients, const char *run_dir,
    struct handover **out);
struct handover *handover_free(struct handover *h);
CLEANUP_FN(struct handover *, handover_free)

#endif
