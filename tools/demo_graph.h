/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The machine as a graph: itself, its disks and interfaces, the processes
 * that are told of and their ancestors.  Names end in @HOST, so that they are
 * nobody else's.
 */

#ifndef PEAL_TOOLS_DEMO_GRAPH_H
#define PEAL_TOOLS_DEMO_GRAPH_H

#include "core/macros.h"

struct facts;
struct host;
struct processes;
struct reason;

MUST_CHECK int demo_graph(const struct host *h, const struct processes *p,
    struct facts *f, struct reason *why);

#endif
