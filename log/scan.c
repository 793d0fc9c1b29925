/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Scan of a segment's frames.  A frame counts when both CRCs verify under the
 * segment's salt and it carries on exactly where its predecessor ended: seq,
 * length, flush and place.
 */

#include <errno.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/reason.h"
#include "log/pack.h"
#include "log/scan.h"

void
scan_rewind(struct scan *sc, const struct segment *seg)
{
	sc->at = sc->frame_at = SEGMENT_FRAMES;
	sc->next_seq = seg->header.first_seq;
	sc->linked = true;
	sc->prev_len = 0;
	sc->flush = 0;
	sc->frames = 0;
	sc->time_us = 0;
	sc->tail_crc = 0;
	if (sc->audited)
		scan_audit(sc, seg);
}

void
scan_audit(struct scan *sc, const struct segment *seg)
{
	sc->audited = &seg->header;
	sc->agreed = seg->header.first_seq;
	sc->edit = (struct scan_edit){ 0 };
	sc->idle = false;
	audit_begin(&sc->audit, &seg->header);
}

int
scan_init(struct scan *sc, const struct sysio *io, int fd,
    const struct segment *seg, bool keep, struct reason *why)
{
	uint64_t limit = seg->header.capacity - LOG_PAGE;
	struct window win = { .buf = NULL };
	/* No frame was ever behind it, however long a damaged file is. */
	int err = window_init(
	    &win, io, fd, MIN(seg->file_bytes, seg->header.capacity));

	if (err == 0 && seg->packed)
		err = packed_open(io, fd, &win.packed, NULL);
	if (err != 0) {
		window_deinit(&win);
		return reason_set(why, err < 0 ? err : -EUCLEAN,
		    "cannot read '%s'", seg->name);
	}
	if (seg->extent.number != 0)
		limit = MIN(limit, seg->extent.valid_length);
	*sc = (struct scan){ .win = win,
		.salt = seg->header.salt,
		.idle_len = format_idle_len(seg->header.version),
		.limit = limit,
		.keep = keep };
	memcpy(sc->name, seg->name, sizeof(sc->name));
	scan_rewind(sc, seg);
	return 0;
}

void
scan_deinit(struct scan *sc)
{
	window_deinit(&sc->win);
	audit_deinit(&sc->audit);
	free(sc->payload);
	sc->payload = NULL;
}

void
scan_jump(struct scan *sc, uint64_t offset, uint64_t seq)
{
	sc->at = sc->frame_at = offset;
	sc->next_seq = seq;
	sc->linked = false;
	sc->audited = NULL;
}

static ssize_t
scan_want(struct scan *sc, uint64_t offset, size_t want, const uint8_t **p,
    struct reason *why)
{
	ssize_t n = window_want(&sc->win, offset, want, p);

	if (n < 0)
		return reason_set(why, (int)n, "cannot read '%s' at %llu",
		    sc->name, (unsigned long long)offset);
	return n;
}

static ssize_t
scan_get(
    struct scan *sc, uint64_t offset, const uint8_t **p, struct reason *why)
{
	return scan_want(sc, offset, LOG_PAGE, p, why);
}

/*
 * CRC of the kept payload, and of each event in it at the same time: how many
 * of these verify is in sc->good_events then.
 */
static uint32_t
scan_kept(struct scan *sc, const struct frame_header *f)
{
	const uint8_t *p = sc->payload;
	size_t left = f->payload_len;
	uint32_t crc = sc->salt, good = 0;

	while (good < f->n_events && left >= LOG_EVENT_HEADER) {
		uint32_t len = get_le32(p), event = 0;

		if (len > left - LOG_EVENT_HEADER)
			break;
		crc = crc32c(crc, p, LOG_EVENT_HEADER);
		p += LOG_EVENT_HEADER;
		crc32c_both(&crc, &event, p, len);
		left -= LOG_EVENT_HEADER + len;
		p += len;
		if (event != get_le32(p - len - 4))
			break;
		good++;
	}
	sc->good_events =
	    good > 0 && good == f->n_events && left > 0 ? good - 1 : good;
	return crc32c(crc, p, left);
}

/* 1: the payload verifies (and is kept); 0: it does not. */
static int
scan_payload(struct scan *sc, uint64_t offset, const struct frame_header *f,
    struct reason *why)
{
	uint32_t crc = sc->salt;
	const uint8_t *p;
	size_t done = 0;

	if (sc->keep && sc->payload_cap < f->payload_len) {
		uint8_t *bigger = realloc(sc->payload, f->payload_len);

		if (!bigger)
			return -ENOMEM;
		sc->payload = bigger;
		sc->payload_cap = f->payload_len;
	}
	while (done < f->payload_len) {
		ssize_t got = scan_get(sc, offset + done, &p, why);
		size_t n;

		if (got <= 0)
			return (int)got;
		n = MIN((size_t)got, f->payload_len - done);
		if (sc->keep)
			memcpy(sc->payload + done, p, n);
		else
			crc = crc32c(crc, p, n);
		done += n;
	}
	if (sc->keep)
		crc = scan_kept(sc, f);
	return crc == f->payload_crc;
}

