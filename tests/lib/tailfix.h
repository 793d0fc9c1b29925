/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A writer in small for those who follow it: a log, a ring, and a thread
 * that serves ring.sock.  What fails in here is the test's failure.
 */

#ifndef PEAL_TESTS_LIB_TAILFIX_H
#define PEAL_TESTS_LIB_TAILFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "tests/lib/logfix.h"

struct doorbell_hub;
struct ring_writer;

struct tailfix {
	char dir[64];
	char run[80];
	char log[80];
	int run_fd;
	uint32_t slots; /* of the rings to come: 64 */
	struct logfix lf;
	struct ring_writer *ring;
	struct tailfix_server *server;
};

/* Directories, an empty log, no ring yet. */
void tailfix_init(struct tailfix *fx);
void tailfix_deinit(struct tailfix *fx);

/* A new ring behind the log's end, and ring.sock. */
void tailfix_start(struct tailfix *fx);
/* The writer dies: what it had published stays readable. */
void tailfix_stop(struct tailfix *fx);
/* Another log takes its place; only between stop and start. */
void tailfix_new_log(struct tailfix *fx);

/* One request of n events: durable, published unless told not to. */
void tailfix_append(
    struct tailfix *fx, const struct slice *events, unsigned n, bool publish);
/* The same of n events of logfix_event(). */
void tailfix_fill(struct tailfix *fx, unsigned n);
/* An ephemeral event. */
void tailfix_emit(struct tailfix *fx);

#endif
