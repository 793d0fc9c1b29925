/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is not flushed yet stays in a table under a lock until a transaction
 * that holds it has been synced.  A flush copies from the table and takes out
 * only what did not change meanwhile, so that one that fails loses nothing.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "broker/clients_priv.h"
#include "core/fs.h"
#include "core/map.h"
#include "core/reason.h"
#include "core/time.h"

enum {
	BATCH = 512, /* clients of one transaction */
};

#define EXPIRE_EVERY_US (UINT64_C(3600) * US_PER_S)

struct clients {
	struct clients_disk *disk;
	uint64_t keep_us;
	pthread_mutex_t lock; /* of all below */
	struct map *table;    /* by user and client */
	TAILQ_HEAD(, clients_dirty) by_age;
	uint64_t expired_us; /* when it was looked at; 0: not yet */
	struct clients_counts counts;
};

void
clients_key_add(struct clients_key *key, struct slice text)
{
	size_t len = MIN(text.len, (size_t)CLIENTS_TEXT_MAX);

	key->b[key->len++] = (uint8_t)len;
	if (len)
		memcpy(key->b + key->len, text.p, len);
	key->len += (uint16_t)len;
}

struct slice
clients_key_slice(const struct clients_key *key)
{
	return slice_of(key->b, key->len);
}

void
clients_merge(struct clients_named *at, const struct clients_named *newer)
{
	if (at->log_len == newer->log_len &&
	    !memcmp(at->log, newer->log, at->log_len)) {
		at->seq = MAX(at->seq, newer->seq);
		return;
	}
	at->seq = newer->seq;
	at->log_len = newer->log_len;
	memcpy(at->log, newer->log, newer->log_len);
}

struct clients_named *
clients_list_find(struct clients_list *list, struct slice name)
{
	for (unsigned i = 0; i < list->n; i++) {
		struct clients_named *at = &list->v[i];

		if (slice_equal(slice_of(at->name, at->name_len), name))
			return at;
	}
	return NULL;
}

/* --- the table; the lock is held --- */

static void
dirty_free(struct clients_dirty *d)
{
	for (unsigned i = 0; i < d->n; i++)
		free(d->v[i]);
	free(d);
}

static void
dirty_remove(struct clients *c, struct clients_dirty *d)
{
	(void)map_take(c->table, clients_key_slice(&d->key));
	TAILQ_REMOVE(&c->by_age, d, age);
	c->counts.unflushed--;
	dirty_free(d);
}

/* NULL: no room. */
static struct clients_dirty *
dirty_get(struct clients *c, const struct clients_key *key)
{
	struct clients_dirty *d = map_get(c->table, clients_key_slice(key));

	if (d || c->counts.unflushed >= CLIENTS_UNFLUSHED_MAX)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->key = *key;
	if (map_put(c->table, clients_key_slice(&d->key), d) < 0) {
		free(d);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&c->by_age, d, age);
	c->counts.unflushed++;
	return d;
}

static unsigned
dirty_find(const struct clients_dirty *d, struct slice name)
{
	unsigned i = 0;

	while (i < d->n && !slice_equal(name, slice_of(d->v[i]->at.name,
						  d->v[i]->at.name_len)))
		i++;
	return i;
}

static struct clients_key
key_of(struct slice user, struct slice client)
{
	struct clients_key key = { 0 };

	clients_key_add(&key, user);
	clients_key_add(&key, client);
	return key;
}

static void
name_cursor(struct clients_named *at, const struct clients_cursor *cursor)
{
	at->name_len = (uint8_t)MIN(cursor->name.len, (size_t)CLIENTS_TEXT_MAX);
	at->log_len = (uint16_t)MIN(cursor->log.len, (size_t)CLIENTS_LOG_MAX);
	at->seq = cursor->seq;
	if (at->name_len)
		memcpy(at->name, cursor->name.p, at->name_len);
	if (at->log_len)
		memcpy(at->log, cursor->log.p, at->log_len);
}

static enum clients_ack
take_ack(
    struct clients *c, const struct clients_cursor *cursor, uint64_t now_us)
{
	struct clients_key key = key_of(cursor->user, cursor->client);
	struct clients_dirty *d = dirty_get(c, &key);
	struct clients_fresh *fresh, *old;
	unsigned i;

