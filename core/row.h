/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The row: the folded state of a topic,
 * [topic, version, seq, created_time, created_by, updated_time, updated_by,
 * deleted, value].  Broker, archives, snapshots and clients carry the same
 * bytes.
 */

#ifndef PEAL_CORE_ROW_H
#define PEAL_CORE_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct reason;

enum {
	ROW_MAX = 1 << 20 /* bytes of an encoded row that is folded further */
};

struct row {
	struct slice topic;
	uint64_t version;
	uint64_t seq; /* of the last event */
	uint64_t created_us;
	struct slice created_by;
	uint64_t updated_us;
	struct slice updated_by;
	bool deleted;
	struct slice value; /* canonical MessagePack, one value */
};

/* Bytes that row_encode() writes. */
size_t row_size(const struct row *row);

/* Encode at p (room for row_size()); returns one past the end. */
uint8_t *row_encode(const struct row *row, uint8_t *p);

/*
 * Read an encoded row whose bytes are trusted to be well-formed but not to be
 * a row: 0, or -EPROTO with a reason.  Slices point into bytes; the value is
 * not descended into.
 */
MUST_CHECK int row_decode(
    struct slice bytes, struct row *row, struct reason *why);

#endif
