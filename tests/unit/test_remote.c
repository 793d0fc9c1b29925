/* SPDX-License-Identifier: BSD-2-Clause */

/* The WebSocket client against the barest of servers, in one process. */

#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "tools/remote.h"
#include "tools/selfsigned.h"
#include "tools/tls_bare.h"

enum {
	DEADLINE_MS = 300000,
	LARGE = 300000
};

static char dir[] = "/tmp/peal-test-remote-XXXXXX";
static char cert[64], key[64], other_cert[64], other_key[64];

static int
make_dir(void **state)
{
	struct reason why;

	if (!mkdtemp(dir))
		return -1;
	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	snprintf(key, sizeof(key), "%s/key.pem", dir);
	snprintf(other_cert, sizeof(other_cert), "%s/other.pem", dir);
	snprintf(other_key, sizeof(other_key), "%s/other.key", dir);
	return selfsigned_write(cert, key, "127.0.0.1", &why) < 0 ||
	       selfsigned_write(other_cert, other_key, "127.0.0.1", &why) < 0;
}

static int
remove_dir(void **state)
{
	(void)unlink(cert);
	(void)unlink(key);
	(void)unlink(other_cert);
	(void)unlink(other_key);
	return rmdir(dir);
}

/* What the server's thread does once its client is there. */
struct server {
	struct tls_bare *bare;
	unsigned port;
	const uint8_t *bytes;
	size_t len;
	pthread_t thread;
	int accepted;
};

static void *
serve(void *arg)
{
	struct server *s = arg;
	struct reason why;

	s->accepted = tls_bare_accept(s->bare, DEADLINE_MS, &why);
	if (s->accepted == 1 && s->len)
		(void)!tls_bare_write(s->bare, s->bytes, s->len, &why);
	return NULL;
}

static void
server_start(struct server *s, const void *bytes, size_t len)
{
	struct reason why;

	*s = (struct server){ .bytes = bytes, .len = len };
	assert_int_equal(tls_bare_open(cert, key, &s->bare, &s->port, &why), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
server_stop(struct server *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	s->bare = tls_bare_free(s->bare);
}

/* Connect, and take the first thing worth telling. */
static int
connect_to(unsigned port, const char *host, const char *cafile,
    struct remote_target **target, struct remote **r, struct reason *why)
{
	struct slice msg;
	char url[64];

	why->text[0] = '\0';
	snprintf(url, sizeof(url), "https://%s:%u", host, port);
	assert_int_equal(remote_target_open(url, cafile, target, why), 0);
	assert_int_equal(remote_open(*target, r, why), 0);
	return remote_wait(*r, DEADLINE_MS, &msg, why);
}

static void
messages_arrive_whole_however_long_they_are(void **state)
{
	static const size_t lens[] = { 0, 125, 126, 65536, LARGE };
	uint8_t *bytes = calloc(1, 2 * LARGE);
	struct remote_target *target;
	struct server s;
	struct remote *r;
	struct slice msg;
	struct reason why;
	size_t at = 0;

	assert_non_null(bytes);
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		size_t len = lens[i];

		bytes[at++] = 0x82;
		if (len < 126) {
			bytes[at++] = (uint8_t)len;
		} else if (len < 65536) {
			bytes[at++] = 126;
			bytes[at++] = (uint8_t)(len >> 8);
			bytes[at++] = (uint8_t)len;
		} else {
			bytes[at++] = 127;
			at += 4;
			for (int shift = 24; shift >= 0; shift -= 8)
				bytes[at++] = (uint8_t)(len >> shift);
		}
		memset(bytes + at, (int)i + 1, len);
		at += len;
	}
	server_start(&s, bytes, at);
	assert_int_equal(
	    connect_to(s.port, "127.0.0.1", cert, &target, &r, &why),
	    REMOTE_OPENED);
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		assert_int_equal(
		    remote_wait(r, DEADLINE_MS, &msg, &why), REMOTE_MESSAGE);
		assert_int_equal(msg.len, lens[i]);
		for (size_t k = 0; k < msg.len; k++)
			assert_int_equal(msg.p[k], i + 1);
	}
	server_stop(&s);
	assert_int_equal(
	    remote_wait(r, DEADLINE_MS, &msg, &why), REMOTE_CLOSED);
	assert_int_equal(remote_close_code(r), 1006);
	r = remote_free(r);
	target = remote_target_free(target);
	free(bytes);
}

