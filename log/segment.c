/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Segments as files.  What stands in a name or a header is only reported
 * here; whether the segments fit together is chain.c's to say.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "log/format_priv.h"
#include "log/pack.h"
#include "log/segment.h"
#include "log/window.h"

enum {
	FIRST_DIGITS = 20,
	INCARNATION_DIGITS = 10,
	SUFFIX_AT = FIRST_DIGITS + 1 + INCARNATION_DIGITS,
	/* Each but the last met a segment that retention removed meanwhile. */
	LIST_TRIES = 16,
};

void
segment_name(char name[SEGMENT_NAME_SIZE], uint64_t first_seq,
    uint32_t incarnation, const char *suffix)
{
	snprintf(name, SEGMENT_NAME_SIZE, "%020" PRIu64 "-%010" PRIu32 "%s",
	    first_seq, incarnation, suffix);
}

/* Exactly digits decimal digits; false also beyond max. */
static bool
segment_parse_digits(const char *p, int digits, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	for (int i = 0; i < digits; i++) {
		unsigned d = (unsigned)p[i] - '0';

		if (d > 9 || n > (max - d) / 10)
			return false;
		n = n * 10 + d;
	}
	*out = n;
	return true;
}

bool
segment_parse_name(const char *name, uint64_t *first_seq, uint32_t *incarnation)
{
	uint64_t first, inc;

	size_t len = strlen(name);
	const char *suffix;

	if (len < SUFFIX_AT ||
	    !segment_parse_digits(name, FIRST_DIGITS, UINT64_MAX, &first) ||
	    name[FIRST_DIGITS] != '-' ||
	    !segment_parse_digits(
		name + FIRST_DIGITS + 1, INCARNATION_DIGITS, UINT32_MAX, &inc))
		return false;
	suffix = name + SUFFIX_AT;
	if (strcmp(suffix, ".seg") != 0 && strcmp(suffix, ".segz") != 0)
		return false;
	*first_seq = first;
	*incarnation = (uint32_t)inc;
	return true;
}

/* Could a writer of ours have made it?  CRC and version were good. */
static bool
segment_plausible(const struct segment_header *h)
{
	return h->salt != 0 && h->number != 0 && h->first_seq != 0 &&
	       h->capacity >= SEGMENT_BYTES_MIN &&
	       h->capacity % LOG_PAGE == 0 && h->capacity <= INT64_MAX;
}

/* Both copies are in pages. */
static int
segment_read_headers(
    struct segment *seg, const uint8_t *pages, struct reason *why)
{
	const uint8_t *good = NULL;
	struct segment_header h;
	uint32_t version = 0;
	int n_good = 0;

	for (size_t i = 0; i < SEGMENT_HEADERS; i++) {
		const uint8_t *page = pages + i * LOG_PAGE;

		switch (format_get_segment(page, &h, &version)) {
		case FORMAT_SEGMENT_NEWER:
			return reason_say(why, -ENOTSUP,
			    "segment '%s' has format version %u, this program knows %d and %d",
			    seg->name, version, SEGMENT_VERSION_OLDEST,
			    SEGMENT_VERSION);
		case FORMAT_SEGMENT_BAD:
			continue;
		case FORMAT_SEGMENT_GOOD:
			break;
		}
		/* Two that contradict each other are worth nothing. */
		if (!segment_plausible(&h) ||
		    (good && memcmp(good, page, LOG_PAGE) != 0))
			return 0;
		good = page;
		seg->header = h;
		n_good++;
	}
	seg->headed = n_good > 0;
	seg->one_header = n_good == 1;
	return 0;
}

/* The file of a segment, packed or not. */
struct segment_file {
	const struct sysio *io;
	int fd;
	struct packed *packed; /* or NULL */
};

static void
segment_file_deinit(struct segment_file *sf)
{
	sf->packed = packed_free(sf->packed);
	if (sf->fd >= 0)
		(void)sysio_close(sf->io, sf->fd);
}

static ssize_t
segment_pread(const struct segment_file *sf, void *buf, size_t len, uint64_t at)
{
	return sf->packed ? packed_pread(sf->packed, buf, len, at)
			  : sysio_pread(sf->io, sf->fd, buf, len, at);
}

