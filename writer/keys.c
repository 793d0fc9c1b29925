/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Keys, kept in two queues and a table over them:
 *
 *	requests  [seq time fingerprint n first] [ … ] [ … ]	oldest … newest
 *	slots     [id version] [id version] …			one per key
 *	table     id → number of its slot
 *
 * Queues are rings of a power of two, numbered from the first ever.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "writer/keys.h"

struct slot {
	struct key_id id;
	uint64_t version;
	uint64_t request; /* its number */
};

struct record {
	struct keys_request req;
	uint64_t first_slot;
};

/* A ring of elements that grows; numbers first to end are in it. */
struct queue {
	void *items;
	uint64_t mask; /* capacity - 1 */
	uint64_t first;
	uint64_t end;
};

struct keys {
	struct keys_salt salt;
	uint64_t max;
	struct queue requests;
	struct queue slots;
	uint64_t *table; /* number of the slot + 1, 0: free */
	uint64_t table_mask;
	int dropped; /* something known once is forgotten */
};

enum {
	FIRST_ITEMS = 1024
};

static struct record *
record_at(const struct keys *ks, uint64_t number)
{
	const struct queue *q = &ks->requests;

	return (struct record *)q->items + (number & q->mask);
}

static struct slot *
slot_at(const struct keys *ks, uint64_t number)
{
	const struct queue *q = &ks->slots;

	return (struct slot *)q->items + (number & q->mask);
}

/* Room for n more elements of size bytes. */
static int
queue_grow(struct queue *q, uint64_t n, size_t size)
{
	uint64_t cap = q->items ? q->mask + 1 : FIRST_ITEMS;
	uint8_t *items;

	if (q->items && q->end - q->first + n <= cap)
		return 0;
	while (cap < q->end - q->first + n)
		cap *= 2;
	items = malloc(cap * size);
	if (!items)
		return -ENOMEM;
	for (uint64_t i = q->first; i < q->end; i++)
		memcpy(items + (i & (cap - 1)) * size,
		    (uint8_t *)q->items + (i & q->mask) * size, size);
	free(q->items);
	q->items = items;
	q->mask = cap - 1;
	return 0;
}

struct keys *
keys_new(uint64_t max)
{
	struct keys *ks = calloc(1, sizeof(*ks));

	if (!ks)
		return NULL;
	ks->max = max;
	ks->table_mask = 2 * FIRST_ITEMS - 1;
	ks->table = calloc(ks->table_mask + 1, sizeof(*ks->table));
	if (!ks->table)
		return keys_free(ks);
	return ks;
}

struct keys *
keys_free(struct keys *ks)
{
	if (!ks)
		return NULL;
	free(ks->requests.items);
	free(ks->slots.items);
	free(ks->table);
	free(ks);
	return NULL;
}

struct key_id
keys_id(const struct keys *ks, struct slice actor, struct slice key)
{
	uint8_t text[1 + 128 + 255];
	struct key_id id;
	size_t len;

	assert(actor.len <= 128 && key.len <= 255);
	/* The actor's length first: "a" + "bc" is not "ab" + "c". */
	text[0] = (uint8_t)actor.len;
	if (actor.len)
		memcpy(text + 1, actor.p, actor.len);
	memcpy(text + 1 + actor.len, key.p, key.len);
	len = 1 + actor.len + key.len;
	for (unsigned i = 0; i < 2; i++)
		id.h[i] = hash_bytes(&ks->salt.k[i], text, len);
	return id;
}

static bool
same_id(const struct key_id *a, const struct key_id *b)
{
	return a->h[0] == b->h[0] && a->h[1] == b->h[1];
}

/* The place in the table of id, or the free one where it would go. */
static uint64_t
find(const struct keys *ks, const struct key_id *id)
{
	uint64_t at = id->h[0] & ks->table_mask;

	while (
	    ks->table[at] && !same_id(&slot_at(ks, ks->table[at] - 1)->id, id))
		at = (at + 1) & ks->table_mask;
	return at;
}

enum keys_verdict
keys_look_up(const struct keys *ks, const struct key_id *ids, uint32_t n,
    const uint8_t fingerprint[16], struct keys_request *req, uint64_t *versions,
    uint32_t *which)
{
	const struct record *rec;
	uint64_t first;
	uint32_t i;

	for (i = 0; i < n && !ks->table[find(ks, &ids[i])]; i++)
		;
	if (i == n)
		return KEYS_NEW;
	*which = i;
	first = ks->table[find(ks, &ids[i])] - 1;
	rec = record_at(ks, slot_at(ks, first)->request);
	if (i > 0 || rec->first_slot != first || rec->req.n != n ||
	    memcmp(rec->req.fingerprint, fingerprint, 16))
		return KEYS_REUSED;
	for (i = 0; i < n; i++)
		if (!same_id(&slot_at(ks, first + i)->id, &ids[i]))
			return KEYS_REUSED;
	for (i = 0; i < n; i++)
		versions[i] = slot_at(ks, first + i)->version;
	*req = rec->req;
	return KEYS_REPEAT;
}

