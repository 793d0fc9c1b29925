/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Configuration: one table of keys (conf_keys.h) from which the parser, the
 * defaults, `peal config` and the manual are made.  Sources in order: the
 * default, the file, -o section.key=value.
 *
 * The file: [section] lines, "key = value" lines, empty lines, and comments,
 * lines whose first character is # or ;.  A value goes to the end of its
 * line, without the white space around it.
 */

#ifndef PEAL_CORE_CONF_H
#define PEAL_CORE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "core/macros.h"

struct reason;

enum conf_kind {
	CONF_UINT,	 /* plain number within [min, max] */
	CONF_POW2,	 /* the same, a power of two */
	CONF_BYTES,	 /* number with optional K, M, G, T (of 1024) */
	CONF_BYTES_POW2, /* the same, a power of two */
	CONF_MS,	 /* milliseconds */
	CONF_SECONDS,	 /* seconds */
	CONF_BOOL,	 /* yes or no */
	CONF_TEXT,	 /* printable text of [min, max] bytes */
};

/* Enumerators CONF_section_key, one for each line of conf_keys.h. */
enum conf_key {
#define CONF_KEY(section, key, kind, when, def, min, max, text) \
	CONF_##section##_##key,
#include "core/conf_keys.h"
#undef CONF_KEY
	CONF_KEYS
};

struct conf;

/* All defaults; NULL without memory. */
struct conf *conf_new(void);
struct conf *conf_free(struct conf *conf);
CLEANUP_FN(struct conf *, conf_free)

/* The same values from the same sources; NULL without memory. */
struct conf *conf_copy(const struct conf *conf);
/* Exchange what two hold under a key, value and source. */
void conf_swap(struct conf *a, struct conf *b, enum conf_key key);
/* Of the file that was read last; "" when there was none. */
const char *conf_file(const struct conf *conf);

/*
 * Read an INI file.  -EINVAL: something in it is refused, and the reason is
 * a sentence with file, line, key and what would be right; otherwise below
 * zero: it can't be read.  conf keeps what it had.
 */
MUST_CHECK int conf_read(
    struct conf *conf, const char *path, struct reason *why);
/* "section.key=value" of the command line; stands above any file. */
MUST_CHECK int conf_set(
    struct conf *conf, const char *assignment, struct reason *why);

/* Of the numeric kinds; bytes, milliseconds and seconds as they are. */
uint64_t conf_uint(const struct conf *conf, enum conf_key key);
bool conf_bool(const struct conf *conf, enum conf_key key);
/* The value's text, of any kind; lives until it is set again. */
const char *conf_text(const struct conf *conf, enum conf_key key);

/* For `peal config`: name as section.key, value as text, and its source. */
struct conf_entry {
	const char *name;
	const char *section;
	const char *key;
	const char *text; /* one line of help */
	const char *fallback;
	const char *value; /* lives as conf_text() */
	char range[120];   /* "a number from 8 to 16777216 ..." */
	char source[300];  /* "default", "FILE:LINE", "command line" */
	bool live;	   /* a change counts at SIGHUP */
};

void conf_describe(
    const struct conf *conf, enum conf_key key, struct conf_entry *entry);

#endif
