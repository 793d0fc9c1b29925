/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The writer with each of its allocations failing, alone or with all behind
 * it.  A request is refused and leaves no trace, or is stored; a start fails
 * or finds all that there is; a floor moves or stays.  Who tries again where
 * memory is there gets what there is to get.  PEAL_TEST_SEED repeats a run.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "log/base.h"
#include "log/format.h"
#include "log/log_reader.h"
#include "log/retain.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/retainfix.h"
#include "tests/lib/seed.h"
#include "tests/lib/seqfix.h"
#include "writer/gather.h"
#include "writer/rebase.h"

enum {
	REQUESTS = 1200,
	ROUNDS = 30,
	KEEP = 4 * SEQFIX_SEGMENT,
	BULKY = 100, /* one in so many requests */
	BULK = 40000,
	/* The queue of keys has to grow once more for the last of them. */
	KEYS = 1025,
};

static uint64_t seed;

/* A sequencer, and a state that is replayed from what it hands over. */
struct pair {
	struct filemodel *fm, *twin_fm;
	struct state st, twin;
	struct gather *gather;
	struct sequencer sq;
	struct mp_buf msg;
	unsigned refused;
};

static struct admit admit; /* it is large */

static void
pair_init(struct pair *w)
{
	*w = (struct pair){ .fm = filemodel_new(seed),
		.twin_fm = filemodel_new(seed),
		.gather = gather_new() };
	assert_non_null(w->gather);
	assert_int_equal(state_init(&w->st, filemodel_io(w->fm), KEYS), 0);
	assert_int_equal(
	    state_init(&w->twin, filemodel_io(w->twin_fm), KEYS), 0);
	w->sq = (struct sequencer){ .state = &w->st,
		.gather = w->gather,
		.limits = { 1 << 18, 64, 1 << 20 } };
	admit.account = SLICE_STR("tester");
}

static void
pair_deinit(struct pair *w)
{
	w->gather = gather_free(w->gather);
	state_deinit(&w->st);
	state_deinit(&w->twin);
	mp_buf_deinit(&w->msg);
	w->fm = filemodel_free(w->fm);
	w->twin_fm = filemodel_free(w->twin_fm);
	admit_deinit(&admit);
	admit = (struct admit){ 0 };
}

/* Its first three have an event each, so that three more may be one too many. */
static unsigned
events_of(unsigned request)
{
	return request < 3 ? 1 : 3;
}

/* Events on topics of their own, with keys, and some with much to say. */
static void
pack_request(struct pair *w, unsigned request)
{
	static const uint8_t bulk[BULK];
	size_t bytes = request % BULKY == 7 ? BULK : 1 + request % 40;
	unsigned n = events_of(request);
	char text[40];

	w->msg.len = 0;
	mp_pack_array(&w->msg, n);
	for (unsigned i = 0; i < n; i++) {
		mp_pack_map(&w->msg, 6);
		snprintf(text, sizeof(text), "t.%u.%u", request, i);
		mp_pair_cstr(&w->msg, "topic", text);
		mp_pair_cstr(&w->msg, "type", "set");
		mp_pair_uint(&w->msg, "expect", 0);
		snprintf(text, sizeof(text), "k.%u.%u", request, i);
		mp_pair_cstr(&w->msg, "key", text);
		mp_pack_cstr(&w->msg, "data");
		mp_pack_bin(&w->msg, slice_of(bulk, bytes));
		mp_pack_cstr(&w->msg, "meta");
		mp_pack_map(&w->msg, 1);
		mp_pack_cstr(&w->msg, "note");
		mp_pack_bin(&w->msg, slice_of(bulk, MIN(bytes, (size_t)3000)));
	}
	assert_false(w->msg.failed);
	admit.events = slice_of(w->msg.p, w->msg.len);
	admit.now_us = 1000000 + request;
}

/* All that a refusal could have changed and that can be told at once. */
struct trace {
	uint64_t topics, keys, reach_us, head_seq, time_us, serial;
};

static struct trace
trace_of(const struct pair *w)
{
	return (struct trace){ versions_count(w->st.versions),
		keys_requests(w->st.keys), keys_reach_us(w->st.keys),
		w->st.head_seq, w->st.last_time_us, gather_serial(w->gather) };
}

