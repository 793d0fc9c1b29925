/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Query strings, and the requests of doc/protocol.md that they ask for.
 * Read strictly: what could be meant in two ways is refused.
 */

#ifndef PEAL_GATEWAY_HTTP_QUERY_H
#define PEAL_GATEWAY_HTTP_QUERY_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;

/* One NAME=VALUE, as it came. */
struct http_param {
	struct slice name;
	struct slice value;
};

/* Step over the next one; false at the end. */
bool http_query_next(struct slice *query, struct http_param *p);

/*
 * Decode %XX into out, which has room for value.len bytes; false for what is
 * no good %XX, and for '+', which means a space to some.
 */
MUST_CHECK bool http_query_decode(
    struct slice value, uint8_t *out, size_t *len, struct reason *why);

/* 0, or 400 and a sentence where the query holds a token. */
MUST_CHECK int http_query_secret(struct slice query, struct reason *why);

/* What a value is, and how it is packed. */
enum http_kind {
	HTTP_KIND_STR,
	HTTP_KIND_UINT,
	HTTP_KIND_TIME, /* microseconds, or RFC 3339 */
	HTTP_KIND_AT,	/* a seq, or a time in RFC 3339 */
	HTTP_KIND_FROM, /* a seq, or "now" */
	HTTP_KIND_BOOL, /* true or false */
	HTTP_KIND_STRS, /* may come several times: an array */
};

struct http_field {
	const char *name; /* in the query; NULL ends a table */
	const char *key;  /* in the request */
	enum http_kind kind;
};

/*
 * Pack the request {"op":op, ...} that the query asks for by the table's
 * fields.  Returns 0, or 400 and a sentence.  out->failed: out of memory.
 */
MUST_CHECK int http_query_pack(struct slice query, const char *op,
    const struct http_field *fields, struct mp_buf *out, struct reason *why);

#endif
