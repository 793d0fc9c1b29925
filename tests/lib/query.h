/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Questions to a running peal whose answers are counted and looked through,
 * for the hostile tests.  Failing here fails the cmocka test.
 */

#ifndef PEAL_TESTS_LIB_QUERY_H
#define PEAL_TESTS_LIB_QUERY_H

#include "tests/lib/live.h"

struct query {
	char code[40]; /* of an error, or "" */
	char text[300];
	unsigned parts, rows, events, members;
	unsigned secret; /* topics that begin with "secret.", anywhere */
	uint64_t seq;	 /* of a snapshot */
	uint64_t next;	 /* of a page, 0: none */
	bool full, live;
	int64_t ms; /* until the last part */
};

/* Send the request, which has the id, and take its answer to the end. */
void query_ask(
    struct client *c, uint64_t id, struct query *q, const char *json);
/* The answer to what was sent before. */
void query_answer(struct client *c, uint64_t id, struct query *q);

/* It is an error of this code; the connection stays. */
void query_refused(struct client *c, const char *json, const char *code);

/* A token of sub with these claims of peal, as JSON; free() it. */
char *query_token(const char *sub, const char *permissions);

/* Append one event; returns its seq. */
uint64_t query_append(struct client *c, const char *topic, const char *type);

#endif
