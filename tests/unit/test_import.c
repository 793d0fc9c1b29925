/* SPDX-License-Identifier: BSD-2-Clause */

/* The parts of an import: lines, keys, occurrence numbers, progress. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/json.h"
#include "core/reason.h"
#include "core/sha256.h"
#include "core/topic.h"
#include "tools/import_file.h"
#include "tools/import_line.h"
#include "tools/import_progress.h"
#include "tools/import_seen.h"

static char dir[] = "/tmp/peal-test-import-XXXXXX";

static int
make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int
remove_dir(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static const char *
write_file(const char *bytes, size_t len)
{
	static char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/lines", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

/* --- the file --- */

static void
expect_line(struct import_file *f, const char *text)
{
	struct slice line;
	struct reason why;

	assert_int_equal(import_file_next(f, &line, &why), IMPORT_LINE);
	assert_int_equal(line.len, strlen(text));
	assert_memory_equal(line.p, text, line.len);
}

static void
lines_come_with_number_offset_and_checksum(void **state)
{
	static const char text[] = "one\ntwo\r\n\nlast";
	struct import_file f;
	struct slice line;
	struct reason why;

	assert_int_equal(
	    import_file_open(&f, write_file(text, sizeof(text) - 1), &why), 0);
	expect_line(&f, "one");
	assert_int_equal(f.offset, 4);
	assert_int_equal(f.crc, crc32c(0, text, 4));
	expect_line(&f, "two");
	assert_int_equal(f.offset, 9);
	expect_line(&f, "");
	assert_true(f.whole);
	expect_line(&f, "last");
	assert_false(f.whole);
	assert_int_equal(f.line, 4);
	assert_int_equal(f.offset, sizeof(text) - 1);
	assert_int_equal(f.crc, crc32c(0, text, sizeof(text) - 1));
	assert_int_equal(import_file_next(&f, &line, &why), IMPORT_END);
	import_file_close(&f);
}

static void
a_line_beyond_the_limit_is_stepped_over(void **state)
{
	/* Of the limit, one beyond it, and far beyond what is buffered. */
	static const size_t extra[] = { 0, 1, 3 << 20 };

	for (size_t i = 0; i < sizeof(extra) / sizeof(*extra); i++) {
		size_t len = (size_t)IMPORT_LINE_MAX + extra[i];
		char *text = malloc(len + 8);
		struct import_file f;
		struct slice line;
		struct reason why;

		assert_non_null(text);
		memset(text, 'x', len);
		memcpy(text + len, "\nafter\n", 7);
		assert_int_equal(
		    import_file_open(&f, write_file(text, len + 7), &why), 0);
		assert_int_equal(import_file_next(&f, &line, &why),
		    extra[i] ? IMPORT_TOO_LONG : IMPORT_LINE);
		assert_int_equal(f.line, 1);
		assert_int_equal(f.offset, len + 1);
		assert_int_equal(f.crc, crc32c(0, text, len + 1));
		expect_line(&f, "after");
		import_file_close(&f);
		free(text);
	}
}

static void
a_directory_is_no_file(void **state)
{
	struct import_file f;
	struct reason why;

	assert_true(import_file_open(&f, dir, &why) < 0);
	import_file_close(&f);
}

/* --- lines --- */

static int
parse(const char *text, struct mp_buf *scratch, struct writer_append *append,
    struct reason *why)
{
	why->text[0] = '\0';
	return import_line_parse(
	    slice_cstr(text), UINT64_C(1700000000000000), scratch, append, why);
}

static void
a_line_is_read_as_an_event(void **state)
{
	struct mp_buf scratch = { 0 };
	struct writer_append a;
	struct reason why;

	assert_int_equal(
	    parse("{\"time\":1140791755000000,\"topic\":\"repo.x\","
		  "\"type\":\"file_created\",\"actor\":\"dev\","
		  "\"data\":{\"n\":3},\"unknown\":1}",
		&scratch, &a, &why),
	    0);
	assert_true(slice_is(a.topic, "repo.x"));
	assert_true(slice_is(a.type, "file_created"));
	assert_true(slice_is(a.actor, "dev"));
	assert_true(a.time_us.set);
	assert_int_equal(a.time_us.v, UINT64_C(1140791755000000));
	assert_int_equal(a.data.len, 4);
	assert_memory_equal(a.data.p, "\x81\xa1n\x03", 4);
	mp_buf_deinit(&scratch);
}

