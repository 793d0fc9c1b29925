/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The service manager.  Its variables come from outside: a number that is
 * none is refused where it decides something, and ignored where it doesn't.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/notify.h"
#include "core/reason.h"

/* @name is an abstract socket, whose name has no NUL at its end. */
static int
notify_address(const char *path, struct sockaddr_un *sa, socklen_t *len)
{
	size_t n = strlen(path);

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((path[0] != '/' && path[0] != '@') || n < 2)
		return -EINVAL;
	if (n >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	memcpy(sa->sun_path, path, n);
	if (path[0] == '@')
		sa->sun_path[0] = '\0';
	else
		n++;
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return 0;
}

int
notify_send(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	CLEANUP(closep) int fd = -1;
	struct sockaddr_un sa;
	socklen_t sa_len;
	char text[512];
	va_list ap;
	int len, err;

	if (!path || !*path)
		return 0;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text))
		return -EMSGSIZE;
	err = notify_address(path, &sa, &sa_len);
	if (err < 0)
		return err;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT,
		(struct sockaddr *)&sa, sa_len) < 0)
		return -errno;
	return 1;
}

/* A whole decimal number; false when there is none. */
static bool
notify_number(const char *text, unsigned long long *out)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static int
notify_check_fd(int fd, struct reason *why)
{
	socklen_t len = sizeof(int);
	int listening = 0;

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return reason_say(why, -EINVAL,
		    "LISTEN_FDS names descriptor %d, which is not open", fd);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 ||
	    !listening)
		return reason_say(why, -EINVAL,
		    "LISTEN_FDS names descriptor %d, which is no listening "
		    "socket",
		    fd);
	return 0;
}

int
notify_listen_fds(struct reason *why)
{
	const char *count = getenv("LISTEN_FDS");
	const char *owner = getenv("LISTEN_PID");
	unsigned long long n, pid;
	int err;

	if (!count || !owner)
		return 0;
	if (!notify_number(owner, &pid))
		return reason_say(
		    why, -EINVAL, "LISTEN_PID='%.40s' is no number", owner);
	if (pid != (unsigned long long)getpid())
		return 0; /* a parent's, which we have inherited */
	if (!notify_number(count, &n) || n > NOTIFY_FDS_MAX)
		return reason_say(why, -EINVAL,
		    "LISTEN_FDS='%.40s' is no number up to %d", count,
		    NOTIFY_FDS_MAX);
	for (unsigned i = 0; i < n; i++) {
		err = notify_check_fd(NOTIFY_FDS_START + (int)i, why);
		if (err < 0)
			return err;
	}
	return (int)n;
}

bool
notify_listen_named(unsigned nth, const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES");
	size_t len;

	for (; names && nth > 0; nth--) {
		names = strchr(names, ':');
		if (names)
			names++;
	}
	if (!names)
		return false;
	len = strcspn(names, ":");
	return len == strlen(name) && !memcmp(names, name, len);
}

uint64_t
notify_watchdog_us(void)
{
	const char *owner = getenv("WATCHDOG_PID");
	unsigned long long us, pid;

	if (!notify_number(getenv("WATCHDOG_USEC"), &us))
		return 0;
	if (owner && (!notify_number(owner, &pid) ||
			 pid != (unsigned long long)getpid()))
		return 0;
	return us / 2;
}
