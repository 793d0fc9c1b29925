/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a process gives up once it serves: whoever takes it over can run no
 * program, reach no other host, make no memory executable, and call nothing
 * that the process has no use for.
 */

#ifndef PEAL_CORE_HYGIENE_H
#define PEAL_CORE_HYGIENE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "core/macros.h"

struct reason;

/* May be called when (argument & mask) is value. */
struct hygiene_rule {
	long nr;
	int argument; /* its number, or HYGIENE_ANY: always */
	uint64_t mask;
	int64_t value; /* below 2^32 */
};

enum {
	HYGIENE_ANY = -1,
	/* in place of a value */
	HYGIENE_OWN_PID = -2,
	HYGIENE_DIRFD = -3,
};

#define HYGIENE_ALWAYS(name)                  \
	{                                     \
		SYS_##name, HYGIENE_ANY, 0, 0 \
	}
#define HYGIENE_WHEN(name, argument, mask, value)       \
	{                                               \
		SYS_##name, (argument), (mask), (value) \
	}

/* What a process calls beyond what all of them do. */
struct hygiene_list {
	const struct hygiene_rule *rules;
	unsigned n;
	bool files; /* it makes, fills and removes files, too */
};

enum hygiene {
	HYGIENE_CLOSED = 0,
	HYGIENE_SKIPPED, /* this build or processor has no filter */
};

/*
 * Close it for all threads, for good: system calls beyond own and the list
 * of hygiene.c fail with EPERM.  dirfd is put in place of HYGIENE_DIRFD; with
 * -1 such rules are left out.  enum hygiene, or below zero and why.
 */
MUST_CHECK int hygiene_close(
    const struct hygiene_list *own, int dirfd, struct reason *why);

/*
 * The same for a process that goes on without: what went wrong is said, and
 * a build that has no filter says so.
 */
void hygiene_close_or_say(const struct hygiene_list *own, int dirfd);

/*
 * How large a core dump may be, now and later: a dump holds events and keys.
 * Where more is asked for than the limit it was started with, says so and
 * leaves that.
 */
void hygiene_limit_core(uint64_t bytes);

#endif
