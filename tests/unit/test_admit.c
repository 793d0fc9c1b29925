/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Admission and sequencing: named cases, then random requests against a
 * model of a few lines, an array of versions and a list of known keys.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/event.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "core/time.h"
#include "log/format.h"
#include "log/log_reader.h"
#include "writer/gather.h"
#include "writer/sequence.h"
#include "writer/state.h"

#define NOW UINT64_C(1700000000000000)

struct fx {
	struct state st;
	struct sequencer sq;
	struct admit ad;
	struct mp_buf msg;
	struct sequence_outcome out;
	struct reason why;
};

static void
setup(struct fx *f)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(state_init(&f->st, &sysio_posix, 1000), 0);
	f->sq = (struct sequencer){ .state = &f->st,
		.gather = gather_new(),
		.limits = { 4096, 64, 1000 } };
	f->ad.now_us = NOW;
	f->ad.account = SLICE_STR("tester");
}

static void
teardown(struct fx *f)
{
	gather_free(f->sq.gather);
	admit_deinit(&f->ad);
	mp_buf_deinit(&f->msg);
	state_deinit(&f->st);
}

/* One event of a request as text: topic, expect ("" for any), key. */
struct ask {
	const char *topic;
	const char *expect;
	const char *key;
	int data;
	uint64_t time_us;
	const char *meta; /* the one pair's key; its value is "mine" */
	const char *actor;
};

static void
pack_ask(struct mp_buf *b, const struct ask *a)
{
	unsigned pairs = 3 + (*a->expect != 0) + (a->key != NULL) +
			 (a->time_us != 0) + (a->meta != NULL) +
			 (a->actor != NULL);

	mp_pack_map(b, pairs);
	mp_pair_cstr(b, "topic", a->topic);
	mp_pair_cstr(b, "type", "changed");
	mp_pair_uint(b, "data", (uint64_t)a->data);
	if (*a->expect) {
		mp_pack_cstr(b, "expect");
		if (*a->expect >= '0' && *a->expect <= '9')
			mp_pack_uint(b, strtoull(a->expect, NULL, 10));
		else
			mp_pack_cstr(b, a->expect);
	}
	if (a->key)
		mp_pair_cstr(b, "key", a->key);
	if (a->time_us)
		mp_pair_uint(b, "time", a->time_us);
	if (a->actor)
		mp_pair_cstr(b, "actor", a->actor);
	if (a->meta) {
		mp_pack_cstr(b, "meta");
		mp_pack_map(b, 1);
		mp_pair_cstr(b, a->meta, "mine");
	}
}

static enum proto_code
append_checked(struct fx *f, const struct ask *asks, unsigned n,
    const char *check, uint64_t version)
{
	f->msg.len = 0;
	mp_pack_array(&f->msg, n);
	for (unsigned i = 0; i < n; i++)
		pack_ask(&f->msg, &asks[i]);
	f->ad.events = slice_of(f->msg.p, f->msg.len);
	f->ad.checks = slice_of(NULL, 0);
	if (check) {
		size_t at = f->msg.len;

		mp_pack_array(&f->msg, 1);
		mp_pack_map(&f->msg, 2);
		mp_pair_cstr(&f->msg, "topic", check);
		mp_pair_uint(&f->msg, "version", version);
		f->ad.events = slice_of(f->msg.p, at);
		f->ad.checks = slice_of(f->msg.p + at, f->msg.len - at);
	}
	f->why.text[0] = '\0';
	assert_int_equal(
	    sequence_append(&f->sq, &f->ad, &f->out, &f->why), SEQUENCE_DONE);
	return f->out.code;
}

static enum proto_code
append(struct fx *f, const struct ask *asks, unsigned n)
{
	return append_checked(f, asks, n, NULL, 0);
}

#define ONE(f, ...) append((f), (const struct ask[]){ { __VA_ARGS__ } }, 1)

