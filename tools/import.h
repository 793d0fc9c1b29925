/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The import itself: a window of requests on their way to the writer, kept
 * until they are answered, so that they can be sent again in order.
 */

#ifndef PEAL_TOOLS_IMPORT_H
#define PEAL_TOOLS_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mp.h"
#include "core/sha256.h"
#include "tools/import_file.h"
#include "tools/import_progress.h"
#include "tools/import_seen.h"
#include "tools/writer_client.h"

struct tool;

enum import_state {
	IMPORT_UNSENT, /* to be sent, or to be sent again */
	IMPORT_SENT,
	IMPORT_DONE, /* answered */
};

/* A line on its way. */
struct import_slot {
	enum import_state state;
	uint64_t line;
	uint64_t offset; /* behind the line */
	uint32_t crc;	 /* of the bytes before offset */
	struct mp_buf request;
};

struct import {
	struct tool *t;
	const char *path;
	bool skip_bad;
	uint64_t window; /* requests on their way at most */

	struct import_file file;
	struct import_seen seen;
	struct sha256 sum;
	struct mp_buf scratch;

	struct writer_client wc;
	struct import_slot *slots; /* request n is in slots[n % window] */
	uint64_t base;		   /* oldest request that is not done */
	uint64_t next;		   /* to be made */
	uint64_t unsent;	   /* lowest that is not sent */
	size_t bytes;		   /* of the requests kept */
	uint64_t pause_until_ms;   /* the writer asked for patience */

	struct import_progress progress;
	uint64_t now_us; /* refreshed now and then */
	bool exhausted;	 /* no line is left, or none may follow */
	uint64_t limit;	 /* requests from here on are not sent any more */
	int status;
	bool told_full;
	uint64_t stored; /* in this run */
	uint64_t duplicates;
	uint64_t skipped;
	bool no_progress_file;
	uint64_t saved_ms;
	uint64_t drawn_ms;
	uint64_t started_ms;
};

/*
 * Import all lines that are left; returns an exit code.  im->wc is open and
 * im->file stands where to begin.
 */
int import_run(struct import *im);

/* --- import_resume.c --- */

/*
 * Stand where an earlier run into the same log left off, or at the first
 * line.  Below zero with a reason.
 */
MUST_CHECK int import_resume(struct import *im, struct reason *why);

/* --- import_report.c --- */

/* Redraw the bar on a terminal; at most ten times a second unless last. */
void import_report_bar(struct import *im, bool last);
/* FILE:LINE: sentence. */
void import_report_bad(
    struct import *im, uint64_t line, const char *text, size_t len);
void import_report_end(struct import *im);

uint64_t import_now_ms(void);

#endif
