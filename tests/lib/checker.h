/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The judge of one client's history: is fed every batch and replay part that
 * the client got, over all its connections, and says what is wrong with the
 * first one that doc/protocol.md forbids.  Knows nothing of our own code but
 * the shape of an event.
 */

#ifndef PEAL_TESTS_LIB_CHECKER_H
#define PEAL_TESTS_LIB_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An event as it was received; bytes live for the call. */
struct checker_event {
	uint64_t seq; /* 0: ephemeral */
	uint64_t time;
	uint64_t version;
	const char *topic;
	size_t topic_len;
	const uint8_t *bytes;
	size_t len;
};

/* What came in one message: events with after < seq <= upto. */
struct checker_span {
	uint64_t after;
	uint64_t upto;
	const struct checker_event *events;
	size_t n;
};

struct checker;

/* A client that asked for pattern from a position; NULL without memory. */
struct checker *checker_new(const char *pattern, uint64_t from);
struct checker *checker_free(struct checker *c);

/* How far the client's knowledge is complete. */
uint64_t checker_position(const struct checker *c);
/* Durable events that it got. */
uint64_t checker_events(const struct checker *c);
uint64_t checker_ephemeral(const struct checker *c);

/* true, or false and checker_fault() says what is wrong; faults stay. */
bool checker_span(struct checker *c, const struct checker_span *span);

/*
 * The log said that seqs first to last are one request: no message may end
 * within it.
 */
bool checker_request(struct checker *c, uint64_t first, uint64_t last);

/*
 * An event of the true log, to be called for each one in order of seq once
 * the client is done; then checker_truth_end().
 */
bool checker_truth(struct checker *c, const struct checker_event *event);
bool checker_truth_end(struct checker *c);

/* The first fault in one sentence, or "" when there is none. */
const char *checker_fault(const struct checker *c);

/* A pattern of doc/protocol.md on a topic; written for the tests alone. */
bool checker_match(const char *pattern, const char *topic, size_t len);

#endif
