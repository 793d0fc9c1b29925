/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * journald may be restarted at any time, so that each datagram names where it
 * goes; a socket that was connected would have to be made anew.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "core/journal.h"

bool
journal_is(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	int end = 0;

	if (!stream ||
	    sscanf(stream, "%20llu:%20llu%n", &dev, &ino, &end) != 2 ||
	    stream[end] != '\0')
		return false;
	return fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

int
journal_open(void)
{
	const struct timeval wait = { .tv_usec = 100000 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0) {
		int err = -errno;

		(void)close(fd);
		return err;
	}
	return fd;
}

int
journal_send(
    int sock, const char *path, const struct journal_field *fields, unsigned n)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct iovec iov[JOURNAL_FIELDS * 4];
	struct msghdr msg = {
		.msg_name = &sa, .msg_namelen = sizeof(sa), .msg_iov = iov
	};

	if (n > JOURNAL_FIELDS || strlen(path) >= sizeof(sa.sun_path))
		return -EINVAL;
	strcpy(sa.sun_path, path);
	for (unsigned i = 0; i < n; i++) {
		struct iovec *v = iov + 4 * i;

		v[0].iov_base = (void *)fields[i].name;
		v[0].iov_len = strlen(fields[i].name);
		v[1].iov_base = (void *)"=";
		v[1].iov_len = 1;
		v[2].iov_base = (void *)fields[i].value.p;
		v[2].iov_len = fields[i].value.len;
		v[3].iov_base = (void *)"\n";
		v[3].iov_len = 1;
	}
	msg.msg_iovlen = 4 * (size_t)n;
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}
