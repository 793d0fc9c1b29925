/* SPDX-License-Identifier: BSD-2-Clause */

/* PROXY headers, and whose are taken: pure bytes, no sockets. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/reason.h"
#include "gateway/proxy.h"
#include "gateway/trust.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* A header of that command and family with so many bytes behind. */
static struct slice
header(uint8_t *buf, unsigned command, unsigned family, unsigned len)
{
	memcpy(buf, SIGNATURE, 12);
	buf[12] = (uint8_t)command;
	buf[13] = (uint8_t)family;
	buf[14] = (uint8_t)(len >> 8);
	buf[15] = (uint8_t)len;
	for (unsigned i = 0; i < len; i++)
		buf[16 + i] = (uint8_t)(i + 1);
	return slice_of(buf, 16 + len);
}

static bool
taken(unsigned command, unsigned family, unsigned len,
    struct proxy_client *client)
{
	uint8_t buf[PROXY_HEADER_MAX];
	struct slice h = header(buf, command, family, len);
	struct reason why = { "" };
	bool ok;

	assert_int_equal(proxy_length(h, &why), h.len);
	ok = proxy_parse(h, client, &why);
	assert_true(ok || why.text[0]);
	return ok;
}

static void
the_client_is_whom_the_header_names(void **state)
{
	struct proxy_client client;
	char text[INET6_ADDRSTRLEN];

	assert_true(taken(0x21, 0x11, 12, &client));
	assert_true(client.known);
	assert_int_equal(client.address.ss_family, AF_INET);
	inet_ntop(AF_INET, &((struct sockaddr_in *)&client.address)->sin_addr,
	    text, sizeof(text));
	assert_string_equal(text, "1.2.3.4");
	assert_int_equal(
	    ntohs(((struct sockaddr_in *)&client.address)->sin_port), 0x090a);

	assert_true(taken(0x21, 0x21, 36, &client));
	assert_true(client.known);
	inet_ntop(AF_INET6,
	    &((struct sockaddr_in6 *)&client.address)->sin6_addr, text,
	    sizeof(text));
	assert_string_equal(text, "102:304:506:708:90a:b0c:d0e:f10");
}

static void
what_stands_behind_the_addresses_is_skipped(void **state)
{
	struct proxy_client client;

	assert_true(taken(0x21, 0x11, 13, &client));
	assert_true(taken(0x21, 0x11, 1000, &client));
	assert_true(taken(0x21, 0x21, 37, &client));
	assert_true(client.known);
}

static void
a_proxy_may_speak_for_itself(void **state)
{
	static const unsigned families[] = { 0x00, 0x11, 0x21, 0x31, 0xff };
	struct proxy_client client;

	for (unsigned i = 0; i < ARRAY_LEN(families); i++) {
		assert_true(taken(0x20, families[i], 0, &client));
		assert_false(client.known);
		assert_true(taken(0x20, families[i], 300, &client));
		assert_false(client.known);
	}
	assert_true(taken(0x21, 0x00, 0, &client));
	assert_false(client.known);
	assert_true(taken(0x21, 0x31, 216, &client));
	assert_false(client.known);
}

static void
headers_that_are_none_are_refused(void **state)
{
	static const struct {
		unsigned command, family, len;
	} rows[] = {
		{ 0x21, 0x11, 0 },
		{ 0x21, 0x11, 11 },
		{ 0x21, 0x21, 12 },
		{ 0x21, 0x21, 35 },
		{ 0x21, 0x31, 215 },
		{ 0x21, 0x12, 12 },
		{ 0x21, 0x22, 36 },
		{ 0x21, 0x10, 12 },
		{ 0x21, 0x41, 216 },
		{ 0x21, 0xff, 300 },
	};
	struct proxy_client client;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (taken(
			rows[i].command, rows[i].family, rows[i].len, &client))
			fail_msg("row %u was taken", i);
}

static void
a_header_is_refused_at_its_first_wrong_byte(void **state)
{
	uint8_t buf[PROXY_HEADER_MAX + 1];
	struct reason why;

	header(buf, 0x21, 0x11, 12);
	for (unsigned n = 0; n < 16; n++)
		assert_int_equal(proxy_length(slice_of(buf, n), &why), 16);
	assert_int_equal(proxy_length(slice_of(buf, 16), &why), 28);
	for (unsigned at = 0; at < 13; at++) {
		header(buf, 0x21, 0x11, 12);
		buf[at] ^= 0x40;
		assert_int_equal(proxy_length(slice_of(buf, at), &why), 16);
		why.text[0] = '\0';
		assert_int_equal(proxy_length(slice_of(buf, at + 1), &why), 0);
		assert_true(why.text[0]);
	}
	header(buf, 0x22, 0x11, 12);
	assert_int_equal(proxy_length(slice_of(buf, 16), &why), 0);
	header(buf, 0x11, 0x11, 12);
	assert_int_equal(proxy_length(slice_of(buf, 16), &why), 0);
}

