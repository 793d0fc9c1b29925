/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Requests in flight.  Lines reach the log in the order of the file: after a
 * refusal that will pass, or a lost connection, everything unanswered is
 * sent again in that order, under the same keys.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "core/time.h"
#include "tools/import.h"
#include "tools/import_line.h"
#include "tools/tool.h"

enum {
	IMPORT_BYTES = 3 << 20, /* on their way; the writer takes 4 MiB */
	IMPORT_KEEP = 8 << 10,	/* room that a slot may keep */
	IMPORT_SAVE_MS = 1000,	/* between progress files */
	IMPORT_AWAY_MS = 60000, /* the writer may be away for */
	IMPORT_RETRY_MS = 200,	/* where the writer names no time */
	IMPORT_WAIT_MS = 100,
	IMPORT_TURN = 64, /* lines read before they are sent */
};

uint64_t
import_now_ms(void)
{
	return time_mono_ns() / NS_PER_MS;
}

static struct import_slot *
import_slot(struct import *im, uint64_t n)
{
	return &im->slots[n % im->window];
}

/* --- lines into requests --- */

static int
import_bad_line(struct import *im, const char *text, size_t len)
{
	import_report_bad(im, im->file.line, text, len);
	if (im->skip_bad) {
		im->skipped++;
		return 0;
	}
	im->exhausted = true;
	im->status = TOOL_ERROR;
	return 0;
}

static int
import_make(struct import *im, struct slice line, struct reason *why)
{
	struct import_slot *slot = import_slot(im, im->next);
	char key[IMPORT_KEY_BYTES + 1];
	struct writer_append append;
	uint32_t occurrence;
	int err;

	err = import_seen_count(&im->seen, line, &occurrence);
	if (err < 0)
		return reason_set(why, err, "cannot count lines");
	err = import_line_parse(line, im->now_us, &im->scratch, &append, why);
	if (err == -EPROTO)
		return import_bad_line(im, why->text, strlen(why->text));
	if (err < 0)
		return err;
	import_seen_key(&im->sum, line, occurrence, key);
	append.key = slice_cstr(key);
	slot->request.len = 0;
	writer_client_pack(&slot->request, im->next, &append);
	if (slot->request.failed)
		return reason_set(why, -ENOMEM, "cannot keep a request");
	slot->state = IMPORT_UNSENT;
	slot->line = im->file.line;
	slot->offset = im->file.offset;
	slot->crc = im->file.crc;
	im->bytes += slot->request.len;
	im->next++;
	return 0;
}

static bool
import_has_room(const struct import *im)
{
	return !im->exhausted && im->next - im->base < im->window &&
	       im->bytes < IMPORT_BYTES;
}

/* Read some lines, as far as the window has room for them. */
static int
import_read(struct import *im, struct reason *why)
{
	struct slice line;
	int err = 0;

	for (unsigned i = 0; err >= 0 && i < IMPORT_TURN && import_has_room(im);
	     i++) {
		uint64_t start = im->file.offset;
		uint32_t crc = im->file.crc;

		err = import_file_next(&im->file, &line, why);
		if (err < 0)
			return err;
		if (err == IMPORT_END) {
			im->exhausted = true;
		} else if (err == IMPORT_TOO_LONG) {
			char text[80];
			int len = snprintf(text, sizeof(text),
			    "the line has more than %d bytes", IMPORT_LINE_MAX);

			err = import_bad_line(im, text, (size_t)len);
		} else if (!import_line_is_blank(line)) {
			err = import_make(im, line, why);
		}
		if (im->status != TOOL_OK) {
			/* A later run begins with this line again. */
			im->file.offset = start;
			im->file.crc = crc;
			im->file.line--;
		}
	}
	return err < 0 ? err : 0;
}

