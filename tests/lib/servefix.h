/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The broker's socket over socket pairs, with queries and a store that a test
 * rules over.  Messages are JSON with ' for ".
 *
 * A snapshot's first pattern says what it is: "p.N" has N parts, "none" is
 * refused with `not_found`, "hold" waits for servefix_release(), as history
 * of that topic does.
 */

#ifndef PEAL_TESTS_LIB_SERVEFIX_H
#define PEAL_TESTS_LIB_SERVEFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/clients.h"
#include "broker/serve.h"
#include "core/frame.h"
#include "core/macros.h"
#include "tests/lib/tmpdir.h"

enum {
	SERVEFIX_PEERS = 8
};

struct servefix {
	struct tmpdir *dir;
	struct loop *loop;
	struct jobs *jobs;
	struct clients *clients;
	struct serve *serve;
	struct frame_stream peers[SERVEFIX_PEERS]; /* our ends */
	unsigned n_peers;
	char *said[64]; /* what servefix_next() gave, freed in turn */
	unsigned n_said;
};

/* The store stands at seq 100 of a log that reaches to 100. */
int servefix_setup(void **state);
int servefix_teardown(void **state);

/* The log's name, where it ends and how far it is folded. */
void servefix_store(const char *log, uint64_t tail, uint64_t seq);
/* A writer runs. */
void servefix_attached(bool attached);
/* The folder has got to seq, and says so. */
void servefix_commit(uint64_t seq);
/* Bytes of each part of snapshots that are made from now on. */
void servefix_part_bytes(size_t bytes);
/* All spools have to make room. */
void servefix_spools_go(void);
/* Spools with references. */
unsigned servefix_spools(void);
/* Parts that were packed so far. */
unsigned servefix_packed(void);
/* Let n of those that are held go on; wait until one is held. */
void servefix_release(unsigned n);
void servefix_await_held(struct servefix *fx);
/* Operations in the order in which workers began them, and forget them. */
const char *servefix_order(void);

unsigned servefix_peer(struct servefix *fx);
void servefix_leave(struct servefix *fx, unsigned peer);
void servefix_say(struct servefix *fx, unsigned peer, const char *fmt, ...)
    PRINTF(3, 4);
void servefix_bytes(
    struct servefix *fx, unsigned peer, const void *p, size_t len);
/* The next message; the test fails where none comes. */
const char *servefix_next(struct servefix *fx, unsigned peer);
/* The next message has these parts, up to NULL. */
void servefix_expect(struct servefix *fx, unsigned peer, ...);
/* Nothing comes, whatever may run runs. */
void servefix_quiet(struct servefix *fx, unsigned peer);
/* The broker has closed the connection. */
bool servefix_closed(struct servefix *fx, unsigned peer);
void servefix_turn(struct servefix *fx);

#endif
