/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Configuration: one table of keys (conf_keys.h) from which the parser, the
 * defaults, `peal config` and the manual are made.  Sources in order: the
 * default, the file, -o section.key=value.
 */

#ifndef PEAL_CORE_CONF_H
#define PEAL_CORE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;

enum conf_kind {
	CONF_UINT,     /* plain number within [min, max] */
	CONF_BYTES,    /* number with optional K, M, G (1024) */
	CONF_MS,       /* milliseconds */
	CONF_SECONDS,  /* seconds */
	CONF_BOOL,     /* yes or no */
	CONF_TEXT,     /* any text, at most max bytes */
};

/* Enumerators CONF_section_key, one for each line of conf_keys.h. */
enum conf_key {
#define CONF_KEY(section, key, kind, def, min, max, text) \
	CONF_##section##_##key,
#include "core/conf_keys.h"
#undef CONF_KEY
	CONF_KEYS
};

struct conf;

/* All defaults. */
struct conf *conf_new(void);
struct conf *conf_free(struct conf *conf);
CLEANUP_FN(struct conf *, conf_free)

/* Read an INI file; the reason names file, line, key and what is right. */
MUST_CHECK int conf_read(
    struct conf *conf, const char *path, struct reason *why);
/* "section.key=value" of the command line. */
MUST_CHECK int conf_set(
    struct conf *conf, const char *assignment, struct reason *why);

uint64_t conf_uint(const struct conf *conf, enum conf_key key);
bool conf_bool(const struct conf *conf, enum conf_key key);
const char *conf_text(const struct conf *conf, enum conf_key key);

/* For `peal config`: name as section.key, value as text, and its source. */
struct conf_entry {
	const char *name;
	const char *section;
	const char *text; /* one line of help */
	const char *fallback;
	char value[512];
	char source[300]; /* "default", "FILE:LINE", "command line" */
};

void conf_describe(
    const struct conf *conf, enum conf_key key, struct conf_entry *entry);

#endif
