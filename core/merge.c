/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Merging on the bytes: what does not change is copied in runs, nothing is
 * taken apart into a tree.  Room for the longest result is taken before, so
 * that writing can't fail; recursion ends at the depth that values have.
 */

#include <errno.h>
#include <string.h>

#include "core/merge.h"
#include "core/mp_head_priv.h"

enum {
	PAIRS_INLINE = 12 /* of a patch; compared each with each */
};

struct pair {
	struct slice key;
	struct slice value;
	bool used; /* the target has the key */
};

/* The pairs of a patch, in its order; many are found by a sorted index. */
struct patch {
	uint32_t n;
	struct pair *pairs;
	struct pair **sorted; /* NULL: few */
	void *heap;
	struct pair few[PAIRS_INLINE];
};

/* Where the result is written, and why it ended early. */
struct sink {
	uint8_t *p;
	int result;
};

static bool
unfit(struct sink *s)
{
	s->result = MERGE_UNFIT;
	return false;
}

static inline void
put(struct sink *s, struct slice bytes)
{
	memcpy(s->p, bytes.p, bytes.len);
	s->p += bytes.len;
}

static inline struct slice
between(const uint8_t *begin, const uint8_t *end)
{
	return slice_of(begin, (size_t)(end - begin));
}

static inline bool
is_map(struct slice v)
{
	return v.len && ((*v.p & 0xf0) == 0x80 || *v.p == 0xde || *v.p == 0xdf);
}

static inline bool
is_nil(struct slice v)
{
	return v.len && *v.p == 0xc0;
}

/* A map's or array's head; fix is that of the short form, wide of the next. */
static unsigned
head_of(uint8_t to[5], uint32_t n, uint8_t fix, uint8_t wide)
{
	uint16_t u16 = __builtin_bswap16((uint16_t)n);
	uint32_t u32 = __builtin_bswap32(n);

	if (n < 16) {
		to[0] = (uint8_t)(fix | n);
		return 1;
	}
	if (n <= UINT16_MAX) {
		to[0] = wide;
		memcpy(to + 1, &u16, sizeof(u16));
		return 3;
	}
	to[0] = (uint8_t)(wide + 1);
	memcpy(to + 1, &u32, sizeof(u32));
	return 5;
}

static void
put_map(struct sink *s, uint32_t n)
{
	s->p += head_of(s->p, n, 0x80, 0xde);
}

static void
put_array(struct sink *s, uint32_t n)
{
	s->p += head_of(s->p, n, 0x90, 0xdc);
}

/* The map whose head of one byte was left out at begin has n pairs. */
static void
end_map(struct sink *s, uint8_t *begin, uint32_t n)
{
	uint8_t head[5];
	unsigned len = head_of(head, n, 0x80, 0xde);

	if (len > 1)
		memmove(begin + len, begin + 1, (size_t)(s->p - begin) - 1);
	memcpy(begin, head, len);
	s->p += len - 1;
}

static int
order(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return memcmp(a.p, b.p, a.len);
}

static int
order_pairs(const void *a, const void *b)
{
	const struct pair *x = *(struct pair *const *)a;
	const struct pair *y = *(struct pair *const *)b;

	return order(x->key, y->key);
}

/* Room for n pairs and, where they are many, for their index. */
static int
patch_reserve(struct patch *p, uint32_t n)
{
	p->n = n;
	p->heap = NULL;
	p->sorted = NULL;
	p->pairs = p->few;
	if (n <= PAIRS_INLINE)
		return 0;
	p->heap = malloc(n * (sizeof(struct pair) + sizeof(struct pair *)));
	if (!p->heap)
		return -ENOMEM;
	p->pairs = p->heap;
	p->sorted = (struct pair **)(void *)(p->pairs + n);
	return 0;
}

/* To be followed by free(p->heap), also after a failure. */
static bool
patch_read(struct patch *p, struct slice map, struct sink *s)
{
	struct mp_walk w = mp_walk(map);
	struct mp_item head;

	p->heap = NULL;
	/* A pair has two bytes or more: a count is no claim on memory. */
	if (!mp_next(&w, &head) || head.n > map.len / 2)
		return unfit(s);
	if (patch_reserve(p, head.n) < 0) {
		s->result = -ENOMEM;
		return false;
	}
	for (uint32_t i = 0; i < p->n; i++) {
		p->pairs[i].used = false;
		if (!mp_skip(&w, &p->pairs[i].key) ||
		    !mp_skip(&w, &p->pairs[i].value))
			return unfit(s);
		if (p->sorted)
			p->sorted[i] = &p->pairs[i];
	}
	if (p->sorted)
		qsort(p->sorted, p->n, sizeof(p->sorted[0]), order_pairs);
	return true;
}

