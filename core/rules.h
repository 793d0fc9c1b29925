/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Fold rules: which events replace, merge into or delete the state of their
 * topic.  The same table serves broker, gateways, tools and, packed in
 * `welcome`, every client.
 */

#ifndef PEAL_CORE_RULES_H
#define PEAL_CORE_RULES_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/mp.h"

enum rules_fold {
	RULES_SET,
	RULES_MERGE,
	RULES_DELETE,
	RULES_ADD,
	RULES_REMOVE,
	RULES_TOUCH, /* what no rule names */
};

/* "set" and so on. */
const char *rules_fold_name(enum rules_fold fold);

/* Of an event; topics of the system always fold as set. */
enum rules_fold rules_fold(struct slice topic, struct slice type);

/* {"version": n, "rules": [[glob, fold]...]}, first match wins. */
void rules_pack(struct mp_buf *b);

#endif
