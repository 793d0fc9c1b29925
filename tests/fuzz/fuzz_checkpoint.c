/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Checkpoints of any bytes: of no use, or a state that can be asked and
 * saved again.
 */

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "tests/lib/basefuzz.h"
#include "writer/checkpoint.h"
#include "writer/state.h"

static const struct checkpoint_of of = { "0123456789abcdef", 3 };

/* A model with the checkpoint of some topics and keys. */
static struct filemodel *
saved(void)
{
	struct filemodel *fm = filemodel_new(1);
	const struct sysio *io = filemodel_io(fm);
	struct state st;

	FUZZ_MUST(state_init(&st, io, BASEFUZZ_TOPICS) == 0);
	basefuzz_fill(&st);
	FUZZ_MUST(checkpoint_write(io, filemodel_root(fm), &of, &st) == 0);
	FUZZ_MUST(checkpoint_install(io, filemodel_root(fm)) == 0);
	state_deinit(&st);
	return fm;
}

static void
apply(void *arg, uint8_t *bytes, uint64_t size)
{
	const struct logfuzz_input *in = arg;

	logfuzz_edit(bytes, size, in->p + 1, in->len - 1);
	if (in->p[0] & LOGFUZZ_MEND_HEADER)
		put_le32(bytes + size - 4, crc32c(0, bytes, size - 4));
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	static struct filemodel *whole;
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	struct reason why = { "" };
	struct state st;
	int got;

	if (!whole)
		whole = saved();
	fm = filemodel_clone(whole);
	filemodel_edit(fm, CHECKPOINT_NAME, apply, &in);
	FUZZ_MUST(state_init(&st, filemodel_io(fm), BASEFUZZ_TOPICS) == 0);
	got = checkpoint_load(
	    filemodel_io(fm), filemodel_root(fm), &of, UINT64_MAX, &st, &why);
	FUZZ_MUST(got == CHECKPOINT_LOADED || why.text[0]);
	if (got == CHECKPOINT_LOADED) {
		basefuzz_ask(&st);
		FUZZ_MUST(checkpoint_write(filemodel_io(fm), filemodel_root(fm),
			      &of, &st) == 0);
	}
	state_deinit(&st);
	return got == CHECKPOINT_LOADED ? LOGFUZZ_READ : LOGFUZZ_REFUSED;
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "checkpoint",
	.what = "a checkpoint of any bytes is of no use or a state",
	.try = try,
};
