/* SPDX-License-Identifier: BSD-2-Clause */

/* Problem: one thing that is wrong with a log, and which events it touches. */

#ifndef PEAL_LOG_PROBLEM_H
#define PEAL_LOG_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"

struct log_problem {
	const char *segment; /* or another file's name */
	uint64_t offset;     /* in it; 0: the file as a whole */
	uint64_t first_seq;  /* damaged or missing events; 0: none */
	uint64_t last_seq;
	const char *text;
};

/* Who is told.  The problem and its strings live for the call. */
struct log_problem_sink {
	void (*fn)(void *arg, const struct log_problem *problem);
	void *arg;
	uint64_t told;
};

enum {
	LOG_PROBLEM_SENTENCE = 240
};

/* "segment 'NAME', offset N: TEXT; events A to B …"; returns buf. */
const char *log_problem_sentence(
    const struct log_problem *problem, char buf[LOG_PROBLEM_SENTENCE]);

/* Tell sink; what is told needs no segment of its own beyond its name. */
void log_problem_tell(struct log_problem_sink *sink,
    const struct log_problem *where, const char *fmt, ...) PRINTF(3, 4);

#endif
