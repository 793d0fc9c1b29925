/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The validator: one pass over the bytes with a stack of open arrays and maps
 * and one table of the keys of all open maps.  Memory grows with the keys
 * that were really there, never with a count that was declared.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/diag.h"
#include "core/mp_head_priv.h"
#include "core/mpvalid.h"
#include "core/reason.h"

enum {
	KEYS_INLINE = 64,   /* keys of open maps before the heap is used */
	KEYS_PAIRWISE = 12, /* compared each with each; beyond: sorted */
};

/* A key's bytes: where they begin, and how many. */
struct key {
	uint32_t at;
	uint32_t len;
};

/* An open array or map. */
struct level {
	uint64_t left; /* values still to come */
	uint32_t keys; /* of the table, that belong to maps further out */
	bool map;
};

struct check {
	const uint8_t *begin;
	const uint8_t *p;
	const uint8_t *end;
	struct reason *why;
	bool loose;
	unsigned depth;
	uint32_t n_keys;
	uint32_t cap;
	struct key *keys; /* keys_inline, or on the heap */
	struct level levels[MPVALID_DEPTH];
	struct key keys_inline[KEYS_INLINE];
};

static int
bad(struct check *c, const uint8_t *at, const char *what)
{
	return reason_set(
	    c->why, MPVALID_BAD, "byte %zu: %s", (size_t)(at - c->begin), what);
}