static void
expectations_are_checked_in_order_and_all_or_nothing(void **state)
{
	struct fx f;

	setup(&f);
	assert_int_equal(ONE(&f, "a", "exists"), PROTO_CONFLICT);
	assert_int_equal(ONE(&f, "a", "0"), PROTO_OK);
	assert_int_equal(ONE(&f, "a", "0"), PROTO_CONFLICT);
	assert_int_equal(f.ad.actual, 1);
	assert_int_equal(ONE(&f, "a", "1"), PROTO_OK);
	assert_int_equal(ONE(&f, "a", "exists"), PROTO_OK);
	assert_int_equal(append(&f,
			     (const struct ask[]){
				 { "b", "0" }, { "b", "1" }, { "a", "3" } },
			     3),
	    PROTO_OK);
	assert_int_equal(f.out.seq, 4);
	assert_int_equal(f.out.versions[1], 2);
	assert_int_equal(f.out.versions[2], 4);
	/* The last one fails: nothing of the new topic c may remain. */
	assert_int_equal(
	    append(&f, (const struct ask[]){ { "c", "0" }, { "a", "3" } }, 2),
	    PROTO_CONFLICT);
	assert_int_equal(versions_count(f.st.versions), 2);
	assert_int_equal(ONE(&f, "c", "0"), PROTO_OK);
	assert_int_equal(f.out.seq, 7);
	teardown(&f);
}

static void
checks_test_topics_that_are_not_written(void **state)
{
	const struct ask a[] = { { "a", "" } };
	struct fx f;

	setup(&f);
	assert_int_equal(append_checked(&f, a, 1, "b", 1), PROTO_CONFLICT);
	assert_int_equal(append_checked(&f, a, 1, "b", 0), PROTO_OK);
	assert_int_equal(append_checked(&f, a, 1, "a", 1), PROTO_BAD_REQUEST);
	teardown(&f);
}

static void
a_repeat_has_the_same_meta(void **state)
{
	struct fx f;

	setup(&f);
	assert_int_equal(ONE(&f, "a", "", "k1", 5, 0, "colour"), PROTO_OK);
	assert_int_equal(ONE(&f, "a", "", "k1", 5, 0, "colour"), PROTO_OK);
	assert_true(f.out.duplicate);
	assert_int_equal(
	    ONE(&f, "a", "", "k1", 5, 0, "size"), PROTO_KEY_REUSED);
	assert_int_equal(ONE(&f, "a", "", "k1", 5), PROTO_KEY_REUSED);
	teardown(&f);
}

/* What the next start would believe is the writer's to say. */
static void
no_application_says_a_key_in_meta(void **state)
{
	struct slice value;
	struct event ev;
	struct fx f;

	setup(&f);
	assert_int_equal(ONE(&f, "a", "", NULL, 5, 0, "colour"), PROTO_OK);
	admit_stored(&f.ad, 0, &ev);
	assert_true(event_meta_get(ev.meta, "colour").len > 0);
	assert_int_equal(ONE(&f, "a", "", NULL, 5, 0, "key"), PROTO_OK);
	admit_stored(&f.ad, 0, &ev);
	assert_int_equal(event_meta_get(ev.meta, "key").len, 0);
	assert_int_equal(ONE(&f, "a", "", "k1", 5, 0, "key"), PROTO_OK);
	admit_stored(&f.ad, 0, &ev);
	value = event_meta_get(ev.meta, "key");
	assert_int_equal(value.len, 3);
	assert_memory_equal(value.p, "\xa2k1", 3);
	teardown(&f);
}

static void
keys_come_before_expectations(void **state)
{
	struct fx f;

	setup(&f);
	assert_int_equal(ONE(&f, "a", "0", "k1", 5), PROTO_OK);
	assert_int_equal(ONE(&f, "a", "0", "k1", 5), PROTO_OK);
	assert_true(f.out.duplicate);
	assert_int_equal(f.out.seq, 1);
	assert_int_equal(f.out.versions[0], 1);
	assert_int_equal(ONE(&f, "a", "0", "k1", 6), PROTO_KEY_REUSED);
	assert_int_equal(f.st.head_seq, 1);
	assert_int_equal(
	    append(
		&f, (const struct ask[]){ { "a", "", "k2" }, { "b", "" } }, 2),
	    PROTO_BAD_REQUEST);
	assert_int_equal(
	    append(&f,
		(const struct ask[]){ { "a", "", "k2" }, { "b", "", "k2" } },
		2),
	    PROTO_BAD_REQUEST);
	teardown(&f);
}

