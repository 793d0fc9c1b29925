/* SPDX-License-Identifier: BSD-2-Clause */

/* A log in the file model, and what may befall it. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/format_priv.h"
#include "log/verify.h"
#include "log/witness.h"
#include "tests/lib/modelfix.h"

int
modelfix_setup(void **state)
{
	struct modelfix *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->fm = filemodel_new(1);
	logfix_init(&m->fx, filemodel_io(m->fm), filemodel_root(m->fm));
	logfix_notes();
	*state = m;
	return 0;
}

int
modelfix_teardown(void **state)
{
	struct modelfix *m = *state;

	logfix_deinit(&m->fx);
	filemodel_free(m->fm);
	free(m);
	return 0;
}

/* The name of the segment that begins with first_seq. */
const char *
modelfix_named(struct modelfix *m, uint64_t first_seq)
{
	static char name[SEGMENT_NAME_SIZE];
	struct segment_list list;

	name[0] = '\0';
	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	for (size_t i = 0; i < list.n; i++)
		if (list.v[i].name_first_seq == first_seq)
			memcpy(name, list.v[i].name, sizeof(name));
	segment_list_deinit(&list);
	return name;
}

/* The first seq of the nth segment, from 0 on. */
uint64_t
modelfix_nth(struct modelfix *m, size_t n)
{
	struct segment_list list;
	uint64_t first;

	assert_int_equal(
	    segment_list_read(m->fx.io, m->fx.dirfd, &list, &m->fx.why), 0);
	assert_true(n < list.n);
	first = list.v[n].name_first_seq;
	segment_list_deinit(&list);
	return first;
}

void
modelfix_apply_edit(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct modelfix_edit *e = arg;

	assert_true(e->at + e->len <= size);
	for (size_t i = 0; i < e->len; i++)
		bytes[e->at + i] =
		    e->bytes ? e->bytes[i] : (uint8_t)~bytes[e->at + i];
}

void
modelfix_spoil(struct modelfix *m, const char *name, uint64_t at, size_t len)
{
	struct modelfix_edit e = { at, len, NULL };

	filemodel_edit(m->fm, name, modelfix_apply_edit, &e);
}

void
modelfix_wipe(struct modelfix *m, const char *name, uint64_t at, size_t len)
{
	static const uint8_t zeros[64 << 10];
	struct modelfix_edit e = { at, len, zeros };

	filemodel_edit(m->fm, name, modelfix_apply_edit, &e);
}

void
modelfix_expect_damage(
    struct modelfix *m, enum log_problem_kind kind, const char *text)
{
	const char *name = log_problem_name(kind);

	assert_int_equal(logfix_recover(&m->fx), RECOVER_DAMAGED);
	if (!strstr(m->fx.why.text, text))
		fail_msg("'%s' is not in '%s'", text, m->fx.why.text);
	if (strncmp(m->fx.why.text, name, strlen(name)) != 0)
		fail_msg("'%s' is no %s", m->fx.why.text, name);
}

void
modelfix_expect_recovered(struct modelfix *m, uint64_t last)
{
	logfix_start(&m->fx);
	assert_int_equal(m->fx.tail.last_seq, last);
	logfix_expect(&m->fx, last);
}

static void
modelfix_note_problem(void *arg, const struct log_problem *problem)
{
	log_problem_sentence(problem, arg);
}

uint64_t
modelfix_problems(struct modelfix *m, char sentence[LOG_PROBLEM_SENTENCE])
{
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.problem = modelfix_note_problem,
		.arg = sentence };

	sentence[0] = '\0';
	assert_int_equal(
	    log_verify(m->fx.io, m->fx.dirfd, &verify, &m->fx.why), 0);
	return verify.problems;
}

bool
modelfix_in_quarantine(struct modelfix *m, const char *name)
{
	const struct sysio *io = m->fx.io;
	int dir = sysio_openat(io, m->fx.dirfd, "quarantine", 0, 0);
	int fd = dir < 0 ? dir : sysio_openat(io, dir, name, 0, 0);

	if (fd >= 0)
		(void)sysio_close(io, fd);
	if (dir >= 0)
		(void)sysio_close(io, dir);
	return fd >= 0;
}

void
modelfix_store_witness(struct modelfix *m, uint64_t seq)
{
	CLEANUP(witness_freep) struct witness *wit = NULL;

	assert_int_equal(
	    witness_open(m->fx.io, m->fx.dirfd, WITNESS_NAME, m->fx.tail.log_id,
		m->fx.tail.epoch, &wit, &m->fx.why),
	    0);
	assert_int_equal(witness_store(wit, seq), 0);
}

