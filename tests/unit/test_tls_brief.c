/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The brief TLS client and OpenSSL's server, with somebody between them who
 * passes on what is said, byte by byte or all at once, or changes it.
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

#include <openssl/err.h>

#include "core/reason.h"
#include "tests/lib/tmpdir.h"
#include "tools/selfsigned.h"
#include "tools/tls_brief.h"

enum {
	TURNS = 200000,
	LARGE = 100000
};

struct fixture {
	struct tmpdir *dir;
	SSL_CTX *server_ctx, *client_ctx;
	struct tls_brief_target *target;
	SSL *server;
	struct tls_brief *client;
	int fds[4];  /* client, its other end, server's other end, server */
	size_t step; /* bytes that are passed on at once */
	long flip;   /* of the server's bytes, which is changed; -1: none */
	long passed; /* of the server's bytes */
	struct reason why;
};

/* Single bytes that nobody reads yet take much room. */
static void
make_nonblocking(int fd)
{
	int room = 1 << 20;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

/* A new connection of both. */
static void
begin(struct fixture *fx)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fx->fds), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fx->fds + 2), 0);
	for (unsigned i = 0; i < 4; i++)
		make_nonblocking(fx->fds[i]);
	fx->server = SSL_new(fx->server_ctx);
	assert_non_null(fx->server);
	assert_int_equal(SSL_set_fd(fx->server, fx->fds[3]), 1);
	SSL_set_accept_state(fx->server);
	fx->client = tls_brief_new(fx->target, fx->fds[0]);
	assert_non_null(fx->client);
	fx->step = 1 << 16;
	fx->flip = -1;
	fx->passed = 0;
}

static void
end(struct fixture *fx)
{
	fx->client = tls_brief_free(fx->client);
	SSL_free(fx->server);
	fx->server = NULL;
	for (unsigned i = 0; i < 4; i++)
		closep(&fx->fds[i]);
	ERR_clear_error();
}

static void
pass(struct fixture *fx, int from, int to, bool is_servers)
{
	uint8_t buf[1 << 16];
	ssize_t n = recv(from, buf, MIN(fx->step, sizeof(buf)), 0);

	if (n <= 0)
		return;
	if (is_servers && fx->flip >= fx->passed && fx->flip < fx->passed + n)
		buf[fx->flip - fx->passed] ^= 1;
	if (is_servers)
		fx->passed += n;
	for (ssize_t sent = 0, k; sent < n; sent += k) {
		k = send(to, buf + sent, (size_t)(n - sent), MSG_NOSIGNAL);
		if (k <= 0)
			fail_msg("cannot pass on: %s", strerror(errno));
	}
}

static void
relay(struct fixture *fx)
{
	pass(fx, fx->fds[1], fx->fds[2], false);
	pass(fx, fx->fds[2], fx->fds[1], true);
}

/* Until both are done, or one of them has failed: below zero. */
static int
shake(struct fixture *fx)
{
	int client = 0, server = 0;

	for (unsigned i = 0; i < TURNS; i++) {
		if (client == 0)
			client = tls_brief_handshake(fx->client, &fx->why);
		if (client < 0)
			return client;
		/* Its Finished goes with what it says first. */
		if (client == TLS_BRIEF_DONE &&
		    tls_brief_flush(fx->client, &fx->why) < 0)
			return -EPROTO;
		server = SSL_do_handshake(fx->server);
		if (server == 1 && client == TLS_BRIEF_DONE)
			return 0;
		if (server != 1 &&
		    SSL_get_error(fx->server, server) != SSL_ERROR_WANT_READ) {
			ERR_clear_error();
			relay(fx);
			/* What the server says of it. */
			return client == 0
				   ? tls_brief_handshake(fx->client, &fx->why)
				   : -EPROTO;
		}
		relay(fx);
	}
	fail_msg("the handshake does not end");
	return 0;
}

static void
read_all(struct fixture *fx, uint8_t *to, size_t len)
{
	uint8_t buf[TLS_BRIEF_RECORD];
	size_t got = 0, n;
	int io;

	for (unsigned i = 0; i < TURNS && got < len; i++) {
		io = tls_brief_read(fx->client, buf, &n, &fx->why);
		if (io < 0)
			fail_msg("%s", fx->why.text);
		if (io == TLS_BRIEF_DONE) {
			assert_true(got + n <= len);
			memcpy(to + got, buf, n);
			got += n;
		}
		relay(fx);
	}
	assert_int_equal(got, len);
}

