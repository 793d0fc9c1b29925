/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Blocks: finished WebSocket messages, built once, immutable from then on,
 * and shared by reference by every connection that gets them.
 */

#ifndef PEAL_GATEWAY_BLOCK_H
#define PEAL_GATEWAY_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

enum {
	BLOCK_BYTES = 16384, /* one message, one TLS record, one SSL_write */
	BLOCK_HEADROOM = 40, /* WebSocket header, array head, after, upto */
};

struct block {
	uint32_t refs;
	uint32_t cap;	/* bytes of room in bytes[] */
	uint32_t start; /* first byte of the message in bytes[] */
	uint32_t end;	/* one past its last */
	uint32_t n_events;
	uint64_t after; /* the chain that it carries */
	uint64_t upto;
	uint64_t serial;      /* of its group, from 1; 0: of none */
	uint64_t read_ns;     /* when its oldest event was read; 0: not timed */
	bool ephemeral;	      /* it may hold events of seq 0 */
	struct block *json;   /* the same as text (form.h), once needed */
	struct block *events; /* and as Server-Sent Event; the same */
	uint8_t bytes[];
};

/* Room for payload bytes of events behind the headroom; one reference. */
struct block *block_new(uint32_t payload);

static inline struct block *
block_ref(struct block *b)
{
	b->refs++;
	return b;
}

/* Frees with the last reference; NULL is fine; returns NULL. */
struct block *block_unref(struct block *b);
CLEANUP_FN(struct block *, block_unref)

/* Bytes of the message, and of the forms that it has by now. */
uint64_t block_bytes(const struct block *b);

/* Append an encoded event; the caller has looked at cap. */
void block_add(struct block *b, const uint8_t *event, uint32_t len);

/* Finish as a batch [after, upto, event…] with its WebSocket header. */
void block_finish_batch(struct block *b, uint64_t after, uint64_t upto);

/* A whole message that is no batch: one binary WebSocket message. */
struct block *block_message(struct slice value);
/* The same of UTF-8: one text message. */
struct block *block_text(struct slice text);

/* These bytes as they are, with no WebSocket header. */
struct block *block_raw(struct slice bytes);

/* What a finished message carries: one value, without its header. */
struct slice block_payload(const struct block *b);

#endif
