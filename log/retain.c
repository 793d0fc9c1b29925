/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Retention.  Whole segments go, from the oldest on, and only when a newer
 * sealed one stays: recovery may set the newest aside, but not the floor.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "log/base.h"
#include "log/pack.h"
#include "log/reserve.h"
#include "log/retain.h"
#include "log/sums.h"

/*
 * The time of the last event of segment i; of one that was left in a crash
 * it is not known, and that of the next sealed one taken, which is later.
 */
static uint64_t
retain_time(const struct segment_list *list, size_t i)
{
	while (i < list->n && list->v[i].seal != SEAL_GOOD)
		i++;
	return i < list->n ? list->v[i].seal_time_us : UINT64_MAX;
}

/* How many of the oldest are to go by their size and age. */
static size_t
retain_count(
    const struct segment_list *list, const struct retain_policy *policy)
{
	uint64_t bytes = 0, from = 0;
	size_t n = 0;

	if (policy->keep_us > 0 && policy->now_us > policy->keep_us)
		from = policy->now_us - policy->keep_us;
	for (size_t i = 0; i < list->n; i++)
		bytes += list->v[i].disk_bytes;
	for (; n < list->n; n++) {
		if (bytes <= policy->keep_bytes && retain_time(list, n) >= from)
			break;
		bytes -= list->v[n].disk_bytes;
	}
	return n;
}

/*
 * Of the n oldest, which are to go: how many go although somebody has yet to
 * get events.  The newest of them stay: who needs older ones than the bound
 * lets stay has lost them, and others may need these.
 */
static size_t
retain_hold(const struct segment_list *list, size_t n,
    const struct retain_policy *policy, uint64_t *held)
{
	while (n > 0 && policy->needed > 0 &&
	       policy->needed < list->v[n].header.first_seq &&
	       *held + list->v[n - 1].disk_bytes <= policy->hold_bytes)
		*held += list->v[--n].disk_bytes;
	return n;
}

int
retain_look(const struct segment_list *list, const struct retain_policy *policy,
    struct log_floor *floor, uint64_t *held)
{
	size_t n = retain_count(list, policy);
	const struct segment *s;

	*held = 0;
	/* The first that stays is followed by another. */
	if (list->n < 3)
		return RETAIN_NOTHING;
	n = retain_hold(list, MIN(n, list->n - 2), policy, held);
	if (n == 0)
		return RETAIN_NOTHING;
	s = &list->v[n];
	memcpy(floor->log_id, s->header.log_id, sizeof(floor->log_id));
	memcpy(floor->chain, s->header.pred.chain, sizeof(floor->chain));
	floor->epoch = list->v[list->n - 1].header.epoch;
	floor->seq = s->header.first_seq;
	floor->number = s->header.number;
	return RETAIN_FLOOR;
}

/*
 * The oldest whose end is known, that is not packed and not left so; not the
 * newest two.
 */
static struct segment *
retain_unpacked(struct segment_list *list, uint64_t left)
{
	for (size_t i = 0; i + 2 < list->n; i++) {
		struct segment *s = &list->v[i];

		if (!s->packed && s->extent.number != 0 &&
		    s->header.number > left)
			return s;
	}
	return NULL;
}

/* Room for the packed one, and as much left as new segments need. */
static bool
retain_has_room(const struct sysio *io, int dirfd, const struct segment *s)
{
	uint64_t room;

	return sysio_room(io, dirfd, &room) == 0 && room / 3 >= s->disk_bytes;
}

/* s was packed: what its file is now. */
static int
retain_look_again(
    const struct sysio *io, int dirfd, struct segment *s, struct reason *why)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { io, -1 };

	f.fd = segment_open(io, dirfd, s, why);
	if (f.fd < 0)
		return reason_set(why, f.fd, "cannot open '%s'", s->name);
	return 0;
}

int
retain_pack(const struct sysio *io, int dirfd, struct segment_list *list,
    uint64_t *left, struct reason *why)
{
	struct segment *s = retain_unpacked(list, *left);
	int got;

	if (!s || !retain_has_room(io, dirfd, s))
		return RETAIN_NOTHING;
	got = pack_segment(io, dirfd, s, why);
	if (got == PACK_DIFFERS) {
		*left = s->header.number;
		return RETAIN_DIFFERS;
	}
	if (got == PACK_DONE)
		got = retain_look_again(io, dirfd, s, why);
	return got < 0 ? got : RETAIN_PACKED;
}

