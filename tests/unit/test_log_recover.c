/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Recovery of a log whose bytes are not what was written: what was never
 * acknowledged is left behind, what was acknowledged is missed aloud, and
 * nothing is changed then.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/segment.h"
#include "log/witness.h"
#include "tests/lib/filemodel.h"
#include "tests/lib/logfix.h"

struct model {
	struct filemodel *fm;
	struct logfix fx;
};

static int
model_setup(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->fm = filemodel_new(1);
	logfix_init(&m->fx, filemodel_io(m->fm), filemodel_root(m->fm));
	logfix_notes();
	*state = m;
	return 0;
}

static int
model_teardown(void **state)
{
	struct model *m = *state;

	logfix_deinit(&m->fx);
	filemodel_free(m->fm);
	free(m);
	return 0;
}

/* The name of the segment that begins with first_seq. */
static const char *
named(struct model *m, uint64_t first_seq)
{
	static char name[SEGMENT_NAME_SIZE];
	struct segment_list list;

	name[0] = '\0';
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	for (size_t i = 0; i < list.n; i++)
		if (list.v[i].name_first_seq == first_seq)
			memcpy(name, list.v[i].name, sizeof(name));
	segment_list_deinit(&list);
	return name;
}

/* The first seq of the nth segment, from 0 on. */
static uint64_t
nth(struct model *m, size_t n)
{
	struct segment_list list;
	uint64_t first;

	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	assert_true(n < list.n);
	first = list.v[n].name_first_seq;
	segment_list_deinit(&list);
	return first;
}

struct edit {
	uint64_t at;
	size_t len;
	const uint8_t *bytes; /* NULL: invert those that are there */
};

static void
apply_edit(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct edit *e = arg;

	assert_true(e->at + e->len <= size);
	for (size_t i = 0; i < e->len; i++)
		bytes[e->at + i] =
		    e->bytes ? e->bytes[i] : (uint8_t)~bytes[e->at + i];
}

static void
spoil(struct model *m, const char *name, uint64_t at, size_t len)
{
	struct edit e = { at, len, NULL };

	filemodel_edit(m->fm, name, apply_edit, &e);
}

static void
wipe(struct model *m, const char *name, uint64_t at, size_t len)
{
	static const uint8_t zeros[64 << 10];
	struct edit e = { at, len, zeros };

	filemodel_edit(m->fm, name, apply_edit, &e);
}

/* Recovery says it is damaged, with this in its sentence. */
static void
expect_damage(struct model *m, const char *text)
{
	assert_int_equal(logfix_recover(&m->fx), RECOVER_DAMAGED);
	if (!strstr(m->fx.why.text, text))
		fail_msg("'%s' is not in '%s'", text, m->fx.why.text);
}

static void
expect_recovered(struct model *m, uint64_t last)
{
	logfix_start(&m->fx);
	assert_int_equal(m->fx.tail.last_seq, last);
	logfix_expect(&m->fx, last);
}

static bool
in_quarantine(struct model *m, const char *name)
{
	const struct sysio *io = m->fx.io;
	int dir = sysio_openat(io, m->fx.dirfd, "quarantine", 0, 0);
	int fd = dir < 0 ? dir : sysio_openat(io, dir, name, 0, 0);

	if (fd >= 0)
		(void)sysio_close(io, fd);
	if (dir >= 0)
		(void)sysio_close(io, dir);
	return fd >= 0;
}

static void
store_witness(struct model *m, uint64_t seq)
{
	CLEANUP(witness_freep) struct witness *wit = NULL;

	assert_int_equal(witness_open(m->fx.io, m->fx.dirfd, m->fx.tail.log_id,
			     m->fx.tail.epoch, &wit, &m->fx.why),
	    0);
	assert_int_equal(witness_store(wit, seq), 0);
}

/* Where the nth frame (from 0 on) of a segment of one-page flushes begins. */
static uint64_t
page(unsigned n)
{
	return SEGMENT_FRAMES + (uint64_t)n * LOG_PAGE;
}

