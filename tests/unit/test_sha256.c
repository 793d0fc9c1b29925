/* SPDX-License-Identifier: BSD-2-Clause */

/* SHA-256: known sums, pieces, and threads. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/macros.h"
#include "core/sha256.h"

static void
is(const uint8_t sum[SHA256_BYTES], const char *hex)
{
	char text[2 * SHA256_BYTES + 1];

	for (unsigned i = 0; i < SHA256_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	assert_string_equal(text, hex);
}

/* FIPS 180-4's examples, and the empty message. */
static const struct {
	const char *text, *hex;
} known[] = {
	{ "",
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc",
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void
known_sums_are_met(void **state)
{
	uint8_t sum[SHA256_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		sha256(known[i].text, strlen(known[i].text), sum);
		is(sum, known[i].hex);
	}
}

static void
pieces_give_what_the_whole_gives_again_and_again(void **state)
{
	uint8_t buf[200], whole[SHA256_BYTES], pieces[SHA256_BYTES];
	struct sha256 s = { 0 };

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7);
	sha256(buf, sizeof(buf), whole);
	for (size_t cut = 0; cut <= sizeof(buf); cut++) {
		sha256_init(&s);
		sha256_update(&s, buf, cut);
		sha256_update(&s, buf + cut, sizeof(buf) - cut);
		sha256_final(&s, pieces);
		assert_memory_equal(pieces, whole, SHA256_BYTES);
	}
	/* One that was begun and not finished is begun anew. */
	sha256_init(&s);
	sha256_update(&s, "junk", 4);
	sha256_init(&s);
	sha256_update(&s, "abc", 3);
	sha256_final(&s, pieces);
	is(pieces, known[1].hex);
	sha256_deinit(&s);
	sha256_deinit(&s);
}

static void *
hash_often(void *arg)
{
	static const uint8_t zeros[SHA256_BYTES];
	uint8_t *sum = arg;

	memcpy(sum, zeros, sizeof(zeros));
	for (int i = 0; i < 2000; i++)
		sha256(sum, SHA256_BYTES, sum);
	return NULL;
}

static void
threads_do_not_disturb_each_other(void **state)
{
	uint8_t sums[4][SHA256_BYTES], mine[SHA256_BYTES];
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, hash_often, sums[i]), 0);
	(void)hash_often(mine);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_memory_equal(sums[i], mine, SHA256_BYTES);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sums_are_met),
		cmocka_unit_test(
		    pieces_give_what_the_whole_gives_again_and_again),
		cmocka_unit_test(threads_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
