/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a tool shows a gateway, and what it trusts there: from the options,
 * else from the directory of `peal up`.
 */

#ifndef PEAL_TOOLS_CREDENTIALS_H
#define PEAL_TOOLS_CREDENTIALS_H

#include <limits.h>

#include "core/macros.h"

struct reason;
struct tool;

enum {
	CREDENTIALS_TOKEN_MAX = 8192
};

/*
 * The token, to be read anew for each connection since tokens are
 * short-lived; "" where there is none to be shown.
 */
MUST_CHECK int credentials_token(const struct tool *t,
    char token[CREDENTIALS_TOKEN_MAX], struct reason *why);

/* The file of certificates, NULL: the system's. */
const char *credentials_cafile(const struct tool *t, char buf[PATH_MAX]);

#endif
