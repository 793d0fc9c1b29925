/* SPDX-License-Identifier: BSD-2-Clause */

/* What the process is made of, opened in order and closed in reverse. */

#ifndef PEAL_BROKER_PARTS_H
#define PEAL_BROKER_PARTS_H

#include <stdbool.h>

#include "broker/query.h"
#include "core/macros.h"

struct archiver;
struct clients;
struct conf;
struct folder;
struct handover;
struct jobs;
struct loop;
struct reason;
struct rules;
struct serve;

struct parts {
	const struct conf *conf;
	struct loop *loop;
	int lock;
	int listen_fd;
	struct rules *rules;
	struct query query; /* with store, spools, archives and logs */
	struct jobs *jobs;
	struct clients *clients;
	struct serve *serve;
	struct archiver *archiver;
	struct handover *handover;
	struct folder *folder;
};

enum parts_opened {
	PARTS_OPENED = 0,
	PARTS_NO_LOG, /* it is not there yet */
	PARTS_HELD,   /* another broker has the directory */
	PARTS_CONFIG, /* the configuration is wrong */
};

/*
 * Open everything that is not open yet; conf and loop are set.  Enum
 * parts_opened or below zero, other than PARTS_OPENED with a sentence.
 */
MUST_CHECK int parts_open(struct parts *p, struct reason *why);
/*
 * Is the directory still the one that is held?  False: it was deleted, or
 * another one is in its place, and nothing that is stored will be found.
 */
bool parts_have_directory(const struct parts *p);
/* Is there something in the configuration that can't work?  options_check() */
int parts_check(const struct conf *conf);
/* conf holds other values: they go into what is open. */
void parts_configure(struct parts *p);
/* Close what is open; cursors are flushed, the state left clean. */
void parts_close(struct parts *p);

#endif
