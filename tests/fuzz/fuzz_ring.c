/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A ring file of arbitrary bytes in front of the reader: it is refused or
 * read within its bounds, and nothing loops for ever.  As a libFuzzer target
 * with -DPEAL_LIBFUZZER; else a test that mutates a real ring at random.
 */

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "core/reason.h"
#include "core/time.h"
#include "shm/ring_map.h"
#include "shm/stats.h"
#include "tests/lib/ringfix.h"

/* How a file fared. */
enum fate {
	REFUSED,     /* not opened, with a sentence */
	BROKEN,	     /* opened, and found out while reading */
	READ_TO_END, /* nothing to be said against it */
};

#define MUST(cond)                                                     \
	do {                                                           \
		if (!(cond)) {                                         \
			fprintf(stderr, "fuzz_ring: not %s\n", #cond); \
			abort();                                       \
		}                                                      \
	} while (0)

/* Read until it is empty, or has had more turns than a ring can need. */
static enum fate
read_through(struct ring_reader *rd)
{
	const struct ring_info *info = ring_reader_info(rd);
	/* More room than a ring can fill, so that only it is the bound. */
	size_t size = MIN(4 * info->payload_bytes, (uint64_t)1 << 20);
	/* Of exactly that size, so that a sanitizer sees one byte more. */
	uint8_t *buf = malloc(size);
	struct ring_event ev[16];
	enum fate fate = BROKEN;
	uint32_t n;
	size_t need, sum;

	MUST(buf);
	for (unsigned turn = 0; turn < 100; turn++) {
		int found = ring_reader_read(rd, ev, 16, buf, size, &n, &need);

		if (found == RING_EMPTY) {
			fate = READ_TO_END;
			break;
		}
		if (found == RING_EVENT) {
			MUST(n >= 1 && n <= 16);
			for (sum = 0; n--; sum += ev[n].len)
				MUST(ev[n].len > 0);
			MUST(sum <= size);
		} else if (found == RING_LAPPED) {
			(void)ring_reader_seek_oldest(rd);
		} else if (found == RING_TOO_SMALL) {
			MUST(need > size);
			break;
		} else {
			MUST(found == -EPROTO);
			break;
		}
	}
	free(buf);
	return fate;
}

static void
look_at_tables(struct ring_reader *rd)
{
	struct ring_seat_info seats[RING_SEATS];
	struct stats_view view;
	struct stats_item item;
	static struct stats_hist hist;
	struct reason why = { "" };
	unsigned n = ring_reader_seats(rd, seats, RING_SEATS);

	MUST(n <= RING_SEATS);
	for (unsigned i = 0; i < n; i++)
		MUST(memchr(seats[i].role, '\0', sizeof(seats[i].role)));
	if (ring_reader_stats(rd, &view, &why) < 0) {
		MUST(why.text[0]);
		return;
	}
	for (unsigned i = 0; i < view.n; i++) {
		MUST(stats_view_item(&view, i, &item) == 0);
		MUST(memchr(item.text, '\0', sizeof(item.text)));
		if (item.kind == STATS_HISTOGRAM)
			MUST(stats_view_hist(&view, i, &hist) == 0);
	}
}

static enum fate
ring_fate(const uint8_t *data, size_t size)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);
	struct ring_reader *rd = NULL;
	struct reason why = { "" };
	struct ring_status status;
	enum fate fate = REFUSED;
	int found;

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	found = ring_reader_open_fd(fd, &rd, &why);
	(void)close(fd);
	if (found < 0) {
		MUST(found == -EPROTO && why.text[0]);
		return fate;
	}
	ring_reader_status(rd, &status);
	MUST(status.state <= RING_FAILED);
	look_at_tables(rd);
	for (uint64_t seq = 0; seq < 16; seq++)
		(void)!ring_reader_seek(rd, seq);
	(void)!ring_reader_seek(rd, status.tail_seq);
	(void)!ring_reader_seek(rd, status.tail_seq - 1);
	(void)!ring_reader_seek(rd, UINT64_MAX);
	(void)ring_reader_seek_tail(rd);
	(void)ring_reader_seek_oldest(rd);
	fate = read_through(rd);
	rd = ring_reader_free(rd);
	return fate;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)ring_fate(data, size);
	return 0;
}

#ifndef PEAL_LIBFUZZER

enum {
	ROUNDS = 4000,
	HANG_SECONDS = 120,
	IMAGE = 1 << 17
};

static uint64_t dice;

static uint64_t
roll(uint64_t below)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (dice >> 11) % below;
}

