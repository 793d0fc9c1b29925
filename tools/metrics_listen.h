/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Where metrics are served: on this host, and nowhere else.  Sockets come
 * from systemd or are bound here, and each is looked at before it is used.
 */

#ifndef PEAL_TOOLS_METRICS_LISTEN_H
#define PEAL_TOOLS_METRICS_LISTEN_H

#include <stdbool.h>

#include "core/macros.h"

struct reason;

/*
 * Listen at "ADDRESS:PORT", an address of this host's loopback in digits, or
 * at "unix:PATH" (mode 0660); on success *fd is the caller's.  -EINVAL: the
 * text is neither of them.
 */
MUST_CHECK int metrics_listen(const char *text, int *fd, struct reason *why);

/*
 * Take up to max sockets that systemd has handed over: how many there were,
 * 0: none.  Below zero with a sentence: one of them is not to be served at.
 */
MUST_CHECK int metrics_listen_given(int *fds, unsigned max, struct reason *why);

/* "http://127.0.0.1:9735" or "unix:PATH", cut to fit. */
const char *metrics_listen_name(int fd, char *buf, size_t size);

#endif
