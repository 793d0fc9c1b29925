/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the process gives up once it serves: whoever takes it over can open
 * no file for writing, run no program, reach no other host, and make no
 * memory executable.
 */

#ifndef PEAL_GATEWAY_HYGIENE_H
#define PEAL_GATEWAY_HYGIENE_H

#include "core/macros.h"

struct reason;

enum hygiene {
	HYGIENE_CLOSED = 0,
	HYGIENE_SKIPPED, /* this build or processor has no filter */
};

/*
 * Close it, for good: system calls beyond the list of hygiene.c fail with
 * EPERM.  Files can be removed by way of the directory behind unlink_dirfd
 * (-1: of none).  Threads that were started before are not covered.
 * enum hygiene, or below zero and why.
 */
MUST_CHECK int hygiene_close(int unlink_dirfd, struct reason *why);

#endif
