/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sums of any bytes beside a log that is whole: they are of no use, or name
 * an event of the segment, and where they are not whole they are made anew.
 */

#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "log/chain.h"
#include "log/sums.h"
#include "tests/lib/logfuzz.h"

enum {
	SIZE = 4096,
	CRC = 4
};

/* The log with the sums of its first segment, as they should be. */
struct summed {
	struct filemodel *fm;
	struct segment seg;
	char name[SEGMENT_NAME_SIZE];
	uint8_t bytes[SIZE];
	size_t len;
};

/* A round of all segments, by whoever knows nothing yet. */
static int
make(struct filemodel *fm, struct segment *first)
{
	CLEANUP(sums_maker_deinit) struct sums_maker m = { 0 };
	const struct sysio *io = filemodel_io(fm);
	int dirfd = filemodel_root(fm), got;
	struct segment_list list;
	struct reason why;

	FUZZ_MUST(chain_read(io, dirfd, &list, &why) == CHAIN_WHOLE);
	*first = list.v[0];
	sums_round(&m, &list);
	got = sums_make(io, dirfd, &m, &why);
	FUZZ_MUST(sums_make(io, dirfd, &m, &why) == SUMS_NOTHING);
	segment_list_deinit(&list);
	return got;
}

static const struct summed *
summed(void)
{
	static struct summed s;

	if (!s.fm) {
		s.fm = filemodel_clone(logfuzz_log()->fm);
		FUZZ_MUST(make(s.fm, &s.seg) == SUMS_MADE);
		sums_name(s.name, &s.seg.header);
		s.len = logfuzz_get(s.fm, s.name, s.bytes, SIZE);
	}
	return &s;
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	const struct summed *was = summed();
	CLEANUP(filemodel_freep)
	struct filemodel *fm = filemodel_clone(was->fm);
	uint8_t bytes[SIZE];
	size_t len = was->len;
	struct sums sums;
	struct segment seg;
	struct reason why = { "" };
	uint64_t seq;
	int got;

	memcpy(bytes, was->bytes, len);
	logfuzz_edit(bytes, len, in.p + 1, in.len - 1);
	/* Cut it off anywhere: it has more bytes than a byte has values. */
	if (in.p[0] & LOGFUZZ_COPY_HEADER)
		len -= in.p[in.len - 1] * 3U % len;
	if (in.p[0] & LOGFUZZ_MEND_HEADER && len > CRC)
		put_le32(bytes + len - CRC, crc32c(0, bytes, len - CRC));
	logfuzz_put(fm, was->name, bytes, len);
	got = sums_read(
	    filemodel_io(fm), filemodel_root(fm), &was->seg.header, &sums);
	FUZZ_MUST(got == SUMS_READ || got == SUMS_NONE);
	if (got == SUMS_READ) {
		FUZZ_MUST(sums_compare(filemodel_io(fm), filemodel_root(fm),
			      &was->seg, &sums, &seq, &why) == 0);
		FUZZ_MUST(seq <= was->seg.extent.last_seq);
		sums_deinit(&sums);
	}
	(void)logfuzz_look(fm);
	FUZZ_MUST(
	    make(fm, &seg) == (got == SUMS_READ ? SUMS_NOTHING : SUMS_MADE));
	if (got == SUMS_READ)
		return LOGFUZZ_READ;
	FUZZ_MUST(logfuzz_get(fm, was->name, bytes, SIZE) == was->len &&
		  memcmp(bytes, was->bytes, was->len) == 0);
	return LOGFUZZ_REFUSED;
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "sums",
	.what = "sums of any bytes are made anew, or name an event",
	.try = try,
};
