/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Any bytes in front of everything that reads values: validator, walk,
 * canonical form, requests, events, both directions of the JSON form.  As a
 * libFuzzer target with -DPEAL_LIBFUZZER; else a test over random values,
 * requests and damage to them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/json.h"
#include "core/mpvalid.h"
#include "core/proto.h"
#include "core/reason.h"
#include "core/topic.h"
#include "tests/lib/fuzz.h"

/* A request, whether its bytes were validated or not. */
static void
read_request(struct slice bytes)
{
	struct proto_append_event event;
	struct proto_request req;
	struct proto_check check;
	struct reason why = { "" };
	struct mp_item head;
	struct mp_walk w;

	if (proto_request_parse(bytes, &req, &why)) {
		FUZZ_MUST(why.text[0]);
		return;
	}
	if (req.op != PROTO_APPEND)
		return;
	w = mp_walk(req.append.events);
	FUZZ_MUST(mp_next(&w, &head) && head.type == MP_ARRAY);
	while (head.n-- > 0 && !proto_append_event_parse(&w, &event, &why))
		FUZZ_MUST(topic_valid(event.topic, &why) && event.data.len);
	w = mp_walk(req.append.checks);
	if (mp_next(&w, &head))
		while (head.n-- > 0 && !proto_check_parse(&w, &check, &why))
			FUZZ_MUST(check.version.set);
}

/* An event, as from a ring or log; what was read is within its bytes. */
static void
read_event(struct slice bytes)
{
	struct event ev;
	struct reason why;

	if (event_decode(bytes, &ev, &why) < 0)
		return;
	FUZZ_MUST(ev.topic.len && ev.data.p > bytes.p);
	FUZZ_MUST(ev.data.p + ev.data.len + ev.meta.len == bytes.p + bytes.len);
	(void)event_meta_get(ev.meta, "key");
}

/* A valid value comes back from its text, but for the width of floats. */
static void
there_and_back(struct slice value)
{
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf back = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf again = { 0 };
	struct reason why;
	int err;

	FUZZ_MUST(json_from_mp(value, &text) == 0);
	err = json_to_mp(slice_of(text.p, text.len), &back, &why);
	/* Two keys may be one when both have turned into doubles. */
	if (err && strstr(why.text, "twice"))
		return;
	FUZZ_MUST(err == 0);
	FUZZ_MUST(json_from_mp(slice_of(back.p, back.len), &again) == 0);
	FUZZ_MUST(slice_equal(
	    slice_of(text.p, text.len), slice_of(again.p, again.len)));
}

static void
read_value(struct slice bytes)
{
	CLEANUP(mp_buf_deinit) struct mp_buf out = { 0 };
	struct reason why = { "" };
	int got = mpvalid_check(bytes.p, bytes.len, &why);

	FUZZ_MUST(got >= 0);
	if (got == MPVALID_BAD) {
		FUZZ_MUST(why.text[0]);
		(void)!mp_canonical(bytes, &out);
		(void)!json_from_mp(bytes, &out);
		return;
	}
	FUZZ_MUST(mp_canonical(bytes, &out) == 0);
	FUZZ_MUST(mpvalid_check(out.p, out.len, &why) == MPVALID_OK);
	FUZZ_MUST(slice_equal(slice_of(out.p, out.len), bytes) ==
		  (got == MPVALID_OK));
	there_and_back(slice_of(out.p, out.len));
}

static void
read_text(struct slice bytes)
{
	CLEANUP(mp_buf_deinit) struct mp_buf mp = { 0 };
	struct reason why = { "" };

	if (json_to_mp(bytes, &mp, &why) < 0) {
		FUZZ_MUST(why.text[0] && mp.len == 0);
		return;
	}
	FUZZ_MUST(mpvalid_check(mp.p, mp.len, &why) == MPVALID_OK);
	there_and_back(slice_of(mp.p, mp.len));
}

static void
read_name(struct slice bytes)
{
	char buf[TOPIC_ESCAPED_MAX + 1];
	size_t len = topic_escape(bytes, buf);
	struct reason why;

	FUZZ_MUST(len <= TOPIC_ESCAPED_MAX && buf[len] == '\0');
	if (bytes.len)
		FUZZ_MUST(topic_valid(slice_of(buf, len), &why));
	if (topic_valid(bytes, &why)) {
		FUZZ_MUST(topic_pattern_valid(bytes, &why));
		FUZZ_MUST(topic_match(bytes, bytes));
		FUZZ_MUST(topic_patterns_meet(bytes, bytes));
	}
}

static void
read_all(const uint8_t *p, size_t len)
{
	struct slice bytes = slice_of(p, len);

	read_value(bytes);
	read_request(bytes);
	read_event(bytes);
	read_text(bytes);
	read_name(bytes);
}

#ifdef PEAL_LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	read_all(p, len);
	return 0;
}
#else
#include "tests/lib/mpgen.h"

enum {
	ROUNDS = 20000
};

static struct mpgen gen;

static void
put_text(const char *text)
{
	gen.len = strlen(text);
	memcpy(gen.bytes, text, gen.len);
}

/* A request of the protocol as text, or as the bytes it stands for. */
static void
put_request(bool packed)
{
	static const char *const requests[] = {
		"{\"op\":\"append\",\"id\":1,\"events\":[{\"topic\":\"a.b\","
		"\"type\":\"t\",\"data\":{\"x\":[1,{\"$bin\":\"AQI=\"}]},"
		"\"key\":\"k\",\"expect\":3,\"meta\":{\"a\":1.5}}],"
		"\"checks\":[{\"topic\":\"c\",\"version\":1}]}",
		"{\"op\":\"subscribe\",\"id\":2,\"topics\":[\"a.>\",\"*\"],"
		"\"from\":5,\"log\":\"l\",\"types\":[\"*d\"]}",
		"{\"op\":\"history\",\"id\":3,\"topic\":\"a.*\",\"limit\":5,"
		"\"after\":{\"$int\":\"9007199254740993\"}}",
		"[1,1700000000000000,\"a.b\",1,\"t\",\"ada\","
		"{\"$time\":\"2023-11-14T22:13:20Z\"},{\"key\":\"k\"}]",
		"{\"$map\":[[1,{\"$ext\":5,\"data\":\"AA==\"}]]}",
	};
	const char *text = requests[mpgen_below(&gen, ARRAY_LEN(requests))];
	CLEANUP(mp_buf_deinit) struct mp_buf mp = { 0 };
	struct reason why;

	put_text(text);
	if (!packed)
		return;
	FUZZ_MUST(json_to_mp(slice_cstr(text), &mp, &why) == 0);
	gen.len = mp.len;
	memcpy(gen.bytes, mp.p, mp.len);
}

int
main(void)
{
	bool kept;

	printf("1..2\n");
	kept = fuzz_replay("value", read_all);
	mpgen_seed(&gen);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t *exact;

		gen.loose = i % 2;
		gen.timestamps = true;
		if (i % 3)
			put_request(i % 3 == 1);
		else
			mpgen_value(&gen, 4);
		for (unsigned n = i % 4; n > 0; n--)
			mpgen_mutate(&gen);
		exact = malloc(gen.len + !gen.len);
		FUZZ_MUST(exact);
		memcpy(exact, gen.bytes, gen.len);
		read_all(exact, gen.len);
		free(exact);
	}
	printf("ok 2 - no bytes lead a reader of values astray\n");
	return !kept;
}
#endif
