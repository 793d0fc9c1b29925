/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the retainer does, with rows that follow from the ledger: a stand-in
 * for the broker, whose file is on another disk.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/mp.h"
#include "core/row.h"
#include "log/archive.h"
#include "log/retain.h"
#include "tests/lib/retainfix.h"
#include "tests/lib/seqfix.h"
#include "writer/rebase.h"

/* Topic t as of seq; version 0: it had no event by then. */
static struct row
seqfix_row(const struct ledger *l, unsigned t, uint64_t seq)
{
	static const uint8_t nil[] = { 0xc0 };
	struct row row = { .value = slice_of(nil, sizeof(nil)) };

	for (uint64_t i = 0; i < seq; i++)
		if (l->ev[i].is.topic == t) {
			row.version = l->ev[i].version;
			row.seq = i + 1;
		}
	return row;
}

static int
seqfix_put_row(
    struct archive_writer *w, unsigned t, struct row *row, struct reason *why)
{
	CLEANUP(mp_buf_deinit) struct mp_buf marked = { 0 };
	struct ask_event e = { .topic = t };
	struct ledger_text text;
	uint8_t buf[256];

	ledger_text(&e, -1, 0, &text);
	row->topic = slice_of(text.topic, strlen(text.topic));
	(void)row_encode(row, buf);
	mp_pack_uint(&marked, row_size(row) * 2);
	mp_pack_raw(&marked, slice_of(buf, row_size(row)));
	return archive_put(w, slice_of(marked.p, marked.len), why);
}

/* Of an archive: of the hash of all before. */
static void
invert_last(void *arg, uint8_t *bytes, uint64_t size)
{
	(void)arg;
	bytes[size - 1] ^= 0xff;
}

int
seqfix_rows(struct seqfix *sf, struct filemodel *disk,
    const struct log_floor *floor, const struct seqfix_lie *lie)
{
	CLEANUP(archive_writer_freep) struct archive_writer *w = NULL;
	const struct sysio *io = filemodel_io(disk);
	int dirfd = filemodel_root(disk), err;
	struct archive_id id = { .epoch = floor->epoch + lie->epoch,
		.seq = floor->seq - 1 - lie->seq };
	uint64_t bytes;

	memcpy(id.log_id, floor->log_id, sizeof(id.log_id));
	id.log_id[0] ^= lie->log;
	err = archive_create(io, dirfd, "rows", &id, &w, &sf->why);
	for (unsigned i = 0; err == 0 && i < LEDGER_TOPICS; i++) {
		unsigned t = lie->backwards ? LEDGER_TOPICS - 1 - i : i;
		struct row row = seqfix_row(sf->ledger, t, floor->seq - 1);

		row.version += i == lie->of ? lie->version : 0;
		row.seq -= i == lie->of ? lie->last_seq : 0;
		if (row.seq == 0 || (i == lie->of && lie->left_out))
			continue;
		err = seqfix_put_row(w, t, &row, &sf->why);
		if (err == 0 && i == lie->of && lie->twice)
			err = seqfix_put_row(w, t, &row, &sf->why);
	}
	if (err == 0)
		err = archive_end(w, &bytes, &sf->why);
	if (err < 0)
		return err;
	if (lie->edited)
		filemodel_edit(disk, "rows", invert_last, NULL);
	return sysio_openat(io, dirfd, "rows", O_RDONLY, 0);
}

int
seqfix_rebase(struct seqfix *sf, const struct log_floor *floor,
    const struct seqfix_lie *lie)
{
	CLEANUP(filemodel_freep) struct filemodel *disk = filemodel_new(1);
	struct rebase rb = { .io = sf->io,
		.dirfd = sf->dirfd,
		.floor = *floor,
		.max_keys = SEQFIX_KEYS,
		.rows_io = filemodel_io(disk) };

	rb.rows_fd = seqfix_rows(sf, disk, floor, lie);
	return rb.rows_fd < 0 ? rb.rows_fd : rebase_run(&rb, &sf->why);
}

int
seqfix_retain(struct seqfix *sf, uint64_t keep_bytes)
{
	const struct retain_policy policy = { .keep_bytes = keep_bytes };
	const struct seqfix_lie none = { .of = 0 };
	const struct sysio *io = sf->io;
	struct log_floor floor;
	int got = retainfix_look(io, sf->dirfd, &policy, &floor, &sf->why);

	if (got == RETAIN_FLOOR) {
		got = seqfix_rebase(sf, &floor, &none);
		if (got == 0)
			got = retain_remove(io, sf->dirfd, &sf->why);
	}
	while (got == 0 || got == RETAIN_PACKED)
		if ((got = retainfix_pack(io, sf->dirfd, &sf->why)) == 0)
			return 0;
	return got < 0 ? got : SEQFIX_WRONG;
}
