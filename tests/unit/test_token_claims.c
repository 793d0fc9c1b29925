/* SPDX-License-Identifier: BSD-2-Clause */

/* What a token that is signed well may say, and what becomes of it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/reason.h"
#include "gateway/token.h"
#include "tests/lib/tmpdir.h"
#include "tests/lib/tokens.h"

/* --- claims --- */

static void
members_given_twice_are_refused(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);

	tokens_bad_claims(keys,
	    "{\"sub\":\"ann\",\"sub\":\"bob\"," TOKENS_TIMES "}",
	    "body is ambiguous: a member of an object is given twice");
	tokens_bad_claims(keys,
	    "{\"sub\":\"ann\"," TOKENS_TIMES
	    ",\"peal\":{\"read\":[],\"read\":[\">\"]}}",
	    "given twice");
	tokens_bad_claims(
	    keys, "[" TOKENS_CLAIMS "]", "body is not a JSON object");
	tokens_bad_claims(keys, "ann", "body is not valid JSON");
}

static void
times_are_whole_numbers_that_must_be_there(void **state)
{
	static const char *const odd[] = { "", "\"exp\":1700003600.0,",
		"\"exp\":1.7e9,", "\"exp\":\"1700003600\",", "\"exp\":-1,",
		"\"exp\":null,", "\"exp\":true,", "\"exp\":[1700003600]," };
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	char claims[200];

	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		snprintf(claims, sizeof(claims),
		    "{\"sub\":\"ann\",%s\"iat\":1700000000}", odd[i]);
		tokens_bad_claims(keys, claims, "no exp that is an integer");
	}
	tokens_bad_claims(keys,
	    "{\"sub\":\"ann\",\"iat\":1,\"exp\":99999999999999999999}",
	    "not valid JSON");
	tokens_bad_claims(keys, "{\"sub\":\"ann\",\"exp\":1700003600}",
	    "no iat that is an integer");
	tokens_bad_claims(keys,
	    "{\"sub\":\"ann\",\"iat\":1.5,\"exp\":1700003600}",
	    "no iat that is an integer");
	tokens_bad_claims(keys,
	    "{\"sub\":\"ann\",\"nbf\":\"now\"," TOKENS_TIMES "}",
	    "nbf is not an integer");
	tokens_good_claims(
	    keys, "{\"sub\":\"ann\",\"iat\":0,\"exp\":9223372036854775807}");
}

static void
times_have_a_leeway_of_30_seconds(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct tokens_text t = tokens_signed(tokens_ec, TOKENS_ES256,
	    "{\"sub\":\"ann\",\"iat\":1000,\"nbf\":2000,\"exp\":3000}");

	tokens_verdict_at(keys, &t, 969, TOKEN_BAD, "in the future");
	tokens_verdict_at(keys, &t, 970, TOKEN_BAD, "not valid yet");
	tokens_verdict_at(keys, &t, 1969, TOKEN_BAD, "not valid yet");
	tokens_verdict_at(keys, &t, 1970, TOKEN_GOOD, NULL);
	tokens_verdict_at(keys, &t, 2999, TOKEN_GOOD, NULL);
	tokens_verdict_at(keys, &t, 3029, TOKEN_GOOD, NULL);
	tokens_verdict_at(keys, &t, 3030, TOKEN_EXPIRED, "has expired");
	t = tokens_signed(
	    tokens_ec, TOKENS_ES256, "{\"sub\":\"ann\",\"iat\":1,\"exp\":0}");
	tokens_verdict_at(keys, &t, 0, TOKEN_GOOD, NULL);
	tokens_verdict_at(keys, &t, 30, TOKEN_EXPIRED, "has expired");
}

static void
an_expired_token_of_another_key_is_bad_and_not_expired(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct tokens_text t = tokens_signed(tokens_ec_other, TOKENS_ES256,
	    "{\"sub\":\"ann\",\"iat\":1000,\"exp\":3000}");

	tokens_bad(keys, &t, "signature is not");
}

static void
sub_has_1_to_128_bytes(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	char claims[400], name[130];

	tokens_bad_claims(
	    keys, "{" TOKENS_TIMES "}", "no sub that is a string");
	tokens_bad_claims(
	    keys, "{\"sub\":7," TOKENS_TIMES "}", "no sub that is a string");
	tokens_bad_claims(
	    keys, "{\"sub\":\"\"," TOKENS_TIMES "}", "has 0 bytes");
	tokens_bad_claims(
	    keys, "{\"sub\":\"a\\u0000b\"," TOKENS_TIMES "}", "not valid JSON");
	tokens_bad_claims(
	    keys, "{\"sub\":\"a\\nb\"," TOKENS_TIMES "}", "can't be an actor");
	for (int len = 127; len <= 129; len++) {
		struct token token;
		struct reason why;
		struct tokens_text t;

		memset(name, 'u', sizeof(name));
		snprintf(claims, sizeof(claims),
		    "{\"sub\":\"%.*s\"," TOKENS_TIMES "}", len, name);
		t = tokens_signed(tokens_ec, TOKENS_ES256, claims);
		if (len == 129) {
			tokens_bad(keys, &t, "has 129 bytes, not 1 to 128");
			continue;
		}
		assert_int_equal(token_verify(keys, tokens_slice(&t),
				     TOKENS_NOW, &token, &why),
		    TOKEN_GOOD);
		assert_int_equal(strlen(token.sub), len);
		token_deinit(&token);
	}
}

