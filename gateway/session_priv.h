/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of a session share: session.c (life, dispatch),
 * session_hello.c (who it is), session_grant.c (what it may),
 * session_seat.c (what tools are told of it),
 * session_subscribe.c, session_append.c, session_query.c (what the broker
 * answers), session_ack.c (how far it got), session_present.c (who listens to
 * what).
 */

#ifndef PEAL_GATEWAY_SESSION_PRIV_H
#define PEAL_GATEWAY_SESSION_PRIV_H

#include <stdbool.h>

#include "core/acl.h"
#include "core/proto.h"
#include "core/reason.h"
#include "gateway/conn.h"
#include "gateway/forward.h"
#include "gateway/gateway_priv.h"
#include "gateway/grants.h"
#include "gateway/session.h"
#include "gateway/token.h"
#include "gateway/turns.h"

struct ask_call;
struct block;

enum {
	SESSION_RETRY_MS = 1000, /* what is not served, or not now */
	SESSION_POSITIONS = 64,	 /* asked for at once, by one session */
	SESSION_NAMES = 16,	 /* of positions */
};

/* How far the client has got, under one name. */
struct session_mark {
	LIST_ENTRY(session_mark) link;
	uint64_t seq;
	bool dirty; /* the broker has yet to be told */
	size_t len;
	uint8_t name[];
};

/* A request that waits for the broker, or whose answer has not left. */
struct session_query {
	TAILQ_ENTRY(session_query) link;
	struct session *session;
	struct proto_uint id;
	enum proto_op op;
	bool running;	       /* its turn has come */
	struct ask_call *call; /* NULL: its turn has not come, ... */
	struct block *answer;  /* ... or this waits for the connection */
	size_t len;
	uint8_t message[]; /* as it came */
};

struct session {
	struct gateway *gw;
	struct conn *conn;
	LIST_ENTRY(session) link;
	struct sender sender;
	struct forward_list pending;
	struct quota *quota; /* NULL before hello */
	struct turns *turns; /* of the user's queries; the same */
	struct turns own;    /* for who has no token */
	struct turn turn;
	struct acl token;	      /* what the token allows */
	struct acl acl;		      /* that, and what was granted */
	struct grants_member granted; /* in gw->grants */
	uint64_t issued_s;	      /* the token was */
	struct rules *rules;	      /* that the welcome named; a reference */
	char *user;		      /* NUL-terminated; NULL before hello */
	char *client;		      /* the same */
	bool durable;		      /* the client gave that name itself */
	char name[33];		      /* of the session, in hex digits */
	char *bearer;		      /* from HTTP, until hello */
	uint64_t expires_s;	      /* 0: never */
	uint32_t slot_ms;	      /* draining: when to close */
	uint64_t opened_us;	      /* wall clock */
	uint32_t seat;		      /* in gw->clients; 0: none */
	bool standing;		      /* there was none for it */
	bool warned;		      /* of the token's end */
	bool closing;
	bool shed; /* slot_ms counts */

	struct slice message; /* the one that is being served */
	TAILQ_HEAD(, session_query) queries;
	LIST_HEAD(, session_mark) marks;
	uint32_t n_marks;
	bool marks_dirty;

	/* Between hello and welcome, and while permissions are not known. */
	bool greeting;
	TAILQ_ENTRY(session) greet_link;
	struct ask_call *greet_call;
	uint64_t greet_ns; /* when it began */
	struct proto_uint hello_id;
	struct mp_buf held; /* u32 length, message, ... */
};

/* Send a packed message and free the buffer. */
void session_say(struct session *s, struct mp_buf *b);
void session_ok(struct session *s, struct proto_uint id);
void session_error(struct session *s, struct proto_uint id,
    enum proto_code code, const char *message);
/* Nothing more is taken from this client. */
void session_close(struct session *s, unsigned code, const char *text);

/* Do messages wait?  Keep one that does. */
bool session_is_held(const struct session *s);
void session_hold(struct session *s, struct slice msg);

void session_hello(struct session *s, const struct proto_request *req);
void session_auth(struct session *s, const struct proto_request *req);

/*
 * It is the token of this user, which it takes over; the permissions are
 * what it and the grants allow.  false: it was revoked, *why says that.
 */
bool session_adopt(struct session *s, struct token *token, struct reason *why);
/* Say `revoked` and close: there is no way back. */
void session_revoke(struct session *s, const char *why);

/* Has any of the patterns a topic in common with what may be read? */
bool session_readable(const struct session *s, struct slice topics);
void session_subscribe(struct session *s, const struct proto_request *req);
void session_unsubscribe(struct session *s, const struct proto_request *req);
/* The permissions have changed: end what now lets other events through. */
void session_permissions(struct session *s);

/* Subscribe behind a position, whose log is this one. */
void session_subscribe_from(
    struct session *s, const struct proto_request *req, uint64_t position);

/* state, history and presence: asked of the broker, answered by it. */
void session_query(struct session *s, const struct proto_request *req);
/* A subscription whose position is stored. */
void session_subscribe_ack(struct session *s, const struct proto_request *req);
/* Give the answer that waits, and ask the next question. */
void session_query_pump(struct session *s);
/* The permissions have changed: what was asked under the old ones is void. */
void session_query_again(struct session *s);
/* The one with this id; NULL: none. */
struct session_query *session_query_find(const struct session *s, uint64_t id);
void session_query_free(struct session_query *q);
void session_query_end_all(struct session *s);

void session_ack(struct session *s, const struct proto_request *req);
/* Tell the broker what is new. */
void session_ack_flush(struct session *s);
/* The client goes: its positions are to be kept now. */
void session_ack_leave(struct session *s);
/* The broker forgot what was not yet on its disk. */
void session_ack_repeat(struct session *s);
/* Ask the broker for the positions that are stored; it is up. */
struct ask_call *session_ask_cursors(
    struct session *s, void (*fn)(void *arg, struct slice reply), void *arg);
/* Ask where the client got to; session_welcome() follows. */
void session_greet(struct session *s);
void session_greet_end(struct session *s);
/* `welcome`, with the positions that are stored: a map, or len 0. */
void session_welcome(struct session *s, struct slice ack);
/* Serve what came meanwhile. */
void session_serve_held(struct session *s);

/* A slot that tools see. */
void session_seat_take(struct session *s);
/* Who it is; after the hello. */
void session_seat_name(struct session *s);
/* Before anything of it is freed. */
void session_seat_leave(struct session *s);

/* Presence: the subscription has begun, or the broker has to be told again. */
void session_present(struct session *s, struct send_sub *sub);
void session_present_all(struct session *s);

void session_append(struct session *s, const struct proto_request *req);
void session_emit(struct session *s, const struct proto_request *req);

#endif
