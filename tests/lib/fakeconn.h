/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A connection without a socket: the functions of gateway/conn.h that the
 * fan-out and the sessions call.  It hands each message to the test at the
 * moment it is accepted, and is blocked when the test says so.
 */

#ifndef PEAL_TESTS_LIB_FAKECONN_H
#define PEAL_TESTS_LIB_FAKECONN_H

#include <stdbool.h>

#include "core/bytes.h"
#include "gateway/conn.h"
#include "gateway/form.h"

struct fakeconn {
	/* A whole message, batch or not, in the order of sending; its value. */
	void (*got)(void *arg, struct slice value);
	void (*ready)(void *arg);
	void *arg;
	/* How many blocks go through before the next one is pinned. */
	unsigned room;
	bool pinned; /* a block waits for room */
	bool lane;   /* control messages wait for the flush */
	bool want_ready;
	unsigned closed; /* the code, once closed */
	enum form form;	 /* what the client speaks */
	bool established;
	bool http;     /* it says that it is a request */
	uint64_t sent; /* bytes of messages */
};

static inline struct conn *
fakeconn_conn(struct fakeconn *c)
{
	return (struct conn *)c;
}

/* End of a pass: what waits is written if there is room, then ready(). */
void fakeconn_flush(struct fakeconn *c);

#endif
