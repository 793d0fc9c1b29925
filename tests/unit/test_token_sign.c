/* SPDX-License-Identifier: BSD-2-Clause */

/* Tokens that the tools sign are those that a gateway accepts. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "core/conf.h"
#include "core/reason.h"
#include "core/time.h"
#include "gateway/token.h"
#include "tests/lib/tmpdir.h"
#include "tests/lib/tokens.h"
#include "tools/token_sign.h"

static const char *const patterns[] = { "a.>", "user.{sub}.*" };

static struct token_sign_claims
claims_of(const char *sub)
{
	return (struct token_sign_claims){ .sub = sub,
		.read = patterns,
		.n_read = 2,
		.write = patterns,
		.n_write = 1,
		.issued_s = TOKENS_NOW,
		.ttl_s = 100 };
}

static void
signs_for(const char *private, const char *public, const char *sub)
{
	CLEANUP(token_keys_freep) struct token_keys *keys = tokens_open(public);
	struct token_sign_claims claims = claims_of(sub);
	CLEANUP(freep) char *jwt = NULL;
	struct reason why = { "" };
	struct token token;

	claims.admin = true;
	if (token_sign(private, &claims, &jwt, &why) != 0)
		fail_msg("%s", why.text);
	if (token_verify(keys, slice_cstr(jwt), TOKENS_NOW + 99, &token, &why))
		fail_msg("%s", why.text);
	assert_string_equal(token.sub, sub);
	assert_int_equal(token.issued_s, TOKENS_NOW);
	assert_int_equal(token.expires_s, TOKENS_NOW + 100);
	assert_int_equal(token.acl.n_read, 2);
	assert_string_equal(token.acl.read[0], "a.>");
	assert_int_equal(token.acl.n_write, 1);
	assert_true(token.acl.admin);
	token_deinit(&token);
}

static void
a_fresh_pair_signs_and_verifies(void **state)
{
	const char *private = tmpdir_path(*state, "dev.key");
	const char *public = tmpdir_path(*state, "dev.pem");
	struct reason why;
	struct stat st;

	assert_int_equal(token_sign_keygen(private, public, &why), 0);
	assert_int_equal(stat(private, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* Signatures are random: short r and s come up in 300 of them. */
	for (int i = 0; i < 300; i++)
		signs_for(private, public, "ann");
	assert_int_equal(tmpdir_count(*state), 2);
}

static void
every_character_of_a_user_arrives(void **state)
{
	const char *secret = tmpdir_text(*state, "k.secret", tokens_secret);

	signs_for(secret, secret, "a\"b\\c/\303\251 $x.*>%");
	signs_for(secret, secret, "\360\237\216\272");
}

