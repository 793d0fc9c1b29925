/* SPDX-License-Identifier: BSD-2-Clause */

/* A tree by topic; each row owns its bytes. */

#include "tests/lib/rows.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fold.h"
#include "core/json.h"
#include "core/reason.h"
#include "core/rules.h"
#include "tests/lib/checker.h"
#include "tests/lib/truth.h"

struct rows {
	void *tree; /* of struct rows_row */
	size_t n;
	struct rules *rules;
	struct fold fold;
	bool conflated;
};

struct rows *
rows_new(struct slice fold)
{
	struct rows *r = calloc(1, sizeof(*r));
	struct reason why;
	int err;

	if (r == NULL)
		return NULL;
	err = fold.len != 0 ? rules_unpack(fold, &r->rules, &why)
			    : rules_parse("", &r->rules, &why);
	if (err == 0)
		return r;
	fprintf(stderr, "# fold rules: %s\n", why.text);
	free(r);
	return NULL;
}

static void
rows_drop(void *node)
{
	struct rows_row *row = node;

	free((void *)(uintptr_t)row->bytes.p);
	free(row);
}

struct rows *
rows_free(struct rows *r)
{
	if (r == NULL)
		return NULL;
	tdestroy(r->tree, rows_drop);
	fold_deinit(&r->fold);
	rules_free(r->rules);
	free(r);
	return NULL;
}

size_t
rows_count(const struct rows *r)
{
	return r->n;
}

static int
rows_order(const void *left, const void *right)
{
	const struct rows_row *a = left, *b = right;
	size_t len = MIN(a->row.topic.len, b->row.topic.len);
	int order = memcmp(a->row.topic.p, b->row.topic.p, len);

	return order != 0 ? order
			  : (a->row.topic.len > b->row.topic.len) -
				(a->row.topic.len < b->row.topic.len);
}

struct rows_row *
rows_get(const struct rows *r, struct slice topic)
{
	const struct rows_row key = { .row.topic = topic };
	void **node = tfind(&key, &r->tree, rows_order);

	return node != NULL ? *node : NULL;
}

/* Take over bytes, which are on the heap. */
static struct rows_row *
rows_own(struct rows *r, uint8_t *bytes, size_t len)
{
	struct reason why;
	struct row row;
	struct rows_row *have;

	if (row_decode(slice_of(bytes, len), &row, &why) < 0) {
		free(bytes);
		return NULL;
	}
	have = rows_get(r, row.topic);
	if (have != NULL) {
		free((void *)(uintptr_t)have->bytes.p);
	} else {
		have = calloc(1, sizeof(*have));
		if (have == NULL) {
			free(bytes);
			return NULL;
		}
	}
	/* The topic, by which the tree finds it, is equal. */
	have->row = row;
	have->bytes = slice_of(bytes, len);
	have->hole = false;
	if (rows_get(r, row.topic) == NULL) {
		(void)tsearch(have, &r->tree, rows_order);
		r->n++;
	}
	return have;
}

struct rows_row *
rows_put(struct rows *r, struct slice bytes)
{
	uint8_t *copy = malloc(bytes.len);

	if (copy == NULL)
		return NULL;
	memcpy(copy, bytes.p, bytes.len);
	return rows_own(r, copy, bytes.len);
}

void
rows_conflated(struct rows *r)
{
	r->conflated = true;
}

static bool
rows_follows(
    const struct rows *r, const struct rows_row *known, const struct event *ev)
{
	if (known == NULL)
		return ev->version == 1;
	return !known->hole &&
	       (ev->version == known->row.version + 1 ||
		   (r->conflated && ev->version > known->row.version));
}

struct rows_row *
rows_fold(struct rows *r, const struct event *ev)
{
	struct rows_row *known = rows_get(r, ev->topic);
	bool follows = rows_follows(r, known, ev);
	struct row after = { .topic = ev->topic,
		.version = ev->version,
		.seq = ev->seq,
		.value = SLICE_STR("\xc0") };
	uint8_t *bytes;
	size_t size;

	if (follows && fold_event(&r->fold, r->rules,
			   known != NULL ? &known->row : NULL, ev, &after) < 0)
		return NULL;
	size = row_size(&after);
	bytes = malloc(size);
	if (bytes == NULL)
		return NULL;
	(void)row_encode(&after, bytes);
	known = rows_own(r, bytes, size);
	if (known != NULL)
		known->hole = !follows;
	return known;
}

