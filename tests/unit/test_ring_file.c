/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The ring as a file: how it is made and replaced, and that a file which is
 * no ring is refused with a sentence that says why.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "shm/ring_map.h"
#include "shm/stats.h"
#include "tests/lib/ringfix.h"

static const char *
ring_path(const struct ringfix *fx)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/ring", fx->dir);
	return path;
}

/* Opening is refused as err, and the sentence has this text in it. */
static void
assert_refused(const struct ringfix *fx, int err, const char *text)
{
	struct ring_reader *rd = NULL;
	struct reason why = { "" };

	assert_int_equal(ring_reader_open(ring_path(fx), &rd, &why), err);
	assert_null(rd);
	if (!strstr(why.text, text) || !strstr(why.text, "/ring'"))
		fail_msg("'%s' lacks '%s'", why.text, text);
}

static void
overwrite(const struct ringfix *fx, uint64_t at, const void *p, size_t len)
{
	int fd = openat(fx->dirfd, "ring", O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, p, len, (off_t)at), len);
	(void)close(fd);
}

/* Change the header, its CRC made right. */
static void
overwrite_header(const struct ringfix *fx, const struct ring_header *head)
{
	struct ring_header whole = *head;

	whole.crc = ring_map_crc(&whole);
	overwrite(fx, 0, &whole, sizeof(whole));
}

static struct ring_header
read_header(const struct ringfix *fx)
{
	struct ring_header head;
	int fd = openat(fx->dirfd, "ring", O_RDONLY);

	assert_int_equal(ring_map_header(fd, "it", &head, NULL), 0);
	(void)close(fd);
	return head;
}

static void
a_file_that_is_no_ring_is_refused(void **state)
{
	struct ringfix *fx = *state;
	uint8_t zeros[8192] = { 0 };

	overwrite(fx, 0, zeros, sizeof(zeros));
	assert_refused(fx, -EPROTO, "is no ring: it begins with 0000");
	overwrite(fx, 0, "gnilaep, not", 12);
	assert_refused(fx, -EPROTO, "is no ring: it begins with");
	assert_int_equal(unlinkat(fx->dirfd, "ring", 0), 0);
	assert_refused(fx, -ENOENT, "No such file");
	assert_int_equal(mkfifoat(fx->dirfd, "ring", 0600), 0);
	assert_refused(fx, -EPROTO, "is no file");
	assert_int_equal(unlinkat(fx->dirfd, "ring", 0), 0);
	assert_int_equal(mkdirat(fx->dirfd, "ring", 0700), 0);
	assert_refused(fx, -EPROTO, "is no file");
	assert_int_equal(unlinkat(fx->dirfd, "ring", AT_REMOVEDIR), 0);
}

static void
a_ring_of_another_version_is_refused(void **state)
{
	struct ringfix *fx = *state;
	struct ring_header head = read_header(fx);

	head.version = 2;
	overwrite_header(fx, &head);
	assert_refused(fx, -EPROTO, "is a ring of version 2, not 1");
}

