/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sums of segments.  They are made only of frames whose digest is the one that
 * was written down, and not at once: nobody waits for them.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/fs.h"
#include "core/mp.h"
#include "core/reason.h"
#include "log/format_priv.h"
#include "log/newfile.h"
#include "log/scan.h"
#include "log/sums.h"

enum {
	SUMS_VERSION = 1,
	/* Header, sums, then the CRC32C of both. */
	SUMS_AT_MAGIC = 0,
	SUMS_AT_VERSION = 8,
	SUMS_AT_SALT = 12,
	SUMS_AT_LOG_ID = 16,
	SUMS_AT_NUMBER = 32,
	SUMS_AT_EVENTS = 40,
	SUMS_AT_DIGEST = 48,
	SUMS_HEADER = SUMS_AT_DIGEST + LOG_DIGEST,
	SUMS_EACH = 4, /* bytes of an event's SHA-256 */
	SUMS_CRC = 4,
};

#define SUMS_SUFFIX ".sum"

void
sums_name(char name[SEGMENT_NAME_SIZE], const struct segment_header *seg)
{
	segment_name(name, seg->first_seq, seg->incarnation, SUMS_SUFFIX);
}

bool
sums_is_name(const char *name)
{
	char stem[SEGMENT_NAME_SIZE];
	size_t len = strlen(name), suffix = sizeof(SUMS_SUFFIX) - 1;
	uint64_t seq;
	uint32_t inc;

	if (len < suffix || len >= sizeof(stem) ||
	    strcmp(name + len - suffix, SUMS_SUFFIX) != 0)
		return false;
	snprintf(stem, sizeof(stem), "%.*s.seg", (int)(len - suffix), name);
	return segment_parse_name(stem, &seq, &inc);
}

void
sums_deinit(struct sums *sums)
{
	free(sums->v);
	*sums = (struct sums){ 0 };
}

static void
sums_put_header(uint8_t *p, const struct segment_header *seg, uint64_t n)
{
	memset(p, 0, SUMS_HEADER);
	put_le64(p + SUMS_AT_MAGIC, SUMS_MAGIC);
	put_le32(p + SUMS_AT_VERSION, SUMS_VERSION);
	put_le32(p + SUMS_AT_SALT, seg->salt);
	memcpy(p + SUMS_AT_LOG_ID, seg->log_id, sizeof(seg->log_id));
	put_le64(p + SUMS_AT_NUMBER, seg->number);
	put_le64(p + SUMS_AT_EVENTS, n);
}

static bool
sums_verify(const uint8_t *p, size_t len, const struct segment_header *seg)
{
	uint8_t header[SUMS_HEADER];

	if (len < SUMS_HEADER + SUMS_CRC ||
	    (len - SUMS_HEADER - SUMS_CRC) % SUMS_EACH != 0 ||
	    get_le32(p + len - SUMS_CRC) != crc32c(0, p, len - SUMS_CRC))
		return false;
	sums_put_header(
	    header, seg, (len - SUMS_HEADER - SUMS_CRC) / SUMS_EACH);
	return memcmp(p, header, SUMS_AT_DIGEST) == 0;
}

int
sums_read(const struct sysio *io, int dirfd, const struct segment_header *seg,
    struct sums *sums)
{
	/* An event has a header and a byte. */
	uint64_t max = SUMS_HEADER + SUMS_CRC +
		       seg->capacity / LOG_EVENT_HEADER * SUMS_EACH;
	char name[SEGMENT_NAME_SIZE];
	uint8_t *p = NULL;
	size_t len;
	int err;

	sums_name(name, seg);
	err = fs_read(io, dirfd, name, (size_t)max, &p, &len, NULL);
	/* Whatever else keeps a cache from being read: there is none then. */
	if (err < 0)
		return err == -ENOMEM ? err : SUMS_NONE;
	if (!sums_verify(p, len, seg)) {
		free(p);
		return SUMS_NONE;
	}
	*sums = (struct sums){ .n = get_le64(p + SUMS_AT_EVENTS), .v = p };
	memcpy(sums->digest, p + SUMS_AT_DIGEST, LOG_DIGEST);
	memmove(p, p + SUMS_HEADER, sums->n * SUMS_EACH);
	return SUMS_READ;
}

