/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Clients that subscribe and then read nothing until a file appears.  What
 * they find then must be an unbroken chain, ended by lagged with the position
 * up to which it goes; and they can subscribe again.
 */

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/client.h"

struct stalled {
	struct client client;
	struct checker *checker;
};

static void __attribute__((noreturn))
stall_die(const char *what, const char *detail)
{
	printf("# stall: %s%s\n", what, detail);
	exit(1);
}

/* Subscribe from now; the answer is the last thing that is read. */
static void
stall_begin(struct stalled *s, const struct wire_to *to, const char *token)
{
	if (!client_open(&s->client, to, token))
		stall_die("no welcome: ", s->client.wrong);
	if (!client_subscribe(&s->client, 1, ">", CLIENT_NOW) ||
	    client_await(&s->client, "subscribed", WIRE_DEADLINE_MS) !=
		CLIENT_CONTROL)
		stall_die("not subscribed", "");
	s->checker =
	    checker_new(">", client_uint(&s->client, "seq", UINT64_MAX));
	if (s->checker == NULL)
		stall_die("no room", "");
}

static void
stall_read(struct stalled *s)
{
	struct client *c = &s->client;

	for (;;) {
		switch (client_next(c, WIRE_DEADLINE_MS)) {
		case CLIENT_BATCH:
			if (!checker_span(s->checker, &c->span))
				stall_die("", checker_fault(s->checker));
			continue;
		case CLIENT_CONTROL:
			break;
		case CLIENT_WRONG:
			stall_die("", c->wrong);
		case CLIENT_ENDED:
			snprintf(c->wrong, sizeof(c->wrong), "%u at %" PRIu64,
			    wire_close_code(c->wire),
			    checker_position(s->checker));
			stall_die("closed with ", c->wrong);
		default:
			snprintf(c->wrong, sizeof(c->wrong), "%" PRIu64,
			    checker_position(s->checker));
			stall_die(
			    "neither lagged nor events behind ", c->wrong);
		}
		if (strcmp(c->op, "lagged") == 0)
			break;
		stall_die("unexpected ", c->op);
	}
	if (!client_is(c, "reason", "ring"))
		stall_die("lagged for another reason", "");
	if (client_get(c, "id") != NULL)
		stall_die("lagged with an id", "");
	if (client_uint(c, "position", UINT64_MAX) !=
	    checker_position(s->checker))
		stall_die("lagged at another position", "");
	if (client_uint(c, "head", 0) < checker_position(s->checker))
		stall_die("lagged ahead of the head", "");
	if (!client_subscribe(c, 1, ">", CLIENT_NOW) ||
	    client_await(c, "subscribed", WIRE_DEADLINE_MS) != CLIENT_CONTROL)
		stall_die("not subscribed again", "");
}

int
main(int argc, char **argv)
{
	struct wire_to to = { "127.0.0.1", 0, NULL };
	struct stalled *all;
	char *token;
	int n;

	if (argc != 7) {
		fprintf(stderr, "usage: stall PORT CAFILE TOKENFILE CLIENTS "
				"READYFILE GOFILE\n");
		return 2;
	}
	to.port = (unsigned)atoi(argv[1]);
	to.cafile = argv[2];
	token = client_read_file(argv[3]);
	n = atoi(argv[4]);
	all = calloc((size_t)n, sizeof(*all));
	if (token == NULL || n <= 0 || all == NULL)
		stall_die("no token, or no clients", "");
	for (int i = 0; i < n; i++)
		stall_begin(&all[i], &to, token);
	fclose(fopen(argv[5], "we"));
	while (access(argv[6], F_OK) != 0)
		(void)poll(NULL, 0, 10);
	for (int i = 0; i < n; i++) {
		stall_read(&all[i]);
		checker_free(all[i].checker);
		client_close(&all[i].client);
	}
	printf("lagged=%d\n", n);
	free(all);
	free(token);
	return 0;
}
