/* SPDX-License-Identifier: BSD-2-Clause */

/* Configuration: what is accepted, and what the refusal of the rest says. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/conf.h"
#include "core/reason.h"
#include "core/time.h"
#include "tests/lib/tmpdir.h"

/* Read text as a file; the result of conf_read(), its sentence in why. */
static int
read_text(
    struct tmpdir *dir, struct conf *conf, const char *text, struct reason *why)
{
	*why = (struct reason){ "" };
	return conf_read(conf, tmpdir_text(dir, "conf", text), why);
}

/* The file is refused, and the sentence has the place and the text. */
static void
refused(struct tmpdir *dir, const char *text, int line, const char *says)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	char place[300];
	struct reason why;

	assert_int_equal(read_text(dir, conf, text, &why), -EINVAL);
	snprintf(place, sizeof(place), "%s/conf:%d: ", dir->path, line);
	if (strncmp(why.text, place, strlen(place)) != 0 ||
	    !strstr(why.text, says))
		fail_msg("'%s' lacks '%s' or '%s'", why.text, place, says);
}

static void
set_refused(const char *assignment, const char *says)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct reason why = { "" };

	assert_int_equal(conf_set(conf, assignment, &why), -EINVAL);
	if (!strstr(why.text, says))
		fail_msg("'%s' lacks '%s'", why.text, says);
}

static void
every_default_serves_and_says_so(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();

	assert_non_null(conf);
	assert_int_equal(conf_uint(conf, CONF_ring_slots), 1 << 18);
	assert_int_equal(conf_uint(conf, CONF_ring_payload_bytes), 64 << 20);
	assert_string_equal(conf_text(conf, CONF_auth_keys), "");
	for (int key = 0; key < CONF_KEYS; key++) {
		struct conf_entry entry;

		conf_describe(conf, (enum conf_key)key, &entry);
		assert_string_equal(entry.source, "default");
		assert_string_equal(entry.value, entry.fallback);
		assert_int_equal(strlen(entry.name),
		    strlen(entry.section) + 1 + strlen(entry.key));
		assert_true(strlen(entry.text) > 0);
	}
}

static void
a_file_is_read_with_comments_and_white_space(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct conf_entry entry;
	struct reason why;

	assert_int_equal(
	    read_text(*state, conf,
		"# a comment\n; another = one\n\n[ring]\r\n"
		"\tslots\t=\t1024 \r\npayload_bytes=1M\n[ gateway ]\n"
		"listen = [::]:8443\norigins = https://a b#c;d\n[ring]\n"
		"group = peal",
		&why),
	    0);
	assert_int_equal(conf_uint(conf, CONF_ring_slots), 1024);
	assert_int_equal(conf_uint(conf, CONF_ring_payload_bytes), 1 << 20);
	assert_string_equal(conf_text(conf, CONF_gateway_listen), "[::]:8443");
	assert_string_equal(
	    conf_text(conf, CONF_gateway_origins), "https://a b#c;d");
	assert_string_equal(conf_text(conf, CONF_ring_group), "peal");
	conf_describe(conf, CONF_ring_slots, &entry);
	assert_string_equal(entry.name, "ring.slots");
	assert_string_equal(entry.value, "1024");
	assert_non_null(strstr(entry.source, "/conf:5"));
	conf_describe(conf, CONF_ring_group, &entry);
	assert_non_null(strstr(entry.source, "/conf:11"));
}

static void
the_command_line_stands_above_the_file_in_either_order(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct conf_entry entry;
	struct reason why;

	assert_int_equal(conf_set(conf, "ring.slots=64", &why), 0);
	assert_int_equal(read_text(*state, conf,
			     "[ring]\nslots=128\n[writer]\nkeys=5\n", &why),
	    0);
	assert_int_equal(conf_set(conf, "writer.keys = 7 ", &why), 0);
	assert_int_equal(conf_uint(conf, CONF_ring_slots), 64);
	assert_int_equal(conf_uint(conf, CONF_writer_keys), 7);
	conf_describe(conf, CONF_writer_keys, &entry);
	assert_string_equal(entry.source, "command line");
}

static void
a_value_may_hold_what_looks_like_an_assignment(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct reason why;

	assert_int_equal(
	    conf_set(conf, "auth.issuer=https://a.b/?c=d.e", &why), 0);
	assert_string_equal(
	    conf_text(conf, CONF_auth_issuer), "https://a.b/?c=d.e");
	assert_int_equal(conf_set(conf, "auth.issuer=", &why), 0);
	assert_string_equal(conf_text(conf, CONF_auth_issuer), "");
}

