/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * HTTP/1.1 heads (RFC 9112), read strictly: what two parsers could read in
 * two ways is refused.  Nothing here allocates or knows of sockets.
 */

#ifndef PEAL_GATEWAY_HTTP_H
#define PEAL_GATEWAY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

enum {
	HTTP_HEAD_MAX = 8192,
	HTTP_HEADERS_MAX = 64,
	HTTP_ANSWER_MAX = 1024,
};

struct http_header {
	struct slice name;
	struct slice value; /* without the white space around it */
};

/* Slices point into the head that was parsed. */
struct http_request {
	struct slice method;
	struct slice path;
	struct slice query;
	struct slice host;
	unsigned n_headers;
	struct http_header headers[HTTP_HEADERS_MAX];
};

/*
 * Look for the end of the head in the len bytes at p; *seen is how many of
 * them were looked at before (0 at first).  Returns the head's length with
 * its empty line, 0 when more is needed, or minus an HTTP status for bytes
 * that no head can hold.
 */
int http_head_end(
    const uint8_t *p, size_t len, size_t *seen, struct reason *why);

/*
 * Parse a whole head.  Returns 0, or an HTTP status and in *why a sentence
 * for the client.  Methods are those that have no body.
 */
int http_parse(struct slice head, struct http_request *req, struct reason *why);

/*
 * The nth header of that name (any case), p NULL when there is none.
 */
struct slice http_header(
    const struct http_request *req, const char *name, unsigned nth);

/* Is token in the comma-separated values of all headers of that name? */
bool http_lists(
    const struct http_request *req, const char *name, const char *token);

struct http_upgrade {
	struct slice key;    /* TLS_WS_KEY characters */
	struct slice bearer; /* len 0: none */
	bool subprotocol;    /* the answer names it */
};

#define HTTP_SUBPROTOCOL "peal.v1.msgpack"

/*
 * Is this a good WebSocket handshake (RFC 6455, 4.2.1)?  origins are those
 * allowed beside the request's own, separated by spaces.  Returns 0 or an
 * HTTP status and a sentence, as http_parse().
 */
int http_upgrade(const struct http_request *req, const char *origins,
    struct http_upgrade *up, struct reason *why);

/*
 * A whole answer after which the connection ends; returns its length.
 * Text that comes from the request has to be quoted by the caller.
 */
size_t http_refusal(char buf[HTTP_ANSWER_MAX], int status, const char *text);
/* {"status":…} and, when why is not NULL, its text as "reason". */
size_t http_health(char buf[HTTP_ANSWER_MAX], bool good, const char *status,
    const struct reason *why);
/* 101 with the given Sec-WebSocket-Accept. */
size_t http_switching(char buf[HTTP_ANSWER_MAX], const char *accept,
    const struct http_upgrade *up);

#endif