struct rows_walk {
	bool (*fn)(void *arg, struct rows_row *row);
	void *arg;
	bool go;
};

static void
rows_visit(const void *node, VISIT which, void *closure)
{
	struct rows_walk *walk = closure;

	if ((which == postorder || which == leaf) && walk->go)
		walk->go = walk->fn(walk->arg, *(struct rows_row *const *)node);
}

void
rows_each(const struct rows *r, bool (*fn)(void *arg, struct rows_row *row),
    void *arg)
{
	struct rows_walk walk = { fn, arg, true };

	twalk_r(r->tree, rows_visit, &walk);
}

struct rows_pair {
	const struct rows *other;
	const char *pattern;
	const char *const *read;
	bool both; /* compare, not only look whether it is there */
	char *text;
	size_t size;
	bool equal;
};

static void
rows_describe(const struct rows_row *row, char *text, size_t size)
{
	struct mp_buf json = { 0 };

	if (row->hole)
		(void)snprintf(
		    text, size, "a hole at version %" PRIu64, row->row.version);
	else if (json_from_mp(row->bytes, &json) < 0)
		(void)snprintf(text, size, "?");
	else
		(void)snprintf(
		    text, size, "%.*s", (int)json.len, (const char *)json.p);
	mp_buf_deinit(&json);
}

static bool
rows_wanted(const struct rows_pair *pair, struct slice topic)
{
	const char *name = (const char *)topic.p;
	bool may = pair->read == NULL;

	for (size_t i = 0; !may && pair->read[i] != NULL; i++)
		may = checker_match(pair->read[i], name, topic.len);
	return may && checker_match(pair->pattern, name, topic.len);
}

static bool
rows_pair(void *arg, struct rows_row *row)
{
	struct rows_pair *pair = arg;
	const struct rows_row *other;
	char a[400], b[400];

	if (!rows_wanted(pair, row->row.topic))
		return true;
	other = rows_get(pair->other, row->row.topic);
	rows_describe(row, a, sizeof(a));
	if (other == NULL) {
		pair->equal = false;
		(void)snprintf(pair->text, pair->size, "%s %s",
		    pair->both ? "there is no" : "there should be no", a);
		return false;
	}
	if (!pair->both || (!other->hole && !row->hole &&
			       slice_equal(row->bytes, other->bytes)))
		return true;
	pair->equal = false;
	rows_describe(other, b, sizeof(b));
	(void)snprintf(pair->text, pair->size, "%s should be %s", b, a);
	return false;
}

bool
rows_equal(const struct rows *have, const struct rows *want,
    const char *pattern, const char *const *read, char *text, size_t size)
{
	struct rows_pair pair = { have, pattern, read, true, text, size, true };

	rows_each(want, rows_pair, &pair);
	pair.other = want;
	pair.both = false;
	if (pair.equal)
		rows_each(have, rows_pair, &pair);
	return pair.equal;
}

static bool
rows_truth(void *arg, const struct truth_event *truth)
{
	struct reason why;
	struct event ev;

	if (event_decode(
		slice_of(truth->event.bytes, truth->event.len), &ev, &why) < 0)
		return false;
	return rows_fold(arg, &ev) != NULL;
}

bool
rows_of_log(struct rows *r, const char *directory)
{
	return truth_each(directory, rows_truth, r);
}

static bool
rows_line(void *arg, struct rows_row *row)
{
	struct mp_buf json = { 0 };
	bool ok =
	    json_from_mp(row->bytes, &json) == 0 &&
	    fprintf(arg, "%.*s\n", (int)json.len, (const char *)json.p) > 0;

	mp_buf_deinit(&json);
	return ok;
}

bool
rows_print(const struct rows *r, const char *path)
{
	FILE *f = fopen(path, "we");

	if (f == NULL)
		return false;
	rows_each(r, rows_line, f);
	return !ferror(f) & (fclose(f) == 0);
}