static void
a_torn_last_frame_is_left_behind_whole_requests_at_a_time(void **state)
{
	struct model *m = *state;
	uint8_t old[LOG_PAGE], zeros[LOG_PAGE] = { 0 };
	size_t len = LOG_FRAME_HEADER;
	struct edit cut = { page(1), LOG_PAGE, old };
	const char *name;
	int fd;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 2);
	logfix_fill(&m->fx, 1, 5);
	name = named(m, 1);
	fd = sysio_openat(m->fx.io, m->fx.dirfd, name, 0, 0);
	assert_int_equal(
	    sysio_pread(m->fx.io, fd, old, LOG_PAGE, page(1)), LOG_PAGE);
	(void)sysio_close(m->fx.io, fd);
	len += frame_payload_len(old);
	for (size_t kept = 0; kept < len; kept++) {
		struct edit e = { page(1), len, zeros };

		memcpy(zeros, old, kept);
		filemodel_edit(m->fm, name, apply_edit, &e);
		memset(zeros, 0, sizeof(zeros));
		expect_recovered(m, 2);
		assert_int_equal(logfix_notes(), kept > 0 ? 1 : 0);
	}
	filemodel_edit(m->fm, name, apply_edit, &cut);
	expect_recovered(m, 7);
}

static void
a_torn_tail_is_copied_and_the_next_segment_bounds_it(void **state)
{
	struct model *m = *state;
	char copy[SEGMENT_NAME_SIZE + 32];

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 2);
	spoil(m, named(m, 1), page(2) + 70, 1);
	logfix_start(&m->fx);
	assert_int_equal(m->fx.tail.last_seq, 4);
	assert_int_equal(logfix_notes(), 1);
	snprintf(copy, sizeof(copy), "%s.tail-%llu", named(m, 1),
	    (unsigned long long)m->fx.tail.predecessor.valid_length);
	assert_true(in_quarantine(m, copy));
	logfix_fill(&m->fx, 3, 2);
	logfix_expect(&m->fx, 10);
	expect_recovered(m, 10);
	assert_int_equal(logfix_notes(), 0);
}

static void
without_room_a_torn_tail_is_not_copied(void **state)
{
	struct model *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 2);
	spoil(m, named(m, 1), page(2) + 70, 1);
	filemodel_set_room(m->fm, 60 << 10);
	expect_recovered(m, 4);
	assert_int_equal(logfix_notes(), 2);
}

static void
a_damaged_frame_before_others_is_damage(void **state)
{
	struct model *m = *state;
	const char *name;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 5, 2);
	name = named(m, 1);
	spoil(m, name, page(2) + 80, 1);
	expect_damage(m, "events 5 to 8 are");
	assert_non_null(strstr(m->fx.why.text, name));
	/* The padding and the frame itself, as they end. */
	assert_non_null(strstr(m->fx.why.text, "offset 12"));
	/* Nothing was changed: it is said again, and can be mended. */
	expect_damage(m, "events 5 to 8 are");
	spoil(m, name, page(2) + 80, 1);
	expect_recovered(m, 10);
}

static void
a_rotten_last_flush_is_damage_where_an_idle_frame_followed(void **state)
{
	struct model *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	assert_int_equal(logfix_idle(&m->fx), 0);
	wipe(m, named(m, 1), page(2), LOG_PAGE);
	expect_damage(m, "events 3 to 3 are");
}

static void
a_rotten_idle_frame_is_a_torn_tail(void **state)
{
	struct model *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	assert_int_equal(logfix_idle(&m->fx), 0);
	spoil(m, named(m, 1), page(3) + 20, 1);
	expect_recovered(m, 3);
	assert_int_equal(logfix_notes(), 1);
}

