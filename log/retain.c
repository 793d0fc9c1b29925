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
#include "log/chain.h"
#include "log/pack.h"
#include "log/retain.h"
#include "log/segment.h"

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

static int
retain_choose(const struct segment_list *list,
    const struct retain_policy *policy, struct log_floor *floor)
{
	size_t n = retain_count(list, policy);
	const struct segment *s;

	/* The first that stays is followed by another. */
	if (list->n < 3)
		return RETAIN_NOTHING;
	n = MIN(n, list->n - 2);
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

int
retain_look(const struct sysio *io, int dirfd,
    const struct retain_policy *policy, struct log_floor *floor,
    struct reason *why)
{
	struct segment_list list;
	int got = chain_read(io, dirfd, &list, why);

	if (got < 0)
		return got;
	got = got == CHAIN_WHOLE ? retain_choose(&list, policy, floor)
				 : RETAIN_DAMAGED;
	segment_list_deinit(&list);
	return got;
}

/* The oldest whose end is known and that is not packed; not the newest two. */
static const struct segment *
retain_unpacked(const struct segment_list *list)
{
	for (size_t i = 0; i + 2 < list->n; i++)
		if (!list->v[i].packed && list->v[i].extent.number != 0)
			return &list->v[i];
	return NULL;
}

/* Room for the packed one, and as much left as new segments need. */
static bool
retain_has_room(const struct sysio *io, int dirfd, const struct segment *s)
{
	uint64_t room;

	return sysio_room(io, dirfd, &room) == 0 && room / 3 >= s->disk_bytes;
}

static int
retain_pack_one(const struct sysio *io, int dirfd,
    const struct segment_list *list, struct reason *why)
{
	const struct segment *s = retain_unpacked(list);
	int got;

	if (!s || !retain_has_room(io, dirfd, s))
		return RETAIN_NOTHING;
	got = pack_segment(io, dirfd, s, why);
	if (got == PACK_DIFFERS)
		return RETAIN_DAMAGED;
	return got < 0 ? got : RETAIN_PACKED;
}

int
retain_pack(const struct sysio *io, int dirfd, struct reason *why)
{
	struct segment_list list;
	int got = chain_read(io, dirfd, &list, why);

	if (got < 0)
		return got;
	got = got == CHAIN_WHOLE ? retain_pack_one(io, dirfd, &list, why)
				 : RETAIN_DAMAGED;
	segment_list_deinit(&list);
	return got;
}

/* --- removal --- */

enum {
	VICTIMS = 128 /* names held at once; the rest goes in another round */
};

struct retain_victims {
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

static int
retain_take_name(void *arg, const char *name)
{
	struct retain_victims *rv = arg;
	size_t at = rv->n;

	if (strlen(name) >= BASE_NAME_SIZE || !retain_is_below(name, rv->floor))
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

int
retain_remove(const struct sysio *io, int dirfd, struct reason *why)
{
	struct retain_victims rv;
	struct log_floor floor;
	int err, got = floor_read(io, dirfd, &floor, why);

	if (got < 0)
		return got;
	if (got == FLOOR_BAD)
		return reason_say(
		    why, -EUCLEAN, "'" FLOOR_NAME "' does not verify");
	do {
		rv.floor = floor.seq;
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
