/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Chain of segments.  Two pages are read of each, whatever the log's size:
 * what they say has a CRC, and the chain of hashes ties them together.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/reason.h"
#include "log/base.h"
#include "log/chain.h"
#include "log/format_priv.h"
#include "log/scan.h"

struct chain {
	const struct sysio *io;
	int dirfd;
	const uint8_t *log_id; /* of the log; NULL where no segment says it */
	void (*notes)(const char *sentence);
	struct log_problem_sink *sink;
	struct reason *why;
};

/*
 * Whose log it is: the floor says it, or else what most segments say.  So a
 * file of another log makes none of this one foreign, wherever it stands.
 */
static const uint8_t *
chain_log_id(const struct segment_list *list, size_t n)
{
	const uint8_t *id = NULL;
	size_t votes = 0;

	if (list->floor.seq > 1)
		return list->floor.log_id;
	/* Boyer and Moore's majority vote. */
	for (size_t i = 0; i < n; i++) {
		const uint8_t *of = list->v[i].header.log_id;

		if (!list->v[i].headed)
			continue;
		if (id && memcmp(id, of, sizeof(list->v[i].header.log_id)) == 0)
			votes++;
		else if (votes > 0)
			votes--;
		else {
			id = of;
			votes = 1;
		}
	}
	return id;
}

/* Does a good seal say what the header and the hash say? */
static bool
chain_seal_fits(const struct segment *s)
{
	struct segment_predecessor at = s->extent;

	format_chain(&s->header, &at);
	return at.first_seq == s->header.first_seq &&
	       at.last_seq + 1 >= at.first_seq &&
	       memcmp(at.chain, s->extent.chain, sizeof(at.chain)) == 0;
}

/* What a segment says of itself, without its neighbours. */
static void
chain_check_alone(struct chain *ch, const struct segment *s)
{
	struct log_problem at = { .segment = s->name };
	char name[SEGMENT_NAME_SIZE];

	segment_name(name, s->header.first_seq, s->header.incarnation,
	    s->packed ? ".segz" : ".seg");
	if (s->oddity)
		log_note(ch->notes, "of '%s': %s", s->name, s->oddity);
	at.kind = LOG_FOREIGN_SEGMENT;
	if (strcmp(name, s->name) != 0)
		log_problem_tell(
		    ch->sink, &at, "by its header it is '%s'", name);
	at.kind = LOG_DAMAGED_SEGMENT;
	if (s->file_bytes != s->header.capacity) {
		at.first_seq = s->header.first_seq;
		at.last_seq =
		    s->extent.number != 0 ? s->extent.last_seq : UINT64_MAX;
		log_problem_tell(ch->sink, &at,
		    "it has %" PRIu64 " bytes, its header says %" PRIu64,
		    s->file_bytes, s->header.capacity);
	}
	if (s->seal == SEAL_GOOD && !chain_seal_fits(s)) {
		at.offset = s->header.capacity - LOG_PAGE;
		log_problem_tell(
		    ch->sink, &at, "its seal contradicts its header");
	}
}

/* One of another log is told, and no other is judged by it. */
static void
chain_check_log(
    struct chain *ch, const struct log_floor *floor, struct segment *s)
{
	struct log_problem at = { LOG_FOREIGN_SEGMENT, .segment = s->name };

	s->foreign = s->headed && memcmp(s->header.log_id, ch->log_id,
				      sizeof(s->header.log_id)) != 0;
	if (s->foreign)
		log_problem_tell(ch->sink, &at, "it belongs to another log%s",
		    floor->seq > 1 ? " than '" FLOOR_NAME "'" : "");
}

/* The first segment, which begins the log or stands on its floor. */
static void
chain_check_first(
    struct chain *ch, const struct log_floor *floor, const struct segment *s)
{
	const struct segment_header *h = &s->header;
	struct log_problem at = { LOG_FOREIGN_SEGMENT, .segment = s->name };

	if (h->number == floor->number && h->first_seq == floor->seq &&
	    h->pred.number == floor->number - 1 &&
	    memcmp(h->pred.chain, floor->chain, sizeof(floor->chain)) == 0)
		return;
	if (h->first_seq > floor->seq) {
		at.kind = LOG_MISSING_SEGMENT;
		at.first_seq = floor->seq;
		at.last_seq = h->first_seq - 1;
	}
	if (floor->seq == 1)
		log_problem_tell(ch->sink, &at,
		    "it is number %" PRIu64 ", and the log begins with it",
		    h->number);
	else
		log_problem_tell(ch->sink, &at,
		    "the log begins with it, but '" FLOOR_NAME
		    "' says with number %" PRIu64 " and event %" PRIu64,
		    floor->number, floor->seq);
}

