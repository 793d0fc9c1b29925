/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Following a gateway.  A lost connection is made again and resumes from the
 * position; only what the server says will never work ends it.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/event.h"
#include "core/reason.h"
#include "tools/credentials.h"
#include "tools/follow.h"
#include "tools/remote.h"
#include "tools/tail.h"
#include "tools/tool.h"

enum {
	TAIL_OPEN_MS = 15000, /* to be connected in */
	TAIL_RETRY_MS = 200,
	TAIL_RETRY_MAX_MS = 5000,
	TAIL_SILENCE_MS = 90000, /* batches come every 25 s at least */
	TAIL_FINAL = 4500,	 /* close codes from here on are for good */
};

enum tail_end {
	TAIL_AGAIN = 0,
	TAIL_DONE,
	TAIL_NEVER
};

struct tail_remote {
	struct tail *tail;
	struct remote_target *target;
	struct remote *conn;
	struct follow follow;
	struct mp_buf out;
	bool lagged_once; /* without an event since */
	unsigned failures;
};

static int
tail_remote_send(struct tail_remote *r)
{
	int err = r->out.failed
		      ? -ENOMEM
		      : remote_send(r->conn, slice_of(r->out.p, r->out.len));

	r->out.len = 0;
	return err;
}

static int
tail_remote_hello(struct tail_remote *r, struct reason *why)
{
	char token[CREDENTIALS_TOKEN_MAX];
	int err = credentials_token(r->tail->t, token, why);

	if (err < 0)
		return err;
	follow_pack_hello(&r->out, *token ? token : NULL);
	return tail_remote_send(r);
}

static int
tail_remote_auth(struct tail_remote *r, struct reason *why)
{
	char token[CREDENTIALS_TOKEN_MAX];
	int err = credentials_token(r->tail->t, token, why);

	if (err < 0 || !*token)
		return err;
	mp_pack_map(&r->out, 2);
	mp_pair_cstr(&r->out, "op", "auth");
	mp_pair_cstr(&r->out, "token", token);
	return tail_remote_send(r);
}

static int
tail_remote_subscribe(struct tail_remote *r)
{
	follow_pack_subscribe(
	    &r->follow, &r->out, r->tail->patterns, r->tail->n_patterns);
	return tail_remote_send(r);
}

static int
tail_remote_welcome(
    struct tail_remote *r, const struct follow_message *got, struct reason *why)
{
	struct follow *f = &r->follow;

	if (f->log_changed)
		return reason_say(why, -ESTALE,
		    "another log serves there now: the position means "
		    "nothing in it");
	if (!f->positioned && r->tail->from != TAIL_NOW) {
		uint64_t oldest = proto_get_uint(got->body, "oldest").v;

		f->positioned = true;
		f->position = r->tail->from == TAIL_SEQ
				  ? MIN(r->tail->from_seq - 1, got->head)
				  : MAX(oldest, 1) - 1;
	}
	return tail_remote_subscribe(r);
}

/*
 * The gateway can't go on from the position.  It is asked once more, from
 * the oldest that it has, and then from now on.
 */
static int
tail_remote_lagged(struct tail_remote *r, const struct follow_message *got)
{
	struct follow *f = &r->follow;
	uint64_t was = f->position;

	if (got->oldest > f->position + 1)
		f->position = got->oldest - 1;
	else if (r->lagged_once)
		f->position = got->head;
	r->lagged_once = true;
	tool_note(r->tail->t, "lagged (%.*s) at seq %" PRIu64,
	    (int)got->text.len, (const char *)got->text.p, was);
	if (f->position > was)
		tool_note(r->tail->t,
		    "what matched in %" PRIu64 " to %" PRIu64 " is missing",
		    was + 1, f->position);
	f->last_seq = f->position;
	return tail_remote_subscribe(r);
}

static int
tail_remote_print(
    struct tail_remote *r, const struct follow_message *got, struct reason *why)
{
	struct tail *tail = r->tail;
	struct mp_walk w = mp_walk(got->events);
	struct slice event;
	struct event ev;
	int err;

	while (tail->left && mp_skip(&w, &event)) {
		err = event_decode(event, &ev, why);
		if (err < 0)
			return err;
		if (tail->from == TAIL_SEQ && ev.seq && ev.seq < tail->from_seq)
			continue;
		err = show_event(&tail->show, event, why);
		if (err < 0)
			return err;
		tail->left--;
		r->lagged_once = false;
	}
	return 0;
}

