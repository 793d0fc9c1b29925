/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A hash map from bytes to pointers.  Keys are borrowed: they live in what
 * the value points to, as long as the entry is there.
 */

#ifndef PEAL_CORE_MAP_H
#define PEAL_CORE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/macros.h"

struct map;

/* Keyed at random, so that strangers' keys do no harm.  NULL: no memory. */
struct map *map_new(void);
/* Frees the map alone; the values are the caller's. */
struct map *map_free(struct map *map);
CLEANUP_FN(struct map *, map_free)

size_t map_count(const struct map *map);
/* NULL when there is none. */
void *map_get(const struct map *map, struct slice key);
/* The key is new, the value not NULL.  0 or -ENOMEM. */
MUST_CHECK int map_put(struct map *map, struct slice key, void *value);
/* Take it out; NULL when there is none. */
void *map_take(struct map *map, struct slice key);

/*
 * Over all values in no order: *at begins at 0; NULL at the end.  Nothing is
 * put or taken meanwhile.
 */
void *map_next(const struct map *map, size_t *at);
/* Forget all entries, keep the room. */
void map_clear(struct map *map);

#endif
