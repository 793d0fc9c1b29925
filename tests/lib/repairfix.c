/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Repairs for tests.  What the new log holds is checked event by event, and
 * that the writer goes on with it.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/event.h"
#include "log/log_reader.h"
#include "tests/lib/repairfix.h"

/* "5..8,20..22"; "none". */
const char *
repairfix_ranges(const struct log_repair *r)
{
	static char text[400];
	size_t at = 0;

	snprintf(text, sizeof(text), "none");
	for (size_t i = 0; i < r->n_lost; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
		    "%s%" PRIu64 "..%" PRIu64, i ? "," : "", r->lost[i].first,
		    r->lost[i].last);
	return text;
}

int
repairfix_plan(struct modelfix *m, struct log_repair *r)
{
	*r = (struct log_repair){ .now_us = REPAIRFIX_NOW_S * UINT64_C(1000000),
		.segment_bytes = m->fx.segment_bytes };
	logfix_stop(&m->fx);
	m->fx.why.text[0] = '\0';
	return log_repair_plan(m->fx.io, m->fx.dirfd, r, &m->fx.why);
}

static bool
is_lost(const struct log_repair *r, uint64_t seq)
{
	for (size_t i = 0; i < r->n_lost; i++)
		if (seq >= r->lost[i].first && seq <= r->lost[i].last)
			return true;
	return false;
}

static uint64_t
lost_before(const struct log_repair *r, uint64_t seq)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->n_lost && r->lost[i].first < seq; i++)
		n += MIN(seq, r->lost[i].last + 1) - r->lost[i].first;
	return n;
}

/* Event seq of the repaired log is what it was, or says that it is lost. */
static void
check_event(const struct log_repair *r, uint64_t seq, struct slice bytes)
{
	uint8_t was[LOGFIX_EVENT_MAX];
	struct event ev;

	if (seq <= r->last_seq && !is_lost(r, seq)) {
		size_t len = logfix_event(seq, was);

		assert_true(slice_equal(bytes, slice_of(was, len)));
		return;
	}
	assert_int_equal(event_decode(bytes, &ev, NULL), 0);
	assert_int_equal(ev.seq, seq);
	assert_true(
	    slice_equal(ev.type, seq > r->last_seq ? SLICE_STR("log_repaired")
						   : SLICE_STR("event_lost")));
	assert_int_equal(
	    ev.version, seq > r->last_seq ? 1 : lost_before(r, seq) + 1);
	/* It ends with the last range, which has no end where it is open. */
	if (seq > r->last_seq)
		assert_int_equal(ev.data.p[ev.data.len - 1] == 0xc0, r->open);
}

/* Those of logfix.c are dated by their first event; time never goes back. */
static void
check_time(const struct log_repair *r, const struct log_frame *frame,
    uint64_t *time_us)
{
	if (frame->first_seq <= r->last_seq && !is_lost(r, frame->first_seq))
		assert_int_equal(frame->time_us, 1000000 + frame->first_seq);
	assert_true(frame->time_us >= *time_us);
	*time_us = frame->time_us;
}

/* The log in dirfd begins with oldest, and all of it is as r says. */
void
repairfix_check(
    struct modelfix *m, int dirfd, const struct log_repair *r, uint64_t oldest)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	uint64_t seq = oldest, time_us = 0;
	struct log_frame frame;
	struct slice event;
	uint32_t crc;

	assert_int_equal(
	    log_reader_open(m->fx.io, dirfd, r->epoch_seq, &rd, &m->fx.why), 0);
	while (log_reader_next(rd, &frame, &m->fx.why) == LOG_READ_FRAME) {
		size_t at = 0;

		check_time(r, &frame, &time_us);
		while (log_frame_event(&frame, &at, &event, &crc))
			check_event(r, seq++, event);
	}
	assert_int_equal(seq, r->epoch_seq + 1);
}

/* Make it as planned; the writer goes on with it, and it is dirfd's. */
int
repairfix_make(struct modelfix *m, struct log_repair *r, uint64_t oldest)
{
	int fd = modelfix_directory(m, "made");
	struct logfix there;

	if (log_repair_make(m->fx.io, m->fx.dirfd, fd, r, &m->fx.why) != 0)
		fail_msg("%s", m->fx.why.text);
	assert_int_equal(r->epoch_seq, r->last_seq + 1);
	repairfix_check(m, fd, r, oldest);
	logfix_init(&there, m->fx.io, fd);
	there.segment_bytes = m->fx.segment_bytes;
	logfix_start(&there);
	assert_int_equal(there.tail.epoch, r->epoch);
	assert_int_equal(there.tail.last_seq, r->epoch_seq);
	logfix_fill(&there, 6, 2);
	logfix_start(&there);
	assert_int_equal(there.tail.last_seq, r->epoch_seq + 12);
	logfix_deinit(&there);
	return fd;
}

/* Damage was done: what is lost is lost, and the rest goes on. */
void
repairfix_expect(struct modelfix *m, const char *lost, uint64_t linked)
{
	struct log_repair r, again;

	if (repairfix_plan(m, &r) != LOG_REPAIR_PLANNED)
		fail_msg("no plan: %s", m->fx.why.text);
	assert_string_equal(repairfix_ranges(&r), lost);
	assert_int_equal(r.linked, linked);
	(void)sysio_close(m->fx.io, repairfix_make(m, &r, 1));
	/* The log that was is as it was. */
	assert_int_equal(repairfix_plan(m, &again), LOG_REPAIR_PLANNED);
	assert_string_equal(repairfix_ranges(&again), lost);
	log_repair_deinit(&again);
	log_repair_deinit(&r);
}

void
repairfix_refused(struct modelfix *m, const char *text)
{
	struct log_repair r;

	assert_int_equal(repairfix_plan(m, &r), LOG_REPAIR_REFUSED);
	if (!strstr(m->fx.why.text, text))
		fail_msg("'%s' is not in '%s'", text, m->fx.why.text);
	log_repair_deinit(&r);
}
