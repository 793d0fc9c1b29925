/* SPDX-License-Identifier: BSD-2-Clause */

/* Query strings: what is decoded how, and what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/reason.h"
#include "gateway/http_query.h"

static const struct http_field fields[] = {
	{ "topic", "topics", HTTP_KIND_STRS },
	{ "actor", "by", HTTP_KIND_STR },
	{ "limit", "limit", HTTP_KIND_UINT },
	{ "from", "from", HTTP_KIND_TIME },
	{ "at", "at", HTTP_KIND_AT },
	{ "reverse", "reverse", HTTP_KIND_BOOL },
	{ 0 },
};

/* The request as JSON with ' for ", or "400". */
static const char *
packed(const char *query)
{
	static char text[1024];
	struct mp_buf b = { 0 }, json = { 0 };
	struct reason why = { "" };
	int status =
	    http_query_pack(slice_cstr(query), "ask", fields, &b, &why);

	if (status != 0) {
		assert_int_equal(status, 400);
		assert_true(why.text[0]);
		strcpy(text, "400");
	} else {
		assert_int_equal(json_from_mp(slice_of(b.p, b.len), &json), 0);
		assert_true(json.len < sizeof(text));
		memcpy(text, json.p, json.len);
		text[json.len] = '\0';
		for (char *p = text; *p != '\0'; p++)
			if (*p == '"')
				*p = '\'';
	}
	mp_buf_deinit(&b);
	mp_buf_deinit(&json);
	return text;
}

struct row {
	const char *query;
	const char *request;
};

static void
check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_string_equal(packed(rows[i].query), rows[i].request);
}

static void
each_kind_is_packed_as_what_it_is(void **state)
{
	static const struct row rows[] = {
		{ "", "{'op':'ask'}" },
		{ "actor=me", "{'op':'ask','by':'me'}" },
		{ "actor=", "{'op':'ask','by':''}" },
		{ "actor", "{'op':'ask','by':''}" },
		{ "actor=a=b", "{'op':'ask','by':'a=b'}" },
		{ "topic=a", "{'op':'ask','topics':['a']}" },
		{ "topic=a&limit=1&topic=b",
		    "{'op':'ask','topics':['a','b'],'limit':1}" },
		{ "limit=0", "{'op':'ask','limit':0}" },
		{ "limit=007", "{'op':'ask','limit':7}" },
		{ "limit=9007199254740993",
		    "{'op':'ask','limit':{'$int':'9007199254740993'}}" },
		{ "from=5", "{'op':'ask','from':5}" },
		{ "from=1970-01-01T00:00:01.0000019Z",
		    "{'op':'ask','from':1000001}" },
		{ "at=5", "{'op':'ask','at':5}" },
		{ "at=1970-01-01T01:00:00%2B01:00",
		    "{'op':'ask','at':{'time':0}}" },
		{ "at={%22time%22:7}", "{'op':'ask','at':{'time':7}}" },
		{ "reverse=true", "{'op':'ask','reverse':true}" },
		{ "reverse=false", "{'op':'ask','reverse':false}" },
	};

	check(rows, ARRAY_LEN(rows));
}

static void
percent_is_followed_by_two_hex_digits(void **state)
{
	static const struct row rows[] = {
		{ "actor=%41%6a%6A", "{'op':'ask','by':'Ajj'}" },
		{ "actor=%c3%A4", "{'op':'ask','by':'\xc3\xa4'}" },
		{ "actor=%26%3d%25", "{'op':'ask','by':'&=%'}" },
		{ "actor=%2541", "{'op':'ask','by':'%41'}" },
		{ "actor=%", "400" },
		{ "actor=%4", "400" },
		{ "actor=%4&limit=1", "400" },
		{ "actor=%4g", "400" },
		{ "actor=%g4", "400" },
		{ "actor=%%41", "400" },
		{ "actor=%u0041", "400" },
		{ "actor=a+b", "400" },
		{ "limit=%31", "{'op':'ask','limit':1}" },
	};

	check(rows, ARRAY_LEN(rows));
}

static void
what_is_not_known_or_twice_or_no_value_is_refused(void **state)
{
	static const struct row rows[] = {
		{ "nobody=1", "400" },
		{ "Actor=1", "400" },
		{ "%61ctor=1", "400" },
		{ "=1", "400" },
		{ "&actor=1", "400" },
		{ "actor=1&&limit=1", "400" },
		{ "actor=1;limit=1", "{'op':'ask','by':'1;limit=1'}" },
		{ "actor=1&actor=1", "400" },
		{ "limit=1&limit=1", "400" },
		{ "limit=", "400" },
		{ "limit=-1", "400" },
		{ "limit=1.0", "400" },
		{ "limit=0x1", "400" },
		{ "limit=%201", "400" },
		{ "limit=18446744073709551615",
		    "{'op':'ask','limit':{'$int':'18446744073709551615'}}" },
		{ "limit=18446744073709551616", "400" },
		{ "limit=99999999999999999999999", "400" },
		{ "from=yesterday", "400" },
		{ "from=1969-12-31T23:59:59Z", "400" },
		{ "at=", "400" },
		{ "at=2026-01-01", "400" },
		{ "at={%22time%22:7", "400" },
		{ "at=[7]", "400" },
		{ "reverse=1", "400" },
		{ "reverse", "400" },
		{ "reverse=True", "400" },
	};

	check(rows, ARRAY_LEN(rows));
}

static void
a_path_without_parameters_says_so(void **state)
{
	static const struct http_field none[] = { { 0 } };
	struct mp_buf b = { 0 };
	struct reason why = { "" };

	assert_int_equal(
	    http_query_pack(SLICE_STR("a=1"), "ask", none, &b, &why), 400);
	assert_non_null(strstr(why.text, "no parameters"));
	mp_buf_deinit(&b);
}

static void
a_token_in_a_query_is_refused_wherever_it_is(void **state)
{
	static const char *const bad[] = { "token=x", "token", "a=1&token=x",
		"access_token=x", "a&b&access_token=" };
	static const char *const good[] = { "", "a=token", "tokens=1",
		"Token=1", "a=1&b=token=x" };
	struct reason why = { "" };

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    http_query_secret(slice_cstr(bad[i]), &why), 400);
	assert_null(strstr(why.text, "=x"));
	for (unsigned i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(
		    http_query_secret(slice_cstr(good[i]), &why), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_packed_as_what_it_is),
		cmocka_unit_test(percent_is_followed_by_two_hex_digits),
		cmocka_unit_test(
		    what_is_not_known_or_twice_or_no_value_is_refused),
		cmocka_unit_test(a_path_without_parameters_says_so),
		cmocka_unit_test(a_token_in_a_query_is_refused_wherever_it_is),
	};

	return cmocka_run_group_tests_name("http_query", tests, NULL, NULL);
}
