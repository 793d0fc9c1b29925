/* SPDX-License-Identifier: BSD-2-Clause */

/* JSON documents: what is refused, and what is found. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/jsondoc.h"
#include "core/reason.h"

static void
members_are_found_by_type(void **state)
{
	static const char text[] =
	    "{\"s\":\"a\\u00e9\",\"u\":9223372036854775807,\"n\":-1,"
	    "\"r\":1.0,\"t\":true,\"a\":[1,\"x\",null],\"o\":{\"s\":\"in\"}}";
	CLEANUP(jsondoc_freep) struct jsondoc *doc = NULL;
	const struct jsondoc_value *root;
	struct slice s = SLICE_STR("before");
	uint64_t u = 7;
	bool b = false;
	size_t n = 0;

	assert_int_equal(jsondoc_parse(SLICE_STR(text), &doc, NULL), 0);
	root = jsondoc_root(doc);
	assert_false(jsondoc_string(jsondoc_get(root, "none"), &s));
	assert_false(jsondoc_string(jsondoc_get(root, "u"), &s));
	assert_true(slice_is(s, "before"));
	assert_true(jsondoc_string(jsondoc_get(root, "s"), &s));
	assert_true(slice_is(s, "a\303\251"));
	assert_false(jsondoc_uint(jsondoc_get(root, "n"), &u));
	assert_false(jsondoc_uint(jsondoc_get(root, "r"), &u));
	assert_false(jsondoc_uint(jsondoc_get(root, "s"), &u));
	assert_int_equal(u, 7);
	assert_true(jsondoc_uint(jsondoc_get(root, "u"), &u));
	assert_int_equal(u, INT64_MAX);
	assert_false(jsondoc_bool(jsondoc_get(root, "u"), &b));
	assert_true(jsondoc_bool(jsondoc_get(root, "t"), &b));
	assert_true(b);
	assert_false(jsondoc_array(jsondoc_get(root, "o"), &n));
	assert_true(jsondoc_array(jsondoc_get(root, "a"), &n));
	assert_int_equal(n, 3);
	assert_true(jsondoc_string(jsondoc_at(jsondoc_get(root, "a"), 1), &s));
	assert_null(jsondoc_at(jsondoc_get(root, "a"), 3));
	assert_null(jsondoc_at(root, 0));
	assert_true(jsondoc_is_object(jsondoc_get(root, "o")));
	assert_true(
	    jsondoc_string(jsondoc_get(jsondoc_get(root, "o"), "s"), &s));
	assert_true(slice_is(s, "in"));
	assert_null(jsondoc_get(jsondoc_get(root, "s"), "s"));
	assert_null(jsondoc_get(NULL, "s"));
	assert_false(jsondoc_is_object(NULL));
}

static void
what_is_no_object_of_strict_json_is_refused(void **state)
{
	static const struct {
		struct slice text;
		const char *says;
	} odd[] = {
		{ SLICE_STR(""), "not valid JSON at byte 0" },
		{ SLICE_STR("[]"), "not a JSON object" },
		{ SLICE_STR("{} {}"), "not valid JSON" },
		{ SLICE_STR("{\"a\":1,}"), "not valid JSON" },
		{ SLICE_STR("{'a':1}"), "not valid JSON" },
		{ SLICE_STR("{\"a\":01}"), "not valid JSON" },
		{ SLICE_STR("{\"a\":NaN}"), "not valid JSON" },
		{ SLICE_STR("{\"a\":9223372036854775808}"), "not valid" },
		{ SLICE_STR("{\"a\":1e999}"), "not valid JSON" },
		{ SLICE_STR("{\"a\":\"\\ud800\"}"), "not valid JSON" },
		{ SLICE_STR("{\"a\":\"\\u0000\"}"), "not valid JSON" },
		{ SLICE_STR("{\"a\":\"\xc0\x80\"}"), "not valid JSON" },
		{ SLICE_STR("{\"a\":\"\n\"}"), "not valid JSON" },
		{ SLICE_STR("{\"a\":1}\0"), "not valid JSON" },
		{ SLICE_STR("{\"a\":1,\"a\":1}"), "given twice" },
		{ SLICE_STR("{\"a\":[{\"b\":1,\"b\":1}]}"), "given twice" },
		{ SLICE_STR("{\"a\":1,\"\\u0061\":1}"), "given twice" },
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct jsondoc *doc = NULL;
		struct reason why = { "" };

		assert_int_equal(
		    jsondoc_parse(odd[i].text, &doc, &why), -EPROTO);
		assert_null(doc);
		if (!strstr(why.text, odd[i].says))
			fail_msg("'%s' lacks '%s'", why.text, odd[i].says);
	}
}

static void
deep_nesting_is_refused_and_does_no_harm(void **state)
{
	static char text[200000];
	struct jsondoc *doc = NULL;

	memset(text, '[', sizeof(text));
	memcpy(text, "{\"a\":", 5);
	assert_int_equal(
	    jsondoc_parse(slice_of(text, sizeof(text)), &doc, NULL), -EPROTO);
}

static void
a_refusal_repeats_nothing_of_the_text(void **state)
{
	struct jsondoc *doc = NULL;
	struct reason why = { "" };

	assert_int_equal(
	    jsondoc_parse(SLICE_STR("{\"secret\":hunter2}"), &doc, &why),
	    -EPROTO);
	assert_null(strstr(why.text, "hunter2"));
	assert_null(strstr(why.text, "secret"));
	assert_int_equal(
	    jsondoc_parse(
		SLICE_STR("{\"hunter2\":1,\"hunter2\":2}"), &doc, &why),
	    -EPROTO);
	assert_null(strstr(why.text, "hunter2"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_by_type),
		cmocka_unit_test(what_is_no_object_of_strict_json_is_refused),
		cmocka_unit_test(deep_nesting_is_refused_and_does_no_harm),
		cmocka_unit_test(a_refusal_repeats_nothing_of_the_text),
	};

	return cmocka_run_group_tests_name("jsondoc", tests, NULL, NULL);
}
