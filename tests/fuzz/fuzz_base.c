/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A base of any bytes, its checks right or wrong: refused as damaged, or its
 * rows and the state behind them are read within bounds.
 */

#include <fcntl.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "core/sha256.h"
#include "log/archive.h"
#include "log/base.h"
#include "tests/lib/basefuzz.h"
#include "writer/checkpoint.h"
#include "writer/state.h"

enum {
	/* Offsets of doc/formats.md, in the trailer. */
	TRAILER = 256,
	AT_ROWS = 56,
	AT_STATE = 64,
	AT_CRC = 220,
	/* What else an input may ask for. */
	MEND_TRAILER = 16,
	MEND_STATE = 32,
	EDIT_TRAILER = 64,
	EDIT_STATE = 128,
};

static const struct checkpoint_of of = { "0123456789abcdef", 3 };

static void
put_state(struct base_writer *w, const struct sysio *io)
{
	struct state st;

	FUZZ_MUST(state_init(&st, io, BASEFUZZ_TOPICS) == 0);
	basefuzz_fill(&st);
	FUZZ_MUST(checkpoint_put(w, &of, &st) == 0);
	state_deinit(&st);
}

/* A model with a base of some rows and a state. */
static struct filemodel *
based(void)
{
	struct filemodel *fm = filemodel_new(1);
	const struct sysio *io = filemodel_io(fm);
	struct archive_id rows = { .epoch = of.epoch, .seq = BASEFUZZ_HEAD };
	struct base_id id = {
		.epoch = of.epoch, .seq = BASEFUZZ_HEAD, .time_us = 9
	};
	CLEANUP(archive_writer_freep) struct archive_writer *aw = NULL;
	CLEANUP(archive_freep) struct archive *a = NULL;
	CLEANUP(base_writer_freep) struct base_writer *w = NULL;
	int dirfd = filemodel_root(fm), fd;
	struct reason why;
	uint64_t bytes;

	memcpy(rows.log_id, of.log_id, sizeof(rows.log_id));
	memcpy(id.log_id, of.log_id, sizeof(id.log_id));
	FUZZ_MUST(archive_create(io, dirfd, "rows.tmp", &rows, &aw, &why) == 0);
	basefuzz_put_rows(aw);
	FUZZ_MUST(archive_end(aw, &bytes, &why) == 0);
	fd = sysio_openat(io, dirfd, "rows.tmp", O_RDONLY, 0);
	FUZZ_MUST(base_create(io, dirfd, &id, &w, &why) == 0);
	FUZZ_MUST(base_put_rows(w, io, fd, bytes, &a, &why) == ARCHIVE_ROW);
	put_state(w, io);
	FUZZ_MUST(base_finish(w, &why) == 0);
	(void)sysio_close(io, fd);
	return fm;
}

/* Whatever lengths the trailer has: what is mended are those that were true. */
static void
apply(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct logfuzz_input *in = arg;
	uint8_t *t = bytes + size - TRAILER;
	uint64_t rows = get_le64(t + AT_ROWS), state = get_le64(t + AT_STATE);
	unsigned what = in->p[0];
	uint64_t from = 0;

	if (what & EDIT_TRAILER)
		from = size - TRAILER;
	else if (what & EDIT_STATE)
		from = rows;
	logfuzz_edit(bytes + from, size - from, in->p + 1, in->len - 1);
	basefuzz_mend(bytes, rows, what);
	if (what & MEND_STATE)
		put_le32(bytes + rows + state - 4,
		    crc32c(0, bytes + rows, state - 4));
	if (what & MEND_TRAILER) {
		put_le32(t + AT_CRC, crc32c(0, t, AT_CRC));
		sha256(bytes, size - SHA256_BYTES, bytes + size - SHA256_BYTES);
	}
}

static enum logfuzz_fate
read_base(struct filemodel *fm, struct base *base)
{
	struct reason why = { "" };
	struct state st;
	int got = base_verify(base, &why);
	bool good;

	FUZZ_MUST(got == BASE_OPENED || (got == BASE_DAMAGED && why.text[0]));
	good = basefuzz_read_rows(base_rows(base)) == LOGFUZZ_READ;
	FUZZ_MUST(state_init(&st, filemodel_io(fm), BASEFUZZ_TOPICS) == 0);
	got = checkpoint_get(filemodel_io(fm), base, &st, &why);
	FUZZ_MUST(got == CHECKPOINT_LOADED || why.text[0]);
	if (got == CHECKPOINT_LOADED)
		basefuzz_ask(&st);
	state_deinit(&st);
	return good && got == CHECKPOINT_LOADED ? LOGFUZZ_READ : LOGFUZZ_BROKEN;
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	static struct filemodel *whole;
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	CLEANUP(base_freep) struct base *base = NULL;
	struct reason why = { "" };
	char name[BASE_NAME_SIZE];

	if (!whole)
		whole = based();
	fm = filemodel_clone(whole);
	base_name(name, BASEFUZZ_HEAD);
	filemodel_edit(fm, name, apply, &in);
	if (base_open(filemodel_io(fm), filemodel_root(fm), BASEFUZZ_HEAD,
		of.log_id, &base, &why) != BASE_OPENED) {
		FUZZ_MUST(why.text[0]);
		return LOGFUZZ_REFUSED;
	}
	return read_base(fm, base);
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "base",
	.what = "a base of any bytes is refused or read within bounds",
	.try = try,
};
