/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The processes that do most, or hold most memory.  One that was told of
 * stays for a while after it has become quiet, and goes when it ends.
 */

#ifndef PEAL_TOOLS_DEMO_PROCESS_H
#define PEAL_TOOLS_DEMO_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "tools/demo_host.h"

struct processes;

/* Looks after which one is taken to be there to stay. */
enum {
	PROCESSES_SETTLED = 5
};

/* One as the last look found it. */
struct process {
	uint32_t pid;
	uint32_t parent;
	char name[HOST_NAME];
	bool kernel;	  /* a thread of it */
	uint64_t started; /* ticks after the boot */
	uint64_t ticks;	  /* of processors it has used */
	uint64_t used;	  /* of those since the look before */
	uint64_t rss_mib;
	uint64_t threads;
	uint64_t looks;	  /* at it so far */
	uint64_t told_ms; /* last among the first; 0: never */
};

/* proc as in host_new().  NULL: out of memory. */
struct processes *processes_new(const char *proc);
struct processes *processes_free(struct processes *p);
CLEANUP_FN(struct processes *, processes_free)

/* Look, and say what is to be said as group FACTS_PROCESS. */
MUST_CHECK int processes_look(
    struct processes *p, uint64_t now_ms, struct facts *f, struct reason *why);

/* The i-th that is told of, or NULL. */
const struct process *processes_told(const struct processes *p, unsigned i);
/* NULL: there is none with that id. */
const struct process *processes_find(const struct processes *p, uint32_t pid);

#endif
