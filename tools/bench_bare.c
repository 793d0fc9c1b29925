/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The bare loop.  The file is as large as a segment and is written over and
 * over: its blocks are allocated and written, as a segment's are.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/bench_bare.h"
#include "tools/bench_hist.h"

enum {
	BARE_PAGE = 4096,
	BARE_FILE = 64 << 20,
	BARE_CHUNK = 1 << 20
};

static int
bench_bare_zero(struct bench_bare *b, struct reason *why)
{
	CLEANUP(freep) uint8_t *zeros = calloc(1, BARE_CHUNK);

	if (!zeros)
		return reason_set(why, -ENOMEM, "cannot measure");
	for (off_t at = 0; at < BARE_FILE; at += BARE_CHUNK)
		if (pwrite(b->fd, zeros, BARE_CHUNK, at) != BARE_CHUNK)
			return reason_set(
			    why, -EIO, "cannot fill a file with zeros");
	if (fsync(b->fd) < 0)
		return reason_set(why, -errno, "cannot sync");
	return 0;
}

int
bench_bare_open(
    struct bench_bare *b, const char *dir, size_t len, struct reason *why)
{
	char path[4200];

	*b = (struct bench_bare){ .fd = -1 };
	snprintf(path, sizeof(path), "%s/bench-XXXXXX", dir);
	b->fd = mkostemp(path, O_CLOEXEC);
	if (b->fd < 0)
		return reason_set(why, -errno, "cannot write in '%s'", dir);
	(void)unlink(path);
	b->page_len = ALIGN_UP(len, (size_t)BARE_PAGE);
	b->page = malloc(b->page_len);
	if (!b->page)
		return reason_set(why, -ENOMEM, "cannot measure");
	memset(b->page, 'b', b->page_len);
	return bench_bare_zero(b, why);
}

void
bench_bare_close(struct bench_bare *b)
{
	closep(&b->fd);
	free(b->page);
	b->page = NULL;
}

int
bench_bare_run(struct bench_bare *b, uint64_t n, struct bench_hist *hist,
    uint64_t *ns, struct reason *why)
{
	uint64_t begin = time_mono_ns(), start = begin, now;

	for (uint64_t i = 0; i < n; i++) {
		if (b->at + b->page_len > BARE_FILE)
			b->at = 0;
		if (pwrite(b->fd, b->page, b->page_len, (off_t)b->at) !=
			(ssize_t)b->page_len ||
		    fdatasync(b->fd) < 0)
			return reason_set(why, -errno, "cannot write");
		b->at += b->page_len;
		now = time_mono_ns();
		bench_hist_add(hist, now - start, 1);
		start = now;
	}
	*ns = start - begin;
	return 0;
}
