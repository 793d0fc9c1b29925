/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Cursors on the disk: one LMDB environment, synced with each transaction.
 * The key is user, client and name, each behind its length, so that a user
 * and a client are prefixes; the value is seq and time of last use, u64
 * little-endian, and the log's name.
 */

#include <errno.h>
#include <string.h>

#include <lmdb.h>

#include "broker/clients_priv.h"
#include "core/reason.h"

#define MAP_BYTES ((size_t)4 << 30)

enum {
	READERS = 32,
	VALUE_HEAD = 16, /* bytes in front of the log's name */
};

struct clients_disk {
	MDB_env *env;
	MDB_dbi dbi;
};

/* A cursor as it is stored. */
struct entry {
	struct clients_named at;
	uint64_t used_us;
	bool written;
};

static int
fail(struct reason *why, int rc, const char *what)
{
	int err;

	if (!rc)
		return 0;
	(void)reason_set(why, 0, "clients' positions: cannot %s: %s", what,
	    mdb_strerror(rc));
	switch (rc) {
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_VERSION_MISMATCH:
	case MDB_PAGE_NOTFOUND:
	case MDB_INCOMPATIBLE:
		err = -EUCLEAN;
		break;
	case MDB_MAP_FULL:
		err = -ENOSPC;
		break;
	case MDB_READERS_FULL:
		err = -EAGAIN;
		break;
	default:
		err = rc > 0 ? -rc : -EIO;
	}
	return err;
}

/* --- transactions that end with their block --- */

static void
txn_abortp(MDB_txn **txn)
{
	if (*txn)
		mdb_txn_abort(*txn);
}

static void
cursor_closep(MDB_cursor **cur)
{
	if (*cur)
		mdb_cursor_close(*cur);
}

static int
commit(MDB_txn **txn)
{
	return mdb_txn_commit(TAKE(*txn));
}

/* --- entries --- */

static MDB_val
val_of(const void *p, size_t len)
{
	/* LMDB does not write to what it is given. */
	return (MDB_val){ len, (void *)(uintptr_t)p };
}

static bool
has_prefix(const MDB_val *key, struct slice prefix)
{
	return key->mv_size >= prefix.len &&
	       !memcmp(key->mv_data, prefix.p, prefix.len);
}

/* The texts of a key; false: it is none of ours. */
static bool
key_parse(const MDB_val *key, struct slice text[3])
{
	const uint8_t *p = key->mv_data, *end = p + key->mv_size;

	for (unsigned i = 0; i < 3; i++) {
		if (p == end || *p > CLIENTS_TEXT_MAX || end - p - 1 < *p)
			return false;
		text[i] = slice_of(p + 1, *p);
		p += 1 + *p;
	}
	return p == end;
}

static bool
entry_parse(const MDB_val *key, const MDB_val *val, struct entry *e)
{
	const uint8_t *p = val->mv_data;
	struct slice text[3];

	if (!key_parse(key, text) || val->mv_size < VALUE_HEAD ||
	    val->mv_size > VALUE_HEAD + CLIENTS_LOG_MAX)
		return false;
	memset(e, 0, sizeof(*e));
	e->at.seq = get_le64(p);
	e->used_us = get_le64(p + 8);
	e->at.log_len = (uint16_t)(val->mv_size - VALUE_HEAD);
	memcpy(e->at.log, p + VALUE_HEAD, e->at.log_len);
	e->at.name_len = (uint8_t)text[2].len;
	memcpy(e->at.name, text[2].p, text[2].len);
	return true;
}

static int
entry_put(MDB_txn *txn, MDB_dbi dbi, const struct clients_key *client,
    const struct entry *e)
{
	uint8_t value[VALUE_HEAD + CLIENTS_LOG_MAX];
	struct clients_key whole = *client;
	MDB_val key, val;

	clients_key_add(&whole, slice_of(e->at.name, e->at.name_len));
	put_le64(value, e->at.seq);
	put_le64(value + 8, e->used_us);
	memcpy(value + VALUE_HEAD, e->at.log, e->at.log_len);
	key = val_of(whole.b, whole.len);
	val = val_of(value, VALUE_HEAD + (size_t)e->at.log_len);
	return mdb_put(txn, dbi, &key, &val, 0);
}

