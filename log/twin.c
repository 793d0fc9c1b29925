/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Which of two files a segment is read from.  Only what the next segment says
 * of it is believed, to the last byte and by its SHA-256: a file of another
 * log or history has the same name.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/reason.h"
#include "log/chain.h"
#include "log/format_priv.h"
#include "log/problem.h"
#include "log/scan.h"
#include "log/twin.h"

/* 1: the frames of s are those that its extent speaks of; 0 or -errno. */
static int
twin_scan(
    const struct sysio *io, int fd, const struct segment *s, struct reason *why)
{
	struct frame_header f;
	struct scan sc;
	bool whole;
	int got = scan_init(&sc, io, fd, s, false, why);

	if (got < 0)
		return got;
	scan_audit(&sc, s);
	do {
		got = scan_next(&sc, &f, why);
	} while (got == SCAN_FRAME);
	/* As many events are no proof: a forked history has them, too. */
	scan_compare(&sc, &s->extent);
	whole = scan_agrees(&sc, &s->extent) && !sc.edit.found;
	scan_deinit(&sc);
	return got < 0 ? got : whole;
}

static int
twin_is_whole(const struct sysio *io, int dirfd, const struct segment *s,
    const struct segment *next, struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };
	struct segment seg = *s;

	if (!s->headed || s->file_bytes != s->header.capacity ||
	    !chain_carries_on(s, next))
		return 0;
	seg.extent = next->header.pred;
	f.fd = sysio_openat(io, dirfd, seg.name, O_RDONLY, 0);
	if (f.fd < 0)
		return reason_set(why, f.fd, "cannot open '%s'", seg.name);
	return twin_scan(io, f.fd, &seg, why);
}

/* Each segment draws its salt: no other has this one. */
static bool
twin_is_of(const struct segment *packed, const struct segment *s)
{
	return !s->headed || packed->header.salt == s->header.salt;
}

/* 1: s is the packed one now; 0 or -errno. */
static int
twin_choose_one(const struct sysio *io, int dirfd, struct segment *s,
    const struct segment *next, struct reason *why)
{
	struct reason what = REASON_NO_MEMORY;
	struct segment packed;
	char name[SEGMENT_NAME_SIZE];
	int got;

	segment_name(name, s->name_first_seq, s->name_incarnation, ".segz");
	got = segment_read(io, dirfd, name, &packed, &what);
	if (got == -ENOENT)
		return 0;
	if (got < 0)
		return reason_say(why, got, "%s", what.text);
	got = twin_is_whole(io, dirfd, s, next, why);
	if (got != 0)
		return MIN(got, 0);
	got = twin_is_of(&packed, s)
		  ? twin_is_whole(io, dirfd, &packed, next, why)
		  : 0;
	if (got > 0)
		*s = packed;
	return got;
}

int
twin_choose(const struct sysio *io, int dirfd, struct segment_list *list,
    void (*notes)(const char *sentence), struct reason *why)
{
	char name[SEGMENT_NAME_SIZE];
	int got = 0;

	/* From the end on: the next one has its header from here. */
	for (size_t i = list->n; got >= 0 && i-- > 1;) {
		struct segment *s = &list->v[i - 1];

		if (s->packed)
			continue;
		memcpy(name, s->name, sizeof(name));
		got = twin_choose_one(io, dirfd, s, &list->v[i], why);
		if (got > 0)
			log_note(notes, "'%s' is whole, and is taken for '%s'",
			    s->name, name);
	}
	return MIN(got, 0);
}