static void
fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
}

/* Both ways, whole and unchanged. */
static void
talk(struct fixture *fx, size_t len)
{
	uint8_t *said = malloc(len), *heard = calloc(1, len);
	size_t sent = 0, got = 0, n;

	assert_true(said && heard);
	fill(said, len);
	assert_int_equal(tls_brief_write(fx->client, said, len), 0);
	for (unsigned i = 0; i < TURNS && got < len; i++) {
		assert_true(tls_brief_flush(fx->client, &fx->why) >= 0);
		relay(fx);
		if (SSL_read_ex(fx->server, heard + got, len - got, &n) == 1)
			got += n;
	}
	assert_int_equal(got, len);
	assert_memory_equal(said, heard, len);
	memset(heard, 0, len);
	/* In pieces that the sockets hold. */
	while (sent < len) {
		n = MIN(len - sent, (size_t)20000);
		assert_int_equal(
		    SSL_write(fx->server, said + sent, (int)n), (int)n);
		read_all(fx, heard + sent, n);
		sent += n;
	}
	assert_memory_equal(said, heard, len);
	free(said);
	free(heard);
}

/* --- tests --- */

static void
what_is_said_arrives_both_ways(void **state)
{
	struct fixture *fx = *state;

	begin(fx);
	assert_int_equal(shake(fx), 0);
	talk(fx, 1);
	talk(fx, LARGE);
	end(fx);
}

static void
it_may_come_byte_by_byte(void **state)
{
	struct fixture *fx = *state;

	begin(fx);
	fx->step = 1;
	assert_int_equal(shake(fx), 0);
	talk(fx, 100);
	end(fx);
}

static void
further_connections_share_what_was_done_once(void **state)
{
	struct fixture *fx = *state;

	for (unsigned i = 0; i < 3; i++) {
		begin(fx);
		assert_int_equal(shake(fx), 0);
		talk(fx, 100);
		end(fx);
	}
}

/* Many records at once, and the rest of one: nothing is lost to the next. */
static void
records_that_come_together_are_read_one_by_one(void **state)
{
	struct fixture *fx = *state;
	uint8_t buf[TLS_BRIEF_RECORD];
	size_t n;

	begin(fx);
	assert_int_equal(shake(fx), 0);
	for (uint8_t i = 0; i < 20; i++)
		assert_int_equal(SSL_write(fx->server, &i, 1), 1);
	relay(fx);
	for (uint8_t i = 0; i < 20; i++) {
		assert_int_equal(tls_brief_read(fx->client, buf, &n, &fx->why),
		    TLS_BRIEF_DONE);
		assert_int_equal(n, 1);
		assert_int_equal(buf[0], i);
		assert_int_equal(tls_brief_pending(fx->client), i < 19);
	}
	assert_int_equal(
	    tls_brief_read(fx->client, buf, &n, &fx->why), TLS_BRIEF_AGAIN);
	end(fx);
}

static void
an_end_that_is_said_is_an_end(void **state)
{
	struct fixture *fx = *state;
	uint8_t buf[TLS_BRIEF_RECORD];
	size_t n;

	begin(fx);
	assert_int_equal(shake(fx), 0);
	(void)SSL_shutdown(fx->server);
	relay(fx);
	assert_int_equal(
	    tls_brief_read(fx->client, buf, &n, &fx->why), TLS_BRIEF_CLOSED);
	end(fx);
}

/* Whatever byte of the server's flight is changed, it is noticed. */
static void
no_byte_of_the_handshake_can_be_changed(void **state)
{
	struct fixture *fx = *state;
	long all;

	begin(fx);
	assert_int_equal(shake(fx), 0);
	all = fx->passed;
	end(fx);
	assert_true(all > 500);
	for (long at = 0; at < all; at += 13) {
		int got;

		begin(fx);
		fx->flip = at;
		/* A length that grew waits for what never comes. */
		for (unsigned i = 0; i < 50; i++) {
			got = tls_brief_handshake(fx->client, &fx->why);
			if (got != TLS_BRIEF_AGAIN)
				break;
			(void)SSL_do_handshake(fx->server);
			ERR_clear_error();
			relay(fx);
		}
		/* The version of a record counts for nothing (RFC 8446, 5.1). */
		if (got == TLS_BRIEF_DONE)
			assert_true(at < 3);
		end(fx);
	}
}