static void
a_rotten_last_flush_is_damage_where_a_witness_knows_of_it(void **state)
{
	struct model *m = *state;
	struct log_witness ring = { .name = "ring", .epoch = 1, .seq = 3 };

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	store_witness(m, 2);
	wipe(m, named(m, 1), page(2), LOG_PAGE);
	memcpy(ring.log_id, m->fx.tail.log_id, sizeof(ring.log_id));
	logfix_stop(&m->fx);
	assert_int_equal(recover_log(m->fx.io, m->fx.dirfd, &ring, 1, NULL,
			     &m->fx.tail, &m->fx.why),
	    RECOVER_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "'ring'"));
	/* Of another epoch it knows nothing. */
	ring.epoch = 2;
	assert_int_equal(recover_log(m->fx.io, m->fx.dirfd, &ring, 1, NULL,
			     &m->fx.tail, &m->fx.why),
	    RECOVER_OK);
	assert_int_equal(m->fx.tail.last_seq, 2);
	store_witness(m, 3);
	expect_damage(m, "events 3 to 3 are");
	assert_non_null(strstr(m->fx.why.text, WITNESS_NAME));
}

static void
a_damaged_witness_says_nothing(void **state)
{
	struct model *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 1);
	store_witness(m, 9);
	spoil(m, WITNESS_NAME, 40, 1);
	expect_recovered(m, 2);
	assert_int_equal(logfix_notes(), 1);
}

static void
an_emptied_directory_is_no_new_log(void **state)
{
	struct model *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 1);
	store_witness(m, 2);
	filemodel_put_aside(m->fm, named(m, 1), NULL);
	expect_damage(m, "events 1 to 2 were durable");
	filemodel_put_aside(m->fm, WITNESS_NAME, NULL);
	expect_recovered(m, 0);
}

struct copy {
	uint8_t bytes[32 << 10];
};

/* Some full segments, and an open one. */
static void
fill_segments(struct model *m)
{
	m->fx.segment_bytes = sizeof(((struct copy *)0)->bytes);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 20, 3);
	assert_true(nth(m, 3) > 0);
}

static void
a_missing_segment_is_damage(void **state)
{
	struct model *m = *state;
	char text[80];

	fill_segments(m);
	snprintf(text, sizeof(text), "events %d to %d are", (int)nth(m, 1),
	    (int)nth(m, 2) - 1);
	filemodel_put_aside(m->fm, named(m, nth(m, 1)), "x");
	expect_damage(m, text);
}

static void
a_missing_first_segment_is_damage(void **state)
{
	struct model *m = *state;
	char text[80];

	fill_segments(m);
	snprintf(text, sizeof(text), "events 1 to %d are", (int)nth(m, 1) - 1);
	filemodel_put_aside(m->fm, named(m, 1), "x");
	expect_damage(m, text);
}

static void
a_missing_last_segment_is_damage_where_a_witness_knows(void **state)
{
	struct model *m = *state;
	size_t last = 0;
	char text[80];

	fill_segments(m);
	store_witness(m, 60);
	while (nth(m, last) + 12 < 60)
		last++;
	snprintf(text, sizeof(text), "events %d to 60 are", (int)nth(m, last));
	filemodel_put_aside(m->fm, named(m, nth(m, last)), "x");
	expect_damage(m, text);
}

static void
a_renamed_segment_is_found_out(void **state)
{
	struct model *m = *state;
	char to[SEGMENT_NAME_SIZE];

	fill_segments(m);
	segment_name(to, nth(m, 1) + 1, 1, ".seg");
	filemodel_put_aside(m->fm, named(m, nth(m, 1)), to);
	expect_damage(m, "by its header");
}

static void
take_copy(void *arg, uint8_t *bytes, uint64_t size)
{
	struct copy *c = arg;

	assert_int_equal(size, sizeof(c->bytes));
	memcpy(c->bytes, bytes, size);
}

static void
put_file(struct model *m, const char *name, const struct copy *c)
{
	int fd = sysio_openat(m->fx.io, m->fx.dirfd, name, 0100 | 2, 0640);

	assert_true(fd >= 0);
	assert_int_equal(
	    sysio_pwrite(m->fx.io, fd, c->bytes, sizeof(c->bytes), 0), 0);
	assert_int_equal(sysio_fsync(m->fx.io, fd), 0);
	(void)sysio_close(m->fx.io, fd);
}

