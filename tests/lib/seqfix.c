/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A writer over the file model.  Everything but the ring's file passes
 * through the model; the ring is memory, and is made anew at each start.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/mp.h"
#include "core/time.h"
#include "log/log_writer.h"
#include "shm/ring_writer.h"
#include "tests/lib/seqfix.h"
#include "writer/gather.h"
#include "writer/load.h"
#include "writer/preload.h"
#include "writer/space.h"
#include "writer/syncer.h"

enum {
	FIRST_TIME_US = 1000000,
};

static struct admit admit;

void
seqfix_init(struct seqfix *sf, struct filemodel *fm, struct ledger *ledger,
    uint64_t seed)
{
	*sf = (struct seqfix){ .fm = fm,
		.io = filemodel_io(fm),
		.dirfd = filemodel_root(fm),
		.ledger = ledger,
		.dice = seed,
		.segment_bytes = SEQFIX_SEGMENT,
		.ring_bytes = 64 << 10,
		.ad = &admit,
		.now_us = FIRST_TIME_US };
}

uint64_t
seqfix_roll(struct seqfix *sf, uint64_t n)
{
	return filemodel_next(&sf->dice) % n;
}

/* A directory in memory for the ring, gone as soon as the ring is made. */
static int
seqfix_ring_dir(char path[32])
{
	snprintf(path, 32, "/dev/shm/peal-test-XXXXXX");
	if (!mkdtemp(path)) {
		snprintf(path, 32, "/tmp/peal-test-XXXXXX");
		if (!mkdtemp(path))
			return -errno;
	}
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
seqfix_make_ring(struct seqfix *sf)
{
	const struct sysio *io = sf->io;
	struct ring_options opt = { .slots = 256,
		.payload_bytes = sf->ring_bytes,
		.epoch = sf->tail.epoch,
		.incarnation = sf->tail.incarnation,
		.group = (gid_t)-1,
		.topic_key = sf->st.topic_key };
	char path[32];
	int dir = seqfix_ring_dir(path), err;

	if (dir < 0)
		return dir;
	memcpy(opt.log_id, sf->tail.log_id, sizeof(opt.log_id));
	err = preload_plan(
	    io, sf->dirfd, &sf->tail, &opt, &opt.head_seq, &sf->why);
	if (!err)
		err = ring_writer_create(dir, &opt, &sf->ring, &sf->why);
	(void)unlinkat(dir, "ring.new", 0);
	(void)close(dir);
	(void)rmdir(path);
	return err ? err
		   : preload_run(io, sf->dirfd, &sf->tail, opt.head_seq,
			 &opt.topic_key, sf->ring, &sf->why);
}

static int
seqfix_make_syncer(struct seqfix *sf, bool with_space)
{
	struct syncer_parts parts = { .log = sf->log,
		.ring = sf->ring,
		.witness = sf->witness,
		.wake_fd = -1,
		.last_seq = sf->tail.last_seq };
	int err = with_space ? space_new(sf->log, -1, &sf->space) : 0;

	sf->gather = gather_new();
	if (!err && !sf->gather)
		err = -ENOMEM;
	parts.gather = sf->gather;
	parts.space = sf->space;
	sf->sq = (struct sequencer){ .state = &sf->st,
		.gather = sf->gather,
		.space = sf->space,
		.limits = { 1 << 16, 64, 1000 } };
	sf->ad->account = SLICE_STR("tester");
	return err ? err : syncer_new(&parts, &sf->syncer);
}

static int
seqfix_open(struct seqfix *sf, bool with_space)
{
	const struct sysio *io = sf->io;
	int err;

	err = log_writer_open(
	    io, sf->dirfd, &sf->tail, sf->segment_bytes, &sf->log, &sf->why);
	if (!err)
		err = witness_open(io, sf->dirfd, WITNESS_NAME, sf->tail.log_id,
		    sf->tail.epoch, &sf->witness, &sf->why);
	if (!err && !sf->tail.last_seq)
		(void)!witness_store(sf->witness, 0);
	return err ? err : seqfix_make_syncer(sf, with_space);
}

int
seqfix_start(struct seqfix *sf, bool with_space)
{
	const struct sysio *io = sf->io;
	int err;

	seqfix_stop(sf);
	sf->running = true;
	sf->rolls = sf->checkpoint_at = 0;
	err = recover_log(
	    io, sf->dirfd, sf->known, sf->n_known, NULL, &sf->tail, &sf->why);
	if (err == RECOVER_DAMAGED)
		return SEQFIX_DAMAGED;
	if (!err)
		err = load_state(io, sf->dirfd, &sf->tail, SEQFIX_KEYS, NULL,
		    &sf->st, &sf->why);
	if (err == LOAD_DAMAGED)
		return SEQFIX_DAMAGED;
	if (!err)
		err = seqfix_make_ring(sf);
	if (!err)
		err = seqfix_open(sf, with_space);
	if (err)
		return err == -EBADMSG ? SEQFIX_DAMAGED : err;
	if (ledger_may_end(sf->ledger, sf->tail.last_seq)) {
		ledger_cut(sf->ledger, sf->tail.last_seq);
		sf->ledger->promised = sf->tail.last_seq;
	}
	return 0;
}

void
seqfix_stop(struct seqfix *sf)
{
	if (!sf->running)
		return;
	sf->syncer = syncer_free(sf->syncer);
	sf->gather = gather_free(sf->gather);
	sf->space = space_free(sf->space);
	sf->witness = witness_free(sf->witness);
	sf->log = log_writer_free(sf->log);
	sf->ring = ring_writer_free(sf->ring);
	state_deinit(&sf->st);
	mp_buf_deinit(&sf->msg);
	sf->msg = (struct mp_buf){ 0 };
	sf->n_promises = 0;
	sf->running = false;
}

static struct checkpoint_of
seqfix_of(const struct seqfix *sf)
{
	struct checkpoint_of of = { .epoch = sf->tail.epoch };

	memcpy(of.log_id, sf->tail.log_id, sizeof(of.log_id));
	return of;
}

int
seqfix_finish(struct seqfix *sf)
{
	const struct sysio *io = sf->io;
	struct checkpoint_of of = seqfix_of(sf);
	int err = seqfix_flush(sf);

	if (err)
		return err;
	/* As in service: losing a cache is no loss. */
	if (checkpoint_write(io, sf->dirfd, &of, &sf->st) == 0)
		(void)!checkpoint_install(io, sf->dirfd);
	seqfix_stop(sf);
	return 0;
}

static void
seqfix_pack_event(
    struct mp_buf *b, const struct ask_event *e, int key, unsigned nth)
{
	struct ledger_text t;

	ledger_text(e, key, nth, &t);
	mp_pack_map(b, 3 + (e->expect != ASK_ANY) + (key >= 0));
	mp_pair_cstr(b, "topic", t.topic);
	mp_pair_cstr(b, "type", "changed");
	mp_pair_raw(b, "data", slice_of(t.data, t.data_len));
	if (e->expect != ASK_ANY)
		mp_pack_cstr(b, "expect");
	if (e->expect == ASK_EXISTS)
		mp_pack_cstr(b, "exists");
	else if (e->expect != ASK_ANY)
		mp_pack_uint(b, (uint64_t)e->expect);
	if (key >= 0)
		mp_pair_cstr(b, "key", t.key);
}

static int
seqfix_compare(struct seqfix *sf, const struct ledger_answer *want,
    const struct sequence_outcome *got)
{
	if (got->code != want->code || got->duplicate != want->duplicate)
		return reason_set(&sf->why, SEQFIX_WRONG,
		    "the answer is %s%s, the ledger says %s%s",
		    got->code ? proto_code_name(got->code) : "ok",
		    got->duplicate ? " (a repeat)" : "",
		    want->code ? proto_code_name(want->code) : "ok",
		    want->duplicate ? " (a repeat)" : "");
	if (got->code == PROTO_OK && got->seq != want->seq)
		return reason_set(&sf->why, SEQFIX_WRONG,
		    "the answer has seq %d, the ledger %d", (int)got->seq,
		    (int)want->seq);
	return SEQFIX_RIGHT;
}

/* Do all versions and the time of an answer stand in the ledger, too? */
static int
seqfix_compare_events(struct seqfix *sf, const struct sequence_outcome *got)
{
	const struct ledger_event *ev = &sf->ledger->ev[got->seq - 1];
	uint32_t n = 1;

	while (!ev[n - 1].ends)
		n++;
	if (got->n != n)
		return reason_set(&sf->why, SEQFIX_WRONG,
		    "the answer for seq %d has %d versions, the request %d "
		    "events",
		    (int)got->seq, (int)got->n, (int)n);
	for (uint32_t i = 0; i < n; i++)
		if (got->versions[i] != ev[i].version ||
		    got->time_us != ev[i].time_us)
			return reason_set(&sf->why, SEQFIX_WRONG,
			    "the answer for seq %d has version %d and time "
			    "%d, the ledger %d and %d",
			    (int)(got->seq + i), (int)got->versions[i],
			    (int)got->time_us, (int)ev[i].version,
			    (int)ev[i].time_us);
	return SEQFIX_RIGHT;
}

int
seqfix_ask(struct seqfix *sf, const struct ask *a)
{
	struct ledger_answer want = ledger_judge(sf->ledger, a);
	struct sequence_outcome out;
	int got;

	sf->msg.len = 0;
	mp_pack_array(&sf->msg, a->n);
	for (unsigned i = 0; i < a->n; i++)
		seqfix_pack_event(&sf->msg, &a->ev[i], a->key, i);
	sf->ad->events = slice_of(sf->msg.p, sf->msg.len);
	sf->ad->checks = slice_of(NULL, 0);
	sf->ad->now_us = sf->now_us += 1000;
	if (sequence_append(&sf->sq, sf->ad, &out, &sf->why) == SEQUENCE_WAIT)
		return SEQFIX_WAIT;
	if (out.code == PROTO_STORAGE_FULL && sf->space)
		return SEQFIX_FULL;
	got = seqfix_compare(sf, &want, &out);
	if (got != SEQFIX_RIGHT)
		return got;
	assert(sf->n_promises < SEQFIX_PROMISES);
	sf->promises[sf->n_promises].serial = out.serial;
	sf->promises[sf->n_promises++].seq = want.relies_on;
	if (want.code == PROTO_OK && !want.duplicate)
		ledger_store(sf->ledger, a, out.time_us);
	return want.code == PROTO_OK ? seqfix_compare_events(sf, &out)
				     : SEQFIX_RIGHT;
}

void
seqfix_draw(struct seqfix *sf, struct ask *a)
{
	uint64_t kind = seqfix_roll(sf, 8);
	struct ask stored;

	*a = (struct ask){ .n = 1 + (unsigned)seqfix_roll(sf, ASK_EVENTS),
		.key = -1 };
	for (unsigned i = 0; i < a->n; i++) {
		struct ask_event *e = &a->ev[i];

		e->topic = (unsigned)seqfix_roll(sf, LEDGER_TOPICS);
		e->data = (unsigned)seqfix_roll(sf, 1000);
		e->expect = ASK_ANY;
	}
	if (kind < 4 || (kind < 6 && seqfix_roll(sf, 2)))
		a->key = (int)seqfix_roll(sf, LEDGER_KEYS);
	/* Half of those that can be repeated are; others are new ones. */
	if (kind < 2 && ledger_keyed(sf->ledger, a->key, &stored))
		*a = stored;
	if (kind == 4)
		a->ev[0].expect =
		    (int)(ledger_version(sf->ledger, a->ev[0].topic) +
			  seqfix_roll(sf, 2));
	if (kind == 5)
		a->ev[a->n - 1].expect = ASK_EXISTS;
}

/* Answers whose frame is done leave, and with them what they tell. */
static void
seqfix_release(struct seqfix *sf)
{
	uint64_t done = syncer_done_serial(sf->syncer);
	unsigned kept = 0;

	for (unsigned i = 0; i < sf->n_promises; i++)
		if (sf->promises[i].serial > done)
			sf->promises[kept++] = sf->promises[i];
		else
			sf->ledger->promised =
			    MAX(sf->ledger->promised, sf->promises[i].seq);
	sf->n_promises = kept;
	sf->ledger->promised =
	    MAX(sf->ledger->promised, ring_writer_tail_seq(sf->ring));
}

/* A child has written the state as it was before the flush. */
static void
seqfix_save(struct seqfix *sf)
{
	struct checkpoint_of of = seqfix_of(sf);

	if (sf->checkpoint_at || syncer_rolls(sf->syncer) == sf->rolls)
		return;
	sf->rolls = syncer_rolls(sf->syncer);
	if (checkpoint_write(sf->io, sf->dirfd, &of, &sf->st) == 0)
		sf->checkpoint_at = sf->st.head_seq;
}

static void
seqfix_install(struct seqfix *sf)
{
	if (!sf->checkpoint_at ||
	    syncer_durable_seq(sf->syncer) < sf->checkpoint_at)
		return;
	(void)!checkpoint_install(sf->io, sf->dirfd);
	sf->checkpoint_at = 0;
}

/* As in service a spare that can't be made is tried again. */
static void
seqfix_spare(struct seqfix *sf)
{
	for (int i = 0; i < 2 && !log_writer_has_spare(sf->log); i++)
		if (sf->space)
			space_try(sf->space);
		else
			(void)!log_writer_prepare(sf->log, &sf->why);
}

int
seqfix_flush(struct seqfix *sf)
{
	int n;

	seqfix_save(sf);
	do {
		seqfix_spare(sf);
		n = syncer_round(sf->syncer, &sf->why);
		/* Also of a round that failed: what is out is out. */
		seqfix_release(sf);
		if (n >= 0)
			seqfix_install(sf);
	} while (n > 0);
	if (n < 0)
		return n;
	if (ring_writer_tail_seq(sf->ring) != sf->ledger->n ||
	    sf->n_promises > 0)
		return reason_set(&sf->why, SEQFIX_WRONG,
		    "something is flushed, and not published or answered");
	return 0;
}

int
seqfix_idle(struct seqfix *sf)
{
	return syncer_idle(sf->syncer, &sf->why);
}

int
seqfix_work(struct seqfix *sf, unsigned n)
{
	struct ask a;
	int err = 0;

	for (unsigned i = 0; err == 0 && i < n;) {
		uint64_t before = sf->ledger->n;

		for (uint64_t k = seqfix_roll(sf, 4) + 1; err == 0 && k; k--) {
			seqfix_draw(sf, &a);
			err = seqfix_ask(sf, &a);
		}
		if (err == 0)
			err = seqfix_flush(sf);
		/* One whose requests are all refused writes nothing. */
		if (sf->ledger->n == before)
			continue;
		if (err == 0 && i % 5 == 4)
			err = seqfix_idle(sf);
		i++;
	}
	return err;
}

int
seqfix_begin(
    struct seqfix *sf, struct ledger *ledger, uint64_t seed, unsigned n)
{
	int err;

	seqfix_init(sf, filemodel_new(seed), ledger, seed);
	err = seqfix_start(sf, false);
	return err ? err : seqfix_work(sf, n);
}

void
seqfix_end(struct seqfix *sf)
{
	seqfix_stop(sf);
	sf->fm = filemodel_free(sf->fm);
}
