/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The judge: what a start has found, against the ledger, event by event and
 * key by key.
 */

#include <inttypes.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/event.h"
#include "log/log_reader.h"
#include "log/verify.h"
#include "shm/ring_writer.h"
#include "tests/lib/seqfix.h"

#define WRONG(sf, ...) (reason_set(&(sf)->why, 0, __VA_ARGS__), false)

static bool
judge_frame(struct seqfix *sf, const struct log_frame *frame, uint64_t *n)
{
	struct slice bytes;
	struct event ev;
	size_t at = 0;
	uint32_t crc;

	while (log_frame_event(frame, &at, &bytes, &crc)) {
		if (crc32c(0, bytes.p, bytes.len) != crc ||
		    event_decode(bytes, &ev, &sf->why) < 0 ||
		    ev.seq != *n + 1 || !ledger_holds(sf->ledger, &ev))
			return WRONG(
			    sf, "event %" PRIu64 " is another one", *n + 1);
		++*n;
	}
	return true;
}

static bool
judge_events(struct seqfix *sf)
{
	CLEANUP(log_reader_freep) struct log_reader *rd = NULL;
	struct log_frame frame;
	uint64_t n = sf->tail.oldest_seq - 1;
	int got;

	got = log_reader_open(
	    sf->io, sf->dirfd, sf->tail.last_seq, &rd, &sf->why);
	if (got < 0)
		return false;
	while ((got = log_reader_next(rd, &frame, &sf->why)) == LOG_READ_FRAME)
		if (!judge_frame(sf, &frame, &n))
			return false;
	if (got != LOG_READ_END)
		return false;
	if (n != sf->tail.last_seq)
		return WRONG(sf, "%" PRIu64 " events are read of %" PRIu64, n,
		    sf->tail.last_seq);
	return true;
}

static bool
judge_versions(struct seqfix *sf)
{
	if (versions_count(sf->st.versions) != ledger_topics(sf->ledger))
		return WRONG(sf, "there are other topics");
	for (unsigned t = 0; t < LEDGER_TOPICS; t++) {
		struct ask_event e = { .topic = t };
		struct ledger_text text;
		struct slice topic;
		uint64_t hash;

		ledger_text(&e, -1, 0, &text);
		topic = slice_of(text.topic, strlen(text.topic));
		hash = hash_bytes(&sf->st.topic_key, topic.p, topic.len);
		if (versions_get(sf->st.versions, hash, topic).version !=
		    ledger_version(sf->ledger, t))
			return WRONG(sf, "topic %u has another version", t);
	}
	return true;
}

/* Each key's request once more: it is a repeat with the same answer. */
static bool
judge_keys(struct seqfix *sf)
{
	uint64_t n = sf->ledger->n;
	struct ask a;

	for (int key = 0; key < LEDGER_KEYS; key++) {
		if (!ledger_keyed(sf->ledger, key, &a))
			continue;
		if (seqfix_ask(sf, &a) != SEQFIX_RIGHT)
			return false;
		a.ev[0].data++;
		if (seqfix_ask(sf, &a) != SEQFIX_RIGHT)
			return false;
		sf->n_promises = 0;
	}
	return sf->ledger->n == n;
}

static void
judge_note(void *arg, const struct log_problem *problem)
{
	log_problem_sentence(problem, arg);
}

static bool
judge_verified(struct seqfix *sf)
{
	char sentence[LOG_PROBLEM_SENTENCE] = "";
	struct log_verify verify = { .limit_seq = sf->tail.last_seq,
		.problem = judge_note,
		.arg = sentence };

	if (log_verify(sf->io, sf->dirfd, &verify, &sf->why) < 0)
		return false;
	if (sf->rotten)
		return true;
	if (verify.problems > 0)
		return WRONG(sf, "the verification says: %s", sentence);
	if (verify.events != sf->tail.last_seq - sf->tail.oldest_seq + 1)
		return WRONG(sf,
		    "%" PRIu64 " events are verified of %" PRIu64
		    " to %" PRIu64,
		    verify.events, sf->tail.oldest_seq, sf->tail.last_seq);
	return true;
}

bool
seqfix_good(struct seqfix *sf)
{
	uint64_t last = sf->tail.last_seq;

	if (!ledger_may_end(sf->ledger, last) || last != sf->ledger->n)
		return WRONG(sf,
		    "the log ends with %" PRIu64 ", %" PRIu64
		    " was promised of %" PRIu64,
		    last, sf->ledger->promised, sf->ledger->n);
	if (ring_writer_tail_seq(sf->ring) != last)
		return WRONG(sf, "the ring ends with %" PRIu64,
		    ring_writer_tail_seq(sf->ring));
	if (sf->st.head_seq != last ||
	    (last > 0 &&
		sf->st.last_time_us < sf->ledger->ev[last - 1].time_us))
		return WRONG(sf, "the state is not at the log's end");
	return judge_events(sf) && judge_versions(sf) && judge_keys(sf) &&
	       judge_verified(sf);
}

bool
seqfix_goes_on(struct seqfix *sf)
{
	int err = seqfix_work(sf, 2);

	if (err == 0)
		err = seqfix_start(sf, false);
	if (err && err != SEQFIX_WRONG && sf->why.text[0] == '\0')
		return WRONG(sf, "going on gives %d", err);
	return err == 0 && seqfix_good(sf);
}
