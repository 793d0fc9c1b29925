/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Any bytes as a row and an event that are folded: what comes of them is a
 * row again, the same one every time, and valid where they were.  As a
 * libFuzzer target with -DPEAL_LIBFUZZER; else a test over random rows and
 * events and damage to them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fold.h"
#include "core/mpvalid.h"
#include "core/reason.h"

#define MUST(cond)                                                     \
	do {                                                           \
		if (!(cond)) {                                         \
			fprintf(stderr, "fuzz_fold: not %s\n", #cond); \
			abort();                                       \
		}                                                      \
	} while (0)

enum {
	TOUCHED_MAX = 200 /* bytes that a touch may add to a row */
};

static bool
is_valid(struct slice value)
{
	return mpvalid_check(value.p, value.len, NULL) == MPVALID_OK;
}

/* The row after ev as bytes, into out. */
static int
fold_once(const struct rules *rules, const struct row *before,
    const struct event *ev, struct mp_buf *out)
{
	CLEANUP(fold_deinit) struct fold fold = { 0 };
	struct row after, back;
	uint8_t *to;
	int result;

	result = fold_event(&fold, rules, before, ev, &after);
	MUST(result >= 0 && result <= FOLD_TOO_LARGE);
	MUST(after.version == ev->version && after.seq == ev->seq);
	MUST(slice_equal(after.topic, ev->topic));
	MUST(result == FOLD_DONE || !before ||
	     slice_equal(after.value, before->value));
	to = mp_buf_reserve(out, row_size(&after));
	MUST(to);
	out->len = (size_t)(row_encode(&after, to) - out->p);
	MUST(out->len == row_size(&after));
	MUST(row_decode(slice_of(out->p, out->len), &back, NULL) == 0);
	MUST(slice_equal(back.value, after.value));
	if (is_valid(ev->data) && (!before || is_valid(before->value)))
		MUST(is_valid(after.value));
	return result;
}

/* The first bytes are a row or are not: then ev is its topic's first. */
static void
fold_bytes(const struct rules *rules, struct slice row, struct slice event)
{
	CLEANUP(mp_buf_deinit) struct mp_buf one = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf two = { 0 };
	struct row before;
	struct event ev;
	bool has_row = row_decode(row, &before, NULL) == 0;

	if (event_decode(event, &ev, NULL) < 0)
		return;
	MUST(fold_once(rules, has_row ? &before : NULL, &ev, &one) ==
	     fold_once(rules, has_row ? &before : NULL, &ev, &two));
	MUST(slice_equal(slice_of(one.p, one.len), slice_of(two.p, two.len)));
	if (has_row && row.len <= ROW_MAX)
		MUST(one.len <= ROW_MAX + TOUCHED_MAX);
}

/* Where the row ends, in two bytes; the row; the event. */
static void
fold_input(const struct rules *rules, const uint8_t *p, size_t len)
{
	size_t cut;

	if (len < 2)
		return;
	cut = MIN(get_le16(p), len - 2);
	fold_bytes(
	    rules, slice_of(p + 2, cut), slice_of(p + 2 + cut, len - 2 - cut));
}

static struct rules *
usual_rules(void)
{
	struct rules *rules = NULL;

	MUST(rules_parse("", &rules, NULL) == 0);
	return rules;
}

#ifdef PEAL_LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct rules *rules CLEANUP(rules_freep) = usual_rules();

	fold_input(rules, p, len);
	return 0;
}
#else
#include "tests/lib/mergefix.h"

enum {
	ROUNDS = 30000
};

static struct mpgen gen;

static const char *const types[] = { "x_set", "x_updated", "x_added",
	"x_removed", "x_deleted", "x_seen" };

/* A value, or what changes one; few are as long as would not fit. */
static struct slice
random_value(bool change, struct mp_buf *b)
{
	do {
		b->len = 0;
		if (change)
			mergefix_change(&gen, b);
		else
			mergefix_value(&gen, 3, b);
	} while (b->len > MPGEN_MAX / 4);
	return slice_of(b->p, b->len);
}

static void
put_row(struct mp_buf *value)
{
	struct row row = {
		.topic = slice_cstr(mpgen_below(&gen, 8) ? "a.b" : "$a"),
		.version = mpgen_below(&gen, 300),
		.seq = mpgen_below(&gen, 70000),
		.created_us = mpgen_below(&gen, UINT32_MAX),
		.created_by = slice_of("ada", mpgen_below(&gen, 4)),
		.updated_us = mpgen_below(&gen, UINT32_MAX),
		.updated_by = slice_of("bob", mpgen_below(&gen, 4)),
		.deleted = mpgen_below(&gen, 2),
	};

	row.value = random_value(false, value);
	gen.len = (size_t)(row_encode(&row, gen.bytes + gen.len) - gen.bytes);
}

static void
put_event(struct mp_buf *data)
{
	struct event ev = {
		.seq = mpgen_below(&gen, 70000),
		.time_us = mpgen_below(&gen, UINT32_MAX),
		.version = mpgen_below(&gen, 300),
		.topic = slice_cstr(mpgen_below(&gen, 8) ? "a.b" : "$a"),
		.type = slice_cstr(types[mpgen_below(&gen, ARRAY_LEN(types))]),
		.actor = slice_of("cyd", mpgen_below(&gen, 4)),
	};

	ev.data = random_value(
	    slice_is(ev.type, "x_added") || slice_is(ev.type, "x_removed"),
	    data);
	gen.len = (size_t)(event_encode(&ev, gen.bytes + gen.len) - gen.bytes);
}

int
main(void)
{
	CLEANUP(mp_buf_deinit) struct mp_buf value = { 0 };
	struct rules *rules CLEANUP(rules_freep) = usual_rules();

	printf("1..1\n");
	mpgen_seed(&gen);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t *exact;

		gen.len = 2;
		if (mpgen_below(&gen, 10))
			put_row(&value);
		put_le16(gen.bytes, (uint16_t)(gen.len - 2));
		put_event(&value);
		for (unsigned n = i % 4; n > 0; n--)
			mpgen_mutate(&gen);
		exact = malloc(gen.len + !gen.len);
		MUST(exact);
		memcpy(exact, gen.bytes, gen.len);
		fold_input(rules, exact, gen.len);
		free(exact);
	}
	printf("ok 1 - rows and events of any bytes fold into rows\n");
	return 0;
}
#endif
