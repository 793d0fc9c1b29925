/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Versions, an open-addressing table of indexes into a stack of entries:
 *
 *	slots[]   . . 3 . 1 . . 2 .	(entry + 1, 0 is free)
 *	entries[] 1 2 3			(hash, version, name's place)
 *	names     topic topic topic
 *
 * Entries and names only grow at their end, so that the bumps of a refused
 * request are taken back by popping.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "writer/versions.h"

struct entry {
	uint64_t hash;
	uint64_t version;
	uint64_t last_seq;
	uint64_t name : 56;
	uint64_t name_len : 8;
};

struct versions {
	uint32_t *slots;
	uint32_t mask; /* slots - 1 */
	struct entry *entries;
	uint32_t n;
	uint32_t cap;
	uint8_t *names;
	size_t names_len;
	size_t names_cap;
};

enum {
	FIRST_SLOTS = 1024
};

struct versions *
versions_new(void)
{
	struct versions *vs = calloc(1, sizeof(*vs));

	if (!vs)
		return NULL;
	vs->slots = calloc(FIRST_SLOTS, sizeof(*vs->slots));
	if (!vs->slots)
		return versions_free(vs);
	vs->mask = FIRST_SLOTS - 1;
	return vs;
}

struct versions *
versions_free(struct versions *vs)
{
	if (!vs)
		return NULL;
	free(vs->slots);
	free(vs->entries);
	free(vs->names);
	free(vs);
	return NULL;
}

uint64_t
versions_count(const struct versions *vs)
{
	return vs->n;
}

/* The slot that holds the topic, or the free one where it would go. */
static uint32_t
find_slot(const struct versions *vs, uint64_t hash, struct slice topic)
{
	uint32_t at = (uint32_t)hash & vs->mask;

	for (; vs->slots[at]; at = (at + 1) & vs->mask) {
		const struct entry *e = &vs->entries[vs->slots[at] - 1];

		if (e->hash == hash && e->name_len == topic.len &&
		    !memcmp(vs->names + e->name, topic.p, topic.len))
			break;
	}
	return at;
}

struct version
versions_get(const struct versions *vs, uint64_t hash, struct slice topic)
{
	uint32_t at = find_slot(vs, hash, topic);
	const struct entry *e;

	if (!vs->slots[at])
		return (struct version){ 0, 0 };
	e = &vs->entries[vs->slots[at] - 1];
	return (struct version){ e->version, e->last_seq };
}

static int
grow_slots(struct versions *vs)
{
	uint32_t mask = vs->mask * 2 + 1;
	uint32_t *slots = calloc((size_t)mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < vs->n; i++) {
		uint32_t at = (uint32_t)vs->entries[i].hash & mask;

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = i + 1;
	}
	free(vs->slots);
	vs->slots = slots;
	vs->mask = mask;
	return 0;
}

/* Room for one more entry with a name of len bytes. */
static int
make_room(struct versions *vs, size_t len)
{
	void *p;

	if (vs->n == vs->cap) {
		uint32_t cap = vs->cap ? vs->cap * 2 : FIRST_SLOTS;

		p = realloc(vs->entries, cap * sizeof(*vs->entries));
		if (!p)
			return -ENOMEM;
		vs->entries = p;
		vs->cap = cap;
	}
	if (vs->names_len + len > vs->names_cap) {
		size_t cap = MAX(vs->names_cap * 2, (size_t)65536);

		p = realloc(vs->names, cap);
		if (!p)
			return -ENOMEM;
		vs->names = p;
		vs->names_cap = cap;
	}
	/* At most half full: probes stay short. */
	if ((uint64_t)vs->n * 2 > vs->mask)
		return grow_slots(vs);
	return 0;
}

static struct entry *
find_or_add(struct versions *vs, uint64_t hash, struct slice topic)
{
	uint32_t at = find_slot(vs, hash, topic);
	struct entry *e;

	assert(topic.len > 0 && topic.len <= 255);
	if (vs->slots[at])
		return &vs->entries[vs->slots[at] - 1];
	if (make_room(vs, topic.len) < 0)
		return NULL;
	at = find_slot(vs, hash, topic); /* the table may have grown */
	e = &vs->entries[vs->n];
	*e = (struct entry){
		.hash = hash, .name = vs->names_len, .name_len = topic.len
	};
	memcpy(vs->names + vs->names_len, topic.p, topic.len);
	vs->names_len += topic.len;
	vs->slots[at] = ++vs->n;
	return e;
}

uint64_t
versions_bump(struct versions *vs, uint64_t hash, struct slice topic,
    uint64_t seq, struct version_undo *undo)
{
	struct entry *e = find_or_add(vs, hash, topic);

	if (!e)
		return 0;
	undo->entry = (uint32_t)(e - vs->entries);
	undo->last_seq = e->last_seq;
	e->last_seq = seq;
	return ++e->version;
}

void
versions_undo(struct versions *vs, const struct version_undo *undo)
{
	struct entry *e = &vs->entries[undo->entry];

	e->last_seq = undo->last_seq;
	if (--e->version > 0)
		return;
	assert(undo->entry == vs->n - 1);
	/* It came last: none has probed past its slot. */
	vs->slots[find_slot(
	    vs, e->hash, slice_of(vs->names + e->name, e->name_len))] = 0;
	vs->names_len -= e->name_len;
	vs->n--;
}

int
versions_set(
    struct versions *vs, uint64_t hash, struct slice topic, struct version v)
{
	struct entry *e = find_or_add(vs, hash, topic);

	if (!e)
		return -ENOMEM;
	e->version = v.version;
	e->last_seq = v.last_seq;
	return 0;
}

struct version
versions_at(const struct versions *vs, uint64_t i, struct slice *topic)
{
	const struct entry *e = &vs->entries[i];

	assert(i < vs->n);
	*topic = slice_of(vs->names + e->name, e->name_len);
	return (struct version){ e->version, e->last_seq };
}
