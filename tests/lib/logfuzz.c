/* SPDX-License-Identifier: BSD-2-Clause */

/* Fuzzing of the log's files; see the header. */

#include <fcntl.h>
#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "log/format_priv.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "log/segment.h"
#include "log/verify.h"
#include "tests/lib/logfuzz.h"

/* A frame of n events of some bytes, flushed alone. */
static void
logfuzz_append(struct log_writer *lw, uint64_t *seq, unsigned n)
{
	static uint8_t frame[LOG_FRAME_HEADER + 64 * (8 + 200)];
	uint8_t *p = frame + LOG_FRAME_HEADER;
	struct reason why;
	struct iovec iov = { .iov_base = frame };

	for (unsigned i = 0; i < n; i++) {
		size_t len = 1 + (*seq + i) * 37 % 200;

		memset(p + 8, (int)(*seq + i), len);
		put_le32(p, (uint32_t)len);
		put_le32(p + 4, crc32c(0, p + 8, len));
		p += 8 + len;
	}
	iov.iov_len = (size_t)(p - frame);
	frame_compose(frame, FRAME_EVENTS, n, *seq, 1000 + *seq, 0,
	    (uint32_t)(iov.iov_len - LOG_FRAME_HEADER));
	if (log_writer_room(lw) < iov.iov_len) {
		FUZZ_MUST(log_writer_prepare(lw, &why) == LOG_PREPARED);
		FUZZ_MUST(log_writer_roll(lw, *seq, &why) == 0);
	}
	log_writer_stamp(lw, frame, *seq - 1);
	*seq += n;
	FUZZ_MUST(log_writer_flush(lw, &iov, 1, *seq - 1, &why) == 0);
}

static void
logfuzz_write(struct logfuzz_log *log)
{
	CLEANUP(log_writer_freep) struct log_writer *lw = NULL;
	const struct sysio *io;
	struct log_tail tail;
	struct reason why;
	uint64_t seq = 1;

	log->fm = filemodel_new(1);
	io = filemodel_io(log->fm);
	FUZZ_MUST(recover_log(io, filemodel_root(log->fm), NULL, 0, NULL, &tail,
		      &why) == RECOVER_OK);
	FUZZ_MUST(log_writer_open(io, filemodel_root(log->fm), &tail,
		      LOGFUZZ_SEGMENT, &lw, &why) == 0);
	logfuzz_append(lw, &seq, 2);
	logfuzz_append(lw, &seq, 60);
	logfuzz_append(lw, &seq, 9);
	/* The first has no room for this. */
	segment_name(log->names[0], 1, 1, ".seg");
	segment_name(log->names[1], seq, 1, ".seg");
	logfuzz_append(lw, &seq, 50);
	logfuzz_append(lw, &seq, 1);
	FUZZ_MUST(log_writer_idle(lw, seq - 1, &why) == 0);
	log->events = seq - 1;
}

const struct logfuzz_log *
logfuzz_log(void)
{
	static struct logfuzz_log log;

	if (!log.fm)
		logfuzz_write(&log);
	for (unsigned i = 0; i < 2; i++)
		FUZZ_MUST(
		    filemodel_size(log.fm, log.names[i]) == LOGFUZZ_SEGMENT);
	return &log;
}

void
logfuzz_put(
    struct filemodel *fm, const char *name, const uint8_t *p, size_t len)
{
	const struct sysio *io = filemodel_io(fm);
	int fd = sysio_openat(
	    io, filemodel_root(fm), name, O_RDWR | O_CREAT | O_TRUNC, 0640);

	FUZZ_MUST(fd >= 0 && sysio_pwrite(io, fd, p, len, 0) == 0);
	(void)sysio_close(io, fd);
}

