/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Held replies, a queue over one buffer.  Serials never decrease along the
 * queue, so what is done is always its front.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/bytes.h"
#include "writer/replies.h"

enum {
	PREFIX = 4
};

void
replies_deinit(struct replies *r)
{
	mp_buf_deinit(&r->bytes);
	free(r->queue);
	*r = (struct replies){ 0 };
}

struct mp_buf *
replies_begin(struct replies *r)
{
	mp_buf_bytes(&r->bytes, "\0\0\0\0", PREFIX);
	return &r->bytes;
}

static int
grow(struct replies *r)
{
	uint32_t cap = r->cap ? r->cap * 2 : 64;
	struct held_reply *queue;

	if (r->n < r->cap)
		return 0;
	queue = malloc(cap * sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n; i++)
		queue[i] = r->queue[(r->first + i) & (r->cap - 1)];
	free(r->queue);
	r->queue = queue;
	r->cap = cap;
	r->first = 0;
	return 0;
}

static struct held_reply *
at(const struct replies *r, uint32_t i)
{
	return &r->queue[(r->first + i) & (r->cap - 1)];
}

int
replies_hold(
    struct replies *r, uint64_t serial, struct proto_uint id, uint32_t request)
{
	uint32_t begin = r->n ? at(r, r->n - 1)->end : 0;

	if (r->bytes.failed || grow(r) < 0)
		return -ENOMEM;
	assert(r->n == 0 || at(r, r->n - 1)->serial <= serial);
	put_le32(r->bytes.p + begin, (uint32_t)(r->bytes.len - begin - PREFIX));
	*at(r, r->n++) =
	    (struct held_reply){ serial, id, (uint32_t)r->bytes.len, request };
	r->request_bytes += request;
	return 0;
}

int
replies_release(struct replies *r, uint64_t done, struct mp_buf *out)
{
	uint32_t n = 0, end;

	while (n < r->n && at(r, n)->serial <= done)
		n++;
	if (n == 0)
		return 0;
	end = at(r, n - 1)->end;
	if (!mp_buf_reserve(out, end))
		return -ENOMEM;
	mp_buf_bytes(out, r->bytes.p, end);
	for (; n > 0; n--) {
		r->request_bytes -= at(r, 0)->request;
		r->first = (r->first + 1) & (r->cap - 1);
		r->n--;
	}
	r->bytes.len -= end;
	memmove(r->bytes.p, r->bytes.p + end, r->bytes.len);
	for (uint32_t i = 0; i < r->n; i++)
		at(r, i)->end -= end;
	return 0;
}

int
replies_fail(struct replies *r, const char *why, struct mp_buf *out)
{
	for (uint32_t i = 0; i < r->n; i++) {
		size_t mark = out->len;

		mp_buf_bytes(out, "\0\0\0\0", PREFIX);
		proto_pack_error(out, at(r, i)->id, PROTO_UNKNOWN, why, 0);
		if (out->failed)
			break;
		put_le32(out->p + mark, (uint32_t)(out->len - mark - PREFIX));
	}
	r->n = 0;
	r->bytes.len = 0;
	r->request_bytes = 0;
	return out->failed ? -ENOMEM : 0;
}