static void
time_never_decreases_and_the_original_is_kept(void **state)
{
	struct gather_item item;
	struct event ev;
	struct fx f;

	setup(&f);
	assert_int_equal(ONE(&f, "a", "", NULL, 0, 500), PROTO_OK);
	assert_int_equal(f.out.time_us, 500);
	assert_int_equal(ONE(&f, "a", "", NULL, 0, 400), PROTO_OK);
	assert_int_equal(f.out.time_us, 500);
	assert_int_equal(
	    ONE(&f, "a", "", NULL, 0, NOW + 2000000), PROTO_BAD_REQUEST);
	assert_int_equal(ONE(&f, "a", ""), PROTO_OK);
	assert_int_equal(f.out.time_us, NOW);

	assert_int_equal(gather_peek(f.sq.gather, &item), GATHER_FRAME);
	gather_step(f.sq.gather);
	assert_int_equal(gather_peek(f.sq.gather, &item), GATHER_FRAME);
	assert_int_equal(
	    event_decode(
		slice_of(item.frame + LOG_FRAME_HEADER + LOG_EVENT_HEADER,
		    item.len - LOG_FRAME_HEADER - LOG_EVENT_HEADER),
		&ev, NULL),
	    0);
	assert_int_equal(ev.time_us, 500);
	assert_int_equal(ev.seq, 2);
	assert_int_equal(proto_get_uint(ev.meta, "time").v, 400);
	assert_true(slice_is(ev.actor, "tester"));
	teardown(&f);
}

static void
a_request_has_the_latest_of_its_times(void **state)
{
	const struct ask asks[] = {
		{ .topic = "a", .expect = "", .time_us = 700 },
		{ .topic = "b", .expect = "", .time_us = 900 },
		{ .topic = "c", .expect = "", .time_us = 800 },
	};
	struct fx f;

	setup(&f);
	assert_int_equal(append(&f, asks, 3), PROTO_OK);
	assert_int_equal(f.out.time_us, 900);
	teardown(&f);
}

/* A gateway appends for all its users, by one account. */
static void
each_actor_has_keys_of_its_own(void **state)
{
	const struct ask ann = { "a", "", "k", .actor = "ann" };
	const struct ask bob = { "b", "", "k", .actor = "bob" };
	struct fx f;

	setup(&f);
	assert_int_equal(append(&f, &ann, 1), PROTO_OK);
	assert_int_equal(append(&f, &bob, 1), PROTO_OK);
	assert_false(f.out.duplicate);
	assert_int_equal(f.out.seq, 2);
	assert_int_equal(append(&f, &ann, 1), PROTO_OK);
	assert_true(f.out.duplicate);
	assert_int_equal(f.out.seq, 1);
	teardown(&f);
}

static void
each_event_goes_to_the_ring_with_its_own_version_and_topic(void **state)
{
	const struct ask asks[] = { { "a", "" }, { "b", "" }, { "a", "" } };
	static const uint64_t versions[] = { 3, 1, 4 };
	struct gather_item item;
	struct fx f;

	setup(&f);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(append(&f, asks, 1), PROTO_OK);
		assert_int_equal(gather_peek(f.sq.gather, &item), GATHER_FRAME);
		gather_step(f.sq.gather);
	}
	assert_int_equal(append(&f, asks, 3), PROTO_OK);
	assert_int_equal(gather_peek(f.sq.gather, &item), GATHER_FRAME);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(item.notes[i].version, versions[i]);
		assert_int_equal(item.notes[i].topic_hash,
		    hash_bytes(&f.st.topic_key, asks[i].topic, 1));
	}
	teardown(&f);
}

/* The event that was appended last, and that nobody has taken yet. */
static void
take(struct fx *f, struct event *ev)
{
	struct gather_item item;

	assert_int_equal(gather_peek(f->sq.gather, &item), GATHER_FRAME);
	assert_int_equal(
	    event_decode(
		slice_of(item.frame + LOG_FRAME_HEADER + LOG_EVENT_HEADER,
		    item.len - LOG_FRAME_HEADER - LOG_EVENT_HEADER),
		ev, NULL),
	    0);
	gather_step(f->sq.gather);
}

