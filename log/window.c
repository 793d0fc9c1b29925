/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Window over a file.  Offsets, lengths and memory are aligned to pages, as
 * O_DIRECT wants them.
 */

#include <errno.h>
#include <string.h>

#include "log/pack.h"
#include "log/window.h"

enum {
	WINDOW_BYTES = 256 << 10
};

int
window_init(struct window *win, const struct sysio *io, int fd, uint64_t bytes)
{
	size_t size = (size_t)ALIGN_UP(
	    MIN(MAX(bytes, 1), (uint64_t)WINDOW_BYTES), LOG_PAGE);
	uint8_t *buf = aligned_alloc(LOG_PAGE, size);

	if (!buf)
		return -ENOMEM;
	*win = (struct window){
		.io = io, .fd = fd, .bytes = bytes, .buf = buf, .size = size
	};
	return 0;
}

void
window_deinit(struct window *win)
{
	win->packed = packed_free(win->packed);
	free(win->buf);
	win->buf = NULL;
}

static ssize_t
window_read(struct window *win, uint64_t from)
{
	size_t len = (size_t)MIN(win->bytes - from, (uint64_t)win->size);

	if (win->packed)
		return packed_pread(win->packed, win->buf, len, from);
	return sysio_pread(win->io, win->fd, win->buf, len, from);
}

ssize_t
window_get(struct window *win, uint64_t offset, const uint8_t **p)
{
	return window_want(win, offset, LOG_PAGE, p);
}

ssize_t
window_want(struct window *win, uint64_t offset, size_t want, const uint8_t **p)
{
	uint64_t from = offset & ~(uint64_t)(LOG_PAGE - 1);
	size_t ahead;
	ssize_t n;

	if (offset >= win->bytes)
		return 0;
	want = MIN(want, win->size - (size_t)(offset - from));
	ahead = (size_t)MIN(win->bytes - offset, (uint64_t)want);
	if (offset < win->at || offset + ahead > win->at + win->len) {
		win->len = 0;
		n = window_read(win, from);
		if (n < 0)
			return n;
		win->at = from;
		win->len = (size_t)n;
		if (offset >= from + win->len)
			return 0;
	}
	*p = win->buf + (offset - win->at);
	return (ssize_t)(win->len - (offset - win->at));
}

uint64_t
window_data(const struct window *win, uint64_t offset)
{
	return win->packed ? packed_data(win->packed, offset)
			   : sysio_data(win->io, win->fd, offset);
}
