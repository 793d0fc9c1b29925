/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A house seen from outside: its ring, and the counters of all its
 * processes, found again whenever a process starts anew.  Asks nobody,
 * believes nothing, and survives files that are cut short under it.
 */

#ifndef PEAL_TOOLS_WATCH_H
#define PEAL_TOOLS_WATCH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/reason.h"
#include "shm/stats.h"

struct house;
struct ring_reader;

enum {
	WATCH_PAGES = 256,	/* files of counters that are looked at */
	WATCH_BAD = 16,		/* sentences that are kept */
	WATCH_BYTES = 64 << 20, /* of all files together */
};

/* One process that counts, as of the last look: a copy of our own. */
struct watch_process {
	struct stats_view view;
	bool alive; /* the writer: it holds the log; others: their page */
	struct stats_page *page; /* what view is of; NULL: the writer's */
};

struct watch {
	/* Of watch_ring(); NULL while there is none. */
	struct ring_reader *rd;

	/* Of watch_counters(): the writer first, then as files are named. */
	struct watch_process processes[WATCH_PAGES + 1];
	unsigned n;
	/* What was there and could not be understood, in the same look. */
	struct reason bad[WATCH_BAD];
	unsigned bad_n; /* may exceed WATCH_BAD */

	char ring_path[PATH_MAX];
	char pages_path[PATH_MAX];
	char log_dir[PATH_MAX];
	/* The rest is watch.c's. */
	uint8_t *copy;
	size_t copy_room;
	size_t bytes; /* of the pages of this look */
	long replaced;
};

/* On success the caller owns *out.  Takes SIGBUS, see guard.h. */
MUST_CHECK int watch_new(
    const struct house *house, struct watch **out, struct reason *why);
struct watch *watch_free(struct watch *w);
CLEANUP_FN(struct watch *, watch_free)

enum watch_found {
	WATCH_NONE = 0, /* no ring is there (why says which); w->rd is NULL */
	WATCH_SAME,	/* the one that was there */
	WATCH_NEW,	/* w->rd reads another: positions are gone, seek */
};

/*
 * Look for the ring: at first, and again before each turn of what is drawn
 * or served.  A writer that started, a file put in its place, one that was
 * cut short: all are found out here.  Below zero: what is there is no ring
 * that can be read, w->rd is NULL, and the next look may find better.
 */
MUST_CHECK int watch_ring(struct watch *w, struct reason *why);

/*
 * Behind reading from w->rd and before using what was read: 0, or -EPROTO
 * where the file was cut short meanwhile, and what was read may be zeros.
 */
MUST_CHECK int watch_whole(struct watch *w, struct reason *why);

/*
 * The writer's counters out of w->rd, as a copy that lives until the next
 * one is made.  -EPROTO: they are none, or the ring was cut short.
 */
MUST_CHECK int watch_ring_counters(
    struct watch *w, struct stats_view *copy, struct reason *why);

/*
 * Copy the counters of all processes: the writer's out of the ring (calls
 * watch_ring()), others' from RUN/stat.  What cannot be understood is in
 * w->bad and harms no other.  Below zero: RUN/stat cannot be listed.
 */
MUST_CHECK int watch_counters(struct watch *w, struct reason *why);

/* "alive": it holds the log; "dead": nobody does; "unknown": who can say. */
const char *watch_writer(const struct watch *w);

#endif
