/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The reader's end of the wake-up.  Before it waits it says so and looks once
 * more: either the writer sees the flag or the reader sees the event.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/frame.h"
#include "core/reason.h"
#include "core/time.h"
#include "shm/doorbell.h"
#include "shm/ring_layout_priv.h"
#include "shm/ring_reader.h"

enum {
	ATTACH_MS = 2000,
	ATTACH_FDS = 3
};

struct doorbell {
	int sock; /* its closing tells the writer that we are gone */
	int bell;
	struct ring_status_page *page;
	uint64_t generation; /* of the last parking */
	bool parked;
};

struct doorbell *
doorbell_free(struct doorbell *bell)
{
	if (!bell)
		return NULL;
	if (bell->page)
		(void)munmap(bell->page, RING_PAGE);
	closep(&bell->bell);
	closep(&bell->sock);
	free(bell);
	return NULL;
}

/* Wait for the writer's answer, but not for ever: it may be stopped. */
static int
wait_readable(int sock)
{
	uint64_t end = time_mono_ns() + ATTACH_MS * NS_PER_MS;
	struct pollfd p = { .fd = sock, .events = POLLIN };
	uint64_t now;
	int n;

	while ((now = time_mono_ns()) < end) {
		n = poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

static int
refusal_errno(uint32_t refused)
{
	switch (refused) {
	case DOORBELL_FULL:
		return -EUSERS;
	case DOORBELL_ACCOUNT:
		return -EACCES;
	default:
		return -ECONNREFUSED;
	}
}

/* Receive ring, doorbell and status page; none is kept on failure. */
static int
receive_attachment(int sock, struct ring_attach_reply *reply,
    int fds[ATTACH_FDS], struct reason *why)
{
	unsigned n = ATTACH_FDS;
	ssize_t got;
	int err = 0;

	got = frame_recv_fds(sock, reply, sizeof(*reply), fds, &n);
	if (got == 0)
		return reason_say(
		    why, -ECONNREFUSED, "the writer hung up on 'ring.sock'");
	if (got < 0)
		return reason_set(
		    why, (int)got, "cannot receive on 'ring.sock'");
	if (got == sizeof(*reply) && reply->magic == RING_MAGIC &&
	    reply->version == RING_VERSION) {
		if (reply->refused)
			err = reason_set(why, refusal_errno(reply->refused),
			    "the writer refused us on 'ring.sock'");
		else if (n == ATTACH_FDS)
			return 0;
	}
	for (unsigned i = 0; i < n; i++)
		(void)close(fds[i]);
	if (err < 0)
		return err;
	return reason_say(why, -EPROTO,
	    "the answer on 'ring.sock' is not of version %d", RING_VERSION);
}

static int
map_page(struct doorbell *bell, int fd, struct reason *why)
{
	struct stat st;
	void *page;

	if (fstat(fd, &st) < 0 || st.st_size < RING_PAGE)
		return reason_say(why, -EPROTO, "the status page is too short");
	page = mmap(NULL, RING_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return reason_set(why, -errno, "cannot map the status page");
	bell->page = page;
	return 0;
}

static bool
same_ring(const struct ring_attach_reply *reply, const struct ring_info *info)
{
	return !memcmp(reply->log_id, info->log_id, sizeof(info->log_id)) &&
	       reply->epoch == info->epoch &&
	       reply->incarnation == info->incarnation;
}

static int
ask(const char *dir, const char *role, int *sock, struct reason *why)
{
	struct ring_attach_request request = {
		.magic = RING_MAGIC,
		.version = RING_VERSION,
	};
	CLEANUP(freep) char *path = NULL;
	int err;

	if (asprintf(&path, "%s/ring.sock", dir) < 0) {
		path = NULL;
		return reason_set(why, -ENOMEM, "cannot attach");
	}
	err = frame_connect(path, SOCK_SEQPACKET | SOCK_NONBLOCK, sock, why);
	if (err < 0)
		return err;
	snprintf(request.role, sizeof(request.role), "%s", role);
	err = frame_send_fds(*sock, &request, sizeof(request), NULL, 0);
	if (err < 0)
		return reason_set(why, err, "cannot ask on '%s'", path);
	return 0;
}

int
doorbell_ask(const char *dir, const char *role, struct doorbell **out,
    struct reason *why)
{
	CLEANUP(doorbell_freep) struct doorbell *bell = NULL;
	int err;

	bell = calloc(1, sizeof(*bell));
	if (!bell)
		return reason_set(why, -ENOMEM, "cannot attach");
	bell->sock = bell->bell = -1;
	err = ask(dir, role, &bell->sock, why);
	if (err < 0)
		return err;
	*out = TAKE(bell);
	return 0;
}

int
doorbell_sock(const struct doorbell *bell)
{
	return bell->sock;
}

int
doorbell_answer(
    struct doorbell *bell, struct ring_reader **ring, struct reason *why)
{
	CLEANUP(ring_reader_freep) struct ring_reader *rd = NULL;
	CLEANUP(closep) int ring_fd = -1;
	CLEANUP(closep) int page_fd = -1;
	struct ring_attach_reply reply = { 0 };
	int fds[ATTACH_FDS] = { -1, -1, -1 };
	int err;

	err = receive_attachment(bell->sock, &reply, fds, why);
	if (err < 0)
		return err;
	ring_fd = fds[0];
	bell->bell = fds[1];
	page_fd = fds[2];
	err = map_page(bell, page_fd, why);
	if (err < 0)
		return err;
	err = ring_reader_open_fd(ring_fd, &rd, why);
	if (err < 0)
		return err;
	if (!same_ring(&reply, ring_reader_info(rd)))
		return reason_say(why, -EPROTO,
		    "the ring handed over is not the one announced");
	*ring = TAKE(rd);
	return 0;
}

int
doorbell_attach(const char *dir, const char *role, struct doorbell **out,
    struct ring_reader **ring, struct reason *why)
{
	CLEANUP(doorbell_freep) struct doorbell *bell = NULL;
	int err = doorbell_ask(dir, role, &bell, why);

	if (err < 0)
		return err;
	err = wait_readable(bell->sock);
	if (err < 0)
		return reason_set(why, err, "no answer on 'ring.sock'");
	err = doorbell_answer(bell, ring, why);
	if (err < 0)
		return err;
	*out = TAKE(bell);
	return 0;
}

int
doorbell_fd(const struct doorbell *bell)
{
	return bell->bell;
}

bool
doorbell_park(struct doorbell *bell, const struct ring_reader *rd)
{
	/* A number of its own each time: one parking, one ring. */
	ring_store(&bell->page->parked, ++bell->generation);
	atomic_thread_fence(memory_order_seq_cst);
	if (!ring_reader_level(rd)) {
		ring_store(&bell->page->parked, 0);
		return false;
	}
	bell->parked = true;
	return true;
}

/* Take what was rung; false when the other end is closed. */
static bool
drain(struct doorbell *bell, bool *rung)
{
	char byte;
	ssize_t n;

	/* The queue holds fewer: bounded, whatever the other end does. */
	for (int i = 0; i < 64; i++) {
		n = recv(bell->bell, &byte, sizeof(byte), MSG_DONTWAIT);
		if (n > 0) {
			*rung = true;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		return n < 0 && errno == EAGAIN;
	}
	return true;
}

bool
doorbell_awake(struct doorbell *bell, const struct ring_reader *rd, bool rung)
{
	struct ring_status_page *page = bell->page;
	bool parked = bell->parked;
	bool heard = false, alive = true;
	bool owed;

	/*
	 * Asked while still parked, and before the socket is: the writer says
	 * rung only behind its send(), and once the flag is down it need not
	 * ring.  So nobody is accused who was merely stopped in between.
	 */
	owed = parked &&
	       (int64_t)(ring_reader_rung(rd) - ring_reader_ordinal(rd)) >= 0;
	/* Before the doorbell is emptied: what comes later rings again. */
	ring_store(&page->parked, 0);
	bell->parked = false;
	if (rung || owed)
		alive = drain(bell, &heard);
	if (parked)
		ring_store(&page->wakeups, ring_load(&page->wakeups) + 1);
	if (owed && !heard && alive)
		ring_store(&page->missed, ring_load(&page->missed) + 1);
	ring_store(&page->heartbeat_ns, time_mono_ns());
	return alive;
}

void
doorbell_report(struct doorbell *bell, const struct doorbell_report *r)
{
	struct ring_status_page *page = bell->page;

	ring_store(&page->position, r->position);
	ring_store(&page->clients, r->clients);
	ring_store(&page->lapped, r->lapped);
	ring_store(&page->heartbeat_ns, time_mono_ns());
}

uint64_t
doorbell_missed(const struct doorbell *bell)
{
	return ring_load(&bell->page->missed);
}
