/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Events on stdout: a line for people, or the event's array as JSON.  Bytes
 * of strangers never reach a terminal as they are.
 */

#ifndef PEAL_TOOLS_SHOW_H
#define PEAL_TOOLS_SHOW_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;

/* {0} before the first use. */
struct show {
	bool json;
	struct mp_buf text;
};

void show_deinit(struct show *show);

/*
 * Print one encoded event whose bytes were verified.  -EPROTO with a reason
 * when they are no event.  Whether stdout still takes it is tool_flush()'s
 * to find out.
 */
MUST_CHECK int show_event(
    struct show *show, struct slice event, struct reason *why);

/* The same of a row: a line for people, or the row's array as JSON. */
MUST_CHECK int show_row(
    struct show *show, struct slice bytes, struct reason *why);

/* Print a name, and for what would move a terminal's cursor a '?'. */
void show_name(struct slice name);

/*
 * Print one word of a command that somebody is to type: quoted for the shell
 * where it needs that, and what would move a cursor as its octal code.
 */
void show_shell_word(const char *word);

/* Print any valid value as a line of JSON.  -ENOMEM. */
MUST_CHECK int show_value(struct show *show, struct slice value);

#endif
