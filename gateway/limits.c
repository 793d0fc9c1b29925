/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Limits by address: a table of those that have connections, or had one so
 * lately that their rate still counts.  Each arrival clears a little of what
 * is not needed any more, so the table has no other housekeeping.
 */

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/hash.h"
#include "gateway/limits.h"

enum {
	BUCKETS = 4096,
	ADDRESSES_MAX = 65536,
	CLEARED_AT_ONCE = 4, /* buckets */
	ADDRESS_BYTES = 16,
};

/* A second's worth may come at once; then they come back with time. */
struct allowance {
	uint64_t at_ms;
	uint64_t milli; /* thousandths of a connection left */
};

struct limits_entry {
	struct limits_entry *next;
	uint8_t address[ADDRESS_BYTES];
	uint32_t connections;
	struct allowance allowance;
};

struct limits {
	struct limits_config config;
	struct hash_key key;
	struct allowance all;
	uint32_t n;
	uint32_t hand; /* the bucket to be cleared next */
	struct limits_entry *buckets[BUCKETS];
};

struct limits *
limits_new(const struct limits_config *config)
{
	struct limits *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->config = *config;
	l->key = hash_key_random();
	l->all.milli = UINT64_C(1000) * config->rate;
	return l;
}

/* Allowances that hold more than the new rate shrink when they are used. */
void
limits_configure(struct limits *l, const struct limits_config *config)
{
	l->config = *config;
}

struct limits *
limits_free(struct limits *l)
{
	if (!l)
		return NULL;
	for (unsigned i = 0; i < BUCKETS; i++)
		while (l->buckets[i]) {
			struct limits_entry *e = l->buckets[i];

			l->buckets[i] = e->next;
			free(e);
		}
	free(l);
	return NULL;
}

static void
refill(struct allowance *a, uint32_t rate, uint64_t now_ms)
{
	uint64_t most = UINT64_C(1000) * rate;
	uint64_t passed = now_ms - a->at_ms;

	a->at_ms = now_ms;
	/* rate connections in 1000 ms are rate thousandths in one. */
	if (passed >= 1000)
		a->milli = most;
	else
		a->milli = MIN(most, a->milli + passed * rate);
}

static bool
is_left(struct allowance *a, uint32_t rate, uint64_t now_ms)
{
	if (rate == 0)
		return true;
	refill(a, rate, now_ms);
	return a->milli >= 1000;
}

static bool
spend(struct allowance *a, uint32_t rate, uint64_t now_ms)
{
	if (!is_left(a, rate, now_ms))
		return false;
	if (rate > 0)
		a->milli -= 1000;
	return true;
}

bool
limits_rate_left(struct limits *l, uint64_t now_ms)
{
	return is_left(&l->all, l->config.rate, now_ms);
}

/* false: not counted. */
static bool
address_of(const struct sockaddr *sa, uint8_t address[ADDRESS_BYTES])
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	memset(address, 0, ADDRESS_BYTES);
	if (sa->sa_family == AF_INET) {
		memcpy(address + 12, &in->sin_addr, 4);
		return address[12] != 127;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memcpy(address + 12, in6->sin6_addr.s6_addr + 12, 4);
		return address[12] != 127;
	}
	memcpy(address, &in6->sin6_addr, 8);
	return !IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static void
clear_bucket(struct limits *l, unsigned i, uint64_t now_ms)
{
	struct limits_entry **at = &l->buckets[i], *e;

	while ((e = *at)) {
		if (e->connections > 0 || now_ms - e->allowance.at_ms < 1000) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		free(e);
		l->n--;
	}
}

static struct limits_entry *
find(struct limits *l, const uint8_t address[ADDRESS_BYTES], uint64_t now_ms)
{
	unsigned i = hash_bytes(&l->key, address, ADDRESS_BYTES) % BUCKETS;
	struct limits_entry *e;

	for (unsigned n = 0; n < CLEARED_AT_ONCE; n++)
		clear_bucket(l, l->hand++ % BUCKETS, now_ms);
	for (e = l->buckets[i]; e; e = e->next)
		if (!memcmp(e->address, address, ADDRESS_BYTES))
			return e;
	if (l->n == ADDRESSES_MAX)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	memcpy(e->address, address, ADDRESS_BYTES);
	e->allowance.milli = UINT64_C(1000) * l->config.address_rate;
	e->allowance.at_ms = now_ms;
	e->next = l->buckets[i];
	l->buckets[i] = e;
	l->n++;
	return e;
}

enum limits_verdict
limits_enter(struct limits *l, const struct sockaddr *sa, uint64_t now_ms,
    struct limits_entry **entry)
{
	uint8_t address[ADDRESS_BYTES];
	struct limits_entry *e;

	if (!spend(&l->all, l->config.rate, now_ms))
		return LIMITS_TOO_FAST;
	if (!address_of(sa, address)) {
		*entry = NULL;
		return LIMITS_OK;
	}
	e = find(l, address, now_ms);
	if (!e)
		return LIMITS_TOO_MANY;
	if (!spend(&e->allowance, l->config.address_rate, now_ms))
		return LIMITS_TOO_FAST;
	if (l->config.address_connections > 0 &&
	    e->connections >= l->config.address_connections)
		return LIMITS_TOO_MANY;
	e->connections++;
	*entry = e;
	return LIMITS_OK;
}

void
limits_leave(struct limits_entry *entry)
{
	if (!entry)
		return;
	assert(entry->connections > 0);
	entry->connections--;
}

uint32_t
limits_addresses(const struct limits *l)
{
	return l->n;
}
