/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is done to a log, with each of its allocations failing, alone or with
 * all behind it.  Short memory is never damage of the log, nor its end, and
 * leaves nothing behind: it is told, and who tries again gets what there is.
 */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/row.h"
#include "log/archive.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/reserve.h"
#include "tests/lib/auditfix.h"
#include "tests/lib/faultfix.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/repairfix.h"
#include "tests/lib/retainfix.h"

enum {
	LAST = FAULTFIX_LAST,
	MORE = 10,	   /* requests of three events */
	ROWS = 120,	   /* of an archive ... */
	ROW_BYTES = 2000,  /* ... which has some blocks */
	RESERVE = 3 << 20, /* bytes */
	KEEP = 4 * (32 << 10),
};

static bool for_good;	     /* not once, but from some time on */
static unsigned descriptors; /* before the operation */

static void
run_short(struct faultfix *w, uint64_t n)
{
	struct logfix *fx = &w->m.fx;

	descriptors = filemodel_descriptors(w->m.fm);
	fx->io = nomemory_io(fx->io);
	/* As callers do for those that say no more than the error. */
	snprintf(fx->why.text, sizeof(fx->why.text), "out of memory");
	nomemory_at(n, for_good);
}

static int
is_half(void *arg, const char *name)
{
	size_t len = strlen(name);

	(void)arg;
	if (len > 4 && strcmp(name + len - 4, ".tmp") == 0)
		fail_msg("'%s' was left behind", name);
	return 0;
}

static bool
run_no_shorter(struct faultfix *w)
{
	bool fired = nomemory_end();

	w->m.fx.io = filemodel_io(w->m.fm);
	return fired;
}

/* And nothing else has become of it. */
static bool
is_told(struct faultfix *w, int got)
{
	const struct sysio *io = w->m.fx.io;

	assert_int_equal(sysio_list(io, w->m.fx.dirfd, is_half, NULL), 0);
	assert_int_equal(sysio_list(io, w->to, is_half, NULL), 0);
	assert_int_equal(sysio_list(io, w->second, is_half, NULL), 0);
	assert_int_equal(filemodel_descriptors(w->m.fm), descriptors);
	assert_int_equal(
	    sysio_openat(io, w->m.fx.dirfd, "quarantine", 0, 0), -ENOENT);
	return got == -ENOMEM &&
	       (!w->m.fx.why.text[0] || strstr(w->m.fx.why.text, "memory"));
}

static const struct faultfix_kind memory = { run_short, run_no_shorter,
	is_told };

static void
sweep_both(struct modelfix *m, const struct faultfix_op *op)
{
	for_good = false;
	assert_true(faultfix_sweep(m, &memory, op) > 0);
	for_good = true;
	assert_true(faultfix_sweep(m, &memory, op) > 0);
}

/*
 * A log in which there is everything: a floor with its base, packed segments,
 * one that is sealed and an open one; indexes, and sums.
 */
static void
fill_all(struct modelfix *m)
{
	modelfix_fill_segments(m);
	auditfix_make_sums(m);
	retainfix_expect(m, KEEP);
	faultfix_pack(m);
}

static void
reading_fails_or_gives_every_event(void **state)
{
	fill_all(*state);
	sweep_both(*state, &faultfix_reading);
}

/* Once memory is there again a reader goes on where it was. */
static int
read_on(struct faultfix *w)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct logfix *fx = &w->m.fx;
	struct log_frame f;
	int got = log_reader_open(fx->io, fx->dirfd, LAST, &rd, &fx->why);

	w->n_read = got == 0 ? (long)log_reader_oldest(rd) - 1 : 0;
	while (got == 0 || got == LOG_READ_FRAME) {
		got = log_reader_next(rd, &f, &fx->why);
		if (got == -ENOMEM && nomemory_end())
			assert_int_not_equal(
			    got = log_reader_next(rd, &f, &fx->why), -ENOMEM);
		if (got != LOG_READ_FRAME)
			break;
		assert_int_equal(f.first_seq, w->n_read + 1);
		w->n_read += f.n_events;
	}
	return got;
}