/* What the floor says by itself. */
static void
chain_check_floor(struct chain *ch, const struct segment_list *list)
{
	struct log_problem at = { LOG_DAMAGED_BASE, .segment = FLOOR_NAME };

	if (list->bad_floor) {
		log_problem_tell(ch->sink, &at, "it does not verify");
	} else if (list->floor.seq > 1 && list->n == 0) {
		at.kind = LOG_MISSING_SEGMENT;
		at.first_seq = list->floor.seq;
		at.last_seq = UINT64_MAX;
		log_problem_tell(ch->sink, &at,
		    "no segment is there, and the log goes on with event "
		    "%" PRIu64,
		    list->floor.seq);
	}
}

static int
chain_see_base(void *arg, const char *name)
{
	uint64_t seq, *newest = arg;

	if (base_parse_name(name, &seq))
		*newest = MAX(*newest, seq);
	return 0;
}

/*
 * 1: the log begins with s, behind its first event, and no floor is there,
 * though a base is, which never is without one: told.
 */
static int
chain_misses_floor(
    struct chain *ch, const struct log_floor *floor, const struct segment *s)
{
	struct log_problem at = { LOG_DAMAGED_BASE, .segment = FLOOR_NAME };
	char name[BASE_NAME_SIZE];
	uint64_t newest = 0;
	int err;

	if (floor->seq > 1 || s->name_first_seq == 1)
		return 0;
	err = sysio_list(ch->io, ch->dirfd, chain_see_base, &newest);
	if (err < 0)
		return reason_set(ch->why, err, "cannot list the log");
	if (newest == 0)
		return 0;
	base_name(name, newest);
	log_problem_tell(ch->sink, &at,
	    "it is missing, and '%s' says that it was there", name);
	return 1;
}

/* Segments are missing or doubled between a and b. */
static void
chain_tell_gap(
    struct chain *ch, const struct segment *a, const struct segment *b)
{
	struct log_problem at = { LOG_MISSING_SEGMENT, .segment = b->name };

	if (b->header.number <= a->header.number) {
		at.kind = LOG_FOREIGN_SEGMENT;
		log_problem_tell(ch->sink, &at,
		    "it has number %" PRIu64 ", '%s' before it has %" PRIu64,
		    b->header.number, a->name, a->header.number);
		return;
	}
	at.first_seq =
	    a->seal == SEAL_GOOD ? a->footer.last_seq + 1 : a->header.first_seq;
	at.last_seq = b->header.first_seq - 1;
	if (at.last_seq < at.first_seq)
		at.first_seq = 0;
	log_problem_tell(ch->sink, &at,
	    "it is number %" PRIu64 " and follows number %" PRIu64,
	    b->header.number, a->header.number);
}

