/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Accepting.  Gateways that share a socket all wait for it and race: an
 * epoll set of one's own with EPOLLEXCLUSIVE would hand every connection to
 * the same process, and inside libevent's set it excludes nobody (measured).
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "core/conf.h"
#include "core/frame.h"
#include "core/loop.h"
#include "core/notify.h"
#include "core/reason.h"
#include "gateway/conn.h"
#include "gateway/counters.h"
#include "gateway/listen.h"

enum {
	LOCAL_MODE = 0660,
	ACCEPTS_A_PASS = 64,
	BACKLOG = 4096,
	RETRY_MS = 100,
	UNSENT_BYTES = 32 * 1024, /* TCP_NOTSENT_LOWAT */
	BUFFER_BYTES = 128 * 1024 /* SO_SNDBUF, which the kernel doubles */
};

/* One listening socket. */
struct door {
	struct listen *ls;
	int fd;
	bool plain;
	struct event *ready_ev;
};

struct listen {
	struct conns *cs;
	unsigned n;
	struct door doors[NOTIFY_FDS_MAX + 2];
	struct event *retry_ev;
};

int
listen_parse(const char *text, struct sockaddr_storage *sa, unsigned *len,
    struct reason *why)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	const char *colon = strrchr(text, ':');
	bool six = text[0] == '[';
	size_t n = colon ? (size_t)(colon - text) : 0;
	char addr[INET6_ADDRSTRLEN + 2], *end;
	unsigned long port;

	if (!colon || n >= sizeof(addr) || (six && text[n - 1] != ']'))
		goto bad;
	memcpy(addr, text + six, n - (six ? 2 : 0));
	addr[n - (six ? 2 : 0)] = '\0';
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > 65535)
		goto bad;

	memset(sa, 0, sizeof(*sa));
	if (six && inet_pton(AF_INET6, addr, &in6.sin6_addr) == 1) {
		in6.sin6_port = htons((uint16_t)port);
		memcpy(sa, &in6, sizeof(in6));
		*len = sizeof(in6);
		return 0;
	}
	if (!six && inet_pton(AF_INET, addr, &in.sin_addr) == 1) {
		in.sin_port = htons((uint16_t)port);
		memcpy(sa, &in, sizeof(in));
		*len = sizeof(in);
		return 0;
	}
bad:
	reason_set(why, 0,
	    "'%s' is not ADDRESS:PORT, such as 127.0.0.1:8443 or [::]:8443",
	    text);
	return -EINVAL;
}

static void
add_door(struct listen *ls, int fd, bool plain)
{
	ls->doors[ls->n++] =
	    (struct door){ .ls = ls, .fd = fd, .plain = plain };
}

static bool
is_loopback(const struct sockaddr_storage *sa)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return sa->ss_family == AF_UNIX ||
	       (sa->ss_family == AF_INET6 &&
		   IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
}

/* The path of unix:PATH, or NULL. */
static const char *
unix_path(const char *text)
{
	static const char prefix[] = "unix:";
	size_t n = sizeof(prefix) - 1;

	return strncmp(text, prefix, n) ? NULL : text + n;
}

static int
check_plain(const char *text, struct reason *why)
{
	const char *path = unix_path(text);
	struct sockaddr_storage sa;
	unsigned len;
	int r;

	if (text[0] == '\0' || (path && path[0] == '/'))
		return 0;
	if (path)
		return reason_say(why, -EINVAL,
		    "gateway.listen_plain: '%s' is no absolute path", path);
	r = listen_parse(text, &sa, &len, why);
	if (r == 0 && !is_loopback(&sa))
		r = reason_say(why, -EINVAL,
		    "gateway.listen_plain is for a proxy on this host: '%s' "
		    "is neither a loopback address nor unix:PATH",
		    text);
	return r;
}

int
listen_check(const struct conf *conf, struct reason *why)
{
	struct sockaddr_storage sa;
	unsigned len;

	if (listen_parse(conf_text(conf, CONF_gateway_listen), &sa, &len, why) <
	    0) {
		(void)reason_set(why, 0, "gateway.listen: %s", why->text);
		return -EINVAL;
	}
	return check_plain(conf_text(conf, CONF_gateway_listen_plain), why);
}

static int
bind_local(struct listen *ls, const char *path, struct reason *why)
{
	int fd, r = frame_listen(path, SOCK_STREAM, LOCAL_MODE, &fd, why);

	if (r == 0)
		add_door(ls, fd, true);
	return r;
}

static int
bind_own(struct listen *ls, const char *text, bool plain, struct reason *why)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_storage sa;
	unsigned len;
	int on = 1, r;

	r = listen_parse(text, &sa, &len, why);
	if (r < 0)
		return r;
	fd =
	    socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return reason_set(why, -errno, "cannot make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, len) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return reason_set(why, -errno, "cannot listen on '%s'", text);
	add_door(ls, TAKE_FD(fd), plain);
	return 0;
}

static int
check_listening(int fd, struct reason *why)
{
	int on = 0, type = 0;
	socklen_t len = sizeof(on), type_len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) < 0 || !on ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 ||
	    type != SOCK_STREAM) {
		reason_set(
		    why, 0, "descriptor %d is no listening stream socket", fd);
		return -EINVAL;
	}
	return 0;
}

