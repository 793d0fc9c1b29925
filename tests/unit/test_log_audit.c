/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * History that was edited by somebody who makes CRCs anew: verification and
 * recovery tell where.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/auditfix.h"
#include "tests/lib/retainfix.h"

static void
nothing_is_edited_where_only_frames_are_put_back(void **state)
{
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_SEAL };
	struct modelfix *m = *state;

	auditfix_fill(m);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 4;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed); /* the same byte once more */
	auditfix_expect_whole(m);
	modelfix_expect_recovered(m, AUDITFIX_LAST);
}

static void
an_edited_event_is_between_two_digests(void **state)
{
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_CRCS };
	struct modelfix *m = *state;
	uint64_t first, last;

	auditfix_fill(m);
	first = modelfix_nth(m, AUDITFIX_MIDDLE);
	last = modelfix_nth(m, AUDITFIX_MIDDLE + 1) - 1;
	/* An IDLE frame is behind 36, 48, and so on; then comes the seal. */
	for (uint64_t seq = first; seq <= last; seq++) {
		uint64_t mark = (seq + 11) / 12 * 12;

		deed.seq = seq;
		auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
		if (mark <= last)
			auditfix_expect_edited(m, MAX(first, mark - 11), mark);
		else
			auditfix_expect_edited(m, first, last);
		auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
		auditfix_expect_whole(m);
	}
}

static void
an_edited_last_segment_is_refused(void **state)
{
	struct auditfix_deed deed = { auditfix_change, AUDITFIX_LAST - 1,
		EDITOR_CRCS };
	struct modelfix *m = *state;
	uint64_t first;
	char text[80];

	auditfix_fill(m);
	first = MAX(modelfix_nth(m, auditfix_newest(m)), AUDITFIX_LAST - 11);
	auditfix_edit(m, auditfix_newest(m), &deed);
	auditfix_expect_edited(m, first, AUDITFIX_LAST);
	snprintf(
	    text, sizeof(text), "one of %d to %d", (int)first, AUDITFIX_LAST);
	modelfix_expect_damage(m, LOG_EDITED, text);
	auditfix_edit(m, auditfix_newest(m), &deed);
	modelfix_expect_recovered(m, AUDITFIX_LAST);
}

static void
digests_that_are_made_anew_contradict_the_next_segment(void **state)
{
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_SEAL };
	struct modelfix *m = *state;
	uint64_t first;

	auditfix_fill(m);
	first = modelfix_nth(m, AUDITFIX_MIDDLE);
	deed.seq = first + 7;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	auditfix_expect_edited(
	    m, first, modelfix_nth(m, AUDITFIX_MIDDLE + 1) - 1);
	modelfix_expect_damage(m, LOG_FOREIGN_SEGMENT, "contradicts");
}

