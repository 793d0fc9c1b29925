/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of a door share: door.c (an exchange from its head to its
 * end), door_answer.c (what is written), door_rows.c (rows, part by part),
 * door_stream.c (events, without an end).
 */

#ifndef PEAL_GATEWAY_DOOR_PRIV_H
#define PEAL_GATEWAY_DOOR_PRIV_H

#include "core/mp.h"
#include "core/proto.h"
#include "gateway/conn_priv.h"
#include "gateway/door.h"
#include "gateway/http.h"
#include "gateway/http_query.h"

/* One row for each door. */
struct door_kind {
	const char *path;
	enum http_verb verb;
	const char *allow; /* its methods */
	const char *op;	   /* what the session is asked */
	const struct http_field *fields;
	/*
	 * NULL, or what completes d->request when the session is there.
	 * Returns 0 or a status and a sentence.
	 */
	int (*adapt)(
	    struct door *d, const struct http_request *req, struct reason *why);
	/*
	 * The session says something that is no error: a map, or a batch of
	 * b's; b is NULL for what came through conn_control().
	 */
	void (*take)(struct door *d, struct slice value, struct block *b);
	bool endless; /* it may end anywhere, and is never late */
};

struct door {
	struct conn *c;
	const struct door_kind *kind; /* NULL: none was found */
	bool over;
	bool head_sent;
	bool whole;   /* nothing follows what is in out */
	bool last;    /* the connection ends behind the answer */
	bool msgpack; /* the answer's form */
	bool body_msgpack;
	char *origin;		  /* that may read the answer; NULL: none */
	char log[PROTO_LOG_NAME]; /* of the session's welcome */
	uint64_t n_rows;
	struct mp_buf request; /* that the query asks for */
	struct mp_buf out;     /* goes with door_flush() */
	uint8_t *body;
	size_t want; /* bytes of the body, ... */
	size_t have; /* and how many have come */
	size_t cap;
};

/* --- door_answer.c --- */

/*
 * Send what the functions below have left in d->out; done behind each take().
 */
void door_flush(struct door *d);

/* The whole answer is this value. */
void door_say(
    struct door *d, int status, uint64_t retry_ms, struct slice value);
/* It is an error of ours. */
void door_refuse(struct door *d, int status, const char *text);
/* It is an error of the session's. */
void door_error(struct door *d, struct slice error);
/* A CORS preflight is answered. */
void door_preflight(struct door *d);
/*
 * The head of an answer of unknown length; more: further header lines, NULL
 * for the usual ones.
 */
void door_begin(struct door *d, const char *type, const char *more);
/* A part of it, not empty; empties the buffer. */
void door_chunk(struct door *d, struct mp_buf *b);
/* It is whole. */
void door_finish(struct door *d);
/* It can't be finished: the client sees that the last chunk is missing. */
void door_abort(struct door *d);
/* value in the answer's form at the end of out; false: the connection died. */
bool door_form(struct door *d, struct slice value, struct mp_buf *out);

/* --- door_rows.c --- */

void door_take_rows(struct door *d, struct slice value, struct block *b);

/* --- door_stream.c --- */

int door_stream_ask(
    struct door *d, const struct http_request *req, struct reason *why);
void door_take_stream(struct door *d, struct slice value, struct block *b);

#endif