static void
a_reader_outlives_short_memory(void **state)
{
	const struct faultfix_op op = { NULL, read_on, faultfix_reading.look };

	fill_all(*state);
	sweep_both(*state, &op);
}

/* Where an index leads, and where none is. */
static int
read_from_the_middle(struct faultfix *w)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct logfix *fx = &w->m.fx;
	struct log_frame f;
	int got = log_reader_open(fx->io, fx->dirfd, LAST, &rd, &fx->why);

	for (uint64_t seq = 14; got == 0 && seq <= LAST; seq += 11) {
		got = log_reader_seek(rd, seq, &fx->why);
		if (got == 0)
			got = log_reader_next(rd, &f, &fx->why);
		if (got != LOG_READ_FRAME)
			return got;
		assert_in_range(seq, f.first_seq, f.first_seq + f.n_events - 1);
		got = 0;
	}
	return got;
}

static void
look_at_nothing(struct faultfix *w)
{
	(void)w;
}

static void
a_seek_fails_or_finds_the_event(void **state)
{
	static const struct faultfix_op op = { NULL, read_from_the_middle,
		look_at_nothing };

	fill_all(*state);
	sweep_both(*state, &op);
}

static uint8_t anchor[LOG_DIGEST];

static int
keep_an_anchor(struct faultfix *w)
{
	int err = faultfix_verifying.run(w);

	memcpy(anchor, w->verified.head, sizeof(anchor));
	return err;
}

static int
verify_with_an_anchor(struct faultfix *w)
{
	w->verified =
	    (struct log_verify){ .limit_seq = UINT64_MAX, .anchor_seq = LAST };
	memcpy(w->verified.anchor, anchor, sizeof(anchor));
	return log_verify(
	    w->m.fx.io, w->m.fx.dirfd, &w->verified, &w->m.fx.why);
}

static void
verifying_fails_or_finds_nothing_in_a_whole_log(void **state)
{
	const struct faultfix_op op = { keep_an_anchor, verify_with_an_anchor,
		faultfix_verifying.look };

	fill_all(*state);
	sweep_both(*state, &faultfix_verifying);
	sweep_both(*state, &op);
}

static void
a_backup_fails_or_holds_every_event(void **state)
{
	struct faultfix_op more = faultfix_backup;

	more.before = faultfix_backup_part.run;
	fill_all(*state);
	sweep_both(*state, &faultfix_backup);
	sweep_both(*state, &faultfix_backup_part);
	sweep_both(*state, &more);
}

static void
a_restore_fails_or_gives_every_event(void **state)
{
	fill_all(*state);
	sweep_both(*state, &faultfix_restore);
}

static char ranges[100];

static int
plan_as_ever(struct faultfix *w)
{
	int got;

	log_repair_deinit(&w->planned);
	got = repairfix_plan(&w->m, &w->planned);
	if (got == LOG_REPAIR_PLANNED)
		assert_string_equal(repairfix_ranges(&w->planned), ranges);
	return got == LOG_REPAIR_PLANNED ? 0 : got;
}

static void
a_repair_fails_or_gives_up_what_is_damaged_alone(void **state)
{
	static const struct faultfix_op op = { NULL, plan_as_ever,
		look_at_nothing };
	struct modelfix *m = *state;
	struct log_repair r;

	modelfix_fill_segments(m);
	faultfix_damage(m);
	sweep_both(m, &faultfix_plan);
	sweep_both(m, &faultfix_repair);
	/* Without its headers a segment is looked through for its frames. */
	modelfix_wipe(m, modelfix_named(m, 37), 0, SEGMENT_FRAMES);
	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_PLANNED);
	snprintf(ranges, sizeof(ranges), "%s", repairfix_ranges(&r));
	log_repair_deinit(&r);
	sweep_both(m, &op);
}

/* Acknowledged events, and what was found of them. */
static int
go_on_writing(struct faultfix *w)
{
	struct logfix *fx = &w->m.fx;
	uint64_t acknowledged = MAX((uint64_t)w->n_read, (uint64_t)LAST);
	int err = logfix_recover(fx);

	if (err == 0)
		assert_int_equal(fx->tail.last_seq, acknowledged);
	for (unsigned i = 0; err == 0 && i < MORE; i++) {
		uint8_t *frame;

		nomemory_hold();
		frame = logfix_compose(fx, 3);
		nomemory_release();
		err = logfix_stamp_frame(fx, frame);
		if (err == 0)
			err = logfix_flush(fx);
		if (err == 0)
			w->n_read = (long)fx->durable_seq;
	}
	logfix_stop(fx);
	return err;
}

