/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The files of the dashboard and the browser client, read into memory at
 * start: what is served is what was there then, and no request ever opens a
 * file.
 */

#ifndef PEAL_GATEWAY_SITE_H
#define PEAL_GATEWAY_SITE_H

#include "core/bytes.h"
#include "core/macros.h"

struct block;
struct reason;
struct site;

enum {
	SITE_ETAG = 35 /* 32 hex digits in quotes, and NUL */
};

struct site_file {
	char *path;	  /* of its URL: "/peal.js" */
	const char *type; /* for Content-Type */
	char etag[SITE_ETAG];
	struct block *body; /* a reference */
};

/*
 * Read the directory and those in it: regular files whose names consist of
 * [A-Za-z0-9._-] and do not begin with '.'; links are not followed.  Refused
 * with a reason where a file can't be read, or there is too much.  The caller
 * owns *out.
 */
MUST_CHECK int site_open(
    const char *dir, struct site **out, struct reason *why);
struct site *site_free(struct site *s);
CLEANUP_FN(struct site *, site_free)

/* What a path names, index.html behind a final '/'; NULL: nothing. */
const struct site_file *site_find(const struct site *s, struct slice path);

/* Is the file's ETag in the value of If-None-Match (RFC 9110, 13.1.2)? */
bool site_is_known(const struct site_file *f, struct slice if_none_match);

/* How many files there are, and their bytes. */
size_t site_count(const struct site *s, size_t *bytes);

#endif