static void
a_header_with_any_bit_flipped_is_refused(void **state)
{
	struct ringfix *fx = *state;
	struct ring_header head = read_header(fx);
	uint8_t *byte = (uint8_t *)&head;

	for (unsigned bit = 0; bit < sizeof(head) * 8; bit++) {
		byte[bit / 8] ^= (uint8_t)(1 << bit % 8);
		overwrite(fx, 0, &head, sizeof(head));
		assert_refused(fx, -EPROTO, "");
		byte[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	overwrite(fx, 0, &head, sizeof(head));
	ring_reader_free(fx->reader);
	assert_int_equal(ring_reader_open(ring_path(fx), &fx->reader, NULL), 0);
}

static void
sizes_that_no_ring_has_are_refused(void **state)
{
	struct ringfix *fx = *state;
	const struct ring_header head = read_header(fx);
	struct ring_header bad = head;

	bad.slots = 4;
	overwrite_header(fx, &bad);
	assert_refused(fx, -EPROTO, "4 slots");
	bad.slots = 9;
	overwrite_header(fx, &bad);
	assert_refused(fx, -EPROTO, "9 slots");
	bad = head;
	bad.payload_bytes = 12288;
	overwrite_header(fx, &bad);
	assert_refused(fx, -EPROTO, "a payload of 12288 bytes");
	bad = head;
	bad.slots = 128;
	overwrite_header(fx, &bad);
	assert_refused(fx, -EPROTO, "its parts overlap");
	bad = head;
	bad.readers_at = UINT64_MAX - 4095;
	overwrite_header(fx, &bad);
	assert_refused(fx, -EPROTO, "its parts overlap");
	bad = head;
	bad.records_at += 4;
	overwrite_header(fx, &bad);
	assert_refused(fx, -EPROTO, "its parts overlap");
	bad = head;
	bad.header_bytes -= 8;
	overwrite_header(fx, &bad);
	assert_refused(fx, -EPROTO, "a damaged header");
	bad = head;
	bad.slots = UINT32_C(1) << 31;
	overwrite_header(fx, &bad);
	assert_refused(fx, -EPROTO, "2147483648 slots");
	bad = head;
	bad.payload_bytes *= 2;
	bad.file_bytes += head.payload_bytes;
	overwrite_header(fx, &bad);
	assert_refused(fx, -EPROTO, "is cut off");
}

static void
a_file_that_is_cut_off_is_refused(void **state)
{
	struct ringfix *fx = *state;
	struct ring_header head = read_header(fx);
	int fd = openat(fx->dirfd, "ring", O_WRONLY);

	assert_int_equal(ftruncate(fd, (off_t)head.file_bytes - 1), 0);
	assert_refused(fx, -EPROTO, "is cut off");
	assert_int_equal(ftruncate(fd, 256), 0);
	assert_refused(fx, -EPROTO, "is cut off");
	assert_int_equal(ftruncate(fd, 255), 0);
	assert_refused(fx, -EPROTO, "255 bytes are less than a header");
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_refused(fx, -EPROTO, "0 bytes are less than a header");
	(void)close(fd);
}

/* Put v into word i of the record at ordinal ord. */
static void
overwrite_record(const struct ringfix *fx, uint64_t ord, unsigned i, uint64_t v)
{
	struct ring_header head = read_header(fx);

	overwrite(fx, head.records_at + ord % head.slots * 64 + i * 8, &v, 8);
}

static void
a_ring_that_contradicts_itself_is_found_out(void **state)
{
	/* Ordinal, seq, position; length 0 and beyond; an unknown flag. */
	const struct {
		unsigned word;
		uint64_t v;
	} bad[] = { { 0, 3 }, { 1, 1 }, { 2, 1 }, { 6, 0 }, { 6, UINT32_MAX },
		{ 7, 4 } };

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct ringfix *fx = *state;
		struct ring_event ev;

		ringfix_close(fx);
		ringfix_dir(fx);
		ringfix_open(fx);
		ringfix_publish(fx, 3);
		overwrite_record(fx, 2, bad[i].word, bad[i].v);
		assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
		ring_reader_free(fx->reader);
		assert_int_equal(
		    ring_reader_open(ring_path(fx), &fx->reader, NULL), 0);
		(void)ring_reader_seek_oldest(fx->reader);
		for (unsigned n = 0; n < 4; n++)
			if (ringfix_next(fx, &ev) != RING_EVENT)
				break;
		assert_int_equal(ringfix_next(fx, &ev), -EPROTO);
		assert_int_equal(ringfix_next(fx, &ev), -EPROTO);
		assert_int_equal(ring_reader_seek(fx->reader, 0), -EPROTO);
	}
}

/* Nothing stands behind the last record that would contradict its length. */
static void
a_length_that_passes_the_tail_is_not_believed(void **state)
{
	struct ringfix *fx = *state;
	uint8_t buf[RINGFIX_EVENT];
	struct ring_event ev = ringfix_event(1, false, buf);

	ringfix_publish(fx, 1);
	overwrite_record(fx, 1, 6, ring_pair(ev.len + 1, ev.crc));
	assert_int_equal(ringfix_next(fx, &ev), -EPROTO);
	ring_reader_free(fx->reader);
	assert_int_equal(ring_reader_open(ring_path(fx), &fx->reader, NULL), 0);
	overwrite_record(fx, 1, 6, ring_pair(0, ev.crc));
	assert_int_equal(ringfix_next(fx, &ev), -EPROTO);
}

/* However much room the reader has, and wherever the tail is said to be. */
static void
a_length_that_leaves_the_payload_is_not_believed(void **state)
{
	const uint64_t tail_pos = 3 * 4096;
	static uint8_t buf[1 << 16];
	struct ringfix *fx = *state;
	struct ring_event ev;
	uint32_t n = 0;
	size_t need;

	ringfix_publish(fx, 1);
	overwrite_record(fx, 1, 6, ring_pair((uint32_t)tail_pos, 0));
	overwrite(fx, RING_HOT_AT + offsetof(struct ring_hot, tail_pos),
	    &tail_pos, sizeof(tail_pos));
	assert_int_equal(
	    ring_reader_read(fx->reader, &ev, 1, buf, sizeof(buf), &n, &need),
	    -EPROTO);
	assert_int_equal(n, 0);
}

static void
more_events_than_there_are_slots_are_not_believed(void **state)
{
	struct ringfix *fx = *state;
	const uint64_t tail = 9;
	struct ring_event ev;

	ringfix_publish(fx, 8);
	overwrite(fx, RING_HOT_AT + offsetof(struct ring_hot, tail_ord), &tail,
	    sizeof(tail));
	assert_int_equal(ringfix_next(fx, &ev), -EPROTO);
}

static void
a_record_that_is_of_another_place_ends_a_search(void **state)
{
	struct ringfix *fx = *state;

	ringfix_publish(fx, 3);
	overwrite_record(fx, 2, 0, 10);
	assert_int_equal(ring_reader_seek(fx->reader, 2), -EPROTO);
}

static void
a_lap_beyond_the_tail_is_not_believed(void **state)
{
	struct ringfix *fx = *state;
	struct ring_event ev;
	uint64_t valid = 5;

	ringfix_publish(fx, 3);
	overwrite(fx, RING_HOT_AT, &valid, sizeof(valid));
	assert_int_equal(ringfix_next(fx, &ev), -EPROTO);
	assert_refused(fx, -EPROTO, "its oldest record is not where");
	valid = 0;
	overwrite(fx, RING_HOT_AT, &valid, sizeof(valid));
	assert_refused(fx, -EPROTO, "its oldest record is not where");
	ring_reader_free(fx->reader);
	valid = 4;
	overwrite(fx, RING_HOT_AT, &valid, sizeof(valid));
	assert_int_equal(ring_reader_open(ring_path(fx), &fx->reader, NULL), 0);
	assert_int_equal(ringfix_next(fx, &ev), RING_EMPTY);
}

/* Options that differ from good ones in one number. */
static void
sizes_that_no_ring_can_have_are_not_made(void **state)
{
	struct ringfix *fx = *state;
	struct ring_options opt = fx->opt;
	struct ring_writer *rw = NULL;
	struct reason why;

	for (uint32_t slots = 0; slots < 8; slots++) {
		opt.slots = slots;
		assert_int_equal(
		    ring_writer_create(fx->dirfd, &opt, &rw, &why), -EINVAL);
		assert_non_null(strstr(why.text, "slots"));
	}
	opt.slots = 8;
	opt.payload_bytes = 2048;
	assert_int_equal(
	    ring_writer_create(fx->dirfd, &opt, &rw, &why), -EINVAL);
	opt.payload_bytes = 4097;
	assert_int_equal(
	    ring_writer_create(fx->dirfd, &opt, &rw, &why), -EINVAL);
	assert_non_null(strstr(why.text, "4097"));
	assert_null(rw);
}

static void
without_room_for_the_ring_none_is_made(void **state)
{
	struct ringfix *fx = *state;
	struct ring_options opt = fx->opt;
	struct rlimit small = { 1 << 20, 1 << 20 }, old;
	struct ring_writer *rw = NULL;
	struct reason why = { "" };

	opt.payload_bytes = 1 << 21;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(
	    ring_writer_create(fx->dirfd, &opt, &rw, &why), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_null(rw);
	assert_non_null(strstr(why.text, "bytes for the ring"));
	assert_int_equal(faccessat(fx->dirfd, "ring.new", F_OK, 0), -1);
}

static void
a_ring_is_none_before_it_is_installed(void **state)
{
	struct ringfix *fx = *state;
	struct ring_writer *rw;
	struct ring_reader *rd = NULL;
	struct reason why;
	char path[128];

	assert_int_equal(ring_writer_create(fx->dirfd, &fx->opt, &rw, NULL), 0);
	snprintf(path, sizeof(path), "%s/ring.new", fx->dir);
	assert_int_equal(ring_reader_open(path, &rd, &why), -EPROTO);
	rw = ring_writer_free(rw);
	assert_int_equal(faccessat(fx->dirfd, "ring.new", F_OK, 0), -1);
}

static void
the_next_ring_closes_the_one_before(void **state)
{
	struct ringfix *fx = *state;
	struct ring_reader *old = fx->reader;
	struct ring_writer *next;
	struct ring_status status;
	struct ring_event ev;

	ringfix_publish(fx, 3);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	ring_reader_status(old, &status);
	assert_int_equal(status.state, RING_RUNNING);
	/* As after a crash: nobody has said that the old one ended. */
	fx->writer = ring_writer_free(fx->writer);
	fx->opt.incarnation++;
	fx->opt.head_seq = 1;
	assert_int_equal(
	    ring_writer_create(fx->dirfd, &fx->opt, &next, NULL), 0);
	fx->writer = next;
	fx->seq = 1;
	ringfix_publish(fx, 2);
	ring_reader_status(old, &status);
	assert_int_equal(status.state, RING_RUNNING);
	assert_int_equal(ring_writer_install(next, NULL), 0);
	ring_reader_status(old, &status);
	assert_int_equal(status.state, RING_CLOSED);
	/* Drain the old mapping, then go on by seq in the new one. */
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 2);
	assert_int_equal(ring_reader_open(ring_path(fx), &fx->reader, NULL), 0);
	assert_int_equal(ring_reader_info(fx->reader)->incarnation, 7);
	ring_reader_status(fx->reader, &status);
	assert_int_equal(status.state, RING_RUNNING);
	assert_int_equal(ring_reader_seek(fx->reader, ev.seq), RING_EVENT);
	assert_int_equal(ringfix_next(fx, &ev), RING_EVENT);
	assert_int_equal(ev.seq, 3);
	/* It was there before anybody could read it: it is not late. */
	assert_int_equal(ev.stamp, 0);
	old = ring_reader_free(old);
}

static void
a_link_in_the_place_of_the_old_ring_ends_no_other(void **state)
{
	struct ringfix *fx = *state;
	struct ring_status status;
	struct ring_writer *next;
	struct stat st;

	assert_int_equal(
	    renameat(fx->dirfd, "ring", fx->dirfd, "another's"), 0);
	assert_int_equal(symlinkat("another's", fx->dirfd, "ring"), 0);
	assert_int_equal(
	    ring_writer_create(fx->dirfd, &fx->opt, &next, NULL), 0);
	assert_int_equal(ring_writer_install(next, NULL), 0);
	ring_reader_status(fx->reader, &status);
	assert_int_equal(status.state, RING_RUNNING);
	assert_int_equal(
	    fstatat(fx->dirfd, "ring", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	next = ring_writer_free(next);
}

static void
rubbish_in_the_place_of_the_old_ring_is_replaced(void **state)
{
	struct ringfix *fx = *state;
	struct ring_status status;

	overwrite(fx, 0, "rubbish", 7);
	fx->writer = ring_writer_free(fx->writer);
	assert_int_equal(
	    ring_writer_create(fx->dirfd, &fx->opt, &fx->writer, NULL), 0);
	assert_int_equal(ring_writer_install(fx->writer, NULL), 0);
	ring_reader_free(fx->reader);
	assert_int_equal(ring_reader_open(ring_path(fx), &fx->reader, NULL), 0);
	ring_reader_status(fx->reader, &status);
	assert_int_equal(status.state, RING_RUNNING);
}

static void
only_owner_and_group_may_read_and_nobody_may_write(void **state)
{
	struct ringfix *fx = *state;
	mode_t mask = umask(0077);
	struct stat st;
	void *map;
	int fd;

	ringfix_close(fx);
	ringfix_dir(fx);
	fx->opt.group = getgid();
	ringfix_open(fx);
	(void)umask(mask);
	assert_int_equal(fstatat(fx->dirfd, "ring", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_gid, getgid());
	assert_true(st.st_blocks * 512 >= st.st_size);
	fd = ring_writer_reader_fd(fx->writer);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_equal(map, MAP_FAILED);
}

static void
what_the_writer_says_of_itself_can_be_read(void **state)
{
	struct ringfix *fx = *state;
	struct ring_status status;
	struct stats_view view;
	struct stats_item item;

	ring_writer_set_oldest(fx->writer, 42);
	ring_writer_set_state(fx->writer, RING_DRAINING);
	ringfix_publish(fx, 2);
	ring_writer_heartbeat(fx->writer);
	ring_reader_status(fx->reader, &status);
	assert_int_equal(status.oldest_seq, 42);
	assert_int_equal(status.state, RING_DRAINING);
	assert_int_equal(status.tail_seq, 2);
	assert_int_equal(ring_writer_tail_seq(fx->writer), 2);
	assert_true(status.heartbeat_ns >= status.publish_ns);
	assert_true(status.publish_ns > 0);
	stats_add(
	    ring_writer_stats(fx->writer), STATS_WRITER_flush_bytes, 4096);
	assert_int_equal(ring_reader_stats(fx->reader, &view, NULL), 0);
	assert_string_equal(view.process, "writer");
	assert_int_equal(view.pid, getpid());
	assert_int_equal(
	    stats_view_item(&view, STATS_WRITER_flush_bytes, &item), 0);
	assert_string_equal(item.name, "flush_bytes");
	assert_string_equal(item.unit, "bytes");
	assert_int_equal(item.value, 4096);
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, ringfix_setup, ringfix_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_is_no_ring_is_refused),
		TEST(a_ring_of_another_version_is_refused),
		TEST(a_header_with_any_bit_flipped_is_refused),
		TEST(sizes_that_no_ring_has_are_refused),
		TEST(a_file_that_is_cut_off_is_refused),
		TEST(a_ring_that_contradicts_itself_is_found_out),
		TEST(a_length_that_passes_the_tail_is_not_believed),
		TEST(a_length_that_leaves_the_payload_is_not_believed),
		TEST(more_events_than_there_are_slots_are_not_believed),
		TEST(a_record_that_is_of_another_place_ends_a_search),
		TEST(a_lap_beyond_the_tail_is_not_believed),
		TEST(sizes_that_no_ring_can_have_are_not_made),
		TEST(without_room_for_the_ring_none_is_made),
		TEST(a_ring_is_none_before_it_is_installed),
		TEST(the_next_ring_closes_the_one_before),
		TEST(a_link_in_the_place_of_the_old_ring_ends_no_other),
		TEST(rubbish_in_the_place_of_the_old_ring_is_replaced),
		TEST(only_owner_and_group_may_read_and_nobody_may_write),
		TEST(what_the_writer_says_of_itself_can_be_read),
	};

	return cmocka_run_group_tests_name("ring_file", tests, NULL, NULL);
}
