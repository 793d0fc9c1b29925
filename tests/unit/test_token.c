/* SPDX-License-Identifier: BSD-2-Clause */

/* Tokens: keys, signatures and form; each way in which they can be bad. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "core/conf.h"
#include "core/reason.h"
#include "gateway/token.h"
#include "tests/lib/tmpdir.h"
#include "tests/lib/tokens.h"

/* --- algorithms and keys --- */

static void
each_kind_of_key_verifies_its_algorithm(void **state)
{
	struct {
		EVP_PKEY *key;
		const char *header;
	} kinds[] = { { tokens_ec, TOKENS_ES256 },
		{ tokens_ed, "{\"alg\":\"EdDSA\"}" },
		{ tokens_rsa, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}" } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP(token_keys_freep)
		struct token_keys *keys = tokens_open(
		    tokens_put_public(*state, "main.pem", kinds[i].key));
		struct tokens_text t =
		    tokens_signed(kinds[i].key, kinds[i].header, TOKENS_CLAIMS);

		tokens_good(keys, &t);
	}
}

static void
a_secret_verifies_hs256(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys =
	    tokens_open(tmpdir_text(*state, "main.secret", tokens_secret));
	struct tokens_text t =
	    tokens_unsigned("{\"alg\":\"HS256\"}", TOKENS_CLAIMS);

	tokens_add_hmac(&t, tokens_secret, strlen(tokens_secret));
	tokens_good(keys, &t);
	t = tokens_unsigned("{\"alg\":\"HS256\"}", TOKENS_CLAIMS);
	tokens_add_hmac(&t, tokens_secret, strlen(tokens_secret) - 1);
	tokens_bad(keys, &t, "signature is not of key 'main'");
	t = tokens_unsigned("{\"alg\":\"HS256\"}", TOKENS_CLAIMS);
	tokens_add_text(&t, ".");
	tokens_add_base64url(&t, "", 0);
	tokens_bad(keys, &t, "part 3 of the token is not base64url");
	t = tokens_unsigned("{\"alg\":\"HS512\"}", TOKENS_CLAIMS);
	tokens_add_hmac(&t, tokens_secret, strlen(tokens_secret));
	tokens_bad(keys, &t, "alg is not HS256");
}

static void
every_alg_but_the_keys_own_is_refused(void **state)
{
	static const char *const algs[] = { "none", "None", "", "HS256",
		"HS384", "RS256", "EdDSA", "ES384", "ES256K", "es256",
		"ES256 " };
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);

	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		char header[60];
		struct tokens_text t;

		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algs[i]);
		t = tokens_signed(tokens_ec, header, TOKENS_CLAIMS);
		tokens_bad(keys, &t, "alg is not ES256, the one of key 'main'");
		t = tokens_unsigned(header, TOKENS_CLAIMS);
		tokens_add_text(&t, ".AAAA");
		tokens_bad(keys, &t, "alg is not ES256");
	}
}

static void
a_public_key_used_as_a_secret_signs_nothing(void **state)
{
	EVP_PKEY *kinds[] = { tokens_ec, tokens_rsa, tokens_ed };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *path =
		    tokens_put_public(*state, "main.pem", kinds[i]);
		CLEANUP(token_keys_freep)
		struct token_keys *keys = tokens_open(path);
		struct tokens_text t =
		    tokens_unsigned("{\"alg\":\"HS256\"}", TOKENS_CLAIMS);
		char pem[2000];
		FILE *f = fopen(path, "r");
		size_t len;

		assert_non_null(f);
		len = fread(pem, 1, sizeof(pem), f);
		(void)fclose(f);
		assert_true(len > 100);
		tokens_add_hmac(&t, pem, len);
		tokens_bad(keys, &t, "alg is not");
	}
}

static void
another_keys_signature_is_refused(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct tokens_text t =
	    tokens_signed(tokens_ec_other, TOKENS_ES256, TOKENS_CLAIMS);

	tokens_bad(keys, &t, "signature is not of key 'main'");
}

