/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Filters, their parts, and matching: what the trie and its cache answer is
 * what every pattern, asked one by one, would have answered.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/hash.h"
#include "core/mp.h"
#include "core/topic.h"
#include "gateway/filter.h"
#include "gateway/match.h"
#include "gateway/split.h"

enum {
	GROUPS = 40
};

struct fix {
	struct filter_table *filters;
	struct match *match;
	struct hash_key key;
	unsigned random;
	struct filter *group[GROUPS]; /* NULL: not there */
};

/* Stands for a group, and every third for a rider. */
static struct match_to
group(uintptr_t i)
{
	if (i % 3 == 0)
		return (struct match_to){ .rider = (void *)i };
	return (struct match_to){ .group = (void *)i };
}

static unsigned
chance(struct fix *fx, unsigned below)
{
	fx->random = fx->random * 1664525 + 1013904223;
	return (fx->random >> 8) % below;
}

static int
setup(void **state)
{
	struct fix *fx = calloc(1, sizeof(*fx));

	fx->filters = filter_table_new();
	fx->match = match_new();
	fx->key = hash_key_random();
	*state = fx;
	return 0;
}

static int
teardown(void **state)
{
	struct fix *fx = *state;

	for (unsigned i = 0; i < GROUPS; i++)
		if (fx->group[i]) {
			match_remove(fx->match, fx->group[i], group(i + 1ul));
			(void)filter_unref(fx->group[i]);
		}
	(void)match_free(fx->match);
	(void)filter_table_free(fx->filters);
	free(fx);
	return 0;
}

static void
acl_of(struct acl *acl, const char *const *patterns)
{
	*acl = (struct acl){ 0 };
	for (; *patterns; patterns++)
		assert_int_equal(
		    acl_add(acl, ACL_READ, slice_cstr(*patterns), NULL),
		    ACL_ADDED);
}

