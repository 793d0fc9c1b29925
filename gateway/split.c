/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A live set falls into atoms: filters of one pair each, without permissions
 * wherever a pattern can say what they leave of it.  Atoms are interned like
 * all filters, so that how many connections hold one is counted in itself.
 *
 *	{repo.>} under {repo.*, user.7.>}	-> {repo.*}
 *	{>}      under {news.>, user.7.>}	-> {news.>}, {user.7.>}
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/mp.h"
#include "core/topic.h"
#include "gateway/alloc.h"
#include "gateway/filter_priv.h"
#include "gateway/split.h"

enum {
	ATOMS_MAX = 256, /* a set of more is an atom itself */
};

/* A set on its way into atoms. */
struct atoms {
	struct filter *set;
	struct filter *v[ATOMS_MAX];
	uint32_t n;
	bool failed; /* they are too many */
};

/* At most half of those who hold the most common one. */
static bool
few(uint32_t holders, uint32_t most)
{
	return holders <= most / 2;
}

const struct split_policy split_usual = { .own = few, .crowd = 16 };

/* Takes over the reference. */
static void
add(struct atoms *a, struct filter *atom)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (a->v[i] == atom) {
			(void)filter_unref(atom);
			return;
		}
	if (a->n == ATOMS_MAX) {
		a->failed = true;
		(void)filter_unref(atom);
		return;
	}
	a->v[a->n++] = atom;
}

static void
add_key(struct atoms *a, struct slice key, const struct acl *acl)
{
	struct filter_keys one = { &key, 1 };

	add(a, filter_of_keys(a->set->table, &one, acl));
}

/*
 * The pattern of what both match, neither a system one; its length, 0: no
 * topic is so.  A topic is no shorter than a pattern that it matches.
 */
static size_t
intersect(struct slice a, struct slice b, uint8_t out[TOPIC_MAX])
{
	size_t len = 0;

	while (a.len > 0 && b.len > 0) {
		bool a_rest = slice_is(a, ">"), b_rest = slice_is(b, ">");
		struct slice ta, tb, token;

		if (a_rest || b_rest) {
			token = a_rest ? b : a;
			a.len = b.len = 0;
		} else {
			if (!topic_next_token(&a, &ta) ||
			    !topic_next_token(&b, &tb))
				abort();
			token = slice_is(ta, "*") ? tb : ta;
			if (!slice_is(ta, "*") && !slice_is(tb, "*") &&
			    !slice_equal(ta, tb))
				return 0;
		}
		if (len + (len > 0) + token.len > TOPIC_MAX)
			return 0;
		if (len > 0)
			out[len++] = '.';
		memcpy(out + len, token.p, token.len);
		len += token.len;
	}
	return a.len == 0 && b.len == 0 ? len : 0;
}

/* What the permissions leave of a pair, one atom for each of their patterns. */
static void
add_permitted(struct atoms *a, const struct filter_pair *pair)
{
	const struct acl *acl = &a->set->acl;
	uint8_t pattern[TOPIC_MAX];

	for (unsigned i = 0; i < acl->n_read && !a->failed; i++) {
		struct slice read = slice_cstr(acl->read[i]);
		struct mp_buf key CLEANUP(mp_buf_deinit) = { 0 };
		size_t len;

		if (topic_is_system(read))
			continue; /* which no other pattern reaches */
		len = intersect(pair->pattern, read, pattern);
		if (len == 0)
			continue;
		mp_pack_array(&key, 2);
		mp_pack_str(&key, slice_of(pattern, len));
		mp_pack_array(&key, pair->n_types);
		mp_pack_raw(&key, pair->types);
		if (key.failed)
			alloc_failed();
		add_key(a, slice_of(key.p, key.len), NULL);
	}
}

static void
add_pair(struct atoms *a, const struct filter_pair *pair)
{
	const struct filter *set = a->set;

	if (!set->restricted || filter_within(&set->acl, pair->pattern))
		add_key(a, pair->key, NULL);
	else if (topic_is_system(pair->pattern))
		add_key(a, pair->key, &set->acl);
	else
		add_permitted(a, pair);
}

static void
make_atoms(struct filter *set)
{
	struct atoms a = { .set = set };

	for (uint32_t i = 0; i < set->n_pairs && !a.failed; i++)
		add_pair(&a, &set->pairs[i]);
	if (a.failed || (a.n == 1 && a.v[0] == set)) {
		while (a.n > 0)
			(void)filter_unref(a.v[--a.n]);
		return;
	}
	set->atoms = alloc_array(NULL, a.n, sizeof(struct filter *));
	memcpy(set->atoms, a.v, a.n * sizeof(struct filter *));
	set->n_atoms = a.n;
}

/* One more holder of each atom, or one fewer; the most that one has. */
static uint32_t
count(struct filter *set, uint32_t change)
{
	uint32_t most = 0;

	if (!set->atoms)
		set->holders += change;
	for (uint32_t i = 0; i < set->n_atoms; i++) {
		set->atoms[i]->holders += change;
		most = MAX(most, set->atoms[i]->holders);
	}
	return most;
}

/* The atoms that are shared, or those that are not; NULL: there is none. */
static struct filter *
part(struct filter *set, const bool *shared, bool which)
{
	struct filter *parts[ATOMS_MAX];
	unsigned n = 0;

	for (uint32_t i = 0; i < set->n_atoms; i++)
		if (shared[i] == which)
			parts[n++] = set->atoms[i];
	if (n == 0 && !which)
		return NULL;
	return filter_union(set->table, parts, n);
}

/* Its atoms are made, where it has any. */
static struct filter *
enter_whole(struct split *split, struct filter *set)
{
	(void)count(set, 1);
	*split = (struct split){ .set = filter_ref(set) };
	return filter_ref(set);
}

struct filter *
split_enter_whole(struct split *split, struct filter *set)
{
	if (!set->atoms)
		make_atoms(set);
	return enter_whole(split, set);
}

/*
 * Atoms that many hold would all be shared, if the same ones did not fall
 * together so differently that each combination is a group of few.  So that
 * part is only a wish, until a crowd has it; until then those atoms are
 * shared that most have who have any.
 */
struct filter *
split_enter(
    struct split *split, struct filter *set, const struct split_policy *policy)
{
	bool wide[ATOMS_MAX], narrow[ATOMS_MAX], *shared = narrow;
	uint32_t most;

	if (!set->atoms)
		make_atoms(set);
	if (!set->atoms)
		return enter_whole(split, set);
	most = count(set, 1);
	for (uint32_t i = 0; i < set->n_atoms; i++) {
		uint32_t n = set->atoms[i]->holders;

		narrow[i] = !policy->own(n, most);
		wide[i] = narrow[i] || n >= policy->crowd;
	}
	*split = (struct split){ .set = filter_ref(set),
		.wish = part(set, wide, true) };
	if (++split->wish->wishes >= policy->crowd)
		shared = wide;
	split->own = part(set, shared, false);
	return part(set, shared, true);
}

void
split_leave(struct split *split)
{
	if (!split->set)
		return;
	(void)count(split->set, UINT32_MAX);
	if (split->wish)
		split->wish->wishes--;
	(void)filter_unref(split->wish);
	(void)filter_unref(split->own);
	(void)filter_unref(split->set);
	*split = (struct split){ 0 };
}