static void
a_segment_that_is_there_twice_is_found_out(void **state)
{
	struct model *m = *state;
	char to[SEGMENT_NAME_SIZE];
	struct copy c;

	fill_segments(m);
	filemodel_edit(m->fm, named(m, nth(m, 1)), take_copy, &c);
	segment_name(to, nth(m, 1), 2, ".seg");
	put_file(m, to, &c);
	expect_damage(m, "has number 2");
}

static void
a_segment_of_another_log_is_found_out(void **state)
{
	struct model *m = *state;
	CLEANUP(filemodel_freep) struct filemodel *other = filemodel_new(2);
	struct logfix fx;
	char name[SEGMENT_NAME_SIZE];
	struct copy c;

	fill_segments(m);
	logfix_init(&fx, filemodel_io(other), filemodel_root(other));
	fx.segment_bytes = 32 << 10;
	logfix_start(&fx);
	logfix_fill(&fx, 20, 3);
	logfix_deinit(&fx);
	/* The same name, and the same events in it. */
	memcpy(name, named(m, nth(m, 2)), sizeof(name));
	filemodel_edit(other, name, take_copy, &c);
	put_file(m, name, &c);
	expect_damage(m, "another log");
}

static void
a_segment_from_another_history_of_the_log_is_found_out(void **state)
{
	struct model *m = *state;
	CLEANUP(filemodel_freep) struct filemodel *other = NULL;
	char name[SEGMENT_NAME_SIZE];
	struct logfix fx;
	struct copy c;

	m->fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 3);
	logfix_stop(&m->fx);
	other = filemodel_clone(m->fm);
	assert_int_equal(sysio_random(filemodel_io(other), c.bytes, 1), 0);
	logfix_init(&fx, filemodel_io(other), filemodel_root(other));
	fx.segment_bytes = 32 << 10;
	logfix_start(&fx);
	logfix_fill(&fx, 2, 2);
	logfix_fill(&fx, 18, 3);
	logfix_deinit(&fx);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 2);
	logfix_fill(&m->fx, 18, 3);
	/* Both wrote the same events; the salts differ. */
	memcpy(name, named(m, nth(m, 2)), sizeof(name));
	filemodel_edit(other, name, take_copy, &c);
	put_file(m, name, &c);
	expect_damage(m, "contradicts the header of");
}

static void
a_truncated_segment_is_damage(void **state)
{
	struct model *m = *state;
	int fd;

	fill_segments(m);
	fd = sysio_openat(m->fx.io, m->fx.dirfd, named(m, 1), 2, 0);
	assert_int_equal(sysio_ftruncate(m->fx.io, fd, 20 << 10), 0);
	assert_int_equal(sysio_fsync(m->fx.io, fd), 0);
	(void)sysio_close(m->fx.io, fd);
	expect_damage(m, "it has 20480 bytes, its header says 32768; events 1");
}

static void
a_damaged_seal_is_replaced_by_the_frames(void **state)
{
	struct model *m = *state;

	fill_segments(m);
	spoil(m, named(m, 1), (32 << 10) - LOG_PAGE + 100, 1);
	expect_recovered(m, 60);
	assert_int_equal(logfix_notes(), 1);
	wipe(m, named(m, 1), (32 << 10) - LOG_PAGE, LOG_PAGE);
	expect_recovered(m, 60);
	assert_int_equal(logfix_notes(), 1);
	spoil(m, named(m, 1), page(1) + 100, 1);
	expect_damage(m, "its seal and its frames are damaged; events 4 to ");
}

static void
damage_in_a_sealed_segment_is_met_by_whoever_reads_it(void **state)
{
	struct model *m = *state;
	int outcome;

	fill_segments(m);
	spoil(m, named(m, 1), page(1) + 100, 1);
	/* Ready at once: its frames are not looked at. */
	logfix_start(&m->fx);
	assert_int_equal(m->fx.tail.last_seq, 60);
	assert_int_equal(logfix_read(&m->fx, 60, &outcome), 3);
	assert_int_equal(outcome, LOG_READ_DAMAGED);
}

