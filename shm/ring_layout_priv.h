/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ring file, byte by byte: the structs below are what doc/formats.md
 * tells in prose.  Only shm/ includes this; whoever changes a field raises
 * RING_VERSION.
 *
 *     0      header    constant once the magic is stored
 *     4096   hot page  what moves with each pass
 *     8192   life page state and heartbeat
 *     12288  counters  self-described, see stats.h
 *            readers   what tools see of each attached reader
 *            records   64 bytes for each slot
 *            payload   a byte ring, mapped twice back to back
 */

#ifndef PEAL_SHM_RING_LAYOUT_PRIV_H
#define PEAL_SHM_RING_LAYOUT_PRIV_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* "PEALRING" as a little-endian number: a foreign byte order is refused. */
#define RING_MAGIC UINT64_C(0x474e49524c414550)

enum {
	RING_VERSION = 1,
	RING_PAGE = 4096, /* unit of the layout; the map may need more */
	RING_HOT_AT = RING_PAGE,
	RING_LIFE_AT = 2 * RING_PAGE,
	RING_STATS_AT = 3 * RING_PAGE,
	RING_READERS = 64,
	RING_ROLE = 16, /* bytes of a role, NUL included */
	RING_FLAGS = 3, /* the flags that version 1 knows */
};

struct ring_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes;
	uint8_t log_id[16];
	uint64_t epoch;
	uint32_t incarnation;
	uint32_t slots;
	uint64_t payload_bytes;
	uint64_t topic_key[2];
	uint64_t head_seq;
	uint64_t start_ord;
	uint64_t start_pos;
	uint64_t created_us;
	uint64_t stats_at;
	uint64_t stats_bytes;
	uint64_t readers_at;
	uint64_t records_at;
	uint64_t payload_at;
	uint64_t file_bytes;
	uint32_t readers;
	uint32_t writer_pid;
	uint32_t unsafe; /* 1: the log is where flushes may be lost */
	uint8_t zero[88];
	uint32_t crc; /* CRC32C of all before it, the magic as if stored */
};

_Static_assert(sizeof(struct ring_header) == 256, "header is 256 bytes");
_Static_assert(offsetof(struct ring_header, crc) == 252, "CRC comes last");

typedef _Atomic uint64_t ring_word;

/*
 * Each group has 128 bytes of its own, two lines, because processors fetch
 * lines in pairs.  The four tail words share one group: they are written
 * together and read together.
 */
struct ring_hot {
	_Alignas(128) ring_word valid_ord; /* all below may be overwritten */
	_Alignas(128) ring_word tail_ord;
	ring_word tail_seq;
	ring_word tail_pos;
	ring_word publish_ns;
	_Alignas(128) ring_word oldest_seq;
	_Alignas(128) ring_word rung_ord; /* doorbells were rung up to here */
};

_Static_assert(sizeof(struct ring_hot) == 512, "hot page as documented");

struct ring_life {
	_Atomic uint32_t state;
	uint32_t zero;
	ring_word heartbeat_ns;
};

_Static_assert(sizeof(struct ring_life) == 16, "life page as documented");

/* One reader as tools see it; generation is odd while it is rewritten. */
struct ring_seat {
	ring_word generation;
	ring_word pid; /* 0: the seat is free */
	ring_word role[RING_ROLE / 8];
	ring_word attached_us;
	ring_word position;
	ring_word clients;
	ring_word lapped;
	ring_word wakeups;
	ring_word missed;
	ring_word parked;
	ring_word heartbeat_ns;
	ring_word zero[4];
};

_Static_assert(sizeof(struct ring_seat) == 128, "seat is 128 bytes");

/* What stands in a slot, and its copy once it was read. */
struct ring_record {
	uint64_t ordinal;
	uint64_t seq;
	uint64_t pos;
	uint64_t time_us;
	uint64_t topic_hash;
	uint64_t version;
	uint32_t len;
	uint32_t crc;
	uint32_t flags;
	uint32_t stamp;
};

enum {
	RING_RECORD_WORDS = 8
};

_Static_assert(sizeof(struct ring_record) == 64, "record is 64 bytes");

