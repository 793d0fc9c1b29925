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
	uint64_t left;	  /* values still to come */
	uint32_t n_outer; /* keys of the table that are of maps further out */
	bool map;
};

struct check {
	const uint8_t *begin;
	const uint8_t *end;
	struct reason *why;
	bool loose;
	uint32_t n_keys;
	uint32_t cap;
	struct key *keys; /* keys_inline, or on the heap */
	/* The outermost level stands for the message: one value. */
	struct level levels[MPVALID_DEPTH + 1];
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

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* No byte of 0x80 or above; words overlap, so that there is no tail. */
static inline bool
is_ascii(const uint8_t *p, size_t len)
{
	uint64_t word, all = 0;
	uint32_t a, b;

	if (len >= 8) {
		for (size_t i = 0; i < len - 8; i += 8) {
			memcpy(&word, p + i, sizeof(word));
			all |= word;
		}
		memcpy(&word, p + len - 8, sizeof(word));
		return !((all | word) & HIGH_BITS);
	}
	if (len >= 4) {
		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + len - 4, sizeof(b));
		return !((a | b) & (uint32_t)HIGH_BITS);
	}
	while (len > 0)
		all |= p[--len];
	return !(all & 0x80);
}

bool
mpvalid_utf8(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	unsigned n;

	if (is_ascii(p, len))
		return true;
	while (p < end) {
		if (end - p >= 8 && is_ascii(p, 8)) {
			p += 8;
			continue;
		}
		n = *p < 0x80 ? 1 : utf8_character(p, end);
		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

static int
bad_duplicate(struct check *c, const struct key *key)
{
	struct mp_walk w = mp_walk(slice_of(c->begin + key->at, key->len));
	struct slice name;
	char quoted[80];

	if (!mp_next_name(&w, &name) || !name.p)
		return bad(c, c->begin + key->at, "a map has a key twice");
	return reason_set(c->why, MPVALID_BAD,
	    "byte %u: a map has the key \"%s\" twice", key->at,
	    diag_quote(quoted, sizeof(quoted), name.p, name.len));
}

static int
key_compare(const void *a, const void *b, void *check)
{
	const struct key *x = a, *y = b;
	const struct check *c = check;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(c->begin + x->at, c->begin + y->at, x->len);
}

/*
 * All keys of a map are known: no two of them may be equal.  Beyond a few
 * they are sorted, not hashed: strangers choose the keys, and the order costs
 * the same whatever they choose.
 */
static int
check_many_keys(struct check *c, struct key *keys, uint32_t n)
{
	qsort_r(keys, n, sizeof(*keys), key_compare, c);
	for (uint32_t i = 1; i < n; i++)
		if (!key_compare(keys + i, keys + i - 1, c))
			return bad_duplicate(c, keys + i);
	return MPVALID_OK;
}

static inline int
check_keys(struct check *c, struct key *keys, uint32_t n)
{
	if (n > KEYS_PAIRWISE)
		return check_many_keys(c, keys, n);
	for (uint32_t i = 1; i < n; i++) {
		const uint8_t *key = c->begin + keys[i].at;
		uint32_t len = keys[i].len;

		for (uint32_t j = 0; j < i; j++) {
			const uint8_t *other = c->begin + keys[j].at;

			/* Names differ at their ends, if not in length. */
			if (keys[j].len == len &&
			    key[len - 1] == other[len - 1] &&
			    !memcmp(key, other, len))
				return bad_duplicate(c, keys + i);
		}
	}
	return MPVALID_OK;
}

static int
grow_keys(struct check *c)
{
	bool on_heap = c->keys != c->keys_inline;
	struct key *keys;

	keys =
	    reallocarray(on_heap ? c->keys : NULL, c->cap, 2 * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	if (!on_heap)
		memcpy(keys, c->keys_inline, sizeof(c->keys_inline));
	c->keys = keys;
	c->cap *= 2;
	return MPVALID_OK;
}

static inline int
push_key(struct check *c, const uint8_t *p)
{
	int err;

	if (UNLIKELY(c->n_keys == c->cap)) {
		err = grow_keys(c);
		if (err)
			return err;
	}
	c->keys[c->n_keys++].at = (uint32_t)(p - c->begin);
	return MPVALID_OK;
}

static int
check_ext(struct check *c, const struct mp_head *h, const uint8_t *p)
{
	struct slice data = slice_of(p, h->arg);
	uint32_t ns;
	int64_t s;

	if (h->ext >= 0)
		return MPVALID_OK;
	if (h->ext != -1)
		return bad(
		    c, p, "an extension's type is neither -1 nor 0 to 127");
	if (!mp_time(data, &s, &ns))
		return bad(c, p,
		    "a timestamp has other than 4, 8 or 12 bytes, or a second "
		    "of nanoseconds");
	/* Canonical is the shortest form that holds the time. */
	if ((data.len == 12 && s >> 34 == 0) ||
	    (data.len == 8 && ns == 0 && s >> 32 == 0))
		c->loose = true;
	return MPVALID_OK;
}

/* The bytes at p, behind the head of a str, bin or ext. */
static inline int
check_bytes(struct check *c, const struct mp_head *h, const uint8_t *p)
{
	if (h->arg > (size_t)(c->end - p))
		return bad(c, p, "a length reaches beyond the end");
	if (h->type == MP_STR) {
		if (!mpvalid_utf8(p, h->arg))
			return bad(c, p, "a str is not UTF-8");
	} else if (h->type == MP_EXT) {
		return check_ext(c, h, p);
	}
	return MPVALID_OK;
}

/* The head of an array or map, whose values would begin at p. */
static inline int
open_level(struct check *c, const struct mp_head *h, const uint8_t *p,
    struct level *inner)
{
	bool map = h->type == MP_MAP;
	uint64_t values = map ? 2 * h->arg : h->arg;

	if (values > (size_t)(c->end - p))
		return bad(c, p,
		    "an array or map declares more values than there are "
		    "bytes");
	if (inner == c->levels + MPVALID_DEPTH + 1)
		return bad(c, p, "values nest deeper than 32 levels");
	*inner = (struct level){ values, c->n_keys, map };
	return MPVALID_OK;
}

/*
 * A value has ended at p, and perhaps the arrays and maps that it was the
 * last of.  *lv goes to the level that is still open, NULL when none is.
 */
static inline int
close_value(struct check *c, const uint8_t *p, struct level **lv)
{
	struct level *at = *lv;
	struct key *key;
	int err;

	for (;; at--) {
		at->left--;
		if (at->map && at->left % 2) {
			key = &c->keys[c->n_keys - 1];
			key->len = (uint32_t)(p - c->begin) - key->at;
		}
		if (at->left)
			break;
		if (at->map) {
			err = check_keys(
			    c, c->keys + at->n_outer, c->n_keys - at->n_outer);
			if (err)
				return err;
			c->n_keys = at->n_outer;
		}
		if (at == c->levels) {
			*lv = NULL;
			return MPVALID_OK;
		}
	}
	*lv = at;
	return MPVALID_OK;
}

static int
bad_head(struct check *c, const uint8_t *p)
{
	if (p < c->end && *p == 0xc1)
		return bad(c, p, "0xc1 begins no value");
	return bad(c, p, "the value is cut short");
}

/* Item by item, from the first byte to the end of the outermost value. */
static int
check_items(struct check *c)
{
	const uint8_t *p = c->begin;
	struct level *lv = c->levels;
	struct mp_head h;
	int err;

	*lv = (struct level){ .left = 1 };
	while (lv) {
		if (p == c->end ||
		    mp_head_read(p, (size_t)(c->end - p), &h) != MP_HEAD_OK)
			return bad_head(c, p);
		if (!mp_head_canonical(&h, *p))
			c->loose = true;
		if (lv->map && lv->left % 2 == 0) {
			err = push_key(c, p);
			if (err)
				return err;
		}
		p += h.size;
		if (h.type == MP_STR || h.type == MP_BIN || h.type == MP_EXT) {
			err = check_bytes(c, &h, p);
			if (err)
				return err;
			p += h.arg;
		} else if (h.type == MP_ARRAY || h.type == MP_MAP) {
			err = open_level(c, &h, p, lv + 1);
			if (err)
				return err;
			if (h.arg) {
				lv++;
				continue;
			}
		}
		err = close_value(c, p, &lv);
		if (err)
			return err;
	}
	return p == c->end ? MPVALID_OK : bad(c, p, "bytes follow the value");
}

/* One pass: keys are compared as they stand. */
static int
check_pass(const uint8_t *p, size_t len, struct reason *why)
{
	struct check c;
	int err;

	c.begin = p;
	c.end = p + len;
	c.why = why;
	c.loose = false;
	c.n_keys = 0;
	c.cap = KEYS_INLINE;
	c.keys = c.keys_inline;
	if (len > UINT32_MAX)
		return bad(&c, p, "a value of 4 GiB or more");
	err = check_items(&c);
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