static void
one_copy_of_a_header_is_enough(void **state)
{
	struct model *m = *state;

	fill_segments(m);
	for (size_t i = 0; i < 4; i++)
		spoil(m, named(m, nth(m, i)), i % 2 * LOG_PAGE + 33, 1);
	expect_recovered(m, 60);
}

static void
a_segment_without_a_header_is_damage(void **state)
{
	struct model *m = *state;
	uint64_t last;
	size_t n = 0;

	fill_segments(m);
	spoil(m, named(m, nth(m, 1)), 33, 1);
	spoil(m, named(m, nth(m, 1)), LOG_PAGE + 33, 1);
	expect_damage(m, "neither copy of its header");
	spoil(m, named(m, nth(m, 1)), 33, 1);
	while (nth(m, n) + 12 < 60)
		n++;
	last = nth(m, n);
	spoil(m, named(m, last), 33, 1);
	spoil(m, named(m, last), LOG_PAGE + 33, 1);
	expect_damage(m, "neither copy of its header");
	assert_non_null(strstr(m->fx.why.text, "on are damaged"));
}

static void
a_newest_segment_of_zeros_is_set_aside(void **state)
{
	struct model *m = *state;
	char name[SEGMENT_NAME_SIZE];

	fill_segments(m);
	segment_name(name, 61, 2, ".seg");
	put_file(m, name, &(struct copy){ { 0 } });
	expect_recovered(m, 60);
	assert_true(in_quarantine(m, name));
	assert_int_equal(filemodel_size(m->fm, name), -1);
	logfix_fill(&m->fx, 2, 1);
	expect_recovered(m, 62);
}

/* Roll and die before the first frame. */
static void
begin_segment(struct model *m)
{
	assert_int_equal(
	    log_writer_prepare(m->fx.lw, &m->fx.why), LOG_PREPARED);
	assert_int_equal(
	    log_writer_roll(m->fx.lw, m->fx.next_seq, &m->fx.why), 0);
}

static void
a_segment_without_a_frame_is_set_aside_and_its_number_used_again(void **state)
{
	struct model *m = *state;
	char name[SEGMENT_NAME_SIZE];

	logfix_start(&m->fx);
	begin_segment(m);
	expect_recovered(m, 0);
	assert_int_equal(m->fx.tail.next_segment, 1);
	assert_int_equal(m->fx.tail.incarnation, 2);
	logfix_fill(&m->fx, 3, 1);
	logfix_start(&m->fx);
	begin_segment(m);
	memcpy(name, named(m, 4), sizeof(name));
	expect_recovered(m, 3);
	assert_int_equal(m->fx.tail.next_segment, 2);
	assert_true(in_quarantine(m, name));
	logfix_fill(&m->fx, 3, 1);
	expect_recovered(m, 6);
}

static void
an_unknown_version_is_refused(void **state)
{
	struct model *m = *state;
	uint8_t header[LOG_PAGE];
	struct edit e = { 0, LOG_PAGE, header };
	struct copy c;

	m->fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	filemodel_edit(m->fm, named(m, 1), take_copy, &c);
	memcpy(header, c.bytes, LOG_PAGE);
	put_le32(header + SEG_VERSION, 2);
	put_le32(header + SEG_CRC, crc32c(0, header, SEG_CRC));
	filemodel_edit(m->fm, named(m, 1), apply_edit, &e);
	assert_int_equal(logfix_recover(&m->fx), -ENOTSUP);
	assert_non_null(strstr(m->fx.why.text, "format version 2"));
}