int
modelfix_directory(struct modelfix *m, const char *name)
{
	int fd;

	assert_int_equal(sysio_mkdir(m->fx.io, m->fx.dirfd, name, 0750), 0);
	fd = sysio_openat(
	    m->fx.io, m->fx.dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	assert_true(fd >= 0);
	return fd;
}

/* Where the nth frame (from 0 on) of a segment of one-page flushes begins. */
uint64_t
modelfix_page(unsigned n)
{
	return SEGMENT_FRAMES + (uint64_t)n * LOG_PAGE;
}

void
modelfix_take_copy(void *arg, uint8_t *bytes, uint64_t size)
{
	struct modelfix_copy *c = arg;

	assert_int_equal(size, sizeof(c->bytes));
	memcpy(c->bytes, bytes, size);
}

static void
put_bytes(
    struct modelfix *m, const char *name, const uint8_t *bytes, size_t len)
{
	int fd =
	    sysio_openat(m->fx.io, m->fx.dirfd, name, O_RDWR | O_CREAT, 0640);

	assert_true(fd >= 0);
	assert_int_equal(sysio_pwrite(m->fx.io, fd, bytes, len, 0), 0);
	assert_int_equal(sysio_fsync(m->fx.io, fd), 0);
	(void)sysio_close(m->fx.io, fd);
}

void
modelfix_put_file(
    struct modelfix *m, const char *name, const struct modelfix_copy *c)
{
	put_bytes(m, name, c->bytes, sizeof(c->bytes));
}

void
modelfix_put_inside(struct modelfix *m, uint64_t first_seq,
    uint64_t of_first_seq, struct modelfix_copy *c)
{
	struct modelfix_copy other;
	char name[SEGMENT_NAME_SIZE];

	snprintf(name, sizeof(name), "%s", modelfix_named(m, first_seq));
	filemodel_edit(
	    m->fm, modelfix_named(m, of_first_seq), modelfix_take_copy, &other);
	filemodel_edit(m->fm, name, modelfix_take_copy, c);
	memset(c->bytes, 0, SEGMENT_FRAMES);
	memset(c->bytes + modelfix_page(1), 0, LOG_PAGE);
	memcpy(c->bytes + modelfix_page(1) + 100,
	    other.bytes + modelfix_page(0), LOG_PAGE - 200);
	modelfix_put_file(m, name, c);
}

void
modelfix_put_foreign(struct modelfix *m, size_t n, struct modelfix_copy *was)
{
	CLEANUP(filemodel_freep) struct filemodel *other = filemodel_new(2);
	char name[SEGMENT_NAME_SIZE];
	struct modelfix_copy c;
	struct logfix fx;

	logfix_init(&fx, filemodel_io(other), filemodel_root(other));
	fx.segment_bytes = sizeof(c.bytes);
	logfix_start(&fx);
	logfix_fill(&fx, 20, 3);
	logfix_deinit(&fx);
	snprintf(
	    name, sizeof(name), "%s", modelfix_named(m, modelfix_nth(m, n)));
	filemodel_edit(m->fm, name, modelfix_take_copy, was);
	filemodel_edit(other, name, modelfix_take_copy, &c);
	modelfix_put_file(m, name, &c);
}

void
modelfix_append_frame_of(struct modelfix *m, const char *name, uint64_t at)
{
	uint8_t page[LOG_PAGE], *frame, *event;
	int fd = sysio_openat(m->fx.io, m->fx.dirfd, name, O_RDONLY, 0);
	uint32_t len;

	assert_true(fd >= 0);
	assert_int_equal(
	    sysio_pread(m->fx.io, fd, page, sizeof(page), at), sizeof(page));
	(void)sysio_close(m->fx.io, fd);
	len = LOG_FRAME_HEADER + frame_payload_len(page);
	assert_in_range(len, LOG_FRAME_HEADER, sizeof(page));
	frame = malloc(LOG_FRAME_HEADER + LOG_EVENT_HEADER + len);
	assert_non_null(frame);
	event = frame + LOG_FRAME_HEADER + LOG_EVENT_HEADER;
	memcpy(event, page, len);
	put_le32(event - 8, len);
	put_le32(event - 4, crc32c(0, event, len));
	frame_compose(frame, FRAME_EVENTS, 1, m->fx.next_seq,
	    1000000 + m->fx.next_seq, 0, LOG_EVENT_HEADER + len);
	assert_int_equal(logfix_stamp_frame(&m->fx, frame), 0);
	assert_int_equal(logfix_flush(&m->fx), 0);
}

void
modelfix_put_old(struct modelfix *m, const char *name)
{
	const char *top = getenv("top_srcdir");
	struct modelfix_copy c;
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/data/log-v1/%s",
	    top ? top : "..", name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(c.bytes, 1, sizeof(c.bytes), f);
	assert_true(n > 0 && fgetc(f) == EOF);
	(void)fclose(f);
	put_bytes(m, name, c.bytes, n);
}

/* Some full segments, and an open one. */
void
modelfix_fill_segments(struct modelfix *m)
{
	m->fx.segment_bytes = sizeof(((struct modelfix_copy *)0)->bytes);
	logfix_start(&m->fx);
	logfix_fill(&m->fx, 20, 3);
	assert_true(modelfix_nth(m, 3) > 0);
}

/* Roll and die before the first frame. */
void
modelfix_begin_segment(struct modelfix *m)
{
	assert_int_equal(
	    log_writer_prepare(m->fx.lw, &m->fx.why), LOG_PREPARED);
	assert_int_equal(
	    log_writer_roll(m->fx.lw, m->fx.next_seq, &m->fx.why), 0);
}
