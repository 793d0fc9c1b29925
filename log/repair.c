/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Repair: what is to be done, and doing it.  A verification says where damage
 * begins; what is in front of it is taken as it is, what is behind it frame by
 * frame.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/mp.h"
#include "core/reason.h"
#include "log/base.h"
#include "log/chain.h"
#include "log/epoch.h"
#include "log/foreign.h"
#include "log/recover.h"
#include "log/repair.h"
#include "log/rewrite.h"
#include "log/salvage.h"
#include "log/twin.h"
#include "log/verify.h"

enum {
	RANGES_TOLD = 1000, /* in the event that says what was done */
};

struct repair {
	const struct sysio *io;
	int dirfd;
	struct log_repair *r;
	struct reason *why;
	struct segment_list list;
	size_t n;
	size_t first_bad; /* of list; n: none of its files */
	bool refused;
	uint64_t known;	   /* by witnesses */
	const char *knows; /* which of others' does; or NULL */
	uint64_t told;	   /* up to which event problems were told */
	void (*note)(const char *sentence); /* of witnesses; or NULL */
	bool own_noted;	      /* that durable.wit is of another log was said */
	const char *believed; /* the witness that alone says whose log it is */
	uint8_t log_id[16];
	struct rewrite *out;
	uint64_t lost; /* events that were put in the place of others */
};

/* Which kinds are mended here; others need somebody who looks. */
static bool
repair_mends(enum log_problem_kind kind)
{
	switch (kind) {
	case LOG_DAMAGED_SEGMENT:
	case LOG_DAMAGED_FRAME:
	case LOG_LOST_TAIL:
	case LOG_MISSING_SEGMENT:
		return true;
	default:
		return false;
	}
}

static void
repair_problem(void *arg, const struct log_problem *problem)
{
	struct repair *rp = arg;
	char sentence[LOG_PROBLEM_SENTENCE];

	if (rp->r->problem)
		rp->r->problem(rp->r->arg, problem);
	if (!repair_mends(problem->kind) && !rp->refused) {
		log_problem_sentence(problem, sentence);
		reason_set(rp->why, 0, "this is nothing to repair: %s",
		    log_problem_next(sentence));
		rp->refused = true;
	}
	if (problem->first_seq != 0)
		rp->told = MAX(rp->told, problem->last_seq);
	for (size_t i = 0; i < rp->n && problem->kind != LOG_LOST_TAIL; i++)
		if (strcmp(rp->list.v[i].name, problem->segment) == 0)
			rp->first_bad = MIN(rp->first_bad, i);
}

/* --- planning --- */

static void
repair_identify(struct repair *rp)
{
	const struct log_floor *floor = &rp->list.floor;
	bool found = floor->seq > 1;

	if (found)
		memcpy(rp->log_id, floor->log_id, sizeof(rp->log_id));
	rp->r->was_epoch = floor->seq > 1 ? floor->epoch : 0;
	for (size_t i = 0; i < rp->n; i++) {
		const struct segment_header *h = &rp->list.v[i].header;

		if (!rp->list.v[i].headed)
			continue;
		if (!found)
			memcpy(rp->log_id, h->log_id, sizeof(rp->log_id));
		found = true;
		rp->r->was_epoch = MAX(rp->r->was_epoch, h->epoch);
	}
}

/* No header says of which epoch the newest segment is: it may be a later one. */
static bool
repair_epoch_open(const struct repair *rp)
{
	const struct segment_list *l = &rp->list;

	return l->n > 0 && !l->v[l->n - 1].headed;
}

/*
 * A witness of this log and its last epoch, or the only one there is.  The
 * log's own goes where the log goes: an epoch that it names was here.  Where
 * nothing but others say whose log it is, they have to agree.
 */
