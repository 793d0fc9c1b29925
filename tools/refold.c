/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Folding afresh.  A row is decoded from its bytes for each event and encoded
 * again, so that what is compared has gone the same way as in the broker.
 */

#include <errno.h>
#include <string.h>

#include "core/event.h"
#include "core/map.h"
#include "core/reason.h"
#include "core/row.h"
#include "core/topic.h"
#include "tools/refold.h"
#include "tools/refuse.h"

struct refold_row {
	uint8_t *bytes;
	size_t len, cap;
	bool seen;
	bool partial;
	size_t topic_len;
	char topic[];
};

int
refold_init(struct refold *rf, const struct rules *rules)
{
	*rf = (struct refold){ .rules = rules, .rows = map_new() };
	return rf->rows ? 0 : -ENOMEM;
}

void
refold_deinit(struct refold *rf)
{
	struct refold_row *r;
	size_t at = 0;

	while (rf->rows && (r = map_next(rf->rows, &at))) {
		free(r->bytes);
		free(r);
	}
	rf->rows = map_free(rf->rows);
	fold_deinit(&rf->fold);
	mp_buf_deinit(&rf->scratch);
}

static struct refold_row *
refold_new(struct refold *rf, struct slice topic)
{
	struct refold_row *r = calloc(1, sizeof(*r) + topic.len);

	if (!r)
		return NULL;
	memcpy(r->topic, topic.p, topic.len);
	r->topic_len = topic.len;
	if (map_put(rf->rows, slice_of(r->topic, r->topic_len), r) < 0) {
		free(r);
		return NULL;
	}
	return r;
}

/* Keep the row; what it points to may be the bytes that it replaces. */
static int
refold_keep(struct refold *rf, struct refold_row *r, const struct row *row)
{
	size_t size = row_size(row);
	uint8_t *p;

	rf->scratch.len = 0;
	p = mp_buf_reserve(&rf->scratch, size);
	if (!p)
		return -ENOMEM;
	size = (size_t)(row_encode(row, p) - p);
	if (size > r->cap) {
		uint8_t *bytes = realloc(r->bytes, size + size / 8);

		if (!bytes)
			return -ENOMEM;
		r->bytes = bytes;
		r->cap = size + size / 8;
	}
	memcpy(r->bytes, p, size);
	r->len = size;
	return 0;
}

static int
refold_apply(struct refold *rf, struct refold_row *r, const struct row *before,
    const struct event *ev, struct reason *why)
{
	struct row after;
	int err = fold_event(&rf->fold, rf->rules, before, ev, &after);

	if (err < 0)
		return reason_set(why, err, "cannot fold");
	rf->unfoldable += err == FOLD_UNFOLDABLE;
	rf->too_large += err == FOLD_TOO_LARGE;
	err = refold_keep(rf, r, &after);
	return err < 0 ? reason_set(why, err, "cannot keep a row") : 0;
}

int
refold_row(struct refold *rf, struct slice bytes, struct reason *why)
{
	struct refold_row *r;
	struct row row;
	int err = row_decode(bytes, &row, why);

	if (err < 0)
		return err;
	if (map_get(rf->rows, row.topic))
		return REFUSE(why, "there are two rows of '%.*s'",
		    (int)MIN(row.topic.len, 100u), (const char *)row.topic.p);
	log_loss_see(&rf->loss, row.topic);
	r = refold_new(rf, row.topic);
	err = r ? refold_keep(rf, r, &row) : -ENOMEM;
	return err < 0 ? reason_set(why, err, "cannot keep a row") : 0;
}

int
refold_event(struct refold *rf, struct slice bytes, struct reason *why)
{
	struct refold_row *r;
	struct row before;
	struct event ev;
	int err;

	err = event_decode(bytes, &ev, why);
	if (err < 0)
		return err;
	if (ev.seq <= rf->seq)
		return REFUSE(why, "event %llu comes after event %llu",
		    (unsigned long long)ev.seq, (unsigned long long)rf->seq);
	rf->seq = ev.seq;
	rf->events++;
	log_loss_see(&rf->loss, ev.topic);
	r = map_get(rf->rows, ev.topic);
	if (!r) {
		r = refold_new(rf, ev.topic);
		if (!r)
			return reason_set(why, -ENOMEM, "cannot keep a row");
		r->partial = !log_loss_allows(&rf->loss, 0, ev.version);
		return refold_apply(rf, r, NULL, &ev, why);
	}
	err = row_decode(slice_of(r->bytes, r->len), &before, why);
	if (err < 0)
		return err;
	if (!log_loss_allows(&rf->loss, before.version, ev.version))
		return REFUSE(why,
		    "event %llu is version %llu of '%.*s', after version %llu",
		    (unsigned long long)ev.seq, (unsigned long long)ev.version,
		    (int)MIN(ev.topic.len, 100u), (const char *)ev.topic.p,
		    (unsigned long long)before.version);
	return refold_apply(rf, r, &before, &ev, why);
}

enum refold_verdict
refold_compare(struct refold *rf, const struct row *row, struct slice bytes,
    struct slice *folded)
{
	struct refold_row *r = map_get(rf->rows, row->topic);

	*folded = slice_of(NULL, 0);
	if (!r)
		return REFOLD_UNKNOWN;
	*folded = slice_of(r->bytes, r->len);
	if (r->seen)
		return REFOLD_TWICE;
	r->seen = true;
	if (r->partial)
		return REFOLD_PARTIAL;
	return slice_equal(*folded, bytes) ? REFOLD_EQUAL : REFOLD_DIFFERS;
}

enum refold_left
refold_left(const struct refold *rf, size_t *at, struct slice *folded)
{
	const struct refold_row *r;
	struct row row;

	while ((r = map_next(rf->rows, at))) {
		if (r->seen)
			continue;
		*folded = slice_of(r->bytes, r->len);
		if (row_decode(*folded, &row, NULL) >= 0 && row.deleted)
			return REFOLD_DROPPED;
		return REFOLD_MISSING;
	}
	return REFOLD_NONE;
}

size_t
refold_rows(const struct refold *rf)
{
	return map_count(rf->rows);
}

size_t
refold_system(const struct refold *rf, struct slice *tokens, size_t max)
{
	const struct refold_row *r;
	struct slice rest, token;
	size_t at = 0, n = 0, i;

	while ((r = map_next(rf->rows, &at))) {
		rest = slice_of(r->topic, r->topic_len);
		if (!topic_is_system(rest) || !topic_next_token(&rest, &token))
			continue;
		for (i = 0; i < n; i++)
			if (slice_equal(tokens[i], token))
				break;
		if (i < n)
			continue;
		if (n == max)
			return max + 1;
		tokens[n++] = token;
	}
	return n;
}
