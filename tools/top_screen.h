/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal top` on a terminal: what is drawn, and what keys do.  Knows curses,
 * which nothing else does.
 */

#ifndef PEAL_TOOLS_TOP_SCREEN_H
#define PEAL_TOOLS_TOP_SCREEN_H

#include <stdbool.h>

#include "core/macros.h"

struct reason;
struct top;
struct top_screen;

/*
 * Take the terminal on stdin and stdout.  -ENOTTY where there is none,
 * -ENOTSUP where nobody knows what it can do; why says which.
 */
MUST_CHECK int top_screen_open(struct top_screen **out, struct reason *why);
/* Give it back as it was. */
struct top_screen *top_screen_close(struct top_screen *s);
CLEANUP_FN(struct top_screen *, top_screen_close)

/* Take the keys that were pressed; false: the last of them was to quit. */
bool top_screen_keys(struct top_screen *s, struct top *top);
/* Does it stand still? */
bool top_screen_paused(const struct top_screen *s);
void top_screen_draw(struct top_screen *s, struct top *top);

#endif
