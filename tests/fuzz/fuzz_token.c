/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Any bytes as a token, as the claims of one that is signed well, and as its
 * header: each is good or refused with a sentence, which never repeats it.
 * As a libFuzzer target with -DPEAL_LIBFUZZER; else a test over claims that
 * are spoiled at random.
 */

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/reason.h"
#include "gateway/token.h"
#include "tests/lib/fuzz.h"

enum {
	NOW_S = 1700000000,
	TEXT_MAX = 16384,
	QUOTE = 24, /* so many bytes of it would be a repetition */
	WAYS = 3,
};

static const char secret[] = "0123456789abcdef0123456789abcdef";
static struct token_keys *keys;

/* One HMAC key, kid "main", from a file that is gone afterwards. */
static void
open_keys(void)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	char dir[] = "/tmp/peal-fuzz-XXXXXX", path[64], option[96];
	struct reason why = { "" };
	FILE *f;

	FUZZ_MUST(conf && mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/main.secret", dir);
	f = fopen(path, "w");
	FUZZ_MUST(f && fputs(secret, f) >= 0);
	fclose(f);
	snprintf(option, sizeof(option), "auth.keys=%s", path);
	FUZZ_MUST(conf_set(conf, option, &why) == 0);
	FUZZ_MUST(token_keys_open(conf, &keys, &why) == 0);
	unlink(path);
	rmdir(dir);
}

static size_t
put_base64url(char *to, const void *p, size_t len)
{
	size_t n = (size_t)EVP_EncodeBlock((unsigned char *)to, p, (int)len);

	while (n > 0 && to[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		to[i] = to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i];
	return n;
}

/* header.claims.signature */
static size_t
sign(char *to, struct slice header, struct slice claims)
{
	unsigned char mac[32];
	unsigned mac_len = sizeof(mac);
	size_t n = put_base64url(to, header.p, header.len);

	to[n++] = '.';
	n += put_base64url(to + n, claims.p, claims.len);
	HMAC(EVP_sha256(), secret, (int)sizeof(secret) - 1,
	    (const unsigned char *)to, n, mac, &mac_len);
	to[n++] = '.';
	return n + put_base64url(to + n, mac, mac_len);
}

static enum token_verdict
verify(const char *text, size_t len)
{
	char *exact = malloc(len + !len);
	struct token token = { 0 };
	struct reason why = { "" };
	int verdict;

	FUZZ_MUST(exact);
	memcpy(exact, text, len);
	verdict = token_verify(keys, slice_of(exact, len), NOW_S, &token, &why);
	FUZZ_MUST(verdict >= 0);
	if (verdict == TOKEN_GOOD) {
		FUZZ_MUST(token.sub[0] && strlen(token.sub) <= TOKEN_SUB_MAX);
		token_deinit(&token);
	} else {
		FUZZ_MUST(why.text[0]);
		FUZZ_MUST(len < QUOTE || strlen(why.text) < QUOTE ||
			  !memmem(why.text, strlen(why.text), exact, QUOTE));
	}
	free(exact);
	return (enum token_verdict)verdict;
}

/* The first byte says as what the others are taken. */
static enum token_verdict
try_bytes(const uint8_t *p, size_t len)
{
	static char text[4 * TEXT_MAX];
	struct slice rest = slice_of(p + 1, len - 1);
	size_t n;

	if (!keys)
		open_keys();
	if (rest.len > TEXT_MAX)
		return TOKEN_BAD;
	switch (p[0] % WAYS) {
	case 0:
		return verify((const char *)rest.p, rest.len);
	case 1:
		n = sign(text, SLICE_STR("{\"alg\":\"HS256\"}"), rest);
		return verify(text, n);
	default:
		n = sign(text, rest,
		    SLICE_STR("{\"sub\":\"ann\",\"iat\":1700000000,"
			      "\"exp\":1700003600}"));
		return verify(text, n);
	}
}

#ifdef PEAL_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (len > 0)
		(void)try_bytes(p, len);
	return 0;
}

#else

enum {
	ROUNDS = 30000,
	BYTES = 1024
};

static size_t
make_input(uint8_t *p)
{
	static const char *const inputs[] = {
		"\1{\"sub\":\"ann\",\"iat\":1700000000,\"exp\":1700003600}",
		"\1{\"sub\":\"a\",\"iat\":1700000000,\"exp\":1699990000,"
		"\"aud\":[\"x\",\"y\"],\"iss\":\"z\"}",
		"\1{\"sub\":\"a.b%~\",\"iat\":1,\"nbf\":1700000001,"
		"\"exp\":1700000100.5,\"peal\":{\"read\":[\"u.{sub}.>\",\"*\"],"
		"\"write\":[\"a\"],\"admin\":true}}",
		"\2{\"alg\":\"HS256\",\"kid\":\"main\",\"typ\":\"JWT\"}",
		"\2{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
		"\2{\"alg\":\"none\"}",
		"\3eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
	};
	const char *text = inputs[fuzz_roll(ARRAY_LEN(inputs))];
	size_t n = strlen(text);

	memcpy(p, text, n);
	for (uint64_t spoilt = fuzz_roll(3); spoilt > 0; spoilt--)
		p[fuzz_roll(n)] =
		    (uint8_t)(fuzz_roll(2) ? fuzz_roll(256) : '"');
	return fuzz_roll(8) ? n : 1 + fuzz_roll(n);
}

static void
one(const uint8_t *p, size_t len)
{
	if (len > 0)
		(void)try_bytes(p, len);
}

int
main(void)
{
	static uint8_t bytes[BYTES];
	unsigned verdicts[3] = { 0 };
	bool kept, good;

	printf("1..2\n");
	kept = fuzz_replay("token", one);
	fuzz_seed();
	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t n = make_input(bytes);

		verdicts[try_bytes(bytes, n)]++;
	}
	good = verdicts[TOKEN_GOOD] && verdicts[TOKEN_BAD] &&
	       verdicts[TOKEN_EXPIRED];
	printf("%sok 2 - any token is good, expired or refused\n",
	    good ? "" : "not ");
	printf("# %u good, %u bad, %u expired\n", verdicts[TOKEN_GOOD],
	    verdicts[TOKEN_BAD], verdicts[TOKEN_EXPIRED]);
	keys = token_keys_free(keys);
	return !(kept && good);
}

#endif
