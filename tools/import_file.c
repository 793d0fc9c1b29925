/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lines of a file.  The buffer grows up to one longest line, and a line that
 * is longer is read past in pieces.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/crc32c.h"
#include "core/reason.h"
#include "tools/import_file.h"

enum {
	IMPORT_BUFFER = IMPORT_LINE_MAX + (1 << 20)
};

int
import_file_open(struct import_file *f, const char *path, struct reason *why)
{
	struct stat st;

	*f = (struct import_file){ .fd = -1, .whole = true };
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return reason_set(why, -errno, "cannot open '%.150s'", path);
	if (S_ISDIR(st.st_mode))
		return reason_set(why, -EISDIR, "cannot read '%.150s'", path);
	f->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	f->buf = malloc(IMPORT_BUFFER);
	if (!f->buf)
		return reason_set(why, -ENOMEM, "cannot read '%.150s'", path);
	return 0;
}

void
import_file_close(struct import_file *f)
{
	closep(&f->fd);
	free(f->buf);
	f->buf = NULL;
}

int
import_file_rewind(struct import_file *f, struct reason *why)
{
	if (lseek(f->fd, 0, SEEK_SET) < 0)
		return reason_set(why, -errno, "cannot begin again");
	f->start = f->end = 0;
	f->ended = false;
	f->offset = f->line = 0;
	f->crc = 0;
	f->whole = true;
	return 0;
}

static int
import_file_fill(struct import_file *f, struct reason *why)
{
	ssize_t n;

	if (f->start > 0) {
		memmove(f->buf, f->buf + f->start, f->end - f->start);
		f->end -= f->start;
		f->start = 0;
	}
	do {
		n = read(f->fd, f->buf + f->end, IMPORT_BUFFER - f->end);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return reason_set(why, -errno, "cannot read the file");
	f->ended = n == 0;
	f->end += (size_t)n;
	return 0;
}

/* Step over n bytes at start. */
static void
import_file_consume(struct import_file *f, size_t n)
{
	f->crc = crc32c(f->crc, f->buf + f->start, n);
	f->offset += n;
	f->start += n;
}

/* The rest of a line whose first bytes fill the buffer. */
static int
import_file_skip(struct import_file *f, struct reason *why)
{
	const uint8_t *lf;
	int err;

	for (;;) {
		lf = memchr(f->buf + f->start, '\n', f->end - f->start);
		if (lf) {
			import_file_consume(
			    f, (size_t)(lf - (f->buf + f->start)) + 1);
			break;
		}
		import_file_consume(f, f->end - f->start);
		if (f->ended)
			break;
		err = import_file_fill(f, why);
		if (err < 0)
			return err;
	}
	f->line++;
	f->whole = lf != NULL;
	return IMPORT_TOO_LONG;
}

int
import_file_next(struct import_file *f, struct slice *line, struct reason *why)
{
	size_t searched = 0, len;
	const uint8_t *lf;
	int err;

	for (;;) {
		lf = memchr(f->buf + f->start + searched, '\n',
		    f->end - f->start - searched);
		if (lf || f->ended)
			break;
		searched = f->end - f->start;
		if (searched > IMPORT_LINE_MAX)
			return import_file_skip(f, why);
		err = import_file_fill(f, why);
		if (err < 0)
			return err;
	}
	len = lf ? (size_t)(lf - (f->buf + f->start)) : f->end - f->start;
	if (!lf && len == 0)
		return IMPORT_END;
	if (len > IMPORT_LINE_MAX)
		return import_file_skip(f, why);
	*line = slice_of(f->buf + f->start, len);
	import_file_consume(f, len + (lf != NULL));
	f->line++;
	f->whole = lf != NULL;
	if (line->len && line->p[line->len - 1] == '\r')
		line->len--;
	return IMPORT_LINE;
}
