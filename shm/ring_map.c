/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Mapping and checking the ring file.  A file of arbitrary bytes is refused
 * with a sentence; what passes here can be read without leaving the mapping.
 */

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "core/reason.h"
#include "shm/ring_map.h"

/* Beyond this no size is meant: sums of offsets stay far from overflow. */
#define SIZE_LIMIT  (UINT64_C(1) << 44)
#define SLOTS_LIMIT (UINT32_C(1) << 30)

static bool
is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static uint64_t
page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What holds for the sizes of every ring, ours and others'. */
static int
check_sizes(const struct ring_header *head, struct reason *why)
{
	if (!is_power_of_two(head->slots) || head->slots < 8 ||
	    head->slots > SLOTS_LIMIT)
		return reason_say(why, -EINVAL,
		    "%" PRIu32 " slots: a ring has a power of two of them, "
		    "8 to %" PRIu32,
		    head->slots, SLOTS_LIMIT);
	if (!is_power_of_two(head->payload_bytes) ||
	    head->payload_bytes < page_bytes() ||
	    head->payload_bytes > SIZE_LIMIT)
		return reason_say(why, -EINVAL,
		    "a payload of %" PRIu64 " bytes: a ring has a power of "
		    "two, %" PRIu64 " to %" PRIu64,
		    head->payload_bytes, page_bytes(), SIZE_LIMIT);
	return 0;
}

int
ring_map_plan(struct ring_header *head, size_t stats_bytes, struct reason *why)
{
	int err = check_sizes(head, why);

	if (err < 0)
		return err;
	head->stats_at = RING_STATS_AT;
	head->stats_bytes = stats_bytes;
	head->readers = RING_READERS;
	head->readers_at =
	    ALIGN_UP(head->stats_at + stats_bytes, (uint64_t)RING_PAGE);
	head->records_at =
	    ALIGN_UP(head->readers_at + RING_READERS * sizeof(struct ring_seat),
		(uint64_t)RING_PAGE);
	head->payload_at =
	    ALIGN_UP(head->records_at + head->slots * sizeof(struct ring_slot),
		MAX(page_bytes(), (uint64_t)RING_PAGE));
	head->file_bytes = head->payload_at + head->payload_bytes;
	return 0;
}

uint32_t
ring_map_crc(const struct ring_header *head)
{
	struct ring_header whole = *head;

	whole.magic = RING_MAGIC;
	return crc32c(0, &whole, offsetof(struct ring_header, crc));
}

/* Parts in order, none beyond the next, each aligned for what it holds. */
static bool
parts_fit(const struct ring_header *head)
{
	const uint64_t parts[][2] = {
		{ head->stats_at, head->stats_bytes },
		{ head->readers_at, head->readers * sizeof(struct ring_seat) },
		{ head->records_at, head->slots * sizeof(struct ring_slot) },
		{ head->payload_at, head->payload_bytes },
	};
	uint64_t end = RING_STATS_AT;

	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i][0] > SIZE_LIMIT || parts[i][1] > SIZE_LIMIT ||
		    parts[i][0] < end || parts[i][0] % RING_PAGE)
			return false;
		end = parts[i][0] + parts[i][1];
	}
	return head->payload_at % page_bytes() == 0 &&
	       end == head->file_bytes && head->readers <= RING_READERS;
}

int
ring_map_header(
    int fd, const char *name, struct ring_header *head, struct reason *why)
{
	struct ring_header h = { 0 };
	struct reason sizes;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return reason_set(why, -errno, "cannot stat %s", name);
	if (!S_ISREG(st.st_mode))
		return reason_say(why, -EPROTO, "%s is no file", name);
	n = pread(fd, &h, sizeof(h), 0);
	if (n < 0)
		return reason_set(why, -errno, "cannot read %s", name);
	if ((size_t)n < sizeof(h))
		return reason_say(why, -EPROTO,
		    "%s is no ring: %zd bytes are less than a header", name, n);
	if (h.magic != RING_MAGIC)
		return reason_say(why, -EPROTO,
		    "%s is no ring: it begins with %016" PRIx64, name, h.magic);
	if (h.version != RING_VERSION)
		return reason_say(why, -EPROTO,
		    "%s is a ring of version %" PRIu32 ", not %d", name,
		    h.version, RING_VERSION);
	if (h.header_bytes != sizeof(h) || h.crc != ring_map_crc(&h))
		return reason_say(why, -EPROTO,
		    "%s has a damaged header: its CRC does not match", name);
	if (check_sizes(&h, &sizes) < 0)
		return reason_say(
		    why, -EPROTO, "%s is damaged: %s", name, sizes.text);
	if (!parts_fit(&h))
		return reason_say(
		    why, -EPROTO, "%s is damaged: its parts overlap", name);
	if ((uint64_t)st.st_size < h.file_bytes)
		return reason_say(why, -EPROTO,
		    "%s is cut off: %" PRIu64 " of %" PRIu64 " bytes", name,
		    (uint64_t)st.st_size, h.file_bytes);
	*head = h;
	return 0;
}

int
ring_map_init(struct ring_map *map, int fd, const struct ring_header *head,
    bool writable, struct reason *why)
{
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	size_t once = head->file_bytes;
	size_t payload = head->payload_bytes;
	size_t reserved = once + payload;
	uint8_t *base;

	/* Reserve it all first, so that both halves surely are neighbours. */
	base = mmap(NULL, reserved, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return reason_set(why, -errno,
		    "cannot reserve %zu bytes of address space", reserved);
	if (mmap(base, once, prot, MAP_SHARED | MAP_FIXED, fd, 0) ==
		MAP_FAILED ||
	    mmap(base + once, payload, prot, MAP_SHARED | MAP_FIXED, fd,
		(off_t)head->payload_at) == MAP_FAILED) {
		int err = reason_set(
		    why, -errno, "cannot map %zu bytes of the ring", once);

		(void)munmap(base, reserved);
		return err;
	}
	*map = (struct ring_map){
		.head = *head,
		.base = base,
		.reserved = reserved,
		.hot = (void *)(base + RING_HOT_AT),
		.life = (void *)(base + RING_LIFE_AT),
		.stats = base + head->stats_at,
		.seats = (void *)(base + head->readers_at),
		.slots = (void *)(base + head->records_at),
		.payload = base + head->payload_at,
	};
	return 0;
}

void
ring_map_deinit(struct ring_map *map)
{
	if (map->base)
		(void)munmap(map->base, map->reserved);
	map->base = NULL;
}
