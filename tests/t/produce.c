/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Append through the writer's socket, many requests under way at once, and
 * remember every answer.  A connection that is lost is made anew and what has
 * no answer is repeated with its keys; at the end each answer must hold in the
 * log, and no key may be there twice.
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/client.h"
#include "tests/lib/truth.h"

enum {
	PRODUCE_IN_MAX = 1 << 20,
	PRODUCE_PAUSE_MS = 20,
};

struct produce {
	const char *path;
	const char *name; /* begins each key */
	const char *log;  /* directory, NULL: no comparison */
	uint64_t requests;
	uint64_t batch;	 /* events in each */
	uint64_t window; /* requests under way */
	uint64_t bytes;	 /* of data in each event */
	int64_t deadline_ms;
	pid_t kill_pid;	  /* killed at kill_at answers */
	uint64_t kill_at; /* 0: never */
	int fd;
	uint64_t *seq;	/* of each request, 0: no answer yet */
	uint8_t *found; /* how often each key of a request is in the log */
	uint64_t next;	/* to be sent */
	uint64_t answered;
	uint64_t duplicates;
	uint64_t connections;
	uint64_t refusals; /* storage_full and unavailable */
	uint8_t *in;
	size_t in_len;
};

static void __attribute__((noreturn)) produce_die(const char *what)
{
	printf("# produce: %s\n", what);
	exit(1);
}

static bool
produce_connect(struct produce *p)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlen(p->path) >= sizeof(sun.sun_path))
		produce_die("the socket's path is too long");
	memcpy(sun.sun_path, p->path, strlen(p->path));
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(p->fd, (struct sockaddr *)&sun, sizeof(sun)) == 0) {
		p->connections++;
		p->in_len = 0;
		return true;
	}
	close(p->fd);
	p->fd = -1;
	return false;
}

static void
produce_event(struct produce *p, msgpack_packer *pk, uint64_t r, uint64_t i)
{
	char key[64], topic[32];
	char *data = calloc(1, p->bytes + 1);

	snprintf(key, sizeof(key), "%s-%" PRIu64 "-%" PRIu64, p->name, r, i);
	snprintf(topic, sizeof(topic), "load.%" PRIu64, (r + i) % 7);
	if (data == NULL)
		produce_die("out of memory");
	memset(data, 'x', p->bytes);
	msgpack_pack_map(pk, 4);
	client_pack_str(pk, "topic");
	client_pack_str(pk, topic);
	client_pack_str(pk, "type");
	client_pack_str(pk, "load_applied");
	client_pack_str(pk, "data");
	client_pack_str(pk, data);
	client_pack_str(pk, "key");
	client_pack_str(pk, key);
	free(data);
}

/* One request as a socket frame; false when the connection is lost. */
static bool
produce_send(struct produce *p, uint64_t r)
{
	msgpack_sbuffer sb;
	msgpack_packer pk;
	uint8_t head[4];
	bool ok;

	msgpack_sbuffer_init(&sb);
	msgpack_packer_init(&pk, &sb, msgpack_sbuffer_write);
	msgpack_pack_map(&pk, 3);
	client_pack_str(&pk, "op");
	client_pack_str(&pk, "append");
	client_pack_str(&pk, "id");
	msgpack_pack_uint64(&pk, r + 1);
	client_pack_str(&pk, "events");
	msgpack_pack_array(&pk, p->batch);
	for (uint64_t i = 0; i < p->batch; i++)
		produce_event(p, &pk, r, i);
	for (unsigned i = 0; i < sizeof(head); i++)
		head[i] = (uint8_t)(sb.size >> 8 * i);
	ok = send(p->fd, head, sizeof(head), MSG_NOSIGNAL | MSG_MORE) ==
		 (ssize_t)sizeof(head) &&
	     send(p->fd, sb.data, sb.size, MSG_NOSIGNAL) == (ssize_t)sb.size;
	msgpack_sbuffer_destroy(&sb);
	return ok;
}

