/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The writer's end of the wake-up: who is attached, and the ringing.  Status
 * pages belong to readers, which may be hostile: they are hints, nothing
 * here waits for a reader, and none can make the writer fault or block.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "core/frame.h"
#include "core/time.h"
#include "shm/doorbell.h"
#include "shm/ring_map.h"
#include "shm/ring_writer.h"
#include "shm/stats.h"

_Static_assert((int)DOORBELL_READERS == (int)RING_READERS, "one number");
_Static_assert((int)DOORBELL_ROLE == (int)RING_ROLE, "one number");

/* No hint makes the counter of missed wake-ups leap further at a time. */
enum {
	MISSED_STEP = 1000
};

struct hub_seat {
	bool taken;
	int bell;
	struct ring_status_page *page; /* mapped read-only */
	uint64_t rung;		       /* the parking that was rung for */
	uint64_t missed;
};

struct doorbell_hub {
	struct ring_writer *rw;
	struct ring_map *map;
	pthread_mutex_t lock; /* seats: one thread adds, another rings */
	struct hub_seat seats[DOORBELL_READERS];
	unsigned taken;
};

int
doorbell_hub_new(struct ring_writer *rw, struct doorbell_hub **out)
{
	struct doorbell_hub *hub = calloc(1, sizeof(*hub));

	if (!hub)
		return -ENOMEM;
	hub->rw = rw;
	hub->map = ring_writer_map(rw);
	pthread_mutex_init(&hub->lock, NULL);
	for (unsigned i = 0; i < DOORBELL_READERS; i++)
		hub->seats[i].bell = -1;
	*out = hub;
	return 0;
}

struct doorbell_hub *
doorbell_hub_free(struct doorbell_hub *hub)
{
	if (!hub)
		return NULL;
	for (int i = 0; i < DOORBELL_READERS; i++)
		doorbell_hub_remove(hub, i);
	pthread_mutex_destroy(&hub->lock);
	free(hub);
	return NULL;
}

int
doorbell_hub_request(int sock, char role[DOORBELL_ROLE])
{
	struct ring_attach_request request;
	unsigned none = 0;
	ssize_t n;

	n = frame_recv_fds(sock, &request, sizeof(request), NULL, &none);
	if (n == 0)
		return -ECONNRESET;
	if (n < 0)
		return (int)n;
	if (n != sizeof(request) || request.magic != RING_MAGIC ||
	    request.version != RING_VERSION ||
	    !memchr(request.role, '\0', sizeof(request.role)))
		return -EPROTO;
	for (const char *c = request.role; *c; c++)
		if (*c < 0x21 || *c > 0x7e)
			return -EPROTO;
	memcpy(role, request.role, sizeof(request.role));
	return 0;
}

