/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A producer on the writer's Unix socket: pipelined appends, and their
 * answers as they come.  It waits with poll() and never blocks in a send, so
 * that a writer which stops reading can't make both sides wait.
 */

#ifndef PEAL_TOOLS_WRITER_CLIENT_H
#define PEAL_TOOLS_WRITER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/frame.h"
#include "core/macros.h"
#include "core/proto.h"

struct reason;

struct writer_client {
	struct frame_stream fs;
	bool open;
};

/* An append request of one event. */
struct writer_append {
	struct slice topic;
	struct slice type;
	struct slice data;  /* one canonical value */
	struct slice actor; /* p NULL: the account's name */
	struct slice key;   /* p NULL: none */
	struct slice meta;  /* one canonical map, len 0: none */
	struct proto_uint time_us;
	struct proto_uint schema;
	enum proto_expect expect;
	uint64_t version; /* of PROTO_EXPECT_VERSION */
};

struct writer_reply {
	uint64_t id;
	enum proto_code code; /* PROTO_OK: the rest but message is there */
	uint64_t seq;
	uint64_t version; /* of the first event */
	uint64_t time_us;
	bool duplicate;
	uint64_t retry_ms;    /* 0: none given */
	struct slice message; /* of an error; lives until the next wait */
	struct slice body;    /* the whole map, as long */
};

/*
 * Connect to run_dir/writer.sock.  -ENOENT and -ECONNREFUSED: no writer
 * serves there, and why says so.
 */
MUST_CHECK int writer_client_open(
    struct writer_client *wc, const char *run_dir, struct reason *why);
void writer_client_close(struct writer_client *wc);

/*
 * Ask which log is served, before any other request: its name, and the
 * highest seq that is durable.  -ETIMEDOUT after ten seconds, -EPIPE when
 * the writer goes away.
 */
MUST_CHECK int writer_client_hello(struct writer_client *wc,
    char log[PROTO_LOG_NAME], uint64_t *head, struct reason *why);

/* Pack a request at the end of b. */
void writer_client_pack(
    struct mp_buf *b, uint64_t id, const struct writer_append *append);
/* The array of events of a request, whose first pairs are somewhere else. */
void writer_client_pack_events(
    struct mp_buf *b, const struct writer_append *v, uint32_t n);
/* One of them, as it stands in that array. */
void writer_client_pack_event(
    struct mp_buf *b, const struct writer_append *append);
/* Queue a packed request; writer_client_wait() sends.  -ENOMEM. */
MUST_CHECK int writer_client_send(
    struct writer_client *wc, struct slice request);

enum writer_wait {
	WRITER_TIMEOUT = 0, /* or a signal */
	WRITER_MOVED,	    /* something was sent or received */
	WRITER_CLOSED,	    /* the writer has gone */
};

/*
 * Send what is queued, then receive, waiting at most timeout_ms (below zero:
 * for ever) for an answer, or for room where something is left to be sent.
 */
MUST_CHECK int writer_client_wait(
    struct writer_client *wc, int timeout_ms, struct reason *why);

/* The next answer: 1, or 0 when none is whole yet; -EPROTO with a reason. */
MUST_CHECK int writer_client_reply(
    struct writer_client *wc, struct writer_reply *reply, struct reason *why);

/*
 * Send one request while none is under way, and wait for its answer, at most
 * timeout_ms (below zero: for ever).  -EPIPE: the writer went away, and
 * -ETIMEDOUT: it does not answer; it may have stored the events all the same.
 */
MUST_CHECK int writer_client_call(struct writer_client *wc,
    struct slice request, int timeout_ms, struct writer_reply *reply,
    struct reason *why);

/* Bytes that wait to be sent. */
static inline size_t
writer_client_unsent(const struct writer_client *wc)
{
	return frame_unsent(&wc->fs);
}

#endif
