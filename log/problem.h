/* SPDX-License-Identifier: BSD-2-Clause */

/* Problem: one thing that is wrong with a log, and which events it touches. */

#ifndef PEAL_LOG_PROBLEM_H
#define PEAL_LOG_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"

/* What kind of damage it is: each has a name and something to be done. */
enum log_problem_kind {
	LOG_DAMAGED_SEGMENT = 0, /* header, seal or size */
	LOG_DAMAGED_FRAME,
	LOG_LOST_TAIL,
	LOG_MISSING_SEGMENT,
	LOG_FOREIGN_SEGMENT, /* of another log or history, or misnamed */
	LOG_FOREIGN_FILE,    /* a name of the log that no file has */
	LOG_DAMAGED_BASE,
	LOG_EDITED, /* frames that verify, and not those that were written */
};

struct log_problem {
	enum log_problem_kind kind;
	const char *segment; /* or another file's name */
	uint64_t offset;     /* in it; 0: the file as a whole */
	uint64_t first_seq;  /* damaged or missing events; 0: none */
	uint64_t last_seq;   /* edited: the first of those is among them */
	const char *text;
};

/* Who is told.  The problem and its strings live for the call. */
struct log_problem_sink {
	void (*fn)(void *arg, const struct log_problem *problem);
	void *arg;
	uint64_t told;
};

enum {
	LOG_PROBLEM_SENTENCE = 240 /* as struct reason */
};

/* Of every LOG_EDITED that a scan has found. */
#define LOG_EDITED_TEXT \
	"the frames before it are not those whose SHA-256 was written down"

/* "KIND: segment 'NAME', offset N: TEXT; events A to B …"; returns buf. */
const char *log_problem_sentence(
    const struct log_problem *problem, char buf[LOG_PROBLEM_SENTENCE]);

/* What is odd and harmless is said to notes, where that is not NULL. */
void PRINTF(2, 3)
    log_note(void (*notes)(const char *sentence), const char *fmt, ...);

/* A sink's fn that leaves the sentence in arg, a struct reason. */
void log_problem_keep(void *arg, const struct log_problem *problem);

const char *log_problem_name(enum log_problem_kind kind);
/* What the operator does next, by the kind with which sentence begins. */
const char *log_problem_next(const char *sentence);

/* Tell sink; what is told needs no segment of its own beyond its name. */
void log_problem_tell(struct log_problem_sink *sink,
    const struct log_problem *where, const char *fmt, ...) PRINTF(3, 4);

#endif
