/* SPDX-License-Identifier: BSD-2-Clause */

/* Socket frames, and the sockets that they travel on. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/reason.h"
#include "core/time.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/tmpdir.h"

enum {
	FRAME_MAX = 400000
};

static void
pair(struct frame_stream *a, struct frame_stream *b, int flags)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds), 0);
	frame_stream_init(a, fds[0], FRAME_MAX);
	frame_stream_init(b, fds[1], FRAME_MAX);
}

static void
add_frame(struct frame_stream *fs, const void *p, size_t len)
{
	size_t mark;
	struct mp_buf *b = frame_begin(fs, &mark);

	mp_buf_bytes(b, p, len);
	assert_int_equal(frame_end(fs, mark), 0);
}

/* Frame i of a run: its length, and bytes that depend on it. */
static size_t
pattern(unsigned i, uint32_t seed, uint8_t *buf)
{
	uint32_t x = (i + 1) * 2654435761U ^ seed;
	size_t len = i % 1000 == 999 ? 300000 + x % 100001 : 1 + x % 700;

	for (size_t j = 0; j < len; j++)
		buf[j] = (uint8_t)(x + j * 31);
	return len;
}

static void
frames_come_out_as_they_went_in(void **state)
{
	enum {
		FRAMES = 5000
	};
	static uint8_t expected[FRAME_MAX];
	uint32_t seed = (uint32_t)time_mono_ns();
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;
	unsigned sent = 0, got = 0;
	struct frame_stream a, b;

	print_message("# seed %u\n", seed);
	pair(&a, &b, SOCK_NONBLOCK);
	while (got < FRAMES) {
		struct slice value;

		assert_true(time_mono_ns() < deadline);
		while (sent < FRAMES && frame_unsent(&a) < 1 << 20) {
			size_t len = pattern(sent++, seed, expected);

			add_frame(&a, expected, len);
		}
		assert_in_range(frame_flush(&a), FRAME_IO_DONE, FRAME_IO_AGAIN);
		assert_in_range(frame_fill(&b), FRAME_IO_DONE, FRAME_IO_AGAIN);
		while (frame_next(&b, &value) == FRAME_ONE) {
			size_t len = pattern(got++, seed, expected);

			assert_int_equal(value.len, len);
			assert_memory_equal(value.p, expected, len);
		}
	}
	assert_int_equal(got, sent);
	assert_int_equal(frame_unsent(&a), 0);
	frame_stream_deinit(&a);
	frame_stream_deinit(&b);
}

static void
a_stream_cut_at_every_byte_gives_the_same_frames(void **state)
{
	static const uint8_t wire[] = "\1\0\0\0a\3\0\0\0bcd\2\0\0\0ef";

	for (size_t cut = 0; cut < sizeof(wire); cut++) {
		struct frame_stream a, b;
		char text[16] = "";
		struct slice v;
		size_t at = 0;

		pair(&a, &b, SOCK_NONBLOCK);
		while (at < sizeof(wire) - 1) {
			size_t end = at < cut ? cut : sizeof(wire) - 1;

			assert_int_equal(
			    send(a.fd, wire + at, end - at, 0), end - at);
			assert_int_equal(frame_fill(&b), FRAME_IO_DONE);
			while (frame_next(&b, &v) == FRAME_ONE)
				snprintf(text + strlen(text),
				    sizeof(text) - strlen(text), "%.*s,",
				    (int)v.len, (const char *)v.p);
			at = end;
		}
		assert_string_equal(text, "a,bcd,ef,");
		assert_int_equal(frame_fill(&b), FRAME_IO_AGAIN);
		frame_stream_deinit(&a);
		frame_stream_deinit(&b);
	}
}