/* Free a place of the table and move up those that probed past it. */
static void
table_remove(struct keys *ks, uint64_t at)
{
	uint64_t hole = at;

	for (;;) {
		uint64_t home;

		at = (at + 1) & ks->table_mask;
		if (!ks->table[at])
			break;
		home = slot_at(ks, ks->table[at] - 1)->id.h[0] & ks->table_mask;
		if (((at - home) & ks->table_mask) >=
		    ((at - hole) & ks->table_mask)) {
			ks->table[hole] = ks->table[at];
			hole = at;
		}
	}
	ks->table[hole] = 0;
}

static void
drop_oldest(struct keys *ks)
{
	const struct record *rec = record_at(ks, ks->requests.first);

	for (uint32_t i = 0; i < rec->req.n; i++) {
		const struct slot *s = slot_at(ks, rec->first_slot + i);

		table_remove(ks, find(ks, &s->id));
	}
	ks->slots.first += rec->req.n;
	ks->requests.first++;
	ks->dropped = 1;
}

static int
table_grow(struct keys *ks, uint64_t keys)
{
	uint64_t mask = ks->table_mask;
	uint64_t *table;

	while (keys * 2 > mask)
		mask = mask * 2 + 1;
	if (mask == ks->table_mask)
		return 0;
	table = calloc(mask + 1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (uint64_t i = ks->slots.first; i < ks->slots.end; i++) {
		uint64_t at = slot_at(ks, i)->id.h[0] & mask;

		while (table[at])
			at = (at + 1) & mask;
		table[at] = i + 1;
	}
	free(ks->table);
	ks->table = table;
	ks->table_mask = mask;
	return 0;
}

int
keys_reserve(struct keys *ks, uint64_t requests, uint64_t n)
{
	int err;

	n = MIN(n, ks->max);
	err =
	    queue_grow(&ks->requests, MIN(requests, n), sizeof(struct record));
	if (!err)
		err = queue_grow(&ks->slots, n, sizeof(struct slot));
	return err ? err : table_grow(ks, n);
}

/* Room for one more request with n keys, once the oldest ones are dropped. */
static int
make_room(struct keys *ks, uint64_t n)
{
	uint64_t held = ks->slots.end - ks->slots.first;
	uint64_t keys = MIN(held + n, MAX(ks->max, n));
	int err = queue_grow(
	    &ks->requests, keys_requests(ks) < keys, sizeof(struct record));

	if (!err)
		err = queue_grow(&ks->slots, keys > held ? keys - held : 0,
		    sizeof(struct slot));
	return err ? err : table_grow(ks, keys);
}

int
keys_add(struct keys *ks, const struct keys_request *req,
    const struct key_id *ids, const uint64_t *versions)
{
	uint64_t number;
	int err = make_room(ks, req->n);

	if (err)
		return err;
	while (ks->requests.first < ks->requests.end &&
	       ks->slots.end - ks->slots.first + req->n > ks->max)
		drop_oldest(ks);
	number = ks->requests.end++;
	*record_at(ks, number) =
	    (struct record){ .req = *req, .first_slot = ks->slots.end };
	for (uint32_t i = 0; i < req->n; i++) {
		uint64_t slot = ks->slots.end++;

		*slot_at(ks, slot) =
		    (struct slot){ ids[i], versions[i], number };
		ks->table[find(ks, &ids[i])] = slot + 1;
	}
	return 0;
}

uint64_t
keys_reach_us(const struct keys *ks)
{
	if (!ks->dropped || ks->requests.first == ks->requests.end)
		return 0;
	return record_at(ks, ks->requests.first)->req.time_us;
}

struct keys_salt
keys_salt(const struct keys *ks)
{
	return ks->salt;
}

void
keys_set_salt(struct keys *ks, const struct keys_salt *salt)
{
	assert(ks->requests.end == 0);
	ks->salt = *salt;
}

void
keys_set_dropped(struct keys *ks)
{
	ks->dropped = 1;
}

uint64_t
keys_requests(const struct keys *ks)
{
	return ks->requests.end - ks->requests.first;
}

struct keys_request
keys_request_at(const struct keys *ks, uint64_t i, uint64_t *first)
{
	const struct record *rec = record_at(ks, ks->requests.first + i);

	assert(i < keys_requests(ks));
	*first = rec->first_slot;
	return rec->req;
}

struct key_id
keys_slot(const struct keys *ks, uint64_t slot, uint64_t *version)
{
	*version = slot_at(ks, slot)->version;
	return slot_at(ks, slot)->id;
}