static const char *
put_private(struct tmpdir *dir, const char *name, EVP_PKEY *key)
{
	const char *path = tmpdir_path(dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(
	    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	return path;
}

static void
each_kind_of_key_signs(void **state)
{
	EVP_PKEY *kinds[] = { tokens_ec, tokens_ed, tokens_rsa };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		signs_for(put_private(*state, "k.key", kinds[i]),
		    tokens_put_public(*state, "k.pem", kinds[i]), "ann");
}

static void
audience_issuer_and_kid_are_carried(void **state)
{
	const char *private = put_private(*state, "k.key", tokens_ec);
	CLEANUP(conf_freep)
	struct conf *conf =
	    tokens_conf(tokens_put_public(*state, "k1.pem", tokens_ec));
	CLEANUP(token_keys_freep) struct token_keys *keys = NULL;
	struct token_sign_claims claims = claims_of("ann");
	CLEANUP(freep) char *jwt = NULL;
	struct reason why = { "" };
	struct token token;

	assert_int_equal(conf_set(conf, "auth.audience=here", &why), 0);
	assert_int_equal(conf_set(conf, "auth.issuer=us", &why), 0);
	assert_int_equal(token_keys_open(conf, &keys, &why), 0);
	claims.aud = "here";
	claims.iss = "us";
	claims.kid = "k1";
	assert_int_equal(token_sign(private, &claims, &jwt, &why), 0);
	assert_int_equal(
	    token_verify(keys, slice_cstr(jwt), TOKENS_NOW, &token, &why),
	    TOKEN_GOOD);
	token_deinit(&token);
}

static void
without_a_time_of_issue_it_is_now(void **state)
{
	const char *secret = tmpdir_text(*state, "k.secret", tokens_secret);
	CLEANUP(token_keys_freep) struct token_keys *keys = tokens_open(secret);
	struct token_sign_claims claims = claims_of("ann");
	uint64_t now = time_wall_us() / US_PER_S;
	CLEANUP(freep) char *jwt = NULL;
	struct reason why;
	struct token token;

	claims.issued_s = 0;
	assert_int_equal(token_sign(secret, &claims, &jwt, &why), 0);
	assert_int_equal(
	    token_verify(keys, slice_cstr(jwt), now, &token, &why), TOKEN_GOOD);
	assert_in_range(token.issued_s, now, now + 60);
	assert_int_equal(token.expires_s, token.issued_s + 100);
	token_deinit(&token);
}

static void
refused(const char *path, const struct token_sign_claims *claims, int err,
    const char *says)
{
	struct reason why = { "" };
	char *jwt = NULL;

	assert_int_equal(token_sign(path, claims, &jwt, &why), err);
	assert_null(jwt);
	if (!strstr(why.text, says))
		fail_msg("'%s' lacks '%s'", why.text, says);
}

static void
what_no_gateway_would_accept_is_not_signed(void **state)
{
	const char *secret = tmpdir_text(*state, "k.secret", tokens_secret);
	struct token_sign_claims claims = claims_of("");
	static const char *many[65], *long_one[30];
	char sub[130], filler[200];

	refused(secret, &claims, -EINVAL, "a user of 0 bytes");
	memset(sub, 'u', sizeof(sub) - 1);
	sub[sizeof(sub) - 1] = '\0';
	claims = claims_of(sub);
	refused(secret, &claims, -EINVAL, "a user of 129 bytes");
	claims = claims_of("a\nb");
	refused(secret, &claims, -EINVAL, "a\\x0ab");
	claims = claims_of("ann");
	claims.read = (const char *const[]){ "a..b" };
	claims.n_read = 1;
	refused(secret, &claims, -EINVAL, "a..b");
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = "a";
	claims = claims_of("ann");
	claims.write = many;
	claims.n_write = 65;
	refused(secret, &claims, -EINVAL, "65 patterns, more than 64");
	memset(filler, 'f', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(long_one); i++)
		long_one[i] = filler;
	claims.write = long_one;
	claims.n_write = ARRAY_LEN(long_one);
	refused(secret, &claims, -EINVAL, "more than 4096");
}

static void
a_file_that_is_no_private_key_is_refused(void **state)
{
	struct token_sign_claims claims = claims_of("ann");
	struct tmpdir *dir = *state;

	refused(tmpdir_path(dir, "none.key"), &claims, -ENOENT, "none.key'");
	refused(tmpdir_text(dir, "a.key", "junk"), &claims, -EINVAL,
	    "is no key for tokens");
	refused(tokens_put_public(dir, "a.pem", tokens_ec), &claims, -EINVAL,
	    "is no key for tokens");
	refused(put_private(dir, "a.key", tokens_p384), &claims, -EINVAL,
	    "is no key for tokens");
	refused(put_private(dir, "a.key", tokens_rsa_small), &claims, -EINVAL,
	    "is no key for tokens");
	refused(tmpdir_text(dir, "a.secret", "short"), &claims, -EINVAL,
	    "is no key for tokens");
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(a_fresh_pair_signs_and_verifies),
		IN_DIRECTORY(every_character_of_a_user_arrives),
		IN_DIRECTORY(each_kind_of_key_signs),
		IN_DIRECTORY(audience_issuer_and_kid_are_carried),
		IN_DIRECTORY(without_a_time_of_issue_it_is_now),
		IN_DIRECTORY(what_no_gateway_would_accept_is_not_signed),
		IN_DIRECTORY(a_file_that_is_no_private_key_is_refused),
	};

	return cmocka_run_group_tests_name(
	    "token_sign", tests, tokens_make_keys, tokens_free_keys);
}
