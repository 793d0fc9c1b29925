/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pause is the listening socket's alone: connections that are there are
 * served meanwhile, and one that ends leaves its descriptor for who waits.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/acceptor.h"
#include "core/diag.h"

enum {
	ACCEPTS = 64, /* in one turn */
	AGAIN_US = 100 * 1000,
};

static void
watch(struct acceptor *a, unsigned what)
{
	if (loop_io_want(&a->io, what) < 0)
		diag_error("the loop cannot watch the socket");
}

static void
on_again(void *arg)
{
	watch(arg, LOOP_READ);
}

static void
rest(struct acceptor *a, int err)
{
	diag_limited(
	    "descriptors", "nobody is let in for now: %s", strerror(err));
	if (loop_timer_set(&a->again, AGAIN_US, 0) == 0)
		watch(a, 0);
}

/* Of all, and not of the one connection: looking again at once is no use. */
static bool
is_shortage(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM ||
	       err == ENOBUFS;
}

static void
on_ready(void *arg, unsigned what)
{
	struct acceptor *a = arg;

	for (unsigned i = 0; i < ACCEPTS; i++) {
		int fd =
		    accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && is_shortage(errno))
			rest(a, errno);
		if (fd < 0)
			return;
		a->fn(a->arg, fd);
	}
}

int
acceptor_open(struct loop *loop, struct acceptor *a, int fd,
    void (*fn)(void *arg, int fd), void *arg)
{
	int err;

	*a = (struct acceptor){ .fd = fd, .fn = fn, .arg = arg };
	err = loop_timer_init(loop, &a->again, on_again, a);
	if (err == 0)
		err = loop_io_add(loop, &a->io, fd, LOOP_READ, on_ready, a);
	if (err < 0)
		acceptor_close(a);
	return err;
}

void
acceptor_close(struct acceptor *a)
{
	loop_timer_deinit(&a->again);
	loop_io_deinit(&a->io);
}
