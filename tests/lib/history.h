/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The judge of appends in the manner of Jepsen: is told what producers ask
 * for, when, and how it ended for them, then shown the log, and says what is
 * wrong with the first thing that doc/protocol.md forbids.  Knows nothing of
 * our own code; producers may be threads.
 */

#ifndef PEAL_TESTS_LIB_HISTORY_H
#define PEAL_TESTS_LIB_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HISTORY_TOPICS = 12,
	HISTORY_EVENTS = 4, /* of a request, at most; all of other topics */
	HISTORY_TEXT = 512,
	HISTORY_ANY = -1, /* expectations that are no version */
	HISTORY_EXISTS = -2,
};

/* Whose keys a request carries: none, its own, or those of another one. */
#define HISTORY_NO_KEY	UINT32_MAX
#define HISTORY_OWN_KEY (UINT32_MAX - 1)

struct history_ask {
	unsigned n;
	uint32_t key;
	struct history_part {
		unsigned topic;
		int64_t expect;
	} ev[HISTORY_EVENTS];
};

enum history_outcome {
	HISTORY_STORED,
	HISTORY_CONFLICT,
	HISTORY_REUSED,
	HISTORY_REFUSED, /* for now: certainly not stored */
	HISTORY_UNKNOWN, /* no answer, or one that says so */
};

struct history_answer {
	enum history_outcome outcome;
	/* Of what was stored. */
	uint64_t seq;
	uint64_t time;
	uint64_t version[HISTORY_EVENTS];
	bool duplicate;
	/* Of a conflict. */
	unsigned topic;
	uint64_t actual;
};

/* An event of the log; texts live for the call. */
struct history_event {
	uint64_t seq;
	uint64_t time;
	uint64_t version;
	uint64_t first, last;		       /* of its request */
	const char *topic, *type, *key, *data; /* key "": none */
};

struct history;

/* NULL without memory. */
struct history *history_new(void);
struct history *history_free(struct history *h);

/* A request that nobody has sent yet; its number, from 0 on. */
uint32_t history_ask(struct history *h, const struct history_ask *ask);
/* It is about to be sent, over this connection (from 1 on). */
void history_sent(struct history *h, uint32_t op, uint32_t connection);
/* How one sending of it ended, as soon as that is known. */
void history_answered(
    struct history *h, uint32_t op, const struct history_answer *answer);

/* What was asked for. */
unsigned history_events(const struct history *h, uint32_t op);
bool history_is_keyed(const struct history *h, uint32_t op);
int64_t history_expect(const struct history *h, uint32_t op, unsigned i);
/* The newest version of a topic that an answer told of, 0: of none. */
uint64_t history_version(struct history *h, unsigned topic);

/*
 * The texts of event i of a request, HISTORY_TEXT bytes of room for each: what
 * is asked for, and what has to be in the log.
 */
struct history_texts {
	char topic[HISTORY_TEXT], type[HISTORY_TEXT], key[HISTORY_TEXT];
	char data[HISTORY_TEXT];
};
void history_texts(const struct history *h, uint32_t op, unsigned i,
    struct history_texts *texts);

/* Each event of the log in order, once nobody asks any more; then the end. */
bool history_truth(struct history *h, const struct history_event *ev);
bool history_truth_end(struct history *h);

/* The first fault in one sentence, or "" when there is none. */
const char *history_fault(const struct history *h);

struct history_counts {
	uint64_t asked, sent, stored, duplicates, conflicts, reused, refused;
	uint64_t unknown;  /* sendings without an answer */
	uint64_t resolved; /* requests with one, whose answer came later */
	uint64_t silent;   /* requests that never got an answer */
	uint64_t found;	   /* of those, in the log */
};
void history_count(const struct history *h, struct history_counts *n);

#endif
