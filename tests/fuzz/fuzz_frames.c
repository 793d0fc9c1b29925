/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Frames of any bytes, their CRCs right or wrong: whoever recovers, reads or
 * verifies comes to an end, within bounds, and events stay in order.
 */

#include "log/format_priv.h"
#include "tests/lib/logfuzz.h"

struct edits {
	const uint8_t *p;
	size_t len;
};

static void
apply(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct edits *e = arg;

	logfuzz_edit(bytes + SEGMENT_FRAMES, size - SEGMENT_FRAMES - LOG_PAGE,
	    e->p + 1, e->len - 1);
	logfuzz_mend(bytes, size, e->p[0] & LOGFUZZ_MEND_FRAMES);
}

static enum logfuzz_fate
try(const uint8_t *p, size_t len)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	const struct logfuzz_log *log = logfuzz_log();
	struct edits e = { p, len };

	if (len == 0)
		return LOGFUZZ_READ;
	fm = filemodel_clone(log->fm);
	filemodel_edit(fm, log->names[p[0] >> 7], apply, &e);
	return logfuzz_look(fm);
}

#ifdef PEAL_LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)try(data, size);
	return 0;
}
#else
int
main(void)
{
	return logfuzz_main("frames",
	    "frames of any bytes are refused or read within bounds", try);
}
#endif
