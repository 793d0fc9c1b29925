/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The parser of HTTP heads (RFC 9112).  It refuses at the first byte that is
 * out of place; it never repairs.
 */

#include <stdio.h>
#include <strings.h>

#include "core/reason.h"
#include "gateway/http.h"

int
http_head_end(const uint8_t *p, size_t len, size_t *seen, struct reason *why)
{
	size_t limit = MIN(len, (size_t)HTTP_HEAD_MAX);

	for (size_t i = *seen; i < limit; i++) {
		if (p[i] == '\0') {
			reason_set(why, 0, "a NUL byte in the request's head");
			return -400;
		}
		if (p[i] != '\n')
			continue;
		if (i == 0 || p[i - 1] != '\r') {
			reason_set(why, 0, "a line ends with LF alone");
			return -400;
		}
		if (i >= 3 && p[i - 2] == '\n')
			return (int)(i + 1);
	}
	*seen = limit;
	if (limit == HTTP_HEAD_MAX) {
		reason_set(why, 0, "the request's head is longer than %d bytes",
		    HTTP_HEAD_MAX);
		return -431;
	}
	return 0;
}

/* RFC 9110, 5.6.2. */
static bool
is_token_char(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return true;
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool
is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.p[i]))
			return false;
	return s.len > 0;
}

bool
http_same(struct slice s, const char *text)
{
	return s.len == strlen(text) &&
	       !strncasecmp((const char *)s.p, text, s.len);
}

struct slice
http_trim(struct slice s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* The next line, without its CRLF; http_head_end() has seen every LF. */
static bool
next_line(struct slice *rest, struct slice *line)
{
	if (!slice_cut(rest, '\n', line))
		return false;
	line->len--;
	return true;
}

static int
check_method(struct slice method, struct http_request *req, struct reason *why)
{
	static const char *const served[] = {
		[HTTP_GET] = "GET",
		[HTTP_HEAD] = "HEAD",
		[HTTP_POST] = "POST",
		[HTTP_OPTIONS] = "OPTIONS",
	};
	static const char *const known[] = { "PUT", "DELETE", "CONNECT",
		"TRACE", "PATCH" };

	for (unsigned i = 0; i < ARRAY_LEN(served); i++)
		if (slice_is(method, served[i])) {
			req->verb = (enum http_verb)i;
			return 0;
		}
	if (!is_token(method))
		return reason_set(why, 400, "the method is not a token");
	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (slice_is(method, known[i]))
			return reason_set(
			    why, 405, "%s is not served here", known[i]);
	return reason_set(why, 501, "the method is unknown");
}

static int
check_version(struct slice version, struct reason *why)
{
	if (slice_is(version, "HTTP/1.1"))
		return 0;
	if (version.len == 8 && !memcmp(version.p, "HTTP/", 5) &&
	    version.p[6] == '.')
		return reason_set(why, 505, "HTTP/1.1 is spoken here");
	return reason_set(
	    why, 400, "the request line does not end with HTTP/1.1");
}

/* Origin form alone: '/' and visible ASCII. */
static int
parse_target(struct slice target, struct http_request *req, struct reason *why)
{
	if (target.len == 0 || target.p[0] != '/')
		return reason_set(
		    why, 400, "the request's target does not begin with '/'");
	for (size_t i = 0; i < target.len; i++)
		if (target.p[i] <= ' ' || target.p[i] >= 0x7f ||
		    target.p[i] == '#')
			return reason_set(why, 400,
			    "a byte in the request's target is not allowed");
	if (slice_cut(&target, '?', &req->path))
		req->query = target;
	return 0;
}

static int
parse_request_line(
    struct slice line, struct http_request *req, struct reason *why)
{
	struct slice rest = line, method, target;
	int status;

	if (!slice_cut(&rest, ' ', &method) || !slice_cut(&rest, ' ', &target))
		return reason_set(
		    why, 400, "the request line is not METHOD TARGET HTTP/1.1");
	status = check_version(rest, why);
	if (status == 0)
		status = parse_target(target, req, why);
	if (status == 0)
		status = check_method(method, req, why);
	return status;
}

static int
parse_header(struct slice line, struct http_request *req, struct reason *why)
{
	struct http_header *h;

	if (req->n_headers == HTTP_HEADERS_MAX)
		return reason_set(
		    why, 431, "more than %d headers", HTTP_HEADERS_MAX);
	h = &req->headers[req->n_headers];
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return reason_set(
		    why, 400, "a header is continued on the next line");
	if (!slice_cut(&line, ':', &h->name))
		return reason_set(why, 400, "a header without a colon");
	if (!is_token(h->name))
		return reason_set(
		    why, 400, "the name of a header is not a token");
	h->value = http_trim(line);
	for (size_t i = 0; i < h->value.len; i++) {
		uint8_t c = h->value.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return reason_set(why, 400,
			    "a control character in the value of a header");
	}
	req->n_headers++;
	return 0;
}

struct slice
http_header(const struct http_request *req, const char *name, unsigned nth)
{
	for (unsigned i = 0; i < req->n_headers; i++)
		if (http_same(req->headers[i].name, name) && nth-- == 0)
			return req->headers[i].value;
	return (struct slice){ NULL, 0 };
}

void
http_forget(struct http_request *req, const char *name)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < req->n_headers; i++)
		if (!http_same(req->headers[i].name, name))
			req->headers[kept++] = req->headers[i];
	req->n_headers = kept;
}