/* Lists end with NULL. */
static struct filter *
filter_of(struct fix *fx, const char *const *topics, const char *const *types,
    const char *const *read)
{
	struct mp_buf t = { 0 }, y = { 0 };
	struct filter *f;
	struct acl acl;
	unsigned n = 0, m = 0;

	while (topics[n])
		n++;
	while (types && types[m])
		m++;
	mp_pack_array(&t, n);
	for (unsigned i = 0; i < n; i++)
		mp_pack_cstr(&t, topics[i]);
	mp_pack_array(&y, m);
	for (unsigned i = 0; i < m; i++)
		mp_pack_cstr(&y, types[i]);
	acl_of(&acl, read);
	f = filter_make(fx->filters, slice_of(t.p, t.len),
	    slice_of(y.p, m > 0 ? y.len : 0), &acl);
	acl_deinit(&acl);
	mp_buf_deinit(&t);
	mp_buf_deinit(&y);
	return f;
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void
the_order_of_patterns_makes_no_other_filter(void **state)
{
	struct fix *fx = *state;
	struct filter *a, *b, *c;

	a = filter_of(fx, LIST("x.y", "a.>"), LIST("s", "t"), LIST(">"));
	b = filter_of(
	    fx, LIST("a.>", "x.y", "a.>"), LIST("t", "s", "s"), LIST(">"));
	c = filter_of(fx, LIST("a.>", "x.y"), NULL, LIST(">"));
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	(void)filter_unref(a);
	(void)filter_unref(b);
	(void)filter_unref(c);
}

static void
users_share_a_filter_where_permissions_do_not_matter(void **state)
{
	struct fix *fx = *state;
	struct filter *a, *b, *c;

	a = filter_of(fx, LIST("a.b"), NULL, LIST("a.*", "user.1.>"));
	b = filter_of(fx, LIST("a.b"), NULL, LIST("a.>", "user.2.>"));
	c = filter_of(fx, LIST("a.>"), NULL, LIST("a.*", "user.1.>"));
	assert_ptr_equal(a, b);
	assert_false(a->restricted);
	assert_true(c->restricted);
	assert_true(filter_matches(c, SLICE_STR("a.x"), SLICE_STR("t")));
	assert_false(filter_matches(c, SLICE_STR("a.x.y"), SLICE_STR("t")));
	(void)filter_unref(a);
	(void)filter_unref(b);
	(void)filter_unref(c);
}

static void
a_union_lets_through_what_any_of_them_does(void **state)
{
	struct fix *fx = *state;
	struct filter *a, *b, *c, *u;

	a = filter_of(fx, LIST("a.*"), LIST("set"), LIST(">"));
	b = filter_of(fx, LIST("b.*", "a.*"), NULL, LIST(">"));
	c = filter_of(fx, LIST("a.*", "b.*"), NULL, LIST(">"));
	u = filter_union(fx->filters, (struct filter *[]){ a, b }, 2);
	assert_true(filter_matches(u, SLICE_STR("a.x"), SLICE_STR("add")));
	assert_true(filter_matches(u, SLICE_STR("b.x"), SLICE_STR("add")));
	assert_false(filter_matches(u, SLICE_STR("c.x"), SLICE_STR("add")));
	assert_ptr_not_equal(u, c); /* it knows one pair more */
	(void)filter_unref(u);
	u = filter_union(fx->filters, (struct filter *[]){ b, c }, 2);
	assert_ptr_equal(u, c);
	(void)filter_unref(u);
	(void)filter_unref(a);
	(void)filter_unref(b);
	(void)filter_unref(c);
}

static void
other_permissions_change_only_what_they_touch(void **state)
{
	struct fix *fx = *state;
	struct filter *f = filter_of(fx, LIST("a.x"), NULL, LIST("a.>"));
	struct filter *same, *other;
	struct acl acl;

	acl_of(&acl, LIST("a.x", "b.>"));
	same = filter_permit(f, &acl);
	acl_deinit(&acl);
	acl_of(&acl, LIST("b.>"));
	other = filter_permit(f, &acl);
	acl_deinit(&acl);
	assert_ptr_equal(same, f);
	assert_ptr_not_equal(other, f);
	assert_false(filter_matches(other, SLICE_STR("a.x"), SLICE_STR("t")));
	(void)filter_unref(same);
	(void)filter_unref(other);
	(void)filter_unref(f);
}

static void
a_pattern_covers_what_it_cannot_fail_to_match(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers;
	} rows[] = {
		{ ">", "a", true },
		{ ">", ">", true },
		{ ">", "*.b", true },
		{ "a.>", "a.b.>", true },
		{ "a.>", "a.*", true },
		{ "a.*", "a.b", true },
		{ "a.*", "a.*", true },
		{ "a.b", "a.b", true },
		{ "a.>", "a", false },
		{ "a", "a.b", false },
		{ "a.*", "a.>", false },
		{ "a.*", "a.b.c", false },
		{ "a.b", "a.*", false },
		{ "a.b", "a.>", false },
		{ "*.b", "a.c", false },
		{ ">", "$acl.x", false },
		{ "*.x", "$acl.x", false },
		{ "$acl.>", "$acl.x", true },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
		    filter_pattern_covers(
			slice_cstr(rows[i].outer), slice_cstr(rows[i].inner)),
		    rows[i].covers);
}

static const char *
random_pattern(struct fix *fx, char buf[64], bool topic)
{
	static const char *const names[] = { "a", "b", "c", "$s", "dd" };
	unsigned n = 1 + chance(fx, topic ? 2 : 4);

	buf[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		unsigned pick = chance(fx, topic ? 5 : 7);
		const char *token = pick < 5 ? names[pick] : "*";

		if (pick == 6 && i + 1 == n)
			token = ">";
		if (i > 0)
			strcat(buf, ".");
		/* '$' is special only in front. */
		strcat(buf, i > 0 && token[0] == '$' ? "e" : token);
	}
	return buf;
}

static void
change_some_group(struct fix *fx)
{
	char p[3][64], r[2][64];
	unsigned i = chance(fx, GROUPS), n = 1 + chance(fx, 3);
	const char *topics[4] = { 0 };

	if (fx->group[i]) {
		match_remove(fx->match, fx->group[i], group(i + 1ul));
		fx->group[i] = filter_unref(fx->group[i]);
		return;
	}
	for (unsigned j = 0; j < n; j++)
		topics[j] = random_pattern(fx, p[j], false);
	fx->group[i] = filter_of(fx, topics,
	    chance(fx, 3) ? NULL : LIST(chance(fx, 2) ? "set" : "a*"),
	    chance(fx, 2) ? LIST(">")
			  : LIST(random_pattern(fx, r[0], false),
				random_pattern(fx, r[1], false)));
	match_add(fx->match, fx->group[i], group(i + 1ul));
}