static void
what_may_be_left_out_is_left_out(void **state)
{
	struct mp_buf scratch = { 0 };
	struct writer_append a;
	struct reason why;

	assert_int_equal(
	    parse("{\"topic\":\"a\",\"type\":\"t\"}", &scratch, &a, &why), 0);
	assert_false(a.time_us.set);
	assert_null(a.actor.p);
	assert_int_equal(a.data.len, 1);
	assert_int_equal(a.data.p[0], 0xc0);
	mp_buf_deinit(&scratch);
}

static void
a_line_that_is_no_event_is_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "{", "" },
		{ "[1]", "object" },
		{ "{\"topic\":\"a\",\"topic\":\"b\",\"type\":\"t\"}", "" },
		{ "{\"type\":\"t\"}", "'topic' is missing" },
		{ "{\"topic\":\"a\"}", "'type' is missing" },
		{ "{\"topic\":1,\"type\":\"t\"}", "'topic'" },
		{ "{\"topic\":\"a..b\",\"type\":\"t\"}", "a..b" },
		{ "{\"topic\":\"a.*\",\"type\":\"t\"}", "" },
		{ "{\"topic\":\"a\",\"type\":\"\"}", "" },
		{ "{\"topic\":\"a\",\"type\":\"t\",\"time\":-1}", "'time'" },
		{ "{\"topic\":\"a\",\"type\":\"t\",\"time\":1.5}", "'time'" },
		{ "{\"topic\":\"a\",\"type\":\"t\",\"time\":1700000001000001}",
		    "future" },
		{ "{\"topic\":\"a\",\"type\":\"t\",\"meta\":1}", "'meta'" },
		{ "{\"topic\":\"a\",\"type\":\"\xff\"}", "" },
	};
	struct mp_buf scratch = { 0 };
	struct writer_append a;
	struct reason why;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (parse(cases[i].line, &scratch, &a, &why) != -EPROTO)
			fail_msg("taken for an event: %s", cases[i].line);
		if (!why.text[0] || !strstr(why.text, cases[i].says))
			fail_msg("%s: %s", cases[i].line, why.text);
	}
	/* One second of difference between clocks is let through. */
	assert_int_equal(
	    parse("{\"topic\":\"a\",\"type\":\"t\",\"time\":1700000001000000}",
		&scratch, &a, &why),
	    0);
	mp_buf_deinit(&scratch);
}

static void
an_event_beyond_one_mebibyte_is_refused(void **state)
{
	static const char head[] =
	    "{\"topic\":\"a\",\"type\":\"t\",\"data\":\"";
	size_t len = (1 << 20) - 200;
	struct mp_buf scratch = { 0 };
	struct writer_append a;
	struct reason why;
	char *text = calloc(1, len + 1000);

	assert_non_null(text);
	strcpy(text, head);
	memset(text + strlen(head), 'x', len);
	strcpy(text + strlen(head) + len, "\"}");
	assert_int_equal(parse(text, &scratch, &a, &why), 0);
	memset(text + strlen(head), 'x', len + 200);
	strcpy(text + strlen(head) + len + 200, "\"}");
	assert_int_equal(parse(text, &scratch, &a, &why), -EPROTO);
	free(text);
	mp_buf_deinit(&scratch);
}

/* --- lines of a memory graph --- */

static void
an_entity_becomes_an_event_with_all_its_members_but_the_type(void **state)
{
	struct mp_buf scratch = { 0 }, json = { 0 };
	struct writer_append a;
	struct reason why;

	assert_int_equal(parse("{\"type\":\"entity\",\"name\":\"a b.c\","
			       "\"entityType\":\"t\",\"observations\":[\"o\"],"
			       "\"time\":1,\"actor\":\"x\"}",
			     &scratch, &a, &why),
	    0);
	assert_true(slice_is(a.topic, "graph.entity.a%20b%2Ec"));
	assert_true(slice_is(a.type, "entity_created"));
	assert_null(a.actor.p);
	assert_false(a.time_us.set);
	assert_int_equal(json_from_mp(a.data, &json), 0);
	assert_true(slice_is(slice_of(json.p, json.len),
	    "{\"name\":\"a b.c\",\"entityType\":\"t\",\"observations\":[\"o\"],"
	    "\"time\":1,\"actor\":\"x\"}"));
	mp_buf_deinit(&json);
	mp_buf_deinit(&scratch);
}