/* The file of a real ring, lapped or not, of n events. */
static size_t
image_make(uint8_t image[IMAGE], unsigned n)
{
	struct ringfix fx;
	size_t size = 0;
	FILE *f;
	char path[128];

	ringfix_dir(&fx);
	if (roll(4) == 0)
		fx.opt.start_ord = fx.opt.start_pos = (UINT64_C(1) << 32) - 5;
	ringfix_open(&fx);
	for (unsigned i = 0; i < n; i++)
		if (roll(4))
			ringfix_publish(&fx, 1);
		else
			ringfix_emit(&fx, 1);
	snprintf(path, sizeof(path), "%s/ring", fx.dir);
	f = fopen(path, "r");
	if (f) {
		size = fread(image, 1, IMAGE, f);
		(void)fclose(f);
	}
	ringfix_close(&fx);
	MUST(size > 0 && size < IMAGE);
	return size;
}

/* A number where code goes wrong. */
static uint64_t
edge(uint64_t old)
{
	const uint64_t edges[] = { 0, 1, 2, 7, 8, 9, 255, 4095, 4096, 4097,
		UINT32_MAX, UINT64_C(1) << 32, INT64_MAX, UINT64_C(1) << 63,
		UINT64_MAX - 1, UINT64_MAX };

	switch (roll(4)) {
	case 0:
		return old + 1 + roll(8);
	case 1:
		return old - 1 - roll(8);
	case 2:
		return old ^ UINT64_C(1) << roll(64);
	default:
		return edges[roll(ARRAY_LEN(edges))];
	}
}

/* Change one aligned number of 4 or 8 bytes within [from, from + len). */
static void
bend(uint8_t *image, uint64_t from, uint64_t len)
{
	uint64_t old = 0, new;
	size_t width = roll(2) ? 8 : 4;
	uint8_t *p = image + from + roll(len / width) * width;

	memcpy(&old, p, width);
	new = edge(old);
	memcpy(p, &new, width);
}

/* Make the header's CRC right again, so that the rest is looked at. */
static void
mend(uint8_t *image)
{
	struct ring_header head;

	memcpy(&head, image, sizeof(head));
	head.crc = ring_map_crc(&head);
	memcpy(image, &head, sizeof(head));
}

/* One mutation; returns the size that is left. */
static size_t
mutate(uint8_t *image, size_t size)
{
	struct ring_header head;

	memcpy(&head, image, sizeof(head));
	switch (roll(10)) {
	case 0:
		return roll(size);
	case 1:
		bend(image, 0, sizeof(head));
		break;
	case 2:
	case 3:
		bend(image, 0, sizeof(head));
		mend(image);
		break;
	case 4:
	case 5:
		bend(image, RING_HOT_AT, sizeof(struct ring_hot));
		break;
	case 6:
		bend(image, RING_LIFE_AT, sizeof(struct ring_life));
		break;
	case 7:
		bend(image, RING_STATS_AT, 4096);
		break;
	default:
		/* The page of records, then one of payload. */
		bend(image, size - 8192, 512);
	}
	return size;
}

static size_t
scramble(uint8_t *image, size_t size)
{
	switch (roll(20)) {
	case 0:
		memset(image, 0, size);
		return size;
	case 1:
		for (size_t i = 0; i < size; i++)
			image[i] = (uint8_t)roll(256);
		return size;
	case 2:
		/* Random behind a header that is right. */
		for (size_t i = RING_HOT_AT; i < size; i++)
			image[i] = (uint8_t)roll(256);
		return size;
	}
	for (uint64_t n = roll(4); n < 4 && size > IMAGE / 4; n++)
		size = mutate(image, size);
	return size;
}

/* Everything was met, or the rounds prove little. */
static int
report(const unsigned fates[3], uint64_t seed)
{
	int good = fates[REFUSED] && fates[BROKEN] && fates[READ_TO_END];

	printf("1..1\n%sok 1 - a ring file of any bytes is refused or read "
	       "within bounds\n",
	    good ? "" : "not ");
	printf("# seed %" PRIu64 ": %u refused, %u found out while reading, "
	       "%u read to the end\n",
	    seed, fates[REFUSED], fates[BROKEN], fates[READ_TO_END]);
	return !good;
}

int
main(void)
{
	static uint8_t image[IMAGE];
	const char *given = getenv("PEAL_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : time_wall_us() | 1;
	unsigned fates[3] = { 0 };
	size_t size;

	dice = seed;
	/* Said first: a crash must not take the seed with it. */
	fprintf(stderr, "# seed %" PRIu64 "\n", seed);
	(void)alarm(HANG_SECONDS);
	for (unsigned i = 0; i < ROUNDS; i++) {
		size = image_make(image, (unsigned)roll(20));
		size = scramble(image, size);
		fates[ring_fate(image, size)]++;
	}
	return report(fates, seed);
}

#endif