static void
a_frame_of_an_unknown_type_is_refused(void **state)
{
	struct model *m = *state;
	uint8_t frame[LOG_FRAME_HEADER];
	struct iovec iov = { frame, sizeof(frame) };

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	frame_compose(frame, FRAME_ERASE, 0, 2, 0, 0, 0);
	log_writer_stamp(m->fx.lw, frame, 1);
	assert_int_equal(log_writer_flush(m->fx.lw, &iov, 1, 1, &m->fx.why), 0);
	assert_int_equal(logfix_recover(&m->fx), -ENOTSUP);
	assert_non_null(strstr(m->fx.why.text, "type 5"));
}

static void
a_floor_is_refused(void **state)
{
	struct model *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	put_file(m, "FLOOR", &(struct copy){ { 0 } });
	assert_int_equal(logfix_recover(&m->fx), -ENOTSUP);
}

static void
other_files_are_ignored(void **state)
{
	static const char *const names[] = { "lost+found",
		"00000000000000000001-0000000001.seg.bak",
		"00000000000000000001-000000001.seg",
		"0000000000000000000x-0000000001.seg",
		"99999999999999999999-0000000001.seg",
		"00000000000000000001-9999999999.seg" };
	struct model *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 2, 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		put_file(m, names[i], &(struct copy){ { 0 } });
	expect_recovered(m, 2);
	assert_int_equal(logfix_notes(), 0);
}

static void
a_read_error_is_not_the_end_of_the_log(void **state)
{
	struct model *m = *state;
	uint64_t calls;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	logfix_stop(&m->fx);
	calls = filemodel_calls(m->fm);
	for (uint64_t n = 1;; n++) {
		CLEANUP(filemodel_freep)
		struct filemodel *fm = filemodel_clone(m->fm);
		struct logfix fx;
		int got;

		logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
		filemodel_fail_at(fm, calls + n, -EIO);
		got = logfix_recover(&fx);
		logfix_deinit(&fx);
		if (!filemodel_fired(fm))
			break;
		/* Closing is the only thing that may fail. */
		assert_true(got == -EIO ||
			    (got == RECOVER_OK && fx.tail.last_seq == 3));
	}
}

static void
after_a_failed_flush_the_disk_counts_and_not_the_page_cache(void **state)
{
	struct model *m = *state;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 3, 1);
	assert_int_equal(logfix_stamp(&m->fx, 1), 0);
	filemodel_fail_at(m->fm, filemodel_calls(m->fm) + 2, -EIO);
	assert_int_equal(logfix_flush(&m->fx), -EIO);
	assert_true(filemodel_fired(m->fm));
	/* Nothing is written any more. */
	assert_int_equal(log_writer_idle(m->fx.lw, 3, &m->fx.why), -EIO);
	expect_recovered(m, 3);
	assert_int_equal(logfix_notes(), 1);
	logfix_fill(&m->fx, 1, 1);
	logfix_expect(&m->fx, 4);
}

static void
a_full_disk_shows_when_the_spare_is_prepared(void **state)
{
	struct model *m = *state;

	m->fx.segment_bytes = 32 << 10;
	logfix_start(&m->fx);
	filemodel_set_room(m->fm, (32 << 10) + (1 << 20) - 1);
	assert_int_equal(log_writer_prepare(m->fx.lw, &m->fx.why), LOG_NO_ROOM);
	assert_int_equal(log_writer_has_spare(m->fx.lw), 0);
	assert_int_equal(filemodel_size(m->fm, "next.tmp"), -1);
	filemodel_set_room(m->fm, (32 << 10) + (1 << 20));
	filemodel_fail_at(m->fm, filemodel_calls(m->fm) + 3, -ENOSPC);
	assert_int_equal(log_writer_prepare(m->fx.lw, &m->fx.why), LOG_NO_ROOM);
	assert_true(filemodel_fired(m->fm));
	assert_int_equal(filemodel_size(m->fm, "next.tmp"), -1);
	assert_int_equal(
	    log_writer_prepare(m->fx.lw, &m->fx.why), LOG_PREPARED);
	assert_int_equal(log_writer_has_spare(m->fx.lw), 1);
	logfix_fill(&m->fx, 1, 1);
	logfix_expect(&m->fx, 1);
}

