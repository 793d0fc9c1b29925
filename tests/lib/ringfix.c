/* SPDX-License-Identifier: BSD-2-Clause */

/* A ring for tests.  What goes wrong in here stops the test program. */

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "core/frame.h"
#include "core/reason.h"
#include "tests/lib/ringfix.h"

uint32_t
ringfix_bytes(uint64_t seq, bool ephemeral, uint8_t *buf)
{
	uint64_t x = seq * UINT64_C(0x9e3779b97f4a7c15) + ephemeral;
	uint32_t len = 1 + (uint32_t)((x >> 40) % RINGFIX_EVENT);

	for (uint32_t i = 0; i < len; i++)
		buf[i] = (uint8_t)((x >> (i % 7 * 8)) + i);
	return len;
}

struct ring_event
ringfix_event(uint64_t seq, bool ephemeral, uint8_t *buf)
{
	uint32_t len = ringfix_bytes(seq, ephemeral, buf);

	return (struct ring_event){
		/* That of an ephemeral event is the ring's to fill in. */
		.seq = ephemeral ? 0 : seq,
		.time_us = seq * 3 + 1,
		.topic_hash = ~seq,
		.version = ephemeral ? 0 : seq % 100 + 1,
		.len = len,
		.crc = crc32c(0, buf, len),
		.flags = ephemeral ? RING_EPHEMERAL : RING_LAST_OF_REQUEST,
	};
}

bool
ringfix_right(const struct ring_event *ev, const uint8_t *bytes)
{
	uint8_t buf[RINGFIX_EVENT];
	struct ring_event right =
	    ringfix_event(ev->seq, ev->flags & RING_EPHEMERAL, buf);

	return ev->time_us == right.time_us &&
	       ev->topic_hash == right.topic_hash &&
	       ev->version == right.version && ev->len == right.len &&
	       ev->crc == right.crc && ev->flags == right.flags &&
	       crc32c(0, bytes, ev->len) == ev->crc &&
	       !memcmp(bytes, buf, ev->len);
}

void
ringfix_dir(struct ringfix *fx)
{
	*fx = (struct ringfix){
		.opt = {
			.slots = 8,
			.payload_bytes = 4096,
			.log_id = { 1, 2, 3, 4 },
			.epoch = 5,
			.incarnation = 6,
			.group = (gid_t)-1,
			.topic_key = { { 7, 8 } },
		},
		.listener = -1,
	};
	snprintf(fx->dir, sizeof(fx->dir), "%s/peal-test-XXXXXX",
	    access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(fx->dir))
		abort();
	fx->dirfd = open(fx->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(fx->dirfd >= 0);
}

void
ringfix_open(struct ringfix *fx)
{
	struct reason why = { "" };
	char path[128];
	int err;

	err = ring_writer_create(fx->dirfd, &fx->opt, &fx->writer, &why);
	if (err == 0)
		err = ring_writer_install(fx->writer, &why);
	snprintf(path, sizeof(path), "%s/ring", fx->dir);
	if (err == 0)
		err = ring_reader_open(path, &fx->reader, &why);
	if (err < 0) {
		fprintf(stderr, "ringfix: %s\n", why.text);
		abort();
	}
	fx->seq = fx->opt.head_seq;
}

void
ringfix_listen(struct ringfix *fx, int flags)
{
	struct reason why = { "" };
	char path[128];
	int err = doorbell_hub_new(fx->writer, &fx->hub);

	snprintf(path, sizeof(path), "%s/ring.sock", fx->dir);
	if (err == 0)
		err = frame_listen(
		    path, SOCK_SEQPACKET | flags, 0600, &fx->listener, &why);
	if (err < 0) {
		fprintf(stderr, "ringfix: %d: %s\n", err, why.text);
		abort();
	}
}

void
ringfix_close(struct ringfix *fx)
{
	struct dirent *entry;
	DIR *dir;

	fx->hub = doorbell_hub_free(fx->hub);
	closep(&fx->listener);
	fx->reader = ring_reader_free(fx->reader);
	fx->writer = ring_writer_free(fx->writer);
	dir = fdopendir(fx->dirfd);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)unlinkat(fx->dirfd, entry->d_name, 0);
	(void)closedir(dir);
	(void)rmdir(fx->dir);
}

int
ringfix_setup(void **state)
{
	struct ringfix *fx = malloc(sizeof(*fx));

	assert(fx);
	ringfix_dir(fx);
	ringfix_open(fx);
	*state = fx;
	return 0;
}

int
ringfix_teardown(void **state)
{
	ringfix_close(*state);
	free(*state);
	return 0;
}

static void
publish(struct ringfix *fx, unsigned n, bool ephemeral)
{
	uint8_t buf[RINGFIX_EVENT];
	struct ring_event ev;

	for (unsigned i = 0; i < n; i++) {
		fx->seq += !ephemeral;
		ev = ringfix_event(fx->seq, ephemeral, buf);
		ring_writer_begin(fx->writer, 1, ev.len);
		ring_writer_add(fx->writer, &ev, buf);
		ring_writer_commit(fx->writer);
	}
}

void
ringfix_publish(struct ringfix *fx, unsigned n)
{
	publish(fx, n, false);
}

void
ringfix_emit(struct ringfix *fx, unsigned n)
{
	publish(fx, n, true);
}

void
ringfix_publish_long(struct ringfix *fx, uint32_t len)
{
	uint8_t *buf = malloc(len);
	struct ring_event ev;

	assert(buf);
	memset(buf, (int)(++fx->seq & 0x7f), len);
	ev = (struct ring_event){
		.seq = fx->seq, .len = len, .crc = crc32c(0, buf, len)
	};
	ring_writer_begin(fx->writer, 1, len);
	ring_writer_add(fx->writer, &ev, buf);
	ring_writer_commit(fx->writer);
	free(buf);
}

unsigned
ringfix_mappings(const char *part)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned n = 0;

	assert(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, part) != NULL;
	(void)fclose(maps);
	return n;
}

int
ringfix_next(struct ringfix *fx, struct ring_event *ev)
{
	uint8_t buf[4096];
	uint32_t n = 0;
	size_t need;
	int found =
	    ring_reader_read(fx->reader, ev, 1, buf, sizeof(buf), &n, &need);

	assert(found != RING_EVENT || n == 1);
	assert(found != RING_EVENT || crc32c(0, buf, ev->len) == ev->crc);
	return found;
}
