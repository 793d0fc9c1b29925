/* SPDX-License-Identifier: BSD-2-Clause */

/* Directories of tests; nothing outside of them is touched. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/macros.h"
#include "tests/lib/tmpdir.h"

int
tmpdir_setup(void **state)
{
	const char *base = getenv("TMPDIR");
	struct tmpdir *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return -1;
	snprintf(dir->path, sizeof(dir->path), "%s/peal-test-XXXXXX",
	    base && *base ? base : "/tmp");
	if (!mkdtemp(dir->path)) {
		free(dir);
		return -1;
	}
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = dir;
	return dir->fd < 0 ? -1 : 0;
}

static int
tmpdir_remove_one(
    const char *path, const struct stat *st, int kind, struct FTW *where)
{
	return remove(path);
}

int
tmpdir_teardown(void **state)
{
	struct tmpdir *dir = *state;
	int err = nftw(dir->path, tmpdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);

	(void)close(dir->fd);
	for (unsigned i = 0; i < dir->n; i++)
		free(dir->joined[i]);
	free(dir);
	return err;
}

const char *
tmpdir_path(struct tmpdir *dir, const char *name)
{
	char *path;

	assert_true(dir->n < ARRAY_LEN(dir->joined));
	assert_true(asprintf(&path, "%s/%s", dir->path, name) > 0);
	dir->joined[dir->n++] = path;
	return path;
}

const char *
tmpdir_put(struct tmpdir *dir, const char *name, struct slice s)
{
	const char *path = tmpdir_path(dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(s.p, 1, s.len, f), s.len);
	assert_int_equal(fclose(f), 0);
	return path;
}

const char *
tmpdir_text(struct tmpdir *dir, const char *name, const char *s)
{
	return tmpdir_put(dir, name, slice_cstr(s));
}

bool
tmpdir_has(struct tmpdir *dir, const char *name)
{
	struct stat st;

	return fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

unsigned
tmpdir_count(struct tmpdir *dir)
{
	DIR *d = opendir(dir->path);
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)))
		n += entry->d_name[0] != '.';
	(void)closedir(d);
	return n;
}
