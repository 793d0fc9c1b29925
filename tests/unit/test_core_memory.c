/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * core/ with each of its allocations failing: the answer is -ENOMEM and never
 * another's fault, nothing is kept by half, and the next try succeeds.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/acl.h"
#include "core/conf.h"
#include "core/event.h"
#include "core/fold.h"
#include "core/frame.h"
#include "core/fs.h"
#include "core/json.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/merge.h"
#include "core/mpvalid.h"
#include "core/reason.h"
#include "core/reload.h"
#include "core/row.h"
#include "core/rules.h"
#include "core/topic_set.h"
#include "core/zstd.h"
#include "tests/lib/nomemory.h"
#include "tests/lib/tmpdir.h"

/* {"k00": 0, "k01": 1, …}, in memory that does not count. */
static struct slice
map_of(unsigned n, uint8_t buf[1024])
{
	uint8_t *p = buf;

	*p++ = 0xde;
	*p++ = (uint8_t)(n >> 8);
	*p++ = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		*p++ = 0xa3;
		p += snprintf((char *)p, 4, "k%02u", i);
		*p++ = (uint8_t)i;
	}
	return slice_of(buf, (size_t)(p - buf));
}

static int
grant(void *arg)
{
	CLEANUP(acl_deinit) struct acl a = { 0 }, b = { 0 }, c = { 0 };
	int err = 0;

	(void)arg;
	for (unsigned i = 0; err == 0 && i < 6; i++) {
		char pattern[8];

		snprintf(pattern, sizeof(pattern), "t%u.>", 5 - i);
		err = acl_add(&a, i % 2 ? ACL_WRITE : ACL_READ,
		    slice_cstr(pattern), NULL);
	}
	if (err == 0)
		err = acl_add(&b, ACL_READ, SLICE_STR("t1.a"), NULL);
	if (err == 0)
		err = acl_join(&b, &a);
	if (err == 0)
		err = acl_copy(&b, &c);
	if (err == 0) {
		assert_true(acl_equal(&b, &c));
		assert_true(acl_may_read(&c, SLICE_STR("t1.a")));
		assert_true(acl_may_write(&c, SLICE_STR("t0.x")));
	}
	return err;
}

static void
rights_are_kept_whole(void **state)
{
	(void)state;
	nomemory_sweep(grant, NULL);
}

static int
configure(void *arg)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new(), *copy = NULL;
	const char *path = arg;
	int err = conf ? 0 : -ENOMEM;

	if (err == 0)
		err = conf_set(conf, "log.segment_bytes=8M", NULL);
	if (err == 0)
		err = conf_read(conf, path, NULL);
	if (err == 0 && !(copy = conf_copy(conf)))
		err = -ENOMEM;
	if (err == 0) {
		assert_int_equal(
		    conf_uint(copy, CONF_log_segment_bytes), 8 << 20);
		assert_string_equal(conf_file(copy), path);
	}
	return err;
}

/* One that counts by half would be worse than the old one. */
static int
read_again(void *arg)
{
	CLEANUP(conf_freep) struct conf *conf = NULL;
	struct reason why = { "" };
	int got;

	nomemory_hold();
	conf = conf_copy(arg);
	nomemory_release();
	got = reload_conf(conf, "writer", &why);
	if (got < 0)
		assert_non_null(strstr(why.text, "memory"));
	else
		assert_int_equal(got, 1);
	assert_int_equal(
	    conf_uint(conf, CONF_writer_max_topics), got < 0 ? 1 : 2);
	return MIN(got, 0);
}

static void
a_configuration_counts_as_a_whole_or_not_at_all(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	const char *path =
	    tmpdir_text(*state, "conf", "[writer]\nmax_topics = 1\n");

	nomemory_sweep(configure, (void *)path);
	assert_int_equal(conf_read(conf, path, NULL), 0);
	(void)tmpdir_text(*state, "conf", "[writer]\nmax_topics = 2\n");
	nomemory_sweep(read_again, conf);
}

static int
fill_map(void *arg)
{
	CLEANUP(map_freep) struct map *map = map_new();
	char keys[100][4];
	int err = map ? 0 : -ENOMEM;
	unsigned n = 0;

	(void)arg;
	for (; err == 0 && n < 100; n++) {
		snprintf(keys[n], sizeof(keys[n]), "%u", n);
		err = map_put(map, slice_cstr(keys[n]), keys[n]);
	}
	if (err < 0 && n > 0)
		n--;
	for (unsigned i = 0; map && i < n; i++)
		assert_ptr_equal(map_get(map, slice_cstr(keys[i])), keys[i]);
	assert_true(!map || map_count(map) == n);
	return err;
}

static void
a_map_keeps_what_was_put_into_it(void **state)
{
	(void)state;
	nomemory_sweep(fill_map, NULL);
}

