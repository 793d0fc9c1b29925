/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tokens: JWT (RFC 7519) under keys of our own.  The algorithm is fixed by
 * the key that is configured, never by the token.
 */

#ifndef PEAL_GATEWAY_TOKEN_H
#define PEAL_GATEWAY_TOKEN_H

#include <stdint.h>

#include "core/acl.h"
#include "core/bytes.h"
#include "core/macros.h"

struct conf;
struct reason;
struct token_keys;

enum {
	TOKEN_MAX = 4096,
	TOKEN_SUB_MAX = 128,
	TOKEN_LEEWAY_S = 30
};

/*
 * Read auth.keys, auth.audience and auth.issuer; the caller owns *out.  No
 * key at all is fine, and refuses every token.  -EINVAL with a sentence when
 * a key is refused.
 */
MUST_CHECK int token_keys_open(
    const struct conf *conf, struct token_keys **out, struct reason *why);
struct token_keys *token_keys_free(struct token_keys *keys);
CLEANUP_FN(struct token_keys *, token_keys_free)

struct token {
	char sub[TOKEN_SUB_MAX + 1];
	uint64_t issued_s;
	uint64_t expires_s; /* Unix seconds */
	struct acl acl;
};

enum token_verdict {
	TOKEN_GOOD = 0,
	TOKEN_BAD,
	TOKEN_EXPIRED
};

/*
 * Verify at now_s (Unix seconds).  TOKEN_GOOD fills *token, to be ended with
 * token_deinit().  Otherwise *why says what is wrong and never repeats the
 * token; TOKEN_EXPIRED: a fresh one of the same kind would do, from
 * expires_s + TOKEN_LEEWAY_S on.  Below zero: -ENOMEM.  A token that was
 * good under these keys is remembered until it expires.
 */
MUST_CHECK int token_verify(struct token_keys *keys, struct slice jwt,
    uint64_t now_s, struct token *token, struct reason *why);
void token_deinit(struct token *token);
/* *to is the caller's, to be ended with token_deinit(); 0 or -ENOMEM. */
MUST_CHECK int token_copy(const struct token *from, struct token *to);

/*
 * Permissions of a client without a token: auth.anonymous_read.  n_read 0:
 * such a client is to be refused.  -EINVAL when a pattern there is none.
 */
MUST_CHECK int token_anonymous(
    const struct conf *conf, struct acl *acl, struct reason *why);

#endif
