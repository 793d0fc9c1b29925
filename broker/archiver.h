/* SPDX-License-Identifier: BSD-2-Clause */

/* When an archive is written: a job as soon as one is due, one at a time. */

#ifndef PEAL_BROKER_ARCHIVER_H
#define PEAL_BROKER_ARCHIVER_H

#include "core/macros.h"

struct archiver;
struct jobs;
struct loop;
struct query;

/* jobs ends before the archiver is freed.  The caller owns *out. */
MUST_CHECK int archiver_new(struct loop *loop, struct jobs *jobs,
    struct query *query, struct archiver **out);
struct archiver *archiver_free(struct archiver *a);
CLEANUP_FN(struct archiver *, archiver_free)

#endif
