/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * JSON text as MessagePack.  jansson reads the text; what it gives is packed
 * here, with the forms {"$bin":…} and so on turned into what they stand for.
 * Nothing is guessed: a form that is not quite one is refused.
 */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "core/base64.h"
#include "core/diag.h"
#include "core/json.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/rfc3339.h"

/* Where a value stands, from the inside out; index counts when key is NULL. */
struct place {
	const struct place *up;
	const char *key;
	size_t index;
};

struct reading {
	struct mp_buf *out;
	struct reason *why;
	unsigned depth;
	bool pairs; /* a $map was there: its keys are yet to be compared */
};

static size_t
place_text(const struct place *at, char *buf, size_t size)
{
	char quoted[40];
	size_t len;

	if (!at)
		return 0;
	len = place_text(at->up, buf, size);
	if (len >= size)
		return size;
	if (at->key)
		len += (size_t)snprintf(buf + len, size - len, "%s%s",
		    len ? "." : "",
		    diag_quote(
			quoted, sizeof(quoted), at->key, strlen(at->key)));
	else
		len +=
		    (size_t)snprintf(buf + len, size - len, "[%zu]", at->index);
	return len;
}

static int
refuse(struct reading *r, const struct place *at, const char *what)
{
	char where[120] = "";

	(void)place_text(at, where, sizeof(where));
	(void)reason_set(
	    r->why, 0, "%s%s%s", where, where[0] ? ": " : "", what);
	return -EPROTO;
}

/* The text of a form's value, or false when it is no string. */
static bool
text_of(const json_t *value, struct slice *text)
{
	if (!json_is_string(value))
		return false;
	*text = slice_of(json_string_value(value), json_string_length(value));
	return true;
}

static int
read_base64(struct reading *r, const json_t *value, const struct place *at,
    struct mp_buf *bytes)
{
	struct slice text;
	uint8_t *to;

	if (!text_of(value, &text))
		return refuse(r, at, "base64 must be a string");
	to = mp_buf_reserve(bytes, base64_room(text.len));
	if (!to)
		return -ENOMEM;
	if (!base64_decode(text, to, &bytes->len))
		return refuse(r, at, "the text is not base64");
	return 0;
}

static int
read_bin(struct reading *r, const json_t *form, const struct place *at)
{
	CLEANUP(mp_buf_deinit) struct mp_buf bytes = { 0 };
	int err = read_base64(r, json_object_get(form, "$bin"), at, &bytes);

	if (!err)
		mp_pack_bin(r->out, slice_of(bytes.p, bytes.len));
	return err;
}

/* Decimal digits without a leading zero, perhaps behind a '-'. */
static int
read_int(struct reading *r, const json_t *form, const struct place *at)
{
	static const char wrong[] = "\"$int\" must be a decimal number from "
				    "-2^63 to 2^64-1, in a string";
	uint64_t v = 0;
	struct slice s;
	bool minus;

	if (!text_of(json_object_get(form, "$int"), &s))
		return refuse(r, at, wrong);
	minus = s.len > 0 && *s.p == '-';
	if (minus)
		s = slice_of(s.p + 1, s.len - 1);
	if (s.len == 0 || (*s.p == '0' && (s.len > 1 || minus)))
		return refuse(r, at, wrong);
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' ||
		    __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, s.p[i] - '0', &v))
			return refuse(r, at, wrong);
	}
	if (!minus)
		mp_pack_uint(r->out, v);
	else if (v <= UINT64_C(1) << 63)
		mp_pack_int(r->out, (int64_t)(0 - v));
	else
		return refuse(r, at, wrong);
	return 0;
}

static int
read_time(struct reading *r, const json_t *form, const struct place *at)
{
	struct slice text;
	int64_t seconds;
	uint32_t ns;

	if (!text_of(json_object_get(form, "$time"), &text) ||
	    !rfc3339_parse(text, &seconds, &ns))
		return refuse(r, at, "\"$time\" must be a time of RFC 3339");
	mp_pack_time(r->out, seconds, ns);
	return 0;
}

static int
read_float(struct reading *r, const json_t *form, const struct place *at)
{
	struct slice text;

	if (!text_of(json_object_get(form, "$float"), &text))
		text = slice_of(NULL, 0);
	if (slice_is(text, "NaN"))
		mp_pack_double(r->out, (double)NAN);
	else if (slice_is(text, "Infinity"))
		mp_pack_double(r->out, (double)INFINITY);
	else if (slice_is(text, "-Infinity"))
		mp_pack_double(r->out, (double)-INFINITY);
	else
		return refuse(r, at,
		    "\"$float\" must be \"NaN\", "
		    "\"Infinity\" or \"-Infinity\"");
	return 0;
}

static int
read_ext(struct reading *r, const json_t *form, const struct place *at)
{
	CLEANUP(mp_buf_deinit) struct mp_buf bytes = { 0 };
	const json_t *type = json_object_get(form, "$ext");
	int64_t seconds;
	uint32_t ns;
	int err;

	if (!json_is_integer(type) || json_integer_value(type) < -1 ||
	    json_integer_value(type) > 127)
		return refuse(r, at, "\"$ext\" must be -1 to 127");
	err = read_base64(r, json_object_get(form, "data"), at, &bytes);
	if (err)
		return err;
	if (json_integer_value(type) >= 0) {
		mp_pack_ext(r->out, (int8_t)json_integer_value(type),
		    slice_of(bytes.p, bytes.len));
		return 0;
	}
	/* Extension -1 is the timestamp, here one beyond RFC 3339. */
	if (!mp_time(slice_of(bytes.p, bytes.len), &seconds, &ns))
		return refuse(r, at, "\"$ext\" -1 must hold a timestamp");
	mp_pack_time(r->out, seconds, ns);
	return 0;
}

