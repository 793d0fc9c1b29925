/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Salvage where one place alone tells what was there, and what only looks
 * like a segment's own.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/format_priv.h"
#include "log/headless.h"
#include "tests/lib/repairfix.h"

enum {
	PIECE = 256 << 10, /* what is read of a file at a time */
};

/* The newest that is left: its seal says what was in it, and nothing else. */
static void
a_seal_remembers_the_last_events(void **state)
{
	struct modelfix *m = *state;

	modelfix_fill_segments(m);
	filemodel_put_aside(m->fm, modelfix_named(m, 49), NULL);
	modelfix_spoil(m, modelfix_named(m, 37), modelfix_page(3), 1);
	repairfix_expect(m, "46..48", 3);
}

/* Where a frame is damaged, an event's bytes may be an older one of the log. */
static void
frames_of_seqs_before_its_name_are_none_of_a_segment(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_copy c;

	modelfix_fill_segments(m);
	modelfix_put_inside(m, 25, 13, &c);
	repairfix_expect(m, "28..30", 2);
}

/* The frame at `from` to `to`, where nothing was; all before is noise. */
struct move {
	uint64_t from, to;
};

static void
move_frame(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct move *mv = arg;

	assert_true(mv->to + LOG_PAGE <= size);
	memmove(bytes + mv->to, bytes + mv->from, LOG_PAGE);
	memset(bytes, 0x55, mv->to);
}

static void
a_frame_across_two_reads_gives_the_salt_away(void **state)
{
	struct modelfix *m = *state;
	struct segment_list list;
	struct move mv = { .from = SEGMENT_FRAMES };
	struct segment s;
	int fd;

	m->fx.segment_bytes = 2 * PIECE;
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 3);
	logfix_stop(&m->fx);
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, modelfix_named(m, 1), O_RDWR, 0);
	assert_true(fd >= 0);
	for (unsigned k = 0; k <= LOG_FRAME_HEADER; k++) {
		mv.to = SEGMENT_FRAMES + PIECE - k;
		filemodel_edit(m->fm, modelfix_named(m, 1), move_frame, &mv);
		mv.from = mv.to;
		s = list.v[0];
		s.headed = false;
		if (headless_find(m->fx.io, fd, &s, &m->fx.why) !=
		    HEADLESS_FOUND)
			fail_msg("not found %u bytes before the seam", k);
		assert_int_equal(s.header.salt, list.v[0].header.salt);
	}
	(void)sysio_close(m->fx.io, fd);
	segment_list_deinit(&list);
}

/* --- version 1, whose IDLE frames are empty --- */

/* A frame of one event, or none, on its page of c. */
static void
put_frame(struct modelfix *m, struct modelfix_copy *c, unsigned page,
    unsigned n, uint32_t *prev_len)
{
	uint8_t *frame = logfix_compose(&m->fx, n);
	size_t len = LOG_FRAME_HEADER + frame_payload_len(frame);

	if (n == 0)
		frame_compose(frame, FRAME_IDLE, 0, m->fx.next_seq,
		    1000000 + m->fx.next_seq, 0, 0);
	format_stamp(frame, 4711, m->fx.next_seq - 1, *prev_len, page + 1);
	memcpy(c->bytes + modelfix_page(page), frame, len);
	*prev_len = (uint32_t)len;
	m->fx.next_seq += n;
	free(frame);
}

/* Nothing but the frame in between leads to the newest event. */
static void
a_headless_segment_of_version_1_goes_on_behind_an_idle_frame(void **state)
{
	struct modelfix *m = *state;
	struct modelfix_copy c = { { 0 } };
	struct log_repair r;
	uint32_t prev_len = 0;

	modelfix_put_old(m, "00000000000000000001-0000000001.seg");
	modelfix_put_old(m, "00000000000000000013-0000000001.seg");
	modelfix_put_old(m, "00000000000000000025-0000000001.seg");
	m->fx.segment_bytes = sizeof(c.bytes);
	m->fx.next_seq = 34;
	put_frame(m, &c, 0, 1, &prev_len);
	put_frame(m, &c, 1, 0, &prev_len);
	put_frame(m, &c, 2, 1, &prev_len);
	modelfix_put_file(m, "00000000000000000034-0000000002.seg", &c);
	if (repairfix_plan(m, &r) != LOG_REPAIR_PLANNED)
		fail_msg("%s", m->fx.why.text);
	assert_string_equal(repairfix_ranges(&r), "none");
	assert_int_equal(r.last_seq, 35);
	log_repair_deinit(&r);
}

#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_seal_remembers_the_last_events),
		TEST(frames_of_seqs_before_its_name_are_none_of_a_segment),
		TEST(a_frame_across_two_reads_gives_the_salt_away),
		TEST(
		    a_headless_segment_of_version_1_goes_on_behind_an_idle_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
