/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The listening socket, bound once for all gateways: a gateway that dies
 * takes no connection attempt with it.
 */

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/reason.h"
#include "tools/tool.h"
#include "tools/up.h"

enum {
	UP_BACKLOG = 4096
};

bool
up_listen_parse(
    const char *text, struct up_address *address, struct reason *why)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint64_t port;

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (colon && memchr(text, ':', len)) {
		len = 0; /* an IPv6 address without its brackets */
	}
	if (len == 0 || len >= sizeof(address->host) ||
	    !tool_number(colon + 1, 0, 65535, &port)) {
		(void)reason_set(why, 0,
		    "'%.100s' is no address to listen on: say ADDRESS:PORT or "
		    "[ADDRESS]:PORT",
		    text);
		return false;
	}
	snprintf(address->host, sizeof(address->host), "%.*s", (int)len, text);
	snprintf(address->port, sizeof(address->port), "%u", (unsigned)port);
	return true;
}

static int
up_listen_bind(const struct addrinfo *ai, struct up_address *address, int *out,
    struct reason *why)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	int one = 1;

	fd = socket(
	    ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return reason_set(why, -errno, "cannot make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    listen(fd, UP_BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
		return reason_set(why, -errno,
		    "cannot listen on %s port %s (--listen takes another)",
		    address->host, address->port);
	if (getnameinfo((struct sockaddr *)&bound, len, NULL, 0, address->port,
		sizeof(address->port), NI_NUMERICSERV) != 0)
		return reason_say(why, -EINVAL, "cannot tell the port");
	*out = TAKE_FD(fd);
	return 0;
}

int
up_listen_open(struct up_address *address, int *fd, struct reason *why)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *list = NULL;
	int err;

	err = getaddrinfo(address->host, address->port, &hints, &list);
	if (err)
		return reason_say(why, -EADDRNOTAVAIL,
		    "cannot listen on '%s' (%s)", address->host,
		    gai_strerror(err));
	err = up_listen_bind(list, address, fd, why);
	freeaddrinfo(list);
	return err;
}
