/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A WebSocket server that sends back what it gets, made of the gateway's own
 * files for TLS, HTTP, frames and connections: for clients that judge how
 * these keep to RFC 6455.  Its limits are wide, otherwise it is the gateway.
 *
 *	ws_echo PORT [--tls CERT KEY]
 *
 * listens on 127.0.0.1 (0: any port, which is told on stdout), and ends with
 * SIGTERM.  Text and binary messages of up to 16 MiB, in any number of
 * fragments, at any path.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "core/conf.h"
#include "core/loop.h"
#include "core/reason.h"
#include "gateway/block.h"
#include "gateway/conn_priv.h"

enum {
	WAITING_MAX = 64 << 20, /* bytes of echoes that are not read yet */
	BACKLOG = 128,
};

struct echo {
	STAILQ_ENTRY(echo) next;
	struct block *block;
};

/* One connection, and what it does not take yet. */
struct session {
	struct conn *conn;
	size_t waiting;
	STAILQ_HEAD(, echo) echoes;
};

struct server {
	struct loop *loop;
	struct conf *conf;
	struct tls *tls; /* NULL: plain */
	struct conns *conns;
	struct loop_io accept_io, term_io, int_io;
	int fd;
};

static void *
on_open(void *arg, struct conn *c, struct slice bearer)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->conn = c;
	STAILQ_INIT(&s->echoes);
	conn_established(c);
	return s;
}

static void
wait_for_room(struct session *s, struct block *b)
{
	struct echo *e = malloc(sizeof(*e));

	if (!e || s->waiting > WAITING_MAX) {
		conn_close(s->conn, WS_CODE_POLICY, "echoes are not read");
		block_unref(b);
		free(e);
		return;
	}
	e->block = b;
	s->waiting += b->end - b->start;
	STAILQ_INSERT_TAIL(&s->echoes, e, next);
}

static void
on_message(void *session, unsigned opcode, struct slice msg)
{
	struct session *s = session;
	struct block *b =
	    opcode == WS_TEXT ? block_text(msg) : block_message(msg);

	if (!b) {
		conn_close(s->conn, WS_CODE_INTERNAL, "out of memory");
		return;
	}
	/* Pongs of the same turn are before it, and may go now. */
	conn_flush(s->conn);
	if (!STAILQ_EMPTY(&s->echoes) || !conn_is_ready(s->conn)) {
		wait_for_room(s, b);
		return;
	}
	(void)conn_send(s->conn, b);
	block_unref(b);
}

static struct block *
next_echo(struct session *s)
{
	struct echo *e = STAILQ_FIRST(&s->echoes);
	struct block *b;

	if (!e)
		return NULL;
	STAILQ_REMOVE_HEAD(&s->echoes, next);
	b = e->block;
	s->waiting -= b->end - b->start;
	free(e);
	return b;
}

static void
on_ready(void *session)
{
	struct session *s = session;
	struct block *b;

	while (conn_is_ready(s->conn) && (b = next_echo(s))) {
		(void)conn_send(s->conn, b);
		block_unref(b);
	}
}

static void
on_closed(void *session)
{
	struct session *s = session;
	struct block *b;

	while ((b = next_echo(s)))
		block_unref(b);
	free(s);
}

static bool
on_serving(void *arg, struct reason *why)
{
	return true;
}

static void
on_accept(void *arg, unsigned what)
{
	struct server *sv = arg;
	int fd, on = 1;

	while ((fd = accept4(
		    sv->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		conns_accept(sv->conns, fd, !sv->tls);
	}
}

static void
on_stop(void *arg, unsigned signo)
{
	struct server *sv = arg;

	loop_stop(sv->loop);
}

/* The gateway's, without what no case of the RFC expects. */
static int
configure(struct server *sv, struct reason *why)
{
	static const char *const wide[] = { "gateway.max_message=16M",
		"gateway.fragments=0", "gateway.control_frames=0",
		"gateway.handshakes=0", "gateway.handshake_rate=0",
		"gateway.address_handshakes=0", "gateway.address_connections=0",
		"gateway.hello_seconds=0" };
	int r = 0;

	sv->conf = conf_new();
	if (!sv->conf)
		return -ENOMEM;
	for (unsigned i = 0; r == 0 && i < ARRAY_LEN(wide); i++)
		r = conf_set(sv->conf, wide[i], why);
	return r;
}

static int
listen_at(struct server *sv, const char *port, struct reason *why)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	unsigned long n;
	char *end;
	int on = 1;

	n = strtoul(port, &end, 10);
	if (*port < '0' || *port > '9' || *end != '\0' || n > UINT16_MAX)
		return reason_set(why, -EINVAL, "'%s' is no port", port);
	in.sin_port = htons((uint16_t)n);
	sv->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sv->fd < 0 ||
	    setsockopt(sv->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(sv->fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(sv->fd, BACKLOG) < 0 ||
	    getsockname(sv->fd, (struct sockaddr *)&in, &len) < 0)
		return reason_set(why, -errno, "cannot listen");
	printf("ready: port=%u\n", ntohs(in.sin_port));
	return fflush(stdout) == 0 ? 0 : -errno;
}

static int
start(struct server *sv, int argc, char **argv, struct reason *why)
{
	const struct conn_handler handler = { on_open, on_message, on_ready,
		on_closed, on_serving, sv };
	int r = configure(sv, why);

	sv->loop = loop_new();
	if (r == 0 && !sv->loop)
		r = -ENOMEM;
	if (r == 0 && argc == 5)
		r = tls_open(argv[3], argv[4], &sv->tls, why);
	if (r == 0)
		r = conns_new(
		    sv->loop, sv->conf, sv->tls, &handler, &sv->conns, why);
	if (r < 0)
		return r;
	conns_relax(sv->conns);
	r = loop_signal_add(sv->loop, &sv->term_io, SIGTERM, on_stop, sv);
	if (r == 0)
		r = loop_signal_add(sv->loop, &sv->int_io, SIGINT, on_stop, sv);
	if (r == 0)
		r = listen_at(sv, argv[1], why);
	if (r == 0)
		r = loop_io_add(
		    sv->loop, &sv->accept_io, sv->fd, LOOP_READ, on_accept, sv);
	return r;
}

static void
stop(struct server *sv)
{
	loop_io_deinit(&sv->accept_io);
	loop_io_deinit(&sv->term_io);
	loop_io_deinit(&sv->int_io);
	closep(&sv->fd);
	sv->conns = conns_free(sv->conns);
	sv->tls = tls_free(sv->tls);
	sv->conf = conf_free(sv->conf);
	sv->loop = loop_free(sv->loop);
}

int
main(int argc, char **argv)
{
	struct server server = { .fd = -1 };
	struct reason why = { "it failed" };
	int r;

	if (argc != 2 && !(argc == 5 && !strcmp(argv[2], "--tls"))) {
		fprintf(stderr, "usage: ws_echo PORT [--tls CERT KEY]\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	r = start(&server, argc, argv, &why);
	if (r < 0)
		fprintf(stderr, "ws_echo: %s\n", why.text);
	while (r == 0 && !loop_stopped(server.loop)) {
		conns_sweep(server.conns);
		r = loop_once(server.loop, 1);
	}
	stop(&server);
	return r == 0 ? 0 : 1;
}