static struct token_keys *
open_with(struct tmpdir *dir, const char *assignment)
{
	CLEANUP(conf_freep)
	struct conf *conf =
	    tokens_conf(tokens_put_public(dir, "main.pem", tokens_ec));
	struct token_keys *keys = NULL;
	struct reason why;

	assert_int_equal(conf_set(conf, assignment, &why), 0);
	assert_int_equal(token_keys_open(conf, &keys, &why), 0);
	return keys;
}

static void
a_configured_audience_must_be_named(void **state)
{
	static const char *const right[] = { "\"here\"",
		"[\"there\",7,\"here\"]" };
	static const char *const wrong[] = { "\"there\"", "\"her\"",
		"\"here \"", "[]", "[\"there\"]", "[[\"here\"]]", "null",
		"{\"here\":1}" };
	CLEANUP(token_keys_freep)
	struct token_keys *keys = open_with(*state, "auth.audience=here");
	char claims[200];

	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		snprintf(claims, sizeof(claims),
		    "{\"sub\":\"ann\",\"aud\":%s," TOKENS_TIMES "}", right[i]);
		tokens_good_claims(keys, claims);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(claims, sizeof(claims),
		    "{\"sub\":\"ann\",\"aud\":%s," TOKENS_TIMES "}", wrong[i]);
		tokens_bad_claims(keys, claims, "another audience");
	}
	tokens_bad_claims(keys, TOKENS_CLAIMS, "another audience");
}

static void
a_configured_issuer_must_be_named(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = open_with(*state, "auth.issuer=us");

	tokens_good_claims(
	    keys, "{\"sub\":\"ann\",\"iss\":\"us\"," TOKENS_TIMES "}");
	tokens_bad_claims(keys,
	    "{\"sub\":\"ann\",\"iss\":\"them\"," TOKENS_TIMES "}",
	    "another issuer");
	tokens_bad_claims(keys,
	    "{\"sub\":\"ann\",\"iss\":[\"us\"]," TOKENS_TIMES "}",
	    "another issuer");
	tokens_bad_claims(keys, TOKENS_CLAIMS, "another issuer");
}

/* --- rights --- */

static void
rights(struct token_keys *keys, const char *sub, const char *peal,
    struct token *token)
{
	struct reason why = { "" };
	char claims[3000];
	struct tokens_text t;

	snprintf(claims, sizeof(claims), "{\"sub\":\"%s\"," TOKENS_TIMES ",%s}",
	    sub, peal);
	t = tokens_signed(tokens_ec, TOKENS_ES256, claims);
	if (token_verify(keys, tokens_slice(&t), TOKENS_NOW, token, &why) !=
	    TOKEN_GOOD)
		fail_msg("%s", why.text);
}

static void
the_claim_becomes_permissions(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct token token;

	rights(keys, "ann",
	    "\"peal\":{\"read\":[\"b.*\",\"a.>\",\"b.*\"],"
	    "\"write\":[\"c\"],\"admin\":true,\"later\":1}",
	    &token);
	assert_int_equal(token.issued_s, 1700000000);
	assert_int_equal(token.expires_s, 1700003600);
	assert_int_equal(token.acl.n_read, 2);
	assert_string_equal(token.acl.read[0], "a.>");
	assert_string_equal(token.acl.read[1], "b.*");
	assert_int_equal(token.acl.n_write, 1);
	assert_string_equal(token.acl.write[0], "c");
	assert_true(token.acl.admin);
	token_deinit(&token);
}

static void
without_the_claim_nothing_is_permitted(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	static const char *const none[] = { "\"x\":1", "\"peal\":{}",
		"\"peal\":{\"read\":[],\"write\":[],\"admin\":false}" };

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		struct token token;

		rights(keys, "ann", none[i], &token);
		assert_int_equal(token.acl.n_read, 0);
		assert_int_equal(token.acl.n_write, 0);
		assert_false(token.acl.admin);
		token_deinit(&token);
	}
}

static void
sub_in_a_pattern_is_the_escaped_user(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	struct token token;

	rights(keys, "$a.*>%b",
	    "\"peal\":{\"read\":[\"user.{sub}.>\",\"{sub}\","
	    "\"x{sub}y{sub}.{sub\"]}",
	    &token);
	assert_int_equal(token.acl.n_read, 3);
	assert_string_equal(token.acl.read[0], "%24a%2E%2A%3E%25b");
	assert_string_equal(token.acl.read[1], "user.%24a%2E%2A%3E%25b.>");
	assert_string_equal(
	    token.acl.read[2], "x%24a%2E%2A%3E%25by%24a%2E%2A%3E%25b.{sub");
	token_deinit(&token);
}

