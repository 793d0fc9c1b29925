/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * All grants and revocations, from the broker: once at the start, and again
 * where the gateway was lapped or the log is another one.  Until they are
 * here nobody can be let in; no other thing waits for the broker.
 */

#ifndef PEAL_GATEWAY_PRIME_H
#define PEAL_GATEWAY_PRIME_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct ask;
struct grants;
struct loop;
struct prime;

/*
 * done is called when the grants are all known.  log is the name of the log
 * that is read, a buffer that outlives this, as ask and grants do.
 */
struct prime *prime_new(struct loop *loop, struct ask *ask,
    struct grants *grants, const char *log, void (*done)(void *arg), void *arg);
struct prime *prime_free(struct prime *p);
CLEANUP_FN(struct prime *, prime_free)

/*
 * Forget what is known, of another log altogether, and ask for it as of seq
 * or later, until the broker has answered.
 */
void prime_begin(struct prime *p, uint64_t seq, bool other_log);

/* Why they are not known yet, for the operator; "" when they are. */
const char *prime_waits_for(const struct prime *p);

#endif