/* Whoever reads the log later has what was handed over. */
static void
replay(struct pair *w)
{
	struct gather_item item;
	struct reason why;

	while (gather_peek(w->gather, &item) == GATHER_FRAME) {
		struct log_frame frame = {
			.first_seq = frame_first_seq(item.frame),
			.time_us = frame_time_us(item.frame),
			.n_events = frame_n_events(item.frame),
			.payload = slice_of(item.frame + LOG_FRAME_HEADER,
			    frame_payload_len(item.frame)),
		};

		assert_int_equal(item.notes[0].version, !item.emit);
		if (!item.emit && state_replay(&w->twin, &frame, &why) != 0)
			fail_msg("%s", why.text);
		gather_step(w->gather);
	}
	gather_release(w->gather);
}

/* Ask with the nth allocation failing.  false: none did. */
static bool
ask_short(struct pair *w, unsigned request, uint64_t n, bool for_good)
{
	struct trace before = trace_of(w), after;
	struct reason why = { "" };
	struct sequence_outcome out;
	bool fired;

	nomemory_at(n, for_good);
	assert_int_equal(
	    sequence_append(&w->sq, &admit, &out, &why), SEQUENCE_DONE);
	fired = nomemory_end();
	if (out.code == PROTO_OK) {
		assert_false(out.duplicate);
		assert_int_equal(out.seq, before.head_seq + 1);
		assert_int_equal(out.n, events_of(request));
		for (uint32_t i = 0; i < out.n; i++)
			assert_int_equal(out.versions[i], 1);
		return false;
	}
	if (!fired || out.code != PROTO_INTERNAL)
		fail_msg("request %u: %s", request, why.text);
	assert_string_equal(why.text, "out of memory");
	after = trace_of(w);
	assert_memory_equal(&before, &after, sizeof(before));
	w->refused++;
	return true;
}

static void
emit_short(struct pair *w, uint64_t n)
{
	static const uint8_t data[] = { 0x01 };
	struct event ev = { .topic = SLICE_STR("e"),
		.type = SLICE_STR("seen"),
		.actor = SLICE_STR("tester"),
		.data = slice_of(data, sizeof(data)) };
	struct reason why = { "" };
	uint64_t serial = 0;
	enum proto_code code;

	nomemory_at(n, false);
	code = sequence_emit(&w->sq, &ev, &serial, &why);
	if (nomemory_end()) {
		assert_int_equal(code, PROTO_INTERNAL);
		assert_string_equal(why.text, "out of memory");
		code = sequence_emit(&w->sq, &ev, &serial, &why);
	}
	assert_int_equal(code, PROTO_OK);
	assert_int_equal(serial, gather_serial(w->gather));
}

/* A repeat has the answer that was given. */
static void
expect_stored(struct pair *w, unsigned first)
{
	uint64_t seq = 0;

	for (unsigned request = 0; request < REQUESTS; request++) {
		struct reason why = { "" };
		struct sequence_outcome out;

		pack_request(w, request);
		if (request >= first) {
			assert_int_equal(
			    sequence_append(&w->sq, &admit, &out, &why),
			    SEQUENCE_DONE);
			assert_int_equal(out.code, PROTO_OK);
			assert_true(out.duplicate);
			assert_int_equal(out.seq, seq + 1);
		}
		seq += events_of(request);
	}
	assert_int_equal(seq, w->st.head_seq);
}

struct file {
	uint8_t *bytes;
	uint64_t size;
};

static void
take_file(void *arg, uint8_t *bytes, uint64_t size)
{
	struct file *f = arg;

	f->bytes = malloc(size);
	assert_non_null(f->bytes);
	memcpy(f->bytes, bytes, size);
	f->size = size;
}

static const struct checkpoint_of of = { "0123456789abcdef", 3 };

/* The checkpoint of a state, which is the caller's to free. */
static struct file
save(struct filemodel *fm, const struct state *st)
{
	const struct sysio *io = filemodel_io(fm);
	struct file f;

	assert_int_equal(checkpoint_write(io, filemodel_root(fm), &of, st), 0);
	assert_int_equal(checkpoint_install(io, filemodel_root(fm)), 0);
	filemodel_edit(fm, CHECKPOINT_NAME, take_file, &f);
	return f;
}