static void
a_relation_becomes_an_event_whatever_the_order_of_its_members(void **state)
{
	struct mp_buf scratch = { 0 }, json = { 0 };
	struct writer_append a;
	struct reason why;

	assert_int_equal(parse("{\"to\":\"b\",\"count\":13,"
			       "\"relationType\":\"x y\",\"from\":\"$a\","
			       "\"type\":\"relation\"}",
			     &scratch, &a, &why),
	    0);
	assert_true(slice_is(a.topic, "graph.relation.%24a.x%20y.b"));
	assert_true(slice_is(a.type, "relation_created"));
	assert_int_equal(json_from_mp(a.data, &json), 0);
	assert_true(slice_is(slice_of(json.p, json.len),
	    "{\"to\":\"b\",\"count\":13,\"relationType\":\"x y\","
	    "\"from\":\"$a\"}"));
	mp_buf_deinit(&json);
	mp_buf_deinit(&scratch);
}

static void
with_a_topic_it_is_an_event_like_any_other(void **state)
{
	struct mp_buf scratch = { 0 };
	struct writer_append a;
	struct reason why;

	assert_int_equal(
	    parse("{\"type\":\"entity\",\"topic\":\"a\"}", &scratch, &a, &why),
	    0);
	assert_true(slice_is(a.type, "entity"));
	assert_true(slice_is(a.topic, "a"));
	mp_buf_deinit(&scratch);
}

static void
a_line_of_a_graph_that_lacks_something_is_refused(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "{\"type\":\"entity\"}", "'name' is missing" },
		{ "{\"type\":\"entity\",\"name\":1}", "'name' is no text" },
		{ "{\"type\":\"entity\",\"name\":\"\"}", "'name' is empty" },
		{ "{\"type\":\"entity\",\"name\":\"a\"}", "'entityType'" },
		{ "{\"type\":\"entity\",\"name\":\"a\",\"entityType\":\"t\"}",
		    "'observations' is missing" },
		{ "{\"type\":\"entity\",\"name\":\"a\",\"entityType\":\"t\","
		  "\"observations\":\"o\"}",
		    "'observations' is no array" },
		{ "{\"type\":\"relation\"}", "'from' is missing" },
		{ "{\"type\":\"relation\",\"from\":\"a\"}", "'to' is missing" },
		{ "{\"type\":\"relation\",\"from\":\"a\",\"to\":[]}",
		    "'to' is no text" },
		{ "{\"type\":\"relation\",\"from\":\"a\",\"to\":\"b\"}",
		    "'relationType' is missing" },
		{ "{\"type\":\"node\",\"name\":\"a\"}", "'topic' is missing" },
	};
	struct mp_buf scratch = { 0 };
	struct writer_append a;
	struct reason why;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (parse(cases[i].line, &scratch, &a, &why) != -EPROTO)
			fail_msg("taken for an event: %s", cases[i].line);
		if (!strstr(why.text, cases[i].says))
			fail_msg("%s: %s", cases[i].line, why.text);
	}
	mp_buf_deinit(&scratch);
}

static void
every_line_of_the_sample_is_an_event(void **state)
{
	const char *top = getenv("top_srcdir");
	struct mp_buf scratch = { 0 };
	struct writer_append a;
	struct import_file f;
	struct slice line;
	struct reason why;
	char path[4096];
	unsigned n = 0;

	snprintf(
	    path, sizeof(path), "%s/tests/data/graph.jsonl", top ? top : ".");
	assert_int_equal(import_file_open(&f, path, &why), 0);
	while (import_file_next(&f, &line, &why) == IMPORT_LINE) {
		if (import_line_parse(line, 1, &scratch, &a, &why) < 0)
			fail_msg("line %u: %s", n + 1, why.text);
		assert_true(topic_valid(a.topic, NULL));
		n++;
	}
	assert_int_equal(n, 60);
	import_file_close(&f);
	mp_buf_deinit(&scratch);
}

/* --- keys --- */

static void
equal_lines_get_different_keys_and_the_same_in_every_run(void **state)
{
	char keys[2][4][IMPORT_KEY_BYTES + 1];
	static const char *const lines[] = { "x", "y", "x", "x" };
	struct sha256 sum = { 0 };

	for (unsigned run = 0; run < 2; run++) {
		struct import_seen seen = { 0 };
		uint32_t n;

		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(
			    import_seen_count(&seen, slice_cstr(lines[i]), &n),
			    0);
			import_seen_key(
			    &sum, slice_cstr(lines[i]), n, keys[run][i]);
		}
		assert_int_equal(n, 3);
		import_seen_deinit(&seen);
	}
	sha256_deinit(&sum);
	assert_memory_equal(keys[0], keys[1], sizeof(keys[0]));
	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(keys[0][i], keys[0][j]);
}