static void
a_refused_file_changes_nothing(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct reason why;

	assert_int_equal(
	    read_text(*state, conf, "[ring]\nslots=128\n[x]\n", &why), -EINVAL);
	assert_int_equal(conf_uint(conf, CONF_ring_slots), 1 << 18);
}

/* As after a reload: what was taken out of the file is taken back. */
static void
what_a_file_no_longer_says_is_as_by_default_again(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct conf_entry entry;
	struct reason why;

	assert_int_equal(
	    read_text(*state, conf, "[ring]\nslots=128\n", &why), 0);
	assert_int_equal(conf_uint(conf, CONF_ring_slots), 128);
	assert_int_equal(
	    read_text(*state, conf, "[writer]\nkeys=5\n", &why), 0);
	assert_int_equal(conf_uint(conf, CONF_ring_slots), 1 << 18);
	assert_int_equal(conf_uint(conf, CONF_writer_keys), 5);
	conf_describe(conf, CONF_ring_slots, &entry);
	assert_string_equal(entry.source, "default");
}

static void
numbers_are_accepted_up_to_their_bounds(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct reason why;

	set_refused("gateway.batch_ms=1001", "from 0 to 1000 milliseconds");
	assert_int_equal(conf_set(conf, "gateway.batch_ms=1000", &why), 0);
	assert_int_equal(conf_set(conf, "gateway.batch_ms=0", &why), 0);
	set_refused("writer.stall_seconds=0", "from 1 to 3600 seconds");
	assert_int_equal(conf_set(conf, "writer.stall_seconds=1", &why), 0);
	assert_int_equal(conf_set(conf, "writer.stall_seconds=3600", &why), 0);
	set_refused("writer.stall_seconds=3601", "from 1 to 3600 seconds");
}

static void
a_copy_has_its_own_values_and_one_key_can_go_back(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	CLEANUP(conf_freep) struct conf *copy = NULL;
	struct conf_entry entry;
	struct reason why;

	assert_int_equal(conf_set(conf, "writer.keys=7", &why), 0);
	assert_int_equal(
	    read_text(*state, conf, "[ring]\nslots=128\n", &why), 0);
	copy = conf_copy(conf);
	assert_non_null(copy);
	conf_describe(copy, CONF_ring_slots, &entry);
	assert_non_null(strstr(entry.source, "/conf:2"));
	assert_int_equal(conf_set(conf, "writer.keys=8", &why), 0);
	assert_int_equal(conf_set(conf, "gateway.batch_ms=9", &why), 0);
	assert_int_equal(conf_uint(copy, CONF_writer_keys), 7);
	conf_swap(conf, copy, CONF_writer_keys);
	assert_int_equal(conf_uint(conf, CONF_writer_keys), 7);
	assert_string_equal(conf_text(copy, CONF_writer_keys), "8");
	assert_int_equal(conf_uint(conf, CONF_gateway_batch_ms), 9);
	conf_describe(conf, CONF_writer_keys, &entry);
	assert_string_equal(entry.source, "command line");
	assert_string_equal(conf_file(conf), conf_file(copy));
}

static void
what_is_no_number_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", "x", "1x", "-1", "+1",
		"0x10", "1.0", "1e3", "1 0", "1K", "18446744073709551616",
		"99999999999999999999999" };
	char assignment[80];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(
		    assignment, sizeof(assignment), "writer.keys=%s", bad[i]);
		set_refused(assignment, "a number from 1 to 100000000");
	}
	/* Nor where 0 is one. */
	set_refused("gateway.batch_ms=", "a number from 0 to 1000");
}

static void
sizes_take_a_unit_and_notice_overflow(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct reason why;

	assert_int_equal(conf_set(conf, "log.segment_bytes=1T", &why), 0);
	assert_int_equal(
	    conf_uint(conf, CONF_log_segment_bytes), UINT64_C(1) << 40);
	assert_int_equal(conf_set(conf, "log.segment_bytes=5000K", &why), 0);
	assert_int_equal(conf_uint(conf, CONF_log_segment_bytes), 5120000);
	set_refused("log.segment_bytes=2T", "from 4194304 to 1099511627776");
	/* 2^24 T is 2^64: these would be 0 and 1T. */
	set_refused("log.segment_bytes=16777216T", "is refused");
	set_refused("log.segment_bytes=16777217T", "is refused");
	/* 2^64 and 4 MiB: which would be those alone. */
	set_refused("log.segment_bytes=18446744073713745920", "is refused");
	set_refused("log.segment_bytes=64m", "is refused");
	set_refused("log.segment_bytes=64KB", "is refused");
	set_refused("log.segment_bytes=M", "is refused");
}

