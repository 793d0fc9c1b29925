/* SPDX-License-Identifier: BSD-2-Clause */

/* Presence, against a search for a topic that all who are asked may see. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/presence.h"
#include "core/mpvalid.h"
#include "core/topic.h"
#include "core/topic_set.h"
#include "tests/lib/mpgen.h"

enum {
	TOPICS = 400,
	MEMBERS = 12,
	PATTERNS = 3,
	ROUNDS = 400,
	PLENTY = 1 << 20,
};

/* --- what is asked and answered, as text --- */

static struct slice
array_of(struct mp_buf *b, const char *words)
{
	size_t before = b->len, head = mp_begin(b);
	uint32_t n = 0;

	for (const char *p = words; *p; n++) {
		size_t len = strcspn(p, " ");

		mp_pack_str(b, slice_of(p, len));
		p += len + (p[len] == ' ');
	}
	mp_end_array(b, head, n);
	return slice_of(b->p + before, b->len - before);
}

static enum presence_taken
present(struct presence_group *g, uint64_t number, const char *user,
    const char *client, const char *topics, const char *read, uint64_t since)
{
	struct mp_buf a = { 0 }, r = { 0 };
	struct presence_member m = { .number = number,
		.user = slice_cstr(user),
		.client = slice_cstr(client),
		.topics = array_of(&a, topics),
		.since_us = since };
	enum presence_taken taken;

	if (read)
		m.read = array_of(&r, read);
	taken = presence_present(g, &m);
	mp_buf_deinit(&a);
	mp_buf_deinit(&r);
	return taken;
}

/* The answer as "user/client/topic/since ...". */
static const char *
ask_within(struct presence *p, const char *topics, const char *read, size_t max,
    int *err)
{
	static char text[4000];
	struct mp_buf a = { 0 }, r = { 0 }, b = { 0 };
	struct slice none = { NULL, 0 };
	struct topic_set set;
	struct mp_item head;
	struct mp_walk w;
	size_t len = 0;

	assert_int_equal(topic_set_init(&set, array_of(&a, topics),
			     read ? array_of(&r, read) : none, false),
	    0);
	*err = presence_pack(p, &set, max, &b);
	topic_set_deinit(&set);
	text[0] = '\0';
	if (*err == 0) {
		assert_int_equal(mpvalid_check(b.p, b.len, NULL), MPVALID_OK);
		w = mp_walk(slice_of(b.p, b.len));
		assert_true(mp_next(&w, &head) && head.type == MP_ARRAY);
		for (uint32_t i = 0; i < head.n; i++) {
			struct mp_item v[9];

			for (unsigned k = 0; k < 9; k++)
				assert_true(mp_next(&w, &v[k]));
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%s%.*s/%.*s/%.*s/%llu", i ? " " : "",
			    (int)v[2].s.len, v[2].s.p, (int)v[4].s.len,
			    v[4].s.p, (int)v[6].s.len, v[6].s.p,
			    (unsigned long long)v[8].u);
		}
	} else {
		assert_int_equal(b.len, 0);
	}
	mp_buf_deinit(&a);
	mp_buf_deinit(&r);
	mp_buf_deinit(&b);
	return text;
}

static const char *
ask(struct presence *p, const char *topics, const char *read)
{
	int err;
	const char *text = ask_within(p, topics, read, PLENTY, &err);

	assert_int_equal(err, 0);
	return text;
}

static void
an_answer_is_in_order_and_names_each_once(void **state)
{
	struct presence *p = presence_new();
	struct presence_group *g = presence_group_new(p);
	struct presence_group *h = presence_group_new(p);

	assert_string_equal(ask(p, ">", NULL), "");
	present(g, 1, "bob", "x", "b.> a.*", NULL, 50);
	present(h, 1, "al", "y", "c a.1", NULL, 70);
	present(h, 2, "al", "y", "a.1", NULL, 60);
	present(g, 2, "al", "", "a.1", NULL, 90);
	assert_string_equal(ask(p, ">", NULL),
	    "al//a.1/90 al/y/a.1/60 al/y/c/70 bob/x/a.*/50 bob/x/b.>/50");
	assert_string_equal(ask(p, "a.1 b.1", "b.> c"), "bob/x/b.>/50");
	presence_group_free(g);
	presence_group_free(h);
	presence_free(p);
}