/* All entries of a client, at most CLIENTS_NAMES; *n: how many. */
static int
read_client(MDB_txn *txn, MDB_dbi dbi, const struct clients_key *client,
    struct entry *v, unsigned *n)
{
	CLEANUP(cursor_closep) MDB_cursor *cur = NULL;
	struct slice prefix = clients_key_slice(client);
	MDB_val key = val_of(prefix.p, prefix.len), val;
	int rc = mdb_cursor_open(txn, dbi, &cur);

	*n = 0;
	if (!rc)
		rc = mdb_cursor_get(cur, &key, &val, MDB_SET_RANGE);
	while (!rc && has_prefix(&key, prefix) && *n < CLIENTS_NAMES) {
		*n += entry_parse(&key, &val, &v[*n]);
		rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
clients_disk_read(struct clients_disk *d, const struct clients_key *prefix,
    struct clients_list *out)
{
	CLEANUP(txn_abortp) MDB_txn *txn = NULL;
	CLEANUP(freep) struct entry *v = calloc(CLIENTS_NAMES, sizeof(*v));
	int rc;

	if (!v)
		return -ENOMEM;
	out->n = 0;
	rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);
	if (!rc)
		rc = read_client(txn, d->dbi, prefix, v, &out->n);
	for (unsigned i = 0; i < out->n; i++)
		out->v[i] = v[i].at;
	return fail(NULL, rc, "read");
}

int
clients_disk_needed(struct clients_disk *d, struct slice log, uint64_t oldest,
    uint64_t *needed, struct reason *why)
{
	CLEANUP(txn_abortp) MDB_txn *txn = NULL;
	CLEANUP(cursor_closep) MDB_cursor *cur = NULL;
	MDB_val key, val;
	struct entry e;
	int rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);

	if (!rc)
		rc = mdb_cursor_open(txn, d->dbi, &cur);
	if (!rc)
		rc = mdb_cursor_get(cur, &key, &val, MDB_FIRST);
	while (!rc) {
		if (entry_parse(&key, &val, &e))
			clients_lower(&e.at, log, oldest, needed);
		rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
	}
	return fail(why, rc == MDB_NOTFOUND ? 0 : rc, "read");
}

/* --- writing --- */

static struct entry *
find_entry(struct entry *v, unsigned n, const struct clients_named *at)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].at.name_len == at->name_len &&
		    !memcmp(v[i].at.name, at->name, at->name_len))
			return &v[i];
	return NULL;
}

/* What is stored of a client, and what is fresh: the outcome is in v. */
static unsigned
merge_client(struct entry *v, unsigned n, const struct clients_dirty *d,
    struct clients_flushed *found)
{
	for (unsigned i = 0; i < n && d->read_us; i++) {
		v[i].used_us = MAX(v[i].used_us, d->read_us);
		v[i].written = true;
	}
	for (unsigned i = 0; i < d->n; i++) {
		const struct clients_fresh *fresh = d->v[i];
		struct entry *e = find_entry(v, n, &fresh->at);

		if (!e && n == CLIENTS_NAMES) {
			found->refused++;
			continue;
		}
		if (e) {
			clients_merge(&e->at, &fresh->at);
		} else {
			e = &v[n++];
			*e = (struct entry){ .at = fresh->at };
		}
		e->used_us = MAX(e->used_us, fresh->used_us);
		e->written = true;
	}
	return n;
}

