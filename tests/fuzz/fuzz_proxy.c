/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Any bytes as the header of the PROXY protocol: its length is the same
 * however many have come, and what is let in is within them.  As a libFuzzer
 * target with -DPEAL_LIBFUZZER; else a test over headers put together at
 * random.
 */

#include <string.h>

#include "core/reason.h"
#include "gateway/proxy.h"
#include "tests/lib/fuzz.h"

enum fate {
	REFUSED,
	SHORT,
	ANONYMOUS,
	NAMED
};

/* The length that the first n bytes tell; 0: refused. */
static size_t
length(const uint8_t *p, size_t n)
{
	struct reason why = { "" };
	size_t len = proxy_length(slice_of(p, n), &why);

	FUZZ_MUST(len > 0 || why.text[0]);
	FUZZ_MUST(len == 0 || len >= PROXY_FIXED);
	FUZZ_MUST(len <= PROXY_HEADER_MAX);
	return len;
}

static enum fate
try_bytes(const uint8_t *p, size_t len)
{
	struct proxy_client client = { 0 };
	struct reason why = { "" };
	size_t whole = length(p, len);
	uint8_t *exact;
	bool ok;

	/* Fewer bytes tell less, but never something else. */
	for (size_t n = 0; n < len && n <= PROXY_FIXED; n++) {
		size_t told = length(p, n);

		FUZZ_MUST(told == 0 ? whole == 0
				    : told == PROXY_FIXED || told == whole);
	}
	if (whole == 0)
		return REFUSED;
	if (whole > len)
		return SHORT;
	exact = malloc(whole);
	FUZZ_MUST(exact);
	memcpy(exact, p, whole);
	ok = proxy_parse(slice_of(exact, whole), &client, &why);
	free(exact);
	FUZZ_MUST(ok || why.text[0]);
	if (ok && client.known)
		FUZZ_MUST(client.address.ss_family == AF_INET ||
			  client.address.ss_family == AF_INET6);
	if (!ok)
		return REFUSED;
	return client.known ? NAMED : ANONYMOUS;
}

#ifdef PEAL_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	(void)try_bytes(p, len);
	return 0;
}

#else

enum {
	ROUNDS = 200000,
	BYTES = 4096
};

static size_t
make_header(uint8_t *p)
{
	static const uint8_t start[] = "\r\n\r\n\0\r\nQUIT\n";
	static const uint8_t families[] = { 0x00, 0x11, 0x12, 0x21, 0x22, 0x31,
		0x32, 0xff };
	static const uint16_t lengths[] = { 0, 11, 12, 13, 35, 36, 215, 216,
		PROXY_HEADER_MAX - PROXY_FIXED, PROXY_HEADER_MAX, 65535 };
	size_t n = lengths[fuzz_roll(ARRAY_LEN(lengths))];

	memcpy(p, start, 12);
	p[12] = (uint8_t)(fuzz_roll(8) ? 0x20 | fuzz_roll(2) : fuzz_roll(256));
	p[13] = families[fuzz_roll(sizeof(families))];
	p[14] = (uint8_t)(n >> 8);
	p[15] = (uint8_t)n;
	for (size_t i = 16; i < BYTES; i++)
		p[i] = (uint8_t)fuzz_roll(256);
	if (!fuzz_roll(4))
		p[fuzz_roll(20)] = (uint8_t)fuzz_roll(256);
	return fuzz_roll(4) ? MIN((size_t)BYTES, 16 + n) : fuzz_roll(300);
}

static void
one(const uint8_t *p, size_t len)
{
	(void)try_bytes(p, len);
}

int
main(void)
{
	static uint8_t bytes[BYTES];
	unsigned fates[4] = { 0 };
	bool kept, good;

	printf("1..2\n");
	kept = fuzz_replay("proxy", one);
	fuzz_seed();
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t n = make_header(bytes);

		fates[try_bytes(bytes, n)]++;
	}
	good =
	    fates[REFUSED] && fates[SHORT] && fates[ANONYMOUS] && fates[NAMED];
	printf("%sok 2 - a header of any bytes is refused, short or read\n",
	    good ? "" : "not ");
	printf("# %u refused, %u short, %u without a name, %u with one\n",
	    fates[REFUSED], fates[SHORT], fates[ANONYMOUS], fates[NAMED]);
	return !(kept && good);
}

#endif