/* Headers that mean one thing come once. */
static int
check_single(const struct http_request *req, struct reason *why)
{
	static const char *const single[] = { "Host", "Content-Length",
		"Transfer-Encoding", "Content-Encoding", "Origin",
		"Authorization", "Content-Type", "Expect", "Last-Event-ID",
		"Sec-WebSocket-Key", "Sec-WebSocket-Version" };

	for (unsigned i = 0; i < ARRAY_LEN(single); i++)
		if (http_header(req, single[i], 1).p)
			return reason_set(
			    why, 400, "%s is given twice", single[i]);
	return 0;
}

static int
check_host(struct http_request *req, struct reason *why)
{
	req->host = http_header(req, "Host", 0);
	if (!req->host.p || req->host.len == 0)
		return reason_set(why, 400, "there is no Host");
	for (size_t i = 0; i < req->host.len; i++) {
		uint8_t c = req->host.p[i];

		if ((!is_token_char(c) && !strchr(":[]", c)) ||
		    strchr("#^`|", c))
			return reason_set(
			    why, 400, "a byte in Host is not allowed");
	}
	return 0;
}

/* Digits alone; more of them than any body has: the greatest number. */
static int
parse_length(struct slice text, uint64_t *length, struct reason *why)
{
	enum {
		DIGITS = 15
	};

	if (!slice_is_digits(text))
		return reason_set(why, 400, "Content-Length is not a number");
	if (text.len > DIGITS || !slice_uint(text, length))
		*length = UINT64_MAX;
	return 0;
}

/* A body has one length, or there is none, and nobody may think otherwise. */
static int
check_body(struct http_request *req, struct reason *why)
{
	struct slice length = http_header(req, "Content-Length", 0);
	struct slice coding = http_header(req, "Transfer-Encoding", 0);
	int status = 0;

	req->length = 0;
	if (coding.p && length.p)
		return reason_set(
		    why, 400, "Content-Length and Transfer-Encoding together");
	if (coding.p)
		return reason_set(why, 501,
		    "Transfer-Encoding is not served here: a body has a "
		    "Content-Length");
	if (length.p)
		status = parse_length(length, &req->length, why);
	if (status != 0)
		return status;
	if (req->verb == HTTP_POST && !length.p)
		return reason_set(why, 411, "POST needs a Content-Length");
	if (req->verb != HTTP_POST && req->length > 0)
		return reason_set(
		    why, 413, "only a request by POST has a body here");
	return 0;
}

int
http_parse(struct slice head, struct http_request *req, struct reason *why)
{
	struct slice rest = head, line;
	int status;

	req->n_headers = 0;
	req->plain = false;
	req->query = (struct slice){ NULL, 0 };
	if (!next_line(&rest, &line))
		return reason_set(why, 400, "there is no request line");
	status = parse_request_line(line, req, why);
	while (status == 0 && next_line(&rest, &line) && line.len > 0)
		status = parse_header(line, req, why);
	if (status == 0)
		status = check_single(req, why);
	if (status == 0)
		status = check_host(req, why);
	if (status == 0)
		status = check_body(req, why);
	req->last = http_lists(req, "Connection", "close");
	return status;
}

struct slice
http_list_item(const struct http_request *req, const char *name, unsigned nth)
{
	struct slice value, item;
	bool more;

	for (unsigned i = 0; (value = http_header(req, name, i)).p; i++)
		do {
			more = slice_cut(&value, ',', &item);
			if (nth-- == 0)
				return http_trim(item);
		} while (more);
	return (struct slice){ NULL, 0 };
}

bool
http_lists(const struct http_request *req, const char *name, const char *token)
{
	struct slice value, item;
	bool more;

	for (unsigned i = 0; (value = http_header(req, name, i)).p; i++)
		do {
			more = slice_cut(&value, ',', &item);
			if (http_same(http_trim(item), token))
				return true;
		} while (more);
	return false;
}
