/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Who a client is: `hello`, `welcome` and `auth`.  A token is verified each
 * time it comes, and never repeated in a message.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/conf.h"
#include "core/rules.h"
#include "core/time.h"
#include "gateway/alloc.h"
#include "gateway/attach.h"
#include "gateway/counters.h"
#include "gateway/session_priv.h"
#include "shm/ring_reader.h"

enum {
	VERSION = 1,
	RETRY_MS = 5000, /* for who has too many connections */
};

static void
refuse(struct session *s, const struct proto_request *req, const char *message)
{
	session_error(s, req->id, PROTO_UNAUTHORIZED, message);
	session_close(s, PROTO_CLOSE_TOKEN, message);
}

static bool
verify(struct session *s, struct slice jwt, struct token *token,
    struct reason *why)
{
	int rc = token_verify(
	    s->gw->keys, jwt, time_wall_us() / US_PER_S, token, why);

	if (rc < 0)
		alloc_failed();
	return rc == TOKEN_GOOD;
}

/* By its token; false: refused, and told so. */
static bool
identify_by(
    struct session *s, const struct proto_request *req, struct slice jwt)
{
	struct token token CLEANUP(token_deinit) = { 0 };
	struct reason why = { "" };

	if (!verify(s, jwt, &token, &why)) {
		refuse(s, req, why.text);
		return false;
	}
	if (!session_adopt(s, &token, &why)) {
		session_error(s, req->id, PROTO_UNAUTHORIZED, why.text);
		session_revoke(s, why.text);
		return false;
	}
	s->user = strdup(token.sub);
	return true;
}

/* Find out who it is; false: refused, and told so. */
static bool
identify(struct session *s, const struct proto_request *req)
{
	struct slice jwt = req->hello.token;

	if (!jwt.p && s->bearer)
		jwt = slice_cstr(s->bearer);
	if (jwt.p) {
		if (!identify_by(s, req, jwt))
			return false;
	} else {
		if (s->gw->anonymous.n_read == 0) {
			refuse(s, req, "a token is required");
			return false;
		}
		if (acl_copy(&s->gw->anonymous, &s->acl) < 0)
			alloc_failed();
		s->user = strdup("");
	}
	if (!s->user)
		alloc_failed();
	free(s->bearer);
	s->bearer = NULL;
	return true;
}

/* A name for this session, for diagnostics on both sides. */
static void
random_name(char name[33])
{
	uint8_t bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		abort();
	for (unsigned i = 0; i < sizeof(bytes); i++)
		snprintf(name + 2 * i, 3, "%02x", bytes[i]);
}

void
session_welcome(struct session *s, struct slice ack)
{
	const struct gateway *gw = s->gw;
	const struct conf *conf = gw->conf;
	struct ring_status status;
	struct mp_buf b = { 0 };
	bool unsafe = ring_reader_info(attach_ring_of(gw->attach))->unsafe;

	s->rules = rules_ref(gw->rules);
	ring_reader_status(attach_ring_of(gw->attach), &status);
	proto_pack_head(
	    &b, "welcome", s->hello_id, 14 + (ack.len > 0) + unsafe);
	mp_pair_uint(&b, "v", VERSION);
	mp_pair_cstr(&b, "session", s->name);
	mp_pair_cstr(&b, "user", s->user);
	mp_pair_cstr(&b, "client", s->client);
	mp_pair_cstr(&b, "log", gw->log);
	mp_pair_uint(&b, "head", status.tail_seq);
	mp_pair_uint(&b, "oldest", MAX(status.oldest_seq, 1));
	mp_pair_cstr(&b, "node", gw->node);
	mp_pair_uint(&b, "time", time_wall_us());
	mp_pair_uint(
	    &b, "mark_interval", conf_uint(conf, CONF_gateway_mark_interval));
	mp_pair_uint(
	    &b, "ping_interval", conf_uint(conf, CONF_gateway_ping_interval));
	mp_pair_uint(
	    &b, "max_message", conf_uint(conf, CONF_gateway_max_message));
	mp_pair_uint(&b, "keys_seconds", forward_keys_seconds(gw->forward));
	mp_pack_cstr(&b, "fold");
	rules_pack(s->rules, &b);
	if (unsafe)
		mp_pair_bool(&b, "unsafe_filesystem", true);
	if (ack.len > 0)
		mp_pair_raw(&b, "ack", ack);
	session_say(s, &b);
}

static void
name_client(struct session *s, const struct proto_request *req)
{
	struct slice client = req->hello.client;

	random_name(s->name);
	s->hello_id = req->id;
	s->durable = client.p != NULL;
	s->client = client.p ? strndup((const char *)client.p, client.len)
			     : strdup(s->name);
	if (!s->client)
		alloc_failed();
}

void
session_hello(struct session *s, const struct proto_request *req)
{
	struct mp_buf b = { 0 };

	if (s->user) {
		session_error(s, req->id, PROTO_BAD_REQUEST,
		    "this connection has said hello before");
		return;
	}
	if (!req->hello.v.set || req->hello.v.v != VERSION) {
		session_error(s, req->id, PROTO_BAD_REQUEST,
		    "'v' must be 1: no other version is spoken here");
		session_close(s, PROTO_CLOSE_VERSION, "unknown version");
		return;
	}
	/* A grant or a revocation that was acknowledged counts. */
	gateway_drink(s->gw, 0);
	if (s->gw->hub.paused) {
		session_hold(s, s->message);
		return;
	}
	if (!identify(s, req))
		return;
	s->quota = quota_enter(&s->gw->quotas, slice_cstr(s->user));
	if (!s->quota) {
		COUNTERS_ADD(refused_user, 1);
		proto_pack_error(&b, req->id, PROTO_RATE_LIMITED,
		    "this user has too many connections", RETRY_MS);
		session_say(s, &b);
		session_close(s, PROTO_CLOSE_TOO_MANY, "too many connections");
		return;
	}
	/* Those without a token are one user by name only. */
	s->turns = s->user[0] ? &s->quota->turns : &s->own;
	conn_established(s->conn);
	name_client(s, req);
	session_seat_name(s);
	session_greet(s);
}

void
session_auth(struct session *s, const struct proto_request *req)
{
	struct token token CLEANUP(token_deinit) = { 0 };
	struct reason why = { "" };

	gateway_drink(s->gw, 0);
	if (s->closing)
		return;
	if (!req->hello.token.p) {
		session_error(
		    s, req->id, PROTO_BAD_REQUEST, "'token' is missing");
		return;
	}
	if (!verify(s, req->hello.token, &token, &why)) {
		session_error(s, req->id, PROTO_UNAUTHORIZED, why.text);
		return;
	}
	if (strcmp(token.sub, s->user) != 0) {
		session_error(s, req->id, PROTO_UNAUTHORIZED,
		    "the token is of another user");
		return;
	}
	if (!session_adopt(s, &token, &why)) {
		session_error(s, req->id, PROTO_UNAUTHORIZED, why.text);
		return;
	}
	session_ok(s, req->id);
	session_permissions(s);
}
