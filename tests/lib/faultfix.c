/* SPDX-License-Identifier: BSD-2-Clause */

/* A log's operations, each with one fault at a time. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/mpvalid.h"
#include "log/backup.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/restore.h"
#include "log/sums.h"
#include "tests/lib/auditfix.h"
#include "tests/lib/faultfix.h"
#include "tests/lib/repairfix.h"
#include "tests/lib/retainfix.h"

enum {
	PART = 18,
	AGAIN = 17, /* each so many faults it is tried again */
	NOW_US = 1000000000,
	WIDE_EVENTS = 2600, /* more bytes than are read at once */
	WIDE_SEGMENT = 704 << 10,
};

/* What the damage took, as repairfix_ranges() tells it. */
static const char *given_up;

static struct faultfix
copy_of(struct modelfix *m)
{
	struct faultfix w = { .m = *m, .last = m->fx.durable_seq };

	w.m.fm = filemodel_clone(m->fm);
	w.m.fx.io = filemodel_io(w.m.fm);
	w.m.fx.lw = NULL;
	w.to = modelfix_directory(&w.m, "to");
	w.second = modelfix_directory(&w.m, "second");
	w.m.fx.why.text[0] = '\0';
	return w;
}

/* One fault; false: it had no chance any more. */
static bool
one_fault(struct modelfix *m, const struct faultfix_kind *kind,
    const struct faultfix_op *op, uint64_t n, unsigned *failed)
{
	struct faultfix w = copy_of(m);
	int got = op->before ? op->before(&w) : 0;
	bool fired;

	assert_int_equal(got, 0);
	kind->arm(&w, n);
	got = op->run(&w);
	fired = kind->disarm(&w);
	if (got == 0) {
		op->look(&w);
	} else if (!fired || !kind->told(&w, got)) {
		fail_msg(
		    "fault %u: %d, '%s'", (unsigned)n, got, w.m.fx.why.text);
	} else if ((*failed)++ % AGAIN == 0) {
		if (op->run(&w) != 0)
			fail_msg("fault %u, again: '%s'", (unsigned)n,
			    w.m.fx.why.text);
		op->look(&w);
	}
	log_repair_deinit(&w.planned);
	logfix_stop(&w.m.fx);
	filemodel_free(w.m.fm);
	return fired;
}

unsigned
faultfix_sweep(struct modelfix *m, const struct faultfix_kind *kind,
    const struct faultfix_op *op)
{
	unsigned failed = 0;
	uint64_t n = 1;

	logfix_stop(&m->fx);
	while (one_fault(m, kind, op, n, &failed))
		n++;
	assert_true(n > 1);
	return failed;
}

void
faultfix_pack(struct modelfix *m)
{
	logfix_stop(&m->fx);
	retainfix_pack_all(&m->fx);
	assert_non_null(strstr(modelfix_named(m, 13), ".segz"));
}

void
faultfix_fill_aged(struct modelfix *m)
{
	auditfix_fill(m);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 24, 3);
	assert_int_equal(logfix_idle(&m->fx), 0);
	modelfix_store_witness(m, m->fx.durable_seq);
	auditfix_make_sums(m);
	retainfix_expect(m, (auditfix_newest(m) - 1) * m->fx.segment_bytes);
	assert_int_equal(
	    retainfix_pack(m->fx.io, m->fx.dirfd, &m->fx.why), RETAIN_PACKED);
	modelfix_spoil(m,
	    modelfix_named(m, modelfix_nth(m, auditfix_newest(m) - 1)),
	    m->fx.segment_bytes - LOG_PAGE, 1);
}

void
faultfix_fill_wide(struct modelfix *m)
{
	m->fx.segment_bytes = WIDE_SEGMENT;
	logfix_start(&m->fx);
	for (unsigned i = 0; i < 4; i++) {
		logfix_fill(&m->fx, 1, WIDE_EVENTS);
		assert_int_equal(logfix_idle(&m->fx), 0);
	}
}

static int
read_all(struct faultfix *w)
{
	int outcome;

	w->n_read = logfix_read(&w->m.fx, UINT64_MAX, &outcome);
	return outcome == LOG_READ_END ? 0 : outcome;
}

static void
all_was_read(struct faultfix *w)
{
	assert_int_equal(w->n_read, w->last);
}

const struct faultfix_op faultfix_reading = { NULL, read_all, all_was_read };

static int
verify(struct faultfix *w)
{
	w->verified = (struct log_verify){ .limit_seq = UINT64_MAX };
	return log_verify(
	    w->m.fx.io, w->m.fx.dirfd, &w->verified, &w->m.fx.why);
}

