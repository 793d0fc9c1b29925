/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rows as they come.  People are not shown what is deleted unless they ask,
 * but told how much it is; programs get every row.
 */

#include <inttypes.h>
#include <stdio.h>

#include "core/reason.h"
#include "core/row.h"
#include "core/topic.h"
#include "core/topic_set.h"
#include "tools/query.h"
#include "tools/rows.h"
#include "tools/show.h"
#include "tools/snapshot.h"
#include "tools/tool.h"

struct rows_state {
	const struct rows *rows;
	struct show show;
	uint64_t hidden;
};

static int
rows_begin(void *arg, uint64_t seq, struct reason *why)
{
	const struct rows_state *st = arg;

	(void)why;
	if (st->rows->seq_first)
		printf("%" PRIu64 "\n", seq);
	return 0;
}

static int
rows_row(
    void *arg, const struct row *row, struct slice bytes, struct reason *why)
{
	struct rows_state *st = arg;
	int err;

	if (row->deleted && !st->show.json && !st->rows->deleted) {
		st->hidden++;
		return 0;
	}
	err = show_row(&st->show, bytes, why);
	return err < 0 ? err : ferror(stdout) != 0;
}

/* The operands, or everything. */
static int
rows_patterns(
    const struct rows *rows, struct slice patterns[TOPIC_SET_MAX], unsigned *n)
{
	struct reason why = REASON_NO_MEMORY;

	if (rows->n > TOPIC_SET_MAX)
		return tool_usage_error(rows->t,
		    "%d patterns are too many, %d are allowed", rows->n,
		    TOPIC_SET_MAX);
	for (int i = 0; i < rows->n; i++) {
		patterns[i] = slice_cstr(rows->patterns[i]);
		if (!topic_pattern_valid(patterns[i], &why))
			return tool_usage_error(rows->t, "%s", why.text);
	}
	*n = (unsigned)rows->n;
	if (*n == 0)
		patterns[(*n)++] = SLICE_STR(">");
	return TOOL_OK;
}

static void
rows_told(const struct rows_state *st, const struct snapshot *snap)
{
	uint64_t shown = snap->rows - st->hidden;
	char hidden[60] = "";

	if (st->show.json)
		return;
	if (st->hidden)
		snprintf(hidden, sizeof(hidden), " and %" PRIu64 " deleted",
		    st->hidden);
	tool_note(st->rows->t, "at seq %" PRIu64 ": %" PRIu64 " row%s%s",
	    snap->seq, shown, shown == 1 ? "" : "s", hidden);
}

int
rows_print(const struct rows *rows)
{
	CLEANUP(query_freep) struct query *q = NULL;
	struct rows_state st = { .rows = rows, .show.json = rows->t->json };
	struct slice patterns[TOPIC_SET_MAX];
	struct snapshot snap = { .patterns = patterns,
		.at = rows->at,
		.begin = rows_begin,
		.row = rows_row,
		.arg = &st };
	struct reason why = REASON_NO_MEMORY;
	int err, status = rows_patterns(rows, patterns, &snap.n);

	if (status != TOOL_OK)
		return status;
	err = query_open(rows->t, &q, &why);
	/* The past is what it is: nothing has to be waited for. */
	if (err >= 0 &&
	    (rows->at.kind == WHEN_NONE || rows->t->min_seq != TOOL_HEAD))
		snap.min_seq = query_min_seq(q);
	if (err >= 0)
		err = snapshot_read(q, &snap, &why);
	show_deinit(&st.show);
	if (err < 0) {
		(void)tool_flush(rows->t);
		return tool_fail(rows->t, &why);
	}
	if (err == SNAPSHOT_END && tool_flush(rows->t))
		rows_told(&st, &snap);
	return TOOL_OK;
}
