/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A broker's socket whose answers the test makes up: a thread that serves
 * DIR/run/broker.sock (or another name), one connection after another.
 */

#ifndef PEAL_TESTS_LIB_FAKEBROKER_H
#define PEAL_TESTS_LIB_FAKEBROKER_H

#include <pthread.h>
#include <stdbool.h>

#include "core/frame.h"
#include "core/proto.h"

struct fakebroker {
	/* Asked. */
	const char *name; /* NULL: broker.sock */
	/*
	 * Answer one request by frames on fs; false closes the connection.
	 * `hello` is answered by the fake itself unless all is set.
	 */
	bool (*answer)(void *arg, struct frame_stream *fs,
	    const struct proto_reply *request);
	void *arg;
	bool all;
	uint64_t head; /* that the welcome names */
	/* Its own. */
	char path[300];
	int fd;
	pthread_t thread;
	unsigned connections;
};

struct tool;

/* Make DIR/run, and a tool that finds its house there; whatever fails ends
 * the test.  house_deinit(&t->house) is the caller's. */
void fakebroker_house(struct tool *t, const char *dir);

void fakebroker_start(struct fakebroker *fb, const char *dir);
void fakebroker_stop(struct fakebroker *fb);

/* Queue {"op":"error",…} for the request. */
void fakebroker_refuse(struct frame_stream *fs,
    const struct proto_reply *request, enum proto_code code,
    const char *message);
/* Queue a map of JSON text, with the request's id put in. */
void fakebroker_say(struct frame_stream *fs, const struct proto_reply *request,
    const char *json);

#endif