static void
the_ring_takes_powers_of_two_alone(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct reason why;

	set_refused("ring.slots=1023", "a power of two");
	assert_int_equal(conf_set(conf, "ring.slots=1024", &why), 0);
	set_refused("ring.slots=1025", "a power of two");
	set_refused("ring.slots=4", "from 8 to 16777216");
	set_refused("ring.payload_bytes=5K", "a power of two");
	assert_int_equal(conf_set(conf, "ring.payload_bytes=4K", &why), 0);
	assert_int_equal(conf_uint(conf, CONF_ring_payload_bytes), 4096);
}

static void
texts_are_bounded_and_hold_no_control_characters(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	char text[300] = "auth.issuer=";
	struct reason why;

	memset(text + 12, 'a', 199);
	assert_int_equal(conf_set(conf, text, &why), 0);
	text[12 + 199] = 'a';
	assert_int_equal(conf_set(conf, text, &why), 0);
	text[12 + 200] = 'a';
	set_refused(text, "text of 0 to 200 bytes");
	set_refused("log.directory=", "text of 1 to 400 bytes");
	set_refused("auth.issuer=a\033[2Jb", "\\x1b[2Jb");
	set_refused("auth.issuer=a\177", "\\x7f");
}

static void
a_mistake_in_a_file_is_named_with_file_and_line(void **state)
{
	refused(*state, "[ring]\nslots = 12\n", 2, "ring.slots = \"12\"");
	refused(
	    *state, "\n[rings]\n", 2, "no section \"rings\", only log, ring");
	refused(*state, "[ring]\n\nslot = 8\n", 3,
	    "[ring] has no key \"slot\", only directory, slots");
	refused(*state, "[gateway]\nx = 8\n", 2, "batch_ms, mark_interval,");
	refused(*state, "[gateway]\nx = 8\n", 2, ", ...");
	refused(*state, "slots = 8\n", 1, "before the first [section]");
	refused(*state, "[ring]\nslots\n", 2, "neither [section] nor key");
	refused(*state, "[ring\n", 1, "between [ and ]");
	refused(*state, "[ring] x\n", 1, "between [ and ]");
	refused(*state, "[ring]\nslots=8\n[log]\n[ring]\nslots=8\n", 5,
	    "in line 2 already");
	refused(*state, "[ring]\ngroup = a\tb\n", 2, "\\x09");
	refused(*state, "[ring]\n\x80\xff\x1b[2J\n", 2, "\\x80\\xff\\x1b[2J");
}

static void
a_mistake_on_the_command_line_is_named(void **state)
{
	set_refused("", "section.key=value");
	set_refused("ring.slots", "section.key=value");
	set_refused("slots=8", "section.key=value");
	set_refused("=ring.slots", "section.key=value");
	set_refused("rng.slots=8", "option -o: there is no section \"rng\"");
	set_refused("ring.slot=8", "option -o: [ring] has no key \"slot\"");
	set_refused(".=", "there is no section \"\"");
}

static void
a_line_has_at_most_64_kib(void **state)
{
	static char text[(64 << 10) + 64];
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct reason why;

	memset(text, 'x', sizeof(text) - 1);
	text[0] = '#';
	memcpy(text + (64 << 10), "\n[ring]\nslots=16\n", 18);
	assert_int_equal(read_text(*state, conf, text, &why), 0);
	assert_int_equal(conf_uint(conf, CONF_ring_slots), 16);
	memcpy(text + (64 << 10), "x\n[ring]\nslots=16\n", 19);
	refused(*state, text, 1, "65537 bytes, more than 65536");
}

static void
bytes_that_are_no_text_are_refused(void **state)
{
	/* In the midst of a value, and where white space would be. */
	static const char *const says[] = { "a\\x00b", "ab\\x00", "\\x00ab" };
	static const char nul[][20] = { "[ring]\ngroup = a\0b\n",
		"[ring]\ngroup = ab\0\n", "[ring]\ngroup = \0ab\n" };
	CLEANUP(conf_freep) struct conf *conf = conf_new();

	for (unsigned i = 0; i < ARRAY_LEN(says); i++) {
		struct reason why = { "" };
		const char *path =
		    tmpdir_put(*state, "conf", slice_of(nul[i], 19));

		assert_int_equal(conf_read(conf, path, &why), -EINVAL);
		assert_non_null(strstr(why.text, ":2: "));
		assert_non_null(strstr(why.text, says[i]));
	}
}