static int
segment_read_seal(const struct segment_file *sf, struct segment *seg,
    uint8_t *page, struct reason *why)
{
	struct frame_header frame;
	ssize_t n;

	seg->seal = SEAL_BAD;
	if (seg->file_bytes < seg->header.capacity)
		return 0;
	n = segment_pread(sf, page, LOG_PAGE, seg->header.capacity - LOG_PAGE);
	if (n < 0)
		return reason_set(
		    why, (int)n, "cannot read the seal of '%s'", seg->name);
	if (n < LOG_PAGE)
		return 0;
	if (format_get_seal(page, &seg->header, &seg->footer, &frame))
		seg->seal = SEAL_GOOD;
	else if (format_is_zero(page, LOG_PAGE))
		seg->seal = SEAL_NONE;
	if (seg->seal != SEAL_GOOD)
		return 0;
	seg->seal_time_us = frame.time_us;
	seg->extent.number = seg->header.number;
	seg->extent.first_seq = seg->footer.first_seq;
	seg->extent.last_seq = seg->footer.last_seq;
	seg->extent.valid_length = seg->footer.valid_length;
	seg->extent.tail_crc = seg->footer.tail_crc;
	memcpy(seg->extent.chain, seg->footer.chain, 32);
	memcpy(seg->extent.digest, seg->footer.digest, LOG_DIGEST);
	return 0;
}

/* Sizes; one that is packed and damaged keeps no byte of the segment. */
static int
segment_measure(
    struct segment_file *sf, struct segment *seg, struct reason *why)
{
	struct reason what = REASON_NO_MEMORY;
	int err = sysio_size(sf->io, sf->fd, &seg->disk_bytes);

	if (err < 0)
		return reason_set(why, err, "cannot stat '%s'", seg->name);
	seg->file_bytes = seg->disk_bytes;
	seg->packed = strcmp(seg->name + SUFFIX_AT, ".segz") == 0;
	if (!seg->packed)
		return 0;
	err = packed_open(sf->io, sf->fd, &sf->packed, &what);
	if (sf->packed) {
		seg->file_bytes = packed_capacity(sf->packed);
		seg->oddity = packed_oddity(sf->packed);
	} else {
		seg->file_bytes = 0;
	}
	if (err == -ENOTSUP)
		return reason_say(why, err, "'%s': %s", seg->name, what.text);
	return err < 0 ? reason_set(why, err, "cannot read '%s'", seg->name)
		       : 0;
}

int
segment_read(const struct sysio *io, int dirfd, const char *name,
    struct segment *out, struct reason *why)
{
	CLEANUP(segment_file_deinit)
	struct segment_file sf = { io, -1, NULL };
	CLEANUP(freep) uint8_t *pages = calloc(1, SEGMENT_FRAMES);
	struct segment seg = { 0 };
	ssize_t n = 0;
	int err;

	if (!pages)
		return -ENOMEM;
	if (!segment_parse_name(
		name, &seg.name_first_seq, &seg.name_incarnation))
		return reason_say(
		    why, -EINVAL, "'%s' is no segment's name", name);
	snprintf(seg.name, sizeof(seg.name), "%s", name);
	sf.fd = sysio_openat(io, dirfd, name, O_RDONLY, 0);
	if (sf.fd < 0)
		return reason_set(why, sf.fd, "cannot open '%s'", name);
	err = segment_measure(&sf, &seg, why);
	if (err < 0)
		return err;
	if (!seg.packed || sf.packed)
		n = segment_pread(&sf, pages, SEGMENT_FRAMES, 0);
	if (n < 0)
		return reason_set(
		    why, (int)n, "cannot read the header of '%s'", name);
	err = segment_read_headers(&seg, pages, why);
	seg.cut = !seg.headed && seg.file_bytes < SEGMENT_BYTES_MIN;
	if (err == 0 && seg.headed)
		err = segment_read_seal(&sf, &seg, pages, why);
	if (err < 0)
		return err;
	*out = seg;
	return 0;
}

int
segment_open(
    const struct sysio *io, int dirfd, struct segment *s, struct reason *why)
{
	struct segment packed;
	char name[SEGMENT_NAME_SIZE];
	int err, fd = sysio_openat(io, dirfd, s->name, O_RDONLY, 0);

	if (fd != -ENOENT || s->packed)
		return fd;
	segment_name(name, s->name_first_seq, s->name_incarnation, ".segz");
	err = segment_read(io, dirfd, name, &packed, why);
	if (err < 0)
		return err;
	packed.extent = s->extent;
	*s = packed;
	return sysio_openat(io, dirfd, name, O_RDONLY, 0);
}