static void
a_record_that_was_changed_ends_it(void **state)
{
	struct fixture *fx = *state;
	uint8_t buf[TLS_BRIEF_RECORD];
	size_t n;

	begin(fx);
	assert_int_equal(shake(fx), 0);
	fx->flip = fx->passed + 7;
	assert_int_equal(SSL_write(fx->server, "hello", 5), 5);
	relay(fx);
	assert_true(tls_brief_read(fx->client, buf, &n, &fx->why) < 0);
	assert_non_null(strstr(fx->why.text, "changed"));
	end(fx);
}

static void
who_is_not_trusted_is_refused(void **state)
{
	struct fixture *fx = *state;
	struct reason why;
	SSL_CTX *stranger = SSL_CTX_new(TLS_server_method()),
		*own = fx->server_ctx;

	assert_int_equal(
	    selfsigned_write(tmpdir_path(fx->dir, "other.pem"),
		tmpdir_path(fx->dir, "other.key"), "127.0.0.1", &why),
	    0);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(
			     stranger, tmpdir_path(fx->dir, "other.pem")),
	    1);
	assert_int_equal(
	    SSL_CTX_use_PrivateKey_file(
		stranger, tmpdir_path(fx->dir, "other.key"), SSL_FILETYPE_PEM),
	    1);
	/* Also after one that is. */
	for (unsigned i = 0; i < 2; i++) {
		begin(fx);
		assert_int_equal(shake(fx), 0);
		end(fx);
		fx->server_ctx = stranger;
		begin(fx);
		assert_true(shake(fx) < 0);
		assert_non_null(strstr(fx->why.text, "not trusted"));
		end(fx);
		fx->server_ctx = own;
	}
	SSL_CTX_free(stranger);
}

static void
another_address_is_refused(void **state)
{
	struct fixture *fx = *state;
	struct tls_brief_target *own = fx->target;

	assert_int_equal(tls_brief_target_new(fx->client_ctx, "127.0.0.9",
			     &fx->target, &fx->why),
	    0);
	begin(fx);
	assert_true(shake(fx) < 0);
	assert_non_null(strstr(fx->why.text, "IP address mismatch"));
	end(fx);
	(void)tls_brief_target_free(fx->target);
	fx->target = own;
}

static void
a_server_that_wants_something_else_is_refused(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(SSL_CTX_set1_groups_list(fx->server_ctx, "P-384"), 1);
	begin(fx);
	assert_true(shake(fx) < 0);
	end(fx);
}

/* --- the fixture --- */

static int
set_up(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	struct reason why = { "" };
	const char *cert, *key;

	if (!fx || tmpdir_setup((void **)&fx->dir) != 0)
		return -1;
	for (unsigned i = 0; i < 4; i++)
		fx->fds[i] = -1;
	cert = tmpdir_path(fx->dir, "cert.pem");
	key = tmpdir_path(fx->dir, "key.pem");
	assert_int_equal(selfsigned_write(cert, key, "127.0.0.1", &why), 0);
	fx->server_ctx = SSL_CTX_new(TLS_server_method());
	fx->client_ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(
	    SSL_CTX_use_certificate_chain_file(fx->server_ctx, cert), 1);
	assert_int_equal(
	    SSL_CTX_use_PrivateKey_file(fx->server_ctx, key, SSL_FILETYPE_PEM),
	    1);
	assert_int_equal(
	    SSL_CTX_load_verify_locations(fx->client_ctx, cert, NULL), 1);
	assert_int_equal(tls_brief_target_new(fx->client_ctx, "127.0.0.1",
			     &fx->target, &fx->why),
	    0);
	*state = fx;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fx = *state;

	end(fx);
	(void)tls_brief_target_free(fx->target);
	SSL_CTX_free(fx->server_ctx);
	SSL_CTX_free(fx->client_ctx);
	(void)tmpdir_teardown((void **)&fx->dir);
	free(fx);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_said_arrives_both_ways),
		TEST(it_may_come_byte_by_byte),
		TEST(further_connections_share_what_was_done_once),
		TEST(records_that_come_together_are_read_one_by_one),
		TEST(an_end_that_is_said_is_an_end),
		TEST(no_byte_of_the_handshake_can_be_changed),
		TEST(a_record_that_was_changed_ends_it),
		TEST(who_is_not_trusted_is_refused),
		TEST(another_address_is_refused),
		TEST(a_server_that_wants_something_else_is_refused),
	};

	return cmocka_run_group_tests_name("tls_brief", tests, NULL, NULL);
}
