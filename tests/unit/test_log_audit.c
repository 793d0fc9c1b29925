/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * History that was edited by somebody who makes CRCs anew: verification and
 * recovery tell where.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/retain.h"
#include "log/sums.h"
#include "log/verify.h"
#include "tests/lib/editor.h"
#include "tests/lib/modelfix.h"

enum {
	LAST = 144,
	MIDDLE = 1, /* a sealed segment behind another */
};

struct found {
	uint64_t problems;
	struct log_problem first;
	char sentence[LOG_PROBLEM_SENTENCE];
	char segment[SEGMENT_NAME_SIZE];
	uint64_t edit_first, edit_last; /* of the first edited history */
	uint64_t head_seq;
	uint8_t head[LOG_DIGEST];
};

static void
note_problem(void *arg, const struct log_problem *problem)
{
	struct found *fd = arg;

	if (fd->sentence[0] == '\0')
		log_problem_sentence(problem, fd->sentence);
	if (problem->kind != LOG_EDITED || fd->segment[0] != '\0')
		return;
	snprintf(fd->segment, sizeof(fd->segment), "%s", problem->segment);
	fd->edit_first = problem->first_seq;
	fd->edit_last = problem->last_seq;
}

static int
verify_with(struct modelfix *m, struct found *fd, uint64_t anchor_seq,
    const uint8_t *anchor)
{
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.anchor_seq = anchor_seq,
		.problem = note_problem,
		.arg = fd };
	int err;

	if (anchor)
		memcpy(verify.anchor, anchor, LOG_DIGEST);
	*fd = (struct found){ 0 };
	err = log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why);
	fd->problems = verify.problems;
	fd->head_seq = verify.head_seq;
	memcpy(fd->head, verify.head, LOG_DIGEST);
	return err;
}

static void
verify(struct modelfix *m, struct found *fd)
{
	assert_int_equal(verify_with(m, fd, 0, NULL), 0);
}

static void
expect_whole(struct modelfix *m)
{
	struct found fd;

	verify(m, &fd);
	if (fd.problems > 0)
		fail_msg("%s", fd.sentence);
}

/* The first edited event is one of them. */
static void
expect_edited(struct modelfix *m, uint64_t first, uint64_t last)
{
	struct found fd;

	verify(m, &fd);
	if (fd.segment[0] == '\0')
		fail_msg("not told as edited: '%s'", fd.sentence);
	if (fd.edit_first != first || fd.edit_last != last)
		fail_msg("%d to %d, not %d to %d", (int)fd.edit_first,
		    (int)fd.edit_last, (int)first, (int)last);
}

/* Events 1 to LAST, three to a request, and an IDLE frame behind every fourth. */
static void
fill(struct modelfix *m)
{
	m->fx.segment_bytes = 64 << 10;
	logfix_start(&m->fx);
	for (unsigned i = 1; i <= LAST / 3; i++) {
		logfix_fill(&m->fx, 1, 3);
		if (i % 4 == 0)
			assert_int_equal(logfix_idle(&m->fx), 0);
	}
	expect_whole(m);
}

/* The place of the newest segment. */
static size_t
newest(struct modelfix *m)
{
	struct segment_list list;
	size_t n;

	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	n = list.n - 1;
	segment_list_deinit(&list);
	return n;
}

/* What is done to a segment, as filemodel_edit() wants it. */
struct deed {
	void (*what)(struct editor *ed, uint64_t seq);
	uint64_t seq;
	enum editor_digests digests;
	uint8_t copy[64 << 10]; /* as the segment is then */
};

static void
do_deed(void *arg, uint8_t *bytes, uint64_t size)
{
	static struct editor ed;
	struct deed *deed = arg;

	editor_open(&ed, bytes, size);
	deed->what(&ed, deed->seq);
	editor_close(&ed, deed->digests);
	assert_int_equal(size, sizeof(deed->copy));
	memcpy(deed->copy, bytes, size);
}

static void
change(struct editor *ed, uint64_t seq)
{
	editor_change(ed, seq);
}

static void
edit(struct modelfix *m, size_t n, struct deed *deed)
{
	filemodel_edit(
	    m->fm, modelfix_named(m, modelfix_nth(m, n)), do_deed, deed);
}

