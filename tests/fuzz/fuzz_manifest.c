/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Manifests of any bytes: refused with a sentence, or one whose files have
 * names of a log's files, in order, and which is stored as it was read.
 */

#include <errno.h>
#include <string.h>

#include "core/bytes.h"
#include "core/reason.h"
#include "log/base.h"
#include "log/manifest.h"
#include "log/segment.h"
#include "log/sums.h"
#include "tests/lib/logfuzz.h"

enum {
	SIZE = 16 << 10,	     /* more than any input is stored as */
	WHOLE = LOGFUZZ_COPY_HEADER, /* the input is all of the text */
};

/* A manifest of a base, two segments and sums. */
static const struct manifest *
listed(void)
{
	static struct manifest m;
	static const struct manifest_file files[] = {
		{ "00000000000000000013-0000000001.seg", 20000, 32768, true, 13,
		    24, { 1 } },
		{ "00000000000000000013-0000000001.sum", 132, .sha256 = { 2 } },
		{ "00000000000000000025-0000000002.seg", 9000, 32768, false, 25,
		    30, { 3 } },
		{ "base-00000000000000000012.zst", 4096, .sha256 = { 4 } },
	};

	if (m.n > 0)
		return &m;
	memset(m.log_id, 7, sizeof(m.log_id));
	m.epoch = 2;
	m.seq = 30;
	m.taken_us = 1000000;
	m.has_head = true;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		FUZZ_MUST(manifest_add(&m, &files[i]) == 0);
	return &m;
}

/* No name leads out of a directory, or to a file that is none of a log. */
static void
look_at_names(const struct manifest *m)
{
	uint64_t seq;
	uint32_t incarnation;

	for (size_t i = 0; i < m->n; i++) {
		const char *name = m->files[i].name;

		FUZZ_MUST(!strchr(name, '/') && name[0] != '.');
		FUZZ_MUST(segment_parse_name(name, &seq, &incarnation) ||
			  base_parse_name(name, &seq) || sums_is_name(name));
		FUZZ_MUST(manifest_find(m, name) == &m->files[i]);
		FUZZ_MUST(i == 0 || strcmp(m->files[i - 1].name, name) < 0);
	}
}

/* Stored, read and stored again it is the same text. */
static void
store_twice(struct filemodel *fm, const struct manifest *m)
{
	static uint8_t once[SIZE], twice[SIZE];
	const struct sysio *io = filemodel_io(fm);
	int dirfd = filemodel_root(fm);
	struct manifest again;
	struct reason why;
	size_t len;

	FUZZ_MUST(manifest_store(io, dirfd, m, &why) == 0);
	len = logfuzz_get(fm, MANIFEST_NAME, once, SIZE);
	FUZZ_MUST(manifest_load(io, dirfd, &again, &why) == 0);
	FUZZ_MUST(manifest_store(io, dirfd, &again, &why) == 0);
	manifest_deinit(&again);
	FUZZ_MUST(logfuzz_get(fm, MANIFEST_NAME, twice, SIZE) == len &&
		  memcmp(once, twice, len) == 0);
}

static enum logfuzz_fate
try(struct logfuzz_input in)
{
	static struct filemodel *was;
	static uint8_t whole[SIZE], text[SIZE];
	static size_t len;
	CLEANUP(filemodel_freep) struct filemodel *fm = NULL;
	struct reason why = { "" };
	struct manifest m;
	int got;

	if (!was) {
		was = filemodel_new(1);
		FUZZ_MUST(manifest_store(filemodel_io(was), filemodel_root(was),
			      listed(), &why) == 0);
		len = logfuzz_get(was, MANIFEST_NAME, whole, SIZE);
	}
	fm = filemodel_clone(was);
	memcpy(text, whole, len);
	logfuzz_edit(text, len, in.p + 1, in.len - 1);
	if (in.p[0] & WHOLE)
		logfuzz_put(fm, MANIFEST_NAME, in.p + 1, in.len - 1);
	else
		logfuzz_put(fm, MANIFEST_NAME, text, len);
	got = manifest_load(filemodel_io(fm), filemodel_root(fm), &m, &why);
	if (got < 0) {
		FUZZ_MUST(got == -EPROTO && why.text[0]);
		return LOGFUZZ_REFUSED;
	}
	look_at_names(&m);
	store_twice(fm, &m);
	manifest_deinit(&m);
	return LOGFUZZ_READ;
}

const struct logfuzz_target logfuzz_target = {
	.corpus = "manifest",
	.what = "a manifest of any bytes is refused or names a log's files",
	.try = try,
};
