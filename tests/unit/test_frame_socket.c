/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Local sockets where something is in their way, descriptors that come along
 * with frames, and the groups of who is at the other end.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/frame.h"
#include "core/reason.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/tmpdir.h"

/* A stream that frames come out of, and the bare other end of it. */
struct ends {
	struct frame_stream in;
	int out;
};

static struct ends
connected(bool wants_fd)
{
	struct ends e;
	int fds[2];

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
	    0);
	frame_stream_init(&e.in, fds[0], 4096);
	e.in.wants_fd = wants_fd;
	e.out = fds[1];
	return e;
}

static void
disconnect(struct ends *e)
{
	frame_stream_deinit(&e->in);
	closep(&e->out);
}

/* A frame of one byte, with n descriptors. */
static void
send_frame(struct ends *e, char byte, const int *fds, unsigned n)
{
	const char frame[5] = { 1, 0, 0, 0, byte };

	assert_int_equal(frame_send_fds(e->out, frame, 5, fds, n), 0);
}

static void
take_frame(struct ends *e, char byte)
{
	struct slice got;

	while (frame_next(&e->in, &got) == FRAME_NONE)
		assert_int_equal(frame_fill(&e->in), FRAME_IO_DONE);
	assert_int_equal(got.len, 1);
	assert_int_equal(*got.p, byte);
}

static bool
same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

static void
a_descriptor_comes_with_its_frame_to_who_wants_one(void **state)
{
	struct ends e = connected(true);
	unsigned before = descriptors_open();
	int pipes[2], fd;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(frame_take_fd(&e.in), -1);
	send_frame(&e, 'a', NULL, 0);
	take_frame(&e, 'a');
	assert_int_equal(frame_take_fd(&e.in), -1);
	send_frame(&e, 'b', pipes, 1);
	take_frame(&e, 'b');
	fd = frame_take_fd(&e.in);
	assert_true(same_file(fd, pipes[0]));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(frame_take_fd(&e.in), -1);
	(void)close(fd);
	/* Of several the last one that came; the others are closed. */
	send_frame(&e, 'c', pipes, 1);
	take_frame(&e, 'c');
	send_frame(&e, 'd', (int[]){ e.out }, 1);
	take_frame(&e, 'd');
	fd = frame_take_fd(&e.in);
	assert_true(same_file(fd, e.out));
	(void)close(fd);
	assert_int_equal(descriptors_open(), before + 2);
	/* One that nobody took ends with the stream. */
	send_frame(&e, 'e', pipes, 1);
	take_frame(&e, 'e');
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	disconnect(&e);
	assert_int_equal(descriptors_open(), before - 2);
}

static void
descriptors_that_nobody_wants_are_closed(void **state)
{
	struct ends e = connected(false);
	unsigned before = descriptors_open();

	for (unsigned i = 0; i < 10; i++) {
		send_frame(&e, 'x', (int[]){ e.out, e.out }, 2);
		take_frame(&e, 'x');
		assert_int_equal(frame_take_fd(&e.in), -1);
		assert_int_equal(descriptors_open(), before);
	}
	/* To who wants one, a second is one too many. */
	e.in.wants_fd = true;
	send_frame(&e, 'y', (int[]){ e.out, e.out, e.out }, 3);
	take_frame(&e, 'y');
	assert_true(descriptors_open() <= before + 1);
	disconnect(&e);
	assert_int_equal(descriptors_open(), before - 2);
}

static void
what_cannot_be_sent_says_why(void **state)
{
	static const uint8_t much[4 << 20];
	struct ends e = connected(false);

	assert_int_equal(
	    frame_send_fds(e.out, "x", 1, (int[]){ -1 }, 1), -EBADF);
	assert_int_equal(frame_send_fds(-1, "x", 1, NULL, 0), -EBADF);
	/* Of so much only a part; the rest would go without descriptors. */
	assert_int_equal(
	    frame_send_fds(e.out, much, sizeof(much), NULL, 0), -EMSGSIZE);
	frame_stream_deinit(&e.in);
	assert_int_equal(frame_send_fds(e.out, "x", 1, NULL, 0), -EPIPE);
	closep(&e.out);
}

static int far_end;
static bool far_end_reads;
static volatile sig_atomic_t signals;

