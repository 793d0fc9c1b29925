/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The state of a log without a checkpoint that serves: where its events or
 * its base do not give all of it, nobody goes on with the rest.
 * PEAL_TEST_SEED repeats a run.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log/archive.h"
#include "log/base.h"
#include "log/floor.h"
#include "log/format_priv.h"
#include "tests/lib/modelfix.h"
#include "tests/lib/retainfix.h"
#include "tests/lib/seed.h"
#include "tests/lib/seqfix.h"
#include "writer/load.h"

enum {
	KEEP = 4 * SEQFIX_SEGMENT,
	ROUNDS = 30,
};

static uint64_t seed;

/* The log of a writer that has ended, and left no checkpoint. */
struct left {
	struct ledger ledger;
	struct seqfix sf;
	struct log_tail tail;
};

static int
setup(void **state)
{
	static struct left l;

	l = (struct left){ 0 };
	assert_int_equal(seqfix_begin(&l.sf, &l.ledger, seed, ROUNDS), 0);
	*state = &l;
	return 0;
}

static int
teardown(void **state)
{
	struct left *l = *state;

	seqfix_end(&l->sf);
	return 0;
}

/* Give up the oldest events; *floor is where the log begins then. */
static void
retain(struct left *l, struct log_floor *floor)
{
	assert_int_equal(seqfix_retain(&l->sf, KEEP), 0);
	assert_int_equal(
	    floor_read(filemodel_io(l->sf.fm), l->sf.dirfd, floor, &l->sf.why),
	    FLOOR_READ);
}

/* Recovery takes the log; what comes of loading it behind io? */
static int
load(struct left *l, const struct sysio *io)
{
	CLEANUP(state_deinit) struct state st = { 0 };

	seqfix_stop(&l->sf);
	if (filemodel_size(l->sf.fm, CHECKPOINT_NAME) >= 0)
		filemodel_put_aside(l->sf.fm, CHECKPOINT_NAME, NULL);
	if (recover_log(filemodel_io(l->sf.fm), l->sf.dirfd, NULL, 0, NULL,
		&l->tail, &l->sf.why) != RECOVER_OK)
		fail_msg("%s", l->sf.why.text);
	return load_state(
	    io, l->sf.dirfd, &l->tail, SEQFIX_KEYS, NULL, &st, &l->sf.why);
}

/* Invert one byte of a file. */
static void
spoil(struct left *l, const char *name, uint64_t at)
{
	struct modelfix_edit e = { .at = at, .len = 1 };

	filemodel_edit(l->sf.fm, name, modelfix_apply_edit, &e);
}

/* Recovery trusts its seal; versions and keys come from its events. */
static void
a_damaged_event_of_a_sealed_segment_ends_a_start(void **state)
{
	struct left *l = *state;
	char name[SEGMENT_NAME_SIZE];

	segment_name(name, 1, 1, ".seg");
	assert_int_equal(load(l, filemodel_io(l->sf.fm)), LOAD_DONE);
	spoil(l, name, SEGMENT_FRAMES + LOG_FRAME_HEADER + 20);
	assert_int_equal(load(l, filemodel_io(l->sf.fm)), LOAD_DAMAGED);
	assert_non_null(strstr(l->sf.why.text, name));
}

/* A start looks at the base's ends alone: here is who reads the state. */
static void
a_damaged_state_in_the_base_ends_a_start(void **state)
{
	CLEANUP(base_freep) struct base *base = NULL;
	struct left *l = *state;
	const struct base_id *id;
	char name[BASE_NAME_SIZE];
	struct log_floor floor;

	retain(l, &floor);
	assert_int_equal(base_open(filemodel_io(l->sf.fm), l->sf.dirfd,
			     floor.seq - 1, floor.log_id, &base, &l->sf.why),
	    BASE_OPENED);
	id = base_id(base);
	base_name(name, id->seq);
	assert_int_equal(load(l, filemodel_io(l->sf.fm)), LOAD_DONE);
	for (uint64_t at = 0; at < id->state_bytes; at += 7) {
		spoil(l, name, id->rows_bytes + at);
		if (load(l, filemodel_io(l->sf.fm)) != LOAD_DAMAGED ||
		    !strstr(l->sf.why.text, "the state in the base"))
			fail_msg("byte %d: %s", (int)at, l->sf.why.text);
		spoil(l, name, id->rows_bytes + at);
	}
}