static bool
found(const struct match_list *list, struct match_to to, struct slice type)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (match_same(list->hits[i].to, to) &&
		    (!list->hits[i].pair ||
			filter_pair_type(list->hits[i].pair, type)))
			return true;
	return false;
}

static void
look_up_some_topic(struct fix *fx)
{
	const struct match_list *list;
	char buf[64];
	struct slice topic = slice_cstr(random_pattern(fx, buf, true));
	struct slice type = slice_cstr(chance(fx, 2) ? "set" : "add");
	/* Few hashes: entries meet, and are told apart by their topics. */
	uint64_t hash = hash_bytes(&fx->key, topic.p, topic.len) % 50;

	list = match_find(fx->match, hash, topic);
	for (uintptr_t i = 0; i < GROUPS; i++)
		assert_int_equal(found(list, group(i + 1), type),
		    fx->group[i] && filter_matches(fx->group[i], topic, type));
	for (uint32_t i = 1; i < list->n; i++)
		assert_true(
		    !list->hits[i - 1].to.rider || list->hits[i].to.rider);
}

static void
a_lookup_finds_exactly_the_groups_that_match(void **state)
{
	struct fix *fx = *state;

	fx->random = (unsigned)time(NULL);
	print_message("seed %u\n", fx->random);
	/* Changes come alone, in numbers, and in more than are remembered. */
	for (unsigned i = 0; i < 30000; i++) {
		unsigned n = chance(fx, 20) ? 0 : 1;

		if (n > 0 && chance(fx, 3) == 0)
			n = chance(fx, 150);
		while (n-- > 0)
			change_some_group(fx);
		look_up_some_topic(fx);
	}
}

static void
a_topic_is_walked_once_while_changes_are_few(void **state)
{
	struct fix *fx = *state;
	struct match_counts counts;
	const struct match_list *list;

	fx->group[0] = filter_of(fx, LIST("a.>"), NULL, LIST(">"));
	match_add(fx->match, fx->group[0], group(1));
	for (unsigned i = 0; i < 100; i++)
		(void)match_find(fx->match, 7, SLICE_STR("a.b"));
	match_counts(fx->match, &counts);
	assert_int_equal(counts.lookups, 100);
	assert_int_equal(counts.walks, 1);
	fx->group[1] = filter_of(fx, LIST("*.b"), NULL, LIST(">"));
	for (unsigned i = 0; i < 30; i++) {
		match_add(fx->match, fx->group[1], group(2));
		list = match_find(fx->match, 7, SLICE_STR("a.b"));
		assert_int_equal(list->n, 2);
		match_remove(fx->match, fx->group[1], group(2));
		list = match_find(fx->match, 7, SLICE_STR("a.b"));
		assert_int_equal(list->n, 1);
	}
	match_counts(fx->match, &counts);
	assert_int_equal(counts.walks, 1);
	for (unsigned i = 0; i < 33; i++) {
		match_add(fx->match, fx->group[1], group(2));
		match_remove(fx->match, fx->group[1], group(2));
	}
	list = match_find(fx->match, 7, SLICE_STR("a.b"));
	assert_int_equal(list->n, 1);
	match_counts(fx->match, &counts);
	assert_int_equal(counts.walks, 2);
	fx->group[1] = filter_unref(fx->group[1]);
}

