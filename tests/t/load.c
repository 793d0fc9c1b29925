/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Append to the writer's socket on a schedule: event i is due at i / rate
 * seconds, however late the ones before it were.  Topics, types and data come
 * from a seed and go through every fold.
 */

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/frame.h"
#include "core/proto.h"
#include "core/reason.h"
#include "tests/lib/wire.h"

enum {
	LOAD_WINDOW = 256, /* requests without an answer */
	LOAD_FRAME = 1 << 16,
};

struct load {
	const char *path;
	const char *prefix; /* of topics */
	uint64_t rate;	    /* events a second, 0: as fast as it goes */
	uint64_t events;    /* in all, 0: until told to stop */
	uint64_t topics;
	uint64_t batch; /* events of a request, at most */
	uint64_t bytes; /* of text in an event */
	uint64_t random;
	int64_t begun_ms, deadline_ms;
	struct frame_stream fs;
	uint64_t sent, requests, answered, head;
	int64_t latest_ms; /* the most that an event was sent behind its time */
};

static volatile sig_atomic_t load_stopped;

static void
load_stop(int signo)
{
	load_stopped = 1;
}

static void __attribute__((noreturn)) load_die(const char *what)
{
	printf("# load: %s\n", what);
	exit(1);
}

static uint64_t
load_random(struct load *l, uint64_t below)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random % below;
}

static void
load_connect(struct load *l)
{
	struct reason why;
	int fd;

	if (frame_connect(l->path, SOCK_STREAM, &fd, &why) < 0)
		load_die(why.text);
	frame_stream_init(&l->fs, fd, LOAD_FRAME);
}

/* {name: value}, what its type folds. */
static const char *
load_data(struct load *l, struct mp_buf *b)
{
	static char text[4096];
	uint64_t kind = load_random(l, 20);
	char tag[16];

	if (text[0] == '\0')
		memset(text, 'x', sizeof(text));
	snprintf(tag, sizeof(tag), "t%u", (unsigned)load_random(l, 6));
	if (kind < 8) {
		mp_pack_map(b, 2);
		mp_pair_uint(b, "n", l->sent);
		mp_pair_str(
		    b, "text", slice_of(text, MIN(l->bytes, sizeof(text))));
		return "load_set";
	}
	if (kind < 19 && kind >= 14) {
		mp_pack_map(b, 1);
		mp_pair_cstr(b, "tags", tag);
		return kind == 18 ? "thing_removed" : "thing_added";
	}
	mp_pack_map(b, 1);
	mp_pack_cstr(b, tag);
	if (kind == 19)
		mp_pack_nil(b);
	else
		mp_pack_uint(b, l->sent);
	return kind == 13   ? "load_deleted"
	       : kind == 12 ? "load_seen"
			    : "load_changed";
}

static void
load_event(struct load *l, struct mp_buf *b)
{
	struct mp_buf data = { 0 };
	const char *type = load_data(l, &data);
	char topic[100];
	uint64_t i = load_random(l, l->topics);

	snprintf(topic, sizeof(topic), "%s.%u.%u", l->prefix,
	    (unsigned)(i % 16), (unsigned)i);
	mp_pack_map(b, 3);
	mp_pair_cstr(b, "topic", topic);
	mp_pair_cstr(b, "type", type);
	mp_pair_raw(b, "data", slice_of(data.p, data.len));
	mp_buf_deinit(&data);
}

/* How many events are due by now; *wait_ms: until the next one is. */
static uint64_t
load_due(const struct load *l, int *wait_ms)
{
	int64_t now = wire_now_ms() - l->begun_ms;
	uint64_t due =
	    l->rate != 0 ? (uint64_t)now * l->rate / 1000 : l->sent + l->batch;

	*wait_ms = 1;
	if (l->events != 0 && due > l->events)
		due = l->events;
	return due > l->sent ? due - l->sent : 0;
}

