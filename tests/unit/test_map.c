/* SPDX-License-Identifier: BSD-2-Clause */

/* The map against a plain array of what it should hold. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/map.h"
#include "tests/lib/mpgen.h"

enum {
	KEYS = 5000,
	STEPS = 200000
};

struct thing {
	char name[16];
	bool in;
	bool seen;
};

static struct thing things[KEYS];

static struct slice
name_of(const struct thing *thing)
{
	return slice_cstr(thing->name);
}

static int
name_things(void **state)
{
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(things[i].name, sizeof(things[i].name), "%u", i);
	return 0;
}

static void
an_empty_map_holds_nothing(void **state)
{
	struct map *map CLEANUP(map_freep) = map_new();
	size_t at = 0;

	assert_non_null(map);
	assert_int_equal(map_count(map), 0);
	assert_null(map_get(map, SLICE_STR("a")));
	assert_null(map_take(map, SLICE_STR("a")));
	assert_null(map_next(map, &at));
	map_clear(map);
	assert_null(map_free(NULL));
}

static void
keys_are_bytes_of_any_length(void **state)
{
	struct map *map CLEANUP(map_freep) = map_new();
	int a, b, c;

	assert_non_null(map);
	assert_int_equal(map_put(map, slice_of(NULL, 0), &a), 0);
	assert_int_equal(map_put(map, SLICE_STR("\0"), &b), 0);
	assert_int_equal(map_put(map, SLICE_STR("\0\0"), &c), 0);
	assert_ptr_equal(map_get(map, SLICE_STR("")), &a);
	assert_ptr_equal(map_get(map, SLICE_STR("\0")), &b);
	assert_ptr_equal(map_take(map, SLICE_STR("\0\0")), &c);
	assert_null(map_get(map, SLICE_STR("\0\0")));
	assert_int_equal(map_count(map), 2);
}

/* The map holds what is in, once each, and nothing else. */
static void
holds_what_is_in(const struct map *map)
{
	struct thing *thing;
	size_t at = 0, n = 0;

	while ((thing = map_next(map, &at))) {
		assert_true(thing->in && !thing->seen);
		thing->seen = true;
		n++;
	}
	assert_int_equal(n, map_count(map));
	for (unsigned i = 0; i < KEYS; i++) {
		assert_int_equal(things[i].seen, things[i].in);
		assert_ptr_equal(map_get(map, name_of(&things[i])),
		    things[i].in ? &things[i] : NULL);
		things[i].seen = false;
	}
}

static void
what_was_put_and_not_taken_is_there(void **state)
{
	struct map *map CLEANUP(map_freep) = map_new();
	static struct mpgen gen;

	assert_non_null(map);
	mpgen_seed(&gen);
	for (unsigned i = 0; i < STEPS; i++) {
		/* Few keys, then all, then few again. */
		unsigned range = i < STEPS / 3 ? 20 : KEYS;
		struct thing *thing = &things[mpgen_below(&gen, range)];

		if (thing->in)
			assert_ptr_equal(map_take(map, name_of(thing)), thing);
		else
			assert_int_equal(
			    map_put(map, name_of(thing), thing), 0);
		thing->in = !thing->in;
		if (i % 20000 == 0)
			holds_what_is_in(map);
	}
	holds_what_is_in(map);
	for (unsigned i = 0; i < KEYS; i++) {
		assert_ptr_equal(map_take(map, name_of(&things[i])),
		    things[i].in ? &things[i] : NULL);
		things[i].in = false;
	}
	holds_what_is_in(map);
}

static void
a_cleared_map_takes_the_same_keys_again(void **state)
{
	struct map *map CLEANUP(map_freep) = map_new();

	assert_non_null(map);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < KEYS; i++) {
			assert_int_equal(
			    map_put(map, name_of(&things[i]), &things[i]), 0);
			things[i].in = true;
		}
		holds_what_is_in(map);
		map_clear(map);
		for (unsigned i = 0; i < KEYS; i++)
			things[i].in = false;
		holds_what_is_in(map);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_holds_nothing),
		cmocka_unit_test(keys_are_bytes_of_any_length),
		cmocka_unit_test(what_was_put_and_not_taken_is_there),
		cmocka_unit_test(a_cleared_map_takes_the_same_keys_again),
	};

	return cmocka_run_group_tests_name("map", tests, name_things, NULL);
}
