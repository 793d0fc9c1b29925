/* SPDX-License-Identifier: BSD-2-Clause */

/* Digest of a segment, fed by whoever writes or reads its frames. */

#include "log/audit.h"
#include "log/format_priv.h"

void
audit_begin(struct audit *a, const struct segment_header *seg)
{
	uint8_t page[LOG_PAGE];

	format_put_segment(seg, page);
	sha256_init(&a->sum);
	sha256_update(&a->sum, page, sizeof(page));
}

void
audit_add(struct audit *a, const void *p, size_t len)
{
	sha256_update(&a->sum, p, len);
}

void
audit_now(const struct audit *a, uint8_t digest[LOG_DIGEST])
{
	sha256_peek(&a->sum, digest);
}

void
audit_deinit(struct audit *a)
{
	sha256_deinit(&a->sum);
}