static void
all_is_there(struct faultfix *w)
{
	assert_true(w->n_read >= LAST + 3 * MORE);
	logfix_expect(&w->m.fx, (uint64_t)w->n_read);
}

static void
a_writer_fails_or_appends_behind_what_was_acknowledged(void **state)
{
	static const struct faultfix_op op = { NULL, go_on_writing,
		all_is_there };

	fill_all(*state);
	sweep_both(*state, &op);
}

static uint64_t tail_at; /* the torn one begins */

static int
recover(struct faultfix *w)
{
	struct log_tail tail;
	int err = recover_log(
	    w->m.fx.io, w->m.fx.dirfd, NULL, 0, NULL, &tail, &w->m.fx.why);

	if (err == 0) {
		assert_int_equal(tail.last_seq, LAST - 3);
		tail_at = tail.predecessor.valid_length;
	}
	return err;
}

/* What recovery is to copy there; below zero: no copy is there. */
static int64_t
tail_in_quarantine(struct faultfix *w)
{
	const struct sysio *io = w->m.fx.io;
	int dir = sysio_openat(io, w->m.fx.dirfd, "quarantine", 0, 0), fd;
	char name[80];
	uint64_t size = 0;

	assert_true(dir >= 0);
	assert_int_equal(sysio_list(io, dir, is_half, NULL), 0);
	snprintf(name, sizeof(name), "%s.tail-%" PRIu64,
	    modelfix_named(&w->m, 49), tail_at);
	fd = sysio_openat(io, dir, name, 0, 0);
	if (fd >= 0) {
		assert_int_equal(sysio_size(io, fd, &size), 0);
		(void)sysio_close(io, fd);
	}
	(void)sysio_close(io, dir);
	return fd < 0 ? fd : (int64_t)size;
}

static void
a_copy_is_whole(struct faultfix *w)
{
	int64_t size = tail_in_quarantine(w);

	assert_true(size < 0 || size > LOG_FRAME_HEADER);
}

/* It was there before. */
static void
the_copy_is_whole(struct faultfix *w)
{
	assert_true(tail_in_quarantine(w) > LOG_FRAME_HEADER);
}

static bool
is_told_and_set_aside(struct faultfix *w, int got)
{
	the_copy_is_whole(w);
	return got == -ENOMEM;
}

static void
recovery_fails_or_finds_where_the_log_ends(void **state)
{
	static const struct faultfix_op op = { NULL, recover, a_copy_is_whole };
	static const struct faultfix_op again = { recover, recover,
		the_copy_is_whole };
	const struct faultfix_kind kind = { run_short, run_no_shorter,
		is_told_and_set_aside };
	struct modelfix *m = *state;

	fill_all(m);
	modelfix_spoil(
	    m, modelfix_named(m, 49), modelfix_page(3) + LOG_FRAME_HEADER, 1);
	sweep_both(m, &op);
	for_good = false;
	assert_true(faultfix_sweep(m, &kind, &again) > 0);
}

static void
all_sums_are_there(struct faultfix *w)
{
	for (size_t n = 0; n < 4; n++)
		assert_true(
		    filemodel_size(w->m.fm, auditfix_sums_of(&w->m, n)) > 0);
}

static void
sums_are_made_or_not(void **state)
{
	const struct faultfix_op op = { NULL, faultfix_sums.run,
		all_sums_are_there };

	modelfix_fill_segments(*state);
	sweep_both(*state, &op);
}

static uint64_t edited;

static void
the_edit_is_still_known(struct faultfix *w)
{
	auditfix_expect_edited(&w->m, edited, edited);
}

static bool
is_told_and_known(struct faultfix *w, int got)
{
	the_edit_is_still_known(w);
	return is_told(w, got);
}