static void
nothing_is_edited_where_only_frames_are_put_back(void **state)
{
	struct deed deed = { change, 0, EDITOR_SEAL };
	struct modelfix *m = *state;

	fill(m);
	deed.seq = modelfix_nth(m, MIDDLE) + 4;
	edit(m, MIDDLE, &deed);
	edit(m, MIDDLE, &deed); /* the same byte once more */
	expect_whole(m);
	modelfix_expect_recovered(m, LAST);
}

static void
an_edited_event_is_between_two_digests(void **state)
{
	struct deed deed = { change, 0, EDITOR_CRCS };
	struct modelfix *m = *state;
	uint64_t first, last;

	fill(m);
	first = modelfix_nth(m, MIDDLE);
	last = modelfix_nth(m, MIDDLE + 1) - 1;
	/* An IDLE frame is behind 36, 48, and so on; then comes the seal. */
	for (uint64_t seq = first; seq <= last; seq++) {
		uint64_t mark = (seq + 11) / 12 * 12;

		deed.seq = seq;
		edit(m, MIDDLE, &deed);
		if (mark <= last)
			expect_edited(m, MAX(first, mark - 11), mark);
		else
			expect_edited(m, first, last);
		edit(m, MIDDLE, &deed);
		expect_whole(m);
	}
}

static void
an_edited_last_segment_is_refused(void **state)
{
	struct deed deed = { change, LAST - 1, EDITOR_CRCS };
	struct modelfix *m = *state;
	uint64_t first;
	char text[80];

	fill(m);
	first = MAX(modelfix_nth(m, newest(m)), LAST - 11);
	edit(m, newest(m), &deed);
	expect_edited(m, first, LAST);
	snprintf(text, sizeof(text), "one of %d to %d", (int)first, LAST);
	modelfix_expect_damage(m, LOG_EDITED, text);
	edit(m, newest(m), &deed);
	modelfix_expect_recovered(m, LAST);
}

static void
digests_that_are_made_anew_contradict_the_next_segment(void **state)
{
	struct deed deed = { change, 0, EDITOR_SEAL };
	struct modelfix *m = *state;
	uint64_t first;

	fill(m);
	first = modelfix_nth(m, MIDDLE);
	deed.seq = first + 7;
	edit(m, MIDDLE, &deed);
	expect_edited(m, first, modelfix_nth(m, MIDDLE + 1) - 1);
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
	struct deed deed = { change, 40, EDITOR_CRCS };
	struct modelfix *m = *state;
	size_t n = 0;

	put_old_log(m);
	expect_whole(m);
	modelfix_expect_recovered(m, 35);
	m->fx.segment_bytes = sizeof(deed.copy);
	logfix_fill(&m->fx, 20, 3);
	assert_int_equal(logfix_idle(&m->fx), 0);
	expect_whole(m);
	modelfix_expect_recovered(m, 95);
	while (modelfix_nth(m, n) < 36)
		n++;
	edit(m, n, &deed);
	expect_edited(m, 36, modelfix_nth(m, n + 1) - 1);
}

static void
a_head_that_was_kept_tells_whether_all_before_is_the_same(void **state)
{
	struct modelfix *m = *state;
	struct found kept, fd;

	fill(m);
	verify(m, &kept);
	assert_int_equal(kept.head_seq, LAST);
	logfix_fill(&m->fx, 30, 1);
	assert_int_equal(verify_with(m, &fd, kept.head_seq, kept.head), 0);
	assert_int_equal(fd.problems, 0);
	assert_int_equal(fd.head_seq, LAST + 30);
	modelfix_expect_recovered(m, LAST + 30);
	logfix_fill(&m->fx, 1, 3);
	assert_int_equal(verify_with(m, &kept, kept.head_seq, kept.head), 0);
	assert_int_equal(kept.problems, 0);
	/* One that is not the log's, of an event within a request, too late. */
	kept.head[31] ^= 1;
	assert_int_equal(verify_with(m, &fd, kept.head_seq, kept.head), 0);
	assert_non_null(strstr(fd.sentence, "not those of the anchor"));
	assert_int_equal(verify_with(m, &fd, 2, kept.head), 0);
	assert_non_null(strstr(fd.sentence, "no request ends"));
	assert_int_equal(verify_with(m, &fd, LAST + 34, kept.head), 0);
	assert_non_null(strstr(fd.sentence, "ends before the anchor"));
}

