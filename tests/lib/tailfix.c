/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A writer in small.  It does what the real one does in the order in which
 * that does it: log, flush, ring, doorbells.
 */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/frame.h"
#include "shm/doorbell.h"
#include "shm/ring_writer.h"
#include "tests/lib/tailfix.h"

enum {
	CLIENTS = 60,
	PAYLOAD = 64 << 10,
};

struct tailfix_server {
	struct doorbell_hub *hub;
	pthread_t thread;
	int listener;
	int stop_fd;
	int n;
	struct pollfd pfd[2 + CLIENTS];
};

static void
open_log(struct tailfix *fx)
{
	int fd = open(fx->log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	logfix_init(&fx->lf, &sysio_posix, fd);
	logfix_start(&fx->lf);
}

void
tailfix_init(struct tailfix *fx)
{
	*fx = (struct tailfix){ .slots = 64 };
	strcpy(fx->dir, "/tmp/peal-tail-XXXXXX");
	assert_non_null(mkdtemp(fx->dir));
	snprintf(fx->run, sizeof(fx->run), "%s/run", fx->dir);
	snprintf(fx->log, sizeof(fx->log), "%s/log", fx->dir);
	assert_int_equal(mkdir(fx->run, 0700), 0);
	assert_int_equal(mkdir(fx->log, 0700), 0);
	fx->run_fd = open(fx->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fx->run_fd >= 0);
	open_log(fx);
}

static void
remove_all(const char *dir)
{
	char command[120];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

void
tailfix_deinit(struct tailfix *fx)
{
	tailfix_stop(fx);
	logfix_deinit(&fx->lf);
	(void)close(fx->lf.dirfd);
	(void)close(fx->run_fd);
	remove_all(fx->dir);
}

void
tailfix_new_log(struct tailfix *fx)
{
	assert_null(fx->ring);
	logfix_deinit(&fx->lf);
	(void)close(fx->lf.dirfd);
	remove_all(fx->log);
	assert_int_equal(mkdir(fx->log, 0700), 0);
	open_log(fx);
}

/* --- ring.sock --- */

static void
serve_one(struct tailfix_server *s)
{
	char role[DOORBELL_ROLE];
	int sock =
	    accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct pollfd said = { .fd = sock, .events = POLLIN };

	if (sock < 0)
		return;
	if (s->n == 2 + CLIENTS || poll(&said, 1, 10000) != 1 ||
	    doorbell_hub_request(sock, role) != 0 ||
	    doorbell_hub_add(s->hub, sock, role, 1) < 0) {
		(void)close(sock);
		return;
	}
	s->pfd[s->n++] = (struct pollfd){ .fd = sock };
}

static void *
serve(void *arg)
{
	struct tailfix_server *s = arg;

	while (s->pfd[0].revents == 0) {
		(void)poll(s->pfd, 2, -1);
		if (s->pfd[1].revents & POLLIN)
			serve_one(s);
	}
	return NULL;
}

static struct tailfix_server *
server_start(const struct tailfix *fx)
{
	struct tailfix_server *s = calloc(1, sizeof(*s));
	char path[100];

	assert_non_null(s);
	assert_int_equal(doorbell_hub_new(fx->ring, &s->hub), 0);
	snprintf(path, sizeof(path), "%s/ring.sock", fx->run);
	assert_int_equal(
	    frame_listen(path, SOCK_SEQPACKET, 0600, &s->listener, NULL), 0);
	s->stop_fd = eventfd(0, EFD_CLOEXEC);
	s->pfd[0] = (struct pollfd){ .fd = s->stop_fd, .events = POLLIN };
	s->pfd[1] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
	s->n = 2;
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	return s;
}

static struct tailfix_server *
server_stop(struct tailfix_server *s)
{
	uint64_t one = 1;

	assert_int_equal(write(s->stop_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	for (int i = 0; i < s->n; i++)
		(void)close(s->pfd[i].fd);
	s->hub = doorbell_hub_free(s->hub);
	free(s);
	return NULL;
}

/* --- ring and log --- */

void
tailfix_start(struct tailfix *fx)
{
	struct ring_options opt = {
		.slots = fx->slots,
		.payload_bytes = PAYLOAD,
		.epoch = fx->lf.tail.epoch,
		.incarnation = fx->lf.tail.incarnation,
		.head_seq = fx->lf.durable_seq,
		.group = (gid_t)-1,
	};
	struct reason why = { "" };

	memcpy(opt.log_id, fx->lf.tail.log_id, sizeof(opt.log_id));
	if (ring_writer_create(fx->run_fd, &opt, &fx->ring, &why) < 0 ||
	    ring_writer_install(fx->ring, &why) < 0)
		fail_msg("ring: %s", why.text);
	ring_writer_set_oldest(fx->ring, 1);
	fx->server = server_start(fx);
}

void
tailfix_stop(struct tailfix *fx)
{
	if (!fx->ring)
		return;
	fx->server = server_stop(fx->server);
	fx->ring = ring_writer_free(fx->ring);
}

static size_t
compose(const struct tailfix *fx, const struct slice *events, unsigned n,
    uint8_t **out)
{
	size_t len = LOG_FRAME_HEADER;
	uint8_t *frame, *p;

	for (unsigned i = 0; i < n; i++)
		len += LOG_EVENT_HEADER + events[i].len;
	frame = malloc(len);
	assert_non_null(frame);
	p = frame + LOG_FRAME_HEADER;
	for (unsigned i = 0; i < n; i++) {
		put_le32(p, (uint32_t)events[i].len);
		put_le32(p + 4, crc32c(0, events[i].p, events[i].len));
		memcpy(p + LOG_EVENT_HEADER, events[i].p, events[i].len);
		p += LOG_EVENT_HEADER + events[i].len;
	}
	frame_compose(frame, FRAME_EVENTS, n, fx->lf.next_seq,
	    1000000 + fx->lf.next_seq, 0, (uint32_t)(len - LOG_FRAME_HEADER));
	*out = frame;
	return len;
}

static void
publish(struct tailfix *fx, const struct slice *events, unsigned n,
    uint64_t first, bool ephemeral)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += events[i].len;
	ring_writer_begin(fx->ring, n, bytes);
	for (unsigned i = 0; i < n; i++) {
		struct ring_event ev = {
			.seq = first + i,
			.len = (uint32_t)events[i].len,
			.crc = crc32c(0, events[i].p, events[i].len),
			.flags = (i == n - 1 ? RING_LAST_OF_REQUEST : 0) |
				 (ephemeral ? RING_EPHEMERAL : 0),
		};

		ring_writer_add(fx->ring, &ev, events[i].p);
	}
	ring_writer_commit(fx->ring);
	doorbell_hub_ring(fx->server->hub);
}

void
tailfix_append(
    struct tailfix *fx, const struct slice *events, unsigned n, bool visible)
{
	struct logfix *lf = &fx->lf;
	uint64_t first = lf->next_seq;
	uint8_t *frame;
	struct iovec iov;
	size_t len = compose(fx, events, n, &frame);

	if (len > log_writer_room(lf->lw)) {
		assert_int_equal(
		    log_writer_prepare(lf->lw, &lf->why), LOG_PREPARED);
		assert_int_equal(log_writer_roll(lf->lw, first, &lf->why), 0);
	}
	log_writer_stamp(lf->lw, frame, lf->durable_seq);
	iov = (struct iovec){ frame, len };
	lf->next_seq += n;
	assert_int_equal(
	    log_writer_flush(lf->lw, &iov, 1, lf->next_seq - 1, &lf->why), 0);
	lf->durable_seq = lf->next_seq - 1;
	free(frame);
	if (visible && fx->ring)
		publish(fx, events, n, first, false);
}

void
tailfix_fill(struct tailfix *fx, unsigned n)
{
	uint8_t buf[16][LOGFIX_EVENT_MAX];
	struct slice events[16];

	assert_true(n <= 16);
	for (unsigned i = 0; i < n; i++)
		events[i] =
		    slice_of(buf[i], logfix_event(fx->lf.next_seq + i, buf[i]));
	tailfix_append(fx, events, n, true);
}

void
tailfix_emit(struct tailfix *fx)
{
	const struct slice event = SLICE_STR("gone with the wind");

	publish(fx, &event, 1, fx->lf.durable_seq, true);
}