struct ring_slot {
	ring_word word[RING_RECORD_WORDS];
};

/*
 * The status page of one reader: it writes, the writer takes hints.  parked
 * is 0 while awake, and a number never used before each time it parks.
 */
struct ring_status_page {
	_Alignas(128) ring_word parked;
	_Alignas(128) ring_word position;
	ring_word clients;
	ring_word lapped;
	ring_word wakeups;
	ring_word missed;
	ring_word heartbeat_ns;
};

_Static_assert(sizeof(struct ring_status_page) <= RING_PAGE, "one page");

/* The packets on ring.sock. */
struct ring_attach_request {
	uint64_t magic; /* RING_MAGIC */
	uint32_t version;
	uint32_t zero;
	char role[RING_ROLE];
};

struct ring_attach_reply {
	uint64_t magic;
	uint32_t version;
	uint32_t refused; /* 0, or an enum doorbell_refusal, without ring */
	uint8_t log_id[16];
	uint64_t epoch;
	uint32_t incarnation;
	uint32_t seat;
};

_Static_assert(sizeof(struct ring_attach_request) == 32, "request packet");
_Static_assert(sizeof(struct ring_attach_reply) == 48, "reply packet");

static inline uint64_t
ring_load(const ring_word *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static inline void
ring_store(ring_word *w, uint64_t v)
{
	atomic_store_explicit(w, v, memory_order_relaxed);
}

/* Two numbers of 4 bytes as they stand in memory, one behind the other. */
static inline uint64_t
ring_pair(uint32_t first, uint32_t second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (uint64_t)second << 32;
#else
	return second | (uint64_t)first << 32;
#endif
}

static inline void
ring_slot_load(const struct ring_slot *slot, struct ring_record *r)
{
	uint64_t word[RING_RECORD_WORDS];

	for (unsigned i = 0; i < RING_RECORD_WORDS; i++)
		word[i] = ring_load(&slot->word[i]);
	memcpy(r, word, sizeof(*r));
}

/*
 * Word by word and not by memcpy() from the struct: loads of 8 bytes behind
 * stores of 4 wait for the cache, a third of what an event costs.
 */
static inline void
ring_slot_store(struct ring_slot *slot, const struct ring_record *r)
{
	ring_store(&slot->word[0], r->ordinal);
	ring_store(&slot->word[1], r->seq);
	ring_store(&slot->word[2], r->pos);
	ring_store(&slot->word[3], r->time_us);
	ring_store(&slot->word[4], r->topic_hash);
	ring_store(&slot->word[5], r->version);
	ring_store(&slot->word[6], ring_pair(r->len, r->crc));
	ring_store(&slot->word[7], ring_pair(r->flags, r->stamp));
}

/*
 * Bytes in and out of the ring as relaxed words, aligned on the ring's side:
 * the other process may be at them at the same time, and memcpy() has no
 * meaning then.  Fences around the copy give it one.
 */
static inline void
ring_bytes_in(uint8_t *ring, const uint8_t *src, size_t n)
{
	uint64_t word;

	for (; n && (uintptr_t)ring % 8; n--)
		__atomic_store_n(ring++, *src++, __ATOMIC_RELAXED);
	for (; n >= 8; n -= 8, ring += 8, src += 8) {
		memcpy(&word, src, 8);
		__atomic_store_n(
		    (uint64_t *)(void *)ring, word, __ATOMIC_RELAXED);
	}
	for (; n; n--)
		__atomic_store_n(ring++, *src++, __ATOMIC_RELAXED);
}

static inline void
ring_bytes_out(uint8_t *dst, const uint8_t *ring, size_t n)
{
	uint64_t word;

	for (; n && (uintptr_t)ring % 8; n--)
		*dst++ = __atomic_load_n(ring++, __ATOMIC_RELAXED);
	for (; n >= 8; n -= 8, ring += 8, dst += 8) {
		word = __atomic_load_n(
		    (const uint64_t *)(const void *)ring, __ATOMIC_RELAXED);
		memcpy(dst, &word, 8);
	}
	for (; n; n--)
		*dst++ = __atomic_load_n(ring++, __ATOMIC_RELAXED);
}

#endif