static void
what_the_clock_says_is_kept_where_it_is_not_the_time(void **state)
{
	static const struct {
		uint64_t now, wall, time;
		bool kept;
	} cases[] = {
		{ NOW, 0, NOW, false },
		{ NOW, NOW, NOW, false },
		/* Not believed: ahead by a second, and by more. */
		{ NOW, NOW + US_PER_S, NOW, false },
		{ NOW, NOW + US_PER_S + 1, NOW, true },
		{ NOW, 5 * NOW, NOW, true },
		/* Behind the newest event. */
		{ NOW - US_PER_S, NOW - US_PER_S, NOW, false },
		{ NOW - US_PER_S - 1, NOW - US_PER_S - 1, NOW, true },
		{ 1, 1, NOW, true },
		{ NOW + 1, NOW + 1, NOW + 1, false },
	};
	struct fx f;

	setup(&f);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct proto_uint kept;
		struct event ev;

		f.ad.now_us = cases[i].now;
		f.ad.wall_us = cases[i].wall;
		assert_int_equal(ONE(&f, "a", ""), PROTO_OK);
		assert_int_equal(f.out.time_us, cases[i].time);
		take(&f, &ev);
		assert_int_equal(ev.time_us, cases[i].time);
		kept = proto_get_uint(ev.meta, "time");
		if (kept.set != cases[i].kept)
			fail_msg("case %u", i);
		if (kept.set)
			assert_int_equal(kept.v, cases[i].wall);
	}
	teardown(&f);
}

static void
limits_refuse_and_leave_no_trace(void **state)
{
	struct ask many[65];
	struct fx f;

	setup(&f);
	for (unsigned i = 0; i < 65; i++)
		many[i] = (struct ask){ "a", "" };
	assert_int_equal(append(&f, many, 65), PROTO_TOO_LARGE);
	assert_int_equal(append(&f, many, 64), PROTO_OK);
	f.sq.limits.event_bytes = 100;
	assert_int_equal(append(&f, many, 10), PROTO_TOO_LARGE);
	assert_int_equal(
	    versions_get(f.st.versions, hash_bytes(&f.st.topic_key, "a", 1),
		SLICE_STR("a"))
		.version,
	    64);
	f.sq.limits.topics = 1;
	assert_int_equal(ONE(&f, "b", ""), PROTO_STORAGE_FULL);
	assert_int_equal(ONE(&f, "a", "64"), PROTO_OK);
	assert_int_equal(versions_count(f.st.versions), 1);
	teardown(&f);
}

static void
system_topics_are_for_those_who_may(void **state)
{
	struct fx f;

	setup(&f);
	assert_int_equal(ONE(&f, "$acl.x", ""), PROTO_FORBIDDEN);
	f.ad.may_system = true;
	assert_int_equal(ONE(&f, "$acl.x", ""), PROTO_OK);
	teardown(&f);
}

/* --- the model --- */

enum {
	TOPICS = 6,
	KEYS = 40,
	ROUNDS = 30000
};

struct model {
	uint64_t versions[TOPICS];
	uint64_t head;
	struct {
		uint64_t seq; /* 0: unknown */
		unsigned topic;
		int data;
	} keys[KEYS];
};

/* A random request of one to three events; keyed ones have one. */
static unsigned
random_asks(struct ask *asks, unsigned *topics, char text[3][2][16],
    unsigned *seed, const struct model *m)
{
	unsigned n = 1 + (unsigned)rand_r(seed) % 3;
	int keyed = rand_r(seed) % 2;

	if (keyed)
		n = 1;
	for (unsigned i = 0; i < n; i++) {
		unsigned t = (unsigned)rand_r(seed) % TOPICS;
		const char *expect = "";

		topics[i] = t;
		snprintf(text[i][0], 16, "topic.%u", t);
		if (rand_r(seed) % 3 == 0) {
			snprintf(text[i][1], 16, "%llu",
			    (unsigned long long)(m->versions[t] +
						 (uint64_t)(rand_r(seed) % 2)));
			expect = text[i][1];
		} else if (rand_r(seed) % 4 == 0) {
			expect = "exists";
		}
		asks[i] = (struct ask){ text[i][0], expect, NULL,
			rand_r(seed) % 3, 0 };
	}
	return n;
}

/* What the model says of a request, and its effect where it is stored. */
static enum proto_code
model_append(struct model *m, const struct ask *asks, const unsigned *topics,
    unsigned n, int key, int *duplicate)
{
	struct model next = *m;

	*duplicate = 0;
	if (key >= 0 && m->keys[key].seq) {
		if (m->keys[key].topic != topics[0] ||
		    m->keys[key].data != asks[0].data)
			return PROTO_KEY_REUSED;
		*duplicate = 1;
		return PROTO_OK;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t v = next.versions[topics[i]];

		if (!strcmp(asks[i].expect, "exists") && !v)
			return PROTO_CONFLICT;
		if (*asks[i].expect >= '0' && *asks[i].expect <= '9' &&
		    strtoull(asks[i].expect, NULL, 10) != v)
			return PROTO_CONFLICT;
		next.versions[topics[i]]++;
		next.head++;
	}
	*m = next;
	if (key >= 0) {
		m->keys[key].seq = m->head;
		m->keys[key].topic = topics[0];
		m->keys[key].data = asks[0].data;
	}
	return PROTO_OK;
}

