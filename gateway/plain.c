/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sockets without TLS.  What the kernel has taken of a write is remembered
 * outside, so that its repetition sends the rest alone.
 */

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "gateway/plain.h"
#include "gateway/tls.h"

int
plain_read(int fd, void *buf, size_t size, size_t *got)
{
	ssize_t n;

	do {
		n = recv(fd, buf, size, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? TLS_AGAIN : TLS_CLOSED;
	if (n == 0)
		return TLS_CLOSED;
	*got = (size_t)n;
	return TLS_DONE;
}

int
plain_write(int fd, uint32_t *done, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	ssize_t n;

	assert(*done <= len);
	while (*done < len) {
		n = send(fd, p + *done, len - *done, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? TLS_AGAIN : TLS_CLOSED;
		*done += (uint32_t)n;
	}
	*done = 0;
	return TLS_DONE;
}