size_t
logfuzz_get(struct filemodel *fm, const char *name, uint8_t *p, size_t size)
{
	const struct sysio *io = filemodel_io(fm);
	int fd = sysio_openat(io, filemodel_root(fm), name, O_RDONLY, 0);
	ssize_t n = sysio_pread(io, fd, p, size, 0);

	FUZZ_MUST(fd >= 0 && n > 0 && (size_t)n < size);
	(void)sysio_close(io, fd);
	return (size_t)n;
}

void
logfuzz_edit(uint8_t *p, size_t size, const uint8_t *in, size_t len)
{
	while (len > 3 && size > 0) {
		size_t at = get_le16(in) % size;
		size_t n = MIN(MIN((size_t)in[2] % 33, len - 3), size - at);

		memcpy(p + at, in + 3, n);
		in += 3 + n;
		len -= 3 + n;
	}
}

static void
logfuzz_mend_frame(uint8_t *frame, uint32_t salt, size_t len)
{
	put_le32(frame + FRAME_PAYLOAD_CRC,
	    crc32c(salt, frame + LOG_FRAME_HEADER, len));
	put_le32(
	    frame + FRAME_HEADER_CRC, crc32c(salt, frame + FRAME_COVERED,
					  LOG_FRAME_HEADER - FRAME_COVERED));
}

/* Each sync word has a frame behind it, as far as its length may be true. */
static void
logfuzz_mend_frames(uint8_t *p, size_t size, uint32_t salt)
{
	size_t at = SEGMENT_FRAMES;

	while (at + LOG_FRAME_HEADER <= size) {
		size_t room = size - at - LOG_FRAME_HEADER;
		size_t len = frame_payload_len(p + at);

		if (get_le32(p + at) != FRAME_SYNC_WORD) {
			at = ALIGN_UP(at + 1, (size_t)LOG_PAGE);
			continue;
		}
		len = MIN(len, room);
		logfuzz_mend_frame(p + at, salt, len);
		at += LOG_FRAME_HEADER + len;
	}
}

void
logfuzz_mend(uint8_t *p, size_t size, unsigned mend)
{
	uint32_t salt = get_le32(p + SEG_SALT);

	if (mend & LOGFUZZ_MEND_HEADER)
		put_le32(p + SEG_CRC, crc32c(0, p, SEG_CRC));
	if (mend & LOGFUZZ_COPY_HEADER)
		memcpy(p + LOG_PAGE, p, LOG_PAGE);
	if (mend & LOGFUZZ_MEND_FRAMES)
		logfuzz_mend_frames(p, size - LOG_PAGE, salt);
	if (mend & LOGFUZZ_MEND_SEAL)
		logfuzz_mend_frame(p + size - LOG_PAGE, salt, FOOTER_BYTES);
}

static void
logfuzz_note(void *arg, const struct log_problem *problem)
{
	char sentence[LOG_PROBLEM_SENTENCE];

	FUZZ_MUST(strlen(log_problem_sentence(problem, sentence)) > 10);
}

/* Every event comes once, in order, within its frame. */
static enum logfuzz_fate
logfuzz_read(struct filemodel *fm, uint64_t last)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct log_frame frame;
	struct slice bytes;
	struct reason why = { "" };
	uint64_t seq = 0;
	uint32_t crc;
	int got;

	got = log_reader_open(
	    filemodel_io(fm), filemodel_root(fm), last, &rd, &why);
	if (got < 0)
		return LOGFUZZ_REFUSED;
	while ((got = log_reader_next(rd, &frame, &why)) == LOG_READ_FRAME) {
		size_t at = 0;

		FUZZ_MUST(seq == 0 || frame.first_seq == seq + 1);
		seq = frame.first_seq - 1;
		while (log_frame_event(&frame, &at, &bytes, &crc)) {
			FUZZ_MUST(bytes.p + bytes.len <=
				  frame.payload.p + frame.payload.len);
			seq++;
		}
		FUZZ_MUST(seq == frame.first_seq + frame.n_events - 1);
	}
	FUZZ_MUST(got == LOG_READ_END || why.text[0]);
	/* What was found to be there is there. */
	FUZZ_MUST(got != LOG_READ_END || seq >= last || last == UINT64_MAX);
	return got == LOG_READ_END ? LOGFUZZ_READ : LOGFUZZ_BROKEN;
}

