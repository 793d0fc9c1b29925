/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The forms of the JSON form: objects that stand for what JSON lacks.
 * Nothing is guessed: a form that is not quite one is refused, for a value
 * has one text.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base64.h"
#include "core/json_priv.h"
#include "core/rfc3339.h"

/* A packed object, and what begins with the value of its form's key. */
struct form_at {
	struct slice object;
	struct slice value;
};

/* The value of a key in the packed object; len 0 when there is none. */
static struct slice
member(struct slice object, const char *key)
{
	struct slice want = slice_cstr(key), name, value;
	struct mp_walk w = mp_walk(object);
	struct mp_item head;

	if (!mp_next(&w, &head))
		return slice_of(NULL, 0);
	while (mp_next_name(&w, &name) && mp_skip(&w, &value))
		if (name.p && slice_equal(name, want))
			return value;
	return slice_of(NULL, 0);
}

/* A value that is one item of that type. */
static bool
item_of(struct slice value, enum mp_type type, struct mp_item *item)
{
	struct mp_walk w = mp_walk(value);

	return mp_next(&w, item) && item->type == type;
}

static const char *
decode_base64(struct slice value, struct mp_buf *bytes)
{
	struct mp_item text;
	uint8_t *to;

	if (!item_of(value, MP_STR, &text))
		return "base64 must be a string";
	to = mp_buf_reserve(bytes, base64_room(text.s.len));
	if (to && !base64_decode(text.s, to, &bytes->len))
		return "a text is not base64";
	return NULL;
}

static const char *
resolve_bin(const struct form_at *f, struct mp_buf *out)
{
	CLEANUP(mp_buf_deinit) struct mp_buf bytes = { 0 };
	const char *fault = decode_base64(f->value, &bytes);

	if (!fault)
		mp_pack_bin(out, slice_of(bytes.p, bytes.len));
	out->failed |= bytes.failed;
	return fault;
}

/* Decimal digits without a leading zero, perhaps behind a '-'. */
static const char *
resolve_int(const struct form_at *f, struct mp_buf *out)
{
	static const char wrong[] = "\"$int\" must be a decimal number from "
				    "-2^63 to 2^64-1, in a string";
	struct mp_item text;
	struct slice s;
	uint64_t v;
	bool minus;

	if (!item_of(f->value, MP_STR, &text))
		return wrong;
	s = text.s;
	minus = s.len > 0 && *s.p == '-';
	if (minus)
		s = slice_of(s.p + 1, s.len - 1);
	if (s.len == 0 || (*s.p == '0' && (s.len > 1 || minus)))
		return wrong;
	if (!slice_uint(s, &v))
		return wrong;
	if (!minus)
		mp_pack_uint(out, v);
	else if (v <= UINT64_C(1) << 63)
		mp_pack_int(out, (int64_t)(0 - v));
	else
		return wrong;
	return NULL;
}

static const char *
resolve_time(const struct form_at *f, struct mp_buf *out)
{
	struct mp_item text;
	int64_t seconds;
	uint32_t ns;

	if (!item_of(f->value, MP_STR, &text) ||
	    !rfc3339_parse(text.s, &seconds, &ns))
		return "\"$time\" must be a time of RFC 3339";
	mp_pack_time(out, seconds, ns);
	return NULL;
}

static const char *
resolve_float(const struct form_at *f, struct mp_buf *out)
{
	struct mp_item text;

	if (!item_of(f->value, MP_STR, &text))
		text.s = slice_of(NULL, 0);
	if (slice_is(text.s, "NaN"))
		mp_pack_double(out, (double)NAN);
	else if (slice_is(text.s, "Infinity"))
		mp_pack_double(out, (double)INFINITY);
	else if (slice_is(text.s, "-Infinity"))
		mp_pack_double(out, (double)-INFINITY);
	else
		return "\"$float\" must be \"NaN\", \"Infinity\" or "
		       "\"-Infinity\"";
	return NULL;
}

static const char *
resolve_ext(const struct form_at *f, struct mp_buf *out)
{
	CLEANUP(mp_buf_deinit) struct mp_buf bytes = { 0 };
	const char *fault;
	struct mp_item type;
	int64_t seconds;
	uint32_t ns;
	bool time;

	/* Extension -1 is the timestamp, here one beyond RFC 3339. */
	time = item_of(f->value, MP_INT, &type) && type.i == -1;
	if (!time && (!item_of(f->value, MP_UINT, &type) || type.u > 127))
		return "\"$ext\" must be -1 to 127";
	fault = decode_base64(member(f->object, "data"), &bytes);
	if (fault)
		return fault;
	if (!time)
		mp_pack_ext(out, (int8_t)type.u, slice_of(bytes.p, bytes.len));
	else if (mp_time(slice_of(bytes.p, bytes.len), &seconds, &ns))
		mp_pack_time(out, seconds, ns);
	else
		return "\"$ext\" -1 must hold a timestamp";
	out->failed |= bytes.failed;
	return NULL;
}

static const char *
resolve_map(const struct form_at *f, struct mp_buf *out)
{
	static const char wrong[] = "\"$map\" must be an array of pairs";
	struct mp_walk w = mp_walk(f->value);
	struct slice key, value;
	struct mp_item pairs, pair;

	if (!mp_next(&w, &pairs) || pairs.type != MP_ARRAY)
		return wrong;
	mp_pack_map(out, pairs.n);
	for (uint32_t i = 0; i < pairs.n; i++) {
		if (!mp_next(&w, &pair) || pair.type != MP_ARRAY ||
		    pair.n != 2 || !mp_skip(&w, &key) || !mp_skip(&w, &value))
			return wrong;
		mp_pack_raw(out, key);
		mp_pack_raw(out, value);
	}
	return NULL;
}

/* Each form's key, and the other one that it has, if any. */
static const struct form {
	const char *key, *other;
	const char *(*resolve)(const struct form_at *f, struct mp_buf *out);
} forms[] = {
	{ "$bin", NULL, resolve_bin },
	{ "$ext", "data", resolve_ext },
	{ "$float", NULL, resolve_float },
	{ "$int", NULL, resolve_int },
	{ "$map", NULL, resolve_map },
	{ "$time", NULL, resolve_time },
};

const char *
json_form_resolve(struct mp_buf *out, size_t at, size_t key_at)
{
	static const char unknown[] =
	    "an object with one key that begins with '$' is no known form; "
	    "a map with such a key is {\"$map\":[[key,value]...]}";
	CLEANUP(mp_buf_deinit) struct mp_buf value = { 0 };
	struct form_at here = { .object =
				    slice_of(out->p + at, out->len - at) };
	struct mp_walk w = mp_walk(here.object);
	struct slice key = { NULL, 0 };
	struct mp_item head;
	const char *fault;

	if (!mp_next(&w, &head))
		return "an object that is none";
	/* No form has more than two, whose head is as long as at first. */
	w.p = out->p + key_at;
	if (head.n > 2 || !mp_next_name(&w, &key))
		return unknown;
	here.value = slice_of(w.p, (size_t)(w.end - w.p));
	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		const struct form *f = &forms[i];

		if (!slice_is(key, f->key) || head.n != (f->other ? 2 : 1) ||
		    (f->other && !member(here.object, f->other).len))
			continue;
		fault = f->resolve(&here, &value);
		if (fault)
			return fault;
		out->len = at;
		mp_buf_bytes(out, value.p, value.len);
		out->failed |= value.failed;
		return NULL;
	}
	return unknown;
}
