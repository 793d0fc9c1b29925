/* SPDX-License-Identifier: BSD-2-Clause */

/* Topics, patterns and names escaped into a token, as in doc/protocol.md. */

#ifndef PEAL_CORE_TOPIC_H
#define PEAL_CORE_TOPIC_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

enum {
	TOPIC_MAX = 255, /* bytes of a topic or pattern */
	TOPIC_TYPE_MAX = 64,
	TOPIC_ACTOR_MAX = 128,
	TOPIC_ESCAPED_MAX = 150, /* bytes of an escaped name, without NUL */
};

/* true, or false and a sentence that names the topic (escaped). */
bool topic_valid(struct slice topic, struct reason *why);
bool topic_pattern_valid(struct slice pattern, struct reason *why);
bool topic_type_valid(struct slice type, struct reason *why);
bool topic_actor_valid(struct slice actor, struct reason *why);

/* First token begins with '$'. */
bool topic_is_system(struct slice topic);

/* Both valid.  '$' topics match only a pattern whose first token is equal. */
bool topic_match(struct slice pattern, struct slice topic);

/* Is there any topic that both patterns match? */
bool topic_patterns_meet(struct slice a, struct slice b);

/* type glob: '*' alone is special and stands for any run of bytes. */
bool topic_glob_match(struct slice glob, struct slice text);

/* Escape any name into one token; returns its length, buf is NUL-ended. */
size_t topic_escape(struct slice name, char buf[TOPIC_ESCAPED_MAX + 1]);

/* Number of tokens; token i of topic, empty beyond the last. */
unsigned topic_tokens(struct slice topic);
/* Cut the first token off *rest; false when nothing is left. */
bool topic_next_token(struct slice *rest, struct slice *token);

#endif