static int
next_of_length(uint32_t length)
{
	struct frame_stream a, b;
	struct slice v;
	uint8_t head[5];
	int outcome;

	pair(&a, &b, SOCK_NONBLOCK);
	put_le32(head, length);
	assert_int_equal(send(a.fd, head, sizeof(head), 0), sizeof(head));
	assert_int_equal(frame_fill(&b), FRAME_IO_DONE);
	outcome = frame_next(&b, &v);
	/* It does not get better by asking again. */
	if (outcome != FRAME_ONE)
		assert_int_equal(frame_next(&b, &v), outcome);
	frame_stream_deinit(&a);
	frame_stream_deinit(&b);
	return outcome;
}

static void
a_length_of_zero_or_beyond_the_limit_is_refused(void **state)
{
	assert_int_equal(next_of_length(0), FRAME_TOO_LONG);
	assert_int_equal(next_of_length(1), FRAME_ONE);
	assert_int_equal(next_of_length(FRAME_MAX - 1), FRAME_NONE);
	assert_int_equal(next_of_length(FRAME_MAX), FRAME_NONE);
	assert_int_equal(next_of_length(FRAME_MAX + 1), FRAME_TOO_LONG);
	assert_int_equal(next_of_length(UINT32_MAX), FRAME_TOO_LONG);
}

static void
the_receiver_keeps_no_more_than_a_frame_and_a_chunk(void **state)
{
	static uint8_t junk[100];
	uint64_t deadline = time_mono_ns() + 300 * NS_PER_S;
	struct frame_stream a, b;
	size_t len = 0, quiet = 0;

	pair(&a, &b, SOCK_NONBLOCK);
	while (quiet < 100) {
		assert_true(time_mono_ns() < deadline);
		for (unsigned i = 0; frame_unsent(&a) < 1 << 20; i++)
			add_frame(&a, junk, sizeof(junk));
		assert_in_range(frame_flush(&a), FRAME_IO_DONE, FRAME_IO_AGAIN);
		assert_int_equal(frame_fill(&b), FRAME_IO_DONE);
		quiet = b.in.len == len ? quiet + 1 : 0;
		len = b.in.len;
	}
	assert_true(len > FRAME_MAX);
	assert_true(b.in.cap < 4 * FRAME_MAX);
	frame_stream_deinit(&a);
	frame_stream_deinit(&b);
}

static void
a_length_that_is_refused_gets_no_room(void **state)
{
	struct frame_stream a, b;
	struct slice v;

	pair(&a, &b, SOCK_NONBLOCK);
	assert_int_equal(send(a.fd, "\377\377\377\377", 4, 0), 4);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(frame_fill(&b), FRAME_IO_DONE);
		assert_int_equal(frame_next(&b, &v), FRAME_TOO_LONG);
		assert_int_equal(send(a.fd, "more", 4, 0), 4);
	}
	assert_true(b.in.cap < 4 * FRAME_MAX);
	frame_stream_deinit(&a);
	frame_stream_deinit(&b);
}

/* One slow moment of a peer must not cost its memory for ever. */
static void
what_was_sent_takes_no_room_any_more(void **state)
{
	static uint8_t junk[FRAME_MAX];
	struct frame_stream a, b;
	struct slice v;

	pair(&a, &b, SOCK_NONBLOCK);
	for (unsigned i = 0; i < 16; i++)
		add_frame(&a, junk, sizeof(junk));
	assert_true(a.out.cap > 5 << 20);
	while (frame_unsent(&a)) {
		assert_in_range(frame_flush(&a), FRAME_IO_DONE, FRAME_IO_AGAIN);
		assert_in_range(frame_fill(&b), FRAME_IO_DONE, FRAME_IO_AGAIN);
		while (frame_next(&b, &v) == FRAME_ONE)
			assert_int_equal(v.len, sizeof(junk));
	}
	assert_true(a.out.cap <= 4 << 20);
	frame_stream_deinit(&a);
	frame_stream_deinit(&b);
}

