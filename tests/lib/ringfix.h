/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A ring for tests: a directory of its own on tmpfs, a small ring in it, and
 * events whose bytes are a function of their seq.
 */

#ifndef PEAL_TESTS_LIB_RINGFIX_H
#define PEAL_TESTS_LIB_RINGFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/doorbell.h"
#include "shm/ring_reader.h"
#include "shm/ring_writer.h"

enum {
	RINGFIX_EVENT = 256
}; /* no event is longer */

struct ringfix {
	char dir[64];
	int dirfd;
	struct ring_options opt; /* 8 slots, 4096 bytes, head 0 */
	struct ring_writer *writer;
	struct ring_reader *reader;
	struct doorbell_hub *hub;
	int listener; /* ring.sock, or -1 */
	uint64_t seq; /* last published */
};

/* Bytes of event seq; ephemeral ones have a kind of their own. */
uint32_t ringfix_bytes(uint64_t seq, bool ephemeral, uint8_t *buf);
/* The whole event, its CRC included. */
struct ring_event ringfix_event(uint64_t seq, bool ephemeral, uint8_t *buf);
/* Is it what ringfix_event() makes of its seq? */
bool ringfix_right(const struct ring_event *ev, const uint8_t *bytes);

/* A directory and options, but no ring yet. */
void ringfix_dir(struct ringfix *fx);
/* Ring, installed, with a reader on it. */
void ringfix_open(struct ringfix *fx);
/*
 * ring.sock, which listens, and a hub for who comes there; flags are
 * SOCK_NONBLOCK or 0.
 */
void ringfix_listen(struct ringfix *fx, int flags);
/* Everything away, the directory too. */
void ringfix_close(struct ringfix *fx);

/* cmocka's: *state is a struct ringfix, opened. */
int ringfix_setup(void **state);
int ringfix_teardown(void **state);

/* Publish n durable events, or n ephemeral ones, a pass each. */
void ringfix_publish(struct ringfix *fx, unsigned n);
void ringfix_emit(struct ringfix *fx, unsigned n);
/* One pass of one event of len bytes. */
void ringfix_publish_long(struct ringfix *fx, uint32_t len);

/* How many this program has of files whose path says that. */
unsigned ringfix_mappings(const char *part);

/* Read one event of at most 4096 bytes, whose CRC must be right. */
int ringfix_next(struct ringfix *fx, struct ring_event *ev);

#endif
