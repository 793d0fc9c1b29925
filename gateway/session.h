/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sessions: what a client says, and what it may.  A session is opened with
 * its connection, speaks after `hello`, and ends with the connection.
 */

#ifndef PEAL_GATEWAY_SESSION_H
#define PEAL_GATEWAY_SESSION_H

#include <stdint.h>
#include <sys/queue.h>

#include "core/bytes.h"
#include "core/macros.h"

struct conn;
struct conn_handler;
struct gateway;
struct grants_member;
struct sender;
struct session;
struct turn;

/* Fill in what connections call; gw is their arg. */
void session_handler(struct gateway *gw, struct conn_handler *handler);

/* An answer from the writer. */
void session_answer(void *owner, struct slice message);

/* Close every session; nothing more is sent but what is queued. */
void session_close_all(struct gateway *gw, unsigned code, const char *text);
/* A grant or a revocation of this member's user has changed; arg: gateway. */
void session_granted(void *arg, struct grants_member *m);
/*
 * Permissions are not known at present: nobody is given anything and what
 * clients say waits, until all go on.
 */
void session_hold_all(struct gateway *gw);
void session_resume_all(struct gateway *gw);
/* Once a second: tokens that end. */
void session_tick_all(struct gateway *gw);
/*
 * Say `draining`, each session with a slot of its own within spread_ms, and
 * close those whose slot has come at elapsed_ms.
 */
void session_drain_all(struct gateway *gw, uint64_t spread_ms);
void session_drained(struct gateway *gw, uint64_t elapsed_ms);

/* The broker is there, perhaps again: tell it what it does not know. */
void session_broker_up(struct gateway *gw);
/* A query for state has ended. */
void session_answered(void *gw, struct sender *sender);
/* A query's turn may have come. */
void session_query_go(struct turn *turn);
/* A subscription that presence knows has ended. */
void session_absent(void *gw, uint64_t member);
/* Greetings that have waited long enough go out without stored positions. */
void session_greet_due(void *gw);
/* Close everybody with 1012, each in a slot of its own within spread_ms. */
MUST_CHECK int session_shed_all(struct gateway *gw, uint64_t spread_ms);
/* Some of all sessions: what tools are told of them. */
void session_look_some(void *gw);
/* Close those whose slot has come. */
void session_shed_due(void *gw);

#endif
