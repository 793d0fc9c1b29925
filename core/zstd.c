/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Blocks over libzstd's one-call interface.  A block is one frame that
 * declares its length; damage that keeps a frame well-formed is found by
 * whoever keeps a checksum.
 */

#include <errno.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "core/zstd.h"

void
zstd_deinit(struct zstd *z)
{
	(void)ZSTD_freeCCtx(z->compress);
	(void)ZSTD_freeDCtx(z->decompress);
	*z = (struct zstd){ 0 };
}

int
zstd_compress_block(
    struct zstd *z, int level, struct slice in, struct mp_buf *out)
{
	size_t most = ZSTD_compressBound(in.len), n;
	uint8_t *to;

	if (!z->compress)
		z->compress = ZSTD_createCCtx();
	if (!z->compress || ZSTD_isError(most))
		return -ENOMEM;
	to = mp_buf_reserve(out, most);
	if (!to)
		return -ENOMEM;
	n = ZSTD_compressCCtx(z->compress, to, most, in.p, in.len, level);
	/* There is room for the worst case: only memory can fail. */
	if (ZSTD_isError(n))
		return -ENOMEM;
	out->len += n;
	return 0;
}

/* Bytes that the one frame of in declares; false: it is none such. */
static bool
declared(struct slice in, size_t max, size_t *len)
{
	unsigned long long n = ZSTD_getFrameContentSize(in.p, in.len);

	/* Both ways to say "none" are beyond any max. */
	if (n > max || n >= ZSTD_CONTENTSIZE_ERROR)
		return false;
	*len = (size_t)n;
	return ZSTD_findFrameCompressedSize(in.p, in.len) == in.len;
}

size_t
zstd_block_len(struct slice in, size_t want)
{
	size_t n;

	if (ZSTD_getFrameContentSize(in.p, in.len) != want)
		return 0;
	n = ZSTD_findFrameCompressedSize(in.p, in.len);
	return ZSTD_isError(n) ? 0 : n;
}

int
zstd_decompress_block(
    struct zstd *z, struct slice in, size_t max_out, struct mp_buf *out)
{
	size_t len, n;
	uint8_t *to;

	if (!declared(in, max_out, &len))
		return -EPROTO;
	if (!z->decompress)
		z->decompress = ZSTD_createDCtx();
	to = z->decompress ? mp_buf_reserve(out, len) : NULL;
	if (!to)
		return -ENOMEM;
	n = ZSTD_decompressDCtx(z->decompress, to, len, in.p, in.len);
	if (ZSTD_isError(n))
		return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation
			   ? -ENOMEM
			   : -EPROTO;
	if (n != len)
		return -EPROTO;
	out->len += n;
	return 0;
}
