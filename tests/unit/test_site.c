/* SPDX-License-Identifier: BSD-2-Clause */

/* Files in memory: which are served, under which path, as what. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/reason.h"
#include "gateway/block.h"
#include "gateway/site.h"
#include "tests/lib/tmpdir.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

static struct site *
opened(struct tmpdir *dir)
{
	struct reason why = { "" };
	struct site *s = NULL;

	if (site_open(dir->path, &s, &why) < 0)
		fail_msg("%s", why.text);
	return s;
}

static const struct site_file *
find(const struct site *s, const char *path)
{
	return site_find(s, slice_cstr(path));
}

static void
a_file_is_served_as_what_it_is(void **state)
{
	static const struct {
		const char *name;
		const char *type;
	} rows[] = {
		{ "index.html", "text/html; charset=utf-8" },
		{ "peal.js", "text/javascript; charset=utf-8" },
		{ "peal.min.css", "text/css; charset=utf-8" },
		{ "a.mjs", "text/javascript; charset=utf-8" },
		{ "peal.d.ts", "text/plain; charset=utf-8" },
		{ "a.svg", "image/svg+xml" },
		{ "a.woff2", "font/woff2" },
		{ "a.webmanifest", "application/manifest+json" },
		{ "LICENSE", "application/octet-stream" },
		{ "a.exe", "application/octet-stream" },
	};
	struct tmpdir *dir = *state;
	char path[64];
	struct site *s;
	size_t bytes;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		(void)tmpdir_text(dir, rows[i].name, rows[i].name);
	s = opened(dir);
	assert_int_equal(site_count(s, &bytes), ARRAY_LEN(rows));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct site_file *f;

		snprintf(path, sizeof(path), "/%s", rows[i].name);
		f = find(s, path);
		assert_non_null(f);
		assert_string_equal(f->type, rows[i].type);
		assert_int_equal(
		    f->body->end - f->body->start, strlen(rows[i].name));
		assert_memory_equal(f->body->bytes + f->body->start,
		    rows[i].name, strlen(rows[i].name));
	}
	assert_ptr_equal(find(s, "/"), find(s, "/index.html"));
	(void)site_free(s);
}

static void
nothing_else_is_served(void **state)
{
	static const char *const none[] = { "", "peal.js", "//peal.js",
		"/peal.js/", "/../peal.js", "/./peal.js", "/%70eal.js",
		"/PEAL.JS", "/peal", "/peal.jsx", "/.secret", "/a b.js",
		"/link.js", "/sub", "/sub/", "/sub/../peal.js" };
	struct tmpdir *dir = *state;
	struct site *s;
	size_t bytes;

	(void)tmpdir_text(dir, "peal.js", "1");
	(void)tmpdir_text(dir, ".secret", "2");
	(void)tmpdir_text(dir, "a b.js", "3");
	assert_int_equal(symlinkat("peal.js", dir->fd, "link.js"), 0);
	assert_int_equal(mkdirat(dir->fd, "sub", 0700), 0);
	(void)tmpdir_text(dir, "sub/x.js", "4");
	s = opened(dir);
	for (unsigned i = 0; i < ARRAY_LEN(none); i++)
		if (find(s, none[i]))
			fail_msg("'%s' is served", none[i]);
	assert_null(site_find(s, slice_of("/peal.js\0", 9)));
	assert_non_null(find(s, "/sub/x.js"));
	assert_int_equal(site_count(s, &bytes), 2);
	assert_int_equal(bytes, 2);
	(void)site_free(s);
}

static void
a_long_path_is_no_file(void **state)
{
	char path[1000];
	struct tmpdir *dir = *state;
	struct site *s;

	(void)tmpdir_text(dir, "a", "1");
	s = opened(dir);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	for (size_t len = 1; len <= sizeof(path); len++)
		assert_true(
		    (site_find(s, slice_of(path, len)) != NULL) == (len == 2));
	(void)site_free(s);
}

static void
an_etag_is_of_the_bytes_and_known_in_a_list(void **state)
{
	struct tmpdir *dir = *state;
	const struct site_file *a, *b;
	struct site *s;
	char list[200];

	(void)tmpdir_text(dir, "a", "same");
	(void)tmpdir_text(dir, "b", "same");
	(void)tmpdir_text(dir, "c", "other");
	s = opened(dir);
	a = find(s, "/a");
	b = find(s, "/c");
	assert_string_equal(a->etag, find(s, "/b")->etag);
	assert_string_not_equal(a->etag, b->etag);
	assert_int_equal(strlen(a->etag), SITE_ETAG - 1);
	snprintf(list, sizeof(list), "\"x\", W/%s", a->etag);
	assert_true(site_is_known(a, slice_cstr(list)));
	assert_false(site_is_known(b, slice_cstr(list)));
	assert_true(site_is_known(b, SLICE_STR("*")));
	assert_false(site_is_known(b, SLICE_STR("\"*\"")));
	assert_false(site_is_known(b, (struct slice){ NULL, 0 }));
	(void)site_free(s);
}

static void
what_cannot_be_read_or_is_too_much_is_refused(void **state)
{
	struct tmpdir *dir = *state;
	struct reason why = { "" };
	struct site *s = NULL;
	char name[32];

	assert_true(site_open(tmpdir_path(dir, "none"), &s, &why) < 0);
	assert_true(why.text[0]);
	assert_true(site_open(tmpdir_text(dir, "file", ""), &s, &why) < 0);
	/* 1,024 are let in, the one above makes one more. */
	for (unsigned i = 0; i < 1023; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(mknodat(dir->fd, name, S_IFREG | 0600, 0), 0);
	}
	s = site_free(opened(dir));
	assert_int_equal(mknodat(dir->fd, "more", S_IFREG | 0600, 0), 0);
	assert_true(site_open(dir->path, &s, &why) < 0);
	assert_int_equal(truncate(tmpdir_path(dir, "more"), (32 << 20) + 1), 0);
	assert_int_equal(unlinkat(dir->fd, "file", 0), 0);
	assert_true(site_open(dir->path, &s, &why) < 0);
	assert_int_equal(truncate(tmpdir_path(dir, "more"), 32 << 20), 0);
	s = site_free(opened(dir));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_served_as_what_it_is),
		TEST(nothing_else_is_served),
		TEST(a_long_path_is_no_file),
		TEST(an_etag_is_of_the_bytes_and_known_in_a_list),
		TEST(what_cannot_be_read_or_is_too_much_is_refused),
	};

	return cmocka_run_group_tests_name("site", tests, NULL, NULL);
}
