/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A log for tests.  What fails here is the test's failure, but for what a
 * caller may want to see fail: that is returned.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "log/log_reader.h"
#include "tests/lib/logfix.h"

static unsigned noted;

static void
logfix_note(const char *sentence)
{
	noted++;
}

unsigned
logfix_notes(void)
{
	unsigned n = noted;

	noted = 0;
	return n;
}

void
logfix_init(struct logfix *fx, const struct sysio *io, int dirfd)
{
	*fx = (struct logfix){
		.io = io, .dirfd = dirfd, .segment_bytes = LOGFIX_SEGMENT
	};
}

static void
logfix_drop_frames(struct logfix *fx)
{
	for (int i = 0; i < fx->n_iov; i++)
		free(fx->iov[i].iov_base);
	fx->n_iov = 0;
}

void
logfix_deinit(struct logfix *fx)
{
	logfix_stop(fx);
}

int
logfix_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct logfix *fx = malloc(sizeof(*fx));

	assert_non_null(fx);
	logfix_init(fx, &sysio_posix, -1);
	snprintf(fx->path, sizeof(fx->path), "%.40s/peal-log-XXXXXX",
	    tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(fx->path));
	fx->dirfd = open(fx->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fx->dirfd >= 0);
	logfix_notes();
	*state = fx;
	return 0;
}

int
logfix_teardown(void **state)
{
	struct logfix *fx = *state;
	char command[100];

	logfix_deinit(fx);
	(void)close(fx->dirfd);
	snprintf(command, sizeof(command), "rm -rf '%s'", fx->path);
	assert_int_equal(system(command), 0);
	free(fx);
	return 0;
}

int
logfix_recover(struct logfix *fx)
{
	int got;

	logfix_stop(fx);
	got = recover_log(
	    fx->io, fx->dirfd, NULL, 0, logfix_note, &fx->tail, &fx->why);
	if (got != RECOVER_OK)
		return got;
	fx->next_seq = fx->tail.last_seq + 1;
	fx->durable_seq = fx->tail.last_seq;
	return log_writer_open(
	    fx->io, fx->dirfd, &fx->tail, fx->segment_bytes, &fx->lw, &fx->why);
}

void
logfix_start(struct logfix *fx)
{
	fx->why.text[0] = '\0';
	if (logfix_recover(fx) != RECOVER_OK)
		fail_msg("recovery: %s", fx->why.text);
}

void
logfix_stop(struct logfix *fx)
{
	logfix_drop_frames(fx);
	fx->lw = log_writer_free(fx->lw);
}

size_t
logfix_event(uint64_t seq, uint8_t buf[LOGFIX_EVENT_MAX])
{
	size_t len = 8 + seq * 37 % 190;

	put_le64(buf, seq);
	for (size_t i = 8; i < len; i++)
		buf[i] = (uint8_t)(seq * 131 + i * 7);
	return len;
}

uint8_t *
logfix_compose(struct logfix *fx, unsigned n)
{
	uint8_t *frame = malloc(
	    LOG_FRAME_HEADER + n * (LOG_EVENT_HEADER + LOGFIX_EVENT_MAX));
	uint8_t *p = frame + LOG_FRAME_HEADER;

	assert_non_null(frame);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *bytes = p + LOG_EVENT_HEADER;
		size_t len = logfix_event(fx->next_seq + i, bytes);

		put_le32(p, (uint32_t)len);
		put_le32(p + 4, crc32c(0, bytes, len));
		p = bytes + len;
	}
	frame_compose(frame, FRAME_EVENTS, n, fx->next_seq,
	    1000000 + fx->next_seq, 0,
	    (uint32_t)(p - frame - LOG_FRAME_HEADER));
	return frame;
}

static int
logfix_roll(struct logfix *fx)
{
	int err = logfix_flush(fx);

	if (err < 0)
		return err;
	err = log_writer_prepare(fx->lw, &fx->why);
	if (err != LOG_PREPARED)
		return err < 0 ? err : -1;
	return log_writer_roll(fx->lw, fx->next_seq, &fx->why);
}

int
logfix_stamp(struct logfix *fx, unsigned n)
{
	return logfix_stamp_frame(fx, logfix_compose(fx, n));
}

int
logfix_stamp_frame(struct logfix *fx, uint8_t *frame)
{
	size_t len = LOG_FRAME_HEADER + frame_payload_len(frame);

	assert_true(fx->n_iov < LOGFIX_FRAMES);
	if (len > log_writer_room(fx->lw)) {
		int err = logfix_roll(fx);

		if (err < 0) {
			free(frame);
			return err;
		}
	}
	log_writer_stamp(fx->lw, frame, fx->durable_seq);
	fx->iov[fx->n_iov++] = (struct iovec){ frame, len };
	fx->next_seq += frame_n_events(frame);
	return 0;
}

int
logfix_flush(struct logfix *fx)
{
	struct iovec iov[LOGFIX_FRAMES];
	int err;

	if (fx->n_iov == 0)
		return 0;
	memcpy(iov, fx->iov, sizeof(iov));
	err = log_writer_flush(
	    fx->lw, iov, fx->n_iov, fx->next_seq - 1, &fx->why);
	logfix_drop_frames(fx);
	if (err == 0)
		fx->durable_seq = fx->next_seq - 1;
	return err;
}

int
logfix_append(struct logfix *fx, unsigned n)
{
	int err = logfix_stamp(fx, n);

	return err < 0 ? err : logfix_flush(fx);
}

int
logfix_idle(struct logfix *fx)
{
	return log_writer_idle(fx->lw, fx->durable_seq, &fx->why);
}

void
logfix_fill(struct logfix *fx, unsigned frames, unsigned n)
{
	for (unsigned i = 0; i < frames; i++)
		if (logfix_append(fx, n) < 0)
			fail_msg("append: %s", fx->why.text);
}

static bool
logfix_check(uint64_t seq, struct slice event, uint32_t crc)
{
	uint8_t want[LOGFIX_EVENT_MAX];
	size_t len = logfix_event(seq, want);

	return slice_equal(event, slice_of(want, len)) &&
	       crc == crc32c(0, want, len);
}

long
logfix_read(struct logfix *fx, uint64_t limit_seq, int *outcome)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct log_frame frame;
	struct slice event;
	uint32_t crc;
	long n = 0;

	*outcome = log_reader_open(fx->io, fx->dirfd, limit_seq, &rd, &fx->why);
	if (*outcome < 0)
		return 0;
	n = (long)log_reader_oldest(rd) - 1;
	while ((*outcome = log_reader_next(rd, &frame, &fx->why)) ==
	       LOG_READ_FRAME) {
		uint64_t seq = frame.first_seq;
		size_t at = 0;

		while (log_frame_event(&frame, &at, &event, &crc)) {
			if (seq != (uint64_t)n + 1 ||
			    !logfix_check(seq, event, crc))
				return -1;
			seq++;
			n++;
		}
		if (seq != frame.first_seq + frame.n_events)
			return -1;
	}
	return n;
}

void
logfix_expect(struct logfix *fx, uint64_t last)
{
	int outcome;
	long n = logfix_read(fx, last, &outcome);

	if (outcome != LOG_READ_END)
		fail_msg("reading: %s", fx->why.text);
	assert_int_equal(n, last);
}
