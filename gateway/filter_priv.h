/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What makes a filter, for split.c: pairs are taken out of one and put into
 * another by their encodings.
 */

#ifndef PEAL_GATEWAY_FILTER_PRIV_H
#define PEAL_GATEWAY_FILTER_PRIV_H

#include "gateway/filter.h"

/* Encodings of pairs on their way into a key. */
struct filter_keys {
	struct slice *keys;
	unsigned n;
};

/*
 * The filter of these pairs (sorted here, in place), under acl, or without
 * one where every pattern lies within the permissions.  The caller owns one
 * reference.
 */
struct filter *filter_of_keys(struct filter_table *table,
    struct filter_keys *list, const struct acl *acl);

/* May everything that the pattern matches be read? */
bool filter_within(const struct acl *acl, struct slice pattern);

#endif
