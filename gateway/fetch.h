/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What connections fetch from the broker: snapshots part by part, and pages
 * of the log for replays.  What several wait for is asked once, and what came
 * is kept for a while for those who come to it next; nobody else holds it.
 */

#ifndef PEAL_GATEWAY_FETCH_H
#define PEAL_GATEWAY_FETCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"
#include "core/proto.h"
#include "gateway/filter.h"

struct ask;
struct fetch;
struct fetch_snap;

/* Rows of a part, or events of a page; its bytes stand back to back. */
struct fetched {
	uint32_t refs;
	uint32_t n;	/* rows or events */
	bool last;	/* of a part */
	uint64_t after; /* of a page: what it covers */
	uint64_t upto;
	size_t len;
	uint8_t bytes[];
};

/* Frees with the last reference; NULL is fine; returns NULL. */
struct fetched *fetched_unref(struct fetched *f);
CLEANUP_FN(struct fetched *, fetched_unref)

/* The broker said no.  code PROTO_UNAVAILABLE: it may be asked again. */
struct fetch_refusal {
	enum proto_code code;
	struct proto_uint oldest;
	uint64_t retry_ms; /* 0: none */
	char message[240];
};

/* Somebody who waits; embedded.  {0} waits for nothing. */
struct fetch_wait {
	LIST_ENTRY(fetch_wait) link;
	bool waiting;
	/* no NULL: it came, ask again.  It waits no more when this is called. */
	void (*fn)(struct fetch_wait *w, const struct fetch_refusal *no);
};

void fetch_leave(struct fetch_wait *w);

/* The broker's error, or its silence (p NULL), as a refusal; false: neither. */
bool fetch_refusal_of(struct slice reply, struct fetch_refusal *no);
/*
 * What a filter lets through, packed as pairs of a request to the broker:
 * topics, read, admin, and types where wanted; and how many pairs that are.
 */
unsigned fetch_filter_pairs(const struct filter *filter, bool types);
void fetch_pack_filter(
    struct mp_buf *b, const struct filter *filter, bool types);

/* The caller owns *out; ask outlives it and everything that it fetches. */
struct fetch *fetch_new(struct ask *ask);
struct fetch *fetch_free(struct fetch *f);
CLEANUP_FN(struct fetch *, fetch_free)
/* The broker went away, or the log changed: what was opened is gone. */
void fetch_forget(struct fetch *f);
/* May anything be fetched now? */
bool fetch_is_up(const struct fetch *f);

enum fetch_found {
	FETCH_HERE = 0,
	FETCH_WAITING, /* w is told */
	FETCH_GONE,    /* it can't be had: the broker is away, or was */
};

/*
 * The log behind `after`, an end of a request, up to upto at most, filtered.
 * The caller owns a reference to *out.
 */
MUST_CHECK enum fetch_found fetch_page(struct fetch *f, struct filter *filter,
    uint64_t after, uint64_t upto, struct fetch_wait *w, struct fetched **out);

/* --- snapshots --- */

struct fetch_query {
	struct filter *filter;
	struct proto_uint since;
	uint64_t min_seq;
	struct slice at; /* len 0: the present */
};

/*
 * Open a snapshot, or share one that others have opened just now.  FETCH_HERE
 * or FETCH_WAITING: the caller owns a reference to *out, which is open when w
 * was told so, or at once.
 */
MUST_CHECK enum fetch_found fetch_open(struct fetch *f,
    const struct fetch_query *query, uint64_t now_ns, struct fetch_wait *w,
    struct fetch_snap **out);
struct fetch_snap *fetch_snap_unref(struct fetch_snap *s);
uint64_t fetch_snap_seq(const struct fetch_snap *s);
bool fetch_snap_full(const struct fetch_snap *s);

/* Part n of an open one; the caller owns a reference to *out. */
MUST_CHECK enum fetch_found fetch_part(struct fetch *f, struct fetch_snap *s,
    uint64_t n, struct fetch_wait *w, struct fetched **out);

#endif