static void
signatures_of_zeros_or_of_other_lengths_are_refused(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct tokens_text whole = tokens_signed(
			       tokens_ec, TOKENS_ES256, TOKENS_CLAIMS),
			   t;
	uint8_t raw[72] = { 0 };

	t = tokens_unsigned(TOKENS_ES256, TOKENS_CLAIMS);
	tokens_add_text(&t, ".");
	tokens_add_base64url(&t, raw, 64);
	tokens_bad(keys, &t, "signature is not");
	raw[31] = 1; /* r = 1, s = 0 */
	t = tokens_unsigned(TOKENS_ES256, TOKENS_CLAIMS);
	tokens_add_text(&t, ".");
	tokens_add_base64url(&t, raw, 64);
	tokens_bad(keys, &t, "signature is not");
	memset(raw, 0xff, sizeof(raw));
	for (size_t len = 1; len <= sizeof(raw); len++) {
		t = tokens_unsigned(TOKENS_ES256, TOKENS_CLAIMS);
		tokens_add_text(&t, ".");
		tokens_add_base64url(&t, raw, len);
		tokens_bad(keys, &t, "signature is not");
	}
	/* Four digits are three whole bytes. */
	whole.len -= 4;
	whole.s[whole.len] = '\0';
	tokens_bad(keys, &whole, "");
}

static void
a_good_signature_and_more_is_refused(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *main_keys = tokens_open_ec(*state);
	CLEANUP(token_keys_freep)
	struct token_keys *shared_keys =
	    tokens_open(tmpdir_text(*state, "s.secret", tokens_secret));
	struct tokens_text t =
	    tokens_unsigned("{\"alg\":\"HS256\"}", TOKENS_CLAIMS);
	uint8_t mac[36] = { 0 };
	unsigned len;

	assert_non_null(HMAC(EVP_sha256(), tokens_secret, 32,
	    (unsigned char *)t.s, t.len, mac, &len));
	for (size_t n = 30; n <= sizeof(mac); n++) {
		struct tokens_text cut = t;

		tokens_add_text(&cut, ".");
		tokens_add_base64url(&cut, mac, n);
		if (n == 32)
			tokens_good(shared_keys, &cut);
		else
			tokens_bad(shared_keys, &cut, "signature is not");
	}
	/* 64 bytes leave four bits over: one more digit is one more byte. */
	t = tokens_signed(tokens_ec, TOKENS_ES256, TOKENS_CLAIMS);
	tokens_good(main_keys, &t);
	tokens_add_text(&t, "A");
	tokens_bad(main_keys, &t, "signature is not");
}

static void
a_signature_in_der_is_refused(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct tokens_text t = tokens_unsigned(TOKENS_ES256, TOKENS_CLAIMS);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char sig[128];
	size_t len = sizeof(sig);

	assert_int_equal(
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, tokens_ec), 1);
	assert_int_equal(
	    EVP_DigestSign(ctx, sig, &len, (unsigned char *)t.s, t.len), 1);
	EVP_MD_CTX_free(ctx);
	tokens_add_text(&t, ".");
	tokens_add_base64url(&t, sig, len);
	tokens_bad(keys, &t, "signature is not");
}

static void
every_changed_byte_is_noticed(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct tokens_text whole =
	    tokens_signed(tokens_ec, TOKENS_ES256, TOKENS_CLAIMS);

	for (size_t i = 0; i < whole.len; i++) {
		struct token token;
		struct reason why;

		for (unsigned bit = 0; bit < 8; bit++) {
			struct tokens_text t = whole;

			t.s[i] = (char)(t.s[i] ^ 1 << bit);
			assert_int_equal(token_verify(keys, tokens_slice(&t),
					     TOKENS_NOW, &token, &why),
			    TOKEN_BAD);
		}
	}
	tokens_good(keys, &whole);
}

/* --- kid --- */

static void
kid_chooses_among_several_keys(void **state)
{
	struct tmpdir *dir = *state;
	CLEANUP(token_keys_freep) struct token_keys *keys = NULL;
	char paths[900];
	struct tokens_text t;

	snprintf(paths, sizeof(paths), "%s  %s %s",
	    tokens_put_public(dir, "old.pem", tokens_ec),
	    tokens_put_public(dir, "new-1.pem", tokens_ed),
	    tmpdir_text(dir, "shared_2.secret", tokens_secret));
	keys = tokens_open(paths);
	t = tokens_signed(
	    tokens_ec, "{\"alg\":\"ES256\",\"kid\":\"old\"}", TOKENS_CLAIMS);
	tokens_good(keys, &t);
	t = tokens_signed(
	    tokens_ed, "{\"alg\":\"EdDSA\",\"kid\":\"new-1\"}", TOKENS_CLAIMS);
	tokens_good(keys, &t);
	t = tokens_unsigned(
	    "{\"alg\":\"HS256\",\"kid\":\"shared_2\"}", TOKENS_CLAIMS);
	tokens_add_hmac(&t, tokens_secret, strlen(tokens_secret));
	tokens_good(keys, &t);
	t = tokens_signed(
	    tokens_ec, "{\"alg\":\"ES256\",\"kid\":\"new-1\"}", TOKENS_CLAIMS);
	tokens_bad(keys, &t, "alg is not EdDSA, the one of key 'new-1'");
	t = tokens_signed(tokens_ec, TOKENS_ES256, TOKENS_CLAIMS);
	tokens_bad(keys, &t, "has no kid, and there are several keys");
}

