/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * MessagePack as JSON text, straight from bytes to bytes: a value has one
 * text, and that text has every bit of the value but the width of a float and
 * the payload of a NaN.
 */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/json.h"
#include "core/mpvalid.h"
#include "core/rfc3339.h"

enum {
	NUMBER_MAX = 40
};

/* Integers beyond this are no longer exact in a browser. */
#define PLAIN_MAX (UINT64_C(1) << 53)

static inline void
put(struct mp_buf *out, const char *text)
{
	mp_buf_bytes(out, text, strlen(text));
}

/* ASCII that stands for itself in a string. */
static inline bool
is_plain(uint8_t c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

static void
put_escaped(struct mp_buf *out, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	char text[] = "\\u00xx";

	switch (c) {
	case '\n':
		put(out, "\\n");
		return;
	case '\r':
		put(out, "\\r");
		return;
	case '\t':
		put(out, "\\t");
		return;
	case '"':
		put(out, "\\\"");
		return;
	case '\\':
		put(out, "\\\\");
		return;
	default:
		text[4] = digits[c >> 4];
		text[5] = digits[c & 15];
		put(out, text);
	}
}

static void
put_string(struct mp_buf *out, struct slice s)
{
	size_t from = 0;

	put(out, "\"");
	for (size_t i = 0; i < s.len; i++) {
		if (is_plain(s.p[i]))
			continue;
		mp_buf_bytes(out, s.p + from, i - from);
		put_escaped(out, s.p[i]);
		from = i + 1;
	}
	mp_buf_bytes(out, s.p + from, s.len - from);
	put(out, "\"");
}

static void
put_base64(struct mp_buf *out, struct slice s)
{
	size_t size = base64_size(s.len);
	uint8_t *to;

	put(out, "\"");
	to = mp_buf_reserve(out, size);
	if (to) {
		base64_encode(s, (char *)to);
		out->len += size;
	}
	put(out, "\"");
}

static void
put_integer(struct mp_buf *out, uint64_t magnitude, bool below_zero)
{
	char text[NUMBER_MAX], *p = text + sizeof(text);

	do {
		*--p = (char)('0' + magnitude % 10);
		magnitude /= 10;
	} while (magnitude);
	if (below_zero)
		*--p = '-';
	mp_buf_bytes(out, p, (size_t)(text + sizeof(text) - p));
}

static void
put_int_item(struct mp_buf *out, const struct mp_item *item)
{
	bool below_zero = item->type == MP_INT;
	uint64_t magnitude = below_zero ? -item->u : item->u;

	if (magnitude <= PLAIN_MAX) {
		put_integer(out, magnitude, below_zero);
		return;
	}
	put(out, "{\"$int\":\"");
	put_integer(out, magnitude, below_zero);
	put(out, "\"}");
}

/* Of a double that an integer of 64 bits holds. */
static double
nearest(double d)
{
	return (double)(uint64_t)(d + 0.5);
}

/*
 * A double that is a decimal of 15 digits at most, as most are that somebody
 * has measured or typed: the text that printf would give, without its price.
 * n and scale are exact, so their quotient rounds to what a reader makes of
 * the text.
 */
static bool
put_decimal(struct mp_buf *out, double d)
{
	double size = fabs(d), scale = 1, n = size;
	char text[NUMBER_MAX], *p = text + sizeof(text);
	uint64_t whole, fraction;
	unsigned places = 0;

	/* Beyond these printf uses an exponent. */
	if (size >= 1e15 || (size > 0 && size < 1e-4))
		return false;
	while (n = nearest(size * scale), n < 1e15 && n / scale != size) {
		scale *= 10;
		places++;
	}
	if (n >= 1e15)
		return false;
	whole = (uint64_t)n / (uint64_t)scale;
	fraction = (uint64_t)n % (uint64_t)scale;
	put_integer(out, whole, signbit(d));
	for (unsigned i = 0; i < MAX(places, 1u); i++) {
		*--p = (char)('0' + fraction % 10);
		fraction /= 10;
	}
	*--p = '.';
	mp_buf_bytes(out, p, (size_t)(text + sizeof(text) - p));
	return true;
}

/* A short text that reads as the same double, and as no integer. */
static void
put_double(struct mp_buf *out, double d)
{
	char text[NUMBER_MAX], *exponent;

	if (isnan(d)) {
		put(out, "{\"$float\":\"NaN\"}");
		return;
	}
	if (isinf(d)) {
		put(out, d > 0 ? "{\"$float\":\"Infinity\"}"
			       : "{\"$float\":\"-Infinity\"}");
		return;
	}
	if (put_decimal(out, d))
		return;
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	exponent = strchr(text, 'e');
	if (strchr(text, '.')) {
		put(out, text);
	} else if (exponent) {
		mp_buf_bytes(out, text, (size_t)(exponent - text));
		put(out, ".0");
		put(out, exponent);
	} else {
		put(out, text);
		put(out, ".0");
	}
}

static void
put_ext(struct mp_buf *out, const struct mp_item *item)
{
	char text[RFC3339_MAX];
	int64_t seconds;
	uint32_t ns;

	if (item->ext == -1 && mp_time(item->s, &seconds, &ns) &&
	    rfc3339_format(seconds, ns, text)) {
		put(out, "{\"$time\":\"");
		put(out, text);
		put(out, "\"}");
		return;
	}
	put(out, "{\"$ext\":");
	put_integer(out, (uint64_t)abs(item->ext), item->ext < 0);
	put(out, ",\"data\":");
	put_base64(out, item->s);
	put(out, "}");
}

/*
 * May the n pairs at the walk be an object?  Not with a key that is no str,
 * and not with exactly one that begins with '$': those are the forms.
 */
static bool
is_object(struct mp_walk w, uint32_t n)
{
	struct slice value;
	struct mp_item key;
	uint32_t dollars = 0;

	for (; n > 0; n--) {
		if (!mp_next(&w, &key) || key.type != MP_STR)
			return false;
		if (key.s.len && key.s.p[0] == '$')
			dollars++;
		if (!mp_skip(&w, &value))
			return false;
	}
	return dollars != 1;
}

static int put_value(struct mp_walk *w, unsigned depth, struct mp_buf *out);

static int
put_array(struct mp_walk *w, uint32_t n, unsigned depth, struct mp_buf *out)
{
	int err = 0;

	put(out, "[");
	for (uint32_t i = 0; !err && i < n; i++) {
		if (i)
			put(out, ",");
		err = put_value(w, depth, out);
	}
	put(out, "]");
	return err;
}

static int
put_map(struct mp_walk *w, uint32_t n, unsigned depth, struct mp_buf *out)
{
	bool object = is_object(*w, n);
	int err = 0;

	put(out, object ? "{" : "{\"$map\":[");
	for (uint32_t i = 0; !err && i < n; i++) {
		if (i)
			put(out, ",");
		if (!object)
			put(out, "[");
		err = put_value(w, depth, out);
		if (err)
			break;
		put(out, object ? ":" : ",");
		err = put_value(w, depth, out);
		if (!object)
			put(out, "]");
	}
	put(out, object ? "}" : "]}");
	return err;
}

static int
put_value(struct mp_walk *w, unsigned depth, struct mp_buf *out)
{
	struct mp_item item;

	if (!mp_next(w, &item))
		return -EPROTO;
	switch (item.type) {
	case MP_NIL:
		put(out, "null");
		return 0;
	case MP_BOOL:
		put(out, item.boolean ? "true" : "false");
		return 0;
	case MP_UINT:
	case MP_INT:
		put_int_item(out, &item);
		return 0;
	case MP_FLOAT:
		put_double(out, item.d);
		return 0;
	case MP_STR:
		put_string(out, item.s);
		return 0;
	case MP_BIN:
		put(out, "{\"$bin\":");
		put_base64(out, item.s);
		put(out, "}");
		return 0;
	case MP_EXT:
		put_ext(out, &item);
		return 0;
	case MP_ARRAY:
	case MP_MAP:
		break;
	}
	if (depth == MPVALID_DEPTH)
		return -EPROTO;
	return item.type == MP_MAP ? put_map(w, item.n, depth + 1, out)
				   : put_array(w, item.n, depth + 1, out);
}

int
json_from_mp(struct slice value, struct mp_buf *out)
{
	struct mp_walk w = mp_walk(value);
	size_t mark = out->len;
	int err = put_value(&w, 0, out);

	if (!err && w.p != w.end)
		err = -EPROTO;
	if (!err && out->failed)
		err = -ENOMEM;
	if (err)
		out->len = mark;
	return err;
}