static void
nothing_is_wrong(struct faultfix *w)
{
	assert_int_equal(w->verified.problems, 0);
	assert_int_equal(
	    w->verified.events, w->last + 1 - w->verified.first_seq);
	assert_int_equal(w->verified.last_seq, w->last);
	assert_int_equal(w->verified.head_seq, w->last);
}

const struct faultfix_op faultfix_verifying = { NULL, verify,
	nothing_is_wrong };

static struct auditfix_deed deed = { auditfix_change, 0, EDITOR_CRCS };

void
faultfix_fill_edited(struct modelfix *m)
{
	auditfix_fill(m);
	auditfix_make_sums(m);
	deed.seq = modelfix_nth(m, AUDITFIX_MIDDLE) + 4;
	auditfix_edit(m, AUDITFIX_MIDDLE, &deed);
	auditfix_expect_edited(m, deed.seq, deed.seq);
}

static struct auditfix_found found;

static int
look_for_edits(struct faultfix *w)
{
	return auditfix_verify_with(&w->m, &found, 0, NULL);
}

/* Without its sums, which are a cache, by a range. */
static void
the_edit_is_told(struct faultfix *w)
{
	assert_int_equal(w->m.fx.next_seq, w->last + 1);
	assert_true(found.problems > 0);
	assert_in_range(deed.seq, found.edit_first, found.edit_last);
}

const struct faultfix_op faultfix_auditing = { NULL, look_for_edits,
	the_edit_is_told };

static int
recover(struct faultfix *w)
{
	int got = logfix_recover(&w->m.fx);

	logfix_stop(&w->m.fx);
	return got;
}

static void
the_log_ends_where_it_did(struct faultfix *w)
{
	assert_int_equal(w->m.fx.tail.last_seq, w->last);
}

const struct faultfix_op faultfix_recovery = { NULL, recover,
	the_log_ends_where_it_did };

static int
make_sums(struct faultfix *w)
{
	int got;

	do {
		got = retainfix_sum(w->m.fx.io, w->m.fx.dirfd, &w->m.fx.why);
	} while (got == SUMS_MADE);
	return got == SUMS_NOTHING ? 0 : got;
}

/* Where the room that there is could not be told, the next round makes them. */
static void
sums_are_there(struct faultfix *w)
{
	assert_int_equal(make_sums(w), 0);
	for (size_t n = 0; n < auditfix_newest(&w->m); n++)
		assert_true(
		    filemodel_size(w->m.fm, auditfix_sums_of(&w->m, n)) > 0);
	assert_int_equal(verify(w), 0);
	nothing_is_wrong(w);
}

const struct faultfix_op faultfix_sums = { NULL, make_sums, sums_are_there };

static int
back_up(struct faultfix *w)
{
	struct log_backup b = { .limit_seq = UINT64_MAX, .now_us = 1 };

	return log_backup(w->m.fx.io, w->m.fx.dirfd, w->to, &b, &w->m.fx.why);
}

/* The event behind the last is whole, and says why. */
static void
assert_epoch_begun(struct faultfix *w, int fd)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct reason *why = &w->m.fx.why;
	struct log_frame f;
	struct slice bytes;
	struct event ev;
	uint32_t crc;
	size_t at = 0;

	assert_int_equal(
	    log_reader_open(w->m.fx.io, fd, w->last + 1, &rd, why), 0);
	assert_int_equal(log_reader_seek(rd, w->last + 1, why), 0);
	assert_int_equal(log_reader_next(rd, &f, why), LOG_READ_FRAME);
	assert_true(log_frame_event(&f, &at, &bytes, &crc));
	if (event_decode(bytes, &ev, why) != 0)
		fail_msg("%s", why->text);
	assert_true(slice_equal(ev.type, SLICE_STR("log_restored")));
	assert_int_equal(
	    mpvalid_check(ev.data.p, ev.data.len, why), MPVALID_OK);
	assert_int_equal(ev.data.p[0], 0x84); /* a map of all four */
}

static void
assert_restored(struct faultfix *w, int fd)
{
	struct logfix there = w->m.fx;
	struct log_verify v = { .limit_seq = UINT64_MAX };
	int outcome;

	assert_int_equal(log_verify(w->m.fx.io, fd, &v, &w->m.fx.why), 0);
	assert_int_equal(v.problems, 0);
	assert_int_equal(v.last_seq, w->last + 1);
	there.dirfd = fd;
	assert_int_equal(logfix_read(&there, w->last, &outcome), w->last);
	assert_epoch_begun(w, fd);
}

