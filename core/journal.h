/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The native protocol of systemd-journald
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), by hand: one datagram of
 * NAME=value lines.  Values have no line ends; whoever calls has seen to that.
 */

#ifndef PEAL_CORE_JOURNAL_H
#define PEAL_CORE_JOURNAL_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/macros.h"

#define JOURNAL_PATH "/run/systemd/journal/socket"

enum {
	JOURNAL_FIELDS = 24,
	JOURNAL_NAME_MAX = 64, /* journald takes no longer ones */
};

struct journal_field {
	const char *name; /* A-Z, 0-9 and _ */
	struct slice value;
};

/*
 * Is descriptor fd what systemd has connected to the journal
 * ($JOURNAL_STREAM)?  Not so once it was redirected.
 */
bool journal_is(int fd);

/* A socket for journal_send(); below zero: -errno. */
MUST_CHECK int journal_open(void);

/*
 * Send n fields, at most JOURNAL_FIELDS, to the journal at path.  Waits for
 * room for a tenth of a second at most.  0 or -errno.
 */
MUST_CHECK int journal_send(
    int sock, const char *path, const struct journal_field *fields, unsigned n);

#endif
