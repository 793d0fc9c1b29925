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

bool
split_few(uint32_t holders, uint32_t most)
{
	return holders <= most / 2;
}

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

void
split_hold(struct filter *set)
{
	if (!set->atoms)
		make_atoms(set);
	if (!set->atoms)
		set->holders++;
	for (uint32_t i = 0; i < set->n_atoms; i++)
		set->atoms[i]->holders++;
}

void
split_release(struct filter *set)
{
	if (!set->atoms) {
		assert(set->holders > 0);
		set->holders--;
	}
	for (uint32_t i = 0; i < set->n_atoms; i++) {
		assert(set->atoms[i]->holders > 0);
		set->atoms[i]->holders--;
	}
}

void
split_set(struct filter *set, split_rule *rule, struct filter **shared,
    struct filter **own)
{
	struct filter **parts;
	unsigned n_shared = 0, n_own = 0;
	uint32_t most = 0;

	*own = NULL;
	if (!set->atoms) {
		*shared = filter_ref(set);
		return;
	}
	for (uint32_t i = 0; i < set->n_atoms; i++)
		most = MAX(most, set->atoms[i]->holders);
	parts = alloc_array(NULL, set->n_atoms, sizeof(parts[0]));
	/* Shared ones from the front, the others from the end. */
	for (uint32_t i = 0; i < set->n_atoms; i++) {
		if (rule(set->atoms[i]->holders, most))
			parts[set->n_atoms - ++n_own] = set->atoms[i];
		else
			parts[n_shared++] = set->atoms[i];
	}
	*shared = filter_union(set->table, parts, n_shared);
	if (n_own > 0)
		*own = filter_union(set->table, parts + n_shared, n_own);
	free(parts);
}