/* Put what version 1 of the format has left into the model. */
static void
put_old_log(struct modelfix *m)
{
	static const char *const names[] = {
		"00000000000000000001-0000000001.seg",
		"00000000000000000013-0000000001.seg",
		"00000000000000000025-0000000001.seg",
		"00000000000000000034-0000000002.seg"
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		modelfix_put_old(m, names[i]);
}

static void
a_log_of_version_1_is_read_and_goes_on(void **state)
{
	struct auditfix_deed deed = { auditfix_change, 40, EDITOR_CRCS };
	struct modelfix *m = *state;
	size_t n = 0;

	put_old_log(m);
	auditfix_expect_whole(m);
	modelfix_expect_recovered(m, 35);
	m->fx.segment_bytes = sizeof(deed.copy);
	logfix_fill(&m->fx, 20, 3);
	assert_int_equal(logfix_idle(&m->fx), 0);
	auditfix_expect_whole(m);
	modelfix_expect_recovered(m, 95);
	while (modelfix_nth(m, n) < 36)
		n++;
	auditfix_edit(m, n, &deed);
	auditfix_expect_edited(m, 36, modelfix_nth(m, n + 1) - 1);
}

/* All is right but for what is said of the anchor; NULL: nothing is. */
static void
expect_anchor(
    struct modelfix *m, uint64_t seq, const uint8_t *head, const char *says)
{
	struct auditfix_found fd;

	assert_int_equal(auditfix_verify_with(m, &fd, seq, head), 0);
	assert_int_equal(fd.problems, says ? 1 : 0);
	if (says && !strstr(fd.sentence, says))
		fail_msg("%s", fd.sentence);
}

static void
a_head_that_was_kept_tells_whether_all_before_is_the_same(void **state)
{
	struct modelfix *m = *state;
	struct auditfix_found kept, fd;

	auditfix_fill(m);
	auditfix_verify(m, &kept);
	assert_int_equal(kept.head_seq, AUDITFIX_LAST);
	logfix_fill(&m->fx, 30, 1);
	assert_int_equal(
	    auditfix_verify_with(m, &fd, kept.head_seq, kept.head), 0);
	assert_int_equal(fd.problems, 0);
	assert_int_equal(fd.head_seq, AUDITFIX_LAST + 30);
	modelfix_expect_recovered(m, AUDITFIX_LAST + 30);
	logfix_fill(&m->fx, 1, 3);
	assert_int_equal(
	    auditfix_verify_with(m, &kept, kept.head_seq, kept.head), 0);
	assert_int_equal(kept.problems, 0);
	/* One that is not the log's, of an event within a request, too late. */
	kept.head[31] ^= 1;
	expect_anchor(m, kept.head_seq, kept.head, "not those of the anchor");
	expect_anchor(m, 2, kept.head, "no request ends");
	expect_anchor(
	    m, AUDITFIX_LAST + 34, kept.head, "ends before the anchor");
	/* Of a request with one event, too. */
	logfix_fill(&m->fx, 1, 1);
	auditfix_verify(m, &kept);
	assert_int_equal(kept.head_seq, AUDITFIX_LAST + 34);
	expect_anchor(m, kept.head_seq, kept.head, NULL);
	kept.head[0] ^= 1;
	expect_anchor(m, kept.head_seq, kept.head, "not those of the anchor");
}

/* Nobody can compare it: that is no answer of a verification. */
static void
an_anchor_that_retention_has_passed_is_refused(void **state)
{
	struct modelfix *m = *state;
	struct auditfix_found kept, fd;
	uint64_t first;

	auditfix_fill(m);
	auditfix_verify(m, &kept);
	retainfix_expect(m, 3 * (64 << 10));
	first = modelfix_nth(m, 0);
	assert_true(first > 3);
	assert_int_equal(
	    auditfix_verify_with(m, &fd, first - 1, kept.head), -ERANGE);
	assert_non_null(strstr(m->fx.why.text, "behind the anchor's"));
	expect_anchor(m, kept.head_seq, kept.head, NULL);
}

static void
count_one_frame_more(void *arg, uint8_t *bytes, uint64_t size)
{
	uint8_t *page = bytes + size - LOG_PAGE, *p = page + LOG_FRAME_HEADER;

	put_le64(p + FOOTER_FRAMES, get_le64(p + FOOTER_FRAMES) + 1);
	format_stamp(page, get_le32(bytes + SEG_SALT),
	    get_le64(page + FRAME_DURABLE_SEQ), get_le32(page + FRAME_PREV_LEN),
	    get_le64(page + FRAME_FLUSH));
}

static void
a_seal_that_counts_other_frames_is_told(void **state)
{
	struct modelfix *m = *state;
	struct auditfix_found fd;

	auditfix_fill(m);
	filemodel_edit(m->fm,
	    modelfix_named(m, modelfix_nth(m, AUDITFIX_MIDDLE)),
	    count_one_frame_more, NULL);
	auditfix_verify(m, &fd);
	assert_int_equal(fd.problems, 1);
	assert_non_null(strstr(fd.sentence, "counts other frames"));
}

static void
who_makes_all_digests_anew_is_found_by_a_head_that_was_kept(void **state)
{
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_SEAL };
	struct modelfix *m = *state;
	struct auditfix_found kept;

	auditfix_fill(m);
	auditfix_verify(m, &kept);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 7;
	auditfix_rewrite_from(m, AUDITFIX_MIDDLE, &deed);
	auditfix_expect_whole(m);
	expect_anchor(m, kept.head_seq, kept.head, "not those of the anchor");
}