/* printf 'x\0001' | sha256sum */
static void
a_key_is_the_hash_that_is_documented(void **state)
{
	char key[IMPORT_KEY_BYTES + 1];
	struct sha256 sum = { 0 };

	import_seen_key(&sum, SLICE_STR("x"), 1, key);
	sha256_deinit(&sum);
	assert_string_equal(key, "ed2a0f431969336db5d77431197daac3");
}

static void
counting_survives_the_growth_of_the_table(void **state)
{
	struct import_seen seen = { 0 };
	uint32_t n;
	char text[16];

	for (unsigned round = 1; round <= 2; round++)
		for (unsigned i = 0; i < 40000; i++) {
			int len = snprintf(text, sizeof(text), "line %u", i);

			assert_int_equal(import_seen_count(&seen,
					     slice_of(text, (size_t)len), &n),
			    0);
			assert_int_equal(n, round);
		}
	import_seen_deinit(&seen);
}

/* --- progress --- */

static void
progress_is_read_as_it_was_written(void **state)
{
	const struct import_progress p = { .log = "00ff-1",
		.offset = 12345678901,
		.line = 7,
		.crc = 0xfedcba98,
		.seq = 99,
		.stored = 5,
		.duplicates = 1,
		.skipped = 1,
		.complete = true };
	struct import_progress got;
	const char *path = write_file("", 0);
	struct reason why;

	assert_int_equal(
	    import_progress_read(path, &got), IMPORT_PROGRESS_NONE);
	assert_int_equal(import_progress_write(path, &p, &why), 0);
	assert_int_equal(
	    import_progress_read(path, &got), IMPORT_PROGRESS_READ);
	assert_string_equal(got.log, p.log);
	assert_int_equal(got.offset, p.offset);
	assert_int_equal(got.line, p.line);
	assert_int_equal(got.crc, p.crc);
	assert_int_equal(got.seq, p.seq);
	assert_int_equal(got.stored, p.stored);
	assert_int_equal(got.duplicates, p.duplicates);
	assert_int_equal(got.skipped, p.skipped);
	assert_true(got.complete);
}

static void
progress_with_any_bit_changed_is_none(void **state)
{
	const struct import_progress p = { .log = "00ff-1", .offset = 5 };
	struct import_progress got;
	const char *path = write_file("", 0);
	char name[80], bytes[1024];
	struct reason why;
	size_t len;
	FILE *f;

	assert_int_equal(import_progress_write(path, &p, &why), 0);
	snprintf(name, sizeof(name), "%s.peal-progress", path);
	f = fopen(name, "r+");
	assert_non_null(f);
	len = fread(bytes, 1, sizeof(bytes), f);
	assert_true(len > 100);
	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		rewind(f);
		assert_int_equal(fwrite(bytes, 1, len, f), len);
		assert_int_equal(fflush(f), 0);
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(
		    import_progress_read(path, &got), IMPORT_PROGRESS_NONE);
	}
	fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_with_number_offset_and_checksum),
		cmocka_unit_test(a_line_beyond_the_limit_is_stepped_over),
		cmocka_unit_test(a_directory_is_no_file),
		cmocka_unit_test(a_line_is_read_as_an_event),
		cmocka_unit_test(what_may_be_left_out_is_left_out),
		cmocka_unit_test(
		    a_line_that_is_no_event_is_refused_with_a_sentence),
		cmocka_unit_test(an_event_beyond_one_mebibyte_is_refused),
		cmocka_unit_test(
		    an_entity_becomes_an_event_with_all_its_members_but_the_type),
		cmocka_unit_test(
		    a_relation_becomes_an_event_whatever_the_order_of_its_members),
		cmocka_unit_test(with_a_topic_it_is_an_event_like_any_other),
		cmocka_unit_test(
		    a_line_of_a_graph_that_lacks_something_is_refused),
		cmocka_unit_test(every_line_of_the_sample_is_an_event),
		cmocka_unit_test(
		    equal_lines_get_different_keys_and_the_same_in_every_run),
		cmocka_unit_test(a_key_is_the_hash_that_is_documented),
		cmocka_unit_test(counting_survives_the_growth_of_the_table),
		cmocka_unit_test(progress_is_read_as_it_was_written),
		cmocka_unit_test(progress_with_any_bit_changed_is_none),
	};

	return cmocka_run_group_tests_name(
	    "import", tests, make_dir, remove_dir);
}
