/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * SHA-256.  The algorithm is fetched once and contexts are kept: with
 * EVP_sha256() and a context each time, OpenSSL 3 spends more on looking
 * things up than on hashing a short text.
 */

#include <pthread.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "core/sha256.h"

static EVP_MD *md; /* kept to the end: threads may hash until then */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* each thread's context */

static void
sha256_demand(int good)
{
	if (!good)
		abort();
}

static void
sha256_free_ctx(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

static void
sha256_setup(void)
{
	md = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha256_demand(md != NULL);
	sha256_demand(pthread_key_create(&key, sha256_free_ctx) == 0);
}

static EVP_MD_CTX *
sha256_new_ctx(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	sha256_demand(ctx != NULL);
	return ctx;
}

/* The calling thread's own. */
static EVP_MD_CTX *
sha256_thread_ctx(void)
{
	EVP_MD_CTX *ctx;

	pthread_once(&once, sha256_setup);
	ctx = pthread_getspecific(key);
	if (!ctx) {
		ctx = sha256_new_ctx();
		sha256_demand(pthread_setspecific(key, ctx) == 0);
	}
	return ctx;
}

void
sha256(const void *p, size_t len, uint8_t out[SHA256_BYTES])
{
	EVP_MD_CTX *ctx = sha256_thread_ctx();

	sha256_demand(EVP_DigestInit_ex2(ctx, md, NULL) &&
		      EVP_DigestUpdate(ctx, p, len) &&
		      EVP_DigestFinal_ex(ctx, out, NULL));
}

void
sha256_init(struct sha256 *sum)
{
	pthread_once(&once, sha256_setup);
	if (!sum->ctx)
		sum->ctx = sha256_new_ctx();
	sha256_demand(EVP_DigestInit_ex2(sum->ctx, md, NULL));
}

void
sha256_update(struct sha256 *sum, const void *p, size_t len)
{
	sha256_demand(EVP_DigestUpdate(sum->ctx, p, len));
}

void
sha256_final(struct sha256 *sum, uint8_t out[SHA256_BYTES])
{
	sha256_demand(EVP_DigestFinal_ex(sum->ctx, out, NULL));
}

void
sha256_peek(const struct sha256 *sum, uint8_t out[SHA256_BYTES])
{
	EVP_MD_CTX *ctx = sha256_thread_ctx();

	sha256_demand(EVP_MD_CTX_copy_ex(ctx, sum->ctx) &&
		      EVP_DigestFinal_ex(ctx, out, NULL));
}

void
sha256_deinit(struct sha256 *sum)
{
	EVP_MD_CTX_free(sum->ctx);
	sum->ctx = NULL;
}