static int
import_send(struct import *im)
{
	while (im->unsent < MIN(im->next, im->limit)) {
		struct import_slot *slot = import_slot(im, im->unsent);
		int err = 0;

		if (slot->state == IMPORT_UNSENT)
			err = writer_client_send(&im->wc,
			    slice_of(slot->request.p, slot->request.len));
		if (err < 0)
			return err;
		if (slot->state == IMPORT_UNSENT)
			slot->state = IMPORT_SENT;
		im->unsent++;
	}
	return 0;
}

/* --- answers --- */

static bool
import_will_pass(enum proto_code code)
{
	return code == PROTO_UNAVAILABLE || code == PROTO_RATE_LIMITED ||
	       code == PROTO_STORAGE_FULL || code == PROTO_UNKNOWN;
}

static void
import_done(struct import *im, struct import_slot *slot)
{
	slot->state = IMPORT_DONE;
	im->bytes -= slot->request.len;
	if (slot->request.cap > IMPORT_KEEP) {
		mp_buf_deinit(&slot->request);
		slot->request = (struct mp_buf){ 0 };
	}
}

/*
 * The writer refuses the line for good.  Without --skip-bad nothing behind
 * it is sent; what is on its way already gets its answers.
 */
static void
import_refused(struct import *im, struct import_slot *slot,
    const struct writer_reply *reply)
{
	import_report_bad(
	    im, slot->line, (const char *)reply->message.p, reply->message.len);
	if (im->skip_bad) {
		im->skipped++;
		import_done(im, slot);
		return;
	}
	im->exhausted = true;
	im->status = TOOL_ERROR;
	/* It is never done: progress can't move past it. */
	slot->state = IMPORT_UNSENT;
	im->limit = MIN(im->limit, reply->id);
}

static int
import_answer(
    struct import *im, const struct writer_reply *reply, struct reason *why)
{
	struct import_slot *slot = import_slot(im, reply->id);

	if (reply->id < im->base || reply->id >= im->next ||
	    slot->state != IMPORT_SENT)
		return reason_say(why, -EPROTO,
		    "the writer answers a request that is not open");
	if (reply->code == PROTO_OK) {
		if (reply->duplicate)
			im->duplicates++;
		else
			im->stored++;
		im->progress.seq = MAX(im->progress.seq, reply->seq);
		import_done(im, slot);
	} else if (import_will_pass(reply->code)) {
		slot->state = IMPORT_UNSENT;
		im->unsent = MIN(im->unsent, reply->id);
		im->pause_until_ms =
		    import_now_ms() + (reply->retry_ms
					      ? MIN(reply->retry_ms, 10000u)
					      : IMPORT_RETRY_MS);
		if (reply->code == PROTO_STORAGE_FULL && !im->told_full)
			tool_note(im->t, "the log has no room: waiting");
		im->told_full = reply->code == PROTO_STORAGE_FULL;
	} else {
		import_refused(im, slot, reply);
	}
	return 0;
}

/* Progress moves over what is answered, in order. */
static void
import_advance(struct import *im)
{
	while (im->base < im->next &&
	       import_slot(im, im->base)->state == IMPORT_DONE) {
		const struct import_slot *slot = import_slot(im, im->base);

		im->progress.offset = slot->offset;
		im->progress.line = slot->line;
		im->progress.crc = slot->crc;
		im->base++;
	}
	if (im->base == im->next && im->exhausted) {
		im->progress.offset = im->file.offset;
		im->progress.line = im->file.line;
		im->progress.crc = im->file.crc;
	}
}

static void
import_save(struct import *im, bool last)
{
	struct import_progress p = im->progress;
	uint64_t now = import_now_ms();
	struct reason why = REASON_NO_MEMORY;

	if (im->no_progress_file ||
	    (!last && now - im->saved_ms < IMPORT_SAVE_MS))
		return;
	im->saved_ms = now;
	p.stored += im->stored;
	p.duplicates += im->duplicates;
	p.skipped += im->skipped;
	p.complete = last && im->exhausted && im->status == TOOL_OK &&
		     im->base == im->next;
	if (import_progress_write(im->path, &p, &why) < 0) {
		tool_note(
		    im->t, "going on without a progress file: %s", why.text);
		im->no_progress_file = true;
	}
}