static bool
scan_carries_on(
    const struct scan *sc, uint64_t offset, const struct frame_header *f)
{
	bool next_flush = f->flush == sc->flush + 1;

	if (f->first_seq != sc->next_seq || f->durable_seq >= f->first_seq)
		return false;
	if ((f->type == FRAME_EVENTS) != (f->n_events > 0) ||
	    (f->type == FRAME_IDLE && f->payload_len != sc->idle_len))
		return false;
	if (!sc->linked)
		return true;
	if (f->prev_len != sc->prev_len)
		return false;
	if (sc->frames == 0)
		return offset == SEGMENT_FRAMES;
	if (offset == sc->at && f->flush == sc->flush)
		return true;
	return next_flush && offset == ALIGN_UP(sc->at, LOG_PAGE);
}

/* Is there a frame at offset that carries on?  1, 0 or -errno. */
static int
scan_try(struct scan *sc, uint64_t offset, struct frame_header *f,
    struct reason *why)
{
	const uint8_t *p;
	ssize_t n;
	int good;

	if (offset + LOG_FRAME_HEADER > sc->limit)
		return 0;
	n = scan_get(sc, offset, &p, why);
	if (n < LOG_FRAME_HEADER)
		return n < 0 ? (int)n : 0;
	if (!format_get_frame(p, sc->salt, f) ||
	    f->payload_len > sc->limit - offset - LOG_FRAME_HEADER ||
	    f->type == FRAME_SEAL)
		return 0;
	if (f->type != FRAME_EVENTS && f->type != FRAME_IDLE)
		return reason_say(why, -ENOTSUP,
		    "segment '%s' has a frame of type %d at %llu, which this program does not know",
		    sc->name, f->type, (unsigned long long)offset);
	if (!scan_carries_on(sc, offset, f))
		return 0;
	/* All of it at once where that is possible: it is read twice. */
	n = scan_want(sc, offset, LOG_FRAME_HEADER + f->payload_len, &p, why);
	if (n < LOG_FRAME_HEADER)
		return n < 0 ? (int)n : 0;
	if (sc->keep)
		memcpy(sc->head, p, LOG_FRAME_HEADER);
	good = scan_payload(sc, offset + LOG_FRAME_HEADER, f, why);
	if (good <= 0)
		return good;
	sc->frame_at = offset;
	sc->at = offset + LOG_FRAME_HEADER + f->payload_len;
	return 1;
}

static void
scan_note_edit(struct scan *sc, uint64_t at, uint64_t first)
{
	if (!sc->edit.found)
		sc->edit =
		    (struct scan_edit){ true, at, first, sc->next_seq - 1 };
}

/* Does the IDLE frame that was just stepped over have the digest so far? */
static int
scan_compare_mark(struct scan *sc, struct reason *why)
{
	uint8_t digest[LOG_DIGEST];
	const uint8_t *p;
	ssize_t n;

	audit_now(&sc->audit, digest);
	if (!sc->idle)
		memcpy(sc->mark, digest, LOG_DIGEST);
	if (sc->idle_len == 0)
		return 0;
	n = scan_want(sc, sc->frame_at + LOG_FRAME_HEADER, LOG_DIGEST, &p, why);
	if (n < LOG_DIGEST)
		return n < 0 ? (int)n : -EUCLEAN;
	if (memcmp(p, digest, LOG_DIGEST) != 0)
		scan_note_edit(sc, sc->frame_at, sc->agreed);
	else if (!sc->edit.found)
		sc->agreed = sc->next_seq;
	return 0;
}

/* Sum up the frame that was just stepped over. */
static int
scan_sum(struct scan *sc, const struct frame_header *f, struct reason *why)
{
	uint64_t at = sc->frame_at;
	const uint8_t *p;
	int err = f->type == FRAME_IDLE ? scan_compare_mark(sc, why) : 0;

	sc->idle = f->type == FRAME_IDLE;
	while (err == 0 && at < sc->at) {
		ssize_t n = scan_want(sc, at, (size_t)(sc->at - at), &p, why);

		if (n <= 0)
			return n < 0 ? (int)n : -EUCLEAN;
		n = (ssize_t)MIN((uint64_t)n, sc->at - at);
		audit_add(&sc->audit, p, (size_t)n);
		at += (uint64_t)n;
	}
	return err;
}

int
scan_next(struct scan *sc, struct frame_header *frame, struct reason *why)
{
	struct frame_header f;
	int good;

	/*
	 * Either the flush goes on here or the next one begins on the next
	 * page.  What the padding in between holds does not matter: the links
	 * say that no frame is left out.
	 */
	good = scan_try(sc, sc->at, &f, why);
	if (good == 0 && sc->at % LOG_PAGE != 0)
		good = scan_try(sc, ALIGN_UP(sc->at, LOG_PAGE), &f, why);
	if (good <= 0)
		return good < 0 ? good : SCAN_STOP;
	if (sc->audited) {
		int err = scan_sum(sc, &f, why);

		if (err < 0)
			return err;
	}
	sc->next_seq += f.n_events;
	sc->linked = true;
	sc->prev_len = LOG_FRAME_HEADER + f.payload_len;
	sc->flush = f.flush;
	sc->frames++;
	sc->time_us = MAX(sc->time_us, f.time_us);
	sc->tail_crc = f.header_crc;
	*frame = f;
	return SCAN_FRAME;
}