static int
choose_topics(void *arg)
{
	CLEANUP(topic_set_deinit) struct topic_set set = { 0 };
	int err = topic_set_init(&set,
	    SLICE_STR("\x92\xa1"
		      "a\xa1"
		      "b"),
	    SLICE_STR("\x91\xa1"
		      "b"),
	    false);

	(void)arg;
	if (err == 0) {
		assert_false(topic_set_matches(&set, SLICE_STR("a")));
		assert_true(topic_set_matches(&set, SLICE_STR("b")));
	}
	return err;
}

static void
topics_are_chosen_all_or_none(void **state)
{
	(void)state;
	nomemory_sweep(choose_topics, NULL);
}

static const uint8_t one[] = { 0x81, 0xa3, 'k', '0', '0', 0xcc, 0x07 };

static int
merge(void *arg)
{
	int (*const *change)(struct slice, struct slice, struct mp_buf *) = arg;
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	uint8_t buf[1024];
	int err = (*change)(
	    *change == merge_patch ? map_of(40, buf) : slice_of(NULL, 0),
	    slice_of(one, sizeof(one)), &out);

	assert_true(err == 0 ? out.len > 0 : out.len == 0);
	return err;
}

/* With more pairs than a patch has room for. */
static int
merge_many(void *arg)
{
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	uint8_t buf[1024];
	struct slice patch = map_of(40, buf);
	int err = merge_patch(slice_of(one, sizeof(one)), patch, &out);

	(void)arg;
	assert_true(err == 0 ? out.len >= patch.len : out.len == 0);
	return err;
}

static int
shorten(void *arg)
{
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	int err = mp_canonical(slice_of(one, sizeof(one)), &out);

	(void)arg;
	assert_int_equal(out.len, err == 0 ? sizeof(one) - 1 : 0);
	return err;
}

static int
validate(void *arg)
{
	struct reason why = { "" };
	uint8_t buf[1024];
	struct slice map = map_of(99, buf);
	int got;

	(void)arg;
	/* Several levels of the table of keys; a shorter head is looser. */
	got = mpvalid_check(map.p, map.len, &why);
	assert_true(got < 0 || got == MPVALID_OK);
	return got;
}

static void
values_are_merged_and_judged_or_not(void **state)
{
	static int (*const changes[])(struct slice, struct slice,
	    struct mp_buf *) = { merge_patch, merge_add, merge_remove };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		nomemory_sweep(merge, (void *)&changes[i]);
	nomemory_sweep(merge_many, NULL);
	nomemory_sweep(shorten, NULL);
	nomemory_sweep(validate, NULL);
}

static int
use_rules(void *arg)
{
	CLEANUP(rules_freep) struct rules *a = NULL, *b = NULL, *c = NULL;
	CLEANUP(mp_buf_deinit) struct mp_buf packed = { 0 };
	int err = rules_parse("a*=merge  b=delete", &a, NULL);

	(void)arg;
	if (err == 0)
		err = rules_parse("", &b, NULL);
	if (err < 0)
		return err;
	rules_pack(a, &packed);
	if (packed.failed)
		return -ENOMEM;
	err = rules_unpack(slice_of(packed.p, packed.len), &c, NULL);
	if (err == 0) {
		assert_int_equal(rules_version(c), rules_version(a));
		assert_int_not_equal(rules_version(b), rules_version(a));
	}
	return err;
}

static void
rules_are_read_or_not(void **state)
{
	(void)state;
	nomemory_sweep(use_rules, NULL);
}

/* Working memory that was short once is asked for again. */
static int
fold(void *arg)
{
	struct rules *rules = arg;
	CLEANUP(fold_deinit) struct fold f = { 0 };
	struct event ev = { .seq = 1,
		.version = 1,
		.topic = SLICE_STR("t"),
		.type = SLICE_STR("m"),
		.actor = SLICE_STR("a"),
		.data = SLICE_STR("\x81\xa1k\x01") };
	struct row row;
	int got = fold_event(&f, rules, NULL, &ev, &row);

	if (got == -ENOMEM && nomemory_end())
		got = fold_event(&f, rules, NULL, &ev, &row);
	else if (got == -ENOMEM)
		return got;
	assert_int_equal(got, FOLD_DONE);
	assert_true(slice_equal(row.value, ev.data));
	return 0;
}

static void
folding_goes_on_when_memory_is_there_again(void **state)
{
	CLEANUP(rules_freep) struct rules *rules = NULL;

	(void)state;
	assert_int_equal(rules_parse("m=merge", &rules, NULL), 0);
	nomemory_at(1, true);
	assert_int_equal(fold(rules), 0);
	assert_true(nomemory_end());
}