static const struct sysio *model;
static int base_is; /* its descriptor */
static off_t fails_from;

static int
open_noticing(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	int fd = model->openat(ctx, dirfd, name, flags, mode);

	if (strncmp(name, "base-", 5) == 0)
		base_is = fd;
	return fd;
}

static ssize_t
pread_failing(void *ctx, int fd, void *buf, size_t len, off_t at)
{
	if (fd == base_is && at == fails_from)
		return -EIO;
	return model->pread(ctx, fd, buf, len, at);
}

/* The disk may do better at the next start, which damage forbids. */
static void
a_state_that_cannot_be_read_is_not_damaged(void **state)
{
	CLEANUP(base_freep) struct base *base = NULL;
	struct left *l = *state;
	struct log_floor floor;
	struct sysio io;

	retain(l, &floor);
	model = filemodel_io(l->sf.fm);
	assert_int_equal(base_open(model, l->sf.dirfd, floor.seq - 1,
			     floor.log_id, &base, &l->sf.why),
	    BASE_OPENED);
	fails_from = (off_t)base_id(base)->rows_bytes;
	base_is = -1;
	io = *model;
	io.openat = open_noticing;
	io.pread = pread_failing;
	assert_int_equal(load(l, &io), -EIO);
	assert_true(base_is >= 0);
}

/* The base of floor - 1, whose state says that it is one event older. */
static void
put_base(struct left *l, const struct log_floor *floor)
{
	static const struct seqfix_lie none = { .of = 0 };
	CLEANUP(filemodel_freep) struct filemodel *disk = filemodel_new(1);
	CLEANUP(state_deinit) struct state st = { 0 };
	CLEANUP(base_writer_freep) struct base_writer *w = NULL;
	CLEANUP(archive_freep) struct archive *rows = NULL;
	const struct sysio *io = filemodel_io(l->sf.fm);
	struct log_tail tail = { .epoch = floor->epoch,
		.last_seq = floor->seq - 1,
		.oldest_seq = 1 };
	struct base_id id = { .epoch = floor->epoch, .seq = floor->seq - 1 };
	struct checkpoint_of of = { .epoch = floor->epoch };
	int fd = seqfix_rows(&l->sf, disk, floor, &none);
	uint64_t bytes;

	assert_true(fd >= 0);
	assert_int_equal(sysio_size(filemodel_io(disk), fd, &bytes), 0);
	memcpy(tail.log_id, floor->log_id, sizeof(tail.log_id));
	memcpy(id.log_id, floor->log_id, sizeof(id.log_id));
	memcpy(of.log_id, floor->log_id, sizeof(of.log_id));
	assert_int_equal(
	    load_past(io, l->sf.dirfd, &tail, SEQFIX_KEYS, &st, &l->sf.why), 0);
	st.head_seq--;
	assert_int_equal(base_create(io, l->sf.dirfd, &id, &w, &l->sf.why), 0);
	assert_int_equal(
	    base_put_rows(w, filemodel_io(disk), fd, bytes, &rows, &l->sf.why),
	    ARCHIVE_ROW);
	assert_int_equal(checkpoint_put(w, &of, &st), 0);
	assert_int_equal(base_finish(w, &l->sf.why), 0);
}

static void
a_state_of_another_event_than_its_base_ends_a_start(void **state)
{
	const struct retain_policy policy = { .keep_bytes = KEEP };
	struct left *l = *state;
	const struct sysio *io = filemodel_io(l->sf.fm);
	struct log_floor floor;

	assert_int_equal(
	    retainfix_look(io, l->sf.dirfd, &policy, &floor, &l->sf.why),
	    RETAIN_FLOOR);
	put_base(l, &floor);
	assert_int_equal(floor_write(io, l->sf.dirfd, &floor, &l->sf.why), 0);
	assert_int_equal(load(l, io), LOAD_DAMAGED);
	assert_non_null(strstr(l->sf.why.text, "is of another event"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_damaged_event_of_a_sealed_segment_ends_a_start),
		TEST(a_damaged_state_in_the_base_ends_a_start),
		TEST(a_state_that_cannot_be_read_is_not_damaged),
		TEST(a_state_of_another_event_than_its_base_ends_a_start),
	};

	seed = seed_draw();
	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
