/* SPDX-License-Identifier: BSD-2-Clause */

/* What the files of serving share: connections, and calls on their way. */

#ifndef PEAL_BROKER_SERVE_PRIV_H
#define PEAL_BROKER_SERVE_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "broker/handles.h"
#include "broker/jobs.h"
#include "broker/query.h"
#include "broker/serve.h"
#include "core/acceptor.h"
#include "core/frame.h"
#include "core/loop.h"
#include "core/proto.h"
#include "core/timekeeper.h"
#include "core/topic_set.h"

enum {
	SERVE_CONNS = 1024,
	SERVE_CALLS = 4096,	      /* unanswered, per connection */
	SERVE_CALL_BYTES = 4 << 20,   /* the same in bytes */
	SERVE_TOTAL_BYTES = 64 << 20, /* of all connections */
	SERVE_UNSENT_BYTES = 1 << 20, /* replies a peer does not read */
	SERVE_FRAME_MAX = 1 << 20,    /* longest request */
	SERVE_TURN = 64,	      /* requests of one before the next */
	SERVE_REPLY_MAX = (256 << 10) - 256, /* bytes, less a head */
	SERVE_RETRY_MS = 1000,
	SERVE_WAIT_MS = 2000, /* for a seq */
};

struct presence;
struct presence_group;
struct serve_call;
struct serve_stream;
struct spool;

TAILQ_HEAD(serve_stream_list, serve_stream);
TAILQ_HEAD(serve_call_list, serve_call);

struct serve_conn {
	TAILQ_ENTRY(serve_conn) all;
	struct serve *sv;
	uint64_t id;
	struct frame_stream fs;
	struct loop_io io;
	struct jobs_lane lane;
	unsigned calls; /* unanswered */
	size_t call_bytes;
	struct handles snapshots;	  /* of struct spool */
	struct serve_stream_list streams; /* answers of many parts */
	struct presence_group *present;	  /* NULL: nobody */
	bool more;			  /* a whole request may be in memory */
	bool starved;	 /* it stopped for what all have unanswered */
	bool ended;	 /* the peer sends no more */
	bool refused;	 /* it sent what can't be understood: take no more */
	bool dead;	 /* to be dropped when its turn is over */
	unsigned wanted; /* what io waits for */
};

struct serve {
	struct serve_parts parts;
	const struct folder *folder;
	struct acceptor door;
	TAILQ_HEAD(, serve_conn) conns;
	struct handles ids; /* of connections */
	size_t call_bytes;  /* of all */
	bool starving;	    /* somebody stopped for them */
	struct presence *presence;

	/* serve_wait.c */
	int commit_fd;
	struct loop_io commit_io;
	struct loop_timer patience;
	struct serve_call_list waiting;
	atomic_bool awaited; /* a commit is to be heard of */
	bool caught_up;	     /* with start_seq, once */
	bool start_known;
	uint64_t start_seq; /* the log's head when it was first seen */
	uint64_t last_seq;  /* of the state, when it was last looked at */
	char log[PROTO_LOG_NAME];

	/* serve_flush.c */
	struct loop_timer flush_timer;
	struct timekeeper timekeeper; /* of what is too old to be kept */
	struct jobs_lane flush_lane;
	struct serve_flush *flushing; /* NULL: none is under way */
	bool flush_again;
	uint64_t flush_said_ns;

	struct {
		uint64_t accepted;
		uint64_t requests;
		uint64_t refused; /* error replies */
		uint64_t garbage; /* connections closed for it */
		uint64_t waited;
		uint64_t streams;
	} counts;
};

/* A request that waits, for a seq or for a worker; holds its bytes. */
struct serve_call {
	struct job job;
	TAILQ_ENTRY(serve_call) wait;
	struct serve *sv;
	uint64_t conn; /* its id: it may be gone */
	uint64_t began_ns;
	size_t size;
	struct proto_request req; /* slices into message */
	struct topic_set set;

	bool gated; /* it needs a whole state */
	uint64_t min_seq;
	uint64_t deadline_ns;

	/* What the worker leaves. */
	enum proto_code code;
	struct query_refusal no;
	struct spool *spool;
	struct mp_buf reply;

	uint8_t message[];
};

/* --- serve_conn.c --- */

/* Send what may be sent, and wait for what there is; p may be gone then. */
void serve_conn_settle(struct serve_conn *p);
void serve_conn_free(struct serve_conn *p);
/* NULL: it has gone. */
struct serve_conn *serve_conn_find(struct serve *sv, uint64_t id);
/* Who stopped for the bytes of all looks again; at the end of a callback. */
void serve_conn_resume(struct serve *sv);

struct mp_buf *serve_begin(struct serve_conn *p, size_t *mark);
void serve_end(struct serve_conn *p, size_t mark);
void serve_refuse(struct serve_conn *p, struct proto_uint id,
    enum proto_code code, const char *message);

/* --- serve_request.c --- */

/* Handle one request; bytes live until the next frame_fill(). */
void serve_request(struct serve_conn *p, struct slice value);

/* --- serve_call.c --- */

/* Begin a call of these bytes, which were parsed already. */
void serve_call_begin(struct serve_conn *p, struct slice value);
void serve_call_run(struct serve_call *call);
/*
 * Answer with what code, no, spool and reply say.  The connection, NULL where
 * it has gone, has something to send then: at the end of a callback the
 * caller settles it.
 */
struct serve_conn *serve_call_finish(struct serve_call *call);
/* Without an answer; p is NULL where it has gone. */
void serve_call_end(struct serve_call *call, struct serve_conn *p);

/* --- serve_wait.c --- */

MUST_CHECK int serve_wait_init(struct serve *sv);
void serve_wait_deinit(struct serve *sv);
/* Run the call, now or as soon as the store has got there. */
void serve_wait(struct serve_call *call);
/* Calls of a connection that goes. */
void serve_wait_forget(struct serve_conn *p);

/* --- serve_state.c --- */

/* Answer with the parts of a spool, one after the other; takes spool. */
void serve_state_begin(
    struct serve_conn *p, struct serve_call *call, struct spool *spool);
/* Pack the next part, where everything before has left. */
void serve_state_pump(struct serve_conn *p);
void serve_state_forget(struct serve_conn *p);

/* --- serve_hello.c --- */

void serve_hello(struct serve_conn *p, const struct proto_request *req);

/* --- serve_flush.c --- */

MUST_CHECK int serve_flush_init(struct serve *sv);
void serve_flush_deinit(struct serve *sv);
/* As soon as may be. */
void serve_flush_now(struct serve *sv);

#endif
