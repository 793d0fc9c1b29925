/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Attach: a reader connects, says its role in one packet and gets the
 * attachment.  It keeps the connection open as long as it reads.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "core/acceptor.h"
#include "core/diag.h"
#include "core/frame.h"
#include "core/loop.h"
#include "core/reason.h"
#include "shm/doorbell.h"
#include "writer/attach.h"

enum {
	CONNECTIONS = 2 * DOORBELL_READERS
};

struct reader {
	LIST_ENTRY(reader) all;
	struct attach *at;
	struct loop_io io;
	int fd;
	int slot; /* -1: has not said its role yet */
	long pid;
};

struct attach {
	struct loop *loop;
	struct doorbell_hub *hub;
	gid_t group;
	struct acceptor door;
	LIST_HEAD(, reader) readers;
	unsigned n;
	uint64_t n_attached;
};

static void
reader_free(struct reader *r)
{
	struct attach *at = r->at;

	LIST_REMOVE(r, all);
	at->n--;
	if (r->slot >= 0) {
		doorbell_hub_remove(at->hub, r->slot);
		at->n_attached--;
	}
	loop_io_deinit(&r->io);
	(void)close(r->fd);
	free(r);
}

/* The second thing that can be heard of a reader is its end. */
static void
on_reader(void *arg, unsigned what)
{
	struct reader *r = arg;
	char role[DOORBELL_ROLE];
	int err = -EPROTO;

	if (r->slot < 0)
		err = doorbell_hub_request(r->fd, role);
	if (err == -EAGAIN)
		return;
	if (err < 0) {
		reader_free(r);
		return;
	}
	r->slot = doorbell_hub_add(r->at->hub, r->fd, role, r->pid);
	if (r->slot >= 0) {
		r->at->n_attached++;
		return;
	}
	diag_limited("attach",
	    "a reader of the ring was refused: %s role=%s pid=%ld",
	    strerror(-r->slot), role, r->pid);
	reader_free(r);
}

static bool
may_read(const struct attach *at, int fd, uid_t uid, gid_t gid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	if (at->group == (gid_t)-1)
		return false;
	return gid == at->group || frame_peer_in_group(fd, at->group) == 1;
}

static void
on_accept(void *arg, int fd)
{
	struct attach *at = arg;
	struct reader *r = NULL;
	uid_t uid;
	gid_t gid;
	long pid;

	if (frame_peer(fd, &uid, &gid, &pid) < 0 || !may_read(at, fd, uid, gid))
		doorbell_hub_refuse(at->hub, fd, DOORBELL_ACCOUNT);
	else if (at->n >= CONNECTIONS)
		doorbell_hub_refuse(at->hub, fd, DOORBELL_FULL);
	else
		r = calloc(1, sizeof(*r));
	if (!r) {
		(void)close(fd);
		return;
	}
	r->at = at;
	r->fd = fd;
	r->slot = -1;
	r->pid = pid;
	LIST_INSERT_HEAD(&at->readers, r, all);
	at->n++;
	if (loop_io_add(at->loop, &r->io, fd, LOOP_READ, on_reader, r) < 0)
		reader_free(r);
}

int
attach_new(struct loop *loop, int listen_fd, struct doorbell_hub *hub,
    gid_t group, struct attach **out, struct reason *why)
{
	CLEANUP(attach_freep) struct attach *at = calloc(1, sizeof(*at));
	int err;

	if (!at)
		return -ENOMEM;
	at->loop = loop;
	at->hub = hub;
	at->group = group;
	LIST_INIT(&at->readers);
	err = acceptor_open(loop, &at->door, listen_fd, on_accept, at);
	if (err < 0)
		return reason_set(why, err, "cannot watch the ring's socket");
	*out = TAKE(at);
	return 0;
}

struct attach *
attach_free(struct attach *at)
{
	if (!at)
		return NULL;
	while (!LIST_EMPTY(&at->readers))
		reader_free(LIST_FIRST(&at->readers));
	acceptor_close(&at->door);
	free(at);
	return NULL;
}

uint64_t
attach_readers(const struct attach *at)
{
	return at->n_attached;
}