static int
tail_remote_message(struct tail_remote *r, struct slice msg, struct reason *why)
{
	struct follow_message got;
	int err = follow_take(&r->follow, msg, &got, why);

	if (err < 0)
		return err;
	switch (got.kind) {
	case FOLLOW_WELCOME:
		return tail_remote_welcome(r, &got, why);
	case FOLLOW_SUBSCRIBED:
		r->failures = 0;
		return 0;
	case FOLLOW_EVENTS:
		return tail_remote_print(r, &got, why);
	case FOLLOW_LAGGED:
		return tail_remote_lagged(r, &got);
	case FOLLOW_EXPIRING:
		return tail_remote_auth(r, why);
	case FOLLOW_ERROR:
		(void)reason_set(why, 0, "%s: %.*s", proto_code_name(got.code),
		    (int)got.text.len, (const char *)got.text.p);
		return -EPROTO;
	default:
		return 0;
	}
}

/* What a server's close means for us. */
static enum tail_end
tail_remote_closed(struct tail_remote *r)
{
	unsigned code = remote_close_code(r->conn);
	const char *text = remote_close_text(r->conn);

	tool_note(r->tail->t, "the server closed (%u%s%s)", code,
	    *text ? ": " : "", text);
	/* A refused token is no better the next time, unless it changed. */
	if (code >= TAIL_FINAL || (code == 4401 && !r->follow.live))
		return TAIL_NEVER;
	return TAIL_AGAIN;
}

/*
 * Nothing is there: push out what was printed and wait.  TAIL_AGAIN: look
 * again; TAIL_DONE: nobody reads stdout any more; TAIL_NEVER: silence.
 */
static enum tail_end
tail_remote_idle(struct tail_remote *r)
{
	struct pollfd pfd[2] = {
		{ .fd = remote_fd(r->conn), .events = remote_wants(r->conn) },
		{ .fd = STDOUT_FILENO, .events = 0 },
	};
	int n;

	if (!tool_flush(r->tail->t))
		return TAIL_DONE;
	n = poll(pfd, 2, r->follow.live ? TAIL_SILENCE_MS : TAIL_OPEN_MS);
	if (n > 0 && (pfd[1].revents & (POLLERR | POLLHUP)))
		return TAIL_DONE;
	return n == 0 ? TAIL_NEVER : TAIL_AGAIN;
}

/* One connection, from its first byte to its last. */
static enum tail_end
tail_remote_serve(struct tail_remote *r, struct reason *why)
{
	enum tail_end idle;
	struct slice msg;
	int got, err;

	while (r->tail->left && !tool_stopped()) {
		got = remote_step(r->conn, &msg, why);
		if (got == REMOTE_AGAIN) {
			idle = tail_remote_idle(r);
			if (idle == TAIL_DONE)
				return TAIL_DONE;
			if (idle == TAIL_AGAIN)
				continue;
			(void)reason_set(
			    why, 0, "the server says nothing any more");
			return TAIL_AGAIN;
		}
		if (got < 0)
			return r->follow.log[0] ? TAIL_AGAIN : TAIL_NEVER;
		if (got == REMOTE_CLOSED) {
			why->text[0] = '\0';
			return tail_remote_closed(r);
		}
		err = got == REMOTE_OPENED ? tail_remote_hello(r, why)
					   : tail_remote_message(r, msg, why);
		if (err < 0)
			return TAIL_NEVER;
	}
	return TAIL_DONE;
}

static int
tail_remote_loop(struct tail_remote *r, struct reason *why)
{
	enum tail_end end = TAIL_AGAIN;
	int err;

	while (end == TAIL_AGAIN && !tool_stopped()) {
		err = remote_open(r->target, &r->conn, why);
		end = err < 0 ? TAIL_AGAIN : tail_remote_serve(r, why);
		if (end == TAIL_DONE && r->conn) {
			struct slice msg;
			struct reason ignored;

			remote_say_close(r->conn, 1000);
			(void)!remote_wait(r->conn, 0, &msg, &ignored);
		}
		r->conn = remote_free(r->conn);
		follow_disconnected(&r->follow);
		if (end != TAIL_AGAIN)
			break;
		if (why->text[0])
			tool_note(r->tail->t, "%s", why->text);
		(void)poll(NULL, 0,
		    MIN(TAIL_RETRY_MS << (int)MIN(r->failures, 5u),
			(int)TAIL_RETRY_MAX_MS));
		r->failures++;
		why->text[0] = '\0';
	}
	return end == TAIL_NEVER ? TOOL_ERROR : TOOL_OK;
}

int
tail_remote(struct tail *tail)
{
	struct tail_remote r = { .tail = tail,
		.follow.conflate_ms = tail->conflate_ms };
	struct reason why = { "" };
	char path[PATH_MAX];
	int status;

	if (remote_target_open(tail->t->url, credentials_cafile(tail->t, path),
		&r.target, &why) < 0)
		return tool_fail(tail->t, &why);
	status = tail_remote_loop(&r, &why);
	if (status != TOOL_OK && why.text[0])
		(void)tool_fail(tail->t, &why);
	r.target = remote_target_free(r.target);
	mp_buf_deinit(&r.out);
	return status;
}
