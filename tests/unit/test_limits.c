/* SPDX-License-Identifier: BSD-2-Clause */

/* Limits by address. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/limits.h"

static struct sockaddr_storage
addr(const char *text)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(&ss, &in, sizeof(in));
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(&ss, &in6, sizeof(in6));
	else
		fail_msg("%s", text);
	return ss;
}

static enum limits_verdict
enter(struct limits *l, const char *text, uint64_t now_ms,
    struct limits_entry **entry)
{
	struct sockaddr_storage ss = addr(text);

	return limits_enter(l, (struct sockaddr *)&ss, now_ms, entry);
}

static void
an_address_has_its_connections_and_no_more(void **state)
{
	struct limits *l =
	    limits_new(&(struct limits_config){ .address_connections = 2 });
	struct limits_entry *e[4];

	assert_int_equal(enter(l, "192.0.2.1", 0, &e[0]), LIMITS_OK);
	assert_int_equal(enter(l, "::ffff:192.0.2.1", 0, &e[1]), LIMITS_OK);
	assert_int_equal(enter(l, "192.0.2.1", 0, &e[2]), LIMITS_TOO_MANY);
	assert_int_equal(enter(l, "192.0.2.2", 0, &e[2]), LIMITS_OK);
	limits_leave(e[0]);
	assert_int_equal(enter(l, "192.0.2.1", 0, &e[3]), LIMITS_OK);
	limits_free(l);
}

static void
a_network_of_ipv6_counts_as_one_address(void **state)
{
	struct limits *l =
	    limits_new(&(struct limits_config){ .address_connections = 1 });
	struct limits_entry *e;

	assert_int_equal(enter(l, "2001:db8::1", 0, &e), LIMITS_OK);
	assert_int_equal(enter(l, "2001:db8::ffff:2", 0, &e), LIMITS_TOO_MANY);
	assert_int_equal(enter(l, "2001:db8:0:1::1", 0, &e), LIMITS_OK);
	limits_free(l);
}

static void
loopback_is_not_counted(void **state)
{
	static const char *const local[] = { "127.0.0.1", "127.1.2.3", "::1",
		"::ffff:127.0.0.1" };
	struct limits *l = limits_new(&(struct limits_config){
	    .address_connections = 1, .address_rate = 1 });
	struct limits_entry *e;

	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < ARRAY_LEN(local); i++) {
			assert_int_equal(enter(l, local[i], 0, &e), LIMITS_OK);
			assert_null(e);
		}
	assert_int_equal(limits_addresses(l), 0);
	limits_free(l);
}

static void
a_rate_comes_back_with_time(void **state)
{
	struct limits *l =
	    limits_new(&(struct limits_config){ .address_rate = 10 });
	struct limits_entry *e;
	uint64_t now = 1000;

	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(enter(l, "192.0.2.1", now, &e), LIMITS_OK);
	assert_int_equal(enter(l, "192.0.2.1", now, &e), LIMITS_TOO_FAST);
	assert_int_equal(enter(l, "192.0.2.2", now, &e), LIMITS_OK);
	assert_int_equal(enter(l, "192.0.2.1", now + 99, &e), LIMITS_TOO_FAST);
	assert_int_equal(enter(l, "192.0.2.1", now + 100, &e), LIMITS_OK);
	assert_int_equal(enter(l, "192.0.2.1", now + 101, &e), LIMITS_TOO_FAST);
	now += 60000;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(enter(l, "192.0.2.1", now, &e), LIMITS_OK);
	assert_int_equal(enter(l, "192.0.2.1", now, &e), LIMITS_TOO_FAST);
	limits_free(l);
}

static void
the_rate_of_all_counts_loopback_too(void **state)
{
	struct limits *l = limits_new(&(struct limits_config){ .rate = 2 });
	struct limits_entry *e;

	assert_true(limits_rate_left(l, 0));
	assert_int_equal(enter(l, "127.0.0.1", 0, &e), LIMITS_OK);
	assert_true(limits_rate_left(l, 0));
	assert_int_equal(enter(l, "192.0.2.1", 0, &e), LIMITS_OK);
	assert_false(limits_rate_left(l, 0));
	assert_int_equal(enter(l, "192.0.2.2", 0, &e), LIMITS_TOO_FAST);
	assert_true(limits_rate_left(l, 500));
	limits_free(l);
}

static void
addresses_without_connections_are_forgotten(void **state)
{
	struct limits *l =
	    limits_new(&(struct limits_config){ .address_rate = 1 });
	struct limits_entry *e, *kept;
	char text[32];

	assert_int_equal(enter(l, "192.0.2.1", 0, &kept), LIMITS_OK);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "198.51.%u.%u", i / 250, i % 250);
		assert_int_equal(enter(l, text, 0, &e), LIMITS_OK);
		limits_leave(e);
	}
	assert_int_equal(limits_addresses(l), 1001);
	/* A second later, one arrival after the other clears them away. */
	for (unsigned i = 0; i < 1100; i++)
		(void)!enter(l, "203.0.113.1", 2000 + i, &e);
	assert_int_equal(limits_addresses(l), 2);
	limits_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_its_connections_and_no_more),
		cmocka_unit_test(a_network_of_ipv6_counts_as_one_address),
		cmocka_unit_test(loopback_is_not_counted),
		cmocka_unit_test(a_rate_comes_back_with_time),
		cmocka_unit_test(the_rate_of_all_counts_loopback_too),
		cmocka_unit_test(addresses_without_connections_are_forgotten),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
