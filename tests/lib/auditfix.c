/* SPDX-License-Identifier: BSD-2-Clause */

/* Edited logs; see the header. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/sums.h"
#include "log/verify.h"
#include "tests/lib/auditfix.h"
#include "tests/lib/retainfix.h"

static void
note_problem(void *arg, const struct log_problem *problem)
{
	struct auditfix_found *fd = arg;

	if (fd->sentence[0] == '\0')
		log_problem_sentence(problem, fd->sentence);
	if (problem->kind != LOG_EDITED || fd->segment[0] != '\0')
		return;
	snprintf(fd->segment, sizeof(fd->segment), "%s", problem->segment);
	fd->edit_first = problem->first_seq;
	fd->edit_last = problem->last_seq;
}

int
auditfix_verify_with(struct modelfix *m, struct auditfix_found *fd,
    uint64_t anchor_seq, const uint8_t *anchor)
{
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.anchor_seq = anchor_seq,
		.problem = note_problem,
		.arg = fd };
	int err;

	if (anchor)
		memcpy(verify.anchor, anchor, LOG_DIGEST);
	*fd = (struct auditfix_found){ 0 };
	err = log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why);
	fd->problems = verify.problems;
	fd->head_seq = verify.head_seq;
	memcpy(fd->head, verify.head, LOG_DIGEST);
	return err;
}

void
auditfix_verify(struct modelfix *m, struct auditfix_found *fd)
{
	assert_int_equal(auditfix_verify_with(m, fd, 0, NULL), 0);
}

void
auditfix_expect_whole(struct modelfix *m)
{
	struct auditfix_found fd;

	auditfix_verify(m, &fd);
	if (fd.problems > 0)
		fail_msg("%s", fd.sentence);
}

void
auditfix_expect_edited(struct modelfix *m, uint64_t first, uint64_t last)
{
	struct auditfix_found fd;

	auditfix_verify(m, &fd);
	if (fd.segment[0] == '\0')
		fail_msg("not told as edited: '%s'", fd.sentence);
	if (fd.edit_first != first || fd.edit_last != last)
		fail_msg("%d to %d, not %d to %d", (int)fd.edit_first,
		    (int)fd.edit_last, (int)first, (int)last);
}

void
auditfix_fill(struct modelfix *m)
{
	m->fx.segment_bytes = 64 << 10;
	logfix_start(&m->fx);
	for (unsigned i = 1; i <= AUDITFIX_LAST / 3; i++) {
		logfix_fill(&m->fx, 1, 3);
		if (i % 4 == 0)
			assert_int_equal(logfix_idle(&m->fx), 0);
	}
	auditfix_expect_whole(m);
}

size_t
auditfix_newest(struct modelfix *m)
{
	struct segment_list list;
	size_t n;

	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	n = list.n - 1;
	segment_list_deinit(&list);
	return n;
}

static void
do_deed(void *arg, uint8_t *bytes, uint64_t size)
{
	static struct editor ed;
	struct auditfix_deed *deed = arg;

	editor_open(&ed, bytes, size);
	deed->what(&ed, deed->seq);
	editor_close(&ed, deed->digests);
	assert_int_equal(size, sizeof(deed->copy));
	memcpy(deed->copy, bytes, size);
}

void
auditfix_change(struct editor *ed, uint64_t seq)
{
	editor_change(ed, seq);
}

void
auditfix_edit(struct modelfix *m, size_t n, struct auditfix_deed *deed)
{
	filemodel_edit(
	    m->fm, modelfix_named(m, modelfix_nth(m, n)), do_deed, deed);
}

void
auditfix_rewrite_from(struct modelfix *m, size_t n, struct auditfix_deed *deed)
{
	static struct editor ed;
	static uint8_t before[sizeof(deed->copy)];

	auditfix_edit(m, n, deed);
	while (n < auditfix_newest(m)) {
		int fd;

		memcpy(before, deed->copy, sizeof(before));
		fd = sysio_openat(m->fx.io, m->fx.dirfd,
		    modelfix_named(m, modelfix_nth(m, ++n)), O_RDWR, 0);
		assert_int_equal(sysio_pread(m->fx.io, fd, deed->copy,
				     sizeof(deed->copy), 0),
		    sizeof(deed->copy));
		editor_open(&ed, deed->copy, sizeof(deed->copy));
		editor_follow(&ed, before, sizeof(before));
		editor_close(&ed, EDITOR_SEAL);
		assert_int_equal(sysio_pwrite(m->fx.io, fd, deed->copy,
				     sizeof(deed->copy), 0),
		    0);
		(void)sysio_close(m->fx.io, fd);
	}
}

void
auditfix_make_sums(struct modelfix *m)
{
	int got;

	do {
		got = retainfix_sum(m->fx.io, m->fx.dirfd, &m->fx.why);
	} while (got == SUMS_MADE);
	if (got != SUMS_NOTHING)
		fail_msg("%d: %s", got, m->fx.why.text);
}

const char *
auditfix_sums_of(struct modelfix *m, size_t n)
{
	static char name[SEGMENT_NAME_SIZE];

	snprintf(
	    name, sizeof(name), "%s", modelfix_named(m, modelfix_nth(m, n)));
	strcpy(strchr(name, '.'), ".sum");
	return name;
}
