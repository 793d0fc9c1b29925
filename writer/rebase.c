/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rebase.  The rows are copied first and checked in the copy, which nobody
 * else can change.  Versions and keys come from the segments that are about
 * to go, read once more, so that nothing of them is given up unread.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/reason.h"
#include "core/row.h"
#include "core/topic.h"
#include "log/archive.h"
#include "log/base.h"
#include "log/recover.h"
#include "writer/checkpoint.h"
#include "writer/load.h"
#include "writer/rebase.h"

/* One row says of its topic what the log does. */
static int
check_row(
    const struct state *st, const struct archive_row *in, struct reason *why)
{
	struct version known;
	struct row row;
	int err = row_decode(in->row, &row, why);

	if (err < 0)
		return err == -ENOMEM ? err : REBASE_REFUSED;
	known = versions_get(st->versions,
	    hash_bytes(&st->topic_key, row.topic.p, row.topic.len), row.topic);
	if (known.version == row.version && known.last_seq == row.seq)
		return REBASE_DONE;
	return reason_set(why, REBASE_REFUSED,
	    "topic '%.*s' has version %" PRIu64 " of seq %" PRIu64
	    " in the rows, and %" PRIu64 " of %" PRIu64 " in the log",
	    (int)row.topic.len, (const char *)row.topic.p, row.version, row.seq,
	    known.version, known.last_seq);
}

/* All topics, each once, in their order. */
static int
check_rows(struct archive *rows, const struct state *st, struct reason *why)
{
	uint8_t last[TOPIC_MAX];
	struct archive_row row;
	size_t last_len = 0;
	uint64_t n = 0;
	int got, err;

	while ((got = archive_next(rows, &row, why)) == ARCHIVE_ROW) {
		size_t len = MIN(row.topic.len, sizeof(last));
		int order = memcmp(last, row.topic.p, MIN(last_len, len));

		if (n > 0 && (order > 0 || (order == 0 && last_len >= len)))
			return reason_set(
			    why, REBASE_REFUSED, "the rows are out of order");
		memcpy(last, row.topic.p, len);
		last_len = len;
		err = check_row(st, &row, why);
		if (err)
			return err;
		n++;
	}
	if (got != ARCHIVE_END)
		return got < 0 ? got : REBASE_REFUSED;
	if (n != versions_count(st->versions))
		return reason_set(why, REBASE_REFUSED,
		    "the rows are of %" PRIu64 " topics, the log has %" PRIu64,
		    n, versions_count(st->versions));
	return REBASE_DONE;
}

/* Is the archive, whole, of the event before the floor? */
static int
check_archive(const struct rebase *rb, struct archive *rows, struct reason *why)
{
	const struct archive_id *id = archive_id(rows);
	int got = archive_verify(rows, why);

	if (got != ARCHIVE_ROW)
		return got < 0 ? got : REBASE_REFUSED;
	if (memcmp(id->log_id, rb->floor.log_id, sizeof(id->log_id)) != 0 ||
	    id->epoch != rb->floor.epoch)
		return reason_set(why, REBASE_REFUSED,
		    "the rows are of another log or epoch");
	if (id->seq != rb->floor.seq - 1)
		return reason_set(why, REBASE_REFUSED,
		    "the rows are of seq %" PRIu64 ", not %" PRIu64, id->seq,
		    rb->floor.seq - 1);
	return REBASE_DONE;
}

/* Rows and state into the base; st is as of the event before the floor. */
static int
write_base(const struct rebase *rb, const struct state *st, struct reason *why)
{
	CLEANUP(base_writer_freep) struct base_writer *w = NULL;
	CLEANUP(archive_freep) struct archive *rows = NULL;
	struct base_id id = { .epoch = rb->floor.epoch,
		.seq = rb->floor.seq - 1,
		.time_us = st->last_time_us };
	struct checkpoint_of of = { .epoch = rb->floor.epoch };
	uint64_t bytes, room = 0;
	int got = sysio_size(rb->rows_io, rb->rows_fd, &bytes);

	if (got == 0)
		got = sysio_room(rb->io, rb->dirfd, &room);
	if (got < 0)
		return reason_set(why, got, "cannot read the rows");
	if (bytes >= room)
		return reason_say(why, -ENOSPC,
		    "the rows have %" PRIu64 " bytes, %" PRIu64 " are free",
		    bytes, room);
	memcpy(id.log_id, rb->floor.log_id, sizeof(id.log_id));
	memcpy(of.log_id, rb->floor.log_id, sizeof(of.log_id));
	got = base_create(rb->io, rb->dirfd, &id, &w, why);
	if (got < 0)
		return got;
	got = base_put_rows(w, rb->rows_io, rb->rows_fd, bytes, &rows, why);
	if (got != ARCHIVE_ROW)
		return got < 0 ? got : REBASE_REFUSED;
	got = check_archive(rb, rows, why);
	if (got == REBASE_DONE)
		got = check_rows(rows, st, why);
	if (got != REBASE_DONE)
		return got;
	got = checkpoint_put(w, &of, st);
	if (got < 0)
		return reason_set(why, got, "cannot write '" BASE_TMP "'");
	return base_finish(w, why);
}

int
rebase_run(const struct rebase *rb, struct reason *why)
{
	CLEANUP(state_deinit) struct state st = { 0 };
	struct log_tail tail = { .epoch = rb->floor.epoch,
		.last_seq = rb->floor.seq - 1 };
	struct log_floor now;
	int got = floor_read(rb->io, rb->dirfd, &now, why);

	if (got < 0)
		return got;
	if (got == FLOOR_BAD || now.seq >= rb->floor.seq)
		return reason_say(
		    why, -EINVAL, "the floor is not where it was");
	memcpy(tail.log_id, rb->floor.log_id, sizeof(tail.log_id));
	tail.oldest_seq = now.seq;
	got = load_past(rb->io, rb->dirfd, &tail, rb->max_keys, &st, why);
	if (got == LOAD_DAMAGED)
		return reason_say(why, -EUCLEAN, "%s", why->text);
	if (got == 0)
		got = write_base(rb, &st, why);
	return got ? got : floor_write(rb->io, rb->dirfd, &rb->floor, why);
}
