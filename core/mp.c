/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * MessagePack values, packed by msgpack-c and walked by our own few lines.
 * No walk reads beyond its slice, allocates or recurses, whatever the bytes.
 */

#include <errno.h>
#include <string.h>

#include <msgpack.h>

#include "core/mp.h"
#include "core/mp_head_priv.h"

enum {
	BUF_LEAST = 256,
	NS_IN_S = 1000000000
};

void
mp_buf_deinit(struct mp_buf *b)
{
	free(b->p);
	*b = (struct mp_buf){ 0 };
}

/* The slow half of mp_buf_reserve(): at least doubles what is there. */
uint8_t *
mp_buf_grow(struct mp_buf *b, size_t n)
{
	size_t cap = MAX(b->cap, (size_t)BUF_LEAST);
	uint8_t *p;

	if (b->failed || n > SIZE_MAX / 4 - b->len)
		goto failed;
	while (cap - b->len <= n)
		cap *= 2;
	p = realloc(b->p, cap);
	if (!p)
		goto failed;
	b->p = p;
	b->cap = cap;
	return b->p + b->len;
failed:
	b->failed = true;
	return NULL;
}

void
mp_buf_bytes(struct mp_buf *b, const void *p, size_t n)
{
	uint8_t *to = mp_buf_reserve(b, n);

	if (!to || n == 0)
		return;
	memcpy(to, p, n);
	b->len += n;
}

static int
mp_write(void *buf, const char *p, size_t n)
{
	mp_buf_bytes(buf, p, n);
	return 0;
}

#define PACKER(b) (&(msgpack_packer){ .data = (b), .callback = mp_write })

void
mp_pack_nil(struct mp_buf *b)
{
	msgpack_pack_nil(PACKER(b));
}

void
mp_pack_bool(struct mp_buf *b, bool v)
{
	if (v)
		msgpack_pack_true(PACKER(b));
	else
		msgpack_pack_false(PACKER(b));
}

void
mp_pack_uint(struct mp_buf *b, uint64_t v)
{
	msgpack_pack_uint64(PACKER(b), v);
}

void
mp_pack_int(struct mp_buf *b, int64_t v)
{
	msgpack_pack_int64(PACKER(b), v);
}

void
mp_pack_double(struct mp_buf *b, double v)
{
	msgpack_pack_double(PACKER(b), v);
}

void
mp_pack_str(struct mp_buf *b, struct slice s)
{
	msgpack_pack_str(PACKER(b), s.len);
	mp_buf_bytes(b, s.p, s.len);
}

void
mp_pack_cstr(struct mp_buf *b, const char *s)
{
	mp_pack_str(b, slice_cstr(s));
}

void
mp_pack_bin(struct mp_buf *b, struct slice s)
{
	msgpack_pack_bin(PACKER(b), s.len);
	mp_buf_bytes(b, s.p, s.len);
}

void
mp_pack_ext(struct mp_buf *b, int8_t type, struct slice s)
{
	msgpack_pack_ext(PACKER(b), s.len, type);
	mp_buf_bytes(b, s.p, s.len);
}

void
mp_pack_array(struct mp_buf *b, uint32_t n)
{
	msgpack_pack_array(PACKER(b), n);
}

void
mp_pack_map(struct mp_buf *b, uint32_t n)
{
	msgpack_pack_map(PACKER(b), n);
}

void
mp_pair_bool(struct mp_buf *b, const char *key, bool v)
{
	mp_pack_cstr(b, key);
	mp_pack_bool(b, v);
}

void
mp_pair_uint(struct mp_buf *b, const char *key, uint64_t v)
{
	mp_pack_cstr(b, key);
	mp_pack_uint(b, v);
}

void
mp_pair_str(struct mp_buf *b, const char *key, struct slice s)
{
	mp_pack_cstr(b, key);
	mp_pack_str(b, s);
}

void
mp_pair_cstr(struct mp_buf *b, const char *key, const char *s)
{
	mp_pack_cstr(b, key);
	mp_pack_cstr(b, s);
}

size_t
mp_begin(struct mp_buf *b)
{
	size_t at = b->len;

	mp_pack_nil(b);
	return at;
}

/* Most have a head of one byte: what follows moves only for the others. */
static void
end_nested(struct mp_buf *b, size_t at, uint32_t n,
    void (*pack)(struct mp_buf *b, uint32_t n), uint8_t fix)
{
	uint8_t bytes[8];
	struct mp_buf head = { .p = bytes, .cap = sizeof(bytes) };

	if (b->failed)
		return;
	if (n < 16) {
		b->p[at] = (uint8_t)(fix | n);
		return;
	}
	pack(&head, n);
	if (!mp_buf_reserve(b, head.len - 1))
		return;
	memmove(b->p + at + head.len, b->p + at + 1, b->len - at - 1);
	memcpy(b->p + at, bytes, head.len);
	b->len += head.len - 1;
}

void
mp_end_array(struct mp_buf *b, size_t at, uint32_t n)
{
	end_nested(b, at, n, mp_pack_array, 0x90);
}

void
mp_end_map(struct mp_buf *b, size_t at, uint32_t n)
{
	end_nested(b, at, n, mp_pack_map, 0x80);
}

void
mp_pack_time(struct mp_buf *b, int64_t seconds, uint32_t nanoseconds)
{
	const msgpack_timestamp t = { .tv_sec = seconds,
		.tv_nsec = nanoseconds };

	msgpack_pack_timestamp(PACKER(b), &t);
}

