/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Fold rules: which events replace, merge into or delete the state of their
 * topic.  The same rules serve broker, gateways, tools and, packed in
 * `welcome`, every client.
 */

#ifndef PEAL_CORE_RULES_H
#define PEAL_CORE_RULES_H

#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;
struct rules;

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

/*
 * Rules from text, "GLOB=FOLD" words separated by white space, first match
 * wins; the last '=' of a word divides it.  "" is the default rules.  0,
 * -ENOMEM, or -EINVAL with a sentence that names the word.  The caller owns
 * *out.
 */
MUST_CHECK int rules_parse(
    const char *text, struct rules **out, struct reason *why);
/* The same from the `fold` value of a `welcome`. */
MUST_CHECK int rules_unpack(
    struct slice value, struct rules **out, struct reason *why);
/* One reference more, to rules that do not change. */
struct rules *rules_ref(struct rules *rules);
/* One less; frees with the last. */
struct rules *rules_free(struct rules *rules);
CLEANUP_FN(struct rules *, rules_free)

/* Their text, as rules_parse() reads it: the default ones are spelled out. */
const char *rules_text(const struct rules *rules);
/* A number that equal rules share and others do not; 32 bits. */
uint64_t rules_version(const struct rules *rules);

/* Of an event; topics of the system always fold as set. */
enum rules_fold rules_fold(
    const struct rules *rules, struct slice topic, struct slice type);

/* {"version": n, "rules": [[glob, fold]...]}, first match wins. */
void rules_pack(const struct rules *rules, struct mp_buf *b);

#endif
