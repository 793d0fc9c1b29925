/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A tree of nodes in one arena, which is empty again after each result.
 * Nothing here is shared with core/merge but the walk over a value.
 */

#include <assert.h>

#include "core/macros.h"
#include "tests/lib/mergefix.h"

enum {
	NODES = 1 << 17
};

/* A map is a list of pairs, an array one of values; the rest is bytes. */
struct node {
	enum mp_type type;
	struct slice bytes;
	struct node *first, *last; /* key, value, key, value ... */
	struct node *next;
};

static struct node nodes[NODES];
static unsigned n_nodes;

static struct node *
new_node(enum mp_type type)
{
	struct node *node = &nodes[n_nodes++];

	assert(n_nodes < NODES);
	*node = (struct node){ .type = type };
	return node;
}

static void
add_child(struct node *parent, struct node *child)
{
	child->next = NULL;
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
}

static struct node *
parse(struct mp_walk *w)
{
	struct mp_walk begin = *w;
	struct mp_item item;
	struct node *node;
	uint32_t n;
	bool read;

	read = mp_next(w, &item);
	assert(read);
	node = new_node(item.type);
	if (item.type == MP_ARRAY || item.type == MP_MAP) {
		n = item.n * (item.type == MP_MAP ? 2 : 1);
		while (n-- > 0)
			add_child(node, parse(w));
	}
	node->bytes = slice_of(begin.p, (size_t)(w->p - begin.p));
	return node;
}

static struct node *
parse_all(struct slice value)
{
	struct mp_walk w = mp_walk(value);
	struct node *node;

	if (!value.len)
		return new_node(MP_NIL);
	node = parse(&w);
	assert(w.p == w.end);
	return node;
}

static void
write_node(const struct node *node, struct mp_buf *out)
{
	uint32_t n = 0;

	for (const struct node *c = node->first; c; c = c->next)
		n++;
	if (node->type == MP_MAP)
		mp_pack_map(out, n / 2);
	else if (node->type == MP_ARRAY)
		mp_pack_array(out, n);
	else
		mp_pack_raw(out, node->bytes);
	for (const struct node *c = node->first; c; c = c->next)
		write_node(c, out);
}

static void
give(const struct node *node, struct mp_buf *out)
{
	out->len = 0;
	write_node(node, out);
	assert(!out->failed);
	n_nodes = 0;
}

static struct node *
find(const struct node *map, const struct node *key)
{
	for (struct node *k = map->first; k; k = k->next->next)
		if (slice_equal(k->bytes, key->bytes))
			return k;
	return NULL;
}

/* The map without the pair of key. */
static void
drop(struct node *map, const struct node *key)
{
	struct node *k = map->first, *next;

	map->first = map->last = NULL;
	for (; k; k = next) {
		struct node *v = k->next;

		next = v->next;
		if (k == key)
			continue;
		add_child(map, k);
		add_child(map, v);
	}
}

/* A copy of a node, whose place in a list is its own. */
static struct node *
alone(const struct node *node)
{
	struct node *copy = new_node(node->type);

	*copy = *node;
	copy->next = NULL;
	return copy;
}

/* MergePatch() of RFC 7396, section 2. */
static struct node *
merge(struct node *target, struct node *patch)
{
	if (patch->type != MP_MAP)
		return alone(patch);
	target =
	    target && target->type == MP_MAP ? alone(target) : new_node(MP_MAP);
	for (struct node *name = patch->first; name; name = name->next->next) {
		struct node *value = name->next;
		struct node *there = find(target, name);

		if (value->type == MP_NIL) {
			if (there)
				drop(target, there);
		} else if (there) {
			struct node *merged = merge(there->next, value);

			merged->next = there->next->next;
			if (target->last == there->next)
				target->last = merged;
			there->next = merged;
		} else {
			add_child(target, alone(name));
			add_child(target, merge(NULL, value));
		}
	}
	return target;
}

void
mergefix_patch(struct slice value, struct slice patch, struct mp_buf *out)
{
	give(merge(parse_all(value), parse_all(patch)), out);
}

static bool
has(const struct node *array, const struct node *element)
{
	for (const struct node *e = array->first; e; e = e->next)
		if (slice_equal(e->bytes, element->bytes))
			return true;
	return false;
}

static void
remove_all(struct node *array, const struct node *element)
{
	struct node *e = array->first, *next;

	array->first = array->last = NULL;
	for (; e; e = next) {
		next = e->next;
		if (!slice_equal(e->bytes, element->bytes))
			add_child(array, e);
	}
}

