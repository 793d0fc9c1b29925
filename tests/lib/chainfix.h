/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A small world for the fan-out: a real ring, what stands behind it, and
 * clients that check every message against a list of all events.  A client
 * knows doc/protocol.md and nothing of the gateway's inside.
 */

#ifndef PEAL_TESTS_LIB_CHAINFIX_H
#define PEAL_TESTS_LIB_CHAINFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/proto.h"
#include "gateway/catchup.h"
#include "gateway/feed.h"
#include "gateway/group.h"
#include "gateway/send.h"
#include "tests/lib/fakeconn.h"
#include "tests/lib/ringfix.h"

enum {
	CHAINFIX_CLIENTS = 16,
	CHAINFIX_SUBS = 6,
	CHAINFIX_EPHEMERAL = 1 << 16, /* ids of ephemeral events */
	CHAINFIX_TOPICS = 10,
	CHAINFIX_ACLS = 5,
};

extern const char *const chainfix_topics[];
extern const unsigned chainfix_n_topics;

/* What a subscription asks for; lists end with NULL. */
struct chainfix_spec {
	const char *topics[4];
	const char *types[3];
};
extern const struct chainfix_spec chainfix_specs[];
extern const unsigned chainfix_n_specs;

struct chainfix_event {
	const char *topic;
	const char *type;
	uint64_t version;
	bool last; /* of its request */
	uint32_t len;
	uint8_t *bytes;
};

enum chainfix_state {
	CHAINFIX_NONE = 0,
	CHAINFIX_ROWS,	  /* of a snapshot */
	CHAINFIX_BETWEEN, /* a snapshot ended not live: what comes? */
	CHAINFIX_REPLAY,
	CHAINFIX_WAIT, /* goes live at pos */
	CHAINFIX_LIVE,
	CHAINFIX_ENDING, /* is about to be told lagged at pos */
};

struct chainfix_sub {
	enum chainfix_state state;
	uint64_t id;
	uint64_t pos;
	const struct chainfix_spec *spec;
	const struct acl *acl; /* of the client then */

	/* Of a snapshot. */
	bool announced; /* `subscribed` came */
	bool has_since;
	uint64_t since; /* rows up to here are known */
	uint64_t seq;	/* of the round that is coming in; 0: none is */
	uint64_t rows[CHAINFIX_TOPICS]; /* of the round: their seqs */
};

struct chainfix_client {
	struct chainfix *world;
	struct fakeconn conn;
	struct sender sender;
	const struct acl *acl; /* one of the world's */
	struct chainfix_sub subs[CHAINFIX_SUBS];
	bool open;
	bool chain;
	uint64_t at; /* upto of the last batch of the chain */
	uint64_t next_id;
	uint64_t events, ephemeral, lagged, batches, parts; /* received */
	size_t longest; /* of the batches, in bytes */
	uint64_t rounds, again, errors, retold, forbidden;
	uint32_t conflate_ms; /* 0: it wants every event */
	uint64_t left_out;
	/* The newest event of a topic that a set has yet to make up for. */
	uint64_t owed[CHAINFIX_TOPICS];
	uint8_t seen[CHAINFIX_EPHEMERAL / 8];
};

struct chainfix {
	struct ringfix ring;
	struct group_table groups;
	struct catchup *catchup;
	struct feed *feed;
	struct send_hub hub;
	struct ask *broker;
	struct fetch *fetch;
	struct rules *rules;
	uint64_t now_ns;
	uint64_t random;
	struct chainfix_event *events; /* [seq - 1] */
	uint64_t n_events, cap;
	uint64_t versions[CHAINFIX_TOPICS];
	uint64_t n_ephemeral;
	uint32_t event_bytes; /* data of an event is at most as long */
	bool lapped;	      /* the feed was, once at least */
	struct acl acls[CHAINFIX_ACLS]; /* the first one: everything */
	struct chainfix_client clients[CHAINFIX_CLIENTS];
};

/* A ring of so many slots and bytes; everything follows from the seed. */
struct chainfix *chainfix_new(
    uint64_t seed, uint32_t slots, uint64_t payload_bytes);
struct chainfix *chainfix_free(struct chainfix *w);

uint64_t chainfix_random(struct chainfix *w, uint64_t below);

/* One pass of the writer: a few requests, some of them ephemeral. */
void chainfix_publish(struct chainfix *w);
/* One request of n events on one topic with data of len bytes. */
void chainfix_append(
    struct chainfix *w, const char *topic, unsigned n, uint32_t len);
void chainfix_emit(struct chainfix *w, const char *topic);

/* One turn of the gateway, us later. */
void chainfix_turn(struct chainfix *w, uint64_t us);
/* Turns until nothing moves, and a mark for every group. */
void chainfix_settle(struct chainfix *w);

void chainfix_connect(struct chainfix_client *c);
void chainfix_disconnect(struct chainfix_client *c);
void chainfix_now(struct chainfix_client *c, const struct chainfix_spec *spec);
void chainfix_from(struct chainfix_client *c, const struct chainfix_spec *spec,
    uint64_t position);
/* From a snapshot; since: what the client has, not set: nothing. */
void chainfix_snapshot(struct chainfix_client *c,
    const struct chainfix_spec *spec, struct proto_uint since);
/* From now on it conflates, if it did not; the interval is random. */
void chainfix_conflate(struct chainfix_client *c);
void chainfix_unsubscribe(struct chainfix_client *c, unsigned i);
/* The client has other permissions from now on: these of the world's. */
void chainfix_permit(struct chainfix_client *c, unsigned acl);

/* Everything asked for has been got, up to the head. */
void chainfix_check_level(const struct chainfix_client *c);

/* --- chainfix_rows.c: what a client checks of snapshots --- */

void chainfix_got_snapshot(
    struct chainfix_client *c, struct chainfix_sub *sub, struct slice map);
bool chainfix_matches(
    const struct chainfix_sub *sub, struct slice topic, struct slice type);

/* --- chainfix_conflate.c: what a client that conflates checks --- */

/* This event was left out: may it be, and what has to come for it? */
void chainfix_left_out(struct chainfix_client *c, uint64_t seq);
/* This one came. */
void chainfix_came(struct chainfix_client *c, uint64_t seq);
/* The live set got smaller. */
void chainfix_forgive(struct chainfix_client *c);

/* Do its live subscriptions want it? */
bool chainfix_wanted(
    const struct chainfix_client *c, struct slice topic, struct slice type);

#define CHAINFIX_CHECK(cond, ...)                                             \
	do {                                                                  \
		if (!(cond)) {                                                \
			fprintf(stderr, "chain: " __VA_ARGS__);               \
			fprintf(stderr, " (%s:%d: %s)\n", __FILE__, __LINE__, \
			    #cond);                                           \
			abort();                                              \
		}                                                             \
	} while (0)

#endif