enum logfuzz_fate
logfuzz_look(struct filemodel *fm)
{
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.problem = logfuzz_note };
	struct log_tail tail;
	struct reason why = { "" };
	int got;

	(void)!log_verify(filemodel_io(fm), filemodel_root(fm), &verify, &why);
	(void)logfuzz_read(fm, UINT64_MAX);
	got = recover_log(
	    filemodel_io(fm), filemodel_root(fm), NULL, 0, NULL, &tail, &why);
	if (got != RECOVER_OK) {
		FUZZ_MUST(why.text[0]);
		return LOGFUZZ_REFUSED;
	}
	return logfuzz_read(fm, tail.last_seq);
}

enum logfuzz_fate
logfuzz_look_at(struct logfuzz_input *in,
    void (*edit)(void *arg, uint8_t *bytes, uint64_t size))
{
	const struct logfuzz_log *log = logfuzz_log();
	CLEANUP(filemodel_freep)
	struct filemodel *fm = filemodel_clone(log->fm);

	filemodel_edit(fm, log->names[in->p[0] >> 7], edit, in);
	return logfuzz_look(fm);
}

static enum logfuzz_fate
logfuzz_try(const uint8_t *p, size_t len)
{
	struct logfuzz_input in = { p, len };

	return len > 0 ? logfuzz_target.try(in) : LOGFUZZ_READ;
}

#ifdef PEAL_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	(void)logfuzz_try(p, len);
	return 0;
}

#else

enum {
	ROUNDS = 4000
};

/* Numbers where code goes wrong, mostly. */
static size_t
logfuzz_number(uint8_t *p)
{
	static const uint64_t edges[] = { 0, 1, 2, 64, 4096, LOGFUZZ_SEGMENT,
		INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX };
	uint64_t v = edges[fuzz_roll(ARRAY_LEN(edges))] + fuzz_roll(3) - 1;
	size_t n = (size_t)1 << fuzz_roll(4);

	if (fuzz_roll(3) == 0)
		v = fuzz_roll(UINT64_MAX);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
	return n;
}

/* Mostly near the beginning, where targets have their numbers. */
static size_t
logfuzz_random(uint8_t *in)
{
	size_t len = 1;

	in[0] = (uint8_t)fuzz_roll(fuzz_roll(4) ? 16 : 256);
	for (uint64_t n = fuzz_roll(4); n > 0; n--) {
		uint64_t at = fuzz_roll(3) ? fuzz_roll(160) : fuzz_roll(65536);

		put_le16(in + len, (uint16_t)at);
		in[len + 2] = (uint8_t)logfuzz_number(in + len + 3);
		len += 3 + in[len + 2];
	}
	return len;
}

static void
logfuzz_replay(const uint8_t *p, size_t len)
{
	(void)logfuzz_try(p, len);
}

int
main(void)
{
	static uint8_t in[LOGFUZZ_INPUT];
	unsigned fates[LOGFUZZ_FATES] = { 0 };
	bool kept, good;

	printf("1..2\n");
	kept = fuzz_replay(logfuzz_target.corpus, logfuzz_replay);
	fuzz_seed();
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t n = logfuzz_random(in);

		fates[logfuzz_try(in, n)]++;
	}
	good = fates[LOGFUZZ_REFUSED] && fates[LOGFUZZ_READ];
	printf("%sok 2 - %s\n", good ? "" : "not ", logfuzz_target.what);
	printf("# %u refused, %u found out later, %u read\n",
	    fates[LOGFUZZ_REFUSED], fates[LOGFUZZ_BROKEN], fates[LOGFUZZ_READ]);
	return !(kept && good);
}

#endif