static void
an_unknown_kid_is_refused_with_one_key_too(void **state)
{
	static const char *const kids[] = { "\"\"", "\"mai\"", "\"main2\"",
		"\"main\\u0000\"", "\"../main\"" };
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	char header[80];
	struct tokens_text t;

	for (size_t i = 0; i < ARRAY_LEN(kids); i++) {
		snprintf(header, sizeof(header),
		    "{\"alg\":\"ES256\",\"kid\":%s}", kids[i]);
		t = tokens_signed(tokens_ec, header, TOKENS_CLAIMS);
		tokens_bad(
		    keys, &t, i == 3 ? "not valid JSON" : "no key of the");
	}
	t = tokens_signed(
	    tokens_ec, "{\"alg\":\"ES256\",\"kid\":1}", TOKENS_CLAIMS);
	tokens_bad(keys, &t, "kid is not a string");
	t = tokens_signed(
	    tokens_ec, "{\"alg\":\"ES256\",\"kid\":\"main\"}", TOKENS_CLAIMS);
	tokens_good(keys, &t);
}

static void
without_keys_every_token_is_refused(void **state)
{
	CLEANUP(token_keys_freep) struct token_keys *keys = tokens_open("");
	struct tokens_text t =
	    tokens_signed(tokens_ec, TOKENS_ES256, TOKENS_CLAIMS);

	tokens_bad(keys, &t, "no token key is configured");
}

static void
refused_key(const char *paths, int err, const char *says)
{
	CLEANUP(conf_freep) struct conf *conf = tokens_conf(paths);
	struct token_keys *keys = NULL;
	struct reason why = { "" };

	assert_int_equal(token_keys_open(conf, &keys, &why), err);
	assert_null(keys);
	assert_int_equal(ERR_peek_error(), 0);
	if (!strstr(why.text, says))
		fail_msg("'%s' lacks '%s'", why.text, says);
}

static void
a_key_that_is_too_weak_or_no_key_is_refused(void **state)
{
	struct tmpdir *dir = *state;
	const char *path;
	char both[900];
	FILE *f;

	refused_key(tokens_put_public(dir, "a.pem", tokens_rsa_small), -EINVAL,
	    "is a RSA key of 1024 bits");
	refused_key(tokens_put_public(dir, "a.pem", tokens_p384), -EINVAL,
	    "is a EC key of 384 bits");
	refused_key(tmpdir_text(dir, "a.pem", "junk"), -EINVAL,
	    "no PEM block PUBLIC KEY");
	refused_key(tmpdir_path(dir, "none.pem"), -ENOENT, "none.pem'");
	refused_key(tmpdir_text(dir, "a.key", "junk"), -EINVAL,
	    "must end in .pem (a public key) or .secret");
	refused_key(tmpdir_text(dir, ".secret", tokens_secret), -EINVAL,
	    "must end in .pem");
	refused_key(tmpdir_text(dir, "a+b.secret", tokens_secret), -EINVAL,
	    "the name is the kid");
	refused_key(tmpdir_put(dir, "a.secret", slice_of(tokens_secret, 31)),
	    -EINVAL, "has 31 bytes, fewer than 32");
	path = tokens_put_public(dir, "pub.pem", tokens_ec);
	assert_int_equal(rename(path, tmpdir_path(dir, "pub.secret")), 0);
	refused_key(tmpdir_path(dir, "pub.secret"), -EINVAL,
	    "is a PEM file: a secret is raw bytes");
	path = tmpdir_path(dir, "priv.pem");
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(
	    PEM_write_PrivateKey(f, tokens_ec, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	refused_key(path, -EINVAL, "no PEM block PUBLIC KEY");
	snprintf(both, sizeof(both), "%s %s",
	    tokens_put_public(dir, "k.pem", tokens_ec),
	    tmpdir_text(dir, "k.secret", tokens_secret));
	refused_key(both, -EINVAL, "two keys of the name 'k'");
}

static void
a_key_name_has_at_most_64_characters(void **state)
{
	char name[80];

	memset(name, 'k', 64);
	strcpy(name + 64, ".secret");
	(void)token_keys_free(
	    tokens_open(tmpdir_text(*state, name, tokens_secret)));
	strcpy(name + 64, "k.secret");
	refused_key(
	    tmpdir_text(*state, name, tokens_secret), -EINVAL, "1 to 64 of");
}

static void
a_name_without_a_slash_is_one_of_the_managers_credentials(void **state)
{
	struct tmpdir *dir = *state;

	(void)tmpdir_text(dir, "handed.secret", tokens_secret);
	refused_key("handed.secret", -ENOENT, "handed.secret");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir->path, 1), 0);
	(void)token_keys_free(tokens_open("handed.secret"));
	refused_key("./handed.secret", -ENOENT, "./handed.secret");
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

/* --- form --- */

static void
what_has_not_three_parts_is_refused(void **state)
{
	static const char *const odd[] = { "", "a", "YQ.YQ", "YQ.YQ.YQ.YQ",
		"....", "YQ.YQ.YQ." };
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);

	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct tokens_text t = { .len = 0 };

		tokens_add_text(&t, odd[i]);
		tokens_bad(keys, &t, i == 4 ? "part 1" : "not three parts");
	}
}