/* Accepted sockets inherit all of it. */
static int
configure(int fd, bool plain, struct reason *why)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES },
		{ SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	};
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);
	int flags = fcntl(fd, F_GETFL);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return reason_set(
		    why, -errno, "cannot look at the listening socket");
	if (plain && !is_loopback(&sa)) {
		reason_set(why, 0,
		    "the socket named 'plain' is neither a loopback address "
		    "nor a local one");
		return -EINVAL;
	}
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return reason_set(why, -errno,
		    "cannot make the listening socket non-blocking");
	for (unsigned i = 0; i < ARRAY_LEN(options); i++)
		if (!(sa.ss_family == AF_UNIX &&
			options[i].level == IPPROTO_TCP) &&
		    setsockopt(fd, options[i].level, options[i].name,
			&options[i].value, sizeof(options[i].value)) < 0)
			return reason_set(
			    why, -errno, "cannot set up the listening socket");
	return 0;
}

static bool
has_door(const struct listen *ls, bool plain)
{
	for (unsigned i = 0; i < ls->n; i++)
		if (ls->doors[i].plain == plain)
			return true;
	return false;
}

static int
find_sockets(struct listen *ls, const struct conf *conf, struct reason *why)
{
	const char *plain = conf_text(conf, CONF_gateway_listen_plain);
	int n = notify_listen_fds(why), r = 0;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		r = check_listening(NOTIFY_FDS_START + i, why);
		if (r < 0)
			return r;
		add_door(ls, NOTIFY_FDS_START + i,
		    notify_listen_named((unsigned)i, "plain"));
	}
	if (!has_door(ls, false))
		r = bind_own(
		    ls, conf_text(conf, CONF_gateway_listen), false, why);
	if (r < 0 || plain[0] == '\0' || has_door(ls, true))
		return r;
	if (unix_path(plain))
		return bind_local(ls, unix_path(plain), why);
	return bind_own(ls, plain, true, why);
}

/* Look away for a moment; level-triggered, so nothing is lost by it. */
static void
pause_accepting(struct listen *ls, bool retry)
{
	static const struct timeval later = { 0, RETRY_MS * 1000 };

	for (unsigned i = 0; i < ls->n; i++)
		event_del(ls->doors[i].ready_ev);
	if (retry)
		event_add(ls->retry_ev, &later);
}

static void
resume_accepting(void *arg)
{
	struct listen *ls = arg;

	for (unsigned i = 0; i < ls->n; i++)
		event_add(ls->doors[i].ready_ev, NULL);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	resume_accepting(arg);
}

/* One connection; false when this pass is over. */
static bool
accept_one(const struct door *d)
{
	struct listen *ls = d->ls;
	int fd;

	if (!conns_room(ls->cs)) {
		pause_accepting(ls, false);
		return false;
	}
	fd = accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		conns_accept(ls->cs, fd, d->plain);
		return true;
	}
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		COUNTERS_ADD(held_descriptors, 1);
		pause_accepting(ls, true);
		return false;
	case EAGAIN:
		return false;
	default:
		/* What went wrong with the connection is its affair. */
		return true;
	}
}

static void
on_ready(evutil_socket_t sock, short what, void *arg)
{
	for (int i = 0; i < ACCEPTS_A_PASS && accept_one(arg); i++)
		;
}

static int
watch(struct listen *ls, struct loop *loop, struct reason *why)
{
	struct event_base *base = loop_base(loop);

	ls->retry_ev = event_new(base, -1, 0, on_retry, ls);
	if (!ls->retry_ev)
		return reason_set(why, -ENOMEM, "cannot accept connections");
	for (unsigned i = 0; i < ls->n; i++) {
		struct door *d = &ls->doors[i];

		d->ready_ev =
		    event_new(base, d->fd, EV_READ | EV_PERSIST, on_ready, d);
		if (!d->ready_ev || event_add(d->ready_ev, NULL) < 0)
			return reason_set(
			    why, -ENOMEM, "cannot accept connections");
	}
	return 0;
}

int
listen_open(struct loop *loop, const struct conf *conf, struct conns *cs,
    struct listen **out, struct reason *why)
{
	CLEANUP(listen_freep) struct listen *ls = calloc(1, sizeof(*ls));
	int r;

	if (!ls)
		return reason_set(why, -ENOMEM, "cannot listen");
	ls->cs = cs;
	r = find_sockets(ls, conf, why);
	for (unsigned i = 0; r == 0 && i < ls->n; i++)
		r = configure(ls->doors[i].fd, ls->doors[i].plain, why);
	if (r == 0)
		r = watch(ls, loop, why);
	if (r < 0)
		return r;
	conns_on_room(cs, resume_accepting, ls);
	*out = TAKE(ls);
	return 0;
}

void
listen_stop(struct listen *ls)
{
	if (ls->retry_ev)
		event_free(TAKE(ls->retry_ev));
	for (unsigned i = 0; i < ls->n; i++) {
		if (ls->doors[i].ready_ev)
			event_free(TAKE(ls->doors[i].ready_ev));
		close(ls->doors[i].fd);
	}
	ls->n = 0;
}

struct listen *
listen_free(struct listen *ls)
{
	if (!ls)
		return NULL;
	listen_stop(ls);
	conns_on_room(ls->cs, NULL, NULL);
	free(ls);
	return NULL;
}

/* 0 when it has none. */
static unsigned
port_of(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	if (ss.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
	if (ss.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&ss)->sin_port);
	return 0;
}

unsigned
listen_port(const struct listen *ls, bool plain)
{
	for (unsigned i = 0; i < ls->n; i++)
		if (ls->doors[i].plain == plain)
			return port_of(ls->doors[i].fd);
	return 0;
}
