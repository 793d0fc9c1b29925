/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each limit of a gateway is set by the key of its name and by no other, so
 * that two that were mixed up are seen.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/reason.h"
#include "gateway/conn_priv.h"
#include "gateway/gateway_priv.h"
#include "gateway/limits.h"

static struct conns conns;
static struct gateway gw = { .conns = &conns };

static const struct {
	const char *key;
	void *limit;
	uint32_t bytes; /* of the limit's type */
	uint32_t unit;	/* the limit of a 1 */
} keys[] = {
#define LIMIT(name, place, factor)                    \
	{                                             \
		name, &(place), sizeof(place), factor \
	}
	LIMIT("max_message", conns.max_message, 1),
	LIMIT("hello_bytes", conns.hello_bytes, 1),
	LIMIT("max_connections", conns.max_conns, 1),
	LIMIT("handshakes", conns.max_shaking, 1),
	LIMIT("hello_seconds", conns.hello_ticks, TICKS_S),
	LIMIT("quiet_seconds", conns.quiet_ticks, TICKS_S),
	LIMIT("pong_seconds", conns.pong_ticks, TICKS_S),
	LIMIT("ack_seconds", conns.ack_ticks, TICKS_S),
	LIMIT("silence_seconds", conns.silence_ticks, TICKS_S),
	LIMIT("stall_seconds", conns.stall_ticks, TICKS_S),
	LIMIT("keepalive_seconds", conns.idle_ticks, TICKS_S),
	LIMIT("append_bytes", gw.quotas.max_bytes, 1),
	LIMIT("append_rate", gw.quotas.rate, 1),
	LIMIT("user_connections", gw.quotas.max_conns, 1),
	LIMIT("queries", gw.quotas.turns.max_running, 1),
	LIMIT("queries_waiting", gw.quotas.turns.max_waiting, 1),
#undef LIMIT
};

enum {
	KEYS = sizeof(keys) / sizeof(*keys)
};

static uint64_t
now(size_t i)
{
	return keys[i].bytes == sizeof(uint32_t)
		   ? *(const uint32_t *)keys[i].limit
		   : *(const uint64_t *)keys[i].limit;
}

/* One more than it was: that limit moves, and nothing else does. */
static void
each_limit_goes_by_the_key_of_its_name(void **state)
{
	static const struct limits_config none;
	struct conf *conf = conf_new();
	struct reason why = { "" };
	uint64_t before[KEYS];

	(void)state;
	assert_non_null(conf);
	conns.limits = limits_new(&none);
	conns.pool = ws_pool_new(1 << 20);
	assert_true(conns.limits && conns.pool);
	gw.conf = conf;
	gateway_configure(&gw);
	for (size_t i = 0; i < KEYS; i++) {
		char text[100];
		uint64_t n;

		for (size_t k = 0; k < KEYS; k++)
			before[k] = now(k);
		n = before[i] / keys[i].unit + 1;
		snprintf(text, sizeof(text), "gateway.%s=%llu", keys[i].key,
		    (unsigned long long)n);
		if (conf_set(conf, text, &why) < 0)
			fail_msg("%s", why.text);
		gateway_configure(&gw);
		for (size_t k = 0; k < KEYS; k++) {
			uint64_t want = k == i ? n * keys[i].unit : before[k];

			if (now(k) != want)
				fail_msg("%s: %s is %llu, not %llu", text,
				    keys[k].key, (unsigned long long)now(k),
				    (unsigned long long)want);
		}
	}
	conns.limits = limits_free(conns.limits);
	conns.pool = ws_pool_free(conns.pool);
	conf_free(conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_limit_goes_by_the_key_of_its_name),
	};

	return cmocka_run_group_tests_name("limit_keys", tests, NULL, NULL);
}
