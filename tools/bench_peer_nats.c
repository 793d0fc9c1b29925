/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * nats-server: lines of text, PUB in and MSG out, over WebSocket as over
 * TCP.  A WebSocket message may hold several of them or a part.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mp.h"
#include "tools/bench_peer.h"

#define NATS_CONNECT                                                         \
	"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,"      \
	"\"lang\":\"c\",\"version\":\"1\",\"protocol\":1,\"headers\":false}" \
	"\r\n"

static void
nats_configure(const struct bench_peer *p, char *conf, size_t size)
{
	snprintf(conf, size,
	    "host: 127.0.0.1\nport: %u\nmax_connections: 60000\n"
	    "write_deadline: \"60s\"\nmax_pending: 268435456\n"
	    "ping_interval: \"300s\"\n"
	    "websocket {\n host: 127.0.0.1\n port: %u\n"
	    " handshake_timeout: \"60s\"\n"
	    " tls { cert_file: \"%s\", key_file: \"%s\" }\n}\n",
	    p->plain, p->port, p->cert, p->key);
}

static void
nats_text(struct mp_buf *out, const char *text)
{
	mp_buf_bytes(out, text, strlen(text));
}

static void
nats_hello(struct mp_buf *out)
{
	nats_text(out, NATS_CONNECT "SUB bench 1\r\nPING\r\n");
}

static void
nats_greet(struct mp_buf *out)
{
	nats_text(out, NATS_CONNECT);
}

static void
nats_publish(struct mp_buf *out, struct slice payload)
{
	char head[40];
	int len =
	    snprintf(head, sizeof(head), "PUB bench %zu\r\n", payload.len);

	mp_buf_bytes(out, head, (size_t)len);
	mp_buf_bytes(out, payload.p, payload.len);
	nats_text(out, "\r\n");
}

static bool
nats_begins(struct slice line, const char *word)
{
	size_t len = strlen(word);

	return line.len >= len && memcmp(line.p, word, len) == 0;
}

/* MSG SUBJECT SID BYTES, then the payload and another end of line. */
static enum peer_kind
nats_message(struct slice in, size_t line, struct peer_item *item)
{
	size_t at = line - 2, n = 0, unit = 1;

	while (at > 4 && in.p[at - 1] >= '0' && in.p[at - 1] <= '9') {
		n += (size_t)(in.p[--at] - '0') * unit;
		unit *= 10;
	}
	if (in.len < line + n + 2)
		return PEER_PARTIAL;
	item->len = line + n + 2;
	item->payload = slice_of(in.p + line, n);
	return PEER_EVENT;
}

static enum peer_kind
nats_parse(struct slice in, struct peer_item *item)
{
	const uint8_t *end = memmem(in.p, in.len, "\r\n", 2);

	if (!end)
		return PEER_PARTIAL;
	item->len = (size_t)(end - in.p) + 2;
	if (nats_begins(in, "MSG "))
		return nats_message(in, item->len, item);
	if (nats_begins(in, "PONG"))
		return PEER_READY;
	return nats_begins(in, "PING") ? PEER_ASKED : PEER_NOTHING;
}

static const char *const nats_argv[] = { "-c", "%s/conf", NULL };

const struct bench_peer_kind bench_peer_nats = {
	.name = "nats",
	.program = "nats-server",
	.configure = nats_configure,
	.argv = nats_argv,
	.path = "/",
	.hello = nats_hello,
	.answer = "PONG\r\n",
	.greet = nats_greet,
	.publish = nats_publish,
	.parse = nats_parse,
};
