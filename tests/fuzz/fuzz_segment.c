/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Headers and seals of segments with any numbers in them, their CRCs right or
 * wrong: whoever recovers, reads or verifies comes to an end, within bounds.
 */

#include <string.h>

#include "log/format_priv.h"
#include "tests/lib/logfuzz.h"

/* Offsets below the first frame are a header's; those above, the seal's. */
static void
apply(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct logfuzz_input *in = arg;
	uint8_t image[SEGMENT_FRAMES + LOG_PAGE];

	memcpy(image, bytes, SEGMENT_FRAMES);
	memcpy(image + SEGMENT_FRAMES, bytes + size - LOG_PAGE, LOG_PAGE);
	logfuzz_edit(image, sizeof(image), in->p + 1, in->len - 1);
	memcpy(bytes, image, SEGMENT_FRAMES);
	memcpy(bytes + size - LOG_PAGE, image + SEGMENT_FRAMES, LOG_PAGE);
	logfuzz_mend(bytes, size, in->p[0]);
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	return logfuzz_look_at(&in, apply);
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "segment",
	.what = "headers and seals of any bytes are refused or read "
		"within bounds",
	.try = try,
};