static void
load_send(struct load *l, uint64_t n)
{
	int64_t due_ms = l->rate != 0 ? (int64_t)(l->sent * 1000 / l->rate) : 0;
	size_t mark;
	struct mp_buf *b = frame_begin(&l->fs, &mark);
	int r;

	l->latest_ms = MAX(l->latest_ms, wire_now_ms() - l->begun_ms - due_ms);
	proto_pack_head(
	    b, "append", (struct proto_uint){ true, ++l->requests }, 1);
	mp_pack_cstr(b, "events");
	mp_pack_array(b, (uint32_t)n);
	for (uint64_t i = 0; i < n; i++, l->sent++)
		load_event(l, b);
	if (frame_end(&l->fs, mark) < 0)
		load_die("out of memory");
	do
		r = frame_flush(&l->fs);
	while (r == FRAME_IO_AGAIN);
	if (r != FRAME_IO_DONE)
		load_die("the writer has gone");
}

static void
load_receive(struct load *l)
{
	struct proto_uint seq;
	struct slice value;

	if (frame_fill(&l->fs) != FRAME_IO_DONE)
		load_die("the writer has gone");
	while (frame_next(&l->fs, &value) == FRAME_ONE) {
		if (!slice_is(proto_get_str(value, "op"), "appended"))
			load_die("an append was refused");
		seq = proto_get_uint(value, "seq");
		l->head = MAX(l->head, seq.v);
		l->answered++;
	}
}

static void
load_run(struct load *l)
{
	l->begun_ms = wire_now_ms();
	for (;;) {
		struct pollfd pfd = { .fd = l->fs.fd, .events = POLLIN };
		bool room = l->requests - l->answered < LOAD_WINDOW;
		bool done = load_stopped != 0 ||
			    (l->events != 0 && l->sent >= l->events);
		int wait_ms;
		uint64_t due = load_due(l, &wait_ms);

		if (done && l->answered == l->requests)
			return;
		if (wire_now_ms() > l->deadline_ms)
			load_die("the time is up");
		if (!done && room && due > 0) {
			load_send(l, MIN(due, l->batch));
			wait_ms = 0;
		}
		if (done || !room)
			wait_ms = 1000;
		if (poll(&pfd, 1, wait_ms) > 0)
			load_receive(l);
	}
}

static void
load_options(struct load *l, int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "s:p:r:n:T:b:B:S:d:")) != -1) {
		uint64_t number =
		    strtoull(optarg != NULL ? optarg : "", NULL, 10);

		switch (o) {
		case 's':
			l->path = optarg;
			break;
		case 'p':
			l->prefix = optarg;
			break;
		case 'r':
			l->rate = number;
			break;
		case 'n':
			l->events = number;
			break;
		case 'T':
			l->topics = number;
			break;
		case 'b':
			l->batch = number;
			break;
		case 'B':
			l->bytes = number;
			break;
		case 'S':
			l->random = number;
			break;
		case 'd':
			l->deadline_ms = wire_now_ms() + 1000 * (int64_t)number;
			break;
		default:
			load_die("usage: load -s SOCKET [-p PREFIX] [-r RATE] "
				 "[-n EVENTS] [-T TOPICS] [-b BATCH] "
				 "[-B BYTES] [-S SEED] [-d SECONDS]");
		}
	}
}

int
main(int argc, char **argv)
{
	struct load l = { .prefix = "load",
		.topics = 100,
		.batch = 20,
		.bytes = 50,
		.random = (uint64_t)wire_now_ms() | 1,
		.deadline_ms = wire_now_ms() + WIRE_DEADLINE_MS };
	const struct sigaction stop = { .sa_handler = load_stop };
	int64_t ms;

	load_options(&l, argc, argv);
	if (l.path == NULL || l.topics == 0 || l.batch == 0 || l.random == 0)
		load_die("no socket, or a number that is zero");
	sigaction(SIGTERM, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	printf("# load: seed %" PRIu64 "\n", l.random);
	load_connect(&l);
	load_run(&l);
	ms = wire_now_ms() - l.begun_ms;
	printf("events=%" PRIu64 " ms=%" PRId64 " rate=%" PRIu64
	       " latest_ms=%" PRId64 "\n",
	    l.sent, ms, ms > 0 ? l.sent * 1000 / (uint64_t)ms : 0, l.latest_ms);
	frame_stream_deinit(&l.fs);
	return 0;
}
