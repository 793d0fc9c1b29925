/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Ledger: what the sequencer must do, in a few lines: an array of events, the
 * version of each topic counted from it, the answer to a key found in it.
 * Also what was promised to producers and readers, and so must survive.
 */

#ifndef PEAL_TESTS_LIB_LEDGER_H
#define PEAL_TESTS_LIB_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"
#include "core/proto.h"

enum {
	LEDGER_EVENTS = 400,
	LEDGER_TOPICS = 6,
	LEDGER_KEYS = 24,
	LEDGER_LARGE = 1 << 20, /* data from here on is large */
	LEDGER_LARGE_BYTES = 60000,
	ASK_EVENTS = 3,
	ASK_ANY = -1,
	ASK_EXISTS = -2,
};

/* An append request.  With a key each event has one of its own from it. */
struct ask {
	unsigned n;
	int key; /* -1: none */
	struct ask_event {
		unsigned topic;
		int expect; /* ASK_ANY, ASK_EXISTS or a version */
		unsigned data;
	} ev[ASK_EVENTS];
};

struct ledger_event {
	struct ask_event is;
	int key;
	uint64_t version, time_us;
	bool ends; /* the last of its request */
};

struct ledger {
	struct ledger_event ev[LEDGER_EVENTS]; /* of seq n at n - 1 */
	uint64_t n;
	uint64_t promised; /* the highest seq that somebody may rely on */
};

struct ledger_answer {
	enum proto_code code;
	bool duplicate;
	uint64_t seq;	    /* of the first event */
	uint64_t relies_on; /* the highest seq that the answer tells of */
};

/* What must be answered. */
struct ledger_answer ledger_judge(const struct ledger *l, const struct ask *a);
/* It was: an answer that stores changes the ledger. */
void ledger_store(struct ledger *l, const struct ask *a, uint64_t time_us);
/* The log ends at seq: what is behind never was. */
void ledger_cut(struct ledger *l, uint64_t seq);
/* May it end there?  Between requests, with all that was promised. */
bool ledger_may_end(const struct ledger *l, uint64_t seq);

uint64_t ledger_version(const struct ledger *l, unsigned topic);
unsigned ledger_topics(const struct ledger *l);
/* The request that was stored under key; false: none was. */
bool ledger_keyed(const struct ledger *l, int key, struct ask *a);

/* The texts of an event, for requests and for what is read back. */
struct ledger_text {
	char topic[16], key[24];
	uint8_t data[LEDGER_LARGE_BYTES + 8];
	size_t data_len; /* of one MessagePack value */
};
void ledger_text(
    const struct ask_event *e, int key, unsigned nth, struct ledger_text *t);

/* Is ev what stands in the ledger under its seq? */
bool ledger_holds(const struct ledger *l, const struct event *ev);

#endif
