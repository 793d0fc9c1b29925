/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Frames of any bytes, their CRCs right or wrong: whoever recovers, reads or
 * verifies comes to an end, within bounds, and events stay in order.
 */

#include "log/format_priv.h"
#include "tests/lib/logfuzz.h"

static void
apply(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct logfuzz_input *in = arg;

	logfuzz_edit(bytes + SEGMENT_FRAMES, size - SEGMENT_FRAMES - LOG_PAGE,
	    in->p + 1, in->len - 1);
	logfuzz_mend(bytes, size, in->p[0] & LOGFUZZ_MEND_FRAMES);
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	return logfuzz_look_at(&in, apply);
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "frames",
	.what = "frames of any bytes are refused or read within bounds",
	.try = try,
};
