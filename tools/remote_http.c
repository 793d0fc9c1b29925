/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The HTTP upgrade to a WebSocket (RFC 6455, 4.1).  The answer must be 101
 * and prove by Sec-WebSocket-Accept that it was made for this request.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <openssl/evp.h>

#include "core/diag.h"
#include "core/reason.h"
#include "tools/refuse.h"
#include "tools/remote_priv.h"

#define REMOTE_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum {
	REMOTE_HEAD_MAX = 8192
};

void
remote_http_random(void *p, size_t len)
{
	/* 256 bytes or less come whole, once the system has started. */
	while (getrandom(p, len, 0) != (ssize_t)len)
		;
}

int
remote_http_ask(struct remote *r)
{
	const struct remote_target *t = r->target;
	const struct remote_dialect *d = &t->dialect;
	bool v6 = strchr(t->host, ':') != NULL;
	char text[1024];
	uint8_t nonce[16];
	int len;

	remote_http_random(nonce, sizeof(nonce));
	EVP_EncodeBlock((unsigned char *)r->key, nonce, sizeof(nonce));
	len = snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\n"
	    "Host: %s%s%s:%s\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "%s%s%s\r\n",
	    d->path, v6 ? "[" : "", t->host, v6 ? "]" : "", t->port, r->key,
	    d->subprotocol ? "Sec-WebSocket-Protocol: " : "",
	    d->subprotocol ? d->subprotocol : "", d->subprotocol ? "\r\n" : "");
	mp_buf_bytes(&r->out, text, (size_t)len);
	return r->out.failed ? -ENOMEM : 0;
}

void
remote_http_accept(const char *key, char out[REMOTE_ACCEPT_BYTES + 1])
{
	char text[REMOTE_KEY_BYTES + sizeof(REMOTE_GUID)];
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	snprintf(text, sizeof(text), "%s" REMOTE_GUID, key);
	out[0] = '\0';
	if (EVP_Digest(text, strlen(text), sum, &n, EVP_sha1(), NULL) == 1)
		EVP_EncodeBlock((unsigned char *)out, sum, (int)n);
}

/* The value of a header line, without the white space around it, or NULL. */
static const char *
remote_http_value(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	return line + strspn(line, " \t");
}

static bool
remote_http_is(const char *value, const char *text)
{
	size_t len = strlen(text);

	return value && !strncmp(value, text, len) &&
	       value[len + strspn(value + len, " \t")] == '\0';
}

static int
remote_http_check(struct remote *r, char *head, struct reason *why)
{
	char accept[REMOTE_ACCEPT_BYTES + 1], quoted[100];
	const char *subprotocol = r->target->dialect.subprotocol;
	bool accepted = false, protocol = !subprotocol;
	char *rest = head, *line = strsep(&rest, "\n");

	line[strcspn(line, "\r")] = '\0';
	if (strncmp(line, "HTTP/1.1 101", 12) != 0)
		return REFUSE(why, "%s port %s refused the WebSocket with '%s'",
		    r->target->host, r->target->port,
		    diag_quote(quoted, sizeof(quoted), line, strlen(line)));
	remote_http_accept(r->key, accept);
	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, "\r")] = '\0';
		if (remote_http_is(
			remote_http_value(line, "Sec-WebSocket-Accept"),
			accept))
			accepted = true;
		if (subprotocol && remote_http_is(remote_http_value(line,
						      "Sec-WebSocket-Protocol"),
				       subprotocol))
			protocol = true;
	}
	if (!accepted || !protocol)
		return REFUSE(why,
		    "%s port %s answers the upgrade, but not as a peal gateway",
		    r->target->host, r->target->port);
	return 1;
}

int
remote_http_answer(struct remote *r, struct reason *why)
{
	char head[REMOTE_HEAD_MAX + 1];
	const uint8_t *end = memmem(r->view.p, r->view.len, "\r\n\r\n", 4);
	size_t len = end ? (size_t)(end - r->view.p) + 2 : r->view.len;

	if (len > REMOTE_HEAD_MAX)
		return REFUSE(why,
		    "%s port %s answers with a head of more than %d bytes",
		    r->target->host, r->target->port, REMOTE_HEAD_MAX);
	if (!end)
		return 0;
	memcpy(head, r->view.p, len);
	head[len] = '\0';
	r->view.p += len + 2;
	r->view.len -= len + 2;
	return remote_http_check(r, head, why);
}