static int
repair_ask(struct repair *rp, const struct log_witness *wit, bool own)
{
	void (*note)(const char *sentence) =
	    own && rp->own_noted ? NULL : rp->note;

	if (rp->r->was_epoch == 0 && wit->seq > 0) {
		memcpy(rp->log_id, wit->log_id, sizeof(rp->log_id));
		rp->r->was_epoch = wit->epoch;
		rp->believed = own ? NULL : wit->name;
	}
	if (memcmp(wit->log_id, rp->log_id, sizeof(rp->log_id)) != 0) {
		if (rp->believed && wit->seq > 0)
			return reason_say(rp->why, LOG_REPAIR_REFUSED,
			    "no segment says whose log this is, and '%s' and "
			    "'%s' are witnesses of two: move away the one that "
			    "is of another log",
			    rp->believed, wit->name);
		log_note(note, "'%s' is a witness of another log", wit->name);
		return 0;
	}
	if (own || repair_epoch_open(rp))
		rp->r->was_epoch = MAX(rp->r->was_epoch, wit->epoch);
	if (wit->epoch == rp->r->was_epoch) {
		if (wit->seq > rp->known)
			rp->knows = own ? NULL : wit->name;
		rp->known = MAX(rp->known, wit->seq);
	} else {
		log_note(note, "'%s' is a witness of another epoch", wit->name);
	}
	return 0;
}

static int
repair_ask_all(struct repair *rp)
{
	struct log_witness wit;
	int got = witness_load(rp->io, rp->dirfd, WITNESS_NAME, &wit, rp->why);

	if (got < 0)
		return got;
	got = got == WITNESS_LOADED ? repair_ask(rp, &wit, true) : 0;
	for (unsigned i = 0; got == 0 && i < rp->r->n_witnesses; i++)
		got = repair_ask(rp, &rp->r->witnesses[i], false);
	return got;
}

/* A verification asks the log's own witness alone. */
static void
repair_tell_tail(struct repair *rp, uint64_t last_seq)
{
	struct log_problem_sink sink = { rp->r->problem, rp->r->arg, 0 };
	struct log_problem at = { .kind = LOG_LOST_TAIL,
		.first_seq = MAX(last_seq, rp->told) + 1,
		.last_seq = rp->known };

	if (!rp->knows || rp->told == UINT64_MAX || at.first_seq > rp->known)
		return;
	at.segment = rp->n > 0 ? rp->list.v[rp->n - 1].name : rp->knows;
	log_problem_tell(&sink, &at,
	    "the log ends too early: '%s' says that %" PRIu64 " was durable",
	    rp->knows, rp->known);
}

static int
repair_count_frame(void *arg, const struct frame_header *f,
    const uint8_t *payload, struct reason *why)
{
	struct repair *rp = arg;

	(void)payload;
	(void)why;
	rp->r->events_kept += f->n_events;
	rp->r->largest =
	    MAX(rp->r->largest, LOG_FRAME_HEADER + (uint64_t)f->payload_len);
	return 0;
}

static int
repair_count_lost(void *arg, const struct log_range *range, uint64_t time_us,
    struct reason *why)
{
	struct repair *rp = arg;
	struct log_repair *r = rp->r;
	struct log_range *more =
	    realloc(r->lost, (r->n_lost + 1) * sizeof(*more));

	(void)time_us;
	(void)why;
	if (!more)
		return -ENOMEM;
	r->lost = more;
	r->events_lost += range->last - range->first + 1;
	/* A frame that is kept is between it and the one before. */
	r->lost[r->n_lost++] = *range;
	return 0;
}

static void
repair_count_segment(void *arg, size_t i, bool bad)
{
	struct repair *rp = arg;

	if (bad)
		rp->first_bad = MIN(rp->first_bad, i);
	else if (i < rp->first_bad)
		rp->r->events_kept = 0;
}

/* Where the salvage begins, and with which event. */
static size_t
repair_begin(const struct repair *rp, struct salvage *sv)
{
	size_t from = rp->first_bad;

	/* Nobody says where the one before ends: its frames do. */
	if (from > 0 && rp->list.v[from - 1].extent.number == 0)
		from--;
	if (from == 0)
		sv->next_seq = rp->list.floor.seq;
	else
		sv->next_seq = rp->list.v[from - 1].extent.last_seq + 1;
	sv->known = rp->known;
	return from;
}