static void
swap(struct editor *ed, uint64_t seq)
{
	unsigned at = editor_frame_of(ed, seq);

	editor_swap(ed, at, editor_frame_of(ed, seq + 6));
}

static void
leave_out(struct editor *ed, uint64_t seq)
{
	editor_remove(ed, editor_frame_of(ed, seq));
}

/* In the place of another, so that as many are there as were. */
static void
put_in(struct editor *ed, uint64_t seq)
{
	unsigned at = editor_frame_of(ed, seq);

	editor_remove(ed, editor_frame_of(ed, seq + 9));
	editor_repeat(ed, editor_frame_of(ed, seq + 3), at);
}

static void
what_changes_places_is_left_out_or_put_in_is_found(void **state)
{
	void (*const deeds[])(
	    struct editor * ed, uint64_t seq) = { swap, leave_out, put_in };
	static struct auditfix_deed deed;
	struct modelfix *m = *state;
	struct modelfix_edit back = { 0, sizeof(deed.copy), NULL };
	static uint8_t was[sizeof(deed.copy)];
	const char *name;

	auditfix_fill(m);
	auditfix_make_sums(m);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 3;
	deed.what = auditfix_change;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	deed.digests = EDITOR_SEAL;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	auditfix_expect_whole(m);
	memcpy(was, deed.copy, sizeof(was));
	back.bytes = was;
	name = modelfix_named(m, modelfix_nth(m, AUDITFIX_MIDDLE));
	for (size_t i = 0; i < 2 * ARRAY_LEN(deeds); i++) {
		deed.what = deeds[i / 2];
		deed.digests = i % 2 ? EDITOR_SEAL : EDITOR_CRCS;
		auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
		auditfix_expect_edited(m, deed.seq, deed.seq);
		filemodel_edit(m->fm, name, modelfix_apply_edit, &back);
		auditfix_expect_whole(m);
	}
}

static void
an_edited_event_is_found_in_a_packed_segment(void **state)
{
	struct auditfix_deed deed = { auditfix_change, 0, EDITOR_CRCS };
	struct modelfix *m = *state;

	auditfix_fill(m);
	auditfix_make_sums(m);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 10;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	retainfix_pack_all(&m->fx);
	assert_non_null(strstr(
	    modelfix_named(m, modelfix_nth(m, AUDITFIX_MIDDLE)), ".segz"));
	auditfix_expect_edited(m, deed.seq, deed.seq);
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(nothing_is_edited_where_only_frames_are_put_back),
		MODEL_TEST(an_edited_event_is_between_two_digests),
		MODEL_TEST(an_edited_last_segment_is_refused),
		MODEL_TEST(
		    digests_that_are_made_anew_contradict_the_next_segment),
		MODEL_TEST(a_log_of_version_1_is_read_and_goes_on),
		MODEL_TEST(
		    a_head_that_was_kept_tells_whether_all_before_is_the_same),
		MODEL_TEST(an_anchor_that_retention_has_passed_is_refused),
		MODEL_TEST(a_seal_that_counts_other_frames_is_told),
		MODEL_TEST(
		    who_makes_all_digests_anew_is_found_by_a_head_that_was_kept),
		MODEL_TEST(what_changes_places_is_left_out_or_put_in_is_found),
		MODEL_TEST(an_edited_event_is_found_in_a_packed_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