static int read_value(struct reading *r, json_t *value, const struct place *at);

static int
read_map(struct reading *r, const json_t *form, const struct place *at)
{
	const json_t *pairs = json_object_get(form, "$map"), *pair;
	int err = 0;

	if (!json_is_array(pairs))
		return refuse(r, at, "\"$map\" must be an array of pairs");
	r->pairs = true;
	mp_pack_map(r->out, (uint32_t)json_array_size(pairs));
	for (size_t i = 0; !err && i < json_array_size(pairs); i++) {
		struct place here = { at, NULL, i };

		pair = json_array_get(pairs, i);
		if (!json_is_array(pair) || json_array_size(pair) != 2)
			return refuse(
			    r, &here, "\"$map\" must be an array of pairs");
		err = read_value(r, json_array_get(pair, 0), &here);
		if (!err)
			err = read_value(r, json_array_get(pair, 1), &here);
	}
	return err;
}

/* The forms, and how many keys each has. */
static const struct form {
	const char *key;
	size_t keys;
	const char *second; /* NULL: none */
	int (*read)(
	    struct reading *r, const json_t *form, const struct place *at);
} forms[] = {
	{ "$bin", 1, NULL, read_bin },
	{ "$ext", 2, "data", read_ext },
	{ "$float", 1, NULL, read_float },
	{ "$int", 1, NULL, read_int },
	{ "$map", 1, NULL, read_map },
	{ "$time", 1, NULL, read_time },
};

/* An object in which key alone begins with '$'. */
static int
read_form(struct reading *r, const json_t *object, const char *key,
    const struct place *at)
{
	char quoted[40], what[160];

	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		const struct form *f = &forms[i];

		if (!strcmp(key, f->key) &&
		    json_object_size(object) == f->keys &&
		    (!f->second || json_object_get(object, f->second)))
			return f->read(r, object, at);
	}
	snprintf(what, sizeof(what),
	    "an object whose only key with '$' is \"%s\" is no known form; "
	    "write {\"$map\":[[key,value]...]}",
	    diag_quote(quoted, sizeof(quoted), key, strlen(key)));
	return refuse(r, at, what);
}

/* The one key that begins with '$'; NULL when there are none or several. */
static const char *
only_dollar(json_t *object)
{
	const char *key, *dollar = NULL;

	for (void *it = json_object_iter(object); it;
	     it = json_object_iter_next(object, it)) {
		key = json_object_iter_key(it);
		if (key[0] != '$')
			continue;
		if (dollar)
			return NULL;
		dollar = key;
	}
	return dollar;
}

static int
read_object(struct reading *r, json_t *object, const struct place *at)
{
	const char *dollar = only_dollar(object);
	int err = 0;

	if (dollar)
		return read_form(r, object, dollar, at);
	mp_pack_map(r->out, (uint32_t)json_object_size(object));
	for (void *it = json_object_iter(object); it && !err;
	     it = json_object_iter_next(object, it)) {
		struct place here = { at, json_object_iter_key(it), 0 };

		mp_pack_str(
		    r->out, slice_of(here.key, json_object_iter_key_len(it)));
		err = read_value(r, json_object_iter_value(it), &here);
	}
	return err;
}

static int
read_array(struct reading *r, const json_t *array, const struct place *at)
{
	int err = 0;

	mp_pack_array(r->out, (uint32_t)json_array_size(array));
	for (size_t i = 0; !err && i < json_array_size(array); i++) {
		struct place here = { at, NULL, i };

		err = read_value(r, json_array_get(array, i), &here);
	}
	return err;
}

static int
read_value(struct reading *r, json_t *value, const struct place *at)
{
	int err;

	switch (json_typeof(value)) {
	case JSON_NULL:
		mp_pack_nil(r->out);
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		mp_pack_bool(r->out, json_is_true(value));
		return 0;
	case JSON_INTEGER:
		mp_pack_int(r->out, json_integer_value(value));
		return 0;
	case JSON_REAL:
		mp_pack_double(r->out, json_real_value(value));
		return 0;
	case JSON_STRING:
		mp_pack_str(r->out, slice_of(json_string_value(value),
					json_string_length(value)));
		return 0;
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	if (r->depth == MPVALID_DEPTH)
		return refuse(r, at, "values nest deeper than 32 levels");
	r->depth++;
	err = json_is_object(value) ? read_object(r, value, at)
				    : read_array(r, value, at);
	r->depth--;
	return err;
}

/* What jansson says quotes the text, which may hold anything. */
static int
refuse_text(struct reason *why, const json_error_t *error)
{
	char quoted[140];

	(void)reason_set(why, 0, "line %d, column %d: %s", error->line,
	    error->column,
	    diag_quote(
		quoted, sizeof(quoted), error->text, strlen(error->text)));
	return -EPROTO;
}

static void
release(json_t **value)
{
	json_decref(*value);
}

int
json_to_mp(struct slice text, struct mp_buf *out, struct reason *why)
{
	CLEANUP(release) json_t *value = NULL;
	struct reading r = { .out = out, .why = why };
	size_t mark = out->len;
	json_error_t error;
	int err;

	value = json_loadb((const char *)text.p, text.len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!value)
		return refuse_text(why, &error);
	err = read_value(&r, value, NULL);
	if (!err && out->failed)
		err = -ENOMEM;
	if (!err && r.pairs) {
		err = mpvalid_check(out->p + mark, out->len - mark, why);
		if (err > 0)
			err = -EPROTO;
	}
	if (err)
		out->len = mark;
	return err;
}