/* --- removal --- */

enum {
	VICTIMS = 128 /* names held at once; the rest goes in another round */
};

struct retain_victims {
	bool (*is)(const char *name, uint64_t floor);
	uint64_t floor;
	char v[VICTIMS][BASE_NAME_SIZE];
	size_t n;
};

/* Is the file something that the floor has given up? */
static bool
retain_is_below(const char *name, uint64_t floor)
{
	char stem[SEGMENT_NAME_SIZE];
	const char *dot = strchr(name, '.');
	uint64_t seq;
	uint32_t inc;

	if (base_parse_name(name, &seq))
		return seq + 1 != floor;
	if (!dot || (strcmp(dot, ".seg") != 0 && strcmp(dot, ".idx") != 0 &&
			strcmp(dot, ".segz") != 0 && strcmp(dot, ".sum") != 0))
		return false;
	snprintf(stem, sizeof(stem), "%.*s.seg", (int)(dot - name), name);
	return segment_parse_name(stem, &seq, &inc) && seq < floor;
}

/*
 * Is it half of a file of the retainer's own?  Not the spare, nor the
 * checkpoint: those are made anew by others, while we look.
 */
static bool
retain_is_half(const char *name, uint64_t floor)
{
	static const char *const halves[] = { PACK_TMP, BASE_TMP,
		FLOOR_NAME ".tmp", RESERVE_NAME ".tmp" };
	char whole[SEGMENT_NAME_SIZE];
	size_t len = strlen(name);

	(void)floor;
	for (size_t i = 0; i < ARRAY_LEN(halves); i++)
		if (strcmp(name, halves[i]) == 0)
			return true;
	if (len < 4 || len - 4 >= sizeof(whole) ||
	    strcmp(name + len - 4, ".tmp") != 0)
		return false;
	snprintf(whole, sizeof(whole), "%.*s", (int)(len - 4), name);
	return sums_is_name(whole);
}

static int
retain_take_name(void *arg, const char *name)
{
	struct retain_victims *rv = arg;
	size_t at = rv->n;

	if (strlen(name) >= BASE_NAME_SIZE || !rv->is(name, rv->floor))
		return 0;
	/* The lowest names first: a hole would be left by any other order. */
	while (at > 0 && strcmp(rv->v[at - 1], name) > 0)
		at--;
	if (at == VICTIMS)
		return 0;
	rv->n = MIN(rv->n + 1, (size_t)VICTIMS);
	memmove(rv->v[at + 1], rv->v[at], (rv->n - at - 1) * sizeof(rv->v[0]));
	snprintf(rv->v[at], sizeof(rv->v[at]), "%s", name);
	return 0;
}

static int
retain_remove_all(const struct sysio *io, int dirfd,
    bool (*is)(const char *name, uint64_t floor), uint64_t floor,
    struct reason *why)
{
	struct retain_victims rv;
	int err;

	do {
		rv.is = is;
		rv.floor = floor;
		rv.n = 0;
		err = sysio_list(io, dirfd, retain_take_name, &rv);
		if (err < 0)
			return reason_set(
			    why, err, "cannot list the log's directory");
		for (size_t i = 0; err == 0 && i < rv.n; i++) {
			err = sysio_unlink(io, dirfd, rv.v[i]);
			if (err < 0)
				return reason_set(
				    why, err, "cannot remove '%s'", rv.v[i]);
		}
	} while (rv.n == VICTIMS);
	return 0;
}

int
retain_tidy(const struct sysio *io, int dirfd, struct reason *why)
{
	return retain_remove_all(io, dirfd, retain_is_half, 0, why);
}

int
retain_remove(const struct sysio *io, int dirfd, struct reason *why)
{
	struct log_floor floor;
	int got = floor_read(io, dirfd, &floor, why);

	if (got < 0)
		return got;
	if (got == FLOOR_BAD)
		return reason_say(
		    why, -EUCLEAN, "'" FLOOR_NAME "' does not verify");
	return retain_remove_all(io, dirfd, retain_is_below, floor.seq, why);
}
