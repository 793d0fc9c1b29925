/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A position in the ring.  The rule: copy first, then fence, then ask whether
 * what was copied was still valid, and only then look at it; lengths and
 * positions are clamped to the mapping even then, because a file may lie.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/frame.h"
#include "core/reason.h"
#include "shm/ring_reader_priv.h"

/* Records copied in one go: 16 KiB of stack. */
enum {
	RUN = 256
};

static struct ring_reader *
reader_new(struct ring_share *share)
{
	struct ring_reader *rd = calloc(1, sizeof(*rd));

	if (!rd)
		return NULL;
	rd->share = share;
	rd->map = &share->map;
	return rd;
}

static void
info_fill(struct ring_info *info, const struct ring_header *head)
{
	memcpy(info->log_id, head->log_id, sizeof(info->log_id));
	info->epoch = head->epoch;
	info->incarnation = head->incarnation;
	info->slots = head->slots;
	info->payload_bytes = head->payload_bytes;
	info->created_us = head->created_us;
	info->writer_pid = head->writer_pid;
	info->unsafe = head->unsafe != 0;
	info->topic_key.k[0] = head->topic_key[0];
	info->topic_key.k[1] = head->topic_key[1];
}

static int
reader_open(
    int fd, const char *name, struct ring_reader **out, struct reason *why)
{
	CLEANUP(freep) struct ring_share *share = NULL;
	struct ring_header head;
	struct ring_reader *rd;
	struct stat st;
	int err;

	err = ring_map_header(fd, name, &head, why);
	if (err < 0)
		return err;
	if (fstat(fd, &st) < 0)
		return reason_set(why, -errno, "cannot stat %s", name);
	share = calloc(1, sizeof(*share));
	if (!share)
		return reason_set(why, -ENOMEM, "cannot read %s", name);
	err = ring_map_init(&share->map, fd, &head, false, why);
	if (err < 0)
		return err;
	rd = reader_new(share);
	if (!rd) {
		ring_map_deinit(&share->map);
		return reason_set(why, -ENOMEM, "cannot read %s", name);
	}
	share->refs = 1;
	share->dev = st.st_dev;
	share->ino = st.st_ino;
	info_fill(&share->info, &head);
	share = NULL;
	(void)ring_reader_seek_oldest(rd);
	if (rd->broken) {
		(void)ring_reader_free(rd);
		return reason_say(why, -EPROTO,
		    "%s is damaged: its oldest record is not where its "
		    "counters say",
		    name);
	}
	*out = rd;
	return 0;
}

/* Non-blocking: a FIFO of that name must not hold us. */
static int
file_open(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int
ring_reader_open(const char *path, struct ring_reader **out, struct reason *why)
{
	CLEANUP(closep) int fd = -1;
	char name[128];

	snprintf(name, sizeof(name), "'%s'", path);
	fd = file_open(path);
	if (fd < 0)
		return reason_set(why, -errno, "cannot open %s", name);
	return reader_open(fd, name, out, why);
}

int
ring_reader_open_left(const char *dir, struct ring_reader **out)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/ring.sock", dir);
	if (frame_served(path, SOCK_SEQPACKET))
		return -EBUSY;
	snprintf(path, sizeof(path), "%s/ring", dir);
	return ring_reader_open(path, out, NULL);
}

bool
ring_reader_is_at(const struct ring_reader *rd, const char *path)
{
	CLEANUP(closep) int fd = -1;
	struct ring_header head;
	struct stat st;

	fd = file_open(path);
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == rd->share->dev &&
	       st.st_ino == rd->share->ino &&
	       ring_map_header(fd, "", &head, NULL) == 0 &&
	       memcmp(&head, &rd->map->head, sizeof(head)) == 0;
}

int
ring_reader_open_fd(int fd, struct ring_reader **out, struct reason *why)
{
	return reader_open(fd, "the ring handed over", out, why);
}

struct ring_reader *
ring_reader_free(struct ring_reader *rd)
{
	if (!rd)
		return NULL;
	if (atomic_fetch_sub(&rd->share->refs, 1) == 1) {
		ring_map_deinit(&rd->share->map);
		free(rd->share);
	}
	free(rd);
	return NULL;
}

int
ring_reader_clone(struct ring_reader *rd, struct ring_reader **out)
{
	struct ring_reader *twin = reader_new(rd->share);

	if (!twin)
		return -ENOMEM;
	*twin = *rd;
	atomic_fetch_add(&rd->share->refs, 1);
	*out = twin;
	return 0;
}

const struct ring_info *
ring_reader_info(const struct ring_reader *rd)
{
	return &rd->share->info;
}

void
ring_reader_status(const struct ring_reader *rd, struct ring_status *status)
{
	const struct ring_hot *hot = rd->map->hot;
	const struct ring_life *life = rd->map->life;
	uint32_t state =
	    atomic_load_explicit(&life->state, memory_order_acquire);

	*status = (struct ring_status){
		.state = state <= RING_FAILED ? state : RING_FAILED,
		.heartbeat_ns = ring_load(&life->heartbeat_ns),
		.publish_ns = ring_load(&hot->publish_ns),
		.tail_ord = ring_load_acquire(&hot->tail_ord),
		.tail_seq = ring_load_acquire(&hot->tail_seq),
		.valid_ord = ring_load(&hot->valid_ord),
		.oldest_seq = ring_load(&hot->oldest_seq),
	};
}

