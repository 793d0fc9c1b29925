/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a user may read and write.  The same check serves live events,
 * replays and appends.  Patterns are kept sorted, so that equal permissions
 * have equal text and share groups.
 */

#ifndef PEAL_CORE_ACL_H
#define PEAL_CORE_ACL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

enum {
	ACL_PATTERNS_MAX = 64
}; /* of read, and of write */

/* {0} may do nothing. */
struct acl {
	unsigned n_read, n_write;
	char **read; /* NUL-terminated patterns, {sub} filled in, sorted */
	char **write;
	bool admin; /* reads '$' topics where a pattern names them */
};

void acl_deinit(struct acl *acl);

enum acl_list {
	ACL_READ,
	ACL_WRITE
};

enum acl_add {
	ACL_ADDED = 0,
	ACL_REFUSED
};

/*
 * Add a pattern; one that is there already changes nothing.  ACL_REFUSED
 * with a sentence: not a pattern, or one too many.  Below zero: -ENOMEM.
 */
MUST_CHECK int acl_add(struct acl *acl, enum acl_list list,
    struct slice pattern, struct reason *why);

/*
 * Add all that more allows, admin aside; the lists may get longer than
 * ACL_PATTERNS_MAX.  0 or -ENOMEM.
 */
MUST_CHECK int acl_join(struct acl *acl, const struct acl *more);

/* *to is the caller's, to be ended with acl_deinit(); 0 or -ENOMEM. */
MUST_CHECK int acl_copy(const struct acl *from, struct acl *to);
bool acl_equal(const struct acl *a, const struct acl *b);

bool acl_may_read(const struct acl *acl, struct slice topic);
/* Never for '$' topics: those are written by local peers alone. */
bool acl_may_write(const struct acl *acl, struct slice topic);
/* Has the pattern any topic in common with what may be read? */
bool acl_pattern_readable(const struct acl *acl, struct slice pattern);

#endif