static bool
chain_same_extent(
    const struct segment_predecessor *a, const struct segment_predecessor *b)
{
	return a->number == b->number && a->first_seq == b->first_seq &&
	       a->last_seq == b->last_seq &&
	       a->valid_length == b->valid_length &&
	       a->tail_crc == b->tail_crc &&
	       memcmp(a->chain, b->chain, sizeof(a->chain)) == 0 &&
	       memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

bool
chain_carries_on(const struct segment *a, const struct segment *b)
{
	struct segment_predecessor entry = b->header.pred;

	format_chain(&a->header, &entry);
	return entry.number == a->header.number &&
	       entry.first_seq == a->header.first_seq &&
	       entry.last_seq + 1 == b->header.first_seq &&
	       memcmp(entry.chain, b->header.pred.chain, sizeof(entry.chain)) ==
		   0;
}

/* Is what b's header says of a what a's header, the hash and a's seal say? */
static bool
chain_check_entry(
    struct chain *ch, const struct segment *a, const struct segment *b)
{
	struct log_problem at = { LOG_FOREIGN_SEGMENT, .segment = b->name };

	if (!chain_carries_on(a, b)) {
		log_problem_tell(ch->sink, &at,
		    "its header does not carry on from '%s'", a->name);
		return false;
	}
	if (a->seal == SEAL_GOOD &&
	    !chain_same_extent(&b->header.pred, &a->extent)) {
		at.segment = a->name;
		at.offset = a->header.capacity - LOG_PAGE;
		log_problem_tell(ch->sink, &at,
		    "its seal contradicts the header of '%s'", b->name);
		return false;
	}
	return true;
}

/*
 * The seal of a, whose extent its successor knows, is damaged or missing
 * where there must be one: are the frames all right?
 */
static int
chain_scan_unsealed(struct chain *ch, const struct segment *a)
{
	CLEANUP(sysio_fdp) struct sysio_fd f = { ch->io, -1 };
	struct log_problem at = { LOG_DAMAGED_FRAME, .segment = a->name };
	struct segment now = *a; /* it may be packed meanwhile */
	struct frame_header frame;
	struct scan sc;
	int err;

	f.fd = segment_open(ch->io, ch->dirfd, &now, ch->why);
	if (f.fd < 0)
		return reason_set(ch->why, f.fd, "cannot open '%s'", a->name);
	err = scan_init(&sc, ch->io, f.fd, &now, false, ch->why);
	if (err < 0)
		return err;
	do {
		err = scan_next(&sc, &frame, ch->why);
	} while (err == SCAN_FRAME);
	if (err == SCAN_STOP && scan_complete(&sc, &a->extent)) {
		log_note(ch->notes,
		    "the seal of '%s' is damaged; its events are whole",
		    a->name);
	} else if (err == SCAN_STOP) {
		at.offset = sc.at;
		at.first_seq = sc.next_seq;
		at.last_seq = a->extent.last_seq;
		log_problem_tell(
		    ch->sink, &at, "its seal and its frames are damaged");
	}
	scan_deinit(&sc);
	return err < 0 ? err : 0;
}

static int
chain_check_link(struct chain *ch, struct segment *a, const struct segment *b)
{
	struct log_problem at = { LOG_FOREIGN_SEGMENT, .segment = b->name };

	if (b->header.number != a->header.number + 1) {
		chain_tell_gap(ch, a, b);
		return 0;
	}
	if (b->header.epoch < a->header.epoch ||
	    b->header.incarnation < a->header.incarnation)
		log_problem_tell(ch->sink, &at,
		    "its epoch or incarnation is before that of '%s'", a->name);
	/* One with digests is never followed by one that has none. */
	if (b->header.version < a->header.version)
		log_problem_tell(ch->sink, &at,
		    "its format version is before that of '%s'", a->name);
	if (!chain_check_entry(ch, a, b))
		return 0;
	a->extent = b->header.pred;
	if (a->file_bytes != a->header.capacity)
		return 0;
	/* Left in normal running a segment is sealed, left in a crash not. */
	if (a->seal == SEAL_BAD ||
	    (a->seal == SEAL_NONE &&
		a->header.incarnation == b->header.incarnation))
		return chain_scan_unsealed(ch, a);
	return 0;
}

/* The last of s's events is not known, unless another begins behind it. */
static void
chain_tell_headless(struct log_problem_sink *sink, const struct segment *s,
    const struct segment *next)
{
	struct log_problem at = { .segment = s->name,
		.first_seq = s->name_first_seq,
		.last_seq = next ? next->name_first_seq - 1 : UINT64_MAX };

	/* One that is packed and damaged keeps no byte of the segment. */
	log_problem_tell(sink, &at,
	    s->packed && s->file_bytes == 0
		? "its head is not that of a packed segment, or no block "
		  "follows it"
		: "neither copy of its header is valid");
}

int
chain_check(const struct sysio *io, int dirfd, struct segment_list *list,
    size_t n, void (*notes)(const char *sentence),
    struct log_problem_sink *sink, struct reason *why)
{
	struct chain ch = { io, dirfd, chain_log_id(list, n), notes, sink,
		why };
	struct segment *before = NULL;
	bool first = true;
	int missing;

	chain_check_floor(&ch, list);
	if (list->bad_floor)
		return 0;
	missing = n > 0 ? chain_misses_floor(&ch, &list->floor, list->v) : 0;
	if (missing != 0)
		return MIN(missing, 0);
	for (size_t i = 0; i < n; i++) {
		struct segment *s = &list->v[i];
		int err = 0;

		chain_check_log(&ch, &list->floor, s);
		if (s->foreign)
			continue;
		if (before && s->headed)
			err = chain_check_link(&ch, before, s);
		else if (first && s->headed)
			chain_check_first(&ch, &list->floor, s);
		first = false;
		if (err < 0)
			return err;
		if (before)
			chain_check_alone(&ch, before);
		if (!s->headed)
			chain_tell_headless(sink, s, i + 1 < n ? s + 1 : NULL);
		before = s->headed ? s : NULL;
	}
	if (before)
		chain_check_alone(&ch, before);
	return 0;
}

int
chain_check_headless(const struct sysio *io, int dirfd, const struct segment *s,
    struct log_problem_sink *sink, struct reason *why)
{
	int got = segment_has_bytes(io, dirfd, s, why);

	if (got > 0)
		chain_tell_headless(sink, s, NULL);
	return MIN(got, 0);
}

int
chain_read(const struct sysio *io, int dirfd, struct segment_list *list,
    struct reason *why)
{
	struct log_problem_sink sink = { log_problem_keep, why, 0 };
	int err = segment_list_read(io, dirfd, list, why);

	if (err < 0)
		return err;
	list->n = segment_list_used(list);
	err = chain_check(io, dirfd, list, list->n, NULL, &sink, why);
	if (err < 0) {
		segment_list_deinit(list);
		return err;
	}
	return sink.told > 0 ? CHAIN_DAMAGED : CHAIN_WHOLE;
}
