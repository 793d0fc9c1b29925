/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The LMDB environment: its tables, its one record of positions, and its
 * errors as -errno.  What is read back from it is checked, and what does not
 * verify is -EBADMSG: the environment is to be dropped.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "broker/store_priv.h"
#include "core/crc32c.h"
#include "core/reason.h"

/* "PEALROWS" as a little-endian number. */
#define META_MAGIC UINT64_C(0x53574f524c414550)

enum {
	MAX_READERS = 126,
	META_WORDS = (int)(sizeof(struct store_meta) / 8),
	META_BYTES = 16 + META_WORDS * 8 + 4, /* magic, version, words, CRC */
	RULES_MAX = 64 << 10,
	WRITE_OUT_PIECE = 1 << 20, /* bytes of the file */
};

_Static_assert(
    sizeof(struct store_meta) == 8 * (2 + 3 + 7 * STORE_GENS), "all words");

int
store_err(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_READERS_FULL:
		return -EUSERS;
	case MDB_BAD_VALSIZE:
		return -EINVAL;
	default:
		return rc > 0 ? -rc : -EBADMSG;
	}
}

/* --- the record of positions --- */

int
store_meta_put(
    const struct store_env *e, MDB_txn *txn, const struct store_meta *m)
{
	MDB_val key = store_val(SLICE_STR("positions"));
	uint8_t buf[META_BYTES];
	MDB_val val = { sizeof(buf), buf };
	const uint8_t *word = (const uint8_t *)m;
	uint64_t v;

	put_le64(buf, META_MAGIC);
	put_le64(buf + 8, STORE_VERSION);
	memcpy(buf + 16, m->log_id, 16);
	for (int i = 2; i < META_WORDS; i++) {
		memcpy(&v, word + (size_t)i * 8, 8);
		put_le64(buf + 16 + (size_t)i * 8, v);
	}
	put_le32(buf + META_BYTES - 4, crc32c(0, buf, META_BYTES - 4));
	return store_err(mdb_put(txn, e->meta, &key, &val, 0));
}

int
store_meta_get(const struct store_env *e, MDB_txn *txn, struct store_meta *m)
{
	MDB_val key = store_val(SLICE_STR("positions")), val;
	uint8_t *word = (uint8_t *)m;
	const uint8_t *p;
	uint64_t v;
	int rc = mdb_get(txn, e->meta, &key, &val);

	if (rc)
		return store_err(rc);
	p = val.mv_data;
	if (val.mv_size < 16 || get_le64(p) != META_MAGIC)
		return -EBADMSG;
	if (get_le64(p + 8) != STORE_VERSION)
		return -EPROTO;
	if (val.mv_size != META_BYTES ||
	    get_le32(p + META_BYTES - 4) != crc32c(0, p, META_BYTES - 4))
		return -EBADMSG;
	memcpy(m->log_id, p + 16, 16);
	for (int i = 2; i < META_WORDS; i++) {
		v = get_le64(p + 16 + (size_t)i * 8);
		memcpy(word + (size_t)i * 8, &v, 8);
	}
	return m->gen[STORE_LIVE].slot > 1 || m->gen[STORE_NEXT].slot > 1
		   ? -EBADMSG
		   : 0;
}

static struct slice
rules_key(uint64_t slot)
{
	return slot ? SLICE_STR("rules.1") : SLICE_STR("rules.0");
}

int
store_rules_put(const struct store_env *e, MDB_txn *txn, uint64_t slot,
    const struct rules *rules)
{
	MDB_val key = store_val(rules_key(slot)), val;
	struct slice text = slice_cstr(rules_text(rules));
	int rc;

	val = (MDB_val){ 4 + text.len, NULL };
	rc = mdb_put(txn, e->meta, &key, &val, MDB_RESERVE);
	if (rc)
		return store_err(rc);
	put_le32(val.mv_data, crc32c(0, text.p, text.len));
	memcpy((uint8_t *)val.mv_data + 4, text.p, text.len);
	return 0;
}

int
store_rules_get(const struct store_env *e, MDB_txn *txn, uint64_t slot,
    struct rules **out, struct reason *why)
{
	MDB_val key = store_val(rules_key(slot)), val;
	CLEANUP(freep) char *text = NULL;
	const uint8_t *p;
	size_t len;
	int err, rc = mdb_get(txn, e->meta, &key, &val);

	if (rc)
		return reason_set(why, store_err(rc), "it has no rules");
	p = val.mv_data;
	if (val.mv_size < 4 || val.mv_size > RULES_MAX ||
	    get_le32(p) != crc32c(0, p + 4, val.mv_size - 4))
		return reason_say(why, -EBADMSG, "its rules are damaged");
	len = val.mv_size - 4;
	text = malloc(len + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, p + 4, len);
	text[len] = '\0';
	err = rules_parse(text, out, why);
	return err == -EINVAL ? -EBADMSG : err;
}

/* --- opening --- */

static int
open_tables(struct store_env *e, MDB_txn *txn)
{
	static const struct {
		const char *name[2];
		unsigned flags;
	} tables[STORE_TABLES] = {
		[STORE_ROWS] = { { "rows.0", "rows.1" }, 0 },
		[STORE_CHANGED] = { { "changed.0", "changed.1" },
		    MDB_INTEGERKEY },
		[STORE_EDGES] = { { "edges.0", "edges.1" }, MDB_DUPSORT },
		[STORE_TOMBS] = { { "tombs.0", "tombs.1" }, 0 },
	};
	const unsigned seqs =
	    MDB_CREATE | MDB_DUPSORT | MDB_DUPFIXED | MDB_INTEGERDUP;
	int rc = 0;

	for (int i = 0; !rc && i < STORE_TABLES; i++)
		for (int slot = 0; !rc && slot < 2; slot++)
			rc = mdb_dbi_open(txn, tables[i].name[slot],
			    tables[i].flags | MDB_CREATE, &e->table[slot][i]);
	if (!rc)
		rc = mdb_dbi_open(txn, "topics", seqs, &e->topics);
	if (!rc)
		rc = mdb_dbi_open(txn, "actors", seqs, &e->actors);
	if (!rc)
		rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &e->meta);
	return rc;
}