static void
base64url_is_strict(void **state)
{
	/* Padding, the other alphabet, white space, a lone digit, rest bits. */
	static const char *const odd[] = { "YQ==", "YQ=", "+_+_", "a/b_", "Y Q",
		"YQ\n", "A", "AAAAA", "YR", "AAB", "", "\303\251\303\251" };
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);

	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		for (unsigned part = 1; part <= 3; part++) {
			struct tokens_text t = { .len = 0 };
			char says[60];

			for (unsigned j = 1; j <= 3; j++) {
				tokens_add_text(&t, j == part ? odd[i] : "YQ");
				tokens_add_text(&t, j < 3 ? "." : "");
			}
			snprintf(says, sizeof(says),
			    "part %u of the token is not base64url", part);
			tokens_bad(keys, &t, says);
		}
}

static void
a_token_has_at_most_4096_bytes(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	char claims[4000];
	size_t room = 2900, len;

	/* Grow the claims byte by byte across the limit. */
	for (len = 0; len < 4200; room++) {
		struct tokens_text t;

		snprintf(claims, sizeof(claims),
		    "{\"sub\":\"ann\"," TOKENS_TIMES ",\"pad\":\"%0*d\"}",
		    (int)room, 0);
		t = tokens_signed(tokens_ec, TOKENS_ES256, claims);
		len = t.len;
		if (len <= TOKEN_MAX)
			tokens_good(keys, &t);
		else
			tokens_bad(keys, &t, "more than 4096");
		if (len > TOKEN_MAX + 2)
			break;
	}
	assert_in_range(len, TOKEN_MAX + 1, TOKEN_MAX + 5);
}

static void
a_token_of_64_kib_is_refused(void **state)
{
	static char big[64 << 10];
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct token token;
	struct reason why;

	memset(big, 'A', sizeof(big));
	big[100] = big[200] = '.';
	assert_int_equal(token_verify(keys, slice_of(big, sizeof(big)),
			     TOKENS_NOW, &token, &why),
	    TOKEN_BAD);
	assert_non_null(strstr(why.text, "65536 bytes, more than 4096"));
}

static void
the_header_is_read_strictly(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	static const struct {
		const char *header, *says;
	} odd[] = {
		{ "{\"alg\":\"ES256\",\"alg\":\"none\"}", "given twice" },
		{ "{\"alg\":\"none\",\"alg\":\"ES256\"}", "given twice" },
		{ "{\"alg\":\"ES256\",\"x\":{\"a\":1,\"a\":1}}",
		    "given twice" },
		{ "{\"alg\":\"ES256\"} x", "not valid JSON" },
		{ "{\"alg\":\"ES256\"", "not valid JSON" },
		{ "{\"alg\":\"ES256\xff\"}", "not valid JSON" },
		{ "[\"ES256\"]", "not a JSON object" },
		{ "\"ES256\"", "not valid JSON" },
		{ "{}", "no alg that is a string" },
		{ "{\"alg\":[\"ES256\"]}", "no alg that is a string" },
		{ "{\"alg\":null}", "no alg that is a string" },
		{ "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", "crit" },
		{ "{\"alg\":\"ES256\",\"crit\":null}", "crit" },
	};

	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct tokens_text t =
		    tokens_signed(tokens_ec, odd[i].header, TOKENS_CLAIMS);

		tokens_bad(keys, &t, odd[i].says);
	}
}

/* --- what is remembered --- */

