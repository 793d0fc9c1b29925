/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the fuzz targets of the log's files share: a small log in the file
 * model, inputs that are edits of a file which is whole, CRCs made right
 * again, so that what stands behind them is looked at, and what runs them.
 */

#ifndef PEAL_TESTS_LIB_LOGFUZZ_H
#define PEAL_TESTS_LIB_LOGFUZZ_H

#include "log/recover.h"
#include "tests/lib/filemodel.h"
#include "tests/lib/fuzz.h"

enum {
	LOGFUZZ_SEGMENT = 32 << 10,
	LOGFUZZ_INPUT = 600,
	/* The first byte of an input: what is made right behind its edits. */
	LOGFUZZ_MEND_HEADER = 1, /* or whatever a target has one of */
	LOGFUZZ_MEND_FRAMES = 2,
	LOGFUZZ_MEND_SEAL = 4,
	LOGFUZZ_COPY_HEADER = 8,
};

/* How an input fared; a target has to meet the three of them. */
enum logfuzz_fate {
	LOGFUZZ_REFUSED, /* with a sentence, or as a cache of no use */
	LOGFUZZ_BROKEN,	 /* found out later, while reading */
	LOGFUZZ_READ,	 /* nothing is to be said against it */
	LOGFUZZ_FATES,
};

struct logfuzz_input {
	const uint8_t *p;
	size_t len; /* one byte or more */
};

/*
 * Each program defines one.  As a test, what is kept is replayed, then come
 * random edits; with -DPEAL_LIBFUZZER libFuzzer says what is tried.
 */
struct logfuzz_target {
	const char *corpus;
	const char *what; /* is shown, as a sentence */
	enum logfuzz_fate (*try)(struct logfuzz_input in);
};
extern const struct logfuzz_target logfuzz_target;

struct logfuzz_log {
	struct filemodel *fm;
	char names[2][64]; /* a sealed segment and the newest */
	uint64_t events;
};

/* The same log each time; it stays the program's. */
const struct logfuzz_log *logfuzz_log(void);

/* The file holds these bytes alone, whatever it was before. */
void logfuzz_put(
    struct filemodel *fm, const char *name, const uint8_t *p, size_t len);
/* How many bytes it has, all of them at p; they are fewer than size. */
size_t logfuzz_get(
    struct filemodel *fm, const char *name, uint8_t *p, size_t size);

/* Apply an input's edits to size bytes: offset (2), bytes (1), the bytes. */
void logfuzz_edit(uint8_t *p, size_t size, const uint8_t *in, size_t len);
/* Make CRCs of a segment right again, as the flags in mend say. */
void logfuzz_mend(uint8_t *p, size_t size, unsigned mend);
/* Recover, read and verify: it comes to an end, and events are in order. */
enum logfuzz_fate logfuzz_look(struct filemodel *fm);
/* At the log, with edit(in) made of the segment that the input says. */
enum logfuzz_fate logfuzz_look_at(struct logfuzz_input *in,
    void (*edit)(void *arg, uint8_t *bytes, uint64_t size));

#endif