/*
 * Add the sums of the events of the frame that was just stepped over; false
 * when it is not its events.  The last one's covers the frame's header, too.
 */
static bool
sums_take_frame(struct mp_buf *out, const struct scan *sc,
    const struct frame_header *f, struct sha256 *sum)
{
	const uint8_t *p = sc->payload;
	size_t left = f->payload_len;

	for (uint32_t i = 0; i < f->n_events; i++) {
		uint8_t full[SHA256_BYTES];
		size_t len;

		if (left < LOG_EVENT_HEADER)
			return false;
		len = get_le32(p);
		if (len > left - LOG_EVENT_HEADER)
			return false;
		len += LOG_EVENT_HEADER;
		sha256_init(sum);
		if (i + 1 == f->n_events)
			sha256_update(sum, sc->head, LOG_FRAME_HEADER);
		sha256_update(sum, p, len);
		sha256_final(sum, full);
		mp_buf_bytes(out, full, SUMS_EACH);
		p += len;
		left -= len;
	}
	return left == 0;
}

/* All of the segment behind sc, as far as it verifies; 0 or -errno. */
static int
sums_take(struct scan *sc, struct mp_buf *out, struct reason *why)
{
	struct sha256 sum = { NULL };
	struct frame_header f;
	bool good = true;
	int got = SCAN_FRAME;

	while (got == SCAN_FRAME && good && !out->failed) {
		got = scan_next(sc, &f, why);
		if (got == SCAN_FRAME && f.type == FRAME_EVENTS)
			good = sums_take_frame(out, sc, &f, &sum);
	}
	sha256_deinit(&sum);
	if (out->failed)
		return -ENOMEM;
	return got < 0 ? got : 0;
}

/* A scan of the segment s in dirfd, with its own copy of what s says. */
struct sums_scan {
	struct segment seg;
	struct sysio_fd f;
	struct scan sc;
};

static int
sums_scan_begin(struct sums_scan *ss, const struct sysio *io, int dirfd,
    const struct segment *s, struct reason *why)
{
	int err;

	ss->seg = *s;
	ss->f = (struct sysio_fd){ io, -1 };
	ss->f.fd = segment_open(io, dirfd, &ss->seg, why);
	if (ss->f.fd < 0)
		return reason_set(why, ss->f.fd, "cannot open '%s'", s->name);
	err = scan_init(&ss->sc, io, ss->f.fd, &ss->seg, true, why);
	if (err < 0) {
		(void)sysio_close(io, ss->f.fd);
		return err;
	}
	scan_audit(&ss->sc, &ss->seg);
	return 0;
}

static void
sums_scan_end(struct sums_scan *ss)
{
	scan_deinit(&ss->sc);
	(void)sysio_close(ss->f.io, ss->f.fd);
}

int
sums_compare(const struct sysio *io, int dirfd, const struct segment *seg,
    const struct sums *sums, uint64_t *seq, struct reason *why)
{
	CLEANUP(mp_buf_deinit) struct mp_buf now = { 0 };
	struct sums_scan ss;
	uint64_t n, i = 0;
	int err = sums_scan_begin(&ss, io, dirfd, seg, why);

	if (err < 0)
		return err;
	err = sums_take(&ss.sc, &now, why);
	sums_scan_end(&ss);
	if (err < 0)
		return err;
	n = now.len / SUMS_EACH;
	while (i < n && i < sums->n &&
	       memcmp(now.p + i * SUMS_EACH, sums->v + i * SUMS_EACH,
		   SUMS_EACH) == 0)
		i++;
	/* Where frames end early, that is damage and told as such. */
	*seq = i < n ? seg->header.first_seq + i : 0;
	return 0;
}

