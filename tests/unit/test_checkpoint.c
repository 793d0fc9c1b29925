/* SPDX-License-Identifier: BSD-2-Clause */

/* Checkpoints: what is loaded is what was saved, or nothing at all. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "core/event.h"
#include "core/fs.h"
#include "core/reason.h"
#include "log/format.h"
#include "log/log_reader.h"
#include "writer/checkpoint.h"
#include "writer/state.h"

static char dir[] = "/tmp/peal-test-XXXXXX";
static const struct checkpoint_of of = { "0123456789abcdef", 3 };

static int
open_dir(void)
{
	return open(dir, O_RDONLY | O_DIRECTORY);
}

static void
fill(struct state *st)
{
	struct keys_request req = { .first_seq = 9, .time_us = 77, .n = 2 };
	struct version_undo undo;
	struct key_id ids[2];
	uint64_t versions[2] = { 4, 5 };
	char buf[300];

	for (unsigned i = 0; i < 3000; i++) {
		struct slice topic = slice_of(
		    buf, (size_t)snprintf(buf, sizeof(buf), "t.%u", i));

		for (unsigned k = 0; k <= i % 4; k++)
			versions_bump(st->versions,
			    hash_bytes(&st->topic_key, topic.p, topic.len),
			    topic, ++st->head_seq, &undo);
	}
	ids[0] = keys_id(st->keys, SLICE_STR("me"), SLICE_STR("k0"));
	ids[1] = keys_id(st->keys, SLICE_STR("me"), SLICE_STR("k1"));
	memcpy(req.fingerprint, "ffffffffffffffff", 16);
	assert_int_equal(keys_add(st->keys, &req, ids, versions), 0);
	st->last_time_us = 123456;
}

static void
save(struct state *st)
{
	int fd = open_dir();

	assert_int_equal(checkpoint_write(&sysio_posix, fd, &of, st), 0);
	assert_int_equal(checkpoint_install(&sysio_posix, fd), 0);
	close(fd);
}

static int
load(struct state *st, uint64_t last_seq)
{
	int fd = open_dir(), got;

	assert_int_equal(state_init(st, &sysio_posix, 100), 0);
	got = checkpoint_load(&sysio_posix, fd, &of, last_seq, st, NULL);
	close(fd);
	return got;
}

static void
what_was_saved_is_loaded(void **state)
{
	struct keys_request req;
	struct key_id ids[2];
	uint64_t versions[2];
	struct state a, b;
	struct slice topic;
	uint32_t which;

	assert_int_equal(state_init(&a, &sysio_posix, 100), 0);
	fill(&a);
	save(&a);
	assert_int_equal(load(&b, a.head_seq), CHECKPOINT_LOADED);
	assert_int_equal(b.head_seq, a.head_seq);
	assert_int_equal(b.last_time_us, 123456);
	assert_int_equal(versions_count(b.versions), 3000);
	for (unsigned i = 0; i < 3000; i++) {
		struct version v = versions_at(a.versions, i, &topic), w;

		w = versions_get(b.versions,
		    hash_bytes(&b.topic_key, topic.p, topic.len), topic);
		assert_memory_equal(&v, &w, sizeof(v));
	}
	ids[0] = keys_id(b.keys, SLICE_STR("me"), SLICE_STR("k0"));
	ids[1] = keys_id(b.keys, SLICE_STR("me"), SLICE_STR("k1"));
	assert_int_equal(
	    keys_look_up(b.keys, ids, 2, (const uint8_t *)"ffffffffffffffff",
		&req, versions, &which),
	    KEYS_REPEAT);
	assert_int_equal(req.first_seq, 9);
	assert_int_equal(versions[1], 5);
	state_deinit(&a);
	state_deinit(&b);
}

static void
one_of_another_epoch_is_not_used(void **state)
{
	struct checkpoint_of after = of;
	struct state a, b;
	int fd = open_dir();

	assert_int_equal(state_init(&a, &sysio_posix, 100), 0);
	assert_int_equal(state_init(&b, &sysio_posix, 100), 0);
	fill(&a);
	save(&a);
	after.epoch++;
	assert_int_equal(
	    checkpoint_load(&sysio_posix, fd, &after, a.head_seq, &b, NULL),
	    CHECKPOINT_NONE);
	close(fd);
	state_deinit(&a);
	state_deinit(&b);
}

static void
that_keys_were_forgotten_is_not_forgotten(void **state)
{
	struct keys_request req = { .first_seq = 11, .time_us = 99, .n = 1 };
	uint64_t version = 1;
	struct state a, b;
	struct key_id id;

	assert_int_equal(state_init(&a, &sysio_posix, 2), 0);
	fill(&a);
	assert_int_equal(keys_reach_us(a.keys), 0);
	id = keys_id(a.keys, SLICE_STR("me"), SLICE_STR("k2"));
	assert_int_equal(keys_add(a.keys, &req, &id, &version), 0);
	assert_int_equal(keys_reach_us(a.keys), 99);
	save(&a);
	assert_int_equal(load(&b, a.head_seq), CHECKPOINT_LOADED);
	assert_int_equal(keys_reach_us(b.keys), 99);
	state_deinit(&a);
	state_deinit(&b);
}

/* Replay an event of this seq and version on topic t. */
static int
replay(struct state *st, uint64_t seq, uint64_t version)
{
	static const uint8_t nil[] = { 0xc0 };
	struct event ev = { .seq = seq,
		.version = version,
		.topic = SLICE_STR("t"),
		.type = SLICE_STR("set"),
		.data = slice_of(nil, sizeof(nil)) };
	uint8_t buf[256];
	struct log_frame frame = { .first_seq = seq, .n_events = 1 };
	struct reason why;

	put_le32(buf, (uint32_t)event_size(&ev));
	put_le32(buf + 4, 0);
	(void)event_encode(&ev, buf + LOG_EVENT_HEADER);
	frame.payload = slice_of(buf, LOG_EVENT_HEADER + event_size(&ev));
	return state_replay(st, &frame, &why);
}

