/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A user's grant and revocation in the log, as `peal grant` and `peal
 * revoke` read and write them: local peers alone may.
 */

#ifndef PEAL_TOOLS_RIGHTS_H
#define PEAL_TOOLS_RIGHTS_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;
struct tool;

/* What is to be said; text in it is borrowed. */
struct rights {
	const char *user;   /* as a token's sub, unescaped */
	const char *prefix; /* "$acl." or "$revoke." */
	const char *type;   /* of the event */
	const char *actor;  /* NULL: the account's name */
	struct slice data;
};

/* May there be such a user?  false with a sentence. */
bool rights_user_valid(const char *user, struct reason *why);
/* The user as one token of a topic; free() it. */
char *rights_escape(const char *user);

/* Append it and say what came of it; the tool's exit code. */
MUST_CHECK int rights_append(struct tool *t, const struct rights *r);
/* Print what the log says of the user; the tool's exit code. */
MUST_CHECK int rights_show(struct tool *t, const char *user);

#endif
