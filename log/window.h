/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Window: a file of any size read straight through in aligned pieces, from
 * the page cache or from the disk itself.
 */

#ifndef PEAL_LOG_WINDOW_H
#define PEAL_LOG_WINDOW_H

#include <stdint.h>

#include "core/macros.h"
#include "core/sysio.h"
#include "log/format.h"

struct packed;

struct window {
	const struct sysio *io;
	int fd;		       /* borrowed */
	struct packed *packed; /* or NULL: the bytes are in there */
	uint64_t bytes;	       /* of the file */
	uint8_t *buf;
	size_t size; /* of buf */
	uint64_t at; /* the file's bytes that buf holds */
	size_t len;
};

/*
 * bytes: the file's size.  To be ended with window_deinit(), which frees
 * packed, too, where that is set then.
 */
MUST_CHECK int window_init(
    struct window *win, const struct sysio *io, int fd, uint64_t bytes);
void window_deinit(struct window *win);

/*
 * Point *p at the byte at offset.  Returns how many follow there, at least
 * LOG_PAGE unless the file ends, 0 at its end; *p lives until the next call.
 */
MUST_CHECK ssize_t window_get(
    struct window *win, uint64_t offset, const uint8_t **p);
/* The same, and want bytes at least where the file and the piece have room. */
MUST_CHECK ssize_t window_want(
    struct window *win, uint64_t offset, size_t want, const uint8_t **p);

/*
 * The next byte from offset on that may be other than zero, as far as that is
 * known without reading: few packed bytes may stand for any number of zeros,
 * and none at all for a hole.  Beyond the file where there is no such byte.
 */
uint64_t window_data(const struct window *win, uint64_t offset);

#endif