static int
repair_count(struct repair *rp)
{
	struct log_repair *r = rp->r;
	struct salvage sv = { .io = rp->io,
		.dirfd = rp->dirfd,
		.list = &rp->list,
		.n = rp->n,
		.frame = repair_count_frame,
		.lost = repair_count_lost,
		.segment = repair_count_segment,
		.arg = rp };
	int err = salvage_run(&sv, repair_begin(rp, &sv), rp->why);

	r->last_seq = sv.next_seq - 1;
	r->linked = rp->first_bad;
	r->segments = rp->n;
	if (err == 0 && sv.blind) {
		if (r->n_lost == 0 ||
		    r->lost[r->n_lost - 1].last != r->last_seq)
			err = repair_count_lost(rp,
			    &(struct log_range){ sv.next_seq, sv.next_seq - 1 },
			    0, rp->why);
		r->open = true;
	}
	return err;
}

static int
repair_plan(struct repair *rp)
{
	struct log_repair *r = rp->r;
	struct log_verify verify = { .limit_seq = UINT64_MAX,
		.problem = repair_problem,
		.note = r->note,
		.arg = rp };
	int err = log_verify(rp->io, rp->dirfd, &verify, rp->why);

	if (err < 0)
		return err;
	if (rp->refused)
		return LOG_REPAIR_REFUSED;
	rp->own_noted = verify.wit_noted;
	repair_identify(rp);
	err = repair_ask_all(rp);
	if (err == LOG_REPAIR_REFUSED)
		return err;
	if (err == 0) {
		repair_tell_tail(rp, verify.last_seq);
		err = repair_count(rp);
	}
	/* What would be kept cannot be told from what an event holds. */
	if (err == -EBADMSG)
		return LOG_REPAIR_REFUSED;
	if (err < 0)
		return err;
	r->epoch = MAX(r->was_epoch + 1, r->now_us / UINT64_C(1000000));
	if (verify.problems == 0 && r->n_lost == 0 &&
	    (r->linked > 0 || r->events_kept > 0 || rp->list.floor.seq == 1))
		return LOG_REPAIR_NONE;
	if (r->linked == 0 && r->events_kept == 0 && r->events_lost == 0)
		return reason_say(rp->why, LOG_REPAIR_REFUSED,
		    "nothing of the log is whole: restore a backup, or begin "
		    "a new log in an empty directory");
	return LOG_REPAIR_PLANNED;
}

/* The list as a verification has judged it. */
static int
repair_list(struct repair *rp)
{
	struct log_problem_sink none = { 0 };
	int err = segment_list_read(rp->io, rp->dirfd, &rp->list, rp->why);

	if (err < 0)
		return err;
	err = twin_choose(rp->io, rp->dirfd, &rp->list, rp->note, rp->why);
	if (err < 0)
		return err;
	rp->n = segment_list_used(&rp->list);
	if (rp->n < rp->list.n) {
		err = segment_has_bytes(
		    rp->io, rp->dirfd, &rp->list.v[rp->n], rp->why);
		if (err < 0)
			return err;
		rp->n += (size_t)err;
	}
	rp->first_bad = rp->n;
	return chain_check(
	    rp->io, rp->dirfd, &rp->list, rp->n, NULL, &none, rp->why);
}

int
log_repair_plan(const struct sysio *io, int dirfd, struct log_repair *repair,
    struct reason *why)
{
	struct repair rp = { .io = io,
		.dirfd = dirfd,
		.r = repair,
		.why = why,
		.note = repair->note };
	struct log_problem_sink sink = { repair_problem, &rp, 0 };
	int err = repair_list(&rp);

	if (err == 0)
		err = repair_plan(&rp);
	else if (foreign_check(io, dirfd, &sink))
		err = LOG_REPAIR_REFUSED;
	segment_list_deinit(&rp.list);
	return err;
}