/* Make all digests from segment n on anew, to the end of the log. */
static void
rewrite_from(struct modelfix *m, size_t n, struct deed *deed)
{
	static struct editor ed;
	static uint8_t before[sizeof(deed->copy)];
	edit(m, n, deed);
	while (n < newest(m)) {
		int fd;

		memcpy(before, deed->copy, sizeof(before));
		fd = sysio_openat(m->fx.io, m->fx.dirfd,
		    modelfix_named(m, modelfix_nth(m, ++n)), O_RDWR, 0);
		assert_int_equal(sysio_pread(m->fx.io, fd, deed->copy,
				     sizeof(deed->copy), 0),
		    sizeof(deed->copy));
		editor_open(&ed, deed->copy, sizeof(deed->copy));
		editor_follow(&ed, before, sizeof(before));
		editor_close(&ed, EDITOR_SEAL);
		assert_int_equal(sysio_pwrite(m->fx.io, fd, deed->copy,
				     sizeof(deed->copy), 0),
		    0);
		(void)sysio_close(m->fx.io, fd);
	}
}

static void
who_makes_all_digests_anew_is_found_by_a_head_that_was_kept(void **state)
{
	struct deed deed = { change, 0, EDITOR_SEAL };
	struct modelfix *m = *state;
	struct found kept, fd;

	fill(m);
	verify(m, &kept);
	deed.seq = modelfix_nth(m, MIDDLE) + 7;
	rewrite_from(m, MIDDLE, &deed);
	expect_whole(m);
	assert_int_equal(verify_with(m, &fd, kept.head_seq, kept.head), 0);
	assert_int_equal(fd.problems, 1);
	assert_non_null(strstr(fd.sentence, "not those of the anchor"));
}

static void
make_sums(struct modelfix *m)
{
	int got;

	do {
		got = sums_make(m->fx.io, m->fx.dirfd, &m->fx.why);
	} while (got == SUMS_MADE);
	if (got != SUMS_NOTHING)
		fail_msg("%d: %s", got, m->fx.why.text);
}

static const char *
sums_of(struct modelfix *m, size_t n)
{
	static char name[SEGMENT_NAME_SIZE];

	snprintf(
	    name, sizeof(name), "%s", modelfix_named(m, modelfix_nth(m, n)));
	strcpy(strchr(name, '.'), ".sum");
	return name;
}

static void
sums_name_the_event_however_much_is_made_anew(void **state)
{
	struct modelfix *m = *state;
	struct deed deed = { change, 0, EDITOR_CRCS };

	fill(m);
	make_sums(m);
	expect_whole(m);
	for (; deed.digests <= EDITOR_SEAL; deed.digests++) {
		deed.seq = modelfix_nth(m, MIDDLE);
		for (; deed.seq < modelfix_nth(m, MIDDLE + 1); deed.seq++) {
			edit(m, MIDDLE, &deed);
			expect_edited(m, deed.seq, deed.seq);
			edit(m, MIDDLE, &deed);
			expect_whole(m);
		}
	}
	/* To the end of the log: nothing else is left that tells it. */
	deed.digests = EDITOR_SEAL;
	deed.seq = modelfix_nth(m, MIDDLE) + 7;
	rewrite_from(m, MIDDLE, &deed);
	expect_edited(m, deed.seq, deed.seq);
	for (size_t n = 0; n < newest(m); n++)
		filemodel_put_aside(m->fm, sums_of(m, n), NULL);
	expect_whole(m);
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
	static struct deed deed;
	struct modelfix *m = *state;
	struct modelfix_edit back = { 0, sizeof(deed.copy), NULL };
	static uint8_t was[sizeof(deed.copy)];
	const char *name;

	fill(m);
	make_sums(m);
	deed.seq = modelfix_nth(m, MIDDLE) + 3;
	deed.what = change;
	edit(m, MIDDLE, &deed);
	deed.digests = EDITOR_SEAL;
	edit(m, MIDDLE, &deed);
	expect_whole(m);
	memcpy(was, deed.copy, sizeof(was));
	back.bytes = was;
	name = modelfix_named(m, modelfix_nth(m, MIDDLE));
	for (size_t i = 0; i < 2 * ARRAY_LEN(deeds); i++) {
		deed.what = deeds[i / 2];
		deed.digests = i % 2 ? EDITOR_SEAL : EDITOR_CRCS;
		filemodel_edit(m->fm, name, do_deed, &deed);
		expect_edited(m, deed.seq, deed.seq);
		filemodel_edit(m->fm, name, modelfix_apply_edit, &back);
		expect_whole(m);
	}
}