static void
fragments_with_a_ping_between_them_are_one_message(void **state)
{
	static const uint8_t bytes[] = { 0x02, 2, 'a', 'b', 0x89, 1, 'p', 0x00,
		1, 'c', 0x80, 1, 'd', 0x88, 5, 0x0f, 0xa1, 'b', 'y', 'e' };
	struct remote_target *target;
	struct server s;
	struct remote *r;
	struct slice msg;
	struct reason why;

	server_start(&s, bytes, sizeof(bytes));
	assert_int_equal(
	    connect_to(s.port, "127.0.0.1", cert, &target, &r, &why),
	    REMOTE_OPENED);
	assert_int_equal(
	    remote_wait(r, DEADLINE_MS, &msg, &why), REMOTE_MESSAGE);
	assert_int_equal(msg.len, 4);
	assert_memory_equal(msg.p, "abcd", 4);
	assert_int_equal(
	    remote_wait(r, DEADLINE_MS, &msg, &why), REMOTE_CLOSED);
	assert_int_equal(remote_close_code(r), 4001);
	assert_string_equal(remote_close_text(r), "bye");
	r = remote_free(r);
	target = remote_target_free(target);
	server_stop(&s);
}

static void
what_no_server_may_send_breaks_the_connection(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[4];
	} cases[] = {
		{ "text", { 0x81, 1, 'x' } },
		{ "a continuation of nothing", { 0x80, 1, 'x' } },
		{ "a message within another", { 0x02, 0, 0x82, 0 } },
		{ "a masked frame", { 0x82, 0x80 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct remote_target *target;
		struct server s;
		struct remote *r;
		struct slice msg;
		struct reason why;

		server_start(&s, cases[i].bytes, sizeof(cases[i].bytes));
		assert_int_equal(
		    connect_to(s.port, "127.0.0.1", cert, &target, &r, &why),
		    REMOTE_OPENED);
		if (remote_wait(r, DEADLINE_MS, &msg, &why) >= 0)
			fail_msg("%s was let in", cases[i].what);
		assert_true(why.text[0] != '\0');
		r = remote_free(r);
		target = remote_target_free(target);
		server_stop(&s);
	}
}

static void
a_server_that_nobody_vouches_for_is_refused(void **state)
{
	struct remote_target *target;
	struct server s;
	struct remote *r;
	struct reason why;

	server_start(&s, NULL, 0);
	assert_true(
	    connect_to(s.port, "127.0.0.1", other_cert, &target, &r, &why) < 0);
	assert_non_null(strstr(why.text, "not trusted"));
	r = remote_free(r);
	target = remote_target_free(target);
	server_stop(&s);
	assert_int_not_equal(s.accepted, 1);
}

static void
a_server_of_another_name_is_refused(void **state)
{
	struct remote_target *target;
	struct server s;
	struct remote *r;
	struct reason why;

	/* The same machine, under an address that is not in it. */
	server_start(&s, NULL, 0);
	assert_true(connect_to(s.port, "[::ffff:127.0.0.1]", cert, &target, &r,
			&why) < 0);
	assert_non_null(strstr(why.text, "not trusted"));
	r = remote_free(r);
	target = remote_target_free(target);
	server_stop(&s);
}

/* A bare root has no /etc/hosts, and nobody there knows this name. */
static void
a_server_is_found_by_a_name_that_is_known_here(void **state)
{
	struct remote_target *target = NULL;
	struct addrinfo *list = NULL;
	struct server s;
	struct remote *r;
	struct reason why = { "" };

	if (getaddrinfo("localhost", NULL, NULL, &list) != 0) {
		assert_true(remote_target_open("https://localhost:1", cert,
				&target, &why) < 0);
		assert_non_null(strstr(why.text, "cannot find 'localhost'"));
		return;
	}
	freeaddrinfo(list);
	server_start(&s, NULL, 0);
	assert_int_equal(
	    connect_to(s.port, "localhost", cert, &target, &r, &why),
	    REMOTE_OPENED);
	r = remote_free(r);
	target = remote_target_free(target);
	server_stop(&s);
}

static void
what_is_no_address_of_a_gateway_is_refused(void **state)
{
	static const char *const urls[] = { "", "http://a", "ws://a:1",
		"https://", "https://:1", "https://a:", "wss://[::1",
		"wss://[::1]2", "https://a:1234567890" };
	struct remote_target *target;
	struct reason why;

	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++)
		if (remote_target_open(urls[i], cert, &target, &why) >= 0)
			fail_msg("taken for an address: '%s'", urls[i]);
	assert_true(remote_target_open(
			"https://127.0.0.1:1", "/nowhere", &target, &why) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive_whole_however_long_they_are),
		cmocka_unit_test(
		    fragments_with_a_ping_between_them_are_one_message),
		cmocka_unit_test(what_no_server_may_send_breaks_the_connection),
		cmocka_unit_test(a_server_that_nobody_vouches_for_is_refused),
		cmocka_unit_test(a_server_of_another_name_is_refused),
		cmocka_unit_test(
		    a_server_is_found_by_a_name_that_is_known_here),
		cmocka_unit_test(what_is_no_address_of_a_gateway_is_refused),
	};

	return cmocka_run_group_tests_name(
	    "remote", tests, make_dir, remove_dir);
}
