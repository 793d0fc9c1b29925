/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The log's base, which counts as an archive, and the rows for the next one.
 * Which base there is is read from the log each time: the writer may have
 * made another.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "broker/archives_priv.h"
#include "broker/query_priv.h"
#include "broker/spool.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "log/base.h"
#include "log/floor.h"

static bool
archives_read_floor(const struct archives *ar, struct log_floor *floor)
{
	struct reason why;

	return ar->log_dirfd >= 0 && floor_read(&sysio_posix, ar->log_dirfd,
					 floor, &why) == FLOOR_READ;
}

uint64_t
archives_base(const struct archives *ar, const char *log)
{
	struct log_floor floor;
	struct archive_id id;

	if (!archives_parse_log(log, &id) || !archives_read_floor(ar, &floor) ||
	    memcmp(floor.log_id, id.log_id, sizeof(id.log_id)) != 0)
		return 0;
	return floor.seq - 1;
}

bool
archives_is_base(const struct archives *ar, uint64_t seq)
{
	struct log_floor floor;

	return archives_read_floor(ar, &floor) && floor.seq - 1 == seq;
}

int
archives_open_base(
    struct archives *ar, const char *log, uint64_t seq, struct archive **out)
{
	CLEANUP(base_freep) struct base *base = NULL;
	struct archive_id id;
	struct reason why = { "" };
	bool bad;
	int got;

	pthread_mutex_lock(&ar->lock);
	bad = ar->bad_base == seq;
	pthread_mutex_unlock(&ar->lock);
	if (bad || !archives_parse_log(log, &id))
		return 0;
	got =
	    base_open(&sysio_posix, ar->log_dirfd, seq, id.log_id, &base, &why);
	/* That says nothing of the file. */
	if (got == -ENOMEM || got == -EMFILE || got == -ENFILE)
		return got;
	if (got == BASE_OPENED)
		*out = base_take_rows(base);
	else
		archives_condemn(ar, seq, &why);
	return 0;
}

/* The rows in s, which are of seq, into a file without a name. */
static int
archives_pack_base(
    struct query *q, uint64_t seq, struct spool *s, int *fd, struct reason *why)
{
	CLEANUP(archive_writer_freep) struct archive_writer *w = NULL;
	struct archives *ar = q->archives;
	struct archive_id id = { .seq = seq };
	struct past_made made;
	uint64_t bytes;
	int got = past_rows(q, seq, s, &made, why);

	if (got == 0 && !archives_parse_log(made.log, &id))
		got = reason_say(why, -EINVAL, "the log has no name yet");
	if (got < 0)
		return got;
	id.rules_version = made.rules_version;
	id.floor = made.floor;
	got = archives_fill(ar, s, BASE_TMP, &id, &w, why);
	if (got == 0)
		got = archive_end(w, &bytes, why);
	if (got != 0)
		return got < 0 ? got : reason_say(why, -EIO, "no room");
	got = sysio_openat(&sysio_posix, ar->dirfd, BASE_TMP, O_RDONLY, 0);
	if (got < 0)
		return reason_set(why, got, "cannot open '" BASE_TMP "'");
	/* The name goes with its writer. */
	*fd = got;
	return 0;
}

int
archives_make_base(struct query *q, uint64_t seq, int *fd, struct reason *why)
{
	struct spool_want like = {
		.key = SLICE_STR("base"), .generation = 1, .seq_now = UINT64_MAX
	};
	struct spool *s;
	int got;

	why->text[0] = '\0';
	got = spools_find(q->archives->spools, &like, &s, why);
	assert(got < 0 || got == SPOOLS_BUILD);
	if (got >= 0) {
		got = archives_pack_base(q, seq, s, fd, why);
		spool_abandon(s);
	}
	if (got < 0 && !why->text[0])
		reason_set(why, got, "the rows cannot be written");
	return got;
}