bool
mp_time(struct slice data, int64_t *seconds, uint32_t *nanoseconds)
{
	uint64_t s, ns = 0;

	switch (data.len) {
	case 4:
		s = mp_head_number(data.p, 4);
		break;
	case 8:
		s = mp_head_number(data.p, 8);
		ns = s >> 34;
		s &= (UINT64_C(1) << 34) - 1;
		break;
	case 12:
		ns = mp_head_number(data.p, 4);
		s = mp_head_number(data.p + 4, 8);
		break;
	default:
		return false;
	}
	if (ns >= NS_IN_S)
		return false;
	*seconds = (int64_t)s;
	*nanoseconds = (uint32_t)ns;
	return true;
}

bool
mp_next(struct mp_walk *w, struct mp_item *item)
{
	size_t left = (size_t)(w->end - w->p);
	struct mp_head h;

	if (left == 0 || mp_head_read(w->p, left, &h) != MP_HEAD_OK)
		return false;
	item->type = h.type;
	switch (h.type) {
	case MP_BOOL:
		item->boolean = h.arg;
		break;
	case MP_FLOAT:
		if (h.size == 5) {
			uint32_t bits = (uint32_t)h.arg;
			float f;

			memcpy(&f, &bits, sizeof(f));
			item->d = (double)f;
		} else {
			memcpy(&item->d, &h.arg, sizeof(item->d));
		}
		break;
	case MP_EXT:
		item->ext = h.ext;
		__attribute__((fallthrough));
	case MP_STR:
	case MP_BIN:
		if (h.arg > left - h.size)
			return false;
		item->s = slice_of(w->p + h.size, h.arg);
		w->p += h.arg;
		break;
	case MP_ARRAY:
	case MP_MAP:
		item->n = (uint32_t)h.arg;
		break;
	default:
		item->u = h.arg;
		break;
	}
	w->p += h.size;
	return true;
}

bool
mp_next_uint(struct mp_walk *w, uint64_t max, uint64_t *v)
{
	struct mp_item item;

	if (!mp_next(w, &item) || item.type != MP_UINT || item.u > max)
		return false;
	*v = item.u;
	return true;
}

bool
mp_next_str(struct mp_walk *w, size_t least, size_t most, struct slice *s)
{
	struct mp_item item;

	if (!mp_next(w, &item) || item.type != MP_STR || item.s.len < least ||
	    item.s.len > most)
		return false;
	*s = item.s;
	return true;
}

bool
mp_skip(struct mp_walk *w, struct slice *value)
{
	const uint8_t *p = w->p;
	uint64_t pending = 1;
	struct mp_head h;

	do {
		if (p == w->end)
			return false;
		pending--;
		/* A whole value in one byte needs no head read. */
		if (*p < 0x80 || *p >= 0xe0) {
			p++;
			continue;
		}
		if (mp_head_read(p, (size_t)(w->end - p), &h) != MP_HEAD_OK)
			return false;
		p += h.size;
		switch (h.type) {
		case MP_STR:
		case MP_BIN:
		case MP_EXT:
			if (h.arg > (size_t)(w->end - p))
				return false;
			p += h.arg;
			break;
		case MP_ARRAY:
			pending += h.arg;
			break;
		case MP_MAP:
			pending += 2 * h.arg;
			break;
		default:
			break;
		}
	} while (pending);
	*value = slice_of(w->p, (size_t)(p - w->p));
	w->p = p;
	return true;
}

bool
mp_next_name(struct mp_walk *w, struct slice *name)
{
	struct mp_walk begin = *w;
	struct mp_item item;

	/* Nearly every key: a str with its length in the first byte. */
	if (LIKELY(w->p < w->end && (*w->p & 0xe0) == 0xa0)) {
		size_t len = *w->p & 0x1f;

		if (len >= (size_t)(w->end - w->p))
			return false;
		*name = slice_of(w->p + 1, len);
		w->p += 1 + len;
		return true;
	}
	if (!mp_next(w, &item))
		return false;
	if (item.type == MP_STR) {
		*name = item.s;
		return true;
	}
	*w = begin;
	if (!mp_skip(w, name))
		return false;
	*name = slice_of(NULL, 0);
	return true;
}

static void
canonical_item(
    const struct mp_item *item, struct slice bytes, struct mp_buf *out)
{
	uint32_t ns;
	int64_t s;

	switch (item->type) {
	case MP_UINT:
		mp_pack_uint(out, item->u);
		break;
	case MP_INT:
		mp_pack_int(out, item->i);
		break;
	case MP_STR:
		mp_pack_str(out, item->s);
		break;
	case MP_BIN:
		mp_pack_bin(out, item->s);
		break;
	case MP_EXT:
		if (item->ext == -1 && mp_time(item->s, &s, &ns))
			mp_pack_time(out, s, ns);
		else
			mp_pack_ext(out, item->ext, item->s);
		break;
	case MP_ARRAY:
		mp_pack_array(out, item->n);
		break;
	case MP_MAP:
		mp_pack_map(out, item->n);
		break;
	default:
		/*
		 * A float is copied, not packed: on its way through a double
		 * a signalling NaN of 32 bits would turn quiet.
		 */
		mp_pack_raw(out, bytes);
		break;
	}
}

int
mp_canonical(struct slice v, struct mp_buf *out)
{
	struct mp_walk w = mp_walk(v);
	struct slice value;
	struct mp_item item;
	size_t mark = out->len;

	if (!mp_skip(&w, &value) || w.p != w.end)
		return -EPROTO;
	w = mp_walk(v);
	for (const uint8_t *p = w.p; mp_next(&w, &item); p = w.p)
		canonical_item(&item, slice_of(p, (size_t)(w.p - p)), out);
	if (out->failed) {
		out->len = mark;
		return -ENOMEM;
	}
	return 0;
}
