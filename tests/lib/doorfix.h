/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Doors over real TLS, with sessions that the test plays: each says welcome
 * to its hello, and keeps what it is asked.
 */

#ifndef PEAL_TESTS_LIB_DOORFIX_H
#define PEAL_TESTS_LIB_DOORFIX_H

#include "gateway/conn.h"
#include "tests/lib/edgefix.h"

#define DOOR_GET(target, headers) \
	"GET " target " HTTP/1.1\r\nHost: localhost\r\n" headers "\r\n"
#define DOOR_HEAD(target) "HEAD " target " HTTP/1.1\r\nHost: localhost\r\n\r\n"
/* Of JSON, length is a string literal; the body follows. */
#define DOOR_POST(length, headers)                                  \
	"POST /v1/events HTTP/1.1\r\nHost: localhost\r\n"           \
	"Content-Type: application/json\r\nContent-Length: " length \
	"\r\n" headers "\r\n"

/* What a session was asked last, as JSON with ' for "; hello apart. */
extern char doorfix_asked[4096];
extern unsigned doorfix_questions, doorfix_hellos;
/* What every question is answered with at once; NULL: nothing. */
extern const char *doorfix_answer;

/* Start the edge, and connect a client. */
struct edge_client *doorfix_start(
    struct edgefix *fx, const char *const *options);
/* Send a request, and wait until a session is asked. */
void doorfix_ask(struct edge_client *c, const char *request);

/* Send one whose answer's head comes without, and has this status. */
void doorfix_refused(struct edge_client *c, const char *request, int status);

/* The session says a map, or gives it as a block; ' stands for ". */
void doorfix_says(struct edgefix *fx, const char *text);
enum conn_send doorfix_gives(struct edgefix *fx, const char *text);

/* Read until text has come; returns everything up to its end. */
const char *doorfix_read_to(struct edge_client *c, const char *text);
/* Everything up to the end of the connection. */
const char *doorfix_read_all(struct edge_client *c);
void doorfix_contains(const char *text, const char *part);
void doorfix_lacks(const char *text, const char *part);
/* Put every from in the text into to. */
void doorfix_swap(char *text, char from, char to);

#endif