	if (!d)
		return CLIENTS_NO_ROOM;
	i = dirty_find(d, cursor->name);
	if (i == CLIENTS_NAMES)
		return CLIENTS_TOO_MANY;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return CLIENTS_NO_ROOM;
	name_cursor(&fresh->at, cursor);
	fresh->used_us = now_us;
	if (i == d->n) {
		d->v[d->n++] = fresh;
	} else {
		old = d->v[i];
		clients_merge(&old->at, &fresh->at);
		old->used_us = MAX(old->used_us, now_us);
		free(fresh);
	}
	d->changes++;
	return CLIENTS_TAKEN;
}

enum clients_ack
clients_ack(
    struct clients *c, const struct clients_cursor *cursor, uint64_t now_us)
{
	enum clients_ack taken;

	pthread_mutex_lock(&c->lock);
	taken = take_ack(c, cursor, now_us);
	c->counts.acks += taken == CLIENTS_TAKEN;
	c->counts.refused += taken != CLIENTS_TAKEN;
	pthread_mutex_unlock(&c->lock);
	return taken;
}

static bool
expire_due(const struct clients *c, uint64_t now_us)
{
	return !c->expired_us || now_us - c->expired_us >= EXPIRE_EVERY_US;
}

bool
clients_due(struct clients *c, uint64_t now_us)
{
	bool due;

	pthread_mutex_lock(&c->lock);
	due = c->counts.unflushed || expire_due(c, now_us);
	pthread_mutex_unlock(&c->lock);
	return due;
}

void
clients_counts(struct clients *c, struct clients_counts *out)
{
	pthread_mutex_lock(&c->lock);
	*out = c->counts;
	pthread_mutex_unlock(&c->lock);
}

/* --- reading --- */

static void
copy_fresh(
    struct clients *c, const struct clients_key *key, struct clients_list *out)
{
	struct clients_dirty *d;

	out->n = 0;
	pthread_mutex_lock(&c->lock);
	d = map_get(c->table, clients_key_slice(key));
	for (unsigned i = 0; d && i < d->n; i++)
		out->v[out->n++] = d->v[i]->at;
	pthread_mutex_unlock(&c->lock);
}

/* All of a client's cursors are in use; where there is no room, so be it. */
static void
touch(struct clients *c, const struct clients_key *key, uint64_t now_us)
{
	struct clients_dirty *d;

	pthread_mutex_lock(&c->lock);
	d = dirty_get(c, key);
	if (d) {
		d->read_us = MAX(d->read_us, now_us);
		d->changes++;
	}
	pthread_mutex_unlock(&c->lock);
}

static int
compare_names(const void *a, const void *b)
{
	const struct clients_named *x = a, *y = b;
	int order = memcmp(x->name, y->name, MIN(x->name_len, y->name_len));

	return order ? order : (int)x->name_len - (int)y->name_len;
}

int
clients_read(struct clients *c, struct slice user, struct slice client,
    uint64_t now_us, struct clients_list *out)
{
	CLEANUP(freep) struct clients_list *fresh = calloc(1, sizeof(*fresh));
	struct clients_key key = key_of(user, client);
	struct clients_named *at;
	int err;

	if (!fresh)
		return -ENOMEM;
	/* Memory before disk: what a flush moves between is seen twice. */
	copy_fresh(c, &key, fresh);
	err = clients_disk_read(c->disk, &key, out);
	if (err < 0)
		return err;
	if (out->n)
		touch(c, &key, now_us);
	for (unsigned i = 0; i < fresh->n; i++) {
		const struct clients_named *newer = &fresh->v[i];

		at = clients_list_find(
		    out, slice_of(newer->name, newer->name_len));
		if (at)
			clients_merge(at, newer);
		else if (out->n < CLIENTS_NAMES)
			out->v[out->n++] = *newer;
	}
	qsort(out->v, out->n, sizeof(out->v[0]), compare_names);
	return 0;
}

