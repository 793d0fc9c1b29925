/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A set of patterns as requests carry them, and what it has in common with
 * permissions.  A request without permissions reads everything: it comes from
 * a local peer.
 */

#ifndef PEAL_CORE_TOPIC_SET_H
#define PEAL_CORE_TOPIC_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

enum {
	TOPIC_SET_MAX = 256
};

/* Patterns and, where restricted, what may be read.  {0} matches nothing. */
struct topic_set {
	unsigned n, n_read;
	struct slice *patterns; /* into text */
	struct slice *read;
	bool restricted; /* read and admin count */
	bool admin;	 /* reads '$' topics where a pattern names them */
	uint8_t *text;
};

/*
 * topics and read are valid arrays of valid patterns, as
 * proto_request_parse() passes them; read.p NULL: not restricted.  Copies.
 * 0 or -ENOMEM.
 */
MUST_CHECK int topic_set_init(
    struct topic_set *set, struct slice topics, struct slice read, bool admin);
void topic_set_deinit(struct topic_set *set);

bool topic_set_matches(const struct topic_set *set, struct slice topic);
/* Has the pattern anything in common with a pattern and, where restricted,
 * a readable one: all three at once. */
bool topic_set_meets(const struct topic_set *set, struct slice pattern);

/*
 * The pattern that matches what both match, into buf (2 * TOPIC_MAX + 2
 * bytes are enough); its length, 0 when they have nothing in common.
 */
size_t topic_cross(struct slice a, struct slice b, char *buf);

#endif
