/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Bases that say of whom they are: one of another log or event, or with rows
 * that are, is never taken for the one that is asked for.
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
#include "tests/lib/modelfix.h"
#include "tests/lib/retainfix.h"

enum {
	SEQ = 41
};

static const struct base_id whole = { .log_id = "of this log",
	.epoch = 3,
	.seq = SEQ,
	.time_us = 1 };

/* A base of id, whose rows are of rows. */
static void
make_base(
    struct modelfix *m, const struct base_id *id, const struct archive_id *rows)
{
	CLEANUP(base_writer_freep) struct base_writer *w = NULL;
	CLEANUP(archive_freep) struct archive *opened = NULL;
	struct logfix *fx = &m->fx;
	uint64_t bytes;
	int fd;

	assert_int_equal(retainfix_rows(fx, rows, &fd, &bytes), 0);
	assert_int_equal(base_create(fx->io, fx->dirfd, id, &w, &fx->why), 0);
	assert_int_equal(base_put_rows(w, fx->io, fd, bytes, &opened, &fx->why),
	    ARCHIVE_ROW);
	assert_int_equal(base_put(w, "state", 5, &fx->why), 0);
	assert_int_equal(base_finish(w, &fx->why), 0);
	(void)sysio_close(fx->io, fd);
}

static struct archive_id
rows_of(const struct base_id *id)
{
	struct archive_id rows = { .epoch = id->epoch, .seq = id->seq };

	memcpy(rows.log_id, id->log_id, sizeof(rows.log_id));
	return rows;
}

/* What comes of asking for the base of seq. */
static int
ask(struct modelfix *m, uint64_t seq)
{
	CLEANUP(base_freep) struct base *base = NULL;
	int got = base_open(
	    m->fx.io, m->fx.dirfd, seq, whole.log_id, &base, &m->fx.why);

	if (got == BASE_OPENED) {
		assert_int_equal(base_id(base)->seq, seq);
		assert_int_equal(base_id(base)->epoch, whole.epoch);
		assert_int_equal(base_verify(base, &m->fx.why), BASE_OPENED);
	}
	return got;
}

static void
one_is_what_was_put_into_it(void **state)
{
	struct archive_id rows = rows_of(&whole);
	struct modelfix *m = *state;

	make_base(m, &whole, &rows);
	assert_int_equal(ask(m, SEQ), BASE_OPENED);
}

static void
one_of_another_log_is_none(void **state)
{
	struct base_id id = whole;
	struct archive_id rows;
	struct modelfix *m = *state;

	id.log_id[15] ^= 1;
	rows = rows_of(&id);
	make_base(m, &id, &rows);
	assert_int_equal(ask(m, SEQ), BASE_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "of another log"));
}

/* Put there by a hand that meant to help. */
static void
one_of_another_event_is_none_whatever_its_name(void **state)
{
	struct archive_id rows = rows_of(&whole);
	char name[BASE_NAME_SIZE], other[BASE_NAME_SIZE];
	struct modelfix *m = *state;

	make_base(m, &whole, &rows);
	base_name(name, SEQ);
	base_name(other, SEQ + 1);
	filemodel_put_aside(m->fm, name, other);
	assert_int_equal(ask(m, SEQ + 1), BASE_DAMAGED);
	assert_non_null(strstr(m->fx.why.text, "its name is another's"));
}

static void
rows_of_another_event_log_or_epoch_are_not_its_own(void **state)
{
	struct archive_id rows[3];
	struct modelfix *m = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rows[i] = rows_of(&whole);
	rows[0].seq++;
	rows[1].log_id[0] ^= 1;
	rows[2].epoch--;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		make_base(m, &whole, &rows[i]);
		if (ask(m, SEQ) != BASE_DAMAGED ||
		    !strstr(m->fx.why.text, "its rows are of another"))
			fail_msg("rows %d: %s", (int)i, m->fx.why.text);
	}
}

int
main(void)
{
#define MODEL_TEST(f) \
	cmocka_unit_test_setup_teardown(f, modelfix_setup, modelfix_teardown)
	const struct CMUnitTest tests[] = {
		MODEL_TEST(one_is_what_was_put_into_it),
		MODEL_TEST(one_of_another_log_is_none),
		MODEL_TEST(one_of_another_event_is_none_whatever_its_name),
		MODEL_TEST(rows_of_another_event_log_or_epoch_are_not_its_own),
	};

	return cmocka_run_group_tests_name("log_base", tests, NULL, NULL);
}
