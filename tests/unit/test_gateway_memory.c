/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the gateway makes beside its fan-out, with each allocation failing,
 * alone or with all behind it: keys, tokens, the forms of messages, files.
 * It is whole or not there, and no good token is called a bad one.
 */

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
#include "gateway/block.h"
#include "gateway/form.h"
#include "gateway/site.h"
#include "gateway/token.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/tmpdir.h"
#include "tests/lib/tokens.h"

#define CLAIMS                                                     \
	"{\"sub\":\"ann\"," TOKENS_TIMES                           \
	",\"peal\":{\"read\":[\"news.>\",\"user.{sub}.>\",\"*\"]," \
	"\"write\":[\"user.{sub}.notes\"],\"admin\":false}}"

struct verifying {
	const struct conf *conf;
	struct tokens_text text;
};

static void
assert_rights(const struct token *token)
{
	assert_string_equal(token->sub, "ann");
	assert_int_equal(token->acl.n_read, 3);
	assert_int_equal(token->acl.n_write, 1);
	assert_string_equal(token->acl.write[0], "user.ann.notes");
}

/* Whole: whom and whose a token is for, too, is there to be looked at. */
static int
open_keys(void *arg)
{
	CLEANUP(token_keys_freep) struct token_keys *keys = NULL;
	const struct verifying *v = arg;
	struct reason why = { "" };
	struct token token;
	int err = token_keys_open(v->conf, &keys, &why);

	if (err < 0 && !strstr(why.text, "memory"))
		fail_msg("%d: '%s'", err, why.text);
	if (err < 0)
		return err;
	nomemory_hold();
	assert_int_equal(token_verify(keys, tokens_slice(&v->text), TOKENS_NOW,
			     &token, NULL),
	    TOKEN_GOOD);
	assert_rights(&token);
	token_deinit(&token);
	nomemory_release();
	return 0;
}

/* The second time it is found among those that were good. */
static int
verify_twice(void *arg)
{
	CLEANUP(token_keys_freep) struct token_keys *keys = NULL;
	const struct verifying *v = arg;
	int err = 0;

	nomemory_hold();
	assert_int_equal(token_keys_open(v->conf, &keys, NULL), 0);
	nomemory_release();
	for (int i = 0; i < 2; i++) {
		struct reason why = { "" };
		struct token token;
		int got = token_verify(
		    keys, tokens_slice(&v->text), TOKENS_NOW, &token, &why);

		if (got > 0)
			fail_msg("%d: '%s'", got, why.text);
		if (got == TOKEN_GOOD) {
			assert_rights(&token);
			token_deinit(&token);
		}
		err = got < 0 ? got : err;
	}
	return err;
}

static void
no_good_token_is_called_bad_for_want_of_memory(void **state)
{
	struct verifying v = { .conf = tokens_conf(tokens_put_public(
				   *state, "main.pem", tokens_ec)) };

	v.text = tokens_signed(tokens_ec, TOKENS_ES256, CLAIMS);
	nomemory_sweep(open_keys, &v);
	nomemory_sweep(verify_twice, &v);
	conf_free((void *)(uintptr_t)v.conf);
}

/* A batch of events whose texts grow when they are escaped. */
static struct block *
batch(void)
{
	struct block *b = block_new(8000);

	assert_non_null(b);
	for (unsigned i = 0; i < 100; i++)
		block_add(b,
		    (const uint8_t *)"\x93\x01\xa4\n\"\\\x01\xc4\x01\x00", 10);
	block_finish_batch(b, 6, 107);
	return b;
}

struct forms {
	struct block *json, *events; /* of a batch, with memory */
};

static struct block *
form_batch(struct block **of, bool events)
{
	nomemory_hold();
	*of = batch();
	nomemory_release();
	return events ? form_events(*of, "forest-1") : form_of(*of, FORM_JSON);
}

static int
form_both(void *arg)
{
	const struct forms *f = arg;
	int err = 0;

	for (int events = 0; events < 2; events++) {
		CLEANUP(block_unrefp) struct block *b = NULL;
		const struct block *is = form_batch(&b, events);
		const struct block *ought = events ? f->events : f->json;

		if (!is) {
			err = -ENOMEM;
			continue;
		}
		assert_int_equal(
		    is->end - is->start, ought->end - ought->start);
		assert_memory_equal(is->bytes + is->start,
		    ought->bytes + ought->start, ought->end - ought->start);
	}
	return err;
}

static void
a_form_is_the_whole_message_or_none(void **state)
{
	CLEANUP(block_unrefp) struct block *json = NULL;
	CLEANUP(block_unrefp) struct block *events = NULL;
	struct forms f = { form_batch(&json, false),
		form_batch(&events, true) };

	(void)state;
	assert_non_null(f.json);
	assert_non_null(f.events);
	nomemory_sweep(form_both, &f);
}

static int
open_site(void *arg)
{
	CLEANUP(site_freep) struct site *s = NULL;
	struct tmpdir *dir = arg;
	struct reason why = { "" };
	char path[20];
	size_t bytes;
	int err = site_open(dir->path, &s, &why);

	if (err < 0 && !strstr(why.text, "memory"))
		fail_msg("%d: '%s'", err, why.text);
	if (err == 0) {
		assert_int_equal(site_count(s, &bytes), 20);
		assert_int_equal(bytes, 20 * strlen("text"));
		for (unsigned i = 0; i < 20; i++) {
			const struct site_file *f;

			snprintf(path, sizeof(path), "/f%u.js", i);
			f = site_find(s, slice_cstr(path));
			assert_non_null(f);
			assert_non_null(f->body);
			assert_int_equal(
			    f->body->end - f->body->start, strlen("text"));
		}
	}
	return err;
}

static void
files_are_kept_all_or_none(void **state)
{
	char name[20];

	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%u.js", i);
		(void)tmpdir_text(*state, name, "text");
	}
	nomemory_sweep(open_site, *state);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_good_token_is_called_bad_for_want_of_memory),
		TEST(a_form_is_the_whole_message_or_none),
		TEST(files_are_kept_all_or_none),
	};

	return cmocka_run_group_tests_name(
	    "gateway_memory", tests, tokens_make_keys, tokens_free_keys);
}