/* History was edited up to the end: nothing but the sums tells of it. */
static void
sums_that_tell_of_an_edit_stay(void **state)
{
	const struct faultfix_op op = { NULL, faultfix_sums.run,
		the_edit_is_still_known };
	const struct faultfix_kind kind = { run_short, run_no_shorter,
		is_told_and_known };
	struct auditfix_deed deed = { auditfix_change, .digests = EDITOR_SEAL };
	struct modelfix *m = *state;

	auditfix_fill(m);
	auditfix_make_sums(m);
	edited = deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 7;
	auditfix_rewrite_from(m, AUDITFIX_MIDDLE, &deed);
	for_good = false;
	(void)faultfix_sweep(m, &kind, &op);
	for_good = true;
	(void)faultfix_sweep(m, &kind, &op);
}

static int
pack(struct faultfix *w)
{
	struct logfix *fx = &w->m.fx;
	int got;

	do {
		got = retainfix_pack(fx->io, fx->dirfd, &fx->why);
	} while (got == RETAIN_PACKED);
	return got;
}

static void
all_can_be_read(struct faultfix *w)
{
	logfix_expect(&w->m.fx, LAST);
}

static bool
is_told_and_read(struct faultfix *w, int got)
{
	all_can_be_read(w);
	return is_told(w, got);
}

static void
packing_fails_or_leaves_every_event(void **state)
{
	static const struct faultfix_op op = { NULL, pack, all_can_be_read };
	const struct faultfix_kind kind = { run_short, run_no_shorter,
		is_told_and_read };

	modelfix_fill_segments(*state);
	for_good = false;
	assert_true(faultfix_sweep(*state, &kind, &op) > 0);
}

static int
retain(struct faultfix *w)
{
	struct log_floor floor = { .seq = 0 };

	return retainfix_retain(&w->m.fx, KEEP, &floor);
}

static void
the_base_bears_the_rest(struct faultfix *w)
{
	assert_int_equal(faultfix_verifying.run(w), 0);
	faultfix_verifying.look(w);
	assert_int_equal(w->verified.first_seq, 13);
}

static bool
is_told_and_whole(struct faultfix *w, int got)
{
	assert_int_equal(faultfix_verifying.run(w), 0);
	faultfix_verifying.look(w);
	assert_int_equal(w->verified.first_seq, 1);
	return is_told(w, got);
}

static void
retention_fails_or_gives_up_what_it_has_a_base_for(void **state)
{
	static const struct faultfix_op op = { NULL, retain,
		the_base_bears_the_rest };
	const struct faultfix_kind kind = { run_short, run_no_shorter,
		is_told_and_whole };

	modelfix_fill_segments(*state);
	for_good = false;
	assert_true(faultfix_sweep(*state, &kind, &op) > 0);
}

static int
reserve(struct faultfix *w)
{
	struct logfix *fx = &w->m.fx;

	return reserve_keep(fx->io, fx->dirfd, RESERVE, &fx->why);
}

static void
the_reserve_is_there(struct faultfix *w)
{
	assert_int_equal(filemodel_size(w->m.fm, RESERVE_NAME), RESERVE);
}

static void
the_reserve_is_made_or_not(void **state)
{
	static const struct faultfix_op op = { NULL, reserve,
		the_reserve_is_there };

	logfix_start(&((struct modelfix *)*state)->fx);
	sweep_both(*state, &op);
}

/* Row i of an archive, behind its mark, in a test's own memory. */
static struct slice
row_of(unsigned i, uint8_t buf[2 * ROW_BYTES])
{
	static uint8_t value[ROW_BYTES] = { 0xc5, (ROW_BYTES - 3) >> 8,
		(ROW_BYTES - 3) & 0xff };
	char topic[16];
	struct row row = { .topic =
			       slice_of(topic, (size_t)snprintf(topic,
						   sizeof(topic), "t.%06u", i)),
		.version = 1,
		.seq = i + 1,
		.value = slice_of(value, sizeof(value)) };
	uint64_t seed = i;
	uint16_t mark = (uint16_t)(row_size(&row) << 1);

	for (size_t k = 3; k < sizeof(value); k++)
		value[k] = (uint8_t)filemodel_next(&seed);
	/* A uint of 16 bits. */
	buf[0] = 0xcd;
	buf[1] = (uint8_t)(mark >> 8);
	buf[2] = (uint8_t)mark;
	(void)row_encode(&row, buf + 3);
	return slice_of(buf, 3 + row_size(&row));
}

