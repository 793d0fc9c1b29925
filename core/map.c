/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Open addressing with linear probing; an entry that is taken out is filled
 * by those behind it, so that there are no tombstones and a look-up ends at
 * the first empty place.  At most three quarters of the places are full.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/map.h"

enum {
	CAP_LEAST = 16
};

struct entry {
	uint64_t hash;
	struct slice key;
	void *value; /* NULL: the place is empty */
};

struct map {
	struct hash_key key;
	size_t count;
	size_t cap; /* 0 or a power of two */
	struct entry *v;
};

struct map *
map_new(void)
{
	struct map *map = calloc(1, sizeof(*map));

	if (map)
		map->key = hash_key_random();
	return map;
}

struct map *
map_free(struct map *map)
{
	if (!map)
		return NULL;
	free(map->v);
	free(map);
	return NULL;
}

size_t
map_count(const struct map *map)
{
	return map->count;
}

/* The entry of key, or NULL. */
static struct entry *
find(const struct map *map, struct slice key)
{
	uint64_t hash;

	if (map->count == 0)
		return NULL;
	hash = hash_bytes(&map->key, key.p, key.len);
	for (size_t i = hash & (map->cap - 1); map->v[i].value;
	     i = (i + 1) & (map->cap - 1))
		if (map->v[i].hash == hash && slice_equal(map->v[i].key, key))
			return &map->v[i];
	return NULL;
}

void *
map_get(const struct map *map, struct slice key)
{
	struct entry *entry = find(map, key);

	return entry ? entry->value : NULL;
}

/* There is an empty place, and the entry is new. */
static void
place(struct entry *v, size_t cap, const struct entry *entry)
{
	size_t i = entry->hash & (cap - 1);

	while (v[i].value)
		i = (i + 1) & (cap - 1);
	v[i] = *entry;
}

static int
grow(struct map *map)
{
	size_t cap = map->cap ? 2 * map->cap : CAP_LEAST;
	struct entry *v = calloc(cap, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < map->cap; i++)
		if (map->v[i].value)
			place(v, cap, &map->v[i]);
	free(map->v);
	map->v = v;
	map->cap = cap;
	return 0;
}

int
map_put(struct map *map, struct slice key, void *value)
{
	struct entry entry = { hash_bytes(&map->key, key.p, key.len), key,
		value };

	assert(value);
	if (map->count >= map->cap / 4 * 3 && grow(map) < 0)
		return -ENOMEM;
	place(map->v, map->cap, &entry);
	map->count++;
	return 0;
}

void *
map_take(struct map *map, struct slice key)
{
	struct entry *entry = find(map, key);
	size_t mask = map->cap - 1, hole, i;
	void *value;

	if (!entry)
		return NULL;
	value = entry->value;
	hole = (size_t)(entry - map->v);
	/* Who stands behind the hole and may stand in it moves there. */
	for (i = (hole + 1) & mask; map->v[i].value; i = (i + 1) & mask) {
		if (((i - map->v[i].hash) & mask) < ((i - hole) & mask))
			continue;
		map->v[hole] = map->v[i];
		hole = i;
	}
	map->v[hole] = (struct entry){ 0 };
	map->count--;
	return value;
}

void *
map_next(const struct map *map, size_t *at)
{
	while (*at < map->cap) {
		void *value = map->v[(*at)++].value;

		if (value)
			return value;
	}
	return NULL;
}

void
map_clear(struct map *map)
{
	if (map->cap)
		memset(map->v, 0, map->cap * sizeof(map->v[0]));
	map->count = 0;
}
