/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A recorded history once more, at its own pace or a faster one.  Events are
 * stored as of now, in the order of the file; when they were recorded is kept
 * in their meta.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/demo.h"
#include "tools/import_file.h"
#include "tools/import_line.h"
#include "tools/tool.h"

enum {
	REPLAY_STEP_US = 100000, /* for a line without a time */
	REPLAY_TURN = 256,	 /* events that are stored together */
	REPLAY_BAD_SHOWN = 20,
};

struct replay {
	struct demo *d;
	const struct demo_replay_options *options;
	struct import_file file;
	struct mp_buf scratch, meta;
	struct writer_append next;
	bool has_next;
	bool ended;
	uint64_t clock_us; /* of the recording, at the next event */
	uint64_t due_us;   /* on our clock */
	uint64_t gathered; /* since the last store */
	uint64_t round;	   /* times through the file, this one too */
	uint64_t found;	   /* events in this round */
	uint64_t bad;
	uint64_t spent_from_us; /* for the rate */
	uint64_t spent;
};

static uint64_t
replay_now_us(void)
{
	return time_mono_ns() / 1000;
}

static void
replay_say_bad(const struct replay *r, const char *text)
{
	char safe[300];
	size_t i;

	/* A sentence may quote the line, and that may hold anything. */
	for (i = 0; text[i] && i < sizeof(safe) - 1; i++)
		safe[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f
			      ? '?'
			      : text[i];
	safe[i] = '\0';
	demo_status_end(r->d);
	if (r->bad <= REPLAY_BAD_SHOWN)
		tool_note(r->d->t, "%s:%" PRIu64 ": %s", r->options->path,
		    r->file.line, safe);
}

/* A line that is no event: passed over, or the end. */
static int
replay_bad(struct replay *r, struct reason *why)
{
	/* It was told the first time through. */
	if (r->round == 1) {
		r->bad++;
		replay_say_bad(r, why->text);
	}
	if (r->options->skip_bad)
		return 0;
	(void)reason_set(why, 0,
	    "stopped at line %" PRIu64 " of '%.100s': mend it and go on with "
	    "--from %" PRIu64 ", or pass over such lines with --skip-bad",
	    r->file.line, r->options->path, r->file.line);
	return -EPROTO;
}

/* When the next event is due: after its pause in the recording. */
static void
replay_schedule(struct replay *r)
{
	uint64_t at = r->next.time_us.set ? r->next.time_us.v
					  : r->clock_us + REPLAY_STEP_US;
	uint64_t longest = r->options->gap_s * US_PER_S, pause = 0;

	/* A recording may go back in time: then it goes on at once. */
	if (r->found > 1 && at > r->clock_us)
		pause = MIN((at - r->clock_us) / r->options->speed, longest);
	r->clock_us = at;
	r->due_us += pause;
}

/* The line's own meta, and when it was recorded; no time of its own. */
static int
replay_meta(struct replay *r, struct reason *why)
{
	struct mp_walk w = mp_walk(r->next.meta);
	struct mp_item item;

	if (!r->next.time_us.set)
		return 0;
	item.n = 0;
	if (r->next.meta.len && !mp_next(&w, &item))
		item.n = 0;
	r->meta.len = 0;
	mp_pack_map(&r->meta, item.n + 1);
	mp_pack_raw(&r->meta, slice_of(w.p, (size_t)(w.end - w.p)));
	mp_pair_uint(&r->meta, "recorded", r->next.time_us.v);
	if (r->meta.failed)
		return reason_set(why, -ENOMEM, "cannot read a line");
	r->next.meta = slice_of(r->meta.p, r->meta.len);
	r->next.time_us = (struct proto_uint){ 0 };
	return 0;
}

/* Read on to the next event; r->has_next says whether there is one. */
static int
replay_read(struct replay *r, struct reason *why)
{
	struct slice line;
	int err;

	while (!r->has_next && !r->ended) {
		err = import_file_next(&r->file, &line, why);
		if (err < 0)
			return err;
		if (err == IMPORT_END) {
			r->ended = true;
			break;
		}
		if (r->file.line < r->options->from && r->round == 1)
			continue;
		if (err == IMPORT_TOO_LONG) {
			(void)reason_set(why, 0,
			    "the line has more than %d bytes", IMPORT_LINE_MAX);
			err = -EPROTO;
		} else if (import_line_is_blank(line)) {
			continue;
		} else {
			err = import_line_parse(
			    line, time_wall_us(), &r->scratch, &r->next, why);
		}
		if (err == -EPROTO)
			err = replay_bad(r, why);
		else if (err >= 0)
			r->has_next = true;
		if (err < 0)
			return err;
	}
	if (!r->has_next)
		return 0;
	r->found++;
	replay_schedule(r);
	return replay_meta(r, why);
}

/* From the beginning once more; what is due then is due now. */
static int
replay_again(struct replay *r, struct reason *why)
{
	int err = import_file_rewind(&r->file, why);

	if (err < 0)
		return err;
	if (r->found == 0)
		return reason_say(
		    why, -EPROTO, "'%.150s' holds no events", r->options->path);
	r->round++;
	r->found = 0;
	r->ended = false;
	return 0;
}

/* Is there anything left of this second's rate?  Else *until is its end. */
static bool
replay_may(struct replay *r, uint64_t now, uint64_t *until)
{
	/* In tenths, so that a second's events do not come all at once. */
	uint64_t budget = MAX(r->options->rate / 10, 1);
	uint64_t window = budget * US_PER_S / r->options->rate;

	if (now - r->spent_from_us >= window) {
		r->spent_from_us = now;
		r->spent = 0;
	}
	*until = r->spent_from_us + window;
	return r->spent < budget;
}

/* One turn: gather what is due, store it, or wait for it. */
static int
replay_turn(struct replay *r, struct reason *why)
{
	uint64_t now = replay_now_us(), until;
	int err = 0;

	while (err >= 0 && r->has_next && r->due_us <= now &&
	       r->gathered < REPLAY_TURN && replay_may(r, now, &until)) {
		err = demo_event(r->d, &r->next, why);
		r->has_next = false;
		r->gathered++;
		r->spent++;
		if (err >= 0)
			err = replay_read(r, why);
	}
	if (r->gathered) {
		struct reason other;
		int stored = demo_store(r->d, err < 0 ? &other : why);

		r->gathered = 0;
		return MIN(err, stored);
	}
	if (!r->has_next && r->ended)
		return r->options->loop ? replay_again(r, why) : 0;
	if (!replay_may(r, now, &until) || r->due_us > until)
		until = MAX(r->due_us, until);
	else
		until = r->due_us;
	/* Whole milliseconds, and not before it is due. */
	demo_wait_until(r->d, until / 1000 + 1);
	return 0;
}

static int
replay_run(struct replay *r, struct reason *why)
{
	char what[60];
	int err = 0;

	r->round = 1;
	r->due_us = r->spent_from_us = replay_now_us();
	while (err >= 0 && !demo_over(r->d)) {
		if (!r->has_next && !r->ended)
			err = replay_read(r, why);
		if (err >= 0)
			err = replay_turn(r, why);
		if (r->ended && !r->has_next && !r->options->loop)
			break;
		snprintf(what, sizeof(what), "line %" PRIu64 "%s", r->file.line,
		    r->options->loop ? ", again and again" : "");
		demo_status(r->d, what);
	}
	demo_status_end(r->d);
	return err;
}

static void
replay_say_end(const struct replay *r, bool failed)
{
	struct tool *t = r->d->t;

	if (r->bad && r->options->skip_bad)
		tool_note(t, "passed over %" PRIu64 " bad line%s", r->bad,
		    r->bad == 1 ? "" : "s");
	if (!r->ended && !r->options->loop && !failed)
		tool_note(t,
		    "stored %" PRIu64 " events; --from %" PRIu64 " goes on",
		    r->d->stored, r->file.line + !r->has_next);
	else
		tool_note(t, "stored %" PRIu64 " events", r->d->stored);
}

int
demo_replay(struct demo *d, const struct demo_replay_options *options)
{
	struct replay r = { .d = d, .options = options };
	int status = TOOL_OK, err;
	struct reason why = REASON_NO_MEMORY;

	err = import_file_open(&r.file, options->path, &why);
	if (err >= 0) {
		tool_note(d->t,
		    "replaying '%s' at %" PRIu64 " times its speed; Ctrl-C "
		    "ends it",
		    options->path, options->speed);
		err = replay_run(&r, &why);
		replay_say_end(&r, err < 0);
	}
	if (err < 0)
		status = tool_fail(d->t, &why);
	import_file_close(&r.file);
	mp_buf_deinit(&r.scratch);
	mp_buf_deinit(&r.meta);
	return status;
}