static int
sums_write(const struct sysio *io, int dirfd, const struct segment *s,
    const struct mp_buf *sums, struct reason *why)
{
	uint8_t header[SUMS_HEADER], crc[SUMS_CRC];
	char name[SEGMENT_NAME_SIZE];
	struct newfile to;
	int err;

	sums_name(name, &s->header);
	sums_put_header(header, &s->header, sums->len / SUMS_EACH);
	memcpy(header + SUMS_AT_DIGEST, s->extent.digest, LOG_DIGEST);
	put_le32(
	    crc, crc32c(crc32c(0, header, sizeof(header)), sums->p, sums->len));
	err = newfile_begin(&to, io, dirfd, name, why);
	if (err == 0)
		err = newfile_put(&to, header, sizeof(header), why);
	if (err == 0)
		err = newfile_put(&to, sums->p, sums->len, why);
	if (err == 0)
		err = newfile_put(&to, crc, sizeof(crc), why);
	if (err == 0)
		err = newfile_end(&to, to.put, why);
	newfile_deinit(&to);
	return err;
}

static int
sums_make_of(const struct sysio *io, int dirfd, const struct segment *s,
    struct reason *why)
{
	CLEANUP(mp_buf_deinit) struct mp_buf sums = { 0 };
	struct sums_scan ss;
	bool good;
	int err = sums_scan_begin(&ss, io, dirfd, s, why);

	if (err < 0)
		return err;
	err = sums_take(&ss.sc, &sums, why);
	scan_compare(&ss.sc, &s->extent);
	good = !ss.sc.edit.found;
	sums_scan_end(&ss);
	if (err < 0)
		return err;
	if (!good)
		return reason_set(why, SUMS_DAMAGED,
		    "'%s' is not what was written; see 'peal log verify'",
		    s->name);
	err = sums_write(io, dirfd, s, &sums, why);
	return err < 0 ? err : SUMS_MADE;
}

static bool
sums_are_there(const struct sysio *io, int dirfd, const struct segment *s)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	char name[SEGMENT_NAME_SIZE];

	sums_name(name, &s->header);
	f.fd = sysio_openat(io, dirfd, name, O_RDONLY, 0);
	return f.fd >= 0;
}

/* As much has to stay free as new segments need. */
static bool
sums_have_room(const struct sysio *io, int dirfd, const struct segment *s)
{
	uint64_t room;

	return sysio_room(io, dirfd, &room) == 0 &&
	       room / 3 >= s->header.capacity;
}

void
sums_round(struct sums_maker *m, const struct segment_list *list)
{
	m->list = list;
	m->at = 0;
}

void
sums_maker_deinit(struct sums_maker *m)
{
	mp_buf_deinit(&m->left);
}

static bool
sums_are_left(const struct sums_maker *m, uint64_t number)
{
	for (size_t i = 0; i < m->left.len; i += 8)
		if (get_le64(m->left.p + i) == number)
			return true;
	return false;
}

static void
sums_leave(struct sums_maker *m, uint64_t number)
{
	uint8_t bytes[8];

	put_le64(bytes, number);
	mp_buf_bytes(&m->left, bytes, sizeof(bytes));
}

/*
 * Has s what it can have?  All of a file is read once; what is whole stays,
 * whatever its digest: it may be all that is left to tell of an edit.  So
 * does what there was no memory to read.
 */
static bool
sums_are_good(const struct sysio *io, int dirfd, const struct sums_maker *m,
    const struct segment *s)
{
	CLEANUP(sums_deinit) struct sums sums = { 0 };

	if (s->header.version < 2 || sums_are_left(m, s->header.number))
		return true;
	if (s->header.number <= m->seen)
		return sums_are_there(io, dirfd, s);
	return sums_read(io, dirfd, &s->header, &sums) != SUMS_NONE;
}

int
sums_make(
    const struct sysio *io, int dirfd, struct sums_maker *m, struct reason *why)
{
	for (; m->at + 1 < m->list->n; m->at++) {
		const struct segment *s = &m->list->v[m->at];
		int got = SUMS_NOTHING;

		if (!sums_are_good(io, dirfd, m, s)) {
			if (!sums_have_room(io, dirfd, s))
				return SUMS_NOTHING;
			got = sums_make_of(io, dirfd, s, why);
			if (got != SUMS_MADE)
				sums_leave(m, s->header.number);
		}
		m->seen = MAX(m->seen, s->header.number);
		if (got != SUMS_NOTHING) {
			m->at++;
			return got;
		}
	}
	return SUMS_NOTHING;
}
