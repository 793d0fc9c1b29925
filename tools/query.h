/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One question after another to whoever knows the folded state: the broker
 * of this machine on its socket, or a gateway.  Nothing here waits longer
 * than the tool's timeout, and what the server refuses becomes a sentence.
 */

#ifndef PEAL_TOOLS_QUERY_H
#define PEAL_TOOLS_QUERY_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"
#include "core/proto.h"

struct query;
struct reason;
struct tool;

/*
 * Connect to where the tool's options point, and say hello.  The caller owns
 * *out; the tool outlives it.
 */
MUST_CHECK int query_open(
    const struct tool *t, struct query **out, struct reason *why);
struct query *query_free(struct query *q);
CLEANUP_FN(struct query *, query_free)

/* What the server said to hello: log, head, fold and so on. */
struct slice query_welcome(const struct query *q);

/* What an answer has to include: as asked, or what was stored at hello. */
uint64_t query_min_seq(const struct query *q);

/*
 * Begin a request: the caller packs n pairs, or n is what it will have packed
 * into the map.  Then send it.
 */
struct mp_buf *query_begin(struct query *q, const char *op, unsigned n);
MUST_CHECK int query_send(struct query *q, struct reason *why);

/*
 * The next message with that op that answers the request, validated; *body
 * lives until the next call.  While the server is `unavailable` the request
 * is repeated for some seconds.  Below zero with a sentence: -EPROTO also
 * where the server refuses.
 */
MUST_CHECK int query_reply(
    struct query *q, const char *op, struct slice *body, struct reason *why);

/* Why the server refused the last request; PROTO_OK: it did not. */
enum proto_code query_code(const struct query *q);

/* A request that is packed already, with an id of its own below 100. */
MUST_CHECK int query_put(
    struct query *q, struct slice request, struct reason *why);
/* The next message whatever it is, validated. */
MUST_CHECK int query_message(
    struct query *q, struct slice *msg, struct reason *why);

/*
 * The sentence of an error that the server sent: its code, its message and
 * the oldest seq where it names one.  -EPROTO.
 */
int query_refused(struct slice body, struct reason *why);

#endif
