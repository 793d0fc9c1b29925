/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Indexes of any bytes beside a log that is whole: each event is found all
 * the same, for an index is a cache.
 */

#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "log/format_priv.h"
#include "log/index.h"
#include "log/log_reader.h"
#include "log/segment.h"
#include "tests/lib/logfuzz.h"

enum {
	HEADER = 48,
	ENTRY = 24
};

/* An index with room for entries that an input makes up. */
static size_t
make_index(const struct segment_header *seg, const uint8_t *in, size_t len,
    uint8_t *p, size_t size)
{
	size_t n = in[0] >> 4, bytes = HEADER + n * ENTRY + 4;

	memset(p, 0, size);
	put_le64(p, INDEX_MAGIC);
	put_le32(p + 8, 1);
	put_le32(p + 12, seg->salt);
	memcpy(p + 16, seg->log_id, 16);
	put_le64(p + 32, seg->number);
	put_le64(p + 40, n);
	/* True entries, one for each page, before they are edited. */
	for (size_t i = 0; i < n; i++) {
		put_le64(p + HEADER + i * ENTRY, 1 + 2 * i);
		put_le64(
		    p + HEADER + i * ENTRY + 8, SEGMENT_FRAMES + i * LOG_PAGE);
	}
	logfuzz_edit(p + (in[0] & 2 ? HEADER : 0),
	    bytes - (in[0] & 2 ? HEADER : 0), in + 1, len - 1);
	if (in[0] & LOGFUZZ_MEND_HEADER)
		put_le32(p + bytes - 4, crc32c(0, p, bytes - 4));
	return in[0] & 8 ? bytes - (len > 1 ? in[len - 1] % bytes : 0) : bytes;
}

/* Seeking leads to the frame that holds the event, whatever it took. */
static void
seek_all(struct filemodel *fm, uint64_t events)
{
	for (uint64_t seq = 1; seq <= events; seq += 7) {
		CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
		struct log_frame frame;
		struct reason why = { "" };

		FUZZ_MUST(log_reader_open(filemodel_io(fm), filemodel_root(fm),
			      events, &rd, &why) == 0);
		FUZZ_MUST(log_reader_seek(rd, seq, &why) == 0);
		FUZZ_MUST(log_reader_next(rd, &frame, &why) == LOG_READ_FRAME);
		FUZZ_MUST(frame.first_seq <= seq &&
			  frame.first_seq + frame.n_events > seq);
	}
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	const struct logfuzz_log *log = logfuzz_log();
	struct index ix = { 0 };
	struct segment seg;
	struct reason why;
	uint8_t bytes[1024];
	char name[SEGMENT_NAME_SIZE];
	size_t n;
	int got;

	fm = filemodel_clone(log->fm);
	FUZZ_MUST(segment_read(filemodel_io(fm), filemodel_root(fm),
		      log->names[0], &seg, &why) == 0);
	n = make_index(&seg.header, in.p, in.len, bytes, sizeof(bytes));
	segment_name(
	    name, seg.header.first_seq, seg.header.incarnation, ".idx");
	logfuzz_put(fm, name, bytes, n);
	got =
	    index_read(filemodel_io(fm), filemodel_root(fm), &seg.header, &ix);
	FUZZ_MUST(got == INDEX_READ || got == INDEX_NONE);
	index_deinit(&ix);
	seek_all(fm, log->events);
	return got == INDEX_READ ? LOGFUZZ_READ : LOGFUZZ_REFUSED;
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "index",
	.what = "an index of any bytes is of no use, or hides no event",
	.try = try,
};