struct segment_names {
	char (*v)[SEGMENT_NAME_SIZE];
	size_t n, cap;
};

static int
segment_take_name(void *arg, const char *name)
{
	struct segment_names *names = arg;
	uint64_t first;
	uint32_t inc;

	if (!segment_parse_name(name, &first, &inc))
		return 0;
	if (names->n == names->cap) {
		size_t cap = names->cap ? names->cap * 2 : 64;
		void *v = reallocarray(names->v, cap, sizeof(*names->v));

		if (!v)
			return -ENOMEM;
		names->v = v;
		names->cap = cap;
	}
	snprintf(names->v[names->n++], SEGMENT_NAME_SIZE, "%s", name);
	return 0;
}

/* Fixed digits: the order of the names is that of the numbers. */
static int
segment_compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

void
segment_list_deinit(struct segment_list *list)
{
	free(list->v);
	*list = (struct segment_list){ 0 };
}

static void
segment_names_deinit(struct segment_names *names)
{
	free(names->v);
}

/* How many of the names, which are in order, are below the floor. */
static size_t
segment_names_below(const struct segment_names *names, uint64_t floor)
{
	uint64_t first = 0;
	uint32_t inc;
	size_t i = 0;

	while (i < names->n && segment_parse_name(names->v[i], &first, &inc) &&
	       first < floor)
		i++;
	return i;
}

/* A packed segment does not count while the other is there, which it follows. */
static void
segment_names_thin(struct segment_names *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->n; i++) {
		if (kept > 0 &&
		    memcmp(names->v[i], names->v[kept - 1], SUFFIX_AT) == 0)
			continue;
		memmove(names->v[kept++], names->v[i], SEGMENT_NAME_SIZE);
	}
	names->n = kept;
}

/* One try; -ENOENT: a segment went away while it was read. */
static int
segment_list_try(const struct sysio *io, int dirfd, struct segment_list *list,
    struct reason *why)
{
	CLEANUP(segment_names_deinit) struct segment_names names = { 0 };
	CLEANUP(freep) struct segment *v = NULL;
	struct log_floor floor;
	size_t below;
	int got, err = sysio_list(io, dirfd, segment_take_name, &names);

	if (err < 0)
		return reason_set(why, err, "cannot list the log's directory");
	/* Later than the names: what was removed of them is below it. */
	got = floor_read(io, dirfd, &floor, why);
	if (got < 0)
		return got;
	if (names.n > 0)
		qsort(
		    names.v, names.n, sizeof(*names.v), segment_compare_names);
	segment_names_thin(&names);
	below = segment_names_below(&names, floor.seq);
	v = calloc(names.n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = below; i < names.n; i++) {
		err = segment_read(io, dirfd, names.v[i], &v[i - below], why);
		if (err < 0)
			return err;
	}
	*list = (struct segment_list){ TAKE(v), names.n - below, floor,
		got == FLOOR_BAD };
	return 0;
}

int
segment_list_read(const struct sysio *io, int dirfd, struct segment_list *list,
    struct reason *why)
{
	int err = -ENOENT;

	for (int i = 0; i < LIST_TRIES && err == -ENOENT; i++)
		err = segment_list_try(io, dirfd, list, why);
	return err;
}

size_t
segment_list_used(const struct segment_list *list)
{
	const struct segment *last = list->n > 0 ? &list->v[list->n - 1] : NULL;

	return last && !last->headed && !last->cut ? list->n - 1 : list->n;
}

int
segment_has_bytes(const struct sysio *io, int dirfd, const struct segment *s,
    struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	uint64_t offset = SEGMENT_FRAMES;
	const uint8_t *p;
	struct window win;
	ssize_t n;
	int err;

	/* Only what has an end is packed; what is damaged reads as zeros. */
	if (s->packed)
		return 1;
	f.fd = sysio_openat(io, dirfd, s->name, O_RDONLY, 0);
	if (f.fd < 0)
		return reason_set(why, f.fd, "cannot open '%s'", s->name);
	err = window_init(&win, io, f.fd, s->file_bytes);
	if (err < 0)
		return err;
	do {
		offset = window_data(&win, offset);
		n = window_get(&win, offset, &p);
		offset += n > 0 ? (uint64_t)n : 0;
	} while (n > 0 && format_is_zero(p, (size_t)n));
	window_deinit(&win);
	if (n < 0)
		return reason_set(why, (int)n, "cannot read '%s'", s->name);
	return n > 0;
}