static struct pair *
patch_find(const struct patch *p, struct slice key)
{
	size_t low = 0, high = p->n;

	if (!p->sorted) {
		for (uint32_t i = 0; i < p->n; i++)
			if (slice_equal(p->pairs[i].key, key))
				return &p->pairs[i];
		return NULL;
	}
	while (low < high) {
		size_t at = low + (high - low) / 2;
		int is = order(p->sorted[at]->key, key);

		if (is == 0)
			return p->sorted[at];
		if (is < 0)
			low = at + 1;
		else
			high = at;
	}
	return NULL;
}

static bool merge_value(
    struct sink *s, struct slice value, struct slice patch, unsigned depth);

/* The target's pairs with what the patch says of them; *n are left. */
static bool
merge_present(struct sink *s, struct slice target, struct patch *p,
    unsigned depth, uint32_t *n)
{
	struct mp_walk w = mp_walk(target);
	struct slice key, value;
	struct mp_item head;
	const uint8_t *run;

	if (!is_map(target) || !mp_next(&w, &head))
		return true;
	run = w.p;
	for (uint32_t i = 0; i < head.n; i++) {
		const uint8_t *begin = w.p;
		struct pair *pair;

		if (!mp_skip(&w, &key) || !mp_skip(&w, &value))
			return unfit(s);
		pair = patch_find(p, key);
		if (!pair) {
			++*n;
			continue;
		}
		/* A key twice is no map, and has no bound. */
		if (pair->used)
			return unfit(s);
		pair->used = true;
		put(s, between(run, begin));
		run = w.p;
		if (is_nil(pair->value))
			continue;
		++*n;
		put(s, key);
		if (!merge_value(s, value, pair->value, depth))
			return false;
	}
	put(s, between(run, w.p));
	return true;
}

/* The patch's pairs that the target lacks. */
static bool
merge_absent(struct sink *s, const struct patch *p, unsigned depth, uint32_t *n)
{
	for (uint32_t i = 0; i < p->n; i++) {
		const struct pair *pair = &p->pairs[i];

		if (pair->used || is_nil(pair->value))
			continue;
		++*n;
		put(s, pair->key);
		if (!merge_value(s, slice_of(NULL, 0), pair->value, depth))
			return false;
	}
	return true;
}

static bool
merge_map(
    struct sink *s, struct slice target, struct slice patch, unsigned depth)
{
	uint8_t *begin = s->p++;
	struct patch p;
	uint32_t n = 0;
	bool merged;

	if (depth == MPVALID_DEPTH)
		return unfit(s);
	merged = patch_read(&p, patch, s) &&
		 merge_present(s, target, &p, depth + 1, &n) &&
		 merge_absent(s, &p, depth + 1, &n);
	free(p.heap);
	if (merged)
		end_map(s, begin, n);
	return merged;
}

static bool
merge_value(
    struct sink *s, struct slice value, struct slice patch, unsigned depth)
{
	if (is_map(patch))
		return merge_map(s, value, patch, depth);
	put(s, patch);
	return true;
}

/* What was written to out->p + out->len on becomes part of it. */
static int
finish(const struct sink *s, struct mp_buf *out)
{
	if (s->result == MERGE_DONE)
		out->len = (size_t)(s->p - out->p);
	return s->result;
}

int
merge_patch(struct slice value, struct slice patch, struct mp_buf *out)
{
	/*
	 * Each merged map has a byte in the patch, and its head is at most
	 * one byte longer than those of both that it came from.
	 */
	struct sink s = { .p = mp_buf_reserve(
			      out, value.len + 2 * patch.len + 8) };

	if (!s.p)
		return -ENOMEM;
	(void)merge_value(&s, value, patch, 0);
	return finish(&s, out);
}

/* A value that is, or counts as, a map with one field to be changed. */
struct place {
	uint32_t n;	    /* pairs */
	struct slice pairs; /* their bytes */
	struct slice key;
	struct slice element;
	struct slice field; /* the array within pairs; len 0: there is none */
};

