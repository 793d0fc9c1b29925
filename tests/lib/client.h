/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A client of the protocol for tests, written from doc/protocol.md alone.
 * Values are read and written with msgpack-c, of which the code under test
 * uses only the packer.
 */

#ifndef PEAL_TESTS_LIB_CLIENT_H
#define PEAL_TESTS_LIB_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <msgpack.h>

#include "tests/lib/checker.h"
#include "tests/lib/wire.h"

#define CLIENT_NOW UINT64_MAX

enum client_kind {
	CLIENT_BATCH,
	CLIENT_CONTROL,
	CLIENT_ENDED, /* see wire_close_code() */
	CLIENT_LATE,  /* nothing came in time */
	CLIENT_WRONG, /* what came is not of the protocol: client.wrong */
};

/* What came last; valid until the next call. */
struct client {
	struct wire *wire;
	char wrong[200];
	char log[128]; /* of welcome */
	uint64_t head;
	uint64_t oldest;
	char op[32];		  /* of a control message */
	struct checker_span span; /* of a batch or replay */
	uint64_t id;		  /* of a control message, 0: none */
	bool last;		  /* of a replay */
	msgpack_unpacked value;	  /* the whole message */
	const uint8_t *bytes;	  /* the same as it came */
	size_t len;
	struct checker_event *events;
	size_t cap_events;
};

/* Connect, upgrade and say hello; false: c->wrong says why. */
bool client_open(struct client *c, const struct wire_to *to, const char *token);
/* The same for a durable id of this client instance, NULL: none. */
bool client_open_as(struct client *c, const struct wire_to *to,
    const char *token, const char *instance);
void client_close(struct client *c);

enum client_kind client_next(struct client *c, int timeout_ms);
/* Skip what comes until a control message op; its kind, or how it ended. */
enum client_kind client_await(struct client *c, const char *op, int timeout_ms);

/* Subscribe from a position of c->log, or from CLIENT_NOW. */
bool client_subscribe(
    struct client *c, uint64_t id, const char *pattern, uint64_t from);
/* Pack what follows, then client_send() it. */
bool client_send(struct client *c, const msgpack_sbuffer *value);

/* A member of the last control message; NULL when there is none. */
const msgpack_object *client_get(const struct client *c, const char *key);
/* The same for a str of that value, and for a uint (fallback otherwise). */
bool client_is(const struct client *c, const char *key, const char *text);
uint64_t client_uint(
    const struct client *c, const char *key, uint64_t fallback);

/* For building requests. */
void client_pack_str(msgpack_packer *pk, const char *s);

/* Read a whole small file, without its last newline; NULL: not there. */
char *client_read_file(const char *path);

#endif
