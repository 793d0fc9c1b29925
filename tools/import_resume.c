/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Where to begin.  Earlier lines are read again, without sending them: that
 * counts occurrences as the first run did, and proves by their checksum that
 * the file is still the same up to there.
 */

#include <string.h>

#include "core/reason.h"
#include "tools/import.h"
#include "tools/import_line.h"
#include "tools/tool.h"

/* Read lines until offset; 1 when the file is the same up to there. */
static int
import_resume_reread(
    struct import *im, const struct import_progress *p, struct reason *why)
{
	struct slice line;
	uint32_t occurrence;
	int err = IMPORT_LINE;

	while (im->file.offset < p->offset) {
		err = import_file_next(&im->file, &line, why);
		if (err < 0)
			return err;
		if (err == IMPORT_END)
			return 0;
		if (err == IMPORT_LINE && !import_line_is_blank(line))
			err = import_seen_count(&im->seen, line, &occurrence);
		if (err < 0)
			return reason_set(why, err, "cannot count lines");
	}
	return im->file.offset == p->offset && im->file.crc == p->crc &&
	       im->file.line == p->line;
}

int
import_resume(struct import *im, struct reason *why)
{
	struct import_progress p;
	uint64_t head;
	int err;

	err = writer_client_hello(&im->wc, im->progress.log, &head, why);
	if (err < 0)
		return err;
	if (import_progress_read(im->path, &p) != IMPORT_PROGRESS_READ ||
	    strcmp(p.log, im->progress.log) != 0 || p.seq > head)
		return 0;
	err = import_resume_reread(im, &p, why);
	if (err < 0)
		return err;
	/* A last line without its end may have grown since. */
	if (err == 1 && (im->file.whole || p.offset == im->file.size)) {
		im->progress = p;
		im->progress.complete = false;
		return 0;
	}
	tool_note(im->t,
	    "'%s' is not what it was at the last import: beginning again "
	    "(nothing is stored twice)",
	    im->path);
	import_seen_deinit(&im->seen);
	return import_file_rewind(&im->file, why);
}