static void
a_closed_peer_is_an_outcome_and_no_signal(void **state)
{
	struct frame_stream a, b;
	struct slice v;

	pair(&a, &b, SOCK_NONBLOCK);
	add_frame(&a, "x", 1);
	assert_int_equal(frame_flush(&a), FRAME_IO_DONE);
	frame_stream_deinit(&a);
	assert_int_equal(frame_fill(&b), FRAME_IO_DONE);
	assert_int_equal(frame_next(&b, &v), FRAME_ONE);
	assert_int_equal(frame_fill(&b), FRAME_IO_CLOSED);
	add_frame(&b, "y", 1);
	assert_int_equal(frame_flush(&b), FRAME_IO_CLOSED);
	/* Nothing is left to wait for. */
	assert_int_equal(frame_unsent(&b), 0);
	assert_int_equal(frame_flush(&b), FRAME_IO_DONE);
	frame_stream_deinit(&b);
}

static void
a_peer_that_leaves_with_unread_frames_is_closed_too(void **state)
{
	struct frame_stream a, b;

	pair(&a, &b, SOCK_NONBLOCK);
	add_frame(&b, "unread", 6);
	assert_int_equal(frame_flush(&b), FRAME_IO_DONE);
	frame_stream_deinit(&a);
	assert_int_equal(frame_fill(&b), FRAME_IO_CLOSED);
	frame_stream_deinit(&b);
}

static void
a_frame_that_fails_leaves_those_before_it(void **state)
{
	struct frame_stream a, b;
	struct slice v;
	size_t mark;

	pair(&a, &b, SOCK_NONBLOCK);
	add_frame(&a, "kept", 4);
	(void)frame_begin(&a, &mark);
	assert_int_equal(frame_end(&a, mark), -EINVAL);
	mp_buf_bytes(frame_begin(&a, &mark), "half", 4);
	a.out.failed = true; /* as packing does without memory */
	assert_int_equal(frame_end(&a, mark), -ENOMEM);
	mp_buf_bytes(frame_begin(&a, &mark), "dropped", 7);
	frame_cancel(&a, mark);
	add_frame(&a, "last", 4);
	assert_int_equal(frame_flush(&a), FRAME_IO_DONE);
	assert_int_equal(frame_fill(&b), FRAME_IO_DONE);
	assert_int_equal(frame_next(&b, &v), FRAME_ONE);
	assert_true(slice_is(v, "kept"));
	assert_int_equal(frame_next(&b, &v), FRAME_ONE);
	assert_true(slice_is(v, "last"));
	assert_int_equal(frame_next(&b, &v), FRAME_NONE);
	frame_stream_deinit(&a);
	frame_stream_deinit(&b);
}

static void
blocking_descriptors_serve_as_well(void **state)
{
	struct frame_stream a, b;
	struct slice v;

	pair(&a, &b, 0);
	add_frame(&a, "one", 3);
	add_frame(&a, "two", 3);
	assert_int_equal(frame_flush(&a), FRAME_IO_DONE);
	assert_int_equal(frame_fill(&b), FRAME_IO_DONE);
	assert_int_equal(frame_next(&b, &v), FRAME_ONE);
	assert_int_equal(frame_next(&b, &v), FRAME_ONE);
	assert_true(slice_is(v, "two"));
	frame_stream_deinit(&a);
	frame_stream_deinit(&b);
}

/* --- sockets --- */

static void
a_socket_has_its_mode_and_answers(void **state)
{
	const char *path = tmpdir_path(*state, "sock");
	CLEANUP(closep) int listener = -1;
	CLEANUP(closep) int client = -1;
	CLEANUP(closep) int served = -1;
	struct reason why;
	struct stat st;
	gid_t gid;
	uid_t uid;
	long pid;

	assert_int_equal(frame_listen(path, SOCK_STREAM | SOCK_NONBLOCK, 0620,
			     &listener, &why),
	    0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0620);
	assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(frame_connect(path, SOCK_STREAM, &client, &why), 0);
	assert_false(fcntl(client, F_GETFL) & O_NONBLOCK);
	served = accept(listener, NULL, NULL);
	assert_true(served >= 0);
	assert_int_equal(frame_peer(served, &uid, &gid, &pid), 0);
	assert_int_equal(uid, geteuid());
	assert_int_equal(gid, getegid());
	assert_int_equal(pid, getpid());
	assert_int_equal(tmpdir_count(*state), 1);
}