/* --- the writer comes and goes --- */

/* Everything unanswered is to be sent again. */
static void
import_unsend(struct import *im)
{
	for (uint64_t n = im->base; n < im->next; n++)
		if (import_slot(im, n)->state == IMPORT_SENT)
			import_slot(im, n)->state = IMPORT_UNSENT;
	im->unsent = im->base;
}

/* A connection, and that it is to the same log. */
static int
import_connect(struct import *im, char log[PROTO_LOG_NAME], struct reason *why)
{
	uint64_t head;
	int err;

	err = writer_client_open(&im->wc, house_run_dir(&im->t->house), why);
	if (err >= 0)
		err = writer_client_hello(&im->wc, log, &head, why);
	if (err < 0)
		writer_client_close(&im->wc);
	return err;
}

static int
import_reconnect(struct import *im, struct reason *why)
{
	uint64_t deadline = import_now_ms() + IMPORT_AWAY_MS;
	char log[PROTO_LOG_NAME];
	int err;

	writer_client_close(&im->wc);
	import_unsend(im);
	while ((err = import_connect(im, log, why)) < 0) {
		if (tool_stopped() || import_now_ms() > deadline)
			return err;
		(void)poll(NULL, 0, 50);
	}
	if (strcmp(log, im->progress.log) != 0)
		return reason_say(
		    why, -ESTALE, "another log (%s) serves here now", log);
	return 0;
}

static int
import_receive(struct import *im, struct reason *why)
{
	struct writer_reply reply;
	int err, got;

	/* With lines to read there is no time to wait. */
	err = writer_client_wait(&im->wc,
	    import_has_room(im) && !im->pause_until_ms ? 0 : IMPORT_WAIT_MS,
	    why);
	if (err < 0)
		return err;
	if (err == WRITER_CLOSED)
		return import_reconnect(im, why);
	while ((got = writer_client_reply(&im->wc, &reply, why)) > 0) {
		got = import_answer(im, &reply, why);
		if (got < 0)
			break;
	}
	import_advance(im);
	return got;
}

/* --- the loop --- */

static bool
import_awaits_answers(struct import *im)
{
	for (uint64_t n = im->base; n < im->next; n++)
		if (import_slot(im, n)->state == IMPORT_SENT)
			return true;
	return false;
}

/* After a refusal that will pass nothing new goes out before its time. */
static bool
import_may_send(struct import *im)
{
	if (!im->pause_until_ms)
		return true;
	if (import_now_ms() < im->pause_until_ms || import_awaits_answers(im))
		return false;
	im->pause_until_ms = 0;
	return true;
}

static bool
import_finished(struct import *im)
{
	return im->exhausted && im->base >= MIN(im->next, im->limit) &&
	       !import_awaits_answers(im);
}

static int
import_loop(struct import *im, struct reason *why)
{
	int err = 0;

	while (err >= 0 && !import_finished(im)) {
		if (tool_stopped()) {
			im->exhausted = true;
			im->limit = 0;
			im->status = TOOL_ERROR;
		}
		im->now_us = time_wall_us();
		if (import_may_send(im)) {
			err = import_read(im, why);
			if (err >= 0)
				err = import_send(im);
		}
		import_advance(im);
		if (err >= 0 && !import_finished(im))
			err = import_receive(im, why);
		import_save(im, false);
		import_report_bar(im, false);
	}
	return err;
}

int
import_run(struct import *im)
{
	struct reason why = REASON_NO_MEMORY;

	im->started_ms = im->saved_ms = import_now_ms();
	im->unsent = im->base;
	im->limit = UINT64_MAX;
	if (import_loop(im, &why) < 0)
		im->status = tool_fail(im->t, &why);
	import_advance(im);
	import_save(im, true);
	import_report_bar(im, true);
	import_report_end(im);
	return im->status;
}
