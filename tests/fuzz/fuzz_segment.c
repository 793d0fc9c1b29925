/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Headers and seals of segments with any numbers in them, their CRCs right or
 * wrong: whoever recovers, reads or verifies comes to an end, within bounds.
 */

#include <string.h>

#include "log/format_priv.h"
#include "tests/lib/logfuzz.h"

struct edits {
	const uint8_t *p;
	size_t len;
};

/* Offsets below the first frame are a header's; those above, the seal's. */
static void
apply(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct edits *e = arg;
	uint8_t image[SEGMENT_FRAMES + LOG_PAGE];

	memcpy(image, bytes, SEGMENT_FRAMES);
	memcpy(image + SEGMENT_FRAMES, bytes + size - LOG_PAGE, LOG_PAGE);
	logfuzz_edit(image, sizeof(image), e->p + 1, e->len - 1);
	memcpy(bytes, image, SEGMENT_FRAMES);
	memcpy(bytes + size - LOG_PAGE, image + SEGMENT_FRAMES, LOG_PAGE);
	logfuzz_mend(bytes, size, e->p[0]);
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
	return logfuzz_main("segment",
	    "headers and seals of any bytes are refused or read within bounds",
	    try);
}
#endif