/* The first header that verifies among the n bytes at p: where, or n. */
static size_t
scan_find(
    const struct scan *sc, const uint8_t *p, size_t n, struct frame_header *f)
{
	const uint8_t *end = p + n, *hit = p;
	uint8_t sync[4];

	put_le32(sync, FRAME_SYNC_WORD);
	while (end - hit >= LOG_FRAME_HEADER) {
		hit = memmem(hit, (size_t)(end - hit), sync, sizeof(sync));
		if (!hit || end - hit < LOG_FRAME_HEADER)
			break;
		if (format_get_frame(hit, sc->salt, f))
			return (size_t)(hit - p);
		hit++;
	}
	return n;
}

static void
scan_find_all(const struct scan *sc, struct scan_ahead *ahead, const uint8_t *p,
    size_t n, uint64_t offset)
{
	struct frame_header f;

	for (size_t at = 0; at < n; at++) {
		at += scan_find(sc, p + at, n - at, &f);
		if (at < n &&
		    (!ahead->found || f.durable_seq > ahead->durable_seq)) {
			ahead->found = true;
			ahead->found_at = offset + at;
			ahead->durable_seq = f.durable_seq;
		}
	}
}

int
scan_ahead(struct scan *sc, struct scan_ahead *out, struct reason *why)
{
	struct scan_ahead ahead = { 0 };
	uint64_t offset = sc->at;
	const uint8_t *p;

	for (;;) {
		ssize_t n;
		size_t last;

		offset = window_data(&sc->win, offset);
		n = scan_get(sc, offset, &p, why);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		last = (size_t)n;
		if (!format_is_zero(p, last)) {
			while (p[last - 1] == 0)
				last--;
			ahead.end = offset + last;
			scan_find_all(sc, &ahead, p, (size_t)n, offset);
		}
		/* A header may lie across the pieces. */
		offset += offset + (uint64_t)n >= sc->win.bytes
			      ? (uint64_t)n
			      : (uint64_t)(n - LOG_FRAME_HEADER + 1);
	}
	*out = ahead;
	return 0;
}

void
scan_refresh(struct scan *sc)
{
	sc->win.len = 0;
}

/* Is there a whole frame at offset that carries on, if not at once? */
static int
scan_try_later(struct scan *sc, uint64_t offset, const struct frame_header *f,
    struct reason *why)
{
	struct frame_header again;
	struct scan later = *sc;
	int good;

	if (f->first_seq < sc->next_seq)
		return 0;
	scan_jump(&later, offset, f->first_seq);
	later.keep = false;
	good = scan_try(&later, offset, &again, why);
	sc->win = later.win;
	return good;
}

int
scan_resync(struct scan *sc, bool *found, struct reason *why)
{
	uint64_t offset = sc->at;
	struct frame_header f;
	const uint8_t *p;

	*found = false;
	for (;;) {
		ssize_t n;
		size_t at;
		int good;

		offset = window_data(&sc->win, offset);
		n = scan_get(sc, offset, &p, why);
		if (n < LOG_FRAME_HEADER)
			return n < 0 ? (int)n : 0;
		at = scan_find(sc, p, (size_t)n, &f);
		if (at == (size_t)n) {
			offset += (uint64_t)(n - LOG_FRAME_HEADER + 1);
			continue;
		}
		offset += at;
		good = scan_try_later(sc, offset, &f, why);
		if (good < 0)
			return good;
		if (good > 0) {
			scan_jump(sc, offset, f.first_seq);
			*found = true;
			return 0;
		}
		offset++;
	}
}

bool
scan_agrees(const struct scan *sc, const struct segment_predecessor *at)
{
	return sc->next_seq == at->last_seq + 1 && sc->at == at->valid_length &&
	       sc->tail_crc == at->tail_crc;
}

bool
scan_complete(const struct scan *sc, const struct segment_predecessor *at)
{
	return sc->next_seq == at->last_seq + 1;
}

void
scan_digest(const struct scan *sc, uint8_t digest[LOG_DIGEST])
{
	if (sc->audited)
		audit_now(&sc->audit, digest);
	else
		memset(digest, 0, LOG_DIGEST);
}

void
scan_head(const struct scan *sc, uint8_t digest[LOG_DIGEST])
{
	if (sc->audited && sc->idle)
		memcpy(digest, sc->mark, LOG_DIGEST);
	else
		scan_digest(sc, digest);
}

void
scan_compare(struct scan *sc, const struct segment_predecessor *at)
{
	uint8_t digest[LOG_DIGEST];

	if (!sc->audited || sc->audited->version < 2)
		return;
	scan_digest(sc, digest);
	/* IDLE frames that agree may have been made to. */
	if (!scan_agrees(sc, at) || memcmp(digest, at->digest, LOG_DIGEST) != 0)
		scan_note_edit(sc, sc->at, sc->audited->first_seq);
}
