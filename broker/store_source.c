/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Where the events come from: the log that the rows are of, and an archive
 * of it to begin with.  Rows of another log are never mixed with this one's.
 */

#include <errno.h>
#include <inttypes.h>

#include "broker/store_fold.h"
#include "broker/store_priv.h"
#include "core/diag.h"
#include "core/reason.h"
#include "core/time.h"

/* Does the log of this name have all that was folded? */
static bool
fits(const struct store_meta *m, const uint8_t id[16], uint64_t epoch,
    uint64_t head)
{
	return !memcmp(m->log_id, id, sizeof(m->log_id)) && m->epoch == epoch &&
	       m->gen[STORE_LIVE].seq <= head;
}

static int
reset(struct store *st, MDB_txn *txn, struct store_meta *m, const char *log,
    uint64_t head)
{
	char ours[PROTO_LOG_NAME];

	proto_log_name(m->log_id, m->epoch, ours);
	diag_warn("the state is folded anew: it is of log=%s seq=%" PRIu64
		  ", the ring is of log=%s head=%" PRIu64,
	    ours, m->gen[STORE_LIVE].seq, log, head);
	return store_gen_reset(st, txn, m);
}

int
store_fold_log(
    struct store *st, const uint8_t id[16], uint64_t epoch, uint64_t head)
{
	char log[PROTO_LOG_NAME];
	struct store_meta *m;
	MDB_txn *txn;
	int err = store_fold_commit(st);

	if (err == 0)
		err = store_fold_begin(st, &txn, &m);
	if (err < 0)
		return err;
	if (m->named && fits(m, id, epoch, head)) {
		store_fold_abort(st);
		return m->gen[STORE_LIVE].seq ? STORE_LOG_SAME : STORE_LOG_NEW;
	}
	proto_log_name(id, epoch, log);
	if (m->named && m->gen[STORE_LIVE].seq)
		err = reset(st, txn, m, log, head);
	memcpy(m->log_id, id, sizeof(m->log_id));
	m->epoch = epoch;
	m->named = 1;
	if (err == 0)
		err = store_fold_commit(st);
	return err < 0 ? err : STORE_LOG_NEW;
}

/* Would rows of g have to be folded from events that are gone? */
static bool
lacks(const struct store_gen *g, uint64_t oldest)
{
	return g->number && g->seq && g->seq + 1 < oldest;
}

int
store_fold_floor(struct store *st, uint64_t oldest)
{
	uint8_t log_id[sizeof(st->meta.log_id)];
	struct store_meta *m;
	MDB_txn *txn;
	int err = store_fold_commit(st);

	if (err == 0 &&
	    (st->opt.state_only || st->meta.history_seq + 1 >= oldest) &&
	    !lacks(&st->meta.gen[STORE_LIVE], oldest) &&
	    !lacks(&st->meta.gen[STORE_NEXT], oldest))
		return 0;
	if (err == 0)
		err = store_fold_begin(st, &txn, &m);
	if (err < 0)
		return err;
	if (lacks(&m->gen[STORE_LIVE], oldest) ||
	    lacks(&m->gen[STORE_NEXT], oldest)) {
		diag_warn("the state is folded anew: it is of seq=%" PRIu64
			  ", the log begins with seq=%" PRIu64,
		    m->gen[STORE_LIVE].seq, oldest);
		memcpy(log_id, m->log_id, sizeof(log_id));
		err = store_gen_reset(st, txn, m);
		memcpy(m->log_id, log_id, sizeof(m->log_id));
		m->named = 1;
	}
	if (!st->opt.state_only)
		m->history_seq = MAX(m->history_seq, oldest - 1);
	return err < 0 ? err : store_fold_commit(st);
}

struct adding {
	struct store_flush flush;
	const struct store_archive *of;
	int err; /* of the environment */
};

static int
add_row(void *ctx, struct slice row, bool dropped)
{
	struct adding *a = ctx;
	int err = store_flush_restored(&a->flush, row, dropped, a->of->seq);

	if (err < 0 && err != -EPROTO)
		a->err = err;
	return err;
}

/* One try; enum store_restored, or below zero: the environment's error. */
static int
try_archive(struct store *st, enum store_which which, struct store_archive *a,
    store_restore_fn *fn, void *arg, struct reason *why)
{
	struct adding adding = { .of = a };
	struct store_meta *m;
	struct store_gen *g;
	MDB_txn *txn;
	int got, err = store_fold_begin(st, &txn, &m);

	if (err < 0)
		return err;
	g = &m->gen[which];
	adding.flush = (struct store_flush){ &st->e, txn, g, time_wall_us() };
	got = fn(arg, a, add_row, &adding, why);
	if (adding.err < 0)
		return adding.err;
	if (got < 0 || (got == STORE_RESTORED && a->seq > a->upto))
		got = STORE_BAD_ARCHIVE;
	if (got != STORE_RESTORED) {
		store_fold_abort(st);
		return got;
	}
	g->seq = a->seq;
	g->floor = a->floor;
	return store_fold_commit(st);
}

static int
restore(struct store *st, enum store_which which, uint64_t upto,
    store_restore_fn *fn, void *arg, struct reason *why)
{
	char log[PROTO_LOG_NAME];
	struct store_archive a = { .log = log,
		.rules_version = rules_version(store_gen_rules(st, which)),
		.upto = upto };
	int got;

	proto_log_name(st->meta.log_id, st->meta.epoch, log);
	for (;;) {
		a.seq = a.floor = 0;
		why->text[0] = '\0';
		got = try_archive(st, which, &a, fn, arg, why);
		if (got == STORE_RESTORED && a.seq)
			diag_note("rows begin with the archive of seq=%" PRIu64,
			    a.seq);
		if (got != STORE_BAD_ARCHIVE)
			return got < 0 ? got : 0;
		diag_warn("an archive can't be used: %s seq=%" PRIu64,
		    why->text, a.seq);
		if (a.seq <= 1 || a.seq > a.upto)
			return 0;
		a.upto = a.seq - 1;
	}
}

int
store_fold_restore(struct store *st, uint64_t head, store_restore_fn *fn,
    void *arg, struct reason *why)
{
	const struct store_gen *live = &st->meta.gen[STORE_LIVE];
	const struct store_gen *next = &st->meta.gen[STORE_NEXT];
	int err = store_fold_commit(st);

	if (err == 0 && live->seq == 0 && head > 0)
		err = restore(st, STORE_LIVE, head, fn, arg, why);
	if (err == 0 && next->number && next->seq == 0)
		err = restore(st, STORE_NEXT, live->seq, fn, arg, why);
	return err;
}
