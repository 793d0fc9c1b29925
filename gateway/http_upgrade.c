/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The WebSocket handshake (RFC 6455, 4.2.1), and who may ask: origins and
 * bearers.  A refusal names what was wrong and never repeats what was sent.
 */

#include <stdio.h>
#include <strings.h>

#include "core/reason.h"
#include "gateway/http.h"
#include "gateway/http_query.h"
#include "gateway/tls.h"

enum {
	OFFERS_MAX = 32
};

static bool
starts_nocase(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && !strncasecmp((const char *)s.p, prefix, n);
}

/* The port that the scheme has anyway says nothing. */
static struct slice
without_port(struct slice host, const char *port)
{
	size_t n = strlen(port);

	if (host.len > n && !memcmp(host.p + host.len - n, port, n))
		host.len -= n;
	return host;
}

static bool
is_origin_of(struct slice origin, const char *scheme, const char *port,
    struct slice host)
{
	if (!starts_nocase(origin, scheme))
		return false;
	origin.p += strlen(scheme);
	origin.len -= strlen(scheme);
	origin = without_port(origin, port);
	host = without_port(host, port);
	return origin.len == host.len && !strncasecmp((const char *)origin.p,
					     (const char *)host.p, host.len);
}

/* Whether the proxy in front has spoken TLS, nobody says: either will do. */
static bool
is_same_origin(struct slice origin, const struct http_request *req)
{
	return is_origin_of(origin, "https://", ":443", req->host) ||
	       (req->plain &&
		   is_origin_of(origin, "http://", ":80", req->host));
}

static bool
is_listed(struct slice origin, const char *origins)
{
	while (*origins != '\0') {
		size_t n = strcspn(origins, " ");

		if (n > 0 && slice_equal(origin, slice_of(origins, n)))
			return true;
		origins += n;
		origins += strspn(origins, " ");
	}
	return false;
}

/* A browser says where its page came from; whoever says nothing is none. */
int
http_origin(const struct http_request *req, const char *origins,
    struct slice *other, struct reason *why)
{
	struct slice origin = http_header(req, "Origin", 0);

	*other = (struct slice){ NULL, 0 };
	if (!origin.p || is_same_origin(origin, req))
		return 0;
	if (!is_listed(origin, origins))
		return reason_set(why, 403,
		    "pages of this Origin are not let in (gateway.origins)");
	*other = origin;
	return 0;
}

/* 16 bytes in base64: 22 characters of the alphabet, then two '='. */
static bool
is_key(struct slice key)
{
	if (key.len != TLS_WS_KEY || memcmp(key.p + 22, "==", 2) != 0)
		return false;
	for (unsigned i = 0; i < 22; i++) {
		uint8_t c = key.p[i], lower = c | 0x20;

		if (!(lower >= 'a' && lower <= 'z') &&
		    !(c >= '0' && c <= '9') && c != '+' && c != '/')
			return false;
	}
	/* Only the upper two of the last character's six bits count. */
	return strchr("AQgw", key.p[21]) != NULL;
}

/* The first one offered that is served; names count letter by letter. */
static bool
choose(
    const struct http_request *req, const char *name, struct http_upgrade *up)
{
	struct slice offer;

	for (unsigned i = 0; (offer = http_list_item(req, name, i)).p; i++) {
		up->json = slice_is(offer, HTTP_JSON);
		if (!up->json && !slice_is(offer, HTTP_MSGPACK))
			continue;
		up->subprotocol = up->json ? HTTP_JSON : HTTP_MSGPACK;
		return true;
	}
	return false;
}

static int
choose_subprotocol(
    const struct http_request *req, struct http_upgrade *up, struct reason *why)
{
	static const char name[] = "Sec-WebSocket-Protocol";
	unsigned commas = 0;
	struct slice value;

	up->subprotocol = NULL;
	up->json = false;
	if (!http_header(req, name, 0).p)
		return 0;
	for (unsigned nth = 0; (value = http_header(req, name, nth)).p; nth++)
		for (size_t i = 0; i < value.len; i++)
			commas += value.p[i] == ',';
	if (commas >= OFFERS_MAX)
		return reason_set(why, 400,
		    "more than %d subprotocols are offered", OFFERS_MAX);
	if (!choose(req, name, up))
		return reason_set(why, 400,
		    "of the subprotocols offered none is served here, " HTTP_MSGPACK
		    " and " HTTP_JSON " are");
	return 0;
}

int
http_bearer(
    const struct http_request *req, struct slice *bearer, struct reason *why)
{
	static const char scheme[] = "Bearer ";
	struct slice value = http_header(req, "Authorization", 0);

	*bearer = (struct slice){ NULL, 0 };
	if (!value.p)
		return 0;
	if (!starts_nocase(value, scheme))
		return reason_set(
		    why, 401, "Authorization is not of the form Bearer TOKEN");
	value.p += sizeof(scheme) - 1;
	value.len -= sizeof(scheme) - 1;
	while (value.len > 0 && value.p[0] == ' ') {
		value.p++;
		value.len--;
	}
	*bearer = value;
	return 0;
}

int
http_upgrade(const struct http_request *req, const char *origins,
    struct http_upgrade *up, struct reason *why)
{
	struct slice version = http_header(req, "Sec-WebSocket-Version", 0);
	struct http_upgrade found;
	struct slice other;
	int status;

	if (!http_lists(req, "Upgrade", "websocket") ||
	    !http_lists(req, "Connection", "upgrade"))
		return reason_set(
		    why, 426, "this path is a WebSocket: upgrade to it");
	if (!version.p || !slice_is(version, "13"))
		return reason_set(why, 426, "Sec-WebSocket-Version is not 13");
	found.key = http_header(req, "Sec-WebSocket-Key", 0);
	if (!found.key.p || !is_key(found.key))
		return reason_set(
		    why, 400, "Sec-WebSocket-Key is not 16 bytes in base64");
	status = http_origin(req, origins, &other, why);
	if (status == 0)
		status = http_query_secret(req->query, why);
	if (status == 0)
		status = choose_subprotocol(req, &found, why);
	if (status == 0)
		status = http_bearer(req, &found.bearer, why);
	if (status == 0)
		*up = found;
	return status;
}

size_t
http_switching(char buf[HTTP_ANSWER_MAX], const char *accept,
    const struct http_upgrade *up)
{
	int n = snprintf(buf, HTTP_ANSWER_MAX,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
	    accept, up->subprotocol ? "Sec-WebSocket-Protocol: " : "",
	    up->subprotocol ? up->subprotocol : "",
	    up->subprotocol ? "\r\n" : "");

	return (size_t)n;
}
