/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Any bytes as an HTTP head: found to end at the same place however they
 * come, and what is let in has no second meaning.  As a libFuzzer target
 * with -DPEAL_LIBFUZZER; else a test that puts heads together at random.
 */

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/reason.h"
#include "gateway/http.h"
#include "gateway/http_query.h"
#include "gateway/tls.h"
#include "tests/lib/fuzz.h"

static unsigned queries; /* that asked for something */

/* The same in pieces: each call sees all that came so far. */
static int
end_in_pieces(const uint8_t *p, size_t len, size_t piece_max)
{
	struct reason why = { "" };
	size_t seen = 0, have = 0;
	int r = 0;

	while (r == 0 && have < len) {
		size_t piece = 1 + fuzz_roll(piece_max);

		have += MIN(len - have, piece);
		r = http_head_end(p, have, &seen, &why);
		FUZZ_MUST(r >= 0 || why.text[0]);
		FUZZ_MUST(r <= (int)have);
	}
	return r;
}

static unsigned
count_header(const struct http_request *req, const char *name)
{
	unsigned n = 0;

	while (http_header(req, name, n).p)
		n++;
	return n;
}

/* What a head that was let in guarantees to everything behind. */
static void
must_be_plain(const struct http_request *req)
{
	FUZZ_MUST(req->verb == HTTP_POST || req->length == 0);
	FUZZ_MUST(
	    req->verb != HTTP_POST || count_header(req, "Content-Length") == 1);
	FUZZ_MUST(req->path.len > 0 && req->path.p[0] == '/');
	FUZZ_MUST(count_header(req, "Host") == 1 && req->host.len > 0);
	FUZZ_MUST(count_header(req, "Transfer-Encoding") == 0);
	FUZZ_MUST(count_header(req, "Content-Length") <= 1);
	FUZZ_MUST(req->n_headers <= HTTP_HEADERS_MAX);
	for (unsigned i = 0; i < req->n_headers; i++) {
		const struct http_header *h = &req->headers[i];

		FUZZ_MUST(h->name.len > 0);
		for (size_t b = 0; b < h->name.len; b++)
			FUZZ_MUST(isgraph(h->name.p[b]) && h->name.p[b] != ':');
		for (size_t b = 0; b < h->value.len; b++)
			FUZZ_MUST(
			    h->value.p[b] >= ' ' || h->value.p[b] == '\t');
	}
}

enum fate {
	REFUSED,
	LET_IN,
	UPGRADED
};

/* A refusal is a whole answer, whatever was asked. */
static void
must_refuse(int status, const char *text)
{
	struct http_answer a = { .status = status, .last = true };
	struct mp_buf out = { 0 };

	http_answer_text(&out, &a, text);
	FUZZ_MUST(!out.failed && out.len > 20);
	FUZZ_MUST(!memcmp(out.p, "HTTP/1.1 4", 10));
	FUZZ_MUST(memmem(out.p, out.len, "\r\n\r\n", 4));
	mp_buf_deinit(&out);
}

static const struct http_field fields[] = {
	{ "topic", "topics", HTTP_KIND_STRS },
	{ "actor", "actor", HTTP_KIND_STR },
	{ "at", "at", HTTP_KIND_AT },
	{ "from_time", "from_time", HTTP_KIND_TIME },
	{ "limit", "limit", HTTP_KIND_UINT },
	{ "reverse", "reverse", HTTP_KIND_BOOL },
	{ 0 },
};

/* What a query is made into is one map, and no bytes but those it decodes. */
static void
try_query(const struct http_request *req)
{
	struct mp_buf out = { 0 };
	struct reason why = { "" };
	struct mp_walk w;
	struct slice whole;
	struct mp_item map;
	int status = http_query_secret(req->query, &why);

	FUZZ_MUST(status == 0 || (status == 400 && why.text[0]));
	status = http_query_pack(req->query, "state", fields, &out, &why);
	FUZZ_MUST(!out.failed);
	if (status == 0) {
		w = mp_walk(slice_of(out.p, out.len));
		FUZZ_MUST(mp_skip(&w, &whole) && w.p == w.end);
		w = mp_walk(whole);
		FUZZ_MUST(
		    mp_next(&w, &map) && map.type == MP_MAP && map.n <= 7);
		FUZZ_MUST(out.len <= 3 * req->query.len + 256);
		queries++;
	} else {
		FUZZ_MUST(status == 400 && why.text[0]);
	}
	mp_buf_deinit(&out);
}

static enum fate
try_upgrade(const struct http_request *req)
{
	char buf[HTTP_ANSWER_MAX], accept[TLS_WS_ACCEPT + 1];
	struct reason why = { "" };
	struct http_upgrade up;
	size_t n;
	int status = http_upgrade(req, "https://a.example", &up, &why);

	if (status != 0) {
		FUZZ_MUST(status >= 400 && why.text[0]);
		must_refuse(status, why.text);
		return LET_IN;
	}
	FUZZ_MUST(up.key.len == TLS_WS_KEY);
	tls_websocket_accept(up.key.p, accept);
	n = http_switching(buf, accept, &up);
	FUZZ_MUST(n < HTTP_ANSWER_MAX && !memcmp(buf + n - 4, "\r\n\r\n", 4));
	return UPGRADED;
}