/* Who waits is interrupted at least once before it gets what it waits for. */
static void
interrupt(int sig)
{
	char buf[4096];
	int err = errno;

	signals = signals + 1;
	if (signals < 2)
		return;
	if (!far_end_reads && signals == 2)
		(void)!send(far_end, "\1\0\0\0a", 5, MSG_DONTWAIT);
	while (
	    far_end_reads && recv(far_end, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	errno = err;
}

/* Until there is room for nothing more. */
static void
stuff(int fd)
{
	static const char bytes[1024];

	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	while (send(fd, bytes, 1, MSG_DONTWAIT) > 0)
		;
}

/* One of four calls that wait, on the near end. */
static int
call(unsigned i, struct frame_stream *fs)
{
	unsigned none = 0;
	char buf[16];
	size_t mark;

	switch (i) {
	case 0:
		return frame_fill(fs);
	case 1:
		return (int)frame_recv_fds(
		    fs->fd, buf, sizeof(buf), NULL, &none);
	case 2:
		stuff(fs->fd);
		mp_buf_bytes(frame_begin(fs, &mark), "a", 1);
		assert_int_equal(frame_end(fs, mark), 0);
		return frame_flush(fs);
	default:
		stuff(fs->fd);
		return frame_send_fds(fs->fd, "a", 1, NULL, 0);
	}
}

static void
a_signal_interrupts_no_call_that_waits(void **state)
{
	const int outcome[] = { FRAME_IO_DONE, 5, FRAME_IO_DONE, 0 };
	const struct itimerval often = { { 0, 10000 }, { 0, 10000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction act = { .sa_handler = interrupt }, old;

	assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
	for (unsigned i = 0; i < ARRAY_LEN(outcome); i++) {
		struct frame_stream fs;
		int ends[2], got;

		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
		    0);
		frame_stream_init(&fs, ends[0], 4096);
		far_end = ends[1];
		far_end_reads = i >= 2;
		signals = 0;
		assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
		got = call(i, &fs);
		assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
		assert_int_equal(got, outcome[i]);
		assert_true(signals >= 2);
		frame_stream_deinit(&fs);
		(void)close(ends[1]);
	}
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
}

static void
a_stream_that_is_no_socket_is_an_error_and_not_its_end(void **state)
{
	struct frame_stream fs;
	struct mp_buf *b;
	size_t mark;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	frame_stream_init(&fs, fd, 4096);
	assert_int_equal(frame_fill(&fs), -ENOTSOCK);
	b = frame_begin(&fs, &mark);
	mp_buf_bytes(b, "x", 1);
	assert_int_equal(frame_end(&fs, mark), 0);
	assert_int_equal(frame_flush(&fs), -ENOTSOCK);
	frame_stream_deinit(&fs);
}

static void
assert_not_listening(const char *path, int err, const char *text)
{
	struct reason why = { "" };
	int fd = -1;

	assert_int_equal(frame_listen(path, SOCK_STREAM, 0600, &fd, &why), err);
	assert_int_equal(fd, -1);
	if (!strstr(why.text, text))
		fail_msg("'%s' lacks '%s'", why.text, text);
}

static void
a_place_where_no_socket_can_be_says_why_and_keeps_nothing(void **state)
{
	struct tmpdir *dir = *state;
	const char *path = tmpdir_path(dir, "sock");
	char name[PATH_MAX + 2] = "";

	/* What it is made as at first is a directory. */
	assert_int_equal(mkdirat(dir->fd, "sock.new", 0700), 0);
	assert_not_listening(path, -EISDIR, "/sock.new'");
	assert_int_equal(unlinkat(dir->fd, "sock.new", AT_REMOVEDIR), 0);
	/* Below a file. */
	tmpdir_text(dir, "file", "");
	assert_not_listening(
	    tmpdir_path(dir, "file/sock"), -ENOTDIR, "cannot look at");
	/* A path, or its last part, that is too long for anything. */
	memset(name, 'x', sizeof(name) - 1);
	assert_not_listening(name, -ENAMETOOLONG, "xxxx");
	name[200] = '\0';
	assert_not_listening(name, -ENAMETOOLONG, "cannot use path 'xxx");
	/* A long one below what is not there. */
	snprintf(name, sizeof(name), "%s/%0200d/sock", dir->path, 0);
	assert_not_listening(name, -ENOENT, "cannot use path");
	assert_int_equal(tmpdir_count(dir), 1);
}

static void
without_a_descriptor_there_is_no_socket(void **state)
{
	struct tmpdir *dir = *state;
	const char *path = tmpdir_path(dir, "sock");
	struct rlimit old = descriptors_leave(0);
	int fd = -1;

	assert_not_listening(path, -EMFILE, "cannot make a socket");
	assert_int_equal(frame_connect(path, SOCK_STREAM, &fd, NULL), -EMFILE);
	descriptors_restore(&old);
	assert_int_equal(tmpdir_count(dir), 0);
}

/* In a child, which takes these groups on and is asked about. */
static int
in_groups(size_t n, const gid_t *groups)
{
	int fds[2];

	if (setgroups(n, groups) < 0)
		return errno == EPERM ? 77 : 1;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 2;
	for (size_t i = 0; i < n; i++)
		if (frame_peer_in_group(fds[0], groups[i]) != 1)
			return 3;
	if (frame_peer_in_group(fds[0], 4713) != 0)
		return 4;
	/* Groups are those at the time of the connection. */
	if (setgroups(0, NULL) < 0 ||
	    frame_peer_in_group(fds[0], 4711) != (n > 0))
		return 5;
	return 0;
}

static void
a_peer_is_known_by_each_of_its_groups_and_by_no_other(void **state)
{
	const gid_t groups[] = { 4711, 4712, 4714 };

	for (size_t n = 0; n <= ARRAY_LEN(groups); n++) {
		int status = 0;
		pid_t pid;

		(void)fflush(NULL);
		pid = fork();
		if (pid == 0)
			exit(in_groups(n, groups));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		/* Only the superuser may take on groups. */
		if (WEXITSTATUS(status) != 77)
			assert_int_equal(WEXITSTATUS(status), 0);
	}
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_descriptor_comes_with_its_frame_to_who_wants_one),
		cmocka_unit_test(descriptors_that_nobody_wants_are_closed),
		cmocka_unit_test(what_cannot_be_sent_says_why),
		cmocka_unit_test(a_signal_interrupts_no_call_that_waits),
		cmocka_unit_test(
		    a_stream_that_is_no_socket_is_an_error_and_not_its_end),
		IN_DIRECTORY(
		    a_place_where_no_socket_can_be_says_why_and_keeps_nothing),
		IN_DIRECTORY(without_a_descriptor_there_is_no_socket),
		cmocka_unit_test(
		    a_peer_is_known_by_each_of_its_groups_and_by_no_other),
	};

	return cmocka_run_group_tests_name("frame_socket", tests, NULL, NULL);
}
