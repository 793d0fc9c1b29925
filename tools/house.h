/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Where a running peal keeps its things, found from --data DIR or from the
 * configuration; nothing here asks a process.
 */

#ifndef PEAL_TOOLS_HOUSE_H
#define PEAL_TOOLS_HOUSE_H

#include <limits.h>
#include <stdbool.h>

#include "core/macros.h"

struct conf;
struct reason;

struct house {
	struct conf *conf;
	char dir[PATH_MAX]; /* of --data, absolute; "" without one */
};

/*
 * Settle the configuration: file (NULL: none), then what dir (NULL: none)
 * implies, then the assignments of the command line.  With neither file nor
 * dir: ./peal-data where that is there, else /etc/peal/peal.conf where that
 * is there, else the defaults.  0, or below zero with a reason.
 */
MUST_CHECK int house_find(struct house *h, const char *file, const char *dir,
    const char *const *assignments, unsigned n, struct reason *why);
void house_deinit(struct house *h);

/* Do what --data DIR implies; DIR exists and is absolute. */
MUST_CHECK int house_use_dir(
    struct house *h, const char *dir, struct reason *why);

const char *house_log_dir(const struct house *h);
const char *house_run_dir(const struct house *h);

/* DIR/name, or "" without a directory. */
const char *house_path(
    const struct house *h, const char *name, char buf[PATH_MAX]);

/*
 * The https:// address that a running `peal up` left in its run directory,
 * else the one of gateway.listen.
 */
const char *house_url(const struct house *h, char buf[PATH_MAX]);

#endif
