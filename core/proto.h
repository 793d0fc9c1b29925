/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Protocol values of doc/protocol.md: requests parsed from validated bytes
 * through one table, replies packed, error codes and close codes in one
 * table each.
 */

#ifndef PEAL_CORE_PROTO_H
#define PEAL_CORE_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;

#define PROTO_SEQ_MAX ((UINT64_C(1) << 53) - 1)

enum proto_code {
	PROTO_OK = 0,
	PROTO_BAD_REQUEST,
	PROTO_UNAUTHORIZED,
	PROTO_FORBIDDEN,
	PROTO_CONFLICT,
	PROTO_KEY_REUSED,
	PROTO_TOO_LARGE,
	PROTO_NOT_FOUND,
	PROTO_LOG_CHANGED,
	PROTO_AHEAD,
	PROTO_BEHIND,
	PROTO_INTERNAL,
	PROTO_RATE_LIMITED,
	PROTO_UNAVAILABLE,
	PROTO_STORAGE_FULL,
	PROTO_UNKNOWN,
	PROTO_CODES
};

/* "bad_request" and so on; NULL beyond the table. */
const char *proto_code_name(enum proto_code code);
/* PROTO_CODES when there is no such name. */
enum proto_code proto_code_find(struct slice name);

enum proto_close {
	PROTO_CLOSE_DONE = 1000,
	PROTO_CLOSE_AWAY = 1001,
	PROTO_CLOSE_PROTOCOL = 1002,
	PROTO_CLOSE_WRONG_TYPE = 1003,
	PROTO_CLOSE_MALFORMED = 1007,
	PROTO_CLOSE_POLICY = 1008,
	PROTO_CLOSE_TOO_BIG = 1009,
	PROTO_CLOSE_RESTART = 1012,
	PROTO_CLOSE_TOKEN = 4401,
	PROTO_CLOSE_NO_HELLO = 4408,
	PROTO_CLOSE_STALLED = 4409,
	PROTO_CLOSE_TOO_MANY = 4429,
	PROTO_CLOSE_REVOKED = 4503,
	PROTO_CLOSE_VERSION = 4505,
};

enum proto_op {
	PROTO_HELLO,
	PROTO_AUTH,
	PROTO_SUBSCRIBE,
	PROTO_UNSUBSCRIBE,
	PROTO_APPEND,
	PROTO_EMIT,
	PROTO_ACK,
	PROTO_STATE,
	PROTO_HISTORY,
	PROTO_PRESENCE,
	PROTO_PING,
	PROTO_OPS,

	/* Of local peers alone, on the broker's socket. */
	PROTO_OPEN = PROTO_OPS,
	PROTO_PART,
	PROTO_CLOSE,
	PROTO_PAGE,
	PROTO_CURSORS,
	PROTO_LEAVE,
	PROTO_PRESENT,
	PROTO_ABSENT,
	PROTO_LOCAL_OPS
};

const char *proto_op_name(enum proto_op op);

/* A field that may be absent. */
struct proto_uint {
	bool set;
	uint64_t v;
};

enum proto_from {
	PROTO_FROM_NOW,
	PROTO_FROM_SNAPSHOT,
	PROTO_FROM_ACK,
	PROTO_FROM_SEQ
};

/*
 * A request.  Slices point into the message.  A str that is absent has p
 * NULL; arrays (patterns, globs, events, checks) are slices of one valid
 * array value of the right element types, to be walked with mp_walk().
 */
