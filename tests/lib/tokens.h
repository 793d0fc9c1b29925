/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tokens made to measure: any header, any claims, signed with any key or
 * none; and what a verifier must say of them.
 */

#ifndef PEAL_TESTS_LIB_TOKENS_H
#define PEAL_TESTS_LIB_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "gateway/token.h"
#include "tests/lib/tmpdir.h"

struct conf;
struct evp_pkey_st;

#define TOKENS_NOW    1700000000
#define TOKENS_TIMES  "\"iat\":1700000000,\"exp\":1700003600"
#define TOKENS_CLAIMS "{\"sub\":\"ann\"," TOKENS_TIMES "}"
#define TOKENS_ES256  "{\"alg\":\"ES256\"}"

extern const char tokens_secret[]; /* of 32 bytes */

/* Setup and teardown of a group that uses these keys. */
int tokens_make_keys(void **state);
int tokens_free_keys(void **state);
extern struct evp_pkey_st *tokens_ec, *tokens_ec_other, *tokens_p384;
extern struct evp_pkey_st *tokens_ed, *tokens_rsa, *tokens_rsa_small;

struct tokens_text {
	char s[9000];
	size_t len;
};

void tokens_add_base64url(struct tokens_text *t, const void *bytes, size_t len);
void tokens_add_text(struct tokens_text *t, const char *s);
/* Header and claims, and the dot between them. */
struct tokens_text tokens_unsigned(const char *header, const char *claims);
/* A dot, and the HS256 of what stands before it. */
void tokens_add_hmac(struct tokens_text *t, const void *key, size_t key_len);
struct tokens_text tokens_signed(
    struct evp_pkey_st *key, const char *header, const char *claims);
struct slice tokens_slice(const struct tokens_text *t);

/* A public key as a file; keys by auth.keys; main.pem with tokens_ec. */
const char *tokens_put_public(
    struct tmpdir *dir, const char *name, struct evp_pkey_st *key);
struct conf *tokens_conf(const char *keys);
struct token_keys *tokens_open(const char *paths);
struct token_keys *tokens_open_ec(struct tmpdir *dir);

/* The verdict is this one, with a sentence that says so and no secret. */
void tokens_verdict_at(struct token_keys *keys, const struct tokens_text *t,
    uint64_t now, int verdict, const char *says);
void tokens_bad(
    struct token_keys *keys, const struct tokens_text *t, const char *says);
void tokens_good(struct token_keys *keys, const struct tokens_text *t);
/* The same for claims that are signed well. */
void tokens_bad_claims(
    struct token_keys *keys, const char *claims, const char *says);
void tokens_good_claims(struct token_keys *keys, const char *claims);

#endif