static void
rights_of_the_wrong_shape_are_refused(void **state)
{
	static const struct {
		const char *peal, *says;
	} odd[] = {
		{ "[]", "peal is not an object" },
		{ "null", "peal is not an object" },
		{ "\"admin\"", "peal is not an object" },
		{ "{\"admin\":1}", "peal.admin of the token is not a bool" },
		{ "{\"read\":\"a\"}",
		    "peal.read of the token is not an array" },
		{ "{\"write\":{}}", "peal.write of the token is not an array" },
		{ "{\"read\":[\"a\",7]}", "peal.read[1] of the token" },
		{ "{\"read\":[\"\"]}", "peal.read[0] of the token" },
		{ "{\"read\":[\"a.>.b\"]}", "peal.read[0] of the token" },
		{ "{\"write\":[\"a..b\"]}", "peal.write[0] of the token" },
		{ "{\"write\":[\"a b\"]}", "peal.write[0] of the token" },
	};
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	char claims[300];

	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		snprintf(claims, sizeof(claims),
		    "{\"sub\":\"ann\"," TOKENS_TIMES ",\"peal\":%s}",
		    odd[i].peal);
		tokens_bad_claims(keys, claims, odd[i].says);
	}
}

static void
patterns_are_bounded_in_number_and_length(void **state)
{
	CLEANUP(token_keys_freep)
	struct token_keys *keys = tokens_open_ec(*state);
	char claims[3000], list[1000], filler[256];

	for (int n = 63; n <= 65; n++) {
		list[0] = '\0';
		for (int i = 0; i < n; i++)
			snprintf(list + strlen(list),
			    sizeof(list) - strlen(list), "%s\"p%d\"",
			    i ? "," : "", i);
		snprintf(claims, sizeof(claims),
		    "{\"sub\":\"ann\"," TOKENS_TIMES
		    ",\"peal\":{\"read\":[%s],\"write\":[%s]}}",
		    list, list);
		if (n <= 64)
			tokens_good_claims(keys, claims);
		else
			tokens_bad_claims(keys, claims,
			    "peal.read of the token has 65 patterns");
	}
	/* The user's three bytes count, not the five of {sub}. */
	memset(filler, 'f', sizeof(filler));
	for (int len = 251; len <= 253; len++) {
		snprintf(claims, sizeof(claims),
		    "{\"sub\":\"ann\"," TOKENS_TIMES
		    ",\"peal\":{\"write\":[\"%.*s{sub}\"]}}",
		    len, filler);
		if (len <= 252)
			tokens_good_claims(keys, claims);
		else
			tokens_bad_claims(keys, claims, "peal.write[0]");
	}
}

static void
anonymous_clients_get_what_is_configured(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct acl acl = { .admin = true };
	struct reason why = { "" };

	assert_int_equal(token_anonymous(conf, &acl, &why), 0);
	assert_int_equal(acl.n_read, 0);
	assert_false(acl.admin);
	assert_int_equal(
	    conf_set(conf, "auth.anonymous_read=public.>  a.*", &why), 0);
	assert_int_equal(token_anonymous(conf, &acl, &why), 0);
	assert_int_equal(acl.n_read, 2);
	assert_string_equal(acl.read[0], "a.*");
	assert_int_equal(acl.n_write, 0);
	acl_deinit(&acl);
	assert_int_equal(conf_set(conf, "auth.anonymous_read=a >.b", &why), 0);
	assert_int_equal(token_anonymous(conf, &acl, &why), -EINVAL);
	assert_non_null(strstr(why.text, "auth.anonymous_read: pattern"));
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(members_given_twice_are_refused),
		IN_DIRECTORY(times_are_whole_numbers_that_must_be_there),
		IN_DIRECTORY(times_have_a_leeway_of_30_seconds),
		IN_DIRECTORY(
		    an_expired_token_of_another_key_is_bad_and_not_expired),
		IN_DIRECTORY(sub_has_1_to_128_bytes),
		IN_DIRECTORY(a_configured_audience_must_be_named),
		IN_DIRECTORY(a_configured_issuer_must_be_named),
		IN_DIRECTORY(the_claim_becomes_permissions),
		IN_DIRECTORY(without_the_claim_nothing_is_permitted),
		IN_DIRECTORY(sub_in_a_pattern_is_the_escaped_user),
		IN_DIRECTORY(rights_of_the_wrong_shape_are_refused),
		IN_DIRECTORY(patterns_are_bounded_in_number_and_length),
		cmocka_unit_test(anonymous_clients_get_what_is_configured),
	};

	return cmocka_run_group_tests_name(
	    "token_claims", tests, tokens_make_keys, tokens_free_keys);
}