static const msgpack_object *
produce_member(const msgpack_object *map, const char *key)
{
	for (uint32_t i = 0; i < map->via.map.size; i++)
		if (map->via.map.ptr[i].key.type == MSGPACK_OBJECT_STR &&
		    map->via.map.ptr[i].key.via.str.size == strlen(key) &&
		    !memcmp(
			map->via.map.ptr[i].key.via.str.ptr, key, strlen(key)))
			return &map->via.map.ptr[i].val;
	produce_die("an answer lacks a member");
}

static bool
produce_is(const msgpack_object *o, const char *text)
{
	return o->type == MSGPACK_OBJECT_STR &&
	       o->via.str.size == strlen(text) &&
	       !memcmp(o->via.str.ptr, text, strlen(text));
}

/* An answer; false where it says that the request must be made again. */
static bool
produce_answer(struct produce *p, const msgpack_object *reply)
{
	uint64_t id;

	if (reply->type != MSGPACK_OBJECT_MAP)
		produce_die("an answer is no map");
	id = produce_member(reply, "id")->via.u64;
	if (id == 0 || id > p->requests || p->seq[id - 1] != 0)
		produce_die("an answer that nobody waits for");
	if (produce_is(produce_member(reply, "op"), "appended")) {
		p->seq[id - 1] = produce_member(reply, "seq")->via.u64;
		p->answered++;
		if (produce_member(reply, "duplicate")->via.boolean)
			p->duplicates++;
		if (p->kill_at != 0 && p->answered == p->kill_at)
			(void)kill(p->kill_pid, SIGKILL);
		return true;
	}
	if (!produce_is(produce_member(reply, "code"), "storage_full") &&
	    !produce_is(produce_member(reply, "code"), "unavailable") &&
	    !produce_is(produce_member(reply, "code"), "unknown")) {
		printf("# %.*s\n",
		    (int)produce_member(reply, "message")->via.str.size,
		    produce_member(reply, "message")->via.str.ptr);
		produce_die("an append was refused");
	}
	p->refusals++;
	return false;
}

/* Take the answers that are there; false: begin anew. */
static bool
produce_receive(struct produce *p)
{
	msgpack_unpacked one;
	bool ok = true;
	ssize_t n =
	    recv(p->fd, p->in + p->in_len, PRODUCE_IN_MAX - p->in_len, 0);

	if (n <= 0)
		return false;
	p->in_len += (size_t)n;
	msgpack_unpacked_init(&one);
	while (ok && p->in_len >= 4) {
		size_t len = (size_t)p->in[0] | (size_t)p->in[1] << 8 |
			     (size_t)p->in[2] << 16 | (size_t)p->in[3] << 24;
		size_t used = 0;

		if (len > PRODUCE_IN_MAX - 4)
			produce_die("an answer is too long");
		if (p->in_len < 4 + len)
			break;
		if (msgpack_unpack_next(&one, (char *)p->in + 4, len, &used) !=
			MSGPACK_UNPACK_SUCCESS ||
		    used != len)
			produce_die("an answer is not one value");
		ok = produce_answer(p, &one.data);
		p->in_len -= 4 + len;
		memmove(p->in, p->in + 4 + len, p->in_len);
	}
	msgpack_unpacked_destroy(&one);
	return ok;
}

/* Until all is answered on this connection; false: connect again. */
static bool
produce_connection(struct produce *p)
{
	uint64_t sent = 0, before = p->answered;

	p->next = 0;
	while (p->answered < p->requests) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLIN };

		while (sent - (p->answered - before) < p->window &&
		       p->next < p->requests) {
			if (p->seq[p->next] == 0) {
				if (!produce_send(p, p->next))
					return false;
				sent++;
			}
			p->next++;
		}
		if (poll(&pfd, 1, (int)(p->deadline_ms - wire_now_ms())) <= 0)
			produce_die("the time is up");
		if (!produce_receive(p))
			return false;
	}
	return true;
}

