/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Checkpoints of any bytes: of no use, or a state that can be asked and
 * saved again.
 */

#include <string.h>

#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/reason.h"
#include "tests/lib/logfuzz.h"
#include "writer/checkpoint.h"
#include "writer/state.h"

static const struct checkpoint_of of = { "0123456789abcdef", 3 };

/* A model with the checkpoint of some topics and keys. */
static struct filemodel *
saved(void)
{
	struct filemodel *fm = filemodel_new(1);
	const struct sysio *io = filemodel_io(fm);
	uint64_t versions[2] = { 4, 5 };
	struct version_undo undo;
	struct key_id ids[2];
	struct state st;

	FUZZ_MUST(state_init(&st, io, 100) == 0);
	for (unsigned i = 0; i < 20; i++) {
		char text[16];
		struct slice topic = slice_of(
		    text, (size_t)snprintf(text, sizeof(text), "t.%u", i % 7));

		FUZZ_MUST(versions_bump(st.versions,
		    hash_bytes(&st.topic_key, topic.p, topic.len), topic,
		    ++st.head_seq, &undo));
	}
	for (unsigned i = 0; i < 3; i++) {
		struct keys_request req = {
			.first_seq = 9 + i, .time_us = 77, .n = 2
		};

		ids[0] = (struct key_id){ { i + 1, 5 } };
		ids[1] = (struct key_id){ { i + 1, 6 } };
		FUZZ_MUST(keys_add(st.keys, &req, ids, versions) == 0);
	}
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

/* Whatever was loaded can be asked, and saved as it is. */
static void
use(struct filemodel *fm, struct state *st)
{
	uint64_t n = versions_count(st->versions), slot, version;
	struct slice topic;

	for (uint64_t i = 0; i < n; i++) {
		struct version v = versions_at(st->versions, i, &topic), w;

		w = versions_get(st->versions,
		    hash_bytes(&st->topic_key, topic.p, topic.len), topic);
		FUZZ_MUST(v.version == w.version && v.last_seq == w.last_seq);
	}
	for (uint64_t i = 0; i < keys_requests(st->keys); i++) {
		struct keys_request req = keys_request_at(st->keys, i, &slot);

		for (uint32_t k = 0; k < req.n; k++)
			(void)keys_slot(st->keys, slot + k, &version);
	}
	FUZZ_MUST(checkpoint_write(
		      filemodel_io(fm), filemodel_root(fm), &of, st) == 0);
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
	FUZZ_MUST(state_init(&st, filemodel_io(fm), 100) == 0);
	got = checkpoint_load(
	    filemodel_io(fm), filemodel_root(fm), &of, UINT64_MAX, &st, &why);
	if (got == CHECKPOINT_LOADED)
		use(fm, &st);
	else
		FUZZ_MUST(why.text[0]);
	state_deinit(&st);
	return got == CHECKPOINT_LOADED ? LOGFUZZ_READ : LOGFUZZ_REFUSED;
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "checkpoint",
	.what = "a checkpoint of any bytes is of no use or a state",
	.try = try,
};
