/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One text over HTTP/1.1, for whoever scrapes it.  Connections, their bytes
 * and their time are bounded, and so is how often the text is made: strangers
 * who ask hard cost no more than those who ask as they should.
 */

#ifndef PEAL_TOOLS_METRICS_HTTP_H
#define PEAL_TOOLS_METRICS_HTTP_H

#include <stdint.h>

#include "core/macros.h"

struct loop;
struct metrics_http;
struct mp_buf;
struct reason;

enum {
	METRICS_HTTP_CONNECTIONS = 32,
	METRICS_HTTP_HEAD = 8192,
	METRICS_HTTP_SOCKETS = 4,
};

struct metrics_http_options {
	const char *path; /* where the text is; all else is 404 */
	const char *type; /* its Content-Type */
	/* Append the text.  Below zero: 503, with the sentence. */
	int (*make)(void *arg, struct mp_buf *out, struct reason *why);
	void *arg;
	uint64_t fresh_us; /* a text that is no older is served again */
	uint64_t stay_us;  /* for request and answer together */
};

/* options live as long.  0 or -ENOMEM. */
MUST_CHECK int metrics_http_new(struct loop *loop,
    const struct metrics_http_options *options, struct metrics_http **out);
struct metrics_http *metrics_http_free(struct metrics_http *h);
CLEANUP_FN(struct metrics_http *, metrics_http_free)

/*
 * Serve whoever comes to the non-blocking listening socket fd, which stays
 * the caller's; at most METRICS_HTTP_SOCKETS of them.  Who comes when all
 * places are taken gets that of the one who has been there longest.
 */
MUST_CHECK int metrics_http_listen(struct metrics_http *h, int fd);

#endif
