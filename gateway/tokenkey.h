/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One key that tokens are verified under.  Its kind, found when it is
 * loaded, fixes the one algorithm it serves.
 */

#ifndef PEAL_GATEWAY_TOKENKEY_H
#define PEAL_GATEWAY_TOKENKEY_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;
struct tokenkey;

enum {
	TOKENKEY_KID_MAX = 64,
	TOKENKEY_SECRET_MIN = 32
};

/*
 * Load NAME.pem (public key: EC P-256, Ed25519, or RSA of 2048 bits and
 * more) or NAME.secret (every byte of the file, 32 at least).  A path without
 * a slash is sought in $CREDENTIALS_DIRECTORY, where there is one.  -EINVAL with
 * a sentence when the file is refused; otherwise below zero: can't be read.
 * On success the caller owns *out.
 */
MUST_CHECK int tokenkey_load(
    const char *path, struct tokenkey **out, struct reason *why);
struct tokenkey *tokenkey_free(struct tokenkey *key);
CLEANUP_FN(struct tokenkey *, tokenkey_free)

/* NAME: what a token's kid must say. */
const char *tokenkey_kid(const struct tokenkey *key);
/* "ES256", "EdDSA", "RS256" or "HS256". */
const char *tokenkey_alg(const struct tokenkey *key);

/* Is sig this key's signature over text (RFC 7518, 3; RFC 8037, 3.1)? */
bool tokenkey_verify(
    const struct tokenkey *key, struct slice text, struct slice sig);

#endif
