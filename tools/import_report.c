/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What an import tells: a bar on a terminal, bad lines as they come, and a
 * summary.  The bar goes to stderr and is wiped before anything else.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/import.h"
#include "tools/tool.h"

enum {
	BAR_WIDTH = 30,
	BAR_MS = 100,
	BAD_SHOWN = 20,
	BAR_COLUMNS = 79
};

static double
import_seconds(const struct import *im)
{
	uint64_t ms = import_now_ms() - im->started_ms;

	return (double)MAX(ms, 1) / 1000;
}

void
import_report_bar(struct import *im, bool last)
{
	uint64_t now = import_now_ms();
	uint64_t done = im->stored + im->duplicates;
	unsigned filled = BAR_WIDTH;

	if (!isatty(STDERR_FILENO) || (!last && now - im->drawn_ms < BAR_MS))
		return;
	if (last) {
		if (im->drawn_ms)
			fprintf(stderr, "\r%*s\r", BAR_COLUMNS, "");
		return;
	}
	im->drawn_ms = now;
	if (im->file.size)
		filled = (unsigned)(BAR_WIDTH *
				    MIN(im->progress.offset, im->file.size) /
				    im->file.size);
	fprintf(stderr, "\r[%.*s%*s] %3u %%  %" PRIu64 " events  %.0f/s ",
	    (int)filled, "##############################",
	    (int)(BAR_WIDTH - filled), "", filled * 100 / BAR_WIDTH, done,
	    (double)done / import_seconds(im));
}

void
import_report_bad(
    struct import *im, uint64_t line, const char *text, size_t len)
{
	char safe[600];
	size_t n = MIN(len, sizeof(safe));

	if (im->skip_bad && im->skipped >= BAD_SHOWN) {
		if (im->skipped == BAD_SHOWN)
			tool_note(im->t, "further bad lines are only counted");
		return;
	}
	import_report_bar(im, true);
	/* A sentence may quote the line, and that may hold anything. */
	for (size_t i = 0; i < n; i++)
		safe[i] =
		    (char)(text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?');
	fprintf(stderr, "%s:%" PRIu64 ": %.*s\n", im->path, line, (int)n, safe);
}

void
import_report_end(struct import *im)
{
	double seconds = import_seconds(im);
	uint64_t events = im->stored + im->duplicates;
	uint64_t earlier = im->progress.stored + im->progress.duplicates;

	if (im->t->json) {
		printf("{\"stored\":%" PRIu64 ",\"duplicates\":%" PRIu64
		       ",\"skipped\":%" PRIu64 ",\"earlier\":%" PRIu64
		       ",\"line\":%" PRIu64 ",\"seq\":%" PRIu64
		       ",\"seconds\":%.3f,\"events_per_second\":%.0f,"
		       "\"complete\":%s}\n",
		    im->stored, im->duplicates, im->skipped, earlier,
		    im->progress.line, im->progress.seq, seconds,
		    (double)events / seconds,
		    im->status == TOOL_OK ? "true" : "false");
		return;
	}
	printf("%s%s: %" PRIu64 " stored, %" PRIu64 " duplicates, %" PRIu64
	       " bad lines skipped",
	    im->status == TOOL_OK ? "imported " : "stopped in ", im->path,
	    im->stored, im->duplicates, im->skipped);
	if (earlier)
		printf(", %" PRIu64 " imported before", earlier);
	printf("; %.2f s, %.0f events/s\n", seconds, (double)events / seconds);
}