static int
restore(struct faultfix *w, int from, int to)
{
	struct log_restore r = { .until_seq = UINT64_MAX,
		.until_us = UINT64_MAX,
		.now_us = NOW_US,
		.segment_bytes = w->m.fx.segment_bytes };

	return log_restore(w->m.fx.io, from, to, &r, &w->m.fx.why);
}

static void
the_backup_holds_all(struct faultfix *w)
{
	assert_int_equal(restore(w, w->to, w->second), LOG_RESTORED);
	assert_restored(w, w->second);
}

const struct faultfix_op faultfix_backup = { NULL, back_up,
	the_backup_holds_all };

const struct faultfix_op faultfix_backup_again = { back_up, back_up,
	the_backup_holds_all };

static int
back_up_a_part(struct faultfix *w)
{
	struct log_backup b = { .limit_seq = PART, .now_us = 1 };

	return log_backup(w->m.fx.io, w->m.fx.dirfd, w->to, &b, &w->m.fx.why);
}

static void
the_backup_holds_the_part(struct faultfix *w)
{
	struct logfix there = w->m.fx;
	int outcome;

	assert_int_equal(restore(w, w->to, w->second), LOG_RESTORED);
	there.dirfd = w->second;
	assert_int_equal(logfix_read(&there, PART, &outcome), PART);
}

const struct faultfix_op faultfix_backup_part = { NULL, back_up_a_part,
	the_backup_holds_the_part };

/* Into a directory of its own each time: what failed there stays there. */
static int
restore_anew(struct faultfix *w)
{
	static unsigned tries;
	char name[20];

	if (w->second >= 0)
		(void)sysio_close(filemodel_io(w->m.fm), w->second);
	snprintf(name, sizeof(name), "try%u", tries++);
	w->second = sysio_mkdir(w->m.fx.io, w->m.fx.dirfd, name, 0750);
	if (w->second == 0)
		w->second = sysio_openat(
		    w->m.fx.io, w->m.fx.dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (w->second < 0)
		return reason_set(&w->m.fx.why, w->second, "no directory");
	return restore(w, w->to, w->second);
}

static void
the_restored_log_is_whole(struct faultfix *w)
{
	assert_restored(w, w->second);
}

const struct faultfix_op faultfix_restore = { back_up, restore_anew,
	the_restored_log_is_whole };

void
faultfix_damage(struct modelfix *m)
{
	modelfix_spoil(
	    m, modelfix_named(m, 25), modelfix_page(1) + LOG_FRAME_HEADER, 1);
	given_up = "28..30";
}

void
faultfix_damage_aged(struct modelfix *m)
{
	modelfix_spoil(m, modelfix_named(m, modelfix_nth(m, 1)),
	    modelfix_page(1) + LOG_FRAME_HEADER, 1);
	modelfix_wipe(
	    m, modelfix_named(m, modelfix_nth(m, 2)), 0, SEGMENT_FRAMES);
	given_up = "94..96";
}

void
faultfix_damage_wide(struct modelfix *m)
{
	modelfix_spoil(m, modelfix_named(m, modelfix_nth(m, 1)),
	    SEGMENT_FRAMES + (150 << 10), 1);
	given_up = "5201..7800";
}

static int
plan(struct faultfix *w)
{
	int got;

	log_repair_deinit(&w->planned);
	got = repairfix_plan(&w->m, &w->planned);
	if (got == LOG_REPAIR_PLANNED)
		return 0;
	if (got >= 0)
		fail_msg("%d: %s", got, w->m.fx.why.text);
	return got;
}

static void
no_more_is_given_up(struct faultfix *w)
{
	assert_string_equal(repairfix_ranges(&w->planned), given_up);
}

const struct faultfix_op faultfix_plan = { NULL, plan, no_more_is_given_up };

static int
plan_and_make(struct faultfix *w)
{
	int got = plan(w);

	if (got < 0)
		return got;
	no_more_is_given_up(w);
	w->to = TAKE_FD(w->second);
	if (w->to < 0)
		w->to = modelfix_directory(&w->m, "anew");
	return log_repair_make(
	    w->m.fx.io, w->m.fx.dirfd, w->to, &w->planned, &w->m.fx.why);
}

static void
what_was_made_is_as_planned(struct faultfix *w)
{
	repairfix_check(&w->m, w->to, &w->planned, modelfix_nth(&w->m, 0));
}

const struct faultfix_op faultfix_repair = { NULL, plan_and_make,
	what_was_made_is_as_planned };