void
clients_lower(const struct clients_named *at, struct slice log, uint64_t oldest,
    uint64_t *needed)
{
	uint64_t next = at->seq + (at->seq < UINT64_MAX);

	if (next >= oldest && (*needed == 0 || next < *needed) &&
	    slice_equal(slice_of(at->log, at->log_len), log))
		*needed = next;
}

int
clients_needed(struct clients *c, struct slice log, uint64_t oldest,
    uint64_t *needed, struct reason *why)
{
	const struct clients_dirty *d;
	uint64_t least = 0;
	int err;

	/* Memory before disk, as above. */
	pthread_mutex_lock(&c->lock);
	TAILQ_FOREACH (d, &c->by_age, age)
		for (unsigned i = 0; i < d->n; i++)
			clients_lower(&d->v[i]->at, log, oldest, &least);
	pthread_mutex_unlock(&c->lock);
	err = clients_disk_needed(c->disk, log, oldest, &least, why);
	if (!err)
		*needed = least;
	return err;
}

/* Take a name out of the table again. */
static void
withdraw(struct clients *c, const struct clients_key *key, struct slice name)
{
	struct clients_dirty *d;
	unsigned i;

	pthread_mutex_lock(&c->lock);
	d = map_get(c->table, clients_key_slice(key));
	i = d ? dirty_find(d, name) : 0;
	if (d && i < d->n) {
		free(d->v[i]);
		d->v[i] = d->v[--d->n];
		d->changes++;
		c->counts.refused++;
	}
	pthread_mutex_unlock(&c->lock);
}

int
clients_admit(struct clients *c, const struct clients_cursor *cursor)
{
	CLEANUP(freep) struct clients_list *lists = calloc(2, sizeof(*lists));
	struct clients_key key = key_of(cursor->user, cursor->client);
	unsigned n;
	int err;

	if (!lists)
		return -ENOMEM;
	copy_fresh(c, &key, &lists[0]);
	err = clients_disk_read(c->disk, &key, &lists[1]);
	if (err < 0)
		return err;
	if (clients_list_find(&lists[1], cursor->name))
		return CLIENTS_TAKEN;
	n = lists[1].n;
	for (unsigned i = 0; i < lists[0].n; i++) {
		const struct clients_named *at = &lists[0].v[i];

		n += !clients_list_find(
		    &lists[1], slice_of(at->name, at->name_len));
	}
	if (n <= CLIENTS_NAMES)
		return CLIENTS_TAKEN;
	withdraw(c, &key, cursor->name);
	return CLIENTS_TOO_MANY;
}

/* --- flushing --- */

static struct clients_dirty *
dirty_copy(const struct clients_dirty *d)
{
	struct clients_dirty *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *d;
	copy->n = 0;
	for (unsigned i = 0; i < d->n; i++) {
		copy->v[i] = malloc(sizeof(*copy->v[i]));
		if (!copy->v[i]) {
			dirty_free(copy);
			return NULL;
		}
		*copy->v[i] = *d->v[i];
		copy->n++;
	}
	return copy;
}

/* Those that wait longest go behind the others, in case they change. */
static int
copy_batch(
    struct clients *c, unsigned most, struct clients_dirty **v, unsigned *n)
{
	struct clients_dirty *d;
	int err = 0;

	*n = 0;
	pthread_mutex_lock(&c->lock);
	while (!err && *n < most && (d = TAILQ_FIRST(&c->by_age))) {
		v[*n] = dirty_copy(d);
		if (!v[*n]) {
			err = -ENOMEM;
			break;
		}
		++*n;
		TAILQ_REMOVE(&c->by_age, d, age);
		TAILQ_INSERT_TAIL(&c->by_age, d, age);
	}
	pthread_mutex_unlock(&c->lock);
	return err;
}

/* The copies were written: what has not changed since is done with. */
static void
forget_batch(struct clients *c, struct clients_dirty *const *v, unsigned n,
    const struct clients_flushed *found)
{
	struct clients_dirty *d;

	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < n; i++) {
		d = map_get(c->table, clients_key_slice(&v[i]->key));
		if (d && d->changes == v[i]->changes)
			dirty_remove(c, d);
	}
	c->counts.flushes++;
	c->counts.refused += found->refused;
	c->counts.evicted += found->evicted;
	pthread_mutex_unlock(&c->lock);
}

