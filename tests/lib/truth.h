/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a log directory holds, event by event, as the judge wants it: the
 * bytes come from the log reader, their meaning from msgpack-c.
 */

#ifndef PEAL_TESTS_LIB_TRUTH_H
#define PEAL_TESTS_LIB_TRUTH_H

#include <stdbool.h>

#include "tests/lib/checker.h"

/* A part of an event: a str, or an encoded value. */
struct truth_text {
	const char *p;
	size_t len;
};

struct truth_event {
	struct checker_event event;
	uint64_t first, last; /* of its request */
	struct truth_text type, actor;
	struct truth_text data; /* as encoded */
	struct truth_text key;	/* of meta, len 0: none */
	uint64_t meta_time;	/* of meta, 0: none */
};

/*
 * Call fn for each event of the log in directory, in order, until it returns
 * false.  false and a line on stderr where the log cannot be read to its
 * end; otherwise true.
 */
bool truth_each(const char *directory,
    bool (*fn)(void *arg, const struct truth_event *event), void *arg);

#endif
