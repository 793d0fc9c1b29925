/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the files of a session share: session.c (life, dispatch),
 * session_hello.c (who it is), session_subscribe.c, session_append.c.
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
#include "gateway/session.h"
#include "gateway/token.h"

enum {
	SESSION_RETRY_MS = 1000, /* what is not served, or not now */
};

struct session {
	struct gateway *gw;
	struct conn *conn;
	LIST_ENTRY(session) link;
	struct sender sender;
	struct forward_list pending;
	struct quota *quota; /* NULL before hello */
	struct acl acl;
	char *user;	    /* NUL-terminated; NULL before hello */
	char *bearer;	    /* from HTTP, until hello */
	uint64_t expires_s; /* 0: never */
	uint32_t n_subs;
	uint32_t slot_ms; /* draining: when to close */
	bool warned;	  /* of the token's end */
	bool closing;
};

/* Send a packed message and free the buffer. */
void session_say(struct session *s, struct mp_buf *b);
void session_ok(struct session *s, struct proto_uint id);
void session_error(struct session *s, struct proto_uint id,
    enum proto_code code, const char *message);
/* Nothing more is taken from this client. */
void session_close(struct session *s, unsigned code, const char *text);

void session_hello(struct session *s, const struct proto_request *req);
void session_auth(struct session *s, const struct proto_request *req);

void session_subscribe(struct session *s, const struct proto_request *req);
void session_unsubscribe(struct session *s, const struct proto_request *req);
/* The permissions have changed: end what now lets other events through. */
void session_permissions(struct session *s);

void session_append(struct session *s, const struct proto_request *req);
void session_emit(struct session *s, const struct proto_request *req);

#endif
