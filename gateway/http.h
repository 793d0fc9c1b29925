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
#include "core/mp.h"

struct reason;

enum {
	HTTP_HEAD_MAX = 8192,
	HTTP_HEADERS_MAX = 64,
	HTTP_ANSWER_MAX = 1024,
};

/* What is served somewhere; all other methods are refused. */
enum http_verb {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_OPTIONS,
};

struct http_header {
	struct slice name;
	struct slice value; /* without the white space around it */
};

/* Slices point into the head that was parsed. */
struct http_request {
	enum http_verb verb;
	struct slice path;
	struct slice query; /* p NULL: there is no '?' */
	struct slice host;
	uint64_t length; /* of the body, which POST alone has */
	bool last;	 /* the client wants the connection to end */
	bool plain; /* it came without TLS: whether https or http, is unknown */
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
 * for the client.  plain is false, and the caller's to set.
 */
int http_parse(struct slice head, struct http_request *req, struct reason *why);

/*
 * The nth header of that name (any case), p NULL when there is none.
 */
struct slice http_header(
    const struct http_request *req, const char *name, unsigned nth);

/* Without the white space around it; is it text, in any case? */
struct slice http_trim(struct slice value);
bool http_same(struct slice value, const char *text);

/* Have no header of that name any more. */
void http_forget(struct http_request *req, const char *name);

/* Is token in the comma-separated values of all headers of that name? */
bool http_lists(
    const struct http_request *req, const char *name, const char *token);
/* The nth of those values, p NULL when there are fewer. */
struct slice http_list_item(
    const struct http_request *req, const char *name, unsigned nth);

struct http_upgrade {
	struct slice key;	 /* TLS_WS_KEY characters */
	struct slice bearer;	 /* len 0: none */
	const char *subprotocol; /* that was chosen; NULL: none was offered */
	bool json;		 /* and it is the one of text */
};

#define HTTP_MSGPACK "peal.v1.msgpack"
#define HTTP_JSON    "peal.v1.json"

/*
 * Is this a good WebSocket handshake (RFC 6455, 4.2.1)?  origins are those
 * allowed beside the request's own, separated by spaces.  Of the subprotocols
 * that are served here the one that was offered first is chosen.  Returns 0
 * or an HTTP status and a sentence, as http_parse().
 */
int http_upgrade(const struct http_request *req, const char *origins,
    struct http_upgrade *up, struct reason *why);

/*
 * The token of Authorization; len 0: there is none.  Returns 0 or an HTTP
 * status and a sentence, as http_parse().
 */
int http_bearer(
    const struct http_request *req, struct slice *bearer, struct reason *why);

/*
 * May a page of the request's Origin ask here?  0, or 403 and a sentence.
 * *other is the Origin where it is a listed one and not the request's own,
 * p NULL otherwise.
 */
int http_origin(const struct http_request *req, const char *origins,
    struct slice *other, struct reason *why);

/* 101 with the given Sec-WebSocket-Accept. */
size_t http_switching(char buf[HTTP_ANSWER_MAX], const char *accept,
    const struct http_upgrade *up);

/* MessagePack, in one of the names that it goes by?  JSON? */
bool http_is_msgpack(struct slice type);
bool http_is_json(struct slice type);
/* Of the forms of an answer, would the client rather have MessagePack? */
bool http_wants_msgpack(const struct http_request *req);
/* A media type without its parameters. */
struct slice http_media_type(struct slice value);

/* The head of an answer. */
struct http_answer {
	int status;
	const char *type;    /* NULL: there is no body */
	bool chunked;	     /* its length is not known */
	size_t length;	     /* otherwise */
	const char *allow;   /* methods, with 405 */
	const char *more;    /* further lines, each with its CRLF, or NULL */
	uint64_t retry_s;    /* 0: says nothing */
	bool vary;	     /* another Origin would get another answer */
	struct slice origin; /* whose pages may read it; len 0: nobody's */
	bool last;	     /* the connection ends behind it */
};

/* Append it to out, used as a plain buffer. */
void http_answer_head(struct mp_buf *out, const struct http_answer *a);
/* The same with a body of text. */
void http_answer_text(
    struct mp_buf *out, const struct http_answer *a, const char *text);
/* {"status":…} and, when why is not NULL, its text as "reason". */
void http_health_body(
    struct mp_buf *out, const char *status, const struct reason *why);
/* The head of a chunk of len bytes; behind them goes CRLF. */
void http_chunk_head(struct mp_buf *out, size_t len);

#endif