static void
a_file_that_is_not_there_is_said_so(void **state)
{
	CLEANUP(conf_freep) struct conf *conf = conf_new();
	struct reason why = { "" };

	assert_int_equal(
	    conf_read(conf, tmpdir_path(*state, "none"), &why), -ENOENT);
	assert_non_null(strstr(why.text, "/none'"));
}

static void
every_value_out_of_range_is_refused_with_its_key(void **state)
{
	for (int key = 0; key < CONF_KEYS; key++) {
		CLEANUP(conf_freep) struct conf *conf = conf_new();
		static char assignment[70000];
		struct reason why = { "" };
		struct conf_entry entry;
		int len;

		conf_describe(conf, (enum conf_key)key, &entry);
		len =
		    snprintf(assignment, sizeof(assignment), "%s=", entry.name);
		memset(assignment + len, '9', 60000);
		assignment[len + 60000] = '\0';
		assert_int_equal(conf_set(conf, assignment, &why), -EINVAL);
		assert_non_null(strstr(why.text, entry.name));
		assert_non_null(strstr(why.text, entry.range));
	}
}

static void
any_bytes_are_read_or_refused_with_their_place(void **state)
{
	static const char good[] = "# c\n[ring]\nslots = 64\n; d\n"
				   "payload_bytes=4K\n[gateway]\n"
				   "origins = https://a.example\n[log]\n"
				   "segment_bytes = 8M\n";
	static const char odd[] = "[]=#;\n\r\t .\0\377K0";
	unsigned seed = (unsigned)time_mono_ns(), refusals = 0;

	print_message("# seed %u\n", seed);
	for (int i = 0; i < 3000; i++) {
		CLEANUP(conf_freep) struct conf *conf = conf_new();
		struct tmpdir *dir = *state;
		struct reason why = { "" };
		char text[sizeof(good)];
		const char *path;
		int err;

		memcpy(text, good, sizeof(good));
		for (int j = rand_r(&seed) % 4; j >= 0; j--)
			text[(size_t)rand_r(&seed) % (sizeof(good) - 1)] =
			    odd[(size_t)rand_r(&seed) % (sizeof(odd) - 1)];
		path = tmpdir_put(dir, "any",
		    slice_of(text, (size_t)rand_r(&seed) % sizeof(good)));
		err = conf_read(conf, path, &why);
		assert_true(err == 0 || err == -EINVAL);
		if (err < 0)
			assert_memory_equal(why.text, path, strlen(path));
		refusals += err < 0;
		dir->n--;
		free(dir->joined[dir->n]);
	}
	assert_in_range(refusals, 100, 2990);
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_default_serves_and_says_so),
		IN_DIRECTORY(a_file_is_read_with_comments_and_white_space),
		IN_DIRECTORY(
		    the_command_line_stands_above_the_file_in_either_order),
		cmocka_unit_test(
		    a_value_may_hold_what_looks_like_an_assignment),
		IN_DIRECTORY(a_refused_file_changes_nothing),
		IN_DIRECTORY(what_a_file_no_longer_says_is_as_by_default_again),
		cmocka_unit_test(numbers_are_accepted_up_to_their_bounds),
		IN_DIRECTORY(a_copy_has_its_own_values_and_one_key_can_go_back),
		cmocka_unit_test(what_is_no_number_is_refused),
		cmocka_unit_test(sizes_take_a_unit_and_notice_overflow),
		cmocka_unit_test(the_ring_takes_powers_of_two_alone),
		cmocka_unit_test(
		    texts_are_bounded_and_hold_no_control_characters),
		IN_DIRECTORY(a_mistake_in_a_file_is_named_with_file_and_line),
		cmocka_unit_test(a_mistake_on_the_command_line_is_named),
		IN_DIRECTORY(a_line_has_at_most_64_kib),
		IN_DIRECTORY(bytes_that_are_no_text_are_refused),
		IN_DIRECTORY(a_file_that_is_not_there_is_said_so),
		IN_DIRECTORY(any_bytes_are_read_or_refused_with_their_place),
		cmocka_unit_test(
		    every_value_out_of_range_is_refused_with_its_key),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
