/* SPDX-License-Identifier: BSD-2-Clause */

/* Versions: counting, growing, and taking back what a refusal bumped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "writer/versions.h"

/* All topics share one slot when the hash says so: probing must cope. */
static uint64_t
hash_of(unsigned i, int collide)
{
	return collide ? 7 : i * UINT64_C(0x9e3779b97f4a7c15);
}

static struct slice
name(unsigned i, char buf[32])
{
	return slice_of(buf, (size_t)snprintf(buf, 32, "topic.%u", i));
}

static void
versions_count_up_from_one_per_topic(void **state)
{
	struct versions *vs = versions_new();
	struct version_undo undo;
	char buf[32];

	for (unsigned round = 1; round <= 3; round++)
		for (unsigned i = 0; i < 5000; i++)
			assert_int_equal(
			    versions_bump(vs, hash_of(i, 0), name(i, buf),
				round * 5000 + i, &undo),
			    round);
	assert_int_equal(versions_count(vs), 5000);
	assert_int_equal(
	    versions_get(vs, hash_of(17, 0), name(17, buf)).last_seq,
	    3 * 5000 + 17);
	assert_int_equal(
	    versions_get(vs, hash_of(5000, 0), name(5000, buf)).version, 0);
	versions_free(vs);
}

static void
equal_hashes_do_not_mix_topics_up(void **state)
{
	struct versions *vs = versions_new();
	struct version_undo undo;
	char buf[32];

	for (unsigned i = 0; i < 300; i++)
		for (unsigned k = 0; k <= i % 3; k++)
			assert_int_equal(versions_bump(vs, hash_of(i, 1),
					     name(i, buf), 1, &undo),
			    k + 1);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(
		    versions_get(vs, hash_of(i, 1), name(i, buf)).version,
		    i % 3 + 1);
	versions_free(vs);
}

static void
undo_restores_every_topic_and_the_count(void **state)
{
	for (int collide = 0; collide < 2; collide++) {
		struct versions *vs = versions_new();
		struct version_undo undo[200];
		char buf[32];

		for (unsigned i = 0; i < 100; i++)
			versions_bump(vs, hash_of(i, collide), name(i, buf),
			    i + 1, &undo[0]);
		for (unsigned i = 0; i < 200; i++)
			versions_bump(vs, hash_of(i / 2 + 50, collide),
			    name(i / 2 + 50, buf), 1000 + i, &undo[i]);
		for (unsigned i = 200; i-- > 0;)
			versions_undo(vs, &undo[i]);
		assert_int_equal(versions_count(vs), 100);
		for (unsigned i = 0; i < 200; i++) {
			struct version v =
			    versions_get(vs, hash_of(i, collide), name(i, buf));

			assert_int_equal(v.version, i < 100);
			assert_int_equal(v.last_seq, i < 100 ? i + 1 : 0);
		}
		versions_free(vs);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_count_up_from_one_per_topic),
		cmocka_unit_test(equal_hashes_do_not_mix_topics_up),
		cmocka_unit_test(undo_restores_every_topic_and_the_count),
	};

	return cmocka_run_group_tests_name("versions", tests, NULL, NULL);
}
