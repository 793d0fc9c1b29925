/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Admission: may this request be stored?  Keys are looked at first, then
 * checks and versions, then quota.  What it finds rests on pending state;
 * whoever answers from it waits for the flush.
 */

#ifndef PEAL_WRITER_ADMIT_H
#define PEAL_WRITER_ADMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/event.h"
#include "core/macros.h"
#include "core/mp.h"
#include "core/proto.h"
#include "core/sha256.h"
#include "writer/keys.h"
#include "writer/versions.h"

struct reason;
struct state;

/* What does not change from request to request. */
struct admit_limits {
	uint32_t event_bytes; /* longest event, and longest request */
	uint32_t events;      /* in one request */
	uint64_t topics;
};

struct admit_event {
	struct proto_append_event in;
	uint64_t hash;
	struct slice actor;
	size_t meta_at; /* final meta in the scratch buffer */
	size_t meta_len;
	uint64_t version;
	struct version_undo undo;
};

/* A request under admission; reused from one to the next. */
struct admit {
	/* in */
	struct slice events; /* of the parsed request */
	struct slice checks;
	struct slice account; /* actor of events that name none */
	bool may_system;      /* may write '$' topics */
	uint64_t now_us;
	uint64_t wall_us; /* what the clock says, believed or not; 0: now_us */

	/* out */
	uint32_t n;
	bool keyed;
	uint64_t time_us; /* of all its events */
	uint64_t bytes;	  /* of all of them, encoded */
	struct admit_event ev[EVENT_REQUEST_MAX];
	struct key_id ids[EVENT_REQUEST_MAX];
	uint64_t versions[EVENT_REQUEST_MAX];
	uint8_t fingerprint[16];
	struct mp_buf scratch; /* metas */
	struct sha256 sum;     /* kept for its context */

	/* a repeat */
	bool repeat;
	struct keys_request stored;

	/* a refusal: a conflict's topic and versions, or the reused key */
	struct slice topic;
	enum proto_expect expect;
	uint64_t expected;
	uint64_t actual;
	struct slice key;
};

void admit_deinit(struct admit *ad);

/*
 * Admit the request in *ad against st.  PROTO_OK: either ad->repeat is set
 * and nothing is to be done, or every version was bumped and the request is
 * to be sequenced at once, or given up with admit_undo().  Otherwise the code
 * to answer with, and *why says what was wrong; state is as before.
 */
MUST_CHECK enum proto_code admit_request(struct admit *ad, struct state *st,
    const struct admit_limits *limits, struct reason *why);

void admit_undo(struct admit *ad, struct state *st);

/* Event i as it will be stored, but for seq. */
void admit_stored(const struct admit *ad, uint32_t i, struct event *ev);

#endif