static void
a_member_comes_changes_and_goes(void **state)
{
	struct presence *p = presence_new();
	struct presence_group *g = presence_group_new(p);
	struct presence_group *h = presence_group_new(p);
	struct presence_counts n;

	present(g, 1, "u", "c", "a", NULL, 1);
	present(h, 1, "v", "c", "a", NULL, 2);
	present(g, 1, "u", "c", "b", NULL, 3);
	assert_string_equal(ask(p, ">", NULL), "u/c/b/3 v/c/a/2");
	presence_absent(g, 1);
	presence_absent(g, 1);
	presence_absent(g, 7);
	assert_string_equal(ask(p, ">", NULL), "v/c/a/2");
	presence_group_free(h);
	assert_string_equal(ask(p, ">", NULL), "");
	presence_counts(p, &n);
	assert_int_equal(n.members, 0);
	assert_int_equal(n.bytes, 0);
	presence_group_free(g);
	presence_free(p);
}

static void
an_answer_that_is_too_large_is_told(void **state)
{
	struct presence *p = presence_new();
	struct presence_group *g = presence_group_new(p);
	int err;

	present(g, 1, "u", "c", "a", NULL, 1);
	(void)ask_within(p, ">", NULL, 0, &err);
	assert_int_equal(err, -EMSGSIZE);
	(void)ask_within(p, "b", NULL, 64, &err);
	assert_int_equal(err, 0);
	presence_group_free(g);
	presence_free(p);
}

static void
a_group_has_so_many_members(void **state)
{
	struct presence *p = presence_new();
	struct presence_group *g = presence_group_new(p);
	struct presence_counts n;

	for (unsigned i = 0; i < PRESENCE_MEMBERS_MAX; i++)
		if (present(g, i, "u", "c", "a", NULL, i + 1) != PRESENCE_TAKEN)
			fail_msg("member %u", i);
	assert_int_equal(
	    present(g, PRESENCE_MEMBERS_MAX, "u", "d", "a", NULL, 1),
	    PRESENCE_FULL);
	presence_counts(p, &n);
	assert_int_equal(n.members, PRESENCE_MEMBERS_MAX);
	assert_int_equal(n.dropped, 1);
	assert_string_equal(ask(p, "a", NULL), "u/c/a/1");
	presence_absent(g, 5);
	assert_int_equal(
	    present(g, PRESENCE_MEMBERS_MAX, "u", "d", "a", NULL, 1),
	    PRESENCE_TAKEN);
	presence_group_free(g);
	presence_free(p);
}

/* --- against a search --- */

static char topics[TOPICS][40];
static unsigned n_topics;

static void
spell(const char *prefix, unsigned depth)
{
	static const char *const words[] = { "$s", "a", "b", "c" };

	for (unsigned i = *prefix ? 1 : 0; i < ARRAY_LEN(words); i++) {
		char *to = topics[n_topics++];

		assert_true(n_topics < TOPICS);
		snprintf(to, sizeof(topics[0]), "%s%s%s", prefix,
		    *prefix ? "." : "", words[i]);
		if (depth > 1)
			spell(to, depth - 1);
	}
}

/* Up to PATTERNS words. */
static void
random_patterns(struct mpgen *g, char *out, unsigned least)
{
	static const char *const words[] = { "a", "b", "*", "a", "b", ">" };
	unsigned n = least + mpgen_below(g, PATTERNS - least + 1);

	*out = '\0';
	for (unsigned i = 0; i < n; i++) {
		unsigned depth = 1 + mpgen_below(g, 3);

		if (i)
			strcat(out, " ");
		for (unsigned d = 0; d < depth; d++) {
			const char *word =
			    words[mpgen_below(g, d + 1 == depth ? 6 : 5)];

			if (d)
				strcat(out, ".");
			strcat(out,
			    d == 0 && mpgen_below(g, 5) == 0 ? "$s" : word);
		}
	}
}

static bool
any_matches(const char *patterns, const char *topic)
{
	for (const char *p = patterns; *p;) {
		size_t len = strcspn(p, " ");

		if (topic_match(slice_of(p, len), slice_cstr(topic)))
			return true;
		p += len + (p[len] == ' ');
	}
	return false;
}

struct who {
	char topics[100];
	char read[100];
	bool restricted, admin;
};