static enum fate
try_bytes(const uint8_t *data, size_t len)
{
	/* Of exactly that size, so that a sanitizer sees one byte more. */
	uint8_t *p = malloc(len + !len);
	struct http_request req;
	struct reason why = { "" };
	enum fate fate = REFUSED;
	size_t seen = 0;
	int end;

	FUZZ_MUST(p);
	memcpy(p, data, len);
	end = http_head_end(p, len, &seen, &why);
	FUZZ_MUST(end_in_pieces(p, len, 1) == end);
	FUZZ_MUST(end_in_pieces(p, len, 1 + fuzz_roll(len + 1)) == end);
	if (end > 0) {
		uint8_t *head = malloc((size_t)end);
		int status;

		FUZZ_MUST(head);
		memcpy(head, p, (size_t)end);
		status = http_parse(slice_of(head, (size_t)end), &req, &why);
		if (status == 0) {
			must_be_plain(&req);
			try_query(&req);
			(void)http_wants_msgpack(&req);
			fate = try_upgrade(&req);
		} else {
			FUZZ_MUST(
			    status >= 400 && status <= 505 && why.text[0]);
		}
		free(head);
	}
	free(p);
	return fate;
}

#ifdef PEAL_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)try_bytes(data, size);
	return 0;
}

#else

enum {
	ROUNDS = 100000,
	BYTES = 12000,
	HANG_SECONDS = 240,
};

static size_t
put(uint8_t *p, size_t n, const char *text)
{
	size_t len = strlen(text);

	if (n + len > BYTES)
		return n;
	memcpy(p + n, text, len);
	return n + len;
}

/* A request line, then headers: good ones first, then any of these. */
static size_t
make_head(uint8_t *p)
{
	static const char *const lines[] = { "GET /v1/ws HTTP/1.1\r\n",
		"GET / HTTP/1.1\r\n", "GET /v1/ws?a=b HTTP/1.1\r\n",
		"POST / HTTP/1.1\r\n", "GET / HTTP/1.0\r\n", "\r\n",
		"GET /?topic=a&topic=%3e&at=12 HTTP/1.1\r\n",
		"GET /?at=2026-01-02T03:04:05Z&reverse=true HTTP/1.1\r\n",
		"GET /?actor=%e4%&limit=18446744073709551616 HTTP/1.1\r\n",
		"GET /?at=%7b%22time%22%3a17%7d&topic=a HTTP/1.1\r\n",
		"GET /?from_time=9&&=&topic=+ HTTP/1.1\r\n",
		"OPTIONS /v1/events?token=a HTTP/1.1\r\n" };
	static const char *const good[] = { "Host: a.example\r\n",
		"Upgrade: websocket\r\n", "Connection: Upgrade\r\n",
		"Sec-WebSocket-Version: 13\r\n",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" };
	static const char *const other[] = { "Host: b\r\n",
		"Origin: https://a.example\r\n", "Origin: null\r\n",
		"Sec-WebSocket-Protocol: x, peal.v1.msgpack\r\n",
		"Sec-WebSocket-Protocol: peal.v1.json\r\n",
		"Sec-WebSocket-Protocol: ,,,,,,,,,,,,,,,,,,,,,\r\n",
		"Authorization: Bearer abc\r\n", "Authorization: x\r\n",
		"Content-Length: 0\r\n", "Content-Length: 9\r\n",
		"Transfer-Encoding: chunked\r\n", "a:b\r\n", "a :b\r\n",
		"Accept: application/msgpack;q=0.5, */*;q=.1\r\n",
		" folded\r\n", ":\r\n", "a: b\n", "a: \xff\r\n",
		"Connection: close\r\n", "Connection:,,keep-alive ,\r\n" };
	size_t n =
	    put(p, 0, lines[fuzz_roll(2) ? 0 : fuzz_roll(ARRAY_LEN(lines))]);

	for (unsigned i = 0; i < ARRAY_LEN(good); i++)
		if (fuzz_roll(40))
			n = put(p, n, good[i]);
	for (uint64_t more = fuzz_roll(30) ? fuzz_roll(4) : fuzz_roll(1000);
	     more > 0; more--)
		n = put(p, n, other[fuzz_roll(ARRAY_LEN(other))]);
	return put(p, n, "\r\n");
}

static size_t
spoil(uint8_t *p, size_t n)
{
	static const char loved[] = "\r\n\0\t :,/=\x7f\x80 %+&;";

	switch (fuzz_roll(5)) {
	case 0:
		p[fuzz_roll(n)] = (uint8_t)fuzz_roll(256);
		return n;
	case 1:
		p[fuzz_roll(n)] = (uint8_t)loved[fuzz_roll(sizeof(loved) - 1)];
		return n;
	case 2:
		return fuzz_roll(4) ? n : fuzz_roll(n);
	default:
		return n;
	}
}

static void
one(const uint8_t *p, size_t len)
{
	(void)try_bytes(p, len);
}

int
main(void)
{
	bool kept;
	static uint8_t bytes[BYTES];
	unsigned fates[3] = { 0 };
	int good;

	printf("1..2\n");
	kept = fuzz_replay("http", one);
	fuzz_seed();
	(void)alarm(HANG_SECONDS);
	for (unsigned i = 0; i < ROUNDS; i++)
		fates[try_bytes(bytes, spoil(bytes, make_head(bytes)))]++;
	good = fates[REFUSED] && fates[LET_IN] && fates[UPGRADED] && queries;
	printf("%sok 2 - a head of any bytes is refused or plain\n",
	    good ? "" : "not ");
	printf("# %u refused, %u let in, %u upgraded, "
	       "%u queries\n",
	    fates[REFUSED], fates[LET_IN], fates[UPGRADED], queries);
	return !(kept && good);
}

#endif
