/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Archives, the files of snapshots, of any bytes, their checks right or
 * wrong: refused, or read within bounds and in order.
 */

#include "core/reason.h"
#include "log/archive.h"
#include "log/archive_priv.h"
#include "tests/lib/basefuzz.h"

enum {
	SEQ = 77
};

static struct filemodel *
archived(void)
{
	struct archive_id id = { "0123456789abcdef", 1, SEQ, 3, 0 };
	struct filemodel *fm = filemodel_new(1);
	CLEANUP(archive_writer_freep) struct archive_writer *w = NULL;
	struct reason why;
	uint64_t bytes;

	FUZZ_MUST(archive_create(filemodel_io(fm), filemodel_root(fm),
		      ARCHIVE_TMP, &id, &w, &why) == 0);
	basefuzz_put_rows(w);
	FUZZ_MUST(archive_finish(w, &bytes, &why) == 0);
	return fm;
}

/* From the beginning, or with bit 4 from the trailer on, with 5 in a block. */
static void
apply(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct logfuzz_input *in = arg;
	uint64_t from = 0;

	if (in->p[0] & 16)
		from = size - ARCHIVE_TRAILER;
	else if (in->p[0] & 32)
		from = ARCHIVE_HEADER;
	logfuzz_edit(bytes + from, size - from, in->p + 1, in->len - 1);
	basefuzz_mend(bytes, size, in->p[0]);
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	static struct filemodel *whole;
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	CLEANUP(archive_freep) struct archive *a = NULL;
	struct reason why = { "" };
	char name[ARCHIVE_NAME_SIZE];

	if (!whole)
		whole = archived();
	fm = filemodel_clone(whole);
	archive_name(name, SEQ);
	filemodel_edit(fm, name, apply, &in);
	if (archive_open(filemodel_io(fm), filemodel_root(fm), SEQ, &a, &why) !=
	    ARCHIVE_ROW) {
		FUZZ_MUST(why.text[0]);
		return LOGFUZZ_REFUSED;
	}
	return basefuzz_read_rows(a);
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "archive",
	.what = "an archive of any bytes is refused or read within bounds",
	.try = try,
};