static void
expect_same(struct file a, struct file b)
{
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.bytes, b.bytes, a.size);
	free(b.bytes);
}

static void
expect_loaded(struct pair *w, const struct state *st, struct file whole)
{
	CLEANUP(filemodel_freep) struct filemodel *fm = filemodel_new(seed);

	assert_int_equal(st->head_seq, w->st.head_seq);
	expect_same(whole, save(fm, st));
}

/* All of a checkpoint or none of it, and which of them is told. */
static void
load_short(struct pair *w, struct file whole)
{
	bool fired = true;

	for (unsigned n = 1; fired; n++) {
		CLEANUP(state_deinit) struct state st = { 0 };
		struct reason why = { "" };
		int got;

		nomemory_at(n, false);
		got = state_init(&st, nomemory_io(filemodel_io(w->fm)), KEYS);
		if (got == 0)
			got = checkpoint_load(nomemory_io(filemodel_io(w->fm)),
			    filemodel_root(w->fm), &of, w->st.head_seq, &st,
			    &why);
		fired = nomemory_end();
		if (got == CHECKPOINT_LOADED)
			expect_loaded(w, &st, whole);
		else if (got == CHECKPOINT_NONE)
			assert_non_null(strstr(why.text, "memory"));
		else
			assert_int_equal(got, -ENOMEM);
		assert_true(fired || got == CHECKPOINT_LOADED);
	}
}

static void
store_all(bool for_good)
{
	struct file whole;
	struct pair w;

	pair_init(&w);
	for (unsigned request = 0; request < REQUESTS; request++) {
		uint64_t n = 1;

		pack_request(&w, request);
		while (ask_short(&w, request, n, for_good))
			n++;
		emit_short(&w, 1);
		if (request % 7 == 0)
			replay(&w);
	}
	replay(&w);
	assert_true(w.refused > 10);
	assert_true(keys_reach_us(w.st.keys) > 0);
	expect_stored(&w, REQUESTS - KEYS / 3);
	whole = save(w.fm, &w.st);
	expect_same(whole, save(w.twin_fm, &w.twin));
	load_short(&w, whole);
	free(whole.bytes);
	pair_deinit(&w);
}

static void
requests_are_stored_or_leave_no_trace(void **state)
{
	(void)state;
	store_all(false);
	store_all(true);
}

/* A writer that has filled some segments. */
struct filled {
	struct ledger ledger;
	struct seqfix sf;
};

static int
setup(void **state)
{
	static struct filled f;

	f = (struct filled){ 0 };
	assert_int_equal(seqfix_begin(&f.sf, &f.ledger, seed, ROUNDS), 0);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct filled *f = *state;

	seqfix_end(&f->sf);
	return 0;
}

static void
expect_good(struct seqfix *sf)
{
	sf->why.text[0] = '\0';
	if (seqfix_start(sf, false) != 0 || !seqfix_good(sf) ||
	    !seqfix_goes_on(sf))
		fail_msg("%s", sf->why.text);
}

/* A start of what f has left, in a copy, with the nth allocation failing. */
static bool
start_short(const struct filled *f, uint64_t n, bool for_good)
{
	CLEANUP(filemodel_freep)
	struct filemodel *fm = filemodel_clone(f->sf.fm);
	struct ledger ledger = f->ledger;
	struct seqfix sf;
	bool fired;
	int got;

	seqfix_init(&sf, fm, &ledger, seed);
	sf.io = nomemory_io(filemodel_io(fm));
	snprintf(sf.why.text, sizeof(sf.why.text), "out of memory");
	nomemory_at(n, for_good);
	got = seqfix_start(&sf, false);
	fired = nomemory_end();
	sf.io = filemodel_io(fm);
	if (got != 0 &&
	    (!fired || got != -ENOMEM || !strstr(sf.why.text, "memory")))
		fail_msg(
		    "allocation %u: %d, '%s'", (unsigned)n, got, sf.why.text);
	if (got == 0 && !seqfix_good(&sf))
		fail_msg("allocation %u: '%s'", (unsigned)n, sf.why.text);
	seqfix_stop(&sf);
	if (got != 0)
		expect_good(&sf);
	seqfix_stop(&sf);
	return fired;
}