/* The client of a user that was used least recently; *n: of how many. */
static int
least_used(
    MDB_cursor *cur, struct slice user, struct clients_key *least, unsigned *n)
{
	MDB_val key = val_of(user.p, user.len), val;
	struct clients_key client = { 0 };
	uint64_t used = 0, least_us = UINT64_MAX;
	int rc = mdb_cursor_get(cur, &key, &val, MDB_SET_RANGE);

	*n = 0;
	for (;;) {
		bool more = !rc && has_prefix(&key, user);
		struct slice text[3];

		if (more && !key_parse(&key, text))
			return MDB_CORRUPTED;
		if (client.len &&
		    (!more || !has_prefix(&key, clients_key_slice(&client)))) {
			++*n;
			if (used < least_us) {
				least_us = used;
				*least = client;
			}
			client.len = 0;
		}
		if (!more)
			break;
		if (!client.len) {
			clients_key_add(&client, text[0]);
			clients_key_add(&client, text[1]);
			used = 0;
		}
		if (val.mv_size >= VALUE_HEAD)
			used = MAX(
			    used, get_le64((const uint8_t *)val.mv_data + 8));
		rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
remove_client(MDB_cursor *cur, const struct clients_key *client)
{
	struct slice prefix = clients_key_slice(client);
	MDB_val key = val_of(prefix.p, prefix.len), val;
	int rc = mdb_cursor_get(cur, &key, &val, MDB_SET_RANGE);

	while (!rc && has_prefix(&key, prefix)) {
		rc = mdb_cursor_del(cur, 0);
		if (!rc)
			rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* A client came: another one of its user may have to go. */
static int
make_room(MDB_txn *txn, MDB_dbi dbi, const struct clients_key *client,
    struct clients_flushed *found)
{
	CLEANUP(cursor_closep) MDB_cursor *cur = NULL;
	struct slice user = slice_of(client->b, 1 + (size_t)client->b[0]);
	struct clients_key least;
	unsigned n = 0;
	int rc = mdb_cursor_open(txn, dbi, &cur);

	while (!rc) {
		rc = least_used(cur, user, &least, &n);
		if (rc || n <= CLIENTS_PER_USER)
			break;
		rc = remove_client(cur, &least);
		found->evicted++;
	}
	return rc;
}

static int
write_client(MDB_txn *txn, MDB_dbi dbi, const struct clients_dirty *d,
    struct clients_flushed *found)
{
	struct entry v[CLIENTS_NAMES];
	unsigned before, n;
	int rc = read_client(txn, dbi, &d->key, v, &before);

	if (rc)
		return rc;
	n = merge_client(v, before, d, found);
	for (unsigned i = 0; !rc && i < n; i++)
		if (v[i].written)
			rc = entry_put(txn, dbi, &d->key, &v[i]);
	if (!rc && n && !before)
		rc = make_room(txn, dbi, &d->key, found);
	return rc;
}

int
clients_disk_write(struct clients_disk *d, struct clients_dirty *const *v,
    unsigned n, struct clients_flushed *found, struct reason *why)
{
	CLEANUP(txn_abortp) MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(d->env, NULL, 0, &txn);

	for (unsigned i = 0; !rc && i < n; i++)
		rc = write_client(txn, d->dbi, v[i], found);
	if (!rc)
		rc = commit(&txn);
	return fail(why, rc, "store them");
}

int
clients_disk_expire(struct clients_disk *d, uint64_t before_us,
    struct clients_flushed *found, struct reason *why)
{
	CLEANUP(txn_abortp) MDB_txn *txn = NULL;
	CLEANUP(cursor_closep) MDB_cursor *cur = NULL;
	MDB_val key, val;
	int rc = mdb_txn_begin(d->env, NULL, 0, &txn);

	if (!rc)
		rc = mdb_cursor_open(txn, d->dbi, &cur);
	if (!rc)
		rc = mdb_cursor_get(cur, &key, &val, MDB_FIRST);
	while (!rc) {
		struct entry e;

		if (!entry_parse(&key, &val, &e) || e.used_us < before_us) {
			rc = mdb_cursor_del(cur, 0);
			found->expired++;
		}
		if (!rc)
			rc = mdb_cursor_get(cur, &key, &val, MDB_NEXT);
	}
	if (cur)
		mdb_cursor_close(TAKE(cur));
	if (rc == MDB_NOTFOUND)
		rc = found->expired ? commit(&txn) : 0;
	return fail(why, rc, "remove what is old");
}

/* --- life --- */

int
clients_disk_open(
    const char *dir, struct clients_disk **out, struct reason *why)
{
	CLEANUP(clients_disk_freep)
	struct clients_disk *d = calloc(1, sizeof(*d));
	CLEANUP(txn_abortp) MDB_txn *txn = NULL;
	int rc;

	if (!d)
		return reason_set(why, -ENOMEM, "cannot open '%s'", dir);
	rc = mdb_env_create(&d->env);
	if (!rc)
		rc = mdb_env_set_mapsize(d->env, MAP_BYTES);
	if (!rc)
		rc = mdb_env_set_maxreaders(d->env, READERS);
	if (!rc)
		rc = mdb_env_open(d->env, dir, MDB_NOTLS, 0640);
	if (!rc)
		rc = mdb_txn_begin(d->env, NULL, 0, &txn);
	if (!rc)
		rc = mdb_dbi_open(txn, NULL, 0, &d->dbi);
	if (!rc)
		rc = commit(&txn);
	if (rc)
		return fail(why, rc, "open them");
	*out = TAKE(d);
	return 0;
}

struct clients_disk *
clients_disk_free(struct clients_disk *d)
{
	if (!d)
		return NULL;
	if (d->env)
		mdb_env_close(d->env);
	free(d);
	return NULL;
}