void
log_repair_deinit(struct log_repair *repair)
{
	free(repair->lost);
	repair->lost = NULL;
	repair->n_lost = 0;
}

/* --- making --- */

static int
repair_link(struct repair *rp, int tofd, const char *name)
{
	int err = sysio_link(rp->io, rp->dirfd, name, tofd, name);

	return err < 0 ? reason_set(rp->why, err, "cannot link '%s'", name) : 0;
}

/* What is in front of the damage. */
static int
repair_link_all(struct repair *rp, int tofd)
{
	char name[BASE_NAME_SIZE];
	int err = 0;

	if (rp->list.floor.seq > 1) {
		base_name(name, rp->list.floor.seq - 1);
		err = repair_link(rp, tofd, FLOOR_NAME);
		if (err == 0)
			err = repair_link(rp, tofd, name);
	}
	for (size_t i = 0; err == 0 && i < rp->r->linked; i++)
		err = repair_link(rp, tofd, rp->list.v[i].name);
	return err;
}

/* Where the log ends that begins with nothing but its floor. */
static void
repair_bare_tail(const struct repair *rp, struct log_tail *tail)
{
	const struct log_floor *floor = &rp->list.floor;
	struct segment_predecessor *pred = &tail->predecessor;

	*tail = (struct log_tail){ .epoch = rp->r->was_epoch,
		.last_seq = floor->seq - 1,
		.incarnation = 1,
		.oldest_seq = floor->seq,
		.next_segment = MAX(floor->number, UINT64_C(1)) };
	memcpy(tail->log_id, rp->log_id, sizeof(tail->log_id));
	if (floor->seq == 1)
		return;
	pred->number = floor->number - 1;
	pred->last_seq = floor->seq - 1;
	memcpy(pred->chain, floor->chain, sizeof(pred->chain));
}

/* Where what was linked ends, which is on the disk then. */
static int
repair_tail(struct repair *rp, int tofd, struct log_tail *tail)
{
	int err = 0;

	if (rp->r->linked > 0)
		err = recover_log(
		    rp->io, tofd, NULL, 0, rp->r->note, tail, rp->why);
	else
		repair_bare_tail(rp, tail);
	if (err != RECOVER_OK)
		return err < 0 ? err
			       : reason_say(rp->why, -EUCLEAN,
				     "what is whole is not: %s", rp->why->text);
	/* Its names are those of no segment that was. */
	for (size_t i = 0; i < rp->n; i++)
		tail->incarnation = MAX(tail->incarnation,
		    rp->list.v[i].headed ? rp->list.v[i].header.incarnation + 1
					 : 1);
	return 0;
}

static int
repair_put_frame(void *arg, const struct frame_header *f,
    const uint8_t *payload, struct reason *why)
{
	struct repair *rp = arg;

	return rewrite_frame(rp->out, f, payload, why);
}

static int
repair_put_lost(void *arg, const struct log_range *range, uint64_t time_us,
    struct reason *why)
{
	struct repair *rp = arg;

	rp->lost += range->last - range->first + 1;
	return rewrite_lost(
	    rp->out, range, time_us ? time_us : rp->r->now_us, why);
}

static void
repair_put_segment(void *arg, size_t i, bool bad)
{
	struct repair *rp = arg;

	(void)bad;
	if (rp->r->progress)
		rp->r->progress(rp->r->arg, i + 1, rp->n);
}

