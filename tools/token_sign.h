/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Tokens made for others: keys for them, and signing.  What is signed here
 * is what a gateway that has the public key (or the secret) in auth.keys
 * accepts.
 */

#ifndef PEAL_TOOLS_TOKEN_SIGN_H
#define PEAL_TOOLS_TOKEN_SIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;

/*
 * Make an EC P-256 key pair: the private key (PKCS #8 PEM, 0600), then the
 * public one (PEM, 0644).  Both replace what is there.
 */
MUST_CHECK int token_sign_keygen(
    const char *private_path, const char *public_path, struct reason *why);

struct token_sign_claims {
	const char *sub;
	const char *const *read; /* patterns; {sub} is left to the gateway */
	unsigned n_read;
	const char *const *write;
	unsigned n_write;
	bool admin;
	uint64_t issued_s; /* Unix seconds; 0: now */
	uint64_t ttl_s;
	const char *kid; /* NULL: none */
	const char *aud; /* NULL: none */
	const char *iss; /* NULL: none */
};

/*
 * Sign claims with the key at path: a private PEM key (EC P-256: ES256,
 * Ed25519: EdDSA, RSA of 2048 bits and more: RS256), or the secret of a file
 * named NAME.secret (HS256).  On success the caller frees *jwt.  Claims or
 * keys that no gateway would accept are -EINVAL with a sentence.
 */
MUST_CHECK int token_sign(const char *path,
    const struct token_sign_claims *claims, char **jwt, struct reason *why);

#endif