struct proto_request {
	enum proto_op op;
	struct proto_uint id;
	/* What may be read; p NULL: everything.  Of local peers alone. */
	struct slice read; /* array of str */
	bool admin;
	union {
		struct {
			struct proto_uint v;
			struct slice token, client, agent;
		} hello; /* token for auth too */
		struct {
			struct slice topics; /* array of str, 1 or more */
			enum proto_from from;
			uint64_t from_seq;
			struct slice name, log;
			struct proto_uint since, min_seq, conflate;
			struct slice scope; /* any value */
			struct slice types; /* array of str */
		} subscribe;
		struct {
			struct slice events; /* array of map, 1 or more */
			struct slice checks; /* array of map */
		} append;
		struct {
			struct slice topic, type, data, actor;
		} emit;
		struct {
			struct proto_uint seq;
			struct slice name;
			struct slice user, client, log; /* local peers */
		} ack; /* user and client for cursors and leave too */
		struct {
			struct slice topics;
			struct slice at; /* uint, or map with time */
			struct proto_uint min_seq;
			struct proto_uint since; /* open */
		} state; /* topics for presence too; all of it for open */
		struct {
			struct proto_uint snapshot, n;
		} part; /* snapshot for close too */
		struct {
			struct slice topics, types;
			struct proto_uint after, upto;
		} page;
		struct {
			struct proto_uint member, since;
			struct slice user, client, topics;
		} present; /* member for absent too */
		struct {
			struct slice topic, actor, type;
			struct proto_uint after, before, from_time, to_time;
			struct proto_uint limit, min_seq;
			bool reverse;
		} history;
		struct {
			struct slice t; /* any value, len 0: absent */
		} ping;
	};
};

/*
 * Parse the validated message bytes.  PROTO_OK, or PROTO_BAD_REQUEST or
 * PROTO_TOO_LARGE (too many events or checks) with a sentence; req->id is
 * filled in where it could be read, so that the error can carry it.
 */
MUST_CHECK enum proto_code proto_request_parse(
    struct slice msg, struct proto_request *req, struct reason *why);
/* The same with the operations and fields of the broker's socket. */
MUST_CHECK enum proto_code proto_request_parse_local(
    struct slice msg, struct proto_request *req, struct reason *why);

enum proto_expect {
	PROTO_EXPECT_ANY,
	PROTO_EXPECT_EXISTS,
	PROTO_EXPECT_VERSION /* 0: none yet */
};

/* One element of append.events; limits of length are checked. */
struct proto_append_event {
	struct slice topic, type, data;
	enum proto_expect expect;
	uint64_t version;
	struct slice key;   /* str of 1 to 64 bytes; p NULL: none */
	struct slice actor; /* local peers only; p NULL: none */
	struct proto_uint schema;
	struct proto_uint time_us; /* local peers only */
	struct slice meta;	   /* map, len 0: none or an empty one */
};

/* Read the next event of the walk over append.events' elements. */
MUST_CHECK enum proto_code proto_append_event_parse(
    struct mp_walk *w, struct proto_append_event *ev, struct reason *why);

struct proto_check {
	struct slice topic;
	struct proto_uint version; /* always set */
};

MUST_CHECK enum proto_code proto_check_parse(
    struct mp_walk *w, struct proto_check *check, struct reason *why);

/* A reply as a client of local sockets or WebSockets reads it. */
struct proto_reply {
	struct slice op;
	struct proto_uint id;
	struct slice body; /* the whole map */
};

MUST_CHECK enum proto_code proto_reply_parse(
    struct slice msg, struct proto_reply *reply, struct reason *why);

/* The value of key in a valid map; len 0 when there is none. */
struct slice proto_get(struct slice map, const char *key);
struct proto_uint proto_get_uint(struct slice map, const char *key);
struct slice proto_get_str(struct slice map, const char *key);

/* Head of a map reply: {"op":op, "id":id?, ...} with n further pairs. */
void proto_pack_head(
    struct mp_buf *b, const char *op, struct proto_uint id, unsigned n);

/* The answer to a ping: what it brought comes back. */
void proto_pack_pong(struct mp_buf *b, const struct proto_request *req,
    uint64_t time_us, uint64_t head);

/* The reply of a whole map under another id, or under none. */
void proto_pack_reply(
    struct mp_buf *b, struct slice body, struct proto_uint id);

/* {"op":"error","id":…,"code":…,"message":…, ...} with n further pairs. */
void proto_pack_error_head(struct mp_buf *b, struct proto_uint id,
    enum proto_code code, const char *message, unsigned n);

/* A whole error; retry_ms 0: left out. */
void proto_pack_error(struct mp_buf *b, struct proto_uint id,
    enum proto_code code, const char *message, uint64_t retry_ms);

enum {
	PROTO_LOG_NAME = 64 /* bytes that hold any log's name and its NUL */
};

/* What the protocol calls `log`: the id in hex digits, "-", the epoch. */
void proto_log_name(
    const uint8_t id[16], uint64_t epoch, char buf[PROTO_LOG_NAME]);

#endif
