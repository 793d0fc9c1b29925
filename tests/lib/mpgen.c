/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Random values.  What is written is valid by construction: every key of a
 * map holds a number that no other key has.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/mpgen.h"

void
mpgen_seed(struct mpgen *g)
{
	const char *text = getenv("PEAL_TEST_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	g->random = text ? strtoull(text, NULL, 0)
			 : (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec;
	printf("# PEAL_TEST_SEED=%llu\n", (unsigned long long)g->random);
	fflush(stdout);
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t
next(struct mpgen *g)
{
	uint64_t z = g->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t
mpgen_below(struct mpgen *g, uint32_t n)
{
	return (uint32_t)(next(g) % n);
}

static void
put(struct mpgen *g, uint8_t byte)
{
	if (g->len < MPGEN_MAX)
		g->bytes[g->len++] = byte;
}

static void
put_number(struct mpgen *g, uint64_t v, unsigned bytes)
{
	while (bytes-- > 0)
		put(g, (uint8_t)(v >> 8 * bytes));
}

/* One of the widths 1 << 0 to 1 << most that hold v. */
static unsigned
width_of(struct mpgen *g, uint64_t v, unsigned least, unsigned most)
{
	unsigned log = least;

	while (log < most && v >> (8U << log))
		log++;
	if (g->loose)
		log += mpgen_below(g, most - log + 1);
	return log;
}

static void
put_length(struct mpgen *g, uint64_t n, uint8_t fix, unsigned fix_below,
    uint8_t first, unsigned least)
{
	unsigned log;

	if (n < fix_below && !(g->loose && mpgen_below(g, 2))) {
		put(g, (uint8_t)(fix | n));
		return;
	}
	log = width_of(g, n, least, 2);
	put(g, (uint8_t)(first + log - least));
	put_number(g, n, 1U << log);
}

static void
put_uint(struct mpgen *g, uint64_t v)
{
	unsigned log;

	if (v < 0x80 && !(g->loose && mpgen_below(g, 2))) {
		put(g, (uint8_t)v);
		return;
	}
	log = width_of(g, v, 0, 3);
	/* The signed forms say the same where their top bit is free. */
	if (g->loose && mpgen_below(g, 2) && !(v >> ((8U << log) - 1)))
		put(g, (uint8_t)(0xd0 + log));
	else
		put(g, (uint8_t)(0xcc + log));
	put_number(g, v, 1U << log);
}

static void
put_negative(struct mpgen *g, int64_t v)
{
	unsigned log;

	if (v >= -32 && !(g->loose && mpgen_below(g, 2))) {
		put(g, (uint8_t)v);
		return;
	}
	log = width_of(g, (uint64_t)~v << 1, 0, 3);
	put(g, (uint8_t)(0xd0 + log));
	put_number(g, (uint64_t)v, 1U << log);
}

static uint64_t
any_number(struct mpgen *g)
{
	uint64_t v = next(g) >> mpgen_below(g, 64);

	/* The neighbours of a power of two as often as all others. */
	if (mpgen_below(g, 2))
		v = (UINT64_C(1) << mpgen_below(g, 64)) + mpgen_below(g, 3) - 1;
	return v;
}

static void
put_str(struct mpgen *g, const char *prefix)
{
	static const char *const pieces[] = { "a", "\"", "\\", "\n", "\x7f",
		"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x94\x94", "\xef\xbf\xbf",
		"seq", "$", ".", "\xc2\x80" };
	unsigned n =
	    mpgen_below(g, 8) ? mpgen_below(g, 8) : mpgen_below(g, 100);
	char text[512];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", prefix);

	while (n-- > 0) {
		unsigned i = mpgen_below(g, sizeof(pieces) / sizeof(*pieces));

		memcpy(text + len, pieces[i], strlen(pieces[i]));
		len += strlen(pieces[i]);
	}
	put_length(g, len, 0xa0, 32, 0xd9, 0);
	for (size_t i = 0; i < len; i++)
		put(g, (uint8_t)text[i]);
}

static void
put_bytes(struct mpgen *g, size_t n)
{
	while (n-- > 0)
		put(g, (uint8_t)next(g));
}

static void
put_time(struct mpgen *g)
{
	uint64_t seconds = any_number(g), ns = mpgen_below(g, 1000000000);
	bool small = seconds >> 34 == 0;

	if (mpgen_below(g, 2))
		ns = 0;
	if (ns == 0 && seconds >> 32 == 0 && !(g->loose && mpgen_below(g, 2))) {
		put_number(g, 0xd6ff, 2);
		put_number(g, seconds, 4);
	} else if (small && !(g->loose && mpgen_below(g, 2))) {
		put_number(g, 0xd7ff, 2);
		put_number(g, ns << 34 | seconds, 8);
	} else {
		put_number(g, 0xc70cff, 3);
		put_number(g, ns, 4);
		put_number(g, seconds, 8);
	}
}

static void
put_ext(struct mpgen *g)
{
	static const uint8_t fix[17] = {
		[1] = 0xd4, [2] = 0xd5, [4] = 0xd6, [8] = 0xd7, [16] = 0xd8
	};
	uint32_t n =
	    mpgen_below(g, 4) ? mpgen_below(g, 20) : mpgen_below(g, 300);

	if (g->timestamps && mpgen_below(g, 2)) {
		put_time(g);
		return;
	}
	if (n <= 16 && fix[n] && !(g->loose && mpgen_below(g, 2)))
		put(g, fix[n]);
	else
		put_length(g, n, 0, 0, 0xc7, 0);
	put(g, (uint8_t)mpgen_below(g, 128));
	put_bytes(g, n);
}

static void
put_scalar(struct mpgen *g)
{
	uint32_t n;

	switch (mpgen_below(g, 9)) {
	case 0:
		put(g, 0xc0);
		break;
	case 1:
		put(g, (uint8_t)(0xc2 + mpgen_below(g, 2)));
		break;
	case 2:
		put_uint(g, any_number(g));
		break;
	case 3:
		put_negative(g, (int64_t) ~(any_number(g) >> 1));
		break;
	case 4:
		put(g, 0xca);
		put_number(g, next(g), 4);
		break;
	case 5:
		put(g, 0xcb);
		put_number(g, next(g), 8);
		break;
	case 6:
		n = mpgen_below(g, 40);
		put_length(g, n, 0, 0, 0xc4, 0);
		put_bytes(g, n);
		break;
	case 7:
		put_ext(g);
		break;
	default:
		put_str(g, "");
		break;
	}
}

static void put_value(struct mpgen *g, unsigned depth);

static void
put_key(struct mpgen *g, unsigned depth)
{
	char prefix[20];
	unsigned number = g->keys++;

	switch (mpgen_below(g, 8)) {
	case 0:
		put_uint(g, number);
		break;
	case 1:
		put_negative(g, -1 - (int64_t)number);
		break;
	case 2:
		if (depth > 0) {
			put_length(g, 2, 0x90, 16, 0xdc, 1);
			put_uint(g, number);
			put_value(g, depth - 1);
			break;
		}
		__attribute__((fallthrough));
	default:
		snprintf(prefix, sizeof(prefix), "%s%u",
		    mpgen_below(g, 6) ? "" : "$", number);
		put_str(g, prefix);
		break;
	}
}

static void
put_value(struct mpgen *g, unsigned depth)
{
	uint32_t n, kind = mpgen_below(g, 4);

	if (depth == 0 || kind < 2 || g->len > MPGEN_MAX / 2) {
		put_scalar(g);
		return;
	}
	n = mpgen_below(g, 10) ? mpgen_below(g, 5) : mpgen_below(g, 40);
	if (kind == 2) {
		put_length(g, n, 0x90, 16, 0xdc, 1);
		while (n-- > 0)
			put_value(g, depth - 1);
		return;
	}
	put_length(g, n, 0x80, 16, 0xde, 1);
	while (n-- > 0) {
		put_key(g, depth - 1);
		put_value(g, depth - 1);
	}
}

void
mpgen_value(struct mpgen *g, unsigned depth)
{
	do {
		g->len = 0;
		g->keys = 0;
		put_value(g, depth);
	} while (g->len == MPGEN_MAX);
}

void
mpgen_mutate(struct mpgen *g)
{
	for (uint32_t n = 1 + mpgen_below(g, 3); n > 0 && g->len > 0; n--) {
		uint32_t at = mpgen_below(g, (uint32_t)g->len);
		uint32_t to = mpgen_below(g, (uint32_t)g->len);

		switch (mpgen_below(g, 5)) {
		case 0:
			g->bytes[at] ^= (uint8_t)(1U << mpgen_below(g, 8));
			break;
		case 1:
			g->bytes[at] = (uint8_t)next(g);
			break;
		case 2:
			g->len = at;
			break;
		case 3:
			memmove(
			    g->bytes + at, g->bytes + at + 1, g->len - at - 1);
			g->len--;
			break;
		default:
			g->bytes[at] = g->bytes[to];
			break;
		}
	}
}
