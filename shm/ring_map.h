/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ring file in memory: its header checked, its payload mapped twice back
 * to back, so that any run of events is one slice.  Nothing in a mapping is
 * used for an address before it was compared with the header's copy here.
 */

#ifndef PEAL_SHM_RING_MAP_H
#define PEAL_SHM_RING_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/macros.h"
#include "shm/ring_layout_priv.h"

struct reason;

struct ring_map {
	struct ring_header head; /* checked copy */
	uint8_t *base;
	size_t reserved; /* bytes of address space */
	struct ring_hot *hot;
	struct ring_life *life;
	uint8_t *stats;
	struct ring_seat *seats;
	struct ring_slot *slots;
	uint8_t *payload; /* 2 * payload_bytes are readable */
};

/* Fill in sizes and offsets for head->slots and head->payload_bytes. */
MUST_CHECK int ring_map_plan(
    struct ring_header *head, size_t stats_bytes, struct reason *why);

uint32_t ring_map_crc(const struct ring_header *head);

/*
 * Read and check the header of the file behind fd; name is what a sentence
 * calls it.  -EPROTO: no ring, another version, or at odds with itself.
 */
MUST_CHECK int ring_map_header(
    int fd, const char *name, struct ring_header *head, struct reason *why);

/* Map the file behind fd as the checked head says.  ring_map_deinit() it. */
MUST_CHECK int ring_map_init(struct ring_map *map, int fd,
    const struct ring_header *head, bool writable, struct reason *why);
void ring_map_deinit(struct ring_map *map);

static inline struct ring_slot *
ring_map_slot(const struct ring_map *map, uint64_t ordinal)
{
	return &map->slots[ordinal & (map->head.slots - 1)];
}

/* From here payload_bytes are contiguous. */
static inline uint8_t *
ring_map_bytes(const struct ring_map *map, uint64_t pos)
{
	return &map->payload[pos & (map->head.payload_bytes - 1)];
}

#endif