static bool
may_see(const struct who *who, const char *topic)
{
	if (!who->restricted)
		return true;
	return any_matches(who->read, topic) && (*topic != '$' || who->admin);
}

static bool
expected(const struct who *asker, const struct who *member, const char *pattern)
{
	for (unsigned t = 0; t < n_topics; t++)
		if (any_matches(pattern, topics[t]) &&
		    any_matches(asker->topics, topics[t]) &&
		    may_see(asker, topics[t]) && may_see(member, topics[t]))
			return true;
	return false;
}

static void
random_who(struct mpgen *g, struct who *who)
{
	random_patterns(g, who->topics, 1);
	who->restricted = mpgen_below(g, 3) > 0;
	who->admin = mpgen_below(g, 2);
	random_patterns(g, who->read, 0);
}

static void
join(struct presence_group *g, uint64_t number, const struct who *who)
{
	struct mp_buf a = { 0 }, r = { 0 };
	char user[8];
	struct presence_member m = { .number = number, .admin = who->admin };

	snprintf(user, sizeof(user), "%02u", (unsigned)number);
	m.user = slice_cstr(user);
	m.topics = array_of(&a, who->topics);
	m.client = SLICE_STR("c");
	if (who->restricted)
		m.read = array_of(&r, who->read);
	assert_int_equal(presence_present(g, &m), PRESENCE_TAKEN);
	mp_buf_deinit(&a);
	mp_buf_deinit(&r);
}

/* Is (number, pattern) among what was answered? */
static bool
answered(struct slice reply, unsigned number, const char *pattern, size_t len)
{
	struct mp_walk w = mp_walk(reply);
	struct mp_item head, v[9];
	char user[8];

	snprintf(user, sizeof(user), "%02u", number);
	assert_true(mp_next(&w, &head));
	for (uint32_t i = 0; i < head.n; i++) {
		for (unsigned k = 0; k < 9; k++)
			assert_true(mp_next(&w, &v[k]));
		if (slice_is(v[2].s, user) &&
		    slice_equal(v[6].s, slice_of(pattern, len)))
			return true;
	}
	return false;
}

static void
check_answer(
    const struct who *asker, const struct who *members, struct slice reply)
{
	for (unsigned m = 0; m < MEMBERS; m++)
		for (const char *p = members[m].topics; *p;) {
			size_t len = strcspn(p, " ");
			char pattern[100];

			snprintf(pattern, sizeof(pattern), "%.*s", (int)len, p);
			if (answered(reply, m, p, len) !=
			    expected(asker, &members[m], pattern))
				fail_msg("asker %s read %s %d%d: member %s "
					 "read %s %d%d: %s",
				    asker->topics, asker->read,
				    asker->restricted, asker->admin,
				    members[m].topics, members[m].read,
				    members[m].restricted, members[m].admin,
				    pattern);
			p += len + (p[len] == ' ');
		}
}

static void
who_is_seen_shares_a_topic_that_both_may_read(void **state)
{
	struct mpgen *gen = calloc(1, sizeof(*gen));
	struct who members[MEMBERS], asker;

	mpgen_seed(gen);
	spell("", 4);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct presence *p = presence_new();
		struct presence_group *g = presence_group_new(p);
		struct mp_buf a = { 0 }, r = { 0 }, b = { 0 };
		struct slice none = { NULL, 0 };
		struct topic_set set;

		for (unsigned i = 0; i < MEMBERS; i++) {
			random_who(gen, &members[i]);
			join(g, i, &members[i]);
		}
		random_who(gen, &asker);
		assert_int_equal(
		    topic_set_init(&set, array_of(&a, asker.topics),
			asker.restricted ? array_of(&r, asker.read) : none,
			asker.admin),
		    0);
		assert_int_equal(presence_pack(p, &set, PLENTY, &b), 0);
		check_answer(&asker, members, slice_of(b.p, b.len));
		topic_set_deinit(&set);
		mp_buf_deinit(&a);
		mp_buf_deinit(&r);
		mp_buf_deinit(&b);
		presence_group_free(g);
		presence_free(p);
	}
	free(gen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_in_order_and_names_each_once),
		cmocka_unit_test(a_member_comes_changes_and_goes),
		cmocka_unit_test(an_answer_that_is_too_large_is_told),
		cmocka_unit_test(a_group_has_so_many_members),
		cmocka_unit_test(who_is_seen_shares_a_topic_that_both_may_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