static void
version_1_is_refused_by_name(void **state)
{
	struct reason why = { "" };

	assert_int_equal(
	    proxy_length(
		SLICE_STR("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"), &why),
	    0);
	assert_non_null(strstr(why.text, "version 1"));
}

static void
a_header_has_2_kib_at_most(void **state)
{
	uint8_t buf[16];
	struct reason why;

	header(buf, 0x21, 0x11, 0);
	buf[14] = (PROXY_HEADER_MAX - 16) >> 8;
	buf[15] = (PROXY_HEADER_MAX - 16) & 0xff;
	assert_int_equal(
	    proxy_length(slice_of(buf, 16), &why), PROXY_HEADER_MAX);
	buf[15]++;
	assert_int_equal(proxy_length(slice_of(buf, 16), &why), 0);
	buf[14] = buf[15] = 0xff;
	assert_int_equal(proxy_length(slice_of(buf, 16), &why), 0);
}

static bool
trusts(const char *list, const char *peer)
{
	CLEANUP(trust_freep) struct trust *t = NULL;
	struct sockaddr_storage ss = { .ss_family = AF_UNIX };
	struct sockaddr_in *in = (void *)&ss;
	struct sockaddr_in6 *in6 = (void *)&ss;
	struct reason why;

	if (trust_parse(list, &t, &why) < 0)
		fail_msg("%s", why.text);
	if (strchr(peer, '.') && !strchr(peer, ':')) {
		in->sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, peer, &in->sin_addr), 1);
	} else if (strchr(peer, ':')) {
		in6->sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, peer, &in6->sin6_addr), 1);
	}
	return trust_holds(t, (struct sockaddr *)&ss);
}

static void
addresses_and_networks_are_trusted(void **state)
{
	assert_false(trusts("", "127.0.0.1"));
	assert_false(trusts("", "unix"));
	assert_true(trusts("127.0.0.1", "127.0.0.1"));
	assert_false(trusts("127.0.0.1", "127.0.0.2"));
	assert_false(trusts("127.0.0.1", "unix"));
	assert_true(trusts("  ::1   unix ", "unix"));
	assert_true(trusts("unix ::1", "::1"));
	assert_false(trusts("::1", "127.0.0.1"));
	assert_true(trusts("127.0.0.1", "::ffff:127.0.0.1"));
	assert_true(trusts("10.1.128.0/17", "10.1.255.255"));
	assert_false(trusts("10.1.128.0/17", "10.1.127.255"));
	assert_true(trusts("0.0.0.0/0", "8.8.8.8"));
	assert_false(trusts("0.0.0.0/0", "::1"));
	assert_true(trusts("::/0", "8.8.8.8"));
	assert_true(trusts("fd00::/8", "fdff::1"));
	assert_false(trusts("fd00::/8", "fe00::1"));
	assert_true(trusts("1.2.3.4/32", "1.2.3.4"));
	assert_true(trusts("::5/128", "::5"));
	assert_false(trusts("::5/127", "::6"));
}

static void
words_that_are_neither_are_named(void **state)
{
	static const char *const lists[] = { "localhost", "10.0.0.0/33",
		"::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/8x",
		"unix:/run/x", "1.2.3.4,1.2.3.5", "[::1]" };
	struct reason why = { "" };
	struct trust *t;

	for (unsigned i = 0; i < ARRAY_LEN(lists); i++) {
		assert_int_equal(trust_parse(lists[i], &t, &why), -EINVAL);
		assert_non_null(strstr(why.text, lists[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_is_whom_the_header_names),
		cmocka_unit_test(what_stands_behind_the_addresses_is_skipped),
		cmocka_unit_test(a_proxy_may_speak_for_itself),
		cmocka_unit_test(headers_that_are_none_are_refused),
		cmocka_unit_test(a_header_is_refused_at_its_first_wrong_byte),
		cmocka_unit_test(version_1_is_refused_by_name),
		cmocka_unit_test(a_header_has_2_kib_at_most),
		cmocka_unit_test(addresses_and_networks_are_trusted),
		cmocka_unit_test(words_that_are_neither_are_named),
	};

	return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