static bool
produce_compare(void *arg, const struct truth_event *ev)
{
	struct produce *p = arg;
	char key[64];
	unsigned long long r, i;

	snprintf(key, sizeof(key), "%.*s", (int)ev->key.len,
	    ev->key.len != 0 ? ev->key.p : "");
	if (strncmp(key, p->name, strlen(p->name)) != 0 ||
	    sscanf(key + strlen(p->name), "-%llu-%llu", &r, &i) != 2 ||
	    r >= p->requests || i >= p->batch)
		return true;
	if (p->found[r * p->batch + i]++ != 0) {
		printf("# key '%s' is in the log twice\n", key);
		produce_die("something was stored twice");
	}
	if (p->seq[r] + i != ev->event.seq) {
		printf("# key '%s' was acknowledged at %" PRIu64
		       " and is at %" PRIu64 "\n",
		    key, p->seq[r] + (uint64_t)i, ev->event.seq);
		produce_die("an answer does not hold");
	}
	return true;
}

static void
produce_truth(struct produce *p)
{
	if (!truth_each(p->log, produce_compare, p))
		produce_die("the log cannot be read");
	for (uint64_t i = 0; i < p->requests * p->batch; i++)
		if (p->found[i] != 1)
			produce_die("something acknowledged is lost");
}

static uint64_t
produce_number(const char *text)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0')
		produce_die("an option takes a number");
	return v;
}

static void
produce_options(struct produce *p, int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "s:N:n:b:w:B:d:k:K:l:")) != -1)
		switch (o) {
		case 's':
			p->path = optarg;
			break;
		case 'N':
			p->name = optarg;
			break;
		case 'n':
			p->requests = produce_number(optarg);
			break;
		case 'b':
			p->batch = produce_number(optarg);
			break;
		case 'w':
			p->window = produce_number(optarg);
			break;
		case 'B':
			p->bytes = produce_number(optarg);
			break;
		case 'd':
			p->deadline_ms = wire_now_ms() +
					 1000 * (int64_t)produce_number(optarg);
			break;
		case 'k':
			p->kill_at = produce_number(optarg);
			break;
		case 'K':
			p->kill_pid = (pid_t)produce_number(optarg);
			break;
		case 'l':
			p->log = optarg;
			break;
		default:
			produce_die("usage: produce -s SOCKET -n REQUESTS "
				    "[-N NAME] [-b EVENTS] [-w WINDOW] "
				    "[-B BYTES] [-d SECONDS] [-k ANSWERS -K "
				    "PID] [-l LOGDIR]");
		}
}

int
main(int argc, char **argv)
{
	struct produce p = { .name = "p",
		.requests = 1,
		.batch = 1,
		.window = 64,
		.bytes = 100,
		.deadline_ms = wire_now_ms() + WIRE_DEADLINE_MS,
		.fd = -1 };

	produce_options(&p, argc, argv);
	p.seq = calloc(p.requests, sizeof(*p.seq));
	p.found = calloc(p.requests, p.batch);
	p.in = malloc(PRODUCE_IN_MAX);
	if (p.path == NULL || p.seq == NULL || p.found == NULL || p.in == NULL)
		produce_die("no socket, or no memory");
	while (p.answered < p.requests) {
		if (wire_now_ms() > p.deadline_ms)
			produce_die("the time is up");
		if (produce_connect(&p) && produce_connection(&p))
			break;
		/* The writer starts again, or has no room for now. */
		if (p.fd >= 0)
			close(p.fd);
		(void)poll(NULL, 0, PRODUCE_PAUSE_MS);
	}
	if (p.log != NULL)
		produce_truth(&p);
	printf("answered=%" PRIu64 " duplicates=%" PRIu64
	       " connections=%" PRIu64 " refusals=%" PRIu64 "\n",
	    p.answered, p.duplicates, p.connections, p.refusals);
	free(p.seq);
	free(p.found);
	free(p.in);
	return 0;
}
