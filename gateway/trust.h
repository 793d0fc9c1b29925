/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Whose word about the client's address is taken: the list of
 * gateway.trusted, addresses, networks and "unix" for local sockets.
 */

#ifndef PEAL_GATEWAY_TRUST_H
#define PEAL_GATEWAY_TRUST_H

#include <stdbool.h>

#include "core/macros.h"

struct reason;
struct sockaddr;
struct trust;

/*
 * Words of the form ADDRESS, ADDRESS/BITS or unix, separated by spaces.  The
 * caller owns *out.  -EINVAL: *why names the word that is none.
 */
MUST_CHECK int trust_parse(
    const char *text, struct trust **out, struct reason *why);
struct trust *trust_free(struct trust *t);
CLEANUP_FN(struct trust *, trust_free)

/* Is it one of them?  NULL trusts nobody. */
bool trust_holds(const struct trust *t, const struct sockaddr *sa);

#endif
