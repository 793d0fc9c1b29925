/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a client speaks.  Groups, past blocks and sessions know MessagePack
 * alone; a connection that speaks JSON has each block in that form when it is
 * sent.  The block keeps it: it is made once, however many clients get it.
 */

#ifndef PEAL_GATEWAY_FORM_H
#define PEAL_GATEWAY_FORM_H

#include "gateway/block.h"

enum form {
	FORM_MSGPACK = 0,
	FORM_JSON,
};

/*
 * The same finished message in that form, owned by b and freed with it.
 * NULL: out of memory, or what the block carries is no value.
 */
struct block *form_of(struct block *b, enum form form);

/*
 * A finished batch as one Server-Sent Event with the id LOG:UPTO, in a chunk
 * of HTTP; likewise.  All streams of a process are of one log.
 */
struct block *form_events(struct block *b, const char *log);

#endif