bool
ring_reader_level(const struct ring_reader *rd)
{
	return ring_load_acquire(&rd->map->hot->tail_ord) == rd->next - 1;
}

uint64_t
ring_reader_ordinal(const struct ring_reader *rd)
{
	return rd->next;
}

uint64_t
ring_reader_rung(const struct ring_reader *rd)
{
	return ring_load_acquire(&rd->map->hot->rung_ord);
}

/* Copied records, still to be compared with each other. */
struct run {
	uint32_t n;
	uint64_t room; /* bytes from the first one to the tail */
	struct ring_record r[RUN];
};

/* Copy at most max records behind our position and validate the copies. */
static int
reader_collect(struct ring_reader *rd, uint32_t max, struct run *run)
{
	const struct ring_hot *hot = rd->map->hot;
	uint64_t tail = ring_load_acquire(&hot->tail_ord);
	uint64_t tail_pos = ring_load_acquire(&hot->tail_pos);
	uint64_t ahead = tail - (rd->next - 1);
	uint64_t valid;

	if (!ahead)
		return RING_EMPTY;
	run->n = (uint32_t)MIN(ahead, MIN(max, RUN));
	for (uint32_t i = 0; i < run->n; i++)
		ring_slot_load(
		    ring_map_slot(rd->map, rd->next + i), &run->r[i]);
	valid = ring_reader_valid(rd);
	if (rd->next < valid)
		return ring_reader_lapped(rd, valid);
	run->room = tail_pos - run->r[0].pos;
	/* Behind our position it is as wrong: then this is huge. */
	if (ahead > rd->map->head.slots ||
	    run->room > rd->map->head.payload_bytes ||
	    (rd->has_read && rd->next_pos != run->r[0].pos))
		return ring_reader_broken(rd);
	return RING_EVENT;
}

/* Does record r stand at ordinal ord and continue what came before it? */
static bool
record_continues(
    const struct ring_record *r, uint64_t ord, uint64_t pos, uint64_t last_seq)
{
	if (r->ordinal != ord || r->pos != pos || !r->len ||
	    (r->flags & ~(uint32_t)RING_FLAGS))
		return false;
	if (r->flags & RING_EPHEMERAL)
		return r->seq >= last_seq;
	return r->seq > last_seq;
}

/*
 * How many of the validated records' events fit into size bytes; *bytes is
 * their sum, which never exceeds what the payload holds.  -EPROTO: records
 * that no writer leaves like this.
 */
static int
reader_measure(
    struct ring_reader *rd, const struct run *run, size_t size, size_t *bytes)
{
	uint64_t last_seq = rd->last_seq, sum = 0;
	uint32_t i;

	for (i = 0; i < run->n; i++) {
		const struct ring_record *r = &run->r[i];

		if (!record_continues(
			r, rd->next + i, run->r[0].pos + sum, last_seq) ||
		    r->len > run->room - sum)
			return ring_reader_broken(rd);
		if (r->len > size - sum)
			break;
		sum += r->len;
		last_seq = r->seq;
	}
	*bytes = (size_t)sum;
	return (int)i;
}

static void
event_fill(struct ring_event *ev, const struct ring_record *r)
{
	*ev = (struct ring_event){
		.seq = r->seq,
		.time_us = r->time_us,
		.topic_hash = r->topic_hash,
		.version = r->version,
		.len = r->len,
		.crc = r->crc,
		.flags = r->flags,
		.stamp = r->stamp,
	};
}

int
ring_reader_read(struct ring_reader *rd, struct ring_event *ev, uint32_t max,
    uint8_t *buf, size_t size, uint32_t *n, size_t *need)
{
	struct run run;
	uint64_t valid;
	size_t bytes;
	int found;

	assert(max);
	if (rd->broken)
		return -EPROTO;
	found = reader_collect(rd, max, &run);
	if (found != RING_EVENT)
		return found;
	found = reader_measure(rd, &run, size, &bytes);
	if (found < 0)
		return found;
	if (!found) {
		*need = run.r[0].len;
		return RING_TOO_SMALL;
	}
	ring_bytes_out(buf, ring_map_bytes(rd->map, run.r[0].pos), bytes);
	valid = ring_reader_valid(rd);
	if (rd->next < valid)
		return ring_reader_lapped(rd, valid);
	for (int i = 0; i < found; i++)
		event_fill(&ev[i], &run.r[i]);
	rd->next += (unsigned)found;
	rd->next_pos = run.r[0].pos + bytes;
	rd->last_seq = run.r[found - 1].seq;
	rd->has_read = true;
	*n = (uint32_t)found;
	return RING_EVENT;
}
