/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * MessagePack values: a buffer that they are packed into, and a walk over
 * bytes that mpvalid_check() has passed.  The only home of msgpack-c.
 */

#ifndef PEAL_CORE_MP_H
#define PEAL_CORE_MP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

/*
 * A growing buffer.  Running out of memory is sticky: further packing does
 * nothing, and failed tells.  {0} is an empty one.
 */
struct mp_buf {
	uint8_t *p;
	size_t len;
	size_t cap;
	bool failed;
};

void mp_buf_deinit(struct mp_buf *b);
uint8_t *mp_buf_grow(struct mp_buf *b, size_t n);

/* Room for n more bytes at the end, or NULL (sticky); len does not move. */
static inline uint8_t *
mp_buf_reserve(struct mp_buf *b, size_t n)
{
	if (LIKELY(b->cap - b->len > n))
		return b->failed ? NULL : b->p + b->len;
	return mp_buf_grow(b, n);
}

/* Empty it for what is packed next, also where memory was short. */
static inline void
mp_buf_reset(struct mp_buf *b)
{
	b->len = 0;
	b->failed = false;
}

void mp_buf_bytes(struct mp_buf *b, const void *p, size_t n);

/* All in shortest form. */
void mp_pack_nil(struct mp_buf *b);
void mp_pack_bool(struct mp_buf *b, bool v);
void mp_pack_uint(struct mp_buf *b, uint64_t v);
void mp_pack_int(struct mp_buf *b, int64_t v);
void mp_pack_double(struct mp_buf *b, double v);
void mp_pack_str(struct mp_buf *b, struct slice s);
void mp_pack_cstr(struct mp_buf *b, const char *s);
void mp_pack_bin(struct mp_buf *b, struct slice s);
void mp_pack_ext(struct mp_buf *b, int8_t type, struct slice s);
void mp_pack_array(struct mp_buf *b, uint32_t n);
void mp_pack_map(struct mp_buf *b, uint32_t n);
/* A key of a map and its value. */
void mp_pair_bool(struct mp_buf *b, const char *key, bool v);
void mp_pair_uint(struct mp_buf *b, const char *key, uint64_t v);
void mp_pair_str(struct mp_buf *b, const char *key, struct slice s);
void mp_pair_cstr(struct mp_buf *b, const char *key, const char *s);
/*
 * An array or map whose count is known at its end: begin, pack the values,
 * end with what mp_begin() returned.
 */
size_t mp_begin(struct mp_buf *b);
void mp_end_array(struct mp_buf *b, size_t at, uint32_t n);
void mp_end_map(struct mp_buf *b, size_t at, uint32_t n);
/* The timestamp extension, in the shortest of its three forms. */
void mp_pack_time(struct mp_buf *b, int64_t seconds, uint32_t nanoseconds);
/* A value that is encoded already. */
static inline void
mp_pack_raw(struct mp_buf *b, struct slice value)
{
	mp_buf_bytes(b, value.p, value.len);
}

static inline void
mp_pair_raw(struct mp_buf *b, const char *key, struct slice value)
{
	mp_pack_cstr(b, key);
	mp_pack_raw(b, value);
}

/*
 * Pack the valid value at v once more in canonical form: integers, lengths
 * and timestamps shortest, floats as they came, map order kept.  0, -ENOMEM,
 * or -EPROTO when v is no value after all; out is then cut back.
 */
MUST_CHECK int mp_canonical(struct slice v, struct mp_buf *out);

enum mp_type {
	MP_NIL,
	MP_BOOL,
	MP_UINT, /* zero and above */
	MP_INT,	 /* below zero */
	MP_FLOAT,
	MP_STR,
	MP_BIN,
	MP_EXT,
	MP_ARRAY,
	MP_MAP,
};

/* One item of a walk.  Of an array or map only the head is consumed. */
struct mp_item {
	enum mp_type type;
	union {
		bool boolean;
		uint64_t u;
		int64_t i;
		double d;
		struct slice s; /* str, bin, ext */
		uint32_t n;	/* elements, or pairs */
	};
	int8_t ext;
};

/* A place in validated bytes. */
struct mp_walk {
	const uint8_t *p;
	const uint8_t *end;
};

static inline struct mp_walk
mp_walk(struct slice s)
{
	/* C has no sum of NULL and zero, and an absent value is both. */
	return (struct mp_walk){ s.p, s.len > 0 ? s.p + s.len : s.p };
}

/* Read the next item; false at the end (or on bytes nobody validated). */
bool mp_next(struct mp_walk *w, struct mp_item *item);
/* Read a uint of at most max, or a str of so many bytes; false: other. */
bool mp_next_uint(struct mp_walk *w, uint64_t max, uint64_t *v);
bool mp_next_str(struct mp_walk *w, size_t least, size_t most, struct slice *s);
/* Step over one whole value; *value is its bytes.  false as above. */
bool mp_skip(struct mp_walk *w, struct slice *value);

/*
 * Step over a key of a map: *name is its text, p NULL when it is no str.
 * false as above.
 */
bool mp_next_name(struct mp_walk *w, struct slice *name);

/*
 * The data of a timestamp extension: 4, 8 or 12 bytes and nanoseconds below a
 * second, or false.
 */
bool mp_time(struct slice data, int64_t *seconds, uint32_t *nanoseconds);

#endif
