/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Query strings into requests.  A name that is not known is refused: it is a
 * mistake of whoever typed it, and the answer would be of something else.
 */

#include <stdio.h>

#include "core/json.h"
#include "core/reason.h"
#include "core/rfc3339.h"
#include "core/time.h"
#include "gateway/http.h"
#include "gateway/http_query.h"

enum {
	FIELDS_MAX = 32
};

bool
http_query_next(struct slice *query, struct http_param *p)
{
	if (query->len == 0)
		return false;
	(void)slice_cut(query, '&', &p->value);
	(void)slice_cut(&p->value, '=', &p->name);
	return true;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

bool
http_query_decode(
    struct slice value, uint8_t *out, size_t *len, struct reason *why)
{
	size_t n = 0;

	for (size_t i = 0; i < value.len; i++) {
		int high, low;

		if (value.p[i] == '+') {
			reason_set(why, 0,
			    "'+' in a query: %%2B is one, %%20 is a space");
			return false;
		}
		if (value.p[i] != '%') {
			out[n++] = value.p[i];
			continue;
		}
		high = i + 2 < value.len ? hex_digit(value.p[i + 1]) : -1;
		low = i + 2 < value.len ? hex_digit(value.p[i + 2]) : -1;
		if (high < 0 || low < 0) {
			reason_set(
			    why, 0, "'%%' in a query without two hex digits");
			return false;
		}
		out[n++] = (uint8_t)(high << 4 | low);
		i += 2;
	}
	*len = n;
	return true;
}

/* Microseconds since the epoch; digits behind them are dropped. */
static bool
parse_rfc3339(struct slice text, uint64_t *us)
{
	int64_t seconds;
	uint32_t ns;

	if (!rfc3339_parse(text, &seconds, &ns) || seconds < 0)
		return false;
	*us = (uint64_t)seconds * US_PER_S + ns / 1000;
	return true;
}

static int
bad(struct reason *why, const struct http_field *f, const char *what)
{
	return reason_set(why, 400, "parameter '%s' is not %s", f->name, what);
}

/* A seq, a time in RFC 3339, or what `at` is in a request, as JSON. */
static int
pack_at(struct mp_buf *out, const struct http_field *f, struct slice text,
    struct reason *why)
{
	static const char what[] =
	    "a seq, a time in RFC 3339, or {\"time\": microseconds}";
	struct mp_buf value CLEANUP(mp_buf_deinit) = { 0 };
	uint64_t v;

	if (slice_uint(text, &v)) {
		mp_pack_uint(out, v);
	} else if (parse_rfc3339(text, &v)) {
		mp_pack_map(out, 1);
		mp_pair_uint(out, "time", v);
	} else if (text.len > 0 && text.p[0] == '{' &&
		   json_to_mp(text, &value, NULL) == 0) {
		mp_pack_raw(out, slice_of(value.p, value.len));
	} else {
		return bad(why, f, what);
	}
	return 0;
}

static int
pack_value(struct mp_buf *out, const struct http_field *f, struct slice text,
    struct reason *why)
{
	uint64_t v;

	switch (f->kind) {
	case HTTP_KIND_STR:
	case HTTP_KIND_STRS:
		mp_pack_str(out, text);
		return 0;
	case HTTP_KIND_UINT:
		if (!slice_uint(text, &v))
			return bad(why, f, "a number");
		mp_pack_uint(out, v);
		return 0;
	case HTTP_KIND_TIME:
		if (!slice_uint(text, &v) && !parse_rfc3339(text, &v))
			return bad(
			    why, f, "a time (microseconds, or RFC 3339)");
		mp_pack_uint(out, v);
		return 0;
	case HTTP_KIND_AT:
		return pack_at(out, f, text, why);
	case HTTP_KIND_FROM:
		if (slice_uint(text, &v))
			mp_pack_uint(out, v);
		else if (slice_is(text, "now"))
			mp_pack_str(out, text);
		else
			return bad(why, f, "a seq, nor now");
		return 0;
	case HTTP_KIND_BOOL:
		if (!slice_is(text, "true") && !slice_is(text, "false"))
			return bad(why, f, "true or false");
		mp_pack_bool(out, slice_is(text, "true"));
		return 0;
	}
	return 0;
}

static int
pack_param(struct mp_buf *out, const struct http_field *f, struct slice value,
    struct reason *why)
{
	uint8_t text[HTTP_HEAD_MAX];
	size_t len;

	if (value.len > sizeof(text) ||
	    !http_query_decode(value, text, &len, why))
		return 400;
	return pack_value(out, f, slice_of(text, len), why);
}

int
http_query_secret(struct slice query, struct reason *why)
{
	static const char *const secrets[] = { "token", "access_token" };
	struct http_param p;

	while (http_query_next(&query, &p))
		for (unsigned i = 0; i < ARRAY_LEN(secrets); i++)
			if (slice_is(p.name, secrets[i]))
				return reason_set(why, 400,
				    "a token never travels in a URL, where "
				    "others log it: send Authorization: "
				    "Bearer TOKEN");
	return 0;
}

/* Every value of a field that may come several times. */
static int
pack_array(struct mp_buf *out, const struct http_field *f, struct slice query,
    struct reason *why)
{
	size_t at = mp_begin(out);
	struct http_param p;
	uint32_t n = 0;
	int status = 0;

	while (status == 0 && http_query_next(&query, &p))
		if (slice_is(p.name, f->name)) {
			status = pack_param(out, f, p.value, why);
			n++;
		}
	mp_end_array(out, at, n);
	return status;
}

/* The names of a table, for who did not know them. */
static int
unknown(const struct http_field *fields, struct reason *why)
{
	char names[160] = "";
	size_t n = 0;

	if (!fields->name)
		return reason_set(why, 400, "this path takes no parameters");
	for (const struct http_field *f = fields; f->name; f++)
		if (n < sizeof(names))
			n += (size_t)snprintf(names + n, sizeof(names) - n,
			    "%s%s", n > 0 ? ", " : "", f->name);
	return reason_set(why, 400,
	    "a parameter of the query is not known; there are: %s", names);
}

static int
find_field(const struct http_field *fields, const struct http_param *p,
    unsigned *index, struct reason *why)
{
	for (unsigned i = 0; fields[i].name && i < FIELDS_MAX; i++)
		if (slice_is(p->name, fields[i].name)) {
			*index = i;
			return 0;
		}
	return unknown(fields, why);
}

int
http_query_pack(struct slice query, const char *op,
    const struct http_field *fields, struct mp_buf *out, struct reason *why)
{
	struct slice rest = query;
	size_t at = mp_begin(out);
	uint32_t seen = 0, n = 1;
	struct http_param p;
	unsigned i = 0;
	int status;

	mp_pair_cstr(out, "op", op);
	while (http_query_next(&rest, &p)) {
		const struct http_field *f;
		bool again;

		status = find_field(fields, &p, &i, why);
		if (status != 0)
			return status;
		f = &fields[i];
		again = seen & UINT32_C(1) << i;
		seen |= UINT32_C(1) << i;
		if (again && f->kind == HTTP_KIND_STRS)
			continue;
		if (again)
			return reason_set(
			    why, 400, "parameter '%s' is given twice", f->name);
		n++;
		mp_pack_cstr(out, f->key);
		status = f->kind == HTTP_KIND_STRS
			     ? pack_array(out, f, query, why)
			     : pack_param(out, f, p.value, why);
		if (status != 0)
			return status;
	}
	mp_end_map(out, at, n);
	return 0;
}