/* One character beyond ASCII at p: its length, or 0. */
static unsigned
utf8_character(const uint8_t *p, const uint8_t *end)
{
	uint32_t code, least;
	unsigned len;

	if (*p >= 0xc2 && *p <= 0xdf) {
		len = 2;
		least = 0x80;
		code = *p & 0x1f;
	} else if (*p >= 0xe0 && *p <= 0xef) {
		len = 3;
		least = 0x800;
		code = *p & 0x0f;
	} else if (*p >= 0xf0 && *p <= 0xf4) {
		len = 4;
		least = 0x10000;
		code = *p & 0x07;
	} else {
		return 0;
	}
	if ((size_t)(end - p) < len)
		return 0;
	for (unsigned i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return len;
}

bool
mpvalid_utf8(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	uint64_t word;
	unsigned n;

	while (p < end) {
		if (end - p >= 8) {
			memcpy(&word, p, sizeof(word));
			if (!(word & UINT64_C(0x8080808080808080))) {
				p += 8;
				continue;
			}
		}
		if (*p < 0x80) {
			p++;
			continue;
		}
		n = utf8_character(p, end);
		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

static int
bad_duplicate(struct check *c, const struct key *key)
{
	char quoted[80];

	return reason_set(c->why, MPVALID_BAD,
	    "byte %u: a map has this key twice: %s", key->at,
	    diag_quote(quoted, sizeof(quoted), c->begin + key->at, key->len));
}

static int
key_compare(const void *a, const void *b, void *begin)
{
	const struct key *x = a, *y = b;
	const uint8_t *bytes = begin;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(bytes + x->at, bytes + y->at, x->len);
}

/* All keys of a map are known: no two of them may be equal. */
static int
check_keys(struct check *c, struct key *keys, uint32_t n)
{
	uint8_t *begin = (uint8_t *)(uintptr_t)c->begin;

	if (n <= KEYS_PAIRWISE) {
		for (uint32_t i = 1; i < n; i++)
			for (uint32_t j = 0; j < i; j++)
				if (keys[i].len == keys[j].len &&
				    !key_compare(keys + i, keys + j, begin))
					return bad_duplicate(c, keys + i);
		return MPVALID_OK;
	}
	/*
	 * Sorted, not hashed: strangers choose the keys, and the order costs
	 * the same whatever they choose.
	 */
	qsort_r(keys, n, sizeof(*keys), key_compare, begin);
	for (uint32_t i = 1; i < n; i++)
		if (!key_compare(keys + i, keys + i - 1, begin))
			return bad_duplicate(c, keys + i);
	return MPVALID_OK;
}

static int
push_key(struct check *c)
{
	struct key *keys;

	if (UNLIKELY(c->n_keys == c->cap)) {
		keys = c->keys == c->keys_inline ? NULL : c->keys;
		keys = reallocarray(keys, c->cap, 2 * sizeof(*keys));
		if (!keys)
			return -ENOMEM;
		if (c->keys == c->keys_inline)
			memcpy(keys, c->keys, sizeof(c->keys_inline));
		c->keys = keys;
		c->cap *= 2;
	}
	c->keys[c->n_keys++].at = (uint32_t)(c->p - c->begin);
	return MPVALID_OK;
}

static int
check_ext(struct check *c, const struct mp_head *h)
{
	struct slice data = slice_of(c->p, h->arg);
	uint32_t ns;
	int64_t s;

	if (h->ext >= 0)
		return MPVALID_OK;
	if (h->ext != -1)
		return bad(c, c->p,
		    "an extension's type is neither -1 "
		    "nor 0 to 127");
	if (!mp_time(data, &s, &ns))
		return bad(c, c->p,
		    "a timestamp has other than 4, 8 or 12 "
		    "bytes, or a second of nanoseconds");
	/* Canonical is the shortest form that holds the time. */
	if (data.len == 12 && s >> 34 == 0)
		c->loose = true;
	if (data.len == 8 && ns == 0 && s >> 32 == 0)
		c->loose = true;
	return MPVALID_OK;
}

/* The bytes behind the head of a str, bin or ext. */
static int
check_bytes(struct check *c, const struct mp_head *h)
{
	int err = MPVALID_OK;

	if (h->arg > (size_t)(c->end - c->p))
		return bad(c, c->p, "a length reaches beyond the end");
	if (h->type == MP_STR) {
		if (!mpvalid_utf8(c->p, h->arg))
			return bad(c, c->p, "a str is not UTF-8");
	} else if (h->type == MP_EXT) {
		err = check_ext(c, h);
	}
	c->p += h->arg;
	return err;
}

/* The head of an array or map that is not empty. */
static int
open_level(struct check *c, const struct mp_head *h)
{
	bool map = h->type == MP_MAP;
	uint64_t values = map ? 2 * h->arg : h->arg;

	if (values > (size_t)(c->end - c->p))
		return bad(c, c->p,
		    "an array or map declares more values "
		    "than there are bytes");
	if (c->depth == MPVALID_DEPTH)
		return bad(c, c->p, "values nest deeper than 32 levels");
	c->levels[c->depth++] =
	    (struct level){ .left = values, .keys = c->n_keys, .map = map };
	return MPVALID_OK;
}

/* A value has ended: so may have the arrays and maps that it was last in. */
static int
close_value(struct check *c)
{
	struct level *lv;
	struct key *key;
	int err;

	while (c->depth) {
		lv = &c->levels[c->depth - 1];
		lv->left--;
		if (lv->map && lv->left % 2) {
			key = &c->keys[c->n_keys - 1];
			key->len = (uint32_t)(c->p - c->begin) - key->at;
		}
		if (lv->left)
			break;
		if (lv->map) {
			err = check_keys(
			    c, c->keys + lv->keys, c->n_keys - lv->keys);
			if (err)
				return err;
			c->n_keys = lv->keys;
		}
		c->depth--;
	}
	return MPVALID_OK;
}

/* One item: a whole value, or the head of an array or map. */
static int
check_item(struct check *c)
{
	struct mp_head h;
	int err;

	if (c->p == c->end)
		return bad(c, c->p, "the value is cut short");
	switch (mp_head_read(c->p, (size_t)(c->end - c->p), &h)) {
	case MP_HEAD_OK:
		break;
	case MP_HEAD_SHORT:
		return bad(c, c->p, "the value is cut short");
	case MP_HEAD_RESERVED:
		return bad(c, c->p, "0xc1 begins no value");
	}
	if (!mp_head_canonical(&h, *c->p))
		c->loose = true;
	if (c->depth) {
		const struct level *lv = &c->levels[c->depth - 1];

		if (lv->map && lv->left % 2 == 0) {
			err = push_key(c);
			if (err)
				return err;
		}
	}
	c->p += h.size;
	if (h.type == MP_STR || h.type == MP_BIN || h.type == MP_EXT) {
		err = check_bytes(c, &h);
		if (err)
			return err;
	} else if ((h.type == MP_ARRAY || h.type == MP_MAP)) {
		if (h.arg)
			return open_level(c, &h);
		if (c->depth == MPVALID_DEPTH)
			return bad(
			    c, c->p, "values nest deeper than 32 levels");
	}
	return close_value(c);
}

/* One pass: keys are compared as they stand. */
static int
check_pass(const uint8_t *p, size_t len, struct reason *why)
{
	struct check c;
	int err;

	c.begin = c.p = p;
	c.end = p + len;
	c.why = why;
	c.loose = false;
	c.depth = 0;
	c.n_keys = 0;
	c.cap = KEYS_INLINE;
	c.keys = c.keys_inline;
	if (len > UINT32_MAX)
		return bad(&c, p, "a value of 4 GiB or more");
	do {
		err = check_item(&c);
	} while (!err && c.depth);
	if (!err && c.p != c.end)
		err = bad(&c, c.p, "bytes follow the value");
	if (c.keys != c.keys_inline)
		free(c.keys);
	return err ? err : c.loose ? MPVALID_LOOSE : MPVALID_OK;
}

int
mpvalid_check(const uint8_t *p, size_t len, struct reason *why)
{
	CLEANUP(mp_buf_deinit) struct mp_buf canonical = { 0 };
	int result = check_pass(p, len, why);
	int err;

	if (result != MPVALID_LOOSE)
		return result;
	/*
	 * Equal keys may stand there in different bytes: only in canonical
	 * form equal bytes are equal values.
	 */
	err = mp_canonical(slice_of(p, len), &canonical);
	if (err)
		return err;
	err = check_pass(canonical.p, canonical.len, why);
	return err ? err : MPVALID_LOOSE;
}