static int
flush_batch(struct clients *c, unsigned most, struct reason *why)
{
	struct clients_dirty *v[BATCH];
	struct clients_flushed found = { 0 };
	unsigned n;
	int err = copy_batch(c, most, v, &n);

	if (err < 0)
		(void)reason_set(why, err, "cannot store clients' positions");
	else
		err = clients_disk_write(c->disk, v, n, &found, why);
	if (!err)
		forget_batch(c, v, n, &found);
	for (unsigned i = 0; i < n; i++)
		dirty_free(v[i]);
	return err;
}

static int
expire(struct clients *c, uint64_t now_us, struct reason *why)
{
	struct clients_flushed found = { 0 };
	uint64_t before = now_us > c->keep_us ? now_us - c->keep_us : 0;
	bool due;
	int err = 0;

	pthread_mutex_lock(&c->lock);
	due = expire_due(c, now_us);
	pthread_mutex_unlock(&c->lock);
	if (!due)
		return 0;
	if (before)
		err = clients_disk_expire(c->disk, before, &found, why);
	pthread_mutex_lock(&c->lock);
	if (!err)
		c->expired_us = now_us;
	c->counts.expired += found.expired;
	pthread_mutex_unlock(&c->lock);
	return err;
}

int
clients_flush(struct clients *c, uint64_t now_us, struct reason *why)
{
	uint64_t left;
	int err = 0;

	pthread_mutex_lock(&c->lock);
	left = c->counts.unflushed;
	pthread_mutex_unlock(&c->lock);
	while (!err && left) {
		unsigned n = (unsigned)MIN(left, (uint64_t)BATCH);

		err = flush_batch(c, n, why);
		left -= n;
	}
	if (!err)
		err = expire(c, now_us, why);
	if (err) {
		pthread_mutex_lock(&c->lock);
		c->counts.flush_failed++;
		pthread_mutex_unlock(&c->lock);
	}
	return err;
}

/* --- life --- */

/* Damaged files are kept under another name, for whoever wants to look. */
static int
set_aside(const char *dir, const struct reason *of, struct reason *why)
{
	char from[600], to[600];

	snprintf(from, sizeof(from), "%s/data.mdb", dir);
	snprintf(to, sizeof(to), "%s/data.mdb.damaged", dir);
	if (rename(from, to) < 0)
		return reason_set(why, -errno, "cannot rename '%s'", from);
	snprintf(from, sizeof(from), "%s/lock.mdb", dir);
	(void)unlink(from);
	(void)reason_set(why, 0,
	    "%.160s: set aside, clients' positions begin anew", of->text);
	return 0;
}

int
clients_open(
    const char *dir, uint64_t keep_us, struct clients **out, struct reason *why)
{
	CLEANUP(clients_freep) struct clients *c = calloc(1, sizeof(*c));
	struct reason damage = { "" };
	int opened = CLIENTS_OPENED, err;

	if (!c)
		return reason_set(why, -ENOMEM, "cannot open '%s'", dir);
	pthread_mutex_init(&c->lock, NULL);
	TAILQ_INIT(&c->by_age);
	c->keep_us = keep_us;
	c->table = map_new();
	if (!c->table)
		return reason_set(why, -ENOMEM, "cannot open '%s'", dir);
	err = fs_mkdirs(dir, 0750, why);
	if (err < 0)
		return err;
	err = clients_disk_open(dir, &c->disk, &damage);
	if (err == -EUCLEAN) {
		err = set_aside(dir, &damage, why);
		if (err < 0)
			return err;
		opened = CLIENTS_ANEW;
		err = clients_disk_open(dir, &c->disk, &damage);
	}
	if (err < 0) {
		if (why)
			*why = damage;
		return err;
	}
	*out = TAKE(c);
	return opened;
}

struct clients *
clients_free(struct clients *c)
{
	if (!c)
		return NULL;
	while (!TAILQ_EMPTY(&c->by_age))
		dirty_remove(c, TAILQ_FIRST(&c->by_age));
	(void)map_free(c->table);
	(void)clients_disk_free(c->disk);
	pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}
