/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The progress file: lines of "key value", the last of them a checksum of
 * those before it.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/fs.h"
#include "core/reason.h"
#include "tools/import_progress.h"

#define PROGRESS_SUFFIX ".peal-progress"

enum {
	PROGRESS_MAX = 1024
};

static int
import_progress_format(const struct import_progress *p, char text[PROGRESS_MAX])
{
	return snprintf(text, PROGRESS_MAX,
	    "peal-import 1\nlog %s\noffset %" PRIu64 "\nline %" PRIu64
	    "\ncrc %" PRIu32 "\nseq %" PRIu64 "\nstored %" PRIu64
	    "\nduplicates %" PRIu64 "\nskipped %" PRIu64 "\ncomplete %d\n",
	    p->log, p->offset, p->line, p->crc, p->seq, p->stored,
	    p->duplicates, p->skipped, p->complete);
}

int
import_progress_read(const char *file, struct import_progress *out)
{
	CLEANUP(freep) uint8_t *bytes = NULL;
	struct import_progress p = { .log = "" };
	char path[PATH_MAX], again[PROGRESS_MAX];
	int complete = 0, len;
	const char *sum;
	size_t n;

	snprintf(path, sizeof(path), "%s" PROGRESS_SUFFIX, file);
	if (fs_read(&sysio_posix, AT_FDCWD, path, PROGRESS_MAX, &bytes, &n,
		NULL) < 0)
		return IMPORT_PROGRESS_NONE;
	if (sscanf((const char *)bytes,
		"peal-import 1 log %63s offset %" SCNu64 " line %" SCNu64
		" crc %" SCNu32 " seq %" SCNu64 " stored %" SCNu64
		" duplicates %" SCNu64 " skipped %" SCNu64 " complete %d",
		p.log, &p.offset, &p.line, &p.crc, &p.seq, &p.stored,
		&p.duplicates, &p.skipped, &complete) != 9)
		return IMPORT_PROGRESS_NONE;
	p.complete = complete != 0;
	/* What was read must be, to the byte, what would be written. */
	len = import_progress_format(&p, again);
	snprintf(again + len, sizeof(again) - (size_t)len, "sum %08x\n",
	    crc32c(0, again, (size_t)len));
	sum = (const char *)bytes;
	if (strcmp(sum, again) != 0)
		return IMPORT_PROGRESS_NONE;
	*out = p;
	return IMPORT_PROGRESS_READ;
}

/* Split at the last slash: fs_replace() wants a directory and a name. */
static int
import_progress_dir(const char *path, const char **name)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd;

	*name = slash ? slash + 1 : path;
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 1,
	    slash ? path : ".");
	fd =
	    open(slash == path ? "/" : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int
import_progress_write(
    const char *file, const struct import_progress *p, struct reason *why)
{
	CLEANUP(closep) int dirfd = -1;
	char path[PATH_MAX], text[PROGRESS_MAX];
	const char *name;
	int len;

	if (snprintf(path, sizeof(path), "%s" PROGRESS_SUFFIX, file) >=
	    (int)sizeof(path))
		return reason_set(why, -ENAMETOOLONG, "the progress file");
	dirfd = import_progress_dir(path, &name);
	if (dirfd < 0)
		return reason_set(
		    why, dirfd, "cannot use the directory of '%.150s'", path);
	len = import_progress_format(p, text);
	len += snprintf(text + len, sizeof(text) - (size_t)len, "sum %08x\n",
	    crc32c(0, text, (size_t)len));
	return fs_replace(
	    &sysio_posix, dirfd, name, text, (size_t)len, 0644, why);
}
