/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a base is made of, for the fuzz targets of its parts and its own: an
 * archive of some rows, whose checks can be made right again, and a state of
 * some topics and keys, which can be asked.
 */

#ifndef PEAL_TESTS_LIB_BASEFUZZ_H
#define PEAL_TESTS_LIB_BASEFUZZ_H

#include "tests/lib/logfuzz.h"

struct archive;
struct archive_writer;
struct state;

enum {
	/* Checks of an archive. */
	BASEFUZZ_ENDS = 1, /* header and trailer */
	BASEFUZZ_BLOCK = 2,
	BASEFUZZ_INDEX = 4,
	BASEFUZZ_SHA = 8,
	BASEFUZZ_TOPICS = 100, /* as many as a state may have */
	BASEFUZZ_HEAD = 20,    /* the event that it is of */
};

void basefuzz_put_rows(struct archive_writer *w);
/* Checks of the archive at p as who wrote these bytes would have made them. */
void basefuzz_mend(uint8_t *p, uint64_t size, unsigned what);
/* Whatever is in it is read within bounds and in order. */
enum logfuzz_fate basefuzz_read_rows(struct archive *a);

/* Into a fresh state. */
void basefuzz_fill(struct state *st);
/* Whatever was loaded can be asked. */
void basefuzz_ask(const struct state *st);

#endif
