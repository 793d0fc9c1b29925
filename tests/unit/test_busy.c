/* SPDX-License-Identifier: BSD-2-Clause */

/* The busiest topics, in bounded memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/time.h"
#include "tools/busy.h"

static const struct hash_key key = { { 1, 2 } };

/* n events of the topic. */
static void
see(struct busy *b, const char *topic, unsigned n, uint32_t bytes)
{
	uint64_t hash = hash_bytes(&key, topic, strlen(topic));

	for (unsigned i = 0; i < n; i++)
		if (!busy_add(b, hash, bytes))
			busy_meet(b, hash, slice_cstr(topic), bytes);
}

/* Names in that order, from the first one on. */
static const char *
names(struct busy *b, enum busy_order order, unsigned from)
{
	static char text[200];
	const struct busy_topic *list[3];
	unsigned n = busy_list(b, order, from, list, ARRAY_LEN(list));

	text[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		strcat(text, list[i]->name);
		strcat(text, i + 1 < n ? " " : "");
	}
	return text;
}

static void
rates_are_what_came_in_a_second(void **state)
{
	CLEANUP(busy_freep) struct busy *b = busy_new(16);
	const struct busy_topic *t;

	busy_turn(b, NS_PER_S);
	see(b, "a", 10, 100);
	see(b, "b", 4, 1000);
	busy_turn(b, 3 * NS_PER_S);
	assert_int_equal(busy_count(b), 2);
	assert_int_equal(busy_list(b, BUSY_BY_EVENTS, 0, &t, 1), 1);
	assert_string_equal(t->name, "a");
	assert_true(t->rates.events == 5 && t->rates.bytes == 500);
	assert_true(t->rates.events_10 > 0 && t->rates.events_10 < 5);
	assert_true(busy_all(b)->events == 7 && busy_all(b)->bytes == 2500);
	/* The longer average gets there in its time, and goes in it. */
	for (unsigned i = 4; i < 100; i++) {
		see(b, "a", 5, 100);
		busy_turn(b, i * NS_PER_S);
	}
	assert_int_equal(busy_list(b, BUSY_BY_EVENTS, 0, &t, 1), 1);
	assert_true(t->rates.events_10 > 4.9 && t->rates.events_10 < 5.1);
	busy_turn(b, 100 * NS_PER_S);
	assert_int_equal(busy_list(b, BUSY_BY_EVENTS, 0, &t, 1), 1);
	assert_true(t->rates.events == 0 && t->rates.events_10 > 4);
}

static void
no_time_is_no_turn(void **state)
{
	CLEANUP(busy_freep) struct busy *b = busy_new(16);

	busy_turn(b, NS_PER_S);
	see(b, "a", 10, 100);
	busy_turn(b, NS_PER_S);
	assert_true(busy_all(b)->events == 0);
	see(b, "a", 10, 100);
	busy_turn(b, 2 * NS_PER_S);
	assert_true(busy_all(b)->events == 20);
}

static void
topics_are_listed_in_the_order_that_is_asked_for(void **state)
{
	CLEANUP(busy_freep) struct busy *b = busy_new(16);

	busy_turn(b, NS_PER_S);
	see(b, "c", 3, 10);
	see(b, "a", 1, 5000);
	see(b, "b", 2, 10);
	busy_turn(b, 2 * NS_PER_S);
	assert_string_equal(names(b, BUSY_BY_EVENTS, 0), "c b a");
	assert_string_equal(names(b, BUSY_BY_BYTES, 0), "a c b");
	assert_string_equal(names(b, BUSY_BY_NAME, 0), "a b c");
	assert_string_equal(names(b, BUSY_BY_NAME, 2), "c");
	assert_string_equal(names(b, BUSY_BY_NAME, 3), "");
	/* Equal ones by name. */
	see(b, "d", 3, 10);
	see(b, "c", 3, 10);
	busy_turn(b, 3 * NS_PER_S);
	assert_string_equal(names(b, BUSY_BY_EVENTS, 0), "c d b");
}

static void
another_key_changes_nothing_but_hashes(void **state)
{
	static const struct hash_key other = { { 3, 4 } };
	CLEANUP(busy_freep) struct busy *b = busy_new(16);

	see(b, "a", 1, 10);
	busy_rekey(b, &other);
	assert_false(busy_add(b, hash_bytes(&key, "a", 1), 10));
	assert_true(busy_add(b, hash_bytes(&other, "a", 1), 10));
	assert_int_equal(busy_count(b), 1);
}

static void
a_topic_without_room_counts_with_the_others_for_a_turn(void **state)
{
	CLEANUP(busy_freep) struct busy *b = busy_new(4);
	static const char *const few[] = { "a", "b", "c", "d" };

	busy_turn(b, NS_PER_S);
	for (unsigned i = 0; i < ARRAY_LEN(few); i++)
		see(b, few[i], i + 1, 10);
	see(b, "late", 100, 10);
	busy_turn(b, 2 * NS_PER_S);
	assert_true(busy_others(b)->events == 100);
	assert_true(busy_all(b)->events == 110);
	assert_string_equal(names(b, BUSY_BY_EVENTS, 0), "d c");
	see(b, "late", 100, 10);
	busy_turn(b, 3 * NS_PER_S);
	assert_true(busy_others(b)->events == 0);
	assert_string_equal(names(b, BUSY_BY_EVENTS, 0), "late d c");
}

static void
a_topic_that_is_much_of_all_is_found_among_any_number(void **state)
{
	enum {
		ROOM = 64,
		TURNS = 20,
		NOISE = 2000
	};
	CLEANUP(busy_freep) struct busy *b = busy_new(ROOM);
	unsigned seed = (unsigned)time(NULL);
	char topic[32];

	print_message("# seed %u\n", seed);
	srand(seed);
	for (unsigned turn = 1; turn <= TURNS; turn++) {
		for (unsigned i = 0; i < NOISE; i++) {
			snprintf(topic, sizeof(topic), "noise.%d", rand());
			see(b, topic, 1, 100);
			if (i % 10 == 0)
				see(b, "tenth", 1, 100);
			if (i % 20 == 0)
				see(b, "twentieth", 1, 100);
		}
		busy_turn(b, turn * NS_PER_S);
		assert_true(busy_count(b) <= ROOM);
	}
	assert_int_equal(busy_count(b) >= 2, 1);
	assert_memory_equal(
	    names(b, BUSY_BY_EVENTS, 0), "tenth twentieth ", 16);
}

static void
a_name_that_is_too_long_for_a_topic_is_nobodys(void **state)
{
	CLEANUP(busy_freep) struct busy *b = busy_new(4);
	char longest[TOPIC_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	longest[TOPIC_MAX + 1] = '\0';
	see(b, longest, 1, 1);
	assert_int_equal(busy_count(b), 0);
	longest[TOPIC_MAX] = '\0';
	see(b, longest, 1, 1);
	assert_int_equal(busy_count(b), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_what_came_in_a_second),
		cmocka_unit_test(no_time_is_no_turn),
		cmocka_unit_test(
		    topics_are_listed_in_the_order_that_is_asked_for),
		cmocka_unit_test(another_key_changes_nothing_but_hashes),
		cmocka_unit_test(
		    a_topic_without_room_counts_with_the_others_for_a_turn),
		cmocka_unit_test(
		    a_topic_that_is_much_of_all_is_found_among_any_number),
		cmocka_unit_test(
		    a_name_that_is_too_long_for_a_topic_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
