/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Spools: snapshots written once into unlinked files and read by many, each
 * at its own pace.  Whoever asks for what is there already shares it.
 */

#ifndef PEAL_BROKER_SPOOL_H
#define PEAL_BROKER_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

struct reason;
struct spool;
struct spools;

/* dir: where the files are made; max_bytes: of all of them. */
MUST_CHECK int spools_new(
    const char *dir, uint64_t max_bytes, struct spools **out);
struct spools *spools_free(struct spools *ss);
CLEANUP_FN(struct spools *, spools_free)

/* --- reading; any thread --- */

/* Drop a reference; the spool may stay for the next one who asks. */
struct spool *spool_unref(struct spool *s);
CLEANUP_FN(struct spool *, spool_unref)

uint64_t spool_seq(const struct spool *s);
bool spool_full(const struct spool *s); /* all rows, not only what changed */
uint64_t spool_rows(const struct spool *s);
/* At least 1: an empty snapshot has one empty part. */
uint64_t spool_parts(const struct spool *s);

enum spool_part {
	SPOOL_PART = 0,
	SPOOL_NONE, /* n is beyond the last */
	SPOOL_GONE, /* it had to make room for others */
};

/*
 * Pack part n, an array of rows, at the end of b.  Enum spool_part, or below
 * zero: it can't be read.
 */
MUST_CHECK int spool_pack_part(struct spool *s, uint64_t n, struct mp_buf *b);

#endif
