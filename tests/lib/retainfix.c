/* SPDX-License-Identifier: BSD-2-Clause */

/* Retention as the writer does it, with a base that has one row. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/row.h"
#include "log/archive.h"
#include "log/base.h"
#include "log/chain.h"
#include "log/retain.h"
#include "log/sums.h"
#include "tests/lib/retainfix.h"

int
retainfix_look(const struct sysio *io, int dirfd,
    const struct retain_policy *policy, struct log_floor *floor,
    struct reason *why)
{
	struct segment_list list;
	uint64_t held;
	int got = chain_read(io, dirfd, &list, why);

	if (got < 0)
		return got;
	got = got == CHAIN_WHOLE ? retain_look(&list, policy, floor, &held)
				 : RETAINFIX_DAMAGED;
	segment_list_deinit(&list);
	return got;
}

int
retainfix_pack(const struct sysio *io, int dirfd, struct reason *why)
{
	struct segment_list list;
	uint64_t left = 0;
	int got = chain_read(io, dirfd, &list, why);

	if (got < 0)
		return got;
	got = got == CHAIN_WHOLE ? retain_pack(io, dirfd, &list, &left, why)
				 : RETAINFIX_DAMAGED;
	segment_list_deinit(&list);
	return got;
}

void
retainfix_pack_all(struct logfix *fx)
{
	int got;

	do {
		got = retainfix_pack(fx->io, fx->dirfd, &fx->why);
	} while (got == RETAIN_PACKED);
	if (got != RETAIN_NOTHING)
		fail_msg("%d: %s", got, fx->why.text);
}

int
retainfix_sum(const struct sysio *io, int dirfd, struct reason *why)
{
	CLEANUP(sums_maker_deinit) struct sums_maker m = { 0 };
	struct segment_list list;
	int got = chain_read(io, dirfd, &list, why);

	if (got < 0)
		return got;
	sums_round(&m, &list);
	got = got == CHAIN_WHOLE ? sums_make(io, dirfd, &m, why) : SUMS_DAMAGED;
	segment_list_deinit(&list);
	return got;
}

int
retainfix_rows(
    struct logfix *fx, const struct archive_id *id, int *fd, uint64_t *bytes)
{
	CLEANUP(archive_writer_freep) struct archive_writer *w = NULL;
	CLEANUP(mp_buf_deinit) struct mp_buf marked = { 0 };
	static const uint8_t value[] = { 0xc0 };
	struct row row = { .topic = SLICE_STR("a.b"),
		.version = id->seq,
		.seq = id->seq,
		.value = slice_of(value, sizeof(value)) };
	uint8_t buf[256];
	int err;

	err = archive_create(fx->io, fx->dirfd, "rows.tmp", id, &w, &fx->why);
	if (err < 0)
		return err;
	mp_pack_uint(&marked, row_size(&row) * 2);
	(void)row_encode(&row, buf);
	mp_pack_raw(&marked, slice_of(buf, row_size(&row)));
	if (marked.failed)
		return -ENOMEM;
	err = archive_put(w, slice_of(marked.p, marked.len), &fx->why);
	if (err == 0)
		err = archive_end(w, bytes, &fx->why);
	if (err < 0)
		return err;
	*fd = sysio_openat(fx->io, fx->dirfd, "rows.tmp", O_RDONLY, 0);
	return *fd < 0 ? *fd : 0;
}

static int
make_base(struct logfix *fx, const struct log_floor *floor)
{
	CLEANUP(base_writer_freep) struct base_writer *w = NULL;
	CLEANUP(archive_freep) struct archive *rows = NULL;
	CLEANUP(sysio_fdp) struct sysio_fd f = { fx->io, -1 };
	struct base_id id = {
		.epoch = floor->epoch, .seq = floor->seq - 1, .time_us = 1
	};
	struct archive_id of = { .epoch = id.epoch, .seq = id.seq };
	uint64_t bytes = 0;
	int err;

	memcpy(id.log_id, floor->log_id, sizeof(id.log_id));
	memcpy(of.log_id, floor->log_id, sizeof(of.log_id));
	err = retainfix_rows(fx, &of, &f.fd, &bytes);
	if (err == 0)
		err = base_create(fx->io, fx->dirfd, &id, &w, &fx->why);
	if (err < 0)
		return err;
	err = base_put_rows(w, fx->io, f.fd, bytes, &rows, &fx->why);
	if (err != ARCHIVE_ROW)
		return err < 0 ? err : -EUCLEAN;
	err = base_put(w, "state", 5, &fx->why);
	return err < 0 ? err : base_finish(w, &fx->why);
}

int
retainfix_retain(
    struct logfix *fx, uint64_t keep_bytes, struct log_floor *floor)
{
	const struct retain_policy policy = { .keep_bytes = keep_bytes };
	int err = retainfix_look(fx->io, fx->dirfd, &policy, floor, &fx->why);

	if (err != RETAIN_FLOOR)
		return err < 0 ? err : 0;
	err = make_base(fx, floor);
	if (err == 0)
		err = floor_write(fx->io, fx->dirfd, floor, &fx->why);
	return err < 0 ? err : retain_remove(fx->io, fx->dirfd, &fx->why);
}

void
retainfix_expect(struct modelfix *m, uint64_t keep_bytes)
{
	struct log_floor floor = { .seq = 0 };

	assert_int_equal(retainfix_retain(&m->fx, keep_bytes, &floor), 0);
	assert_true(floor.seq > 1);
}