static bool
place_read(struct place *at, struct slice value, struct slice change)
{
	struct mp_walk w = mp_walk(change);
	struct slice key, found;
	struct mp_item head;

	*at = (struct place){ .pairs = slice_of("", 0) };
	if (!mp_next(&w, &head) || head.type != MP_MAP || head.n != 1 ||
	    !mp_skip(&w, &at->key) || !mp_skip(&w, &at->element) ||
	    w.p != w.end)
		return false;
	if (value.len == 0 || is_nil(value))
		return true;
	w = mp_walk(value);
	if (!mp_next(&w, &head) || head.type != MP_MAP)
		return false;
	at->n = head.n;
	at->pairs = between(w.p, w.end);
	for (uint32_t i = 0; i < head.n; i++) {
		if (!mp_skip(&w, &key) || !mp_skip(&w, &found))
			return false;
		if (slice_equal(key, at->key))
			at->field = found;
	}
	return w.p == w.end;
}

/* An array's elements, of which so many equal the one to be changed. */
static bool
count_equal(
    const struct place *at, struct slice *elements, uint32_t *n, uint32_t *same)
{
	struct mp_walk w = mp_walk(at->field);
	struct slice element;
	struct mp_item head;

	if (!mp_next(&w, &head) || head.type != MP_ARRAY)
		return false;
	*elements = between(w.p, w.end);
	*n = head.n;
	*same = 0;
	for (uint32_t i = 0; i < head.n; i++) {
		if (!mp_skip(&w, &element))
			return false;
		*same += slice_equal(element, at->element);
	}
	return true;
}

static void
put_others(struct sink *s, const struct place *at, struct slice elements)
{
	struct mp_walk w = mp_walk(elements);
	struct slice element;

	while (mp_skip(&w, &element))
		if (!slice_equal(element, at->element))
			put(s, element);
}

/* The value up to its field, and from there on. */
static struct slice
before_field(const struct place *at)
{
	return between(at->pairs.p, at->field.p);
}

static struct slice
behind_field(const struct place *at)
{
	return between(
	    at->field.p + at->field.len, at->pairs.p + at->pairs.len);
}

/* At most so many levels of arrays and maps. */
static bool
nests_within(struct slice value, unsigned most)
{
	uint64_t left[MPVALID_DEPTH + 1] = { 1 };
	struct mp_walk w = mp_walk(value);
	struct mp_item item;
	unsigned depth = 0;

	for (;;) {
		while (left[depth] == 0) {
			if (depth-- == 0)
				return true;
		}
		if (!mp_next(&w, &item))
			return false;
		left[depth]--;
		if (item.type != MP_ARRAY && item.type != MP_MAP)
			continue;
		if (depth++ == most)
			return false;
		left[depth] = (uint64_t)item.n * (1 + (item.type == MP_MAP));
	}
}

/* A value, a change and what their heads may grow by. */
static uint8_t *
room_for_change(struct mp_buf *out, struct slice value, struct slice change)
{
	return mp_buf_reserve(out, value.len + change.len + 16);
}

int
merge_add(struct slice value, struct slice change, struct mp_buf *out)
{
	struct sink s = { .p = room_for_change(out, value, change) };
	struct slice elements = slice_of("", 0);
	uint32_t n = 0, same = 0;
	struct place at;

	if (!s.p)
		return -ENOMEM;
	if (!place_read(&at, value, change) ||
	    (at.field.len && !count_equal(&at, &elements, &n, &same)))
		return MERGE_UNFIT;
	if (same) {
		put(&s, value);
		return finish(&s, out);
	}
	/* The array is a level that the change does not have. */
	if (!nests_within(at.element, MERGE_DEPTH - 2))
		return MERGE_UNFIT;
	put_map(&s, at.n + !at.field.len);
	put(&s, at.field.len ? before_field(&at) : at.pairs);
	if (!at.field.len)
		put(&s, at.key);
	put_array(&s, n + 1);
	put(&s, elements);
	put(&s, at.element);
	if (at.field.len)
		put(&s, behind_field(&at));
	return finish(&s, out);
}

int
merge_remove(struct slice value, struct slice change, struct mp_buf *out)
{
	struct sink s = { .p = room_for_change(out, value, change) };
	struct slice elements;
	uint32_t n, same = 0;
	struct place at;

	if (!s.p)
		return -ENOMEM;
	if (!place_read(&at, value, change) ||
	    (at.field.len && !count_equal(&at, &elements, &n, &same)))
		return MERGE_UNFIT;
	put_map(&s, at.n);
	if (same) {
		put(&s, before_field(&at));
		put_array(&s, n - same);
		put_others(&s, &at, elements);
		put(&s, behind_field(&at));
	} else {
		put(&s, at.pairs);
	}
	return finish(&s, out);
}