static void
peers_are_known_by_their_groups(void **state)
{
	CLEANUP(closep) int a = -1;
	CLEANUP(closep) int b = -1;
	gid_t groups[1024];
	int fds[2], n;
	gid_t foreign = 54321;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	a = fds[0];
	b = fds[1];
	n = getgroups(ARRAY_LEN(groups), groups);
	assert_true(n >= 0);
	assert_int_equal(frame_peer_in_group(a, getegid()), 1);
	for (int i = 0; i < n; i++) {
		assert_int_equal(frame_peer_in_group(a, groups[i]), 1);
		foreign += groups[i] == foreign;
	}
	assert_int_equal(frame_peer_in_group(a, foreign), 0);
	assert_int_equal(frame_peer_in_group(-1, foreign), -EBADF);
}

static void
a_dead_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	const char *path = tmpdir_path(*state, "sock");
	struct reason why = { "" };
	char says[60];
	int fd, second = -1;

	assert_int_equal(frame_connect(path, SOCK_STREAM, &fd, &why), -ENOENT);
	assert_int_equal(frame_listen(path, SOCK_STREAM, 0600, &fd, &why), 0);
	assert_int_equal(
	    frame_listen(path, SOCK_STREAM, 0600, &second, &why), -EADDRINUSE);
	snprintf(says, sizeof(says), "process %ld does", (long)getpid());
	assert_non_null(strstr(why.text, says));
	assert_int_equal(
	    frame_listen(path, SOCK_SEQPACKET, 0600, &second, &why),
	    -EADDRINUSE);
	assert_int_equal(second, -1);
	(void)close(fd);
	assert_int_equal(
	    frame_connect(path, SOCK_STREAM, &fd, &why), -ECONNREFUSED);
	assert_int_equal(
	    frame_listen(path, SOCK_SEQPACKET, 0600, &fd, &why), 0);
	(void)close(fd);
}

static void
what_is_no_socket_is_left_alone(void **state)
{
	const char *path = tmpdir_text(*state, "file", "precious");
	struct reason why = { "" };
	int fd = -1;

	assert_int_equal(
	    frame_listen(path, SOCK_STREAM, 0600, &fd, &why), -EEXIST);
	assert_non_null(strstr(why.text, "not a socket"));
	assert_int_equal(fd, -1);
	assert_true(tmpdir_has(*state, "file"));
	path = tmpdir_path(*state, "none/sock");
	assert_int_equal(
	    frame_listen(path, SOCK_STREAM, 0600, &fd, &why), -ENOENT);
}

static void
a_path_longer_than_an_address_serves(void **state)
{
	struct tmpdir *dir = *state;
	CLEANUP(closep) int listener = -1;
	CLEANUP(closep) int client = -1;
	char name[130] = "", file[150];
	struct reason why;

	memset(name, 'd', sizeof(name) - 1);
	assert_int_equal(mkdirat(dir->fd, name, 0700), 0);
	snprintf(file, sizeof(file), "%s/sock", name);
	assert_int_equal(frame_listen(tmpdir_path(dir, file), SOCK_STREAM, 0600,
			     &listener, &why),
	    0);
	assert_int_equal(
	    frame_connect(tmpdir_path(dir, file), SOCK_STREAM, &client, &why),
	    0);
	memset(file, 'f', sizeof(file) - 1);
	file[sizeof(file) - 1] = '\0';
	assert_int_equal(
	    frame_connect(tmpdir_path(dir, file), SOCK_STREAM, &client, &why),
	    -ENAMETOOLONG);
}

/* --- descriptors --- */

