/* SPDX-License-Identifier: BSD-2-Clause */

/* The service manager's side is played by the test. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "core/macros.h"
#include "core/notify.h"
#include "core/reason.h"
#include "tests/lib/tmpdir.h"

static int
bind_manager(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(len < sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
	    0);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	return fd;
}

static void
received(int fd, const char *text)
{
	char buf[600] = "";

	assert_true(recv(fd, buf, sizeof(buf) - 1, 0) >= 0);
	assert_string_equal(buf, text);
}

static void
a_manager_that_nobody_named_is_not_told(void **state)
{
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(notify_send("READY=1"), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", "", 1), 0);
	assert_int_equal(notify_send("READY=1"), 0);
}

static void
a_socket_in_the_file_system_is_told(void **state)
{
	CLEANUP(closep) int fd = bind_manager(tmpdir_path(*state, "notify"));

	assert_int_equal(notify_send("READY=1\nSTATUS=%d clients", 7), 1);
	received(fd, "READY=1\nSTATUS=7 clients");
}

static void
an_abstract_socket_is_told(void **state)
{
	char name[60];
	CLEANUP(closep) int fd = -1;

	snprintf(name, sizeof(name), "@peal-test-%ld", (long)getpid());
	fd = bind_manager(name);
	assert_int_equal(notify_send("WATCHDOG=1"), 1);
	received(fd, "WATCHDOG=1");
}

static void
a_manager_that_can_not_be_told_is_an_error(void **state)
{
	char text[601] = "", path[200] = "/";

	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	assert_int_equal(notify_send("READY=1"), -EINVAL);
	assert_int_equal(setenv("NOTIFY_SOCKET", "/", 1), 0);
	assert_int_equal(notify_send("READY=1"), -EINVAL);
	memset(path + 1, 'a', sizeof(path) - 2);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	assert_int_equal(notify_send("READY=1"), -ENAMETOOLONG);
	assert_int_equal(
	    setenv("NOTIFY_SOCKET", tmpdir_path(*state, "none"), 1), 0);
	assert_int_equal(notify_send("READY=1"), -ENOENT);
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(notify_send("%s", text), -EMSGSIZE);
}

/* --- sockets that are handed over --- */

static void
offer(const char *fds, long pid)
{
	char text[30];

	snprintf(text, sizeof(text), "%ld", pid);
	assert_int_equal(setenv("LISTEN_FDS", fds, 1), 0);
	assert_int_equal(setenv("LISTEN_PID", text, 1), 0);
}

static void
no_sockets_are_ours_when_the_variables_say_so(void **state)
{
	struct reason why;

	assert_int_equal(unsetenv("LISTEN_FDS"), 0);
	assert_int_equal(unsetenv("LISTEN_PID"), 0);
	assert_int_equal(notify_listen_fds(&why), 0);
	offer("1", (long)getpid() + 1);
	assert_int_equal(notify_listen_fds(&why), 0);
	offer("0", getpid());
	assert_int_equal(notify_listen_fds(&why), 0);
	assert_int_equal(unsetenv("LISTEN_PID"), 0);
	assert_int_equal(notify_listen_fds(&why), 0);
}

static void
variables_that_are_no_numbers_are_refused(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "1 ", " 1", "1x",
		"65", "4294967297", "99999999999999999999999" };
	struct reason why = { "" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		offer(bad[i], getpid());
		assert_int_equal(notify_listen_fds(&why), -EINVAL);
		assert_non_null(strstr(why.text, "LISTEN_FDS='"));
	}
	assert_int_equal(setenv("LISTEN_PID", "me", 1), 0);
	assert_int_equal(notify_listen_fds(&why), -EINVAL);
	assert_non_null(strstr(why.text, "LISTEN_PID='me'"));
}

