/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sessions without sockets on either side but the writer's: a real ring, a
 * real forward to a writer that the test plays, connections that record.
 * Messages are written and read in the JSON form.
 */

#ifndef PEAL_TESTS_LIB_SESSIONFIX_H
#define PEAL_TESTS_LIB_SESSIONFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/frame.h"
#include "core/mp.h"
#include "gateway/conn.h"
#include "gateway/gateway_priv.h"
#include "tests/lib/fakeconn.h"
#include "tests/lib/ringfix.h"

enum {
	SESSIONFIX_CLIENTS = 4,
	SESSIONFIX_MESSAGES = 4096,
};

struct sessionfix_client {
	struct sessionfix *fx;
	struct fakeconn conn;
	void *session;
	char *got[SESSIONFIX_MESSAGES]; /* as JSON */
	unsigned n, read;
};

/* A process that the gateway asks, played by the test. */
struct sessionfix_peer {
	int listener;		    /* its socket */
	struct frame_stream stream; /* the gateway's connection to it */
	const char *fold;	    /* how everything folds, in its welcome */
	const char *log;	    /* of which log, the same */
};

struct sessionfix {
	struct ringfix ring;
	struct gateway gw;
	struct conf *conf;
	struct conn_handler handler;
	struct sessionfix_client clients[SESSIONFIX_CLIENTS];
	bool no_writer; /* attach_live() says false */

	struct sessionfix_peer writer, broker;
	struct mp_buf text; /* of sessionfix_writer_got() and the like */
};

int sessionfix_setup(void **state);
int sessionfix_teardown(void **state);

/* Open client i; with a token it says hello and reads its welcome. */
struct sessionfix_client *sessionfix_client(
    struct sessionfix *fx, unsigned i, const char *token);
/*
 * A token of these tests: "USER READ WRITE SECONDS [ISSUED]", where READ and
 * WRITE are patterns joined by commas; '-' for none.  ISSUED is in Unix
 * seconds, 1000 where it is left out.
 */

/* The client says this; ' stands for ". */
void sessionfix_say(struct sessionfix_client *c, const char *fmt, ...)
    PRINTF(2, 3);
/* The next message it got, as JSON with ' for "; fails when there is none. */
const char *sessionfix_next(struct sessionfix_client *c);
/* It has got nothing more. */
void sessionfix_quiet(struct sessionfix_client *c);
/* The next message contains each of these; ends with NULL. */
void sessionfix_expect(struct sessionfix_client *c, ...);

/* Publish n durable events of the topic; then one turn. */
void sessionfix_publish(struct sessionfix *fx, const char *topic, unsigned n);
/* One of this type and version. */
void sessionfix_publish_as(struct sessionfix *fx, const char *topic,
    const char *type, uint64_t version);
/* One request of n (at most 8) events; data is JSON with ' for ". */
struct sessionfix_event {
	const char *topic, *data;
};
void sessionfix_publish_data(
    struct sessionfix *fx, const struct sessionfix_event *v, unsigned n);
/* The same without the turn: nobody has looked yet. */
void sessionfix_publish_unseen(
    struct sessionfix *fx, const struct sessionfix_event *v, unsigned n);
/* A turn of the gateway: feed, clients, and the socket to the writer. */
void sessionfix_turn(struct sessionfix *fx);

/* What the gateway asked the writer next, as JSON with ' for ". */
const char *sessionfix_writer_got(struct sessionfix *fx);
/* Nothing more was asked. */
void sessionfix_writer_quiet(struct sessionfix *fx);
void sessionfix_writer_says(struct sessionfix *fx, const char *fmt, ...)
    PRINTF(2, 3);
/* Hang up, and take no new connection; or take one again. */
void sessionfix_writer_leave(struct sessionfix *fx);
void sessionfix_writer_come(struct sessionfix *fx);

/* The same of the broker; at first there is none. */
const char *sessionfix_broker_got(struct sessionfix *fx);
void sessionfix_broker_quiet(struct sessionfix *fx);
void sessionfix_broker_says(struct sessionfix *fx, const char *fmt, ...)
    PRINTF(2, 3);
void sessionfix_broker_leave(struct sessionfix *fx);
void sessionfix_broker_come(struct sessionfix *fx);

#endif