static void
what_few_hold_is_their_own(void **state)
{
	struct fix *fx = *state;
	struct filter *news, *one, *two, *shared;
	struct split a, b, c;

	news = filter_of(fx, LIST("news.>"), NULL, LIST(">"));
	one = filter_of(fx, LIST("news.>", "user.1"), NULL, LIST(">"));
	two = filter_of(fx, LIST("news.>", "user.2"), NULL, LIST(">"));
	/* The first one, of which nobody else has any. */
	shared = split_enter(&a, one, &split_usual);
	assert_ptr_equal(shared, one);
	assert_null(a.own);
	(void)filter_unref(shared);
	shared = split_enter(&b, two, &split_usual);
	assert_ptr_equal(shared, news);
	assert_true(filter_matches(b.own, SLICE_STR("user.2"), SLICE_STR("t")));
	assert_false(
	    filter_matches(b.own, SLICE_STR("news.x"), SLICE_STR("t")));
	(void)filter_unref(shared);
	/* Two of three have this one. */
	shared = split_enter(&c, one, &split_usual);
	assert_ptr_equal(shared, one);
	(void)filter_unref(shared);
	split_leave(&a);
	split_leave(&b);
	split_leave(&c);
	assert_int_equal(news->holders, 0);
	(void)filter_unref(news);
	(void)filter_unref(one);
	(void)filter_unref(two);
}

static void
what_a_crowd_shares_is_shared(void **state)
{
	enum {
		ALL = 1000,
		CROWD = 100
	};
	static struct split splits[ALL];
	struct fix *fx = *state;
	struct filter *news = filter_of(fx, LIST("news.>"), NULL, LIST(">"));
	struct filter *both =
	    filter_of(fx, LIST("news.>", "sport.>"), NULL, LIST(">"));
	unsigned shared_both = 0, shared_news = 0;

	/* 100 of a thousand have sport, too; 100 others a room of 20 each. */
	for (unsigned i = 0; i < ALL; i++) {
		struct filter *set = filter_ref(i < ALL - CROWD ? news : both);
		struct filter *shared;
		char room[2][32];

		snprintf(room[0], sizeof(room[0]), "room.%u", i % 5);
		snprintf(room[1], sizeof(room[1]), "hall.%u", i / 5 % 5);
		if (i >= ALL - 2 * CROWD && i < ALL - CROWD) {
			(void)filter_unref(set);
			set = filter_of(fx, LIST("news.>", room[0], room[1]),
			    NULL, LIST(">"));
		}
		shared = split_enter(&splits[i], set, &split_usual);
		shared_both += shared == both;
		shared_news += shared == news;
		(void)filter_unref(shared);
		(void)filter_unref(set);
	}
	/* First sport has to be known as one of many, then the two together. */
	assert_int_equal(shared_both, CROWD - 2 * (split_usual.crowd - 1));
	/* Each combination of rooms is held by 4: too few for a group. */
	assert_int_equal(shared_news + shared_both, ALL);
	for (unsigned i = 0; i < ALL; i++)
		split_leave(&splits[i]);
	assert_int_equal(both->wishes, 0);
	(void)filter_unref(news);
	(void)filter_unref(both);
}

static void
permissions_for_one_user_leave_the_rest_shared(void **state)
{
	struct fix *fx = *state;
	struct filter *news, *one, *two, *shared;
	struct split a, b;

	news = filter_of(fx, LIST("news.>"), NULL, LIST(">"));
	one = filter_of(fx, LIST(">"), NULL, LIST("news.>", "user.1.*"));
	two = filter_of(fx, LIST(">"), NULL, LIST("news.>", "user.2.*"));
	assert_true(two->restricted);
	shared = split_enter(&a, one, &split_usual);
	(void)filter_unref(shared);
	shared = split_enter(&b, two, &split_usual);
	assert_ptr_equal(shared, news);
	assert_false(b.own->restricted);
	assert_true(
	    filter_matches(b.own, SLICE_STR("user.2.a"), SLICE_STR("t")));
	assert_false(
	    filter_matches(b.own, SLICE_STR("user.2.a.b"), SLICE_STR("t")));
	(void)filter_unref(shared);
	split_leave(&a);
	split_leave(&b);
	(void)filter_unref(news);
	(void)filter_unref(one);
	(void)filter_unref(two);
}

static struct fix *whose_whim;

static bool
at_random(uint32_t holders, uint32_t most)
{
	return chance(whose_whim, 2);
}