/* The value changed in place; false: unfit. */
static bool
change_list(bool add, struct node *value, struct node *change)
{
	struct node *key, *element, *there;

	if (change->type != MP_MAP || !change->first ||
	    change->first->next->next)
		return false;
	key = change->first;
	element = key->next;
	if (value->type == MP_NIL)
		value->type = MP_MAP;
	if (value->type != MP_MAP)
		return false;
	there = find(value, key);
	if (there && there->next->type != MP_ARRAY)
		return false;
	if (!there && add) {
		there = alone(key);
		add_child(value, there);
		add_child(value, new_node(MP_ARRAY));
	}
	if (there && !add)
		remove_all(there->next, element);
	else if (there && !has(there->next, element))
		add_child(there->next, alone(element));
	return true;
}

bool
mergefix_list(
    bool add, struct slice value, struct slice change, struct mp_buf *out)
{
	struct node *tree = parse_all(value);

	if (!change_list(add, tree, parse_all(change))) {
		n_nodes = 0;
		return false;
	}
	give(tree, out);
	return true;
}

/* Few enough that values have them in common; not all are strs. */
static void
put_key(uint32_t key, struct mp_buf *out)
{
	switch (key) {
	case 0:
		mp_pack_nil(out);
		break;
	case 1:
		mp_pack_int(out, -1);
		break;
	case 2:
		mp_pack_double(out, 1);
		break;
	case 3:
		mp_pack_bin(out, SLICE_STR("k4"));
		break;
	default:
		mp_pack_str(out, slice_of("k4k5kkkkkk", 1 + key % 10));
		/* Longer ones differ in their number alone. */
		if (key >= 14)
			out->p[out->len - 1] = (uint8_t)(33 + key);
		break;
	}
}

static void
put_leaf(struct mpgen *gen, struct mp_buf *out)
{
	switch (mpgen_below(gen, 8)) {
	case 0:
	case 1:
		mp_pack_nil(out);
		break;
	case 2:
		mp_pack_uint(out, mpgen_below(gen, 3));
		break;
	case 3:
		mp_pack_double(out, mpgen_below(gen, 3));
		break;
	case 4:
		mp_pack_bool(out, mpgen_below(gen, 2));
		break;
	case 5:
		mp_pack_ext(out, 5, SLICE_STR("ext"));
		break;
	case 6:
		mp_pack_time(out, mpgen_below(gen, 3), 0);
		break;
	default:
		mp_pack_str(out, slice_of("some text", mpgen_below(gen, 9)));
		break;
	}
}

static void
put_map(struct mpgen *gen, unsigned depth, struct mp_buf *out)
{
	enum {
		KEYS = 60
	};
	/* Few, or around where heads and look-ups change. */
	uint32_t most = mpgen_below(gen, 6) ? 4 : 40, n = 0;
	uint32_t stride = 1 + 2 * mpgen_below(gen, 8), key;
	size_t at = mp_begin(out);

	/* Strides that share no factor with KEYS name no key twice. */
	while (stride % 3 == 0 || stride % 5 == 0)
		stride += 2;
	key = mpgen_below(gen, most == 4 ? 8 : KEYS);
	for (uint32_t i = mpgen_below(gen, most + 1); i > 0; i--, n++) {
		put_key(key, out);
		mergefix_value(gen, depth - 1, out);
		key = (key + stride) % KEYS;
	}
	mp_end_map(out, at, n);
}

void
mergefix_value(struct mpgen *gen, unsigned depth, struct mp_buf *out)
{
	uint32_t kind = mpgen_below(gen, 4);

	if (depth == 0 || kind == 0) {
		put_leaf(gen, out);
	} else if (kind == 1) {
		uint32_t n = mpgen_below(gen, mpgen_below(gen, 5) ? 4 : 20);

		mp_pack_array(out, n);
		while (n-- > 0)
			mergefix_value(gen, depth - 1, out);
	} else {
		put_map(gen, depth, out);
	}
}

void
mergefix_change(struct mpgen *gen, struct mp_buf *out)
{
	if (mpgen_below(gen, 10) == 0) {
		mergefix_value(gen, 2, out);
		return;
	}
	mp_pack_map(out, 1);
	put_key(mpgen_below(gen, 8), out);
	mergefix_value(gen, mpgen_below(gen, 3), out);
}
