/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Clients whose permissions change.  "try" says how tokens are received, by
 * as many connections as it takes to meet each of several gateways; "wait"
 * stays connected until every client was told what is expected; "knock" finds
 * that nobody opens.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/client.h"

enum {
	CLIENTS = 16,
	PATIENCE_MS = 300000,
	KNOCK_MS = 1000 /* each, for a door that is to stay closed */
};

static struct {
	struct wire_to to;
	char *token;
	const char *pattern; /* subscribed to at first */
	const char *then;    /* a topic that is subscribed to afterwards */
	const char *ready;   /* a file that says: all are live */
	const char *again;   /* the same of the second time */
} opt = { .to.host = "127.0.0.1" };

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list ap;

	printf("# grants: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(1);
}

static void
touch(const char *path)
{
	FILE *f = path ? fopen(path, "w") : NULL;

	if (path && (!f || fclose(f) != 0))
		die("cannot make '%s'", path);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * Read on to the control message op; true: `expiring`, which may come at any
 * time, was among what came before it.
 */
static bool
control(struct client *c, const char *op)
{
	bool expiring = false;
	enum client_kind kind;

	for (;;) {
		kind = client_next(c, PATIENCE_MS);
		if (kind == CLIENT_CONTROL && strcmp(c->op, op) == 0)
			return expiring;
		if (kind != CLIENT_CONTROL && kind != CLIENT_BATCH)
			break;
		expiring = expiring || (kind == CLIENT_CONTROL &&
					   strcmp(c->op, "expiring") == 0);
	}
	if (kind == CLIENT_ENDED)
		die("closed with %u, not told '%s'", wire_close_code(c->wire),
		    op);
	die("not told '%s': %s", op, c->wrong);
}

static unsigned
ends_with(struct client *c)
{
	enum client_kind kind;

	do
		kind = client_next(c, PATIENCE_MS);
	while (kind == CLIENT_BATCH || kind == CLIENT_CONTROL);
	if (kind != CLIENT_ENDED)
		die("it does not end: %s", c->wrong);
	return wire_close_code(c->wire);
}

/* --- try --- */

/* "welcome", or the code that the connection was closed with. */
static unsigned
try_one(void)
{
	struct client c;
	unsigned code = 0;

	if (!client_open(&c, &opt.to, opt.token)) {
		if (!c.wire)
			die("no connection");
		code = ends_with(&c);
	}
	client_close(&c);
	return code;
}

static void
try_all(void)
{
	unsigned first = try_one(), code = first;

	for (unsigned i = 1; i < CLIENTS && code == first; i++)
		code = try_one();
	if (code != first)
		printf("%u and %u\n", first, code);
	else if (code == 0)
		printf("welcome\n");
	else
		printf("%u\n", code);
}

static void
knock_all(void)
{
	for (unsigned i = 0; i < CLIENTS / 4; i++)
		if (wire_dial(&opt.to, KNOCK_MS))
			die("somebody has opened");
}

/* --- wait --- */

/* true: it was told `expiring` meanwhile. */
static bool
subscribe(struct client *c, uint64_t id, const char *pattern)
{
	if (!client_subscribe(c, id, pattern, CLIENT_NOW))
		die("cannot subscribe: %s", c->wrong);
	return control(c, "subscribed");
}

static void
sees(struct client *c, const char *topic)
{
	enum client_kind kind;

	do {
		kind = client_next(c, PATIENCE_MS);
		if (kind != CLIENT_BATCH && kind != CLIENT_CONTROL)
			die("no event of '%s': %s", topic, c->wrong);
	} while (kind != CLIENT_BATCH || c->span.n == 0);
	for (size_t i = 0; i < c->span.n; i++)
		if (c->span.events[i].topic_len != strlen(topic) ||
		    memcmp(c->span.events[i].topic, topic, strlen(topic)) != 0)
			die("an event of another topic");
}

/* What the connection ends with, behind that message; 0: it does not. */
static unsigned
end_of(const char *op)
{
	return strcmp(op, "revoked") == 0    ? 4503
	       : strcmp(op, "expiring") == 0 ? 4401
					     : 0;
}

/* All are told; prints when the last one was. */
static void
wait_all(const char *op)
{
	static struct client clients[CLIENTS];
	bool expiring[CLIENTS];

	for (unsigned i = 0; i < CLIENTS; i++) {
		if (!client_open(&clients[i], &opt.to, opt.token))
			die("no welcome: %s", clients[i].wrong);
		expiring[i] = subscribe(&clients[i], 1, opt.pattern);
	}
	touch(opt.ready);
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (!expiring[i] || strcmp(op, "expiring") != 0)
			(void)control(&clients[i], op);
		if (strcmp(op, "lagged") == 0 &&
		    (!client_is(&clients[i], "reason", "permissions") ||
			client_uint(&clients[i], "id", 0) != 1))
			die("lagged, but not for permissions");
	}
	printf("at %" PRIu64 "\n", now_ms());
	fflush(stdout);
	for (unsigned i = 0; i < CLIENTS; i++)
		if (end_of(op) != 0 && ends_with(&clients[i]) != end_of(op))
			die("closed with %u", wire_close_code(clients[i].wire));
	for (unsigned i = 0; opt.then && i < CLIENTS; i++)
		(void)subscribe(&clients[i], 2, opt.then);
	touch(opt.again);
	for (unsigned i = 0; opt.then && i < CLIENTS; i++)
		sees(&clients[i], opt.then);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_close(&clients[i]);
}

int
main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "p:C:t:P:T:r:a:")) != -1)
		switch (c) {
		case 'p':
			opt.to.port = (unsigned)atoi(optarg);
			break;
		case 'C':
			opt.to.cafile = optarg;
			break;
		case 't':
			opt.token = client_read_file(optarg);
			break;
		case 'P':
			opt.pattern = optarg;
			break;
		case 'T':
			opt.then = optarg;
			break;
		case 'r':
			opt.ready = optarg;
			break;
		case 'a':
			opt.again = optarg;
			break;
		default:
			return 2;
		}
	if (!opt.token || argc - optind < 1)
		die("options are missing");
	if (strcmp(argv[optind], "try") == 0)
		try_all();
	else if (strcmp(argv[optind], "knock") == 0)
		knock_all();
	else if (strcmp(argv[optind], "wait") == 0 && argc - optind == 2)
		wait_all(argv[optind + 1]);
	else
		die("what is '%s'?", argv[optind]);
	return 0;
}