static void
the_two_parts_let_through_what_the_set_does(void **state)
{
	const struct split_policy policy = { at_random, 2 };
	struct fix *fx = *state;
	unsigned both = 0;

	fx->random = (unsigned)time(NULL);
	print_message("seed %u\n", fx->random);
	whose_whim = fx;
	for (unsigned i = 0; i < 3000; i++) {
		char p[3][64], r[3][64], t[64];
		struct filter *shared;
		struct filter *set = filter_of(fx,
		    LIST(random_pattern(fx, p[0], false),
			random_pattern(fx, p[1], false),
			random_pattern(fx, p[2], false)),
		    chance(fx, 2) ? NULL : LIST("set", "b*"),
		    LIST(random_pattern(fx, r[0], false),
			random_pattern(fx, r[1], false),
			random_pattern(fx, r[2], false)));
		struct split split;

		shared = split_enter(&split, set, &policy);
		for (unsigned j = 0; j < 20; j++) {
			struct slice topic =
			    slice_cstr(random_pattern(fx, t, true));
			struct slice type =
			    slice_cstr(chance(fx, 2) ? "set" : "add");
			bool a = filter_matches(shared, topic, type);
			bool b =
			    split.own && filter_matches(split.own, topic, type);

			assert_int_equal(
			    a || b, filter_matches(set, topic, type));
			both += a + b;
		}
		split_leave(&split);
		(void)filter_unref(shared);
		(void)filter_unref(set);
	}
	assert_true(both > 1000);
}

static void
a_set_of_too_many_patterns_stays_whole(void **state)
{
	struct fix *fx = *state;
	char names[257][16];
	const char *list[258] = { 0 };

	for (unsigned n = 256; n <= 257; n++) {
		struct filter *set, *shared;
		struct split split;

		for (unsigned i = 0; i < n; i++) {
			snprintf(names[i], sizeof(names[i]), "a.%u", i);
			list[i] = names[i];
		}
		set = filter_of(fx, list, NULL, LIST(">"));
		shared = split_enter(&split, set, &split_usual);
		assert_int_equal(set->n_atoms, n == 256 ? 256 : 0);
		assert_ptr_equal(shared, set);
		assert_null(split.own);
		split_leave(&split);
		(void)filter_unref(shared);
		(void)filter_unref(set);
	}
}

static void
patterns_that_do_not_match_cost_a_lookup_nothing(void **state)
{
	enum {
		OTHERS = 10000
	};
	static struct filter *others[OTHERS];
	struct fix *fx = *state;
	struct match_counts counts;
	const struct match_list *list;

	for (uintptr_t i = 0; i < OTHERS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "user.%u.>", (unsigned)i);
		others[i] = filter_of(fx, LIST(name), NULL, LIST(">"));
		match_add(fx->match, others[i], group(3 * i + 3));
	}
	fx->group[0] = filter_of(fx, LIST("news.*"), NULL, LIST(">"));
	match_add(fx->match, fx->group[0], group(1));
	for (unsigned i = 0; i < 1000; i++) {
		list = match_find(fx->match, 7, SLICE_STR("news.x"));
		assert_int_equal(list->n, 1);
		list = match_find(fx->match, 8, SLICE_STR("user.77.x"));
		assert_int_equal(list->n, 1);
		assert_true(match_same(list->hits[0].to, group(3 * 77 + 3)));
	}
	match_counts(fx->match, &counts);
	assert_int_equal(counts.lookups, 2000);
	assert_int_equal(counts.walks, 2);
	assert_true(counts.nodes <= 6);
	for (uintptr_t i = 0; i < OTHERS; i++) {
		match_remove(fx->match, others[i], group(3 * i + 3));
		(void)filter_unref(others[i]);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_order_of_patterns_makes_no_other_filter),
		TEST(users_share_a_filter_where_permissions_do_not_matter),
		TEST(a_union_lets_through_what_any_of_them_does),
		TEST(other_permissions_change_only_what_they_touch),
		TEST(a_pattern_covers_what_it_cannot_fail_to_match),
		TEST(a_lookup_finds_exactly_the_groups_that_match),
		TEST(a_topic_is_walked_once_while_changes_are_few),
		TEST(what_few_hold_is_their_own),
		TEST(what_a_crowd_shares_is_shared),
		TEST(permissions_for_one_user_leave_the_rest_shared),
		TEST(the_two_parts_let_through_what_the_set_does),
		TEST(a_set_of_too_many_patterns_stays_whole),
		TEST(patterns_that_do_not_match_cost_a_lookup_nothing),
	};

	return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
