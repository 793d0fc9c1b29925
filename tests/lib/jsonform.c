/* SPDX-License-Identifier: BSD-2-Clause */

/* A value has one text: whatever else might mean the same is refused, too. */

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/jsonform.h"

#define PLAIN_MAX (INT64_C(1) << 53)

/* {"key": ...} of n members; NULL: it is not. */
static json_t *
form(json_t *text, const char *key, size_t n)
{
	return json_is_object(text) && json_object_size(text) == n
		   ? json_object_get(text, key)
		   : NULL;
}

static bool
is_text(json_t *text, const char *want, size_t len)
{
	return json_is_string(text) && json_string_length(text) == len &&
	       memcmp(json_string_value(text), want, len) == 0;
}

static bool
is_base64(json_t *text, const char *p, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t size = (len + 2) / 3 * 4, at = 0;
	char *want = malloc(size + 1);
	bool same;

	if (want == NULL)
		return false;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)(uint8_t)p[i] << 16;

		if (left > 1)
			v |= (uint32_t)(uint8_t)p[i + 1] << 8;
		if (left > 2)
			v |= (uint8_t)p[i + 2];
		for (unsigned k = 0; k < 4; k++)
			want[at++] =
			    k <= left ? digits[v >> (18 - 6 * k) & 63] : '=';
	}
	same = is_text(text, want, size);
	free(want);
	return same;
}

static bool
same_integer(bool negative, uint64_t magnitude, json_t *text)
{
	char want[24];
	json_t *big = form(text, "$int", 1);

	(void)snprintf(
	    want, sizeof(want), "%s%" PRIu64, negative ? "-" : "", magnitude);
	if (magnitude > (uint64_t)PLAIN_MAX)
		return is_text(big, want, strlen(want));
	return json_is_integer(text) &&
	       json_integer_value(text) ==
		   (negative ? -(int64_t)magnitude : (int64_t)magnitude);
}

static bool
same_float(double d, json_t *text)
{
	const char *name = isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity";

	if (!isfinite(d))
		return is_text(form(text, "$float", 1), name, strlen(name));
	return json_is_real(text) && json_real_value(text) == d &&
	       signbit(json_real_value(text)) == signbit(d);
}

static uint64_t
number(const char *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

/* The timestamp extension in its three forms. */
static bool
read_time(const msgpack_object *o, int64_t *seconds, uint32_t *ns)
{
	const char *p = o->via.ext.ptr;

	*ns = 0;
	switch (o->via.ext.size) {
	case 4:
		*seconds = (int64_t)number(p, 4);
		return true;
	case 8:
		*ns = (uint32_t)(number(p, 8) >> 34);
		*seconds = (int64_t)(number(p, 8) & ((UINT64_C(1) << 34) - 1));
		return true;
	case 12:
		*ns = (uint32_t)number(p, 4);
		*seconds = (int64_t)number(p + 4, 8);
		return true;
	default:
		return false;
	}
}

static bool
same_time(const msgpack_object *o, json_t *text)
{
	char want[80], digits[16] = "";
	int64_t seconds;
	struct tm tm;
	uint32_t ns;
	time_t t;
	int len;

	if (!json_is_string(text) || !read_time(o, &seconds, &ns))
		return false;
	t = (time_t)seconds;
	if (gmtime_r(&t, &tm) == NULL)
		return false;
	if (ns > 0) {
		len = snprintf(digits, sizeof(digits), ".%09u", ns);
		while (digits[len - 1] == '0')
			digits[--len] = '\0';
	}
	len = snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d%sZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, digits);
	return is_text(text, want, (size_t)len);
}

static bool
same_ext(const msgpack_object *o, json_t *text)
{
	json_t *time = form(text, "$time", 1);
	json_t *type = form(text, "$ext", 2);

	if (o->via.ext.type == -1 && time != NULL)
		return same_time(o, time);
	return json_is_integer(type) &&
	       json_integer_value(type) == o->via.ext.type &&
	       is_base64(json_object_get(text, "data"), o->via.ext.ptr,
		   o->via.ext.size);
}

static bool
same_array(const msgpack_object_array *a, json_t *text)
{
	if (!json_is_array(text) || json_array_size(text) != a->size)
		return false;
	for (uint32_t i = 0; i < a->size; i++)
		if (!jsonform_same(&a->ptr[i], json_array_get(text, i)))
			return false;
	return true;
}

static bool
is_object(const msgpack_object_map *m)
{
	unsigned dollars = 0;

	for (uint32_t i = 0; i < m->size; i++) {
		const msgpack_object *key = &m->ptr[i].key;

		if (key->type != MSGPACK_OBJECT_STR)
			return false;
		dollars += key->via.str.size > 0 && key->via.str.ptr[0] == '$';
	}
	return dollars != 1;
}

static bool
same_map(const msgpack_object_map *m, json_t *text)
{
	json_t *pairs = form(text, "$map", 1), *pair;
	void *at;

	if (is_object(m)) {
		if (!json_is_object(text) || json_object_size(text) != m->size)
			return false;
		at = json_object_iter(text);
		for (uint32_t i = 0; i < m->size;
		     i++, at = json_object_iter_next(text, at)) {
			const msgpack_object_str *s = &m->ptr[i].key.via.str;

			if (json_object_iter_key_len(at) != s->size ||
			    memcmp(json_object_iter_key(at), s->ptr, s->size) !=
				0 ||
			    !jsonform_same(
				&m->ptr[i].val, json_object_iter_value(at)))
				return false;
		}
		return true;
	}
	if (!json_is_array(pairs) || json_array_size(pairs) != m->size)
		return false;
	for (uint32_t i = 0; i < m->size; i++) {
		pair = json_array_get(pairs, i);
		if (!json_is_array(pair) || json_array_size(pair) != 2 ||
		    !jsonform_same(&m->ptr[i].key, json_array_get(pair, 0)) ||
		    !jsonform_same(&m->ptr[i].val, json_array_get(pair, 1)))
			return false;
	}
	return true;
}

bool
jsonform_same(const msgpack_object *o, json_t *text)
{
	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		return json_is_null(text);
	case MSGPACK_OBJECT_BOOLEAN:
		return json_is_boolean(text) &&
		       json_is_true(text) == o->via.boolean;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		return same_integer(false, o->via.u64, text);
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return same_integer(true, -(uint64_t)o->via.i64, text);
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return same_float(o->via.f64, text);
	case MSGPACK_OBJECT_STR:
		return is_text(text, o->via.str.ptr, o->via.str.size);
	case MSGPACK_OBJECT_BIN:
		return is_base64(
		    form(text, "$bin", 1), o->via.bin.ptr, o->via.bin.size);
	case MSGPACK_OBJECT_EXT:
		return same_ext(o, text);
	case MSGPACK_OBJECT_ARRAY:
		return same_array(&o->via.array, text);
	case MSGPACK_OBJECT_MAP:
		return same_map(&o->via.map, text);
	}
	return false;
}
