/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * `peal import`: a file of JSON objects, one event a line, into the log.
 * Safe to repeat and to kill: each line has a key of its own.
 */

#include <errno.h>

#include "core/reason.h"
#include "tools/cmd.h"
#include "tools/import.h"
#include "tools/tool.h"

static const char import_text[] =
    "Append the events of FILE, one JSON object a line: topic, type and "
    "optionally time\n(microseconds since 1970, kept), actor, data, schema, "
    "meta. Lines of a\nmemory graph are taken, too: without a topic, with the "
    "type entity (name, entityType,\nobservations) or relation (from, to, "
    "relationType). Each line is stored once, however\noften it is imported; "
    "progress is kept in FILE.peal-progress. A line that is no event\nstops "
    "the import after everything before it is stored; mend it and go on, or "
    "pass\nover such lines with --skip-bad.";

static int
import_open(struct import *im, struct reason *why)
{
	int err;

	err = import_file_open(&im->file, im->path, why);
	if (err >= 0)
		err = writer_client_open(
		    &im->wc, house_run_dir(&im->t->house), why);
	if (err < 0)
		return err;
	im->slots = calloc(im->window, sizeof(*im->slots));
	if (!im->slots)
		return reason_set(why, -ENOMEM, "cannot import");
	return import_resume(im, why);
}

static void
import_close(struct import *im)
{
	for (uint64_t i = 0; im->slots && i < im->window; i++)
		mp_buf_deinit(&im->slots[i].request);
	free(im->slots);
	mp_buf_deinit(&im->scratch);
	import_seen_deinit(&im->seen);
	sha256_deinit(&im->sum);
	writer_client_close(&im->wc);
	import_file_close(&im->file);
}

int
cmd_import(int argc, char **argv)
{
	struct import im = { .window = 1024, .file = { .fd = -1 } };
	const struct tool_option options[] = {
		{ .name = "skip-bad",
		    .kind = TOOL_FLAG,
		    .value = &im.skip_bad,
		    .help = "pass over lines that are no events" },
		{ .name = "window",
		    .kind = TOOL_UINT,
		    .value = &im.window,
		    .arg = "N",
		    .help = "requests on their way at once (default: 1024)",
		    .min = 1,
		    .max = 4096 },
		{ .name = NULL },
	};
	const struct tool_usage usage = { .name = "import",
		.operands = "FILE",
		.text = import_text,
		.common = TOOL_HOUSE | TOOL_JSON,
		.options = options,
		.min_operands = 1,
		.max_operands = 1 };
	struct reason why = REASON_NO_MEMORY;
	struct tool t;
	int status;

	if (!tool_begin(&t, &usage, argc, argv, &status))
		return status;
	im.t = &t;
	im.path = t.argv[0];
	tool_catch_stop();
	if (import_open(&im, &why) < 0)
		status = tool_fail(&t, &why);
	else
		status = import_run(&im);
	import_close(&im);
	return tool_end(&t, status);
}
