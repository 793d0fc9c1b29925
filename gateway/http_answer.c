/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Heads of answers (RFC 9112), and which form an answer has.  What is sent is
 * never guessed at by the client: each body has a type and a length.
 */

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "core/reason.h"
#include "core/time.h"
#include "gateway/http.h"

static const char *
status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		{ 200, "OK" },
		{ 204, "No Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "Refused";
}

/* What the standard wants beside the status. */
static const char *
status_headers(int status)
{
	switch (status) {
	case 401:
		return "WWW-Authenticate: Bearer\r\n";
	case 426:
		return "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
	default:
		return "";
	}
}

static void put(struct mp_buf *out, const char *fmt, ...) PRINTF(2, 3);

/* Lines of ours, which are short. */
static void
put(struct mp_buf *out, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	mp_buf_bytes(out, line, MIN((size_t)n, sizeof(line) - 1));
}

static void
put_origin(struct mp_buf *out, const struct http_answer *a)
{
	if (a->vary)
		put(out, "Vary: Origin\r\n");
	if (a->origin.len == 0)
		return;
	put(out, "Access-Control-Allow-Origin: ");
	mp_buf_bytes(out, a->origin.p, a->origin.len);
	put(out, "\r\nAccess-Control-Expose-Headers: Retry-After\r\n");
}

/* RFC 9110, 6.6.1. */
static void
put_date(struct mp_buf *out)
{
	time_t now = (time_t)(time_wall_us() / US_PER_S);
	char text[64];
	struct tm tm;

	if (gmtime_r(&now, &tm) &&
	    strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n",
		&tm) > 0)
		mp_buf_bytes(out, text, strlen(text));
}

void
http_answer_head(struct mp_buf *out, const struct http_answer *a)
{
	put(out, "HTTP/1.1 %d %s\r\n%s", a->status, status_text(a->status),
	    status_headers(a->status));
	put_date(out);
	if (a->type)
		put(out, "Content-Type: %s\r\n", a->type);
	if (a->chunked)
		put(out, "Transfer-Encoding: chunked\r\n");
	else if (a->status != 204 && a->status != 304)
		put(out, "Content-Length: %zu\r\n", a->length);
	if (a->allow)
		put(out, "Allow: %s\r\n", a->allow);
	if (a->retry_s > 0)
		put(out, "Retry-After: %llu\r\n",
		    (unsigned long long)a->retry_s);
	put(out, "X-Content-Type-Options: nosniff\r\n");
	put_origin(out, a);
	if (a->more)
		mp_buf_bytes(out, a->more, strlen(a->more));
	else
		put(out, "Cache-Control: no-store\r\n");
	if (a->last)
		put(out, "Connection: close%s\r\n",
		    a->status == 426 ? ", upgrade" : "");
	put(out, "\r\n");
}

void
http_answer_text(
    struct mp_buf *out, const struct http_answer *a, const char *text)
{
	struct http_answer with = *a;

	with.type = "text/plain; charset=utf-8";
	with.length = strlen(text) + 1;
	http_answer_head(out, &with);
	mp_buf_bytes(out, text, strlen(text));
	mp_buf_bytes(out, "\n", 1);
}

/* The inside of a JSON string; bytes beyond ASCII are UTF-8 of our own. */
static void
put_json(struct mp_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			put(out, "\\%c", c);
		else if (c < ' ')
			put(out, "\\u%04x", c);
		else
			mp_buf_bytes(out, text, 1);
	}
}

void
http_health_body(
    struct mp_buf *out, const char *status, const struct reason *why)
{
	put(out, "{\"status\":\"%s\"", status);
	if (why) {
		put(out, ",\"reason\":\"");
		put_json(out, why->text);
		put(out, "\"");
	}
	put(out, "}\n");
}

void
http_chunk_head(struct mp_buf *out, size_t len)
{
	put(out, "%zx\r\n", len);
}

static struct slice
trimmed_cut(struct slice *rest, char sep)
{
	struct slice part;

	(void)slice_cut(rest, sep, &part);
	return http_trim(part);
}

struct slice
http_media_type(struct slice value)
{
	return trimmed_cut(&value, ';');
}

static bool
is_one_of(struct slice type, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (http_same(type, names[i]))
			return true;
	return false;
}

bool
http_is_msgpack(struct slice type)
{
	static const char *const names[] = { "application/msgpack",
		"application/vnd.msgpack", "application/x-msgpack" };

	return is_one_of(type, names, ARRAY_LEN(names));
}

bool
http_is_json(struct slice type)
{
	static const char *const name[] = { "application/json" };

	return is_one_of(type, name, 1);
}

/* Thousandths; what is no weight (RFC 9110, 12.4.2) counts as none. */
static unsigned
weight(struct slice params)
{
	unsigned q, unit = 100;

	while (params.len > 0) {
		struct slice p = trimmed_cut(&params, ';');

		if (p.len < 3 || (p.p[0] | 0x20) != 'q' || p.p[1] != '=')
			continue;
		q = p.p[2] == '1' ? 1000 : 0;
		for (size_t i = 4; i < p.len && i < 7 && q < 1000; i++) {
			if (p.p[i] < '0' || p.p[i] > '9')
				return 0;
			q += unit * (unsigned)(p.p[i] - '0');
			unit /= 10;
		}
		return q;
	}
	return 1000;
}

bool
http_wants_msgpack(const struct http_request *req)
{
	static const char *const json[] = { "application/json", "application/*",
		"*/*" };
	unsigned best_json = 0, best_msgpack = 0;
	struct slice value;

	for (unsigned nth = 0; (value = http_header(req, "Accept", nth)).p;
	     nth++) {
		while (value.len > 0) {
			struct slice rest = trimmed_cut(&value, ',');
			struct slice type = trimmed_cut(&rest, ';');
			unsigned q = weight(rest);

			if (http_is_msgpack(type))
				best_msgpack = MAX(best_msgpack, q);
			else if (is_one_of(type, json, ARRAY_LEN(json)))
				best_json = MAX(best_json, q);
		}
	}
	return best_msgpack > best_json;
}
