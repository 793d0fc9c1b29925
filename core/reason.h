/* SPDX-License-Identifier: BSD-2-Clause */

/* The sentence that travels with an error to the one who will print it. */

#ifndef PEAL_CORE_REASON_H
#define PEAL_CORE_REASON_H

#include "core/macros.h"

struct reason {
	char text[240];
};

/*
 * What a sentence begins with where the callee may fail without saying why:
 * who says nothing has run out of memory.
 */
#define REASON_NO_MEMORY        \
	{                       \
		"out of memory" \
	}

/*
 * Keep one sentence for the caller who will log it; returns err unchanged.
 * A NULL why drops the sentence.  For err below zero the text of that errno
 * is appended after a colon.
 */
int reason_set(struct reason *why, int err, const char *fmt, ...) PRINTF(3, 4);

/*
 * The same where the sentence says all: it was no call that failed, or its
 * text is in it.  Nothing is appended.
 */
int reason_say(struct reason *why, int err, const char *fmt, ...) PRINTF(3, 4);

#endif