static const struct archive_id archived = { .log_id = { 1 }, .seq = 7 };

static int
write_archive(struct faultfix *w)
{
	CLEANUP(archive_writer_freep) struct archive_writer *out = NULL;
	struct logfix *fx = &w->m.fx;
	uint8_t buf[2 * ROW_BYTES];
	uint64_t bytes;
	int err = archive_create(
	    fx->io, fx->dirfd, ARCHIVE_TMP, &archived, &out, &fx->why);

	for (unsigned i = 0; err == 0 && i < ROWS; i++)
		err = archive_put(out, row_of(i, buf), &fx->why);
	return err < 0 ? err : archive_finish(out, &bytes, &fx->why);
}

/* Row first and all behind it; ARCHIVE_END or what came first. */
static int
read_rows(struct faultfix *w, struct archive *a, unsigned first)
{
	uint8_t buf[2 * ROW_BYTES];
	struct slice want;
	struct archive_row row;
	int got = ARCHIVE_ROW;

	for (unsigned i = first; got == ARCHIVE_ROW; i++) {
		got = archive_next(a, &row, &w->m.fx.why);
		if (got == -ENOMEM && nomemory_end())
			assert_int_not_equal(
			    got = archive_next(a, &row, &w->m.fx.why), -ENOMEM);
		if (got == ARCHIVE_END)
			assert_int_equal(i, ROWS);
		if (got != ARCHIVE_ROW)
			break;
		want = row_of(i, buf);
		assert_true(
		    slice_equal(row.row, slice_of(want.p + 3, want.len - 3)));
	}
	return got;
}

static int
read_archive(struct faultfix *w)
{
	CLEANUP(archive_freep) struct archive *a = NULL;
	struct logfix *fx = &w->m.fx;
	int got = archive_open(fx->io, fx->dirfd, archived.seq, &a, &fx->why);

	if (got == ARCHIVE_ROW)
		got = archive_verify(a, &fx->why);
	if (got == ARCHIVE_ROW)
		got = read_rows(w, a, 0);
	if (got != ARCHIVE_END)
		return got;
	archive_seek(a, SLICE_STR("t.000077"));
	return read_rows(w, a, 77);
}

static void
the_archive_is_whole(struct faultfix *w)
{
	assert_int_equal(read_archive(w), 0);
}

static void
an_archive_is_written_whole_or_not_at_all(void **state)
{
	static const struct faultfix_op op = { NULL, write_archive,
		the_archive_is_whole };

	sweep_both(*state, &op);
}

static void
reading_an_archive_fails_or_gives_every_row(void **state)
{
	static const struct faultfix_op op = { write_archive, read_archive,
		look_at_nothing };

	sweep_both(*state, &op);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, modelfix_setup, modelfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reading_fails_or_gives_every_event),
		TEST(a_reader_outlives_short_memory),
		TEST(a_seek_fails_or_finds_the_event),
		TEST(verifying_fails_or_finds_nothing_in_a_whole_log),
		TEST(a_backup_fails_or_holds_every_event),
		TEST(a_restore_fails_or_gives_every_event),
		TEST(a_repair_fails_or_gives_up_what_is_damaged_alone),
		TEST(a_writer_fails_or_appends_behind_what_was_acknowledged),
		TEST(recovery_fails_or_finds_where_the_log_ends),
		TEST(sums_are_made_or_not),
		TEST(sums_that_tell_of_an_edit_stay),
		TEST(packing_fails_or_leaves_every_event),
		TEST(retention_fails_or_gives_up_what_it_has_a_base_for),
		TEST(the_reserve_is_made_or_not),
		TEST(an_archive_is_written_whole_or_not_at_all),
		TEST(reading_an_archive_fails_or_gives_every_row),
	};

	return cmocka_run_group_tests_name("log_memory", tests, NULL, NULL);
}
