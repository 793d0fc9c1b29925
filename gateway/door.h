/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Doors: the paths of HTTP behind which a session answers.  One exchange is
 * one session: it says hello with the request's bearer, is asked once, and
 * what it says is written as the answer.  So one check serves every door.
 *
 *	head -> session, hello -> (body) -> request -> answer -> over
 */

#ifndef PEAL_GATEWAY_DOOR_H
#define PEAL_GATEWAY_DOOR_H

#include <stdbool.h>

#include "core/bytes.h"
#include "gateway/conn.h"

struct door;
struct http_request;

/*
 * The connection's request is of /v1/ and not the WebSocket's: from here on
 * c->door has the say.  Answers at once what is refused.
 */
void door_enter(struct conn *c, const struct http_request *req);
struct door *door_free(struct door *d);
/* The methods of a path of /v1/; NULL: there is no door. */
const char *door_allowed(struct slice path);

/* Has the body yet to come?  Then take some of it; returns how many bytes. */
bool door_wants(const struct door *d);
size_t door_body(struct door *d, struct slice in);
/* The body did not come in time. */
void door_late(struct door *d);

/* What the session says: see conn_control(), conn_send(), conn_close(). */
void door_control(struct door *d, struct slice value);
enum conn_send door_send(struct door *d, struct block *b);
void door_close(struct door *d, unsigned code, const char *text);

/* Has its answer begun, and no end? */
bool door_streams(const struct door *d);

/* All is said: the session may go, and the next request come. */
bool door_is_over(const struct door *d);

#endif
