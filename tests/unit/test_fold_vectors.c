/* SPDX-License-Identifier: BSD-2-Clause */

/* The test vectors of doc/protocol.md, byte for byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fold.h"
#include "core/json.h"
#include "core/mp.h"
#include "core/proto.h"
#include "core/reason.h"

enum {
	VECTORS_LEAST = 30,
	PAGE_MAX = 1 << 20
};

/* A vector's before and event, folded by its rules, as bytes into out. */
static void
fold_vector(struct slice vector, struct mp_buf *out)
{
	CLEANUP(fold_deinit) struct fold fold = { 0 };
	struct rules *rules CLEANUP(rules_freep) = NULL;
	struct slice before_bytes = proto_get(vector, "before");
	struct slice text = proto_get_str(vector, "rules");
	char copy[256] = "";
	struct row before, after;
	struct event ev;
	struct reason why;
	uint8_t *to;

	assert_true(text.len < sizeof(copy));
	if (text.len)
		memcpy(copy, text.p, text.len);
	if (rules_parse(copy, &rules, &why) < 0 ||
	    event_decode(proto_get(vector, "event"), &ev, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(before_bytes.len > 0);
	if (before_bytes.len > 1 && row_decode(before_bytes, &before, &why) < 0)
		fail_msg("%s", why.text);
	assert_true(
	    fold_event(&fold, rules, before_bytes.len > 1 ? &before : NULL, &ev,
		&after) >= 0);
	out->len = 0;
	to = mp_buf_reserve(out, row_size(&after));
	assert_non_null(to);
	out->len = (size_t)(row_encode(&after, to) - out->p);
}

/* Does the line fold to its after?  Else *text says to what. */
static bool
holds(struct slice line, struct mp_buf *text)
{
	CLEANUP(mp_buf_deinit) struct mp_buf vector = { 0 };
	CLEANUP(mp_buf_deinit) struct mp_buf got = { 0 };
	struct slice bytes, want;
	struct reason why;

	if (json_to_mp(line, &vector, &why) < 0)
		fail_msg("%.*s: %s", (int)line.len, line.p, why.text);
	bytes = slice_of(vector.p, vector.len);
	want = proto_get(bytes, "after");
	assert_true(proto_get_str(bytes, "name").len && want.len);
	fold_vector(bytes, &got);
	text->len = 0;
	assert_int_equal(json_from_mp(slice_of(got.p, got.len), text), 0);
	return slice_equal(slice_of(got.p, got.len), want);
}

/* The text between the fence that follows heading and the next one. */
static char *
fenced(char *page, const char *heading)
{
	char *at = strstr(page, heading), *end;

	at = at ? strstr(at, "\n```json\n") : NULL;
	end = at ? strstr(at + 9, "\n```\n") : NULL;
	if (!end)
		fail_msg("no block of vectors is on the page");
	*end = '\0';
	return at + 9;
}

static char *
read_page(void)
{
	const char *top = getenv("top_srcdir");
	char path[4096];
	char *page = calloc(1, PAGE_MAX);
	FILE *file;

	assert_non_null(page);
	snprintf(path, sizeof(path), "%s/doc/protocol.md", top ? top : ".");
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s can't be opened", path);
	assert_true(fread(page, 1, PAGE_MAX - 1, file) < PAGE_MAX - 1);
	fclose(file);
	return page;
}

static void
a_vector_that_is_wrong_is_noticed(void **state)
{
	static const char *const wrong[] = {
		"{\"name\":\"x\",\"before\":null,"
		"\"event\":[9,8,\"a\",1,\"set\",\"\",1],"
		"\"after\":[\"a\",1,9,8,\"\",8,\"\",false,1.0]}",
		"{\"name\":\"x\",\"before\":null,\"rules\":\"*=delete\","
		"\"event\":[9,8,\"a\",1,\"set\",\"\",1],"
		"\"after\":[\"a\",1,9,8,\"\",8,\"\",false,1]}",
	};
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(holds(slice_cstr(wrong[i]), &text));
}

static void
the_vectors_of_the_protocol_fold_byte_for_byte(void **state)
{
	CLEANUP(mp_buf_deinit) struct mp_buf text = { 0 };
	char *page CLEANUP(freep) = read_page(), *save = NULL;
	char *line = strtok_r(fenced(page, "\n## Folding\n"), "\n", &save);
	unsigned n = 0;

	for (; line; line = strtok_r(NULL, "\n", &save), n++)
		if (!holds(slice_cstr(line), &text))
			fail_msg("%s: got %.*s", line, (int)text.len,
			    (char *)text.p);
	printf("# %u vectors\n", n);
	assert_true(n >= VECTORS_LEAST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vector_that_is_wrong_is_noticed),
		cmocka_unit_test(
		    the_vectors_of_the_protocol_fold_byte_for_byte),
	};

	return cmocka_run_group_tests_name("fold_vectors", tests, NULL, NULL);
}
