/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Blocks compressed by zstd, each alone.  The only home of libzstd; what a
 * block declares is checked before memory is taken for it.
 */

#ifndef PEAL_CORE_ZSTD_H
#define PEAL_CORE_ZSTD_H

#include <stddef.h>

#include "core/bytes.h"
#include "core/macros.h"
#include "core/mp.h"

/*
 * Working memory for one block after another, made when it is first needed;
 * {0} at first.  One thread at a time.
 */
struct zstd {
	struct ZSTD_CCtx_s *compress;
	struct ZSTD_DCtx_s *decompress;
};

void zstd_deinit(struct zstd *z);

/*
 * Append in, compressed at level (1 to 19, as libzstd counts), to out.
 * 0 or -ENOMEM, out as it was.
 */
MUST_CHECK int zstd_compress_block(
    struct zstd *z, int level, struct slice in, struct mp_buf *out);

/*
 * Bytes of the block with which in begins, as far as its heads tell; 0: in
 * begins with none that declares want bytes, or ends before it does.
 */
size_t zstd_block_len(struct slice in, size_t want);

/*
 * Append the bytes that in, exactly one block, was made of to out.  0,
 * -ENOMEM, or -EPROTO when in is damaged, or declares more than max_out bytes
 * or no length; out is then as it was.
 */
MUST_CHECK int zstd_decompress_block(
    struct zstd *z, struct slice in, size_t max_out, struct mp_buf *out);

#endif
