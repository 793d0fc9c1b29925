/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The supervisor of `peal up`: one writer, one broker, several gateways, in
 * the foreground.  Broker and gateways start once the writer is ready; the
 * gateways stop first, the writer last.
 */

#ifndef PEAL_TOOLS_UP_H
#define PEAL_TOOLS_UP_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/macros.h"

struct conf;
struct reason;
struct tool;
struct vitals;

enum {
	UP_GATEWAYS_MAX = 64
};

/* --- up_house.c: what must be there before anything starts --- */

/*
 * Make DIR and its parts: log, tls with a self-signed certificate for host
 * unless there is one, auth with a token key unless there is one, and run.
 * t->house gets its configuration.  Returns an exit code; *lock is held from
 * TOOL_OK on.  TOOL_HELD: another peal up has DIR.
 */
MUST_CHECK int up_house_make(
    struct tool *t, const char *dir, const char *host, int *lock);

/* Write DIR/dev.token anew; on success the caller frees *token. */
MUST_CHECK int up_house_token(struct tool *t, char **token, struct reason *why);

/*
 * What children are told: each key that is not a default, as
 * "section.key=value".  They read no file.
 */
struct up_options {
	char **v;
	unsigned n;
};

MUST_CHECK int up_house_options(
    const struct tool *t, struct up_options *options, struct reason *why);
/*
 * Where nobody named a directory for gateways to serve, they serve the
 * dashboard and the browser client: what was built or installed with us.
 */
MUST_CHECK int up_house_site(
    const struct tool *t, struct up_options *options, struct reason *why);
/* One more, printed. */
MUST_CHECK int up_house_option(struct up_options *options, struct reason *why,
    const char *fmt, ...) PRINTF(3, 4);
void up_house_options_free(struct up_options *options);

/* --- up_listen.c: the socket that all gateways share --- */

struct up_address {
	char host[256];
	char port[8];
};

/* "ADDR:PORT" or "[ADDR]:PORT". */
MUST_CHECK bool up_listen_parse(
    const char *text, struct up_address *address, struct reason *why);
/*
 * Bind and listen.  *fd is the caller's; *port becomes the one in use when
 * it was 0.
 */
MUST_CHECK int up_listen_open(
    struct up_address *address, int *fd, struct reason *why);

/* --- up.c: the processes --- */

struct up_plan {
	struct tool *t;
	unsigned gateways;
	int listen_fd;
	const char *const *options; /* "section.key=value" for each child */
	unsigned n_options;
	struct vitals *vitals;	  /* NULL: not told */
	void (*ready)(void *arg); /* called once, when all are ready */
	void *arg;
};

/* Beside our own executable, where a build and an installation put it. */
void up_find_program(const char *name, char path[PATH_MAX]);
/* Run until told to stop or until it makes no sense; returns the exit code. */
int up_run(const struct up_plan *plan);

#endif