/* What is behind tail, which is where the new log ends at present. */
static int
repair_rewrite(struct repair *rp, int tofd, const struct log_tail *tail)
{
	CLEANUP(rewrite_freep) struct rewrite *out = NULL;
	uint64_t segment_bytes = rp->r->segment_bytes;
	struct salvage sv = { .io = rp->io,
		.dirfd = rp->dirfd,
		.list = &rp->list,
		.n = rp->n,
		.known = rp->known,
		.frame = repair_put_frame,
		.lost = repair_put_lost,
		.segment = repair_put_segment,
		.arg = rp,
		.next_seq = tail->last_seq + 1,
		.time_us = tail->last_time_us };
	int err;

	/* Not what files have: one without a header may have grown to any. */
	segment_bytes = MAX(segment_bytes,
	    SEGMENT_FRAMES + ALIGN_UP(rp->r->largest, LOG_PAGE) + 2 * LOG_PAGE);
	err = rewrite_new(
	    rp->io, tofd, tail, segment_bytes, rp->r->epoch, &out, rp->why);
	rp->out = out;
	if (err == 0)
		err = salvage_run(&sv, rp->r->linked, rp->why);
	if (err == 0)
		err = rewrite_end(out, rp->why);
	if (err == 0 && (sv.next_seq != rp->r->last_seq + 1 ||
			    rp->lost != rp->r->events_lost))
		err = reason_say(rp->why, -EUCLEAN,
		    "the log reads otherwise than a moment ago");
	return err;
}

static void
repair_pack(const struct log_repair *r, struct mp_buf *b)
{
	size_t n = MIN(r->n_lost, (size_t)RANGES_TOLD);

	mp_pack_map(b, 4);
	mp_pack_cstr(b, "epoch");
	mp_pack_uint(b, r->was_epoch);
	mp_pack_cstr(b, "seq");
	mp_pack_uint(b, r->last_seq);
	mp_pack_cstr(b, "events_lost");
	mp_pack_uint(b, r->events_lost);
	mp_pack_cstr(b, "lost");
	mp_pack_array(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		mp_pack_array(b, 2);
		mp_pack_uint(b, r->lost[i].first);
		if (r->open && i + 1 == r->n_lost)
			mp_pack_nil(b);
		else
			mp_pack_uint(b, r->lost[i].last);
	}
}

static int
repair_epoch(struct repair *rp, int tofd)
{
	CLEANUP(mp_buf_deinit) struct mp_buf data = { 0 };
	struct log_epoch epoch = { .type = REPAIR_TYPE,
		.now_us = rp->r->now_us,
		.after = rp->r->was_epoch,
		.segment_bytes = rp->r->segment_bytes,
		.notes = rp->r->note };
	int err;

	repair_pack(rp->r, &data);
	if (data.failed)
		return -ENOMEM;
	epoch.data = slice_of(data.p, data.len);
	err = log_epoch_begin(rp->io, tofd, &epoch, rp->why);
	rp->r->epoch_seq = epoch.seq;
	return err == LOG_EPOCH_DAMAGED
		   ? reason_say(rp->why, -EUCLEAN,
			 "what was written is not: %s", rp->why->text)
		   : err;
}

/* Nothing changes places before it is whole. */
static int
repair_check(struct repair *rp, int tofd)
{
	struct log_verify verify = { .limit_seq = UINT64_MAX };
	int err = log_verify(rp->io, tofd, &verify, rp->why);

	if (err < 0)
		return err;
	if (verify.problems > 0 || verify.last_seq != rp->r->epoch_seq ||
	    verify.first_seq != rp->list.floor.seq ||
	    rp->r->epoch_seq != rp->r->last_seq + 1)
		return reason_say(rp->why, -EUCLEAN,
		    "the repaired log is not what it should be");
	return 0;
}

int
log_repair_make(const struct sysio *io, int dirfd, int tofd,
    struct log_repair *repair, struct reason *why)
{
	struct repair rp = {
		.io = io, .dirfd = dirfd, .r = repair, .why = why
	};
	struct log_tail tail;
	int err = repair_list(&rp);

	if (err == 0) {
		repair_identify(&rp);
		err = repair_ask_all(&rp);
	}
	if (err == 0)
		err = repair_link_all(&rp, tofd);
	if (err == 0)
		err = repair_tail(&rp, tofd, &tail);
	if (err == 0)
		err = repair_rewrite(&rp, tofd, &tail);
	if (err == 0)
		err = repair_epoch(&rp, tofd);
	if (err == 0)
		err = repair_check(&rp, tofd);
	segment_list_deinit(&rp.list);
	return err;
}
