/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A producer's connection, to the writer's socket or through a gateway: sends
 * requests and takes answers, one value each.  What goes wrong with it is that
 * it is lost.
 */

#ifndef PEAL_TESTS_LIB_OUTLET_H
#define PEAL_TESTS_LIB_OUTLET_H

#include <stdbool.h>

#include <msgpack.h>

#include "core/frame.h"
#include "tests/lib/client.h"

struct outlet_to {
	const char *socket; /* the writer's, or NULL: through a gateway */
	struct wire_to wire;
	const char *token;
};

struct outlet {
	bool open, gateway;
	struct frame_stream fs;
	struct client client;
	msgpack_unpacked value;
};

enum outlet_kind {
	OUTLET_ANSWER,
	OUTLET_LATE, /* nothing came in time */
	OUTLET_LOST,
	OUTLET_WRONG, /* what came is not of the protocol */
};

/* false: nobody is there, or does not serve yet. */
bool outlet_open(struct outlet *o, const struct outlet_to *to);
void outlet_close(struct outlet *o);
bool outlet_send(struct outlet *o, const msgpack_sbuffer *request);
/* The next map that comes, valid until the next call. */
enum outlet_kind outlet_next(
    struct outlet *o, int timeout_ms, const msgpack_object **answer);

#endif
