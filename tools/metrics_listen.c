/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sockets of metrics.  What is counted is nobody else's affair, and there is
 * no TLS here: an address that others can reach is refused.
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/frame.h"
#include "core/notify.h"
#include "core/reason.h"
#include "tools/metrics_listen.h"
#include "tools/up.h"

enum {
	BACKLOG = 128,
	LOCAL_MODE = 0660,
	NUMBER_BYTES = 64
};

static const char unix_prefix[] = "unix:";

static bool
is_local(const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->sa_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return sa->sa_family == AF_UNIX ||
	       (sa->sa_family == AF_INET6 &&
		   IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
}

static int
bind_address(
    const struct addrinfo *ai, const char *text, int *out, struct reason *why)
{
	CLEANUP(closep) int fd = -1;
	int one = 1;

	if (!is_local(ai->ai_addr)) {
		(void)reason_set(why, 0,
		    "'%.100s' can be reached from elsewhere: metrics are "
		    "served on loopback or unix:PATH alone",
		    text);
		return -EINVAL;
	}
	fd = socket(
	    ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return reason_set(why, -errno, "cannot make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return reason_set(
		    why, -errno, "cannot listen on '%.100s'", text);
	*out = TAKE_FD(fd);
	return 0;
}

int
metrics_listen(const char *text, int *fd, struct reason *why)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	size_t n = sizeof(unix_prefix) - 1;
	struct up_address address;
	struct addrinfo *list;
	int err;

	if (!strncmp(text, unix_prefix, n) && text[n] != '\0')
		return frame_listen(
		    text + n, SOCK_STREAM | SOCK_NONBLOCK, LOCAL_MODE, fd, why);
	if (!up_listen_parse(text, &address, why) ||
	    getaddrinfo(address.host, address.port, &hints, &list) != 0) {
		(void)reason_set(why, 0,
		    "'%.100s' is no place to listen: say 127.0.0.1:9735, "
		    "[::1]:9735 or unix:PATH",
		    text);
		return -EINVAL;
	}
	err = bind_address(list, text, fd, why);
	freeaddrinfo(list);
	return err;
}

static int
check_given(int fd, struct reason *why)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa), on_len = sizeof(int);
	int flags = fcntl(fd, F_GETFL), on = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &on_len) < 0 ||
	    !on || getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
		(void)reason_set(
		    why, 0, "descriptor %d is no listening socket", fd);
		return -EINVAL;
	}
	if (!is_local((struct sockaddr *)&sa)) {
		(void)reason_set(why, 0,
		    "descriptor %d can be reached from elsewhere: metrics are "
		    "served on loopback or a local socket alone",
		    fd);
		return -EINVAL;
	}
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return reason_set(
		    why, -errno, "cannot make descriptor %d non-blocking", fd);
	return 0;
}

int
metrics_listen_given(int *fds, unsigned max, struct reason *why)
{
	int n = notify_listen_fds(why), err = 0;

	if (n > (int)max) {
		(void)reason_set(why, 0,
		    "%d sockets were handed over, more than %u", n, max);
		return -EINVAL;
	}
	for (int i = 0; i < n && err == 0; i++) {
		fds[i] = NOTIFY_FDS_START + i;
		err = check_given(fds[i], why);
	}
	return err < 0 ? err : n;
}

const char *
metrics_listen_name(int fd, char *buf, size_t size)
{
	struct sockaddr_storage sa = { 0 };
	const struct sockaddr_un *un = (const void *)&sa;
	char host[NUMBER_BYTES], port[NUMBER_BYTES];
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		snprintf(buf, size, "somewhere");
	else if (sa.ss_family == AF_UNIX)
		snprintf(buf, size, "%s%.100s", unix_prefix, un->sun_path);
	else if (getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host),
		     port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(buf, size, "somewhere");
	else
		snprintf(buf, size, "http://%s%s%s:%s",
		    sa.ss_family == AF_INET6 ? "[" : "", host,
		    sa.ss_family == AF_INET6 ? "]" : "", port);
	return buf;
}