static void
descriptors_travel_with_their_packet(void **state)
{
	int fds[2], send4[FRAME_FDS_MAX], got[FRAME_FDS_MAX + 1];
	unsigned n = ARRAY_LEN(got), before;
	struct stat mine, theirs;
	char buf[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	before = descriptors_open();
	for (unsigned i = 0; i < FRAME_FDS_MAX; i++)
		send4[i] = fds[i % 2];
	assert_int_equal(
	    frame_send_fds(fds[0], "four", 4, send4, FRAME_FDS_MAX), 0);
	assert_int_equal(frame_recv_fds(fds[1], buf, 8, got, &n), 4);
	assert_int_equal(n, FRAME_FDS_MAX);
	assert_memory_equal(buf, "four", 4);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(fstat(send4[i], &mine), 0);
		assert_int_equal(fstat(got[i], &theirs), 0);
		assert_int_equal(mine.st_ino, theirs.st_ino);
		assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
		(void)close(got[i]);
	}
	assert_int_equal(
	    frame_send_fds(fds[0], "x", 1, send4, FRAME_FDS_MAX + 1), -EINVAL);
	assert_int_equal(frame_send_fds(fds[0], "none", 4, NULL, 0), 0);
	n = 1;
	assert_int_equal(frame_recv_fds(fds[1], buf, 8, got, &n), 4);
	assert_int_equal(n, 0);
	assert_int_equal(descriptors_open(), before);
	(void)close(fds[0]);
	n = 1;
	assert_int_equal(frame_recv_fds(fds[1], buf, 8, got, &n), 0);
	(void)close(fds[1]);
}

static void
too_many_descriptors_or_bytes_are_refused_and_none_is_kept(void **state)
{
	int fds[2], got[FRAME_FDS_MAX];
	unsigned before, n = 1;
	char buf[4];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	before = descriptors_open();
	assert_int_equal(frame_send_fds(fds[0], "x", 1,
			     (int[]){ fds[0], fds[1], fds[0] }, 3),
	    0);
	assert_int_equal(frame_recv_fds(fds[1], buf, 4, got, &n), -EMSGSIZE);
	assert_int_equal(descriptors_open(), before);
	n = 0;
	assert_int_equal(frame_send_fds(fds[0], "x", 1, fds, 1), 0);
	assert_int_equal(frame_recv_fds(fds[1], buf, 4, got, &n), -EMSGSIZE);
	n = 4;
	assert_int_equal(frame_send_fds(fds[0], "12345", 5, fds, 2), 0);
	assert_int_equal(frame_recv_fds(fds[1], buf, 4, got, &n), -EMSGSIZE);
	assert_int_equal(descriptors_open(), before);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_out_as_they_went_in),
		cmocka_unit_test(
		    a_stream_cut_at_every_byte_gives_the_same_frames),
		cmocka_unit_test(
		    a_length_of_zero_or_beyond_the_limit_is_refused),
		cmocka_unit_test(
		    the_receiver_keeps_no_more_than_a_frame_and_a_chunk),
		cmocka_unit_test(a_length_that_is_refused_gets_no_room),
		cmocka_unit_test(what_was_sent_takes_no_room_any_more),
		cmocka_unit_test(a_closed_peer_is_an_outcome_and_no_signal),
		cmocka_unit_test(
		    a_peer_that_leaves_with_unread_frames_is_closed_too),
		cmocka_unit_test(a_frame_that_fails_leaves_those_before_it),
		cmocka_unit_test(blocking_descriptors_serve_as_well),
		IN_DIRECTORY(a_socket_has_its_mode_and_answers),
		cmocka_unit_test(peers_are_known_by_their_groups),
		IN_DIRECTORY(a_dead_socket_is_replaced_and_a_live_one_is_not),
		IN_DIRECTORY(what_is_no_socket_is_left_alone),
		IN_DIRECTORY(a_path_longer_than_an_address_serves),
		cmocka_unit_test(descriptors_travel_with_their_packet),
		cmocka_unit_test(
		    too_many_descriptors_or_bytes_are_refused_and_none_is_kept),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