static void
a_good_token_is_remembered_until_it_expires(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct tokens_text t =
	    tokens_signed(tokens_ec, TOKENS_ES256, TOKENS_CLAIMS);

	for (int i = 0; i < 3; i++) {
		struct tokens_text other = t;

		tokens_good(keys, &t);
		tokens_verdict_at(
		    keys, &t, TOKENS_NOW + 3629, TOKEN_GOOD, NULL);
		tokens_verdict_at(
		    keys, &t, TOKENS_NOW + 3630, TOKEN_EXPIRED, "has expired");
		other.s[other.len - 10] ^= 1;
		tokens_bad(keys, &other, "");
	}
}

static void
a_remembered_token_is_the_callers_own(void **state)
{
	static const char claims[] =
	    "{\"sub\":\"ann\"," TOKENS_TIMES ",\"peal\":{\"read\":[\"a.>\"]}}";
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct tokens_text t = tokens_signed(tokens_ec, TOKENS_ES256, claims);
	struct token first, second;
	struct reason why;

	assert_int_equal(
	    token_verify(keys, tokens_slice(&t), TOKENS_NOW, &first, &why),
	    TOKEN_GOOD);
	token_deinit(&first);
	assert_int_equal(
	    token_verify(keys, tokens_slice(&t), TOKENS_NOW, &first, &why),
	    TOKEN_GOOD);
	assert_int_equal(
	    token_verify(keys, tokens_slice(&t), TOKENS_NOW, &second, &why),
	    TOKEN_GOOD);
	keys = token_keys_free(keys);
	assert_true(acl_equal(&first.acl, &second.acl));
	token_deinit(&first);
	assert_string_equal(second.acl.read[0], "a.>");
	assert_int_equal(second.issued_s, TOKENS_NOW);
	token_deinit(&second);
}

static void
more_tokens_than_there_is_room_for_are_all_good(void **state)
{
	const char *secret = tmpdir_text(*state, "m.secret", tokens_secret);
	CLEANUP(token_keys_freep) struct token_keys *keys = tokens_open(secret);

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 10000; i++) {
			struct tokens_text t;
			struct token token;
			struct reason why;
			char claims[100];

			snprintf(claims, sizeof(claims),
			    "{\"sub\":\"u%d\"," TOKENS_TIMES "}", i);
			t = tokens_unsigned("{\"alg\":\"HS256\"}", claims);
			tokens_add_hmac(&t, tokens_secret, 32);
			assert_int_equal(token_verify(keys, tokens_slice(&t),
					     TOKENS_NOW, &token, &why),
			    TOKEN_GOOD);
			assert_int_equal(atoi(token.sub + 1), i);
			token_deinit(&token);
		}
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(each_kind_of_key_verifies_its_algorithm),
		IN_DIRECTORY(a_secret_verifies_hs256),
		IN_DIRECTORY(every_alg_but_the_keys_own_is_refused),
		IN_DIRECTORY(a_public_key_used_as_a_secret_signs_nothing),
		IN_DIRECTORY(another_keys_signature_is_refused),
		IN_DIRECTORY(
		    signatures_of_zeros_or_of_other_lengths_are_refused),
		IN_DIRECTORY(a_good_signature_and_more_is_refused),
		IN_DIRECTORY(a_signature_in_der_is_refused),
		IN_DIRECTORY(every_changed_byte_is_noticed),
		IN_DIRECTORY(kid_chooses_among_several_keys),
		IN_DIRECTORY(an_unknown_kid_is_refused_with_one_key_too),
		IN_DIRECTORY(without_keys_every_token_is_refused),
		IN_DIRECTORY(a_key_that_is_too_weak_or_no_key_is_refused),
		IN_DIRECTORY(a_key_name_has_at_most_64_characters),
		IN_DIRECTORY(
		    a_name_without_a_slash_is_one_of_the_managers_credentials),
		IN_DIRECTORY(what_has_not_three_parts_is_refused),
		IN_DIRECTORY(base64url_is_strict),
		IN_DIRECTORY(a_token_has_at_most_4096_bytes),
		IN_DIRECTORY(a_token_of_64_kib_is_refused),
		IN_DIRECTORY(the_header_is_read_strictly),
		IN_DIRECTORY(a_good_token_is_remembered_until_it_expires),
		IN_DIRECTORY(a_remembered_token_is_the_callers_own),
		IN_DIRECTORY(more_tokens_than_there_is_room_for_are_all_good),
	};

	return cmocka_run_group_tests_name(
	    "token", tests, tokens_make_keys, tokens_free_keys);
}
