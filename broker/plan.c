/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Plans.  What a pattern and a readable one have in common begins with a
 * literal run, and that is the range to look at; ranges within others are
 * dropped, so that no topic is met twice.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/plan.h"
#include "core/graph.h"
#include "core/topic.h"
#include "core/topic_set.h"

static const char plan_relations[] = "graph.relation.";

int
plan_compare(struct slice a, struct slice b)
{
	int c = memcmp(a.p, b.p, MIN(a.len, b.len));

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

bool
plan_begins(struct slice topic, struct slice prefix)
{
	return topic.len >= prefix.len &&
	       memcmp(topic.p, prefix.p, prefix.len) == 0;
}

/* Room for one more element of size bytes in *v. */
static int
plan_room(void *v, size_t n, size_t *cap, size_t size)
{
	void **at = v;
	void *bigger;

	if (n < *cap)
		return 0;
	bigger = realloc(*at, MAX(*cap * 2, 8) * size);
	if (!bigger)
		return -ENOMEM;
	*at = bigger;
	*cap = MAX(*cap * 2, 8);
	return 0;
}

static int
plan_keep(struct plan *plan, struct slice text, struct slice *kept)
{
	uint8_t *copy;
	int err = plan_room(
	    &plan->kept, plan->n_kept, &plan->cap_kept, sizeof(*plan->kept));

	if (err < 0)
		return err;
	copy = malloc(text.len + 1);
	if (!copy)
		return -ENOMEM;
	if (text.len)
		memcpy(copy, text.p, text.len);
	plan->kept[plan->n_kept++] = copy;
	*kept = slice_of(copy, text.len);
	return 0;
}

static int
plan_add(struct plan *plan, struct slice text, bool point, bool exact)
{
	struct slice kept;
	int err = plan_room(&plan->v, plan->n, &plan->cap, sizeof(*plan->v));

	if (err == 0)
		err = plan_keep(plan, text, &kept);
	if (err < 0)
		return err;
	plan->v[plan->n++] = (struct plan_range){ kept, point, exact };
	return 0;
}

int
plan_add_point(struct plan *plan, struct slice topic)
{
	return plan_add(plan, topic, true, false);
}

int
plan_add_relations(struct plan *plan)
{
	return plan_add(plan, slice_cstr(plan_relations), false, false);
}

bool
plan_is_relation(struct slice topic)
{
	return plan_begins(topic, slice_cstr(plan_relations));
}

static int
plan_add_name(struct plan *plan, struct slice name)
{
	struct slice kept;
	int err = plan_room(&plan->names, plan->n_names, &plan->cap_names,
	    sizeof(*plan->names));

	if (err == 0)
		err = plan_keep(plan, name, &kept);
	if (err < 0)
		return err;
	plan->names[plan->n_names++] = kept;
	return 0;
}

/* With a literal FROM the range of what leaves it is as good. */
static bool
plan_is_incoming(struct slice pattern, struct slice *name)
{
	return plan_begins(pattern, SLICE_STR("graph.relation.*.")) &&
	       graph_relation_to(pattern, name) && !slice_is(*name, "*") &&
	       !slice_is(*name, ">");
}

static int
plan_add_pattern(struct plan *plan, struct slice pattern, bool names)
{
	struct slice name;
	size_t n = 0;

	if (names && plan_is_incoming(pattern, &name))
		return plan_add_name(plan, name);
	/* '*' and '>' are tokens, never a part of one. */
	while (n < pattern.len && pattern.p[n] != '*' && pattern.p[n] != '>')
		n++;
	return plan_add(plan, slice_of(pattern.p, n), n == pattern.len,
	    n == pattern.len || (pattern.p[n] == '>' && n + 1 == pattern.len));
}

static int
plan_add_crosses(
    struct plan *plan, const struct topic_set *set, unsigned i, bool names)
{
	char buf[2 * TOPIC_MAX + 2];
	int err = 0;

	if (!set->restricted)
		return plan_add_pattern(plan, set->patterns[i], names);
	for (unsigned k = 0; err == 0 && k < set->n_read; k++) {
		size_t len = topic_cross(set->patterns[i], set->read[k], buf);

		if (len > 0)
			err = plan_add_pattern(plan, slice_of(buf, len), names);
	}
	return err;
}

/* Of equal texts the wider range comes first, and that which knows more. */
static int
plan_order(const void *a, const void *b)
{
	const struct plan_range *x = a, *y = b;
	int c = plan_compare(x->text, y->text);

	if (c != 0)
		return c;
	return x->point != y->point ? x->point - y->point : y->exact - x->exact;
}

static int
plan_order_name(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	return plan_compare(*x, *y);
}

static void
plan_settle_names(struct plan *plan)
{
	const struct slice all = slice_cstr(plan_relations);
	size_t n = 0;

	for (size_t i = 0; i < plan->n; i++)
		if (!plan->v[i].point && plan_begins(all, plan->v[i].text))
			plan->n_names = 0;
	if (plan->n_names > 1)
		qsort(plan->names, plan->n_names, sizeof(*plan->names),
		    plan_order_name);
	for (size_t i = 0; i < plan->n_names; i++)
		if (n == 0 || !slice_equal(plan->names[n - 1], plan->names[i]))
			plan->names[n++] = plan->names[i];
	plan->n_names = n;
}

void
plan_settle(struct plan *plan)
{
	size_t n = 0;

	if (plan->n > 1)
		qsort(plan->v, plan->n, sizeof(*plan->v), plan_order);
	for (size_t i = 0; i < plan->n; i++) {
		const struct plan_range *last = n > 0 ? &plan->v[n - 1] : NULL;

		if (last && last->point &&
		    slice_equal(last->text, plan->v[i].text))
			continue;
		if (last && !last->point &&
		    plan_begins(plan->v[i].text, last->text))
			continue;
		plan->v[n++] = plan->v[i];
	}
	plan->n = n;
	plan_settle_names(plan);
}

int
plan_make(struct plan *plan, const struct topic_set *set, bool names)
{
	int err = 0;

	if (!set)
		err = plan_add(plan, slice_of("", 0), false, true);
	for (unsigned i = 0; set && err == 0 && i < set->n; i++)
		err = plan_add_crosses(plan, set, i, names);
	plan_settle(plan);
	return err;
}

void
plan_deinit(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_kept; i++)
		free(plan->kept[i]);
	free(plan->kept);
	free(plan->names);
	free(plan->v);
	*plan = (struct plan){ 0 };
}

bool
plan_wants(const struct plan_range *range, const struct topic_set *set,
    struct slice topic)
{
	if (!set || (range->exact && topic.p[0] != '$'))
		return true;
	return topic_set_matches(set, topic);
}

bool
plan_is_points(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (!plan->v[i].point)
			return false;
	return plan->n_names == 0;
}