static void
sockets_are_known_by_their_names(void **state)
{
	assert_int_equal(unsetenv("LISTEN_FDNAMES"), 0);
	assert_false(notify_listen_named(0, "plain"));
	assert_int_equal(setenv("LISTEN_FDNAMES", "tls:plain::plainer", 1), 0);
	assert_true(notify_listen_named(0, "tls"));
	assert_false(notify_listen_named(0, "plain"));
	assert_true(notify_listen_named(1, "plain"));
	assert_false(notify_listen_named(1, "plai"));
	assert_true(notify_listen_named(2, ""));
	assert_false(notify_listen_named(3, "plain"));
	assert_true(notify_listen_named(3, "plainer"));
	assert_false(notify_listen_named(4, "plain"));
	assert_false(notify_listen_named(4, ""));
	assert_int_equal(unsetenv("LISTEN_FDNAMES"), 0);
}

/* Run check with fd as descriptor 3, which is put back afterwards. */
static void
as_third(int fd, void (*check)(void))
{
	int saved = fcntl(3, F_DUPFD_CLOEXEC, 10);

	if (fd < 0)
		(void)close(3);
	else
		assert_int_equal(dup2(fd, 3), 3);
	check();
	if (saved < 0)
		(void)close(3);
	else
		assert_int_equal(dup2(saved, 3), 3);
	if (saved >= 0)
		(void)close(saved);
}

static void
third_is_taken(void)
{
	struct reason why;

	offer("1", getpid());
	assert_int_equal(notify_listen_fds(&why), 1);
	assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
}

static void
third_is_refused_as_closed(void)
{
	struct reason why = { "" };

	offer("1", getpid());
	assert_int_equal(notify_listen_fds(&why), -EINVAL);
	assert_non_null(strstr(why.text, "descriptor 3, which is not open"));
}

static void
third_is_refused_as_no_listener(void)
{
	struct reason why = { "" };

	offer("1", getpid());
	assert_int_equal(notify_listen_fds(&why), -EINVAL);
	assert_non_null(
	    strstr(why.text, "descriptor 3, which is no listening"));
}

static void
only_a_listening_socket_is_taken(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	CLEANUP(closep) int sock = -1;
	CLEANUP(closep) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	sock = fcntl(socket(AF_UNIX, SOCK_STREAM, 0), F_DUPFD, 20);
	assert_true(sock >= 0);
	assert_int_equal(
	    bind(sock, (struct sockaddr *)&sa, sizeof(sa_family_t)), 0);
	as_third(-1, third_is_refused_as_closed);
	as_third(null, third_is_refused_as_no_listener);
	as_third(sock, third_is_refused_as_no_listener);
	assert_int_equal(listen(sock, 1), 0);
	as_third(sock, third_is_taken);
}

static void
the_watchdog_wants_half_its_time(void **state)
{
	char text[30];

	assert_int_equal(unsetenv("WATCHDOG_USEC"), 0);
	assert_int_equal(notify_watchdog_us(), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "20000000", 1), 0);
	assert_int_equal(notify_watchdog_us(), 10000000);
	snprintf(text, sizeof(text), "%ld", (long)getpid());
	assert_int_equal(setenv("WATCHDOG_PID", text, 1), 0);
	assert_int_equal(notify_watchdog_us(), 10000000);
	assert_int_equal(setenv("WATCHDOG_PID", "1x", 1), 0);
	assert_int_equal(notify_watchdog_us(), 0);
	assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "soon", 1), 0);
	assert_int_equal(notify_watchdog_us(), 0);
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manager_that_nobody_named_is_not_told),
		IN_DIRECTORY(a_socket_in_the_file_system_is_told),
		cmocka_unit_test(an_abstract_socket_is_told),
		IN_DIRECTORY(a_manager_that_can_not_be_told_is_an_error),
		cmocka_unit_test(no_sockets_are_ours_when_the_variables_say_so),
		cmocka_unit_test(variables_that_are_no_numbers_are_refused),
		cmocka_unit_test(sockets_are_known_by_their_names),
		cmocka_unit_test(only_a_listening_socket_is_taken),
		cmocka_unit_test(the_watchdog_wants_half_its_time),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