/* The status page: sealed, so that no reader can cut it off under us. */
static int
make_page(int *fd, struct ring_status_page **page)
{
	CLEANUP(closep) int memfd = -1;
	void *map;

	memfd = memfd_create("peal-reader", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return -errno;
	if (ftruncate(memfd, RING_PAGE) < 0 ||
	    fcntl(memfd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	map = mmap(NULL, RING_PAGE, PROT_READ, MAP_SHARED, memfd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*page = map;
	*fd = TAKE_FD(memfd);
	return 0;
}

static void
reply_fill(struct ring_attach_reply *reply, const struct ring_header *head)
{
	*reply = (struct ring_attach_reply){
		.magic = RING_MAGIC,
		.version = RING_VERSION,
		.epoch = head->epoch,
		.incarnation = head->incarnation,
	};
	memcpy(reply->log_id, head->log_id, sizeof(reply->log_id));
}

void
doorbell_hub_refuse(
    struct doorbell_hub *hub, int sock, enum doorbell_refusal why)
{
	struct ring_attach_reply reply;

	reply_fill(&reply, &hub->map->head);
	reply.refused = why;
	stats_add(ring_writer_stats(hub->rw), STATS_WRITER_rejected_readers, 1);
	if (frame_send_fds(sock, &reply, sizeof(reply), NULL, 0) < 0)
		return; /* he has gone, and needs no answer */
}

static void
seat_close(struct hub_seat *seat)
{
	closep(&seat->bell);
	if (seat->page)
		(void)munmap(seat->page, RING_PAGE);
}

/* Make page and doorbell; *theirs and *page_fd are the reader's ends. */
static int
seat_open(struct hub_seat *seat, int *theirs, int *page_fd)
{
	const int least = 1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	seat->bell = ends[0];
	*theirs = ends[1];
	/* The kernel makes a few packets of it: more than one says no more. */
	if (setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) <
	    0)
		return -errno;
	return make_page(page_fd, &seat->page);
}

/* A row of the readers' table is rewritten between these two. */
static void
table_begin(struct ring_seat *row)
{
	ring_store(&row->generation, ring_load(&row->generation) + 1);
	atomic_thread_fence(memory_order_release);
}

static void
table_end(struct ring_seat *row)
{
	atomic_store_explicit(&row->generation, ring_load(&row->generation) + 1,
	    memory_order_release);
}

static void
table_enter(struct ring_seat *row, const char *role, long pid)
{
	uint64_t word[RING_ROLE / 8] = { 0 };

	snprintf((char *)word, sizeof(word), "%s", role);
	table_begin(row);
	for (unsigned i = 0; i < ARRAY_LEN(word); i++)
		ring_store(&row->role[i], word[i]);
	ring_store(&row->attached_us, time_wall_us());
	ring_store(&row->position, 0);
	ring_store(&row->clients, 0);
	ring_store(&row->lapped, 0);
	ring_store(&row->wakeups, 0);
	ring_store(&row->missed, 0);
	ring_store(&row->parked, 0);
	ring_store(&row->heartbeat_ns, time_mono_ns());
	ring_store(&row->pid, (uint64_t)pid);
	table_end(row);
}

static void
table_leave(struct ring_seat *row)
{
	table_begin(row);
	ring_store(&row->pid, 0);
	table_end(row);
}

static void
count_readers(struct doorbell_hub *hub, int step)
{
	hub->taken += (unsigned)step;
	stats_set(ring_writer_stats(hub->rw), STATS_WRITER_readers, hub->taken);
}

/* Other threads see the whole seat or none.  Returns what was there. */
static struct hub_seat
seat_put(struct doorbell_hub *hub, int i, struct hub_seat seat)
{
	struct hub_seat old;

	pthread_mutex_lock(&hub->lock);
	old = hub->seats[i];
	hub->seats[i] = seat;
	pthread_mutex_unlock(&hub->lock);
	return old;
}

int
doorbell_hub_add(struct doorbell_hub *hub, int sock, const char *role, long pid)
{
	CLEANUP(closep) int theirs = -1;
	CLEANUP(closep) int page = -1;
	struct hub_seat seat = { .taken = true, .bell = -1 };
	struct ring_attach_reply reply;
	unsigned i = 0;
	int err;

	/* Only this thread takes and frees seats: no lock to look. */
	while (i < DOORBELL_READERS && hub->seats[i].taken)
		i++;
	if (i == DOORBELL_READERS) {
		doorbell_hub_refuse(hub, sock, DOORBELL_FULL);
		return -EUSERS;
	}
	err = seat_open(&seat, &theirs, &page);
	if (err < 0) {
		seat_close(&seat);
		return err;
	}
	/* Before the reader hears of it: from then on it may park. */
	(void)seat_put(hub, (int)i, seat);
	table_enter(&hub->map->seats[i], role, pid);
	count_readers(hub, 1);
	reply_fill(&reply, &hub->map->head);
	reply.seat = i;
	err = frame_send_fds(sock, &reply, sizeof(reply),
	    (int[]){ ring_writer_reader_fd(hub->rw), theirs, page }, 3);
	if (err < 0) {
		doorbell_hub_remove(hub, (int)i);
		return err;
	}
	return (int)i;
}

void
doorbell_hub_remove(struct doorbell_hub *hub, int slot)
{
	struct hub_seat seat;

	if (slot < 0 || slot >= DOORBELL_READERS || !hub->seats[slot].taken)
		return;
	seat = seat_put(hub, slot, (struct hub_seat){ .bell = -1 });
	seat_close(&seat);
	table_leave(&hub->map->seats[slot]);
	count_readers(hub, -1);
}

/* One packet for each parking: a reader that sleeps on is rung already. */
static bool
seat_ring(struct hub_seat *seat)
{
	uint64_t parking = ring_load(&seat->page->parked);

	if (!parking || parking == seat->rung)
		return false;
	seat->rung = parking;
	/*
	 * EAGAIN: its queue is full of rings.  Anything else: it has gone,
	 * and its attachment will say so.
	 */
	return send(seat->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

unsigned
doorbell_hub_ring(struct doorbell_hub *hub)
{
	struct ring_hot *hot = hub->map->hot;
	unsigned rung = 0;
	uint64_t ord;

	pthread_mutex_lock(&hub->lock);
	ord = ring_load(&hot->tail_ord);
	/* Another thread than the one that committed may stand here. */
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < DOORBELL_READERS; i++)
		if (hub->seats[i].taken)
			rung += seat_ring(&hub->seats[i]);
	atomic_store_explicit(&hot->rung_ord, ord, memory_order_release);
	pthread_mutex_unlock(&hub->lock);
	return rung;
}

static void
seat_copy(
    struct doorbell_hub *hub, struct hub_seat *seat, struct ring_seat *row)
{
	const struct ring_status_page *page = seat->page;
	uint64_t missed = ring_load(&page->missed);

	table_begin(row);
	ring_store(&row->position, ring_load(&page->position));
	ring_store(&row->clients, ring_load(&page->clients));
	ring_store(&row->lapped, ring_load(&page->lapped));
	ring_store(&row->wakeups, ring_load(&page->wakeups));
	ring_store(&row->missed, missed);
	ring_store(&row->parked, ring_load(&page->parked));
	ring_store(&row->heartbeat_ns, ring_load(&page->heartbeat_ns));
	table_end(row);
	if (missed > seat->missed)
		stats_add(ring_writer_stats(hub->rw),
		    STATS_WRITER_missed_wakeups,
		    MIN(missed - seat->missed, (uint64_t)MISSED_STEP));
	seat->missed = missed;
}

void
doorbell_hub_copy(struct doorbell_hub *hub)
{
	/* The seats' other fields are only used by whoever rings. */
	for (unsigned i = 0; i < DOORBELL_READERS; i++)
		if (hub->seats[i].taken)
			seat_copy(hub, &hub->seats[i], &hub->map->seats[i]);
}