/* Replay what has gathered into a second state, as a restart would. */
static void
replay_all(struct fx *f, struct state *again)
{
	struct gather_item item;

	while (gather_peek(f->sq.gather, &item) == GATHER_FRAME) {
		struct log_frame frame = {
			.n_events = frame_n_events(item.frame),
			.first_seq = frame_first_seq(item.frame),
			.time_us = frame_time_us(item.frame),
			.payload = slice_of(item.frame + LOG_FRAME_HEADER,
			    item.len - LOG_FRAME_HEADER),
		};

		assert_int_equal(state_replay(again, &frame, &f->why), 0);
		gather_step(f->sq.gather);
	}
	gather_release(f->sq.gather);
}

static void
random_requests_do_what_the_model_says(void **state)
{
	unsigned seed = (unsigned)time(NULL), start = seed;
	struct model m = { { 0 } };
	struct state again;
	struct fx f;

	print_message("# seed %u\n", start);
	setup(&f);
	assert_int_equal(state_init(&again, &sysio_posix, 1000), 0);
	for (unsigned r = 0; r < ROUNDS; r++) {
		char text[3][2][16], key[16];
		struct ask asks[3];
		unsigned topics[3], n;
		enum proto_code want;
		int k = -1, dup;
		uint64_t head = m.head;

		n = random_asks(asks, topics, text, &seed, &m);
		if (n == 1 && rand_r(&seed) % 2) {
			k = rand_r(&seed) % KEYS;
			snprintf(key, sizeof(key), "key.%d", k);
			asks[0].key = key;
		}
		want = model_append(&m, asks, topics, n, k, &dup);
		assert_int_equal(append(&f, asks, n), want);
		assert_int_equal(f.out.duplicate, dup);
		if (want == PROTO_OK)
			assert_int_equal(
			    f.out.seq, dup ? m.keys[k].seq : head + 1);
		assert_int_equal(f.st.head_seq, m.head);
		if (r % 1000 == 999)
			replay_all(&f, &again);
	}
	assert_int_equal(again.head_seq, m.head);
	/* After the replay the same keys are known under the same answers. */
	gather_free(f.sq.gather);
	state_deinit(&f.st);
	f.st = again;
	f.sq.gather = gather_new();
	for (int k = 0; k < KEYS; k++) {
		char key[16], topic[16];

		if (!m.keys[k].seq)
			continue;
		snprintf(key, sizeof(key), "key.%d", k);
		snprintf(topic, sizeof(topic), "topic.%u", m.keys[k].topic);
		assert_int_equal(
		    ONE(&f, topic, "", key, m.keys[k].data), PROTO_OK);
		assert_true(f.out.duplicate);
		assert_int_equal(f.out.seq, m.keys[k].seq);
	}
	teardown(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    expectations_are_checked_in_order_and_all_or_nothing),
		cmocka_unit_test(checks_test_topics_that_are_not_written),
		cmocka_unit_test(a_repeat_has_the_same_meta),
		cmocka_unit_test(no_application_says_a_key_in_meta),
		cmocka_unit_test(keys_come_before_expectations),
		cmocka_unit_test(time_never_decreases_and_the_original_is_kept),
		cmocka_unit_test(
		    what_the_clock_says_is_kept_where_it_is_not_the_time),
		cmocka_unit_test(a_request_has_the_latest_of_its_times),
		cmocka_unit_test(each_actor_has_keys_of_its_own),
		cmocka_unit_test(
		    each_event_goes_to_the_ring_with_its_own_version_and_topic),
		cmocka_unit_test(limits_refuse_and_leave_no_trace),
		cmocka_unit_test(system_topics_are_for_those_who_may),
		cmocka_unit_test(random_requests_do_what_the_model_says),
	};

	return cmocka_run_group_tests_name("admit", tests, NULL, NULL);
}
