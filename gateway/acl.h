/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a user may read and write.  The same check serves live events,
 * replays and appends.  Patterns are kept sorted, so that equal permissions
 * have equal text and share groups.
 */

#ifndef PEAL_GATEWAY_ACL_H
#define PEAL_GATEWAY_ACL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

enum { ACL_PATTERNS_MAX = 64 };

struct acl {
	unsigned n_read, n_write;
	char **read;  /* NUL-terminated patterns, {sub} filled in, sorted */
	char **write;
	bool admin;   /* reads '$' topics where a pattern names them */
};

void acl_deinit(struct acl *acl);
bool acl_may_read(const struct acl *acl, struct slice topic);
/* Never for '$' topics: those are written by local peers alone. */
bool acl_may_write(const struct acl *acl, struct slice topic);
/* Has the pattern any topic in common with what may be read? */
bool acl_pattern_readable(const struct acl *acl, struct slice pattern);

#endif
