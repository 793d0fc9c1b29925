/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A directory of its own for each test: setup and teardown for cmocka, and
 * the few things that tests do with files.  Whatever fails ends the test.
 */

#ifndef PEAL_TESTS_LIB_TMPDIR_H
#define PEAL_TESTS_LIB_TMPDIR_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bytes.h"

/* What *state points to between setup and teardown. */
struct tmpdir {
	char path[200];
	int fd;
	char *joined[64]; /* of tmpdir_path(), freed with the rest */
	unsigned n;
};

/* cmocka_unit_test_setup_teardown(test, tmpdir_setup, tmpdir_teardown) */
int tmpdir_setup(void **state);
int tmpdir_teardown(void **state);

/* The path of name in the directory; lives until teardown. */
const char *tmpdir_path(struct tmpdir *dir, const char *name);
/* A file of these bytes; returns its path. */
const char *tmpdir_put(struct tmpdir *dir, const char *name, struct slice s);
/* The same, of a text. */
const char *tmpdir_text(struct tmpdir *dir, const char *name, const char *s);
/* Is name there? */
bool tmpdir_has(struct tmpdir *dir, const char *name);
/* How many names are there. */
unsigned tmpdir_count(struct tmpdir *dir);

#endif
