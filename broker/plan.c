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
#include "core/topic.h"
#include "core/topic_set.h"

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

static int
plan_add_pattern(struct plan *plan, struct slice pattern)
{
	size_t n = 0;

	/* '*' and '>' are tokens, never a part of one. */
	while (n < pattern.len && pattern.p[n] != '*' && pattern.p[n] != '>')
		n++;
	return plan_add(plan, slice_of(pattern.p, n), n == pattern.len,
	    n == pattern.len || (pattern.p[n] == '>' && n + 1 == pattern.len));
}

static int
plan_add_crosses(struct plan *plan, const struct topic_set *set, unsigned i)
{
	char buf[2 * TOPIC_MAX + 2];
	int err = 0;

	if (!set->restricted)
		return plan_add_pattern(plan, set->patterns[i]);
	for (unsigned k = 0; err == 0 && k < set->n_read; k++) {
		size_t len = topic_cross(set->patterns[i], set->read[k], buf);

		if (len > 0)
			err = plan_add_pattern(plan, slice_of(buf, len));
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

static void
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
}

int
plan_make(struct plan *plan, const struct topic_set *set)
{
	int err = 0;

	if (!set)
		err = plan_add(plan, slice_of("", 0), false, true);
	for (unsigned i = 0; set && err == 0 && i < set->n; i++)
		err = plan_add_crosses(plan, set, i);
	plan_settle(plan);
	return err;
}

void
plan_deinit(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_kept; i++)
		free(plan->kept[i]);
	free(plan->kept);
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
	return true;
}
