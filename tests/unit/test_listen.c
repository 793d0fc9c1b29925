/* SPDX-License-Identifier: BSD-2-Clause */

/* The listening socket: addresses, and one that was handed over. */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/macros.h"
#include "core/reason.h"
#include "gateway/conn_priv.h"
#include "gateway/listen.h"
#include "tests/lib/edgefix.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, edgefix_setup, edgefix_teardown)

static void
addresses_are_read(void **state)
{
	struct sockaddr_storage sa;
	struct sockaddr_in *in = (struct sockaddr_in *)&sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;
	unsigned len;

	assert_int_equal(listen_parse("127.0.0.1:8443", &sa, &len, NULL), 0);
	assert_int_equal(len, sizeof(*in));
	assert_int_equal(in->sin_family, AF_INET);
	assert_int_equal(ntohs(in->sin_port), 8443);
	assert_int_equal(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(listen_parse("[::1]:0", &sa, &len, NULL), 0);
	assert_int_equal(len, sizeof(*in6));
	assert_int_equal(in6->sin6_family, AF_INET6);
	assert_int_equal(in6->sin6_port, 0);
	assert_int_equal(listen_parse("0.0.0.0:65535", &sa, &len, NULL), 0);
}

static void
what_is_no_address_is_named(void **state)
{
	static const char *const bad[] = { "", ":", "8443", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1",
		"127.0.0.1:1x", "::1:8443", "[::1]", "[::1:8443", "[]:1", "[:1",
		"]:1", "[127.0.0.1]:1", "localhost:8443",
		"127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1:1" };
	struct sockaddr_storage sa;
	unsigned len;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct reason why = { "" };
		char quoted[100];

		snprintf(quoted, sizeof(quoted), "'%s'", bad[i]);
		assert_true(listen_parse(bad[i], &sa, &len, &why) < 0);
		assert_non_null(strstr(why.text, quoted));
	}
}

static void
accepted_sockets_are_tuned_for_live_data(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;
	int fd, nodelay = 0, lowat = 0, sndbuf = 0;
	socklen_t len = sizeof(int);

	edgefix_start(fx, NULL);
	c = edge_websocket(fx);
	fd = fx->conn->tls.fd;
	assert_int_equal(
	    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
	assert_int_equal(
	    getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, &len), 0);
	assert_int_equal(
	    getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &len), 0);
	assert_int_equal(nodelay, 1);
	assert_int_equal(lowat, 32768);
	assert_int_equal(sndbuf, 262144);
	edge_free(c);
}

static void
after_stopping_nobody_is_accepted_and_the_rest_goes_on(void **state)
{
	struct edgefix *fx = *state;
	struct edge_client *c;
	struct edge_frame f;

	edgefix_start(fx, NULL);
	fx->echo = true;
	c = edge_websocket(fx);
	listen_stop(fx->listen);
	assert_int_equal(listen_port(fx->listen, false), 0);
	edge_send(c, 0x82, "\xc0", 1);
	assert_true(edge_next(c, &f));
	assert_int_equal(conns_count(fx->conns), 1);
	edge_free(c);
}

/* In a process of its own, as descriptor 3 has to be free. */
static int
handed_over(bool plain)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	struct edge_client *c;
	struct edgefix *fx;
	void *state;
	char pid[20];
	int fd;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) < 0 ||
	    listen(fd, 10) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &len) < 0)
		return 10;
	if (fd != 3 && (dup2(fd, 3) < 0 || close(fd) < 0))
		return 11;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDNAMES", plain ? "plain" : "tls", 1);
	if (edgefix_setup(&state) != 0)
		return 12;
	fx = state;
	edgefix_start(fx, NULL);
	if (listen_port(fx->listen, plain) != ntohs(in.sin_port))
		return 13;
	if (plain) {
		c = edge_connect_plain(fx);
		edge_upgrade(c, "");
		edge_free(c);
	}
	/* Beside a plain one gateway.listen is bound as ever. */
	c = edge_websocket(fx);
	edge_free(c);
	edgefix_teardown(&state);
	return 0;
}

static void
in_a_process_of_its_own(bool plain)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(handed_over(plain));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
a_socket_that_was_handed_over_is_served(void **state)
{
	in_a_process_of_its_own(false);
}

static void
one_that_is_named_plain_is_served_without_tls(void **state)
{
	in_a_process_of_its_own(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(what_is_no_address_is_named),
		cmocka_unit_test(a_socket_that_was_handed_over_is_served),
		cmocka_unit_test(one_that_is_named_plain_is_served_without_tls),
		TEST(accepted_sockets_are_tuned_for_live_data),
		TEST(after_stopping_nobody_is_accepted_and_the_rest_goes_on),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