static void
an_edited_event_is_found_in_a_packed_segment(void **state)
{
	struct deed deed = { change, 0, EDITOR_CRCS };
	struct modelfix *m = *state;
	int got;

	fill(m);
	make_sums(m);
	deed.seq = modelfix_nth(m, MIDDLE) + 10;
	edit(m, MIDDLE, &deed);
	do {
		got = retain_pack(m->fx.io, m->fx.dirfd, &m->fx.why);
	} while (got == RETAIN_PACKED);
	assert_int_equal(got, RETAIN_NOTHING);
	assert_non_null(
	    strstr(modelfix_named(m, modelfix_nth(m, MIDDLE)), ".segz"));
	expect_edited(m, deed.seq, deed.seq);
}

static void
sums_are_a_cache(void **state)
{
	struct deed deed = { change, 0, EDITOR_CRCS };
	struct modelfix *m = *state;
	char name[SEGMENT_NAME_SIZE];
	int64_t size;

	fill(m);
	make_sums(m);
	snprintf(name, sizeof(name), "%s", sums_of(m, MIDDLE));
	size = filemodel_size(m->fm, name);
	assert_int_equal(size,
	    80 + 4 +
		4 * (modelfix_nth(m, MIDDLE + 1) - modelfix_nth(m, MIDDLE)));
	for (int64_t at = 0; at < size; at++) {
		modelfix_spoil(m, name, (uint64_t)at, 1);
		expect_whole(m);
		modelfix_spoil(m, name, (uint64_t)at, 1);
	}
	modelfix_spoil(m, name, 90, 1);
	deed.seq = modelfix_nth(m, MIDDLE);
	edit(m, MIDDLE, &deed);
	expect_edited(m, deed.seq, 36);
	edit(m, MIDDLE, &deed);
	/* Those that are gone come back, also where a crash was. */
	filemodel_put_aside(m->fm, name, NULL);
	modelfix_expect_recovered(m, LAST);
	logfix_fill(&m->fx, 20, 3);
	assert_int_equal(logfix_idle(&m->fx), 0);
	make_sums(m);
	deed.seq = LAST - 1;
	for (size_t n = newest(m) - 1; deed.digests < EDITOR_MARKS; n--) {
		if (modelfix_nth(m, n) >= LAST)
			continue;
		edit(m, n, &deed);
		expect_edited(m, LAST - 1, LAST - 1);
		deed.digests = EDITOR_MARKS;
	}
}

static void
no_sums_are_made_of_what_was_edited(void **state)
{
	struct deed deed = { change, 0, EDITOR_CRCS };
	struct modelfix *m = *state;

	fill(m);
	deed.seq = modelfix_nth(m, MIDDLE) + 1;
	edit(m, MIDDLE, &deed);
	assert_int_equal(
	    sums_make(m->fx.io, m->fx.dirfd, &m->fx.why), SUMS_MADE);
	assert_int_equal(
	    sums_make(m->fx.io, m->fx.dirfd, &m->fx.why), SUMS_DAMAGED);
	assert_int_equal(filemodel_size(m->fm, sums_of(m, MIDDLE)), -1);
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
		MODEL_TEST(
		    who_makes_all_digests_anew_is_found_by_a_head_that_was_kept),
		MODEL_TEST(sums_name_the_event_however_much_is_made_anew),
		MODEL_TEST(what_changes_places_is_left_out_or_put_in_is_found),
		MODEL_TEST(an_edited_event_is_found_in_a_packed_segment),
		MODEL_TEST(sums_are_a_cache),
		MODEL_TEST(no_sums_are_made_of_what_was_edited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
