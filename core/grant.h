/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What events on $acl.USER and $revoke.USER say.  Gateways act on it and
 * tools tell it, so that nobody is told of a right that no gateway gives.
 */

#ifndef PEAL_CORE_GRANT_H
#define PEAL_CORE_GRANT_H

#include <stdint.h>

#include "core/acl.h"
#include "core/bytes.h"
#include "core/macros.h"

struct reason;

#define GRANT_ACL_PREFIX    "$acl."
#define GRANT_REVOKE_PREFIX "$revoke."

enum grant_topic {
	GRANT_NONE = 0, /* it speaks of no user */
	GRANT_ACL,
	GRANT_REVOKE
};

/* *user is the escaped name within the topic; NULL: not asked for. */
enum grant_topic grant_topic(struct slice topic, struct slice *user);

/*
 * The patterns of a grant.  *to is the caller's, to be ended with
 * acl_deinit().  ACL_ADDED; ACL_REFUSED with a sentence, and then it grants
 * nothing; -ENOMEM.
 */
MUST_CHECK int grant_patterns(
    struct slice data, struct acl *to, struct reason *why);

/*
 * The second before which tokens must have been issued to be refused;
 * UINT64_MAX, all of them, with a sentence where none is said.
 */
uint64_t grant_before(struct slice data, struct reason *why);

#endif
