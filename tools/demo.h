/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What both kinds of `peal demo` share: events are gathered into a request
 * and stored, one request after the other, in order and each once, whatever
 * becomes of the writer meanwhile.
 */

#ifndef PEAL_TOOLS_DEMO_H
#define PEAL_TOOLS_DEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/mp.h"
#include "core/proto.h"
#include "tools/writer_client.h"

struct reason;
struct tool;

struct demo {
	struct tool *t;
	uint64_t for_ms; /* to run; 0: until told to stop */
	uint64_t started_ms;

	struct writer_client wc;
	char log[PROTO_LOG_NAME]; /* that this run feeds; "": none yet */
	char run[17];		  /* its keys begin with it */
	uint64_t keys;

	struct mp_buf events; /* gathered, back to back */
	uint32_t n;
	struct mp_buf request;

	uint64_t stored; /* events */
	uint64_t seq;	 /* of the newest */
	uint64_t drawn_ms;
	uint64_t drawn_stored;
	uint64_t drawn_at_ms;
	bool drawn;
};

uint64_t demo_now_ms(void);

/* Connect and learn which log is fed.  demo_close() also after a failure. */
MUST_CHECK int demo_open(struct demo *d, struct reason *why);
void demo_close(struct demo *d);

/* Told to stop, or as long as it was to run. */
bool demo_over(const struct demo *d);

/*
 * Gather one event; its key is this run's.  What would be too much for one
 * request is stored first.
 */
MUST_CHECK int demo_event(
    struct demo *d, struct writer_append *append, struct reason *why);

/*
 * Store what was gathered.  While the writer is away, or has no room, wait
 * and try again: 0 also when told to stop meanwhile, and then what was
 * gathered is dropped.  Below zero: it refuses the events, or serves another
 * log now.
 */
MUST_CHECK int demo_store(struct demo *d, struct reason *why);

/* Wait until then, or until it is over. */
void demo_wait_until(struct demo *d, uint64_t ms);

/* One line on a terminal, redrawn; what is said of it. */
void demo_status(struct demo *d, const char *what);
/* Wipe it. */
void demo_status_end(struct demo *d);

/* --- demo_live.c, demo_replay.c: each returns an exit code --- */

struct demo_live_options {
	uint64_t interval_ms;
	bool no_graph;
};

int demo_live(struct demo *d, const struct demo_live_options *options);

struct demo_replay_options {
	const char *path;
	uint64_t speed;
	uint64_t rate;	/* events a second at most */
	uint64_t gap_s; /* longest pause */
	uint64_t from;	/* line */
	bool loop;
	bool skip_bad;
};

int demo_replay(struct demo *d, const struct demo_replay_options *options);

#endif