static void
a_log_that_contradicts_its_events_is_not_replayed(void **state)
{
	struct state st;

	assert_int_equal(state_init(&st, &sysio_posix, 100), 0);
	assert_int_equal(replay(&st, 1, 1), 0);
	assert_int_equal(replay(&st, 3, 2), -EPROTO);
	assert_int_equal(replay(&st, 1, 2), -EPROTO);
	assert_int_equal(replay(&st, 2, 2), 0);
	assert_int_equal(replay(&st, 3, 5), -EPROTO);
	state_deinit(&st);
}

/* Between the events that a repair gave up and the one that says so. */
static void
that_versions_were_lost_is_not_forgotten(void **state)
{
	struct slice lost = SLICE_STR("$log.9.lost");
	struct version_undo undo;
	struct state a, b;

	assert_int_equal(state_init(&a, &sysio_posix, 100), 0);
	assert_int_equal(versions_bump(a.versions,
			     hash_bytes(&a.topic_key, lost.p, lost.len), lost,
			     ++a.head_seq, &undo),
	    1);
	save(&a);
	assert_int_equal(load(&b, a.head_seq), CHECKPOINT_LOADED);
	assert_int_equal(replay(&b, 2, 5), 0);
	assert_int_equal(replay(&b, 3, 4), -EPROTO);
	state_deinit(&a);
	state_deinit(&b);
}

static void
one_that_is_ahead_of_the_log_is_not_used(void **state)
{
	struct state a, b;

	assert_int_equal(state_init(&a, &sysio_posix, 100), 0);
	fill(&a);
	save(&a);
	assert_int_equal(load(&b, a.head_seq - 1), CHECKPOINT_NONE);
	state_deinit(&a);
	state_deinit(&b);
}

static void
no_flipped_bit_and_no_cut_goes_unnoticed(void **state)
{
	CLEANUP(freep) uint8_t *bytes = NULL;
	struct state a, b;
	size_t len;
	int fd = open_dir();

	assert_int_equal(state_init(&a, &sysio_posix, 100), 0);
	fill(&a);
	save(&a);
	assert_int_equal(fs_read(&sysio_posix, fd, CHECKPOINT_NAME, 1 << 20,
			     &bytes, &len, NULL),
	    0);
	for (size_t at = 0; at < len; at += at < 200 ? 1 : 211) {
		bytes[at] ^= 1 << (at % 8);
		assert_int_equal(fs_replace(&sysio_posix, fd, CHECKPOINT_NAME,
				     bytes, len, 0600, NULL),
		    0);
		assert_int_equal(load(&b, a.head_seq), CHECKPOINT_NONE);
		state_deinit(&b);
		bytes[at] ^= 1 << (at % 8);
		assert_int_equal(fs_replace(&sysio_posix, fd, CHECKPOINT_NAME,
				     bytes, at, 0600, NULL),
		    0);
		assert_int_equal(load(&b, a.head_seq), CHECKPOINT_NONE);
		state_deinit(&b);
	}
	state_deinit(&a);
	close(fd);
}

static int
make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int
remove_dir(void **state)
{
	int fd = open_dir();

	(void)unlinkat(fd, CHECKPOINT_NAME, 0);
	close(fd);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_saved_is_loaded),
		cmocka_unit_test(one_that_is_ahead_of_the_log_is_not_used),
		cmocka_unit_test(one_of_another_epoch_is_not_used),
		cmocka_unit_test(that_keys_were_forgotten_is_not_forgotten),
		cmocka_unit_test(that_versions_were_lost_is_not_forgotten),
		cmocka_unit_test(
		    a_log_that_contradicts_its_events_is_not_replayed),
		cmocka_unit_test(no_flipped_bit_and_no_cut_goes_unnoticed),
	};

	return cmocka_run_group_tests_name(
	    "checkpoint", tests, make_dir, remove_dir);
}
