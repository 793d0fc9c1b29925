/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Generations: rows folded by one set of rules.  When the rules change, the
 * next generation is folded beside the one that is served, and takes its
 * place in the transaction in which it has caught up.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "broker/store_priv.h"
#include "core/diag.h"
#include "core/reason.h"
#include "core/time.h"

uint64_t
store_gen_number(const struct store_meta *m)
{
	uint64_t last =
	    MAX(m->gen[STORE_LIVE].number, m->gen[STORE_NEXT].number);

	return MAX(time_wall_us(), last + 1);
}

int
store_gen_empty(
    const struct store_env *e, MDB_txn *txn, const struct store_gen *g)
{
	int rc = 0;

	for (int i = 0; !rc && i < STORE_TABLES; i++)
		rc = mdb_drop(txn, e->table[g->slot][i], 0);
	return store_err(rc);
}

int
store_gen_switch(const struct store_env *e, MDB_txn *txn, struct store_meta *m)
{
	struct store_gen *live = &m->gen[STORE_LIVE];
	struct store_gen *next = &m->gen[STORE_NEXT];
	int err = store_gen_empty(e, txn, live);

	if (err < 0)
		return err;
	*live = *next;
	*next = (struct store_gen){ 0 };
	/* Whoever has rows of the old rules needs them all. */
	live->floor = MAX(live->floor, live->seq);
	return 0;
}

/* Begin a generation in slot, where nothing of value is. */
static int
begin(const struct store *st, MDB_txn *txn, enum store_which which,
    uint64_t slot, struct store_meta *m)
{
	const struct store_gen g = { .number = store_gen_number(m),
		.slot = slot };
	int err = store_gen_empty(&st->e, txn, &g);

	if (err == 0)
		err = store_rules_put(&st->e, txn, slot, st->opt.rules);
	if (err == 0)
		m->gen[which] = g;
	return err;
}

static int
drop_next(const struct store *st, MDB_txn *txn, struct store_meta *m)
{
	struct store_gen *next = &m->gen[STORE_NEXT];
	int err = next->number ? store_gen_empty(&st->e, txn, next) : 0;

	if (err == 0)
		*next = (struct store_gen){ 0 };
	return err;
}

int
store_gen_reset(const struct store *st, MDB_txn *txn, struct store_meta *m)
{
	int err = drop_next(st, txn, m);
	int rc = 0;

	if (err == 0)
		err = begin(st, txn, STORE_LIVE, m->gen[STORE_LIVE].slot, m);
	if (err < 0)
		return err;
	rc = mdb_drop(txn, st->e.topics, 0);
	if (!rc)
		rc = mdb_drop(txn, st->e.actors, 0);
	m->named = m->history_seq = 0;
	return store_err(rc);
}

const struct rules *
store_gen_rules(const struct store *st, enum store_which which)
{
	return which == STORE_LIVE && st->old ? st->old : st->opt.rules;
}

/* Rules of a generation, NULL where they are the configured ones. */
static int
load(struct store *st, MDB_txn *txn, uint64_t slot, struct rules **out,
    struct reason *why)
{
	struct rules *rules;
	int err = store_rules_get(&st->e, txn, slot, &rules, why);

	if (err < 0)
		return err;
	if (rules_version(rules) == rules_version(st->opt.rules))
		rules = rules_free(rules);
	*out = rules;
	return 0;
}

static int
settle(struct store *st, MDB_txn *txn, struct store_meta *m, struct reason *why)
{
	const struct store_gen *live = &m->gen[STORE_LIVE];
	const struct store_gen *next = &m->gen[STORE_NEXT];
	CLEANUP(rules_freep) struct rules *old = NULL;
	CLEANUP(rules_freep) struct rules *other = NULL;
	int err;

	if (live->seq == 0)
		return store_gen_reset(st, txn, m);
	err = load(st, txn, live->slot, &old, why);
	if (err < 0)
		return err;
	if (!old)
		return drop_next(st, txn, m);
	if (next->number)
		err = load(st, txn, next->slot, &other, why);
	if (err < 0)
		return err;
	if (!next->number || other) {
		diag_note("the fold rules have changed: folding anew what was "
			  "folded up to seq=%" PRIu64,
		    live->seq);
		err = begin(st, txn, STORE_NEXT, !live->slot, m);
	}
	st->old = TAKE(old);
	return err;
}

int
store_gen_settle(struct store *st, struct reason *why)
{
	struct store_meta m = st->meta;
	MDB_txn *txn;
	int err, rc = mdb_txn_begin(st->e.env, NULL, 0, &txn);

	if (rc)
		return reason_set(why, store_err(rc), "%s", mdb_strerror(rc));
	err = settle(st, txn, &m, why);
	if (err == 0 && !memcmp(&m, &st->meta, sizeof(m))) {
		/* A map that is full does not keep us from serving it. */
		mdb_txn_abort(txn);
		return 0;
	}
	if (err == 0)
		err = store_meta_put(&st->e, txn, &m);
	if (err < 0) {
		mdb_txn_abort(txn);
		return err == -ENOSPC ? reason_set(why, err,
					    "broker.map_bytes has no room for "
					    "rows of the new fold rules")
				      : err;
	}
	rc = mdb_txn_commit(txn);
	if (rc)
		return reason_set(why, store_err(rc), "%s", mdb_strerror(rc));
	st->meta = m;
	return store_env_extend(&st->e);
}
