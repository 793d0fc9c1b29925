/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The table "Folding" of doc/protocol.md.  An event that can't be folded
 * touches, and so does one whose row would be too large; what keeps the value
 * is never too large.
 */

#include <errno.h>

#include "core/fold.h"
#include "core/merge.h"

void
fold_deinit(struct fold *f)
{
	mp_buf_deinit(&f->value);
}

static struct slice
nil(void)
{
	return SLICE_STR("\xc0");
}

/* What every event does: version, seq and times move, the value stays. */
static struct row
touched(const struct row *before, const struct event *ev, struct slice first)
{
	struct row row = {
		.topic = ev->topic,
		.version = ev->version,
		.seq = ev->seq,
		.created_us = ev->time_us,
		.created_by = ev->actor,
		.updated_us = ev->time_us,
		.updated_by = ev->actor,
		.value = first,
	};

	if (before) {
		row.created_us = before->created_us;
		row.created_by = before->created_by;
		row.deleted = before->deleted;
		row.value = before->value;
	}
	return row;
}

/* The value changed by merge, add or remove: enum merge, or -ENOMEM. */
static int
change(struct mp_buf *out, enum rules_fold fold, const struct row *before,
    struct slice data)
{
	struct slice value = before ? before->value : slice_of(NULL, 0);

	/* Memory that was short once is asked for again. */
	mp_buf_reset(out);
	switch (fold) {
	case RULES_ADD:
		return merge_add(value, data, out);
	case RULES_REMOVE:
		return merge_remove(value, data, out);
	default:
		return merge_patch(value, data, out);
	}
}

int
fold_event(struct fold *f, const struct rules *rules, const struct row *before,
    const struct event *ev, struct row *after)
{
	enum rules_fold fold = rules_fold(rules, ev->topic, ev->type);
	struct row row = touched(before, ev, ev->data);
	bool kept = before;
	int result = 0;

	switch (fold) {
	case RULES_SET:
		row.value = ev->data;
		row.deleted = false;
		kept = false;
		break;
	case RULES_MERGE:
	case RULES_ADD:
	case RULES_REMOVE:
		result = change(&f->value, fold, before, ev->data);
		if (result < 0)
			return result;
		if (result == MERGE_UNFIT)
			break;
		row.value = slice_of(f->value.p, f->value.len);
		kept = false;
		break;
	case RULES_DELETE:
		row.deleted = true;
		if (!before)
			row.value = nil();
		break;
	case RULES_TOUCH:
		break;
	}
	if (!kept && row_size(&row) > ROW_MAX) {
		*after = touched(before, ev, nil());
		return FOLD_TOO_LARGE;
	}
	*after = row;
	return result == MERGE_UNFIT ? FOLD_UNFOLDABLE : FOLD_DONE;
}