static void
sweep_starts(const struct filled *f)
{
	uint64_t n = 1;

	while (start_short(f, n, false))
		n++;
	assert_true(n > 10);
	for (n = 1; start_short(f, n, true); n++)
		;
}

static void
a_start_fails_or_finds_all_that_there_is(void **state)
{
	struct filled *f = *state;

	assert_int_equal(seqfix_finish(&f->sf), 0);
	assert_true(filemodel_size(f->sf.fm, CHECKPOINT_NAME) > 0);
	sweep_starts(f);
	filemodel_put_aside(f->sf.fm, CHECKPOINT_NAME, NULL);
	sweep_starts(f);
}

static void
a_base_is_never_called_damaged_for_want_of_memory(void **state)
{
	struct filled *f = *state;

	assert_int_equal(seqfix_retain(&f->sf, KEEP), 0);
	assert_int_equal(seqfix_finish(&f->sf), 0);
	filemodel_put_aside(f->sf.fm, CHECKPOINT_NAME, NULL);
	sweep_starts(f);
}

/* To move the floor, in a copy, with the nth allocation failing. */
static bool
rebase_short(const struct filled *f, const struct rebase *rb, uint64_t n)
{
	CLEANUP(filemodel_freep)
	struct filemodel *fm = filemodel_clone(f->sf.fm);
	struct ledger ledger = f->ledger;
	struct reason why = REASON_NO_MEMORY;
	struct rebase mine = *rb;
	struct log_floor floor;
	struct seqfix sf;
	bool fired;
	int got;

	mine.io = nomemory_io(filemodel_io(fm));
	nomemory_at(n, false);
	got = rebase_run(&mine, &why);
	fired = nomemory_end();
	mine.io = filemodel_io(fm);
	if (got != 0) {
		if (!fired || got != -ENOMEM || !strstr(why.text, "memory"))
			fail_msg("allocation %u: %d, '%s'", (unsigned)n, got,
			    why.text);
		assert_int_equal(filemodel_size(fm, BASE_TMP), -1);
		assert_true(floor_read(mine.io, mine.dirfd, &floor, &why) >= 0);
		assert_int_equal(floor.seq, 1);
		assert_int_equal(rebase_run(&mine, &why), REBASE_DONE);
	}
	assert_int_equal(retain_remove(mine.io, mine.dirfd, &why), 0);
	filemodel_kill(fm);
	seqfix_init(&sf, fm, &ledger, seed);
	expect_good(&sf);
	assert_true(sf.tail.oldest_seq > 1);
	seqfix_stop(&sf);
	return fired;
}

static void
a_floor_moves_or_stays(void **state)
{
	const struct retain_policy policy = { .keep_bytes = KEEP };
	const struct seqfix_lie none = { .of = 0 };
	CLEANUP(filemodel_freep) struct filemodel *disk = filemodel_new(1);
	struct filled *f = *state;
	struct seqfix *sf = &f->sf;
	struct rebase rb = { .dirfd = sf->dirfd,
		.max_keys = SEQFIX_KEYS,
		.rows_io = filemodel_io(disk) };
	uint64_t n = 1;

	assert_int_equal(retainfix_look(filemodel_io(f->sf.fm), sf->dirfd,
			     &policy, &rb.floor, &sf->why),
	    RETAIN_FLOOR);
	rb.rows_fd = seqfix_rows(sf, disk, &rb.floor, &none);
	assert_true(rb.rows_fd >= 0);
	assert_int_equal(seqfix_finish(sf), 0);
	while (rebase_short(f, &rb, n))
		n++;
	assert_true(n > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_stored_or_leave_no_trace),
		cmocka_unit_test_setup_teardown(
		    a_start_fails_or_finds_all_that_there_is, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_base_is_never_called_damaged_for_want_of_memory, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_floor_moves_or_stays, setup, teardown),
	};

	seed = seed_draw();
	return cmocka_run_group_tests_name("writer_memory", tests, NULL, NULL);
}
