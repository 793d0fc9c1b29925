/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The clients of all gateways of a house, read from their pages: those that
 * rank highest, in bounded memory, and how many there are altogether.
 */

#ifndef PEAL_TOOLS_CROWD_H
#define PEAL_TOOLS_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"
#include "core/reason.h"
#include "shm/client_page.h"

enum {
	CROWD_PAGES = 256, /* that are looked at */
	CROWD_BAD = 16	   /* sentences that are kept */
};

struct crowd_row {
	struct client_info info;
	uint32_t pid; /* of its gateway */
	bool alive;   /* somebody with that pid runs */
};

struct crowd_ask {
	const char *user; /* a glob; NULL: all */
	bool gone;	  /* also those who have gone, or whose gateway has */
	size_t by;	  /* offset of a number in struct client_info */
};

struct crowd {
	struct crowd_row *rows; /* highest first */
	unsigned n;
	unsigned room;
	/* Of all that were asked for, also where there was no room. */
	uint64_t found;
	/* Of all pages. */
	uint64_t unseated; /* clients without a slot */
	uint64_t orphans;  /* not asked for: their gateway has gone */
	uint64_t torn;	   /* slots that never stood still */
	struct reason bad[CROWD_BAD];
	unsigned bad_n; /* may exceed CROWD_BAD */
};

/* Up to so many rows.  -ENOMEM. */
MUST_CHECK int crowd_init(struct crowd *c, unsigned room);
void crowd_deinit(struct crowd *c);

/*
 * Look at RUN/stat/clients.  A page that cannot be understood is in bad[]
 * and harms no other.  Below zero: -ENOENT where no gateway has told of its
 * clients, or the directory cannot be read.
 */
MUST_CHECK int crowd_look(struct crowd *c, const char *run,
    const struct crowd_ask *ask, struct reason *why);

/* The column of struct client_info with that name, or -1. */
int crowd_column(const char *name);

/* "live", and what the other states are called; "MessagePack" and so on. */
const char *crowd_state_name(uint64_t state);
const char *crowd_form_name(uint64_t form);

/* A name for people: escaped, and "..." where there was more of it. */
enum {
	CROWD_NAME = 4 * CLIENT_TEXT_MAX + 8
};
const char *crowd_name(const struct client_text *text, char buf[CROWD_NAME]);

#endif