static int
write_json(void *arg)
{
	CLEANUP(mp_buf_deinit) struct mp_buf mp = { 0 }, text = { 0 };
	struct reason why = { "" };
	int err = json_to_mp(slice_cstr(arg), &mp, &why);

	if (err == 0)
		err = json_from_mp(slice_of(mp.p, mp.len), &text);
	if (err < 0 && why.text[0])
		fail_msg("%s", why.text);
	return err;
}

static void
json_is_never_called_wrong_for_want_of_memory(void **state)
{
	static const char *const values[] = { "5", "\"x\"", "[]",
		"{\"a\":[1,-2,3.5,\"\\u00e9\\n\",null,true,"
		"{\"$bin\":\"AAEC\"}],\"bb\":{}}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		nomemory_sweep(write_json, (void *)values[i]);
}

static int
pass_frames(void *arg)
{
	CLEANUP(frame_stream_deinit) struct frame_stream from = { .fd = -1 };
	CLEANUP(frame_stream_deinit) struct frame_stream to = { .fd = -1 };
	static const uint8_t body[3000] = { 0xc0 };
	struct slice value;
	struct mp_buf *b;
	size_t mark;
	int fds[2], err, got = FRAME_NONE;

	(void)arg;
	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	frame_stream_init(&from, fds[0], 4096);
	frame_stream_init(&to, fds[1], 4096);
	b = frame_begin(&from, &mark);
	mp_buf_bytes(b, body, sizeof(body));
	err = frame_end(&from, mark);
	if (err < 0)
		return err;
	assert_int_equal(frame_flush(&from), FRAME_IO_DONE);
	while (err == FRAME_IO_DONE && got == FRAME_NONE) {
		err = frame_fill(&to);
		if (err == FRAME_IO_DONE)
			got = frame_next(&to, &value);
	}
	if (err < 0)
		return err;
	assert_int_equal(got, FRAME_ONE);
	assert_int_equal(value.len, sizeof(body));
	return 0;
}

static void
frames_pass_whole_or_not(void **state)
{
	(void)state;
	nomemory_sweep(pass_frames, NULL);
}

static int
read_file(void *arg)
{
	CLEANUP(freep) uint8_t *at_once = NULL, *piecemeal = NULL;
	struct tmpdir *dir = arg;
	size_t len, again;
	int err = fs_read(
	    &sysio_posix, dir->fd, "long", 1 << 20, &at_once, &len, NULL);

	if (err == 0)
		err = fs_read_path(
		    dir->joined[0], 1 << 20, &piecemeal, &again, NULL);
	if (err == 0) {
		assert_int_equal(len, again);
		assert_memory_equal(at_once, piecemeal, len);
	}
	return err;
}

static void
files_are_read_whole_or_not(void **state)
{
	static const uint8_t bytes[20000] = { 1, 2, 3 };

	(void)tmpdir_put(*state, "long", slice_of(bytes, sizeof(bytes)));
	nomemory_sweep(read_file, *state);
}

static int
compress(void *arg)
{
	CLEANUP(zstd_deinit) struct zstd z = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf packed = { 0 }, out = { 0 };
	uint8_t buf[1024];
	struct slice in = map_of(99, buf);
	int err = zstd_compress_block(&z, 3, in, &packed);

	(void)arg;
	if (err == 0)
		err = zstd_decompress_block(
		    &z, slice_of(packed.p, packed.len), in.len, &out);
	if (err == 0)
		assert_true(slice_equal(in, slice_of(out.p, out.len)));
	return err;
}

static void
blocks_are_never_called_damaged_for_want_of_memory(void **state)
{
	(void)state;
	nomemory_sweep(compress, NULL);
}

static int
make_loop(void *arg)
{
	CLEANUP(loop_freep) struct loop *loop = loop_new();

	(void)arg;
	return loop ? 0 : -ENOMEM;
}

static void
a_loop_is_made_or_not(void **state)
{
	(void)state;
	nomemory_sweep(make_loop, NULL);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rights_are_kept_whole),
		TEST(a_configuration_counts_as_a_whole_or_not_at_all),
		TEST(a_map_keeps_what_was_put_into_it),
		TEST(topics_are_chosen_all_or_none),
		TEST(values_are_merged_and_judged_or_not),
		TEST(rules_are_read_or_not),
		TEST(folding_goes_on_when_memory_is_there_again),
		TEST(json_is_never_called_wrong_for_want_of_memory),
		TEST(frames_pass_whole_or_not),
		TEST(files_are_read_whole_or_not),
		TEST(blocks_are_never_called_damaged_for_want_of_memory),
		TEST(a_loop_is_made_or_not),
	};

	return cmocka_run_group_tests_name("core_memory", tests, NULL, NULL);
}