/* How long the file is, and how long it must be. */
static int
lengths(const struct store_env *e, int *fd, uint64_t *is, uint64_t *must)
{
	mdb_filehandle_t handle;
	MDB_envinfo info;
	MDB_stat stat_of;
	struct stat sb;
	int rc = mdb_env_get_fd(e->env, &handle);

	if (!rc)
		rc = mdb_env_info(e->env, &info);
	if (!rc)
		rc = mdb_env_stat(e->env, &stat_of);
	if (rc)
		return store_err(rc);
	if (fstat(handle, &sb) < 0)
		return -errno;
	*fd = handle;
	*is = (uint64_t)sb.st_size;
	*must = (info.me_last_pgno + 1) * stat_of.ms_psize;
	return 0;
}

int
store_env_extend(const struct store_env *e)
{
	uint64_t is, must;
	int fd, err = lengths(e, &fd, &is, &must);

	if (err == 0 && is < must && ftruncate(fd, (off_t)must) < 0)
		err = -errno;
	return err;
}

/*
 * Pages that lie scattered all over the file go to the disk in one heap where
 * one sync has to write them, and whoever flushes the log waits behind it.
 * Piece by piece nobody does, and all are there sooner.  What a piece reports
 * a sync would not report again.
 */
int
store_env_write_out(const struct store_env *e)
{
	const unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE |
			       SYNC_FILE_RANGE_WRITE |
			       SYNC_FILE_RANGE_WAIT_AFTER;
	uint64_t is, must;
	int fd, err = lengths(e, &fd, &is, &must);

	for (uint64_t at = 0; err == 0 && at < is; at += WRITE_OUT_PIECE)
		if (sync_file_range(fd, (off_t)at, WRITE_OUT_PIECE, flags) < 0)
			err = -errno;
	return err;
}

int
store_env_sync(const struct store_env *e)
{
	int err = store_env_write_out(e);

	return err < 0 ? err : store_err(mdb_env_sync(e->env, 1));
}

/* A file that lost its end would be a signal later. */
static int
check_length(const struct store_env *e, struct reason *why)
{
	uint64_t is, must;
	int fd, err = lengths(e, &fd, &is, &must);

	if (err < 0)
		return reason_set(why, err, "cannot tell its length");
	if (is < must)
		return reason_say(why, -EBADMSG, "it has %llu bytes of %llu",
		    (unsigned long long)is, (unsigned long long)must);
	return 0;
}

static int
open_txn(
    struct store_env *e, struct store_meta *m, bool *fresh, struct reason *why)
{
	MDB_txn *txn;
	MDB_stat sb;
	int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

	if (rc)
		return reason_set(why, store_err(rc), "%s", mdb_strerror(rc));
	rc = mdb_env_stat(e->env, &sb);
	*fresh = !rc && sb.ms_entries == 0;
	if (!rc)
		rc = open_tables(e, txn);
	if (rc) {
		mdb_txn_abort(txn);
		return reason_set(why, store_err(rc), "%s", mdb_strerror(rc));
	}
	if (!*fresh) {
		rc = store_meta_get(e, txn, m);
		if (rc < 0) {
			mdb_txn_abort(txn);
			return rc == -EPROTO
				   ? reason_say(why, -EBADMSG,
					 "it is of another version")
				   : reason_set(
					 why, rc, "its positions don't verify");
		}
	}
	rc = mdb_txn_commit(txn);
	if (rc)
		return reason_set(why, store_err(rc), "%s", mdb_strerror(rc));
	return 0;
}

int
store_env_open(const char *path, uint64_t map_bytes, struct store_env *e,
    struct store_meta *m, bool *fresh, struct reason *why)
{
	/*
	 * Without a sync at commit a page that a crash of the system loses is
	 * lost with the boot that wrote it, which the mark tells; a crash of
	 * the process loses none.
	 */
	const unsigned flags = MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD;
	int rc = mdb_env_create(&e->env), err;

	if (rc)
		return reason_set(why, store_err(rc), "%s", mdb_strerror(rc));
	rc = mdb_env_set_mapsize(e->env, map_bytes & ~(size_t)0xffff);
	if (!rc)
		rc = mdb_env_set_maxdbs(e->env, 2 * STORE_TABLES + 3);
	if (!rc)
		rc = mdb_env_set_maxreaders(e->env, MAX_READERS);
	if (!rc)
		rc = mdb_env_set_assert(e->env, store_guard_assert);
	if (!rc)
		rc = mdb_env_open(e->env, path, flags, 0640);
	err = rc ? reason_set(why, store_err(rc), "%s", mdb_strerror(rc))
		 : check_length(e, why);
	if (err == 0)
		err = open_txn(e, m, fresh, why);
	if (err == 0)
		err = store_env_extend(e);
	if (err < 0)
		store_env_close(e);
	return err;
}

void
store_env_close(struct store_env *e)
{
	if (e->env)
		mdb_env_close(e->env);
	e->env = NULL;
}
