/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A gateway's edge in the test's own process and a TLS client of it, both on
 * one thread: whoever waits lets the other side work meanwhile.  Everything
 * ends with a failed assertion after 20 seconds.
 */

#ifndef PEAL_TESTS_LIB_EDGEFIX_H
#define PEAL_TESTS_LIB_EDGEFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "gateway/conn.h"

struct ssl_ctx_st;
struct ssl_st;

struct edgefix {
	char dir[64];
	char cert[96], key[96];
	struct conf *conf;
	struct loop *loop;
	struct tls *tls;
	struct conns *conns;
	struct listen *listen;
	struct ssl_ctx_st *client_ctx;

	/* What the handler saw. */
	unsigned opened, closed, ready, messages;
	struct conn *conn; /* opened last */
	char bearer[256];
	uint8_t last[4096]; /* begin of the last message */
	size_t last_len;    /* its length */
	size_t total;	    /* bytes of all messages */

	/* How the handler behaves. */
	bool refuse; /* open() returns NULL */
	bool not_serving;
	bool echo;  /* answer each message with itself */
	bool hello; /* the first message is a good hello */
	void (*on_ready)(struct edgefix *fx);
	void (*on_message)(struct edgefix *fx, struct slice msg);
};

/* Files and contexts, but no gateway yet. */
int edgefix_setup(void **state);
int edgefix_teardown(void **state);
/* For rows of tests that share their keys. */
void edgefix_reset(struct edgefix *fx);
/* Start the gateway's side; options are "section.key=value", NULL ends. */
void edgefix_start(struct edgefix *fx, const char *const *options);
/* Let the gateway make one pass; true while there is time. */
bool edgefix_pass(struct edgefix *fx);

/* Wait until a condition holds, or fail. */
#define EDGE_UNTIL(fx, condition)                                       \
	do {                                                            \
		edgefix_deadline(fx);                                   \
		while (!(condition))                                    \
			if (!edgefix_pass(fx))                          \
				fail_msg("never true: %s", #condition); \
	} while (0)
void edgefix_deadline(struct edgefix *fx);

/* A self-signed certificate of that kind ("EC" or "RSA") into files. */
void edgefix_certificate(
    const char *kind, const char *cert_path, const char *key_path);

struct edge_client {
	struct edgefix *fx;
	int fd;
	struct ssl_st *ssl; /* NULL: plain */
	bool eof;	    /* the gateway has closed */
	size_t len;
	uint8_t in[1 << 20];
};

/* TCP alone; then TLS, which fails unless good is what comes of it. */
struct edge_client *edge_connect(struct edgefix *fx);
bool edge_handshake(struct edge_client *c);
/* TCP to gateway.listen_plain, without TLS. */
struct edge_client *edge_connect_plain(struct edgefix *fx);
struct edge_client *edge_open(struct edgefix *fx);
void edge_free(struct edge_client *c);

void edge_write(struct edge_client *c, const void *p, size_t len);
void edge_puts(struct edge_client *c, const char *text);
/* Read until there are len bytes, or until the end; false at the end. */
bool edge_fill(struct edge_client *c, size_t len);
/* What is there, without waiting. */
void edge_poll(struct edge_client *c);
void edge_consume(struct edge_client *c, size_t len);
void edge_until_eof(struct edge_client *c);
/* Send a request, read a whole answer that ends with the connection. */
const char *edge_request(struct edge_client *c, const char *request);

/* A GET of /v1/ws as a good client sends it, and the 101 read away. */
#define EDGE_UPGRADE_HEADERS                  \
	"Host: localhost\r\n"                 \
	"Upgrade: websocket\r\n"              \
	"Connection: keep-alive, Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\n"       \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
struct edge_client *edge_websocket(struct edgefix *fx);
void edge_upgrade(struct edge_client *c, const char *more_headers);

/* One masked frame; first is its first byte (0x82: binary, final). */
size_t edge_frame(uint8_t *buf, unsigned first, const void *p, size_t len);
void edge_send(
    struct edge_client *c, unsigned first, const void *p, size_t len);

/* The next frame from the gateway; payload lives until edge_consume_frame. */
struct edge_frame {
	unsigned first;
	struct slice payload;
	size_t whole;
};
bool edge_next(struct edge_client *c, struct edge_frame *f);
/* The next frame is a close frame with that code; then the end. */
void edge_expect_close(struct edge_client *c, unsigned code);

#endif