static void
without_room_for_quarantine_a_segment_is_renamed_in_place(void **state)
{
	struct model *m = *state;
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	char name[SEGMENT_NAME_SIZE + 8];
	unsigned aside = 0;
	uint64_t calls;

	logfix_start(&m->fx);
	logfix_fill(&m->fx, 1, 1);
	logfix_start(&m->fx);
	begin_segment(m);
	snprintf(name, sizeof(name), "%s.aside", named(m, 2));
	logfix_stop(&m->fx);
	calls = filemodel_calls(m->fm);
	/* Whichever call it is that finds the disk full. */
	for (uint64_t n = 1; n < 60; n++) {
		struct logfix fx;

		fm = filemodel_free(fm);
		fm = filemodel_clone(m->fm);
		logfix_init(&fx, filemodel_io(fm), filemodel_root(fm));
		filemodel_fail_at(fm, calls + n, -ENOSPC);
		if (logfix_recover(&fx) == RECOVER_OK) {
			assert_int_equal(fx.tail.last_seq, 1);
			assert_int_equal(fx.tail.next_segment, 2);
			aside += filemodel_size(fm, name) > 0;
		}
		logfix_deinit(&fx);
	}
	assert_int_equal(aside, 3); /* mkdir, open, rename */
}

#define MODEL_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, model_setup, model_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL_TEST(
		    a_torn_last_frame_is_left_behind_whole_requests_at_a_time),
		MODEL_TEST(
		    a_torn_tail_is_copied_and_the_next_segment_bounds_it),
		MODEL_TEST(without_room_a_torn_tail_is_not_copied),
		MODEL_TEST(a_damaged_frame_before_others_is_damage),
		MODEL_TEST(
		    a_rotten_last_flush_is_damage_where_an_idle_frame_followed),
		MODEL_TEST(a_rotten_idle_frame_is_a_torn_tail),
		MODEL_TEST(
		    a_rotten_last_flush_is_damage_where_a_witness_knows_of_it),
		MODEL_TEST(a_damaged_witness_says_nothing),
		MODEL_TEST(an_emptied_directory_is_no_new_log),
		MODEL_TEST(a_missing_segment_is_damage),
		MODEL_TEST(a_missing_first_segment_is_damage),
		MODEL_TEST(
		    a_missing_last_segment_is_damage_where_a_witness_knows),
		MODEL_TEST(a_renamed_segment_is_found_out),
		MODEL_TEST(a_segment_that_is_there_twice_is_found_out),
		MODEL_TEST(a_segment_of_another_log_is_found_out),
		MODEL_TEST(
		    a_segment_from_another_history_of_the_log_is_found_out),
		MODEL_TEST(a_truncated_segment_is_damage),
		MODEL_TEST(a_damaged_seal_is_replaced_by_the_frames),
		MODEL_TEST(
		    damage_in_a_sealed_segment_is_met_by_whoever_reads_it),
		MODEL_TEST(one_copy_of_a_header_is_enough),
		MODEL_TEST(a_segment_without_a_header_is_damage),
		MODEL_TEST(a_newest_segment_of_zeros_is_set_aside),
		MODEL_TEST(
		    a_segment_without_a_frame_is_set_aside_and_its_number_used_again),
		MODEL_TEST(an_unknown_version_is_refused),
		MODEL_TEST(a_frame_of_an_unknown_type_is_refused),
		MODEL_TEST(a_floor_is_refused),
		MODEL_TEST(other_files_are_ignored),
		MODEL_TEST(a_read_error_is_not_the_end_of_the_log),
		MODEL_TEST(
		    after_a_failed_flush_the_disk_counts_and_not_the_page_cache),
		MODEL_TEST(a_full_disk_shows_when_the_spare_is_prepared),
		MODEL_TEST(
		    without_room_for_quarantine_a_segment_is_renamed_in_place),
	};

	return cmocka_run_group_tests_name("log_recover", tests, NULL, NULL);
}
