/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Files in memory.  A path is looked up byte for byte in what was read, so
 * that there is nothing to climb out of.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fs.h"
#include "core/reason.h"
#include "core/sha256.h"
#include "gateway/block.h"
#include "gateway/site.h"

enum {
	FILES_MAX = 1024,
	BYTES_MAX = 32 << 20, /* of all files */
	DEPTH_MAX = 4,
	PATH_BYTES = 512,
};

struct site {
	struct site_file *files; /* in order of their paths */
	size_t n;
	size_t bytes;
};

struct site *
site_free(struct site *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++) {
		free(s->files[i].path);
		(void)block_unref(s->files[i].body);
	}
	free(s->files);
	free(s);
	return NULL;
}

size_t
site_count(const struct site *s, size_t *bytes)
{
	*bytes = s->bytes;
	return s->n;
}

static const char *
type_of(const char *name)
{
	static const struct {
		const char *suffix;
		const char *type;
	} rows[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".mjs", "text/javascript; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".ts", "text/plain; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".map", "application/json" },
		{ ".webmanifest", "application/manifest+json" },
		{ ".wasm", "application/wasm" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".ico", "image/x-icon" },
		{ ".woff2", "font/woff2" },
	};
	const char *suffix = strrchr(name, '.');

	for (unsigned i = 0; suffix && i < ARRAY_LEN(rows); i++)
		if (!strcmp(suffix, rows[i].suffix))
			return rows[i].type;
	return "application/octet-stream";
}

static bool
is_served(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	return name[0] != '.' && name[strspn(name, allowed)] == '\0';
}

static void
make_etag(char etag[SITE_ETAG], const uint8_t *p, size_t len)
{
	uint8_t digest[SHA256_BYTES];

	sha256(p, len, digest);
	etag[0] = '"';
	for (unsigned i = 0; i < (SITE_ETAG - 3) / 2; i++)
		snprintf(etag + 1 + 2 * (size_t)i, 3, "%02x", digest[i]);
	etag[SITE_ETAG - 2] = '"';
	etag[SITE_ETAG - 1] = '\0';
}

/* Room for one more file. */
static struct site_file *
add(struct site *s)
{
	struct site_file *files =
	    realloc(s->files, (s->n + 1) * sizeof(*files));

	if (!files)
		return NULL;
	s->files = files;
	files[s->n] = (struct site_file){ 0 };
	return &files[s->n++];
}

static int
read_file(struct site *s, int dirfd, const char *name, const char *path,
    struct reason *why)
{
	CLEANUP(freep) uint8_t *buf = NULL;
	struct site_file *f;
	size_t len;
	int err;

	if (s->n == FILES_MAX)
		return reason_say(
		    why, -EFBIG, "there are more than %d files", FILES_MAX);
	err = fs_read(
	    &sysio_posix, dirfd, name, BYTES_MAX - s->bytes, &buf, &len, why);
	if (err < 0)
		return err;
	f = add(s);
	if (f) {
		f->path = strdup(path);
		f->body = block_raw(slice_of(buf, len));
	}
	if (!f || !f->path || !f->body)
		return reason_set(why, -ENOMEM, "cannot keep '%s'", path);
	f->type = type_of(name);
	make_etag(f->etag, buf, len);
	s->bytes += len;
	return 0;
}

static int read_dir(struct site *s, int dirfd, const char *name,
    const char *path, unsigned depth, struct reason *why);

static int
read_entry(struct site *s, int dirfd, const char *name, const char *path,
    unsigned depth, struct reason *why)
{
	char below[PATH_BYTES];
	struct stat st;
	int n;

	if (!is_served(name))
		return 0;
	n = snprintf(below, sizeof(below), "%s%s", path, name);
	if ((size_t)n + 2 > sizeof(below))
		return 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return reason_set(why, -errno, "cannot look at '%s'", below);
	if (S_ISREG(st.st_mode))
		return read_file(s, dirfd, name, below, why);
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return 0;
	memcpy(below + n, "/", 2);
	return read_dir(s, dirfd, name, below, depth + 1, why);
}

static void
closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static int
read_dir(struct site *s, int dirfd, const char *name, const char *path,
    unsigned depth, struct reason *why)
{
	CLEANUP(closep)
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	int here, err = 0;

	if (fd < 0)
		return reason_set(
		    why, -errno, "cannot open directory '%s'", name);
	here = fd;
	dir = fdopendir(fd);
	if (!dir)
		return reason_set(
		    why, -errno, "cannot read directory '%s'", name);
	(void)TAKE_FD(fd);
	while (err == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		err = read_entry(s, here, entry->d_name, path, depth, why);
	if (err == 0 && errno != 0)
		err =
		    reason_set(why, -errno, "cannot read directory '%s'", name);
	return err;
}

static int
compare(const void *a, const void *b)
{
	const struct site_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

int
site_open(const char *dir, struct site **out, struct reason *why)
{
	CLEANUP(site_freep) struct site *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return reason_set(why, -ENOMEM, "cannot keep files");
	err = read_dir(s, AT_FDCWD, dir, "/", 0, why);
	if (err < 0)
		return err;
	if (s->n > 0)
		qsort(s->files, s->n, sizeof(s->files[0]), compare);
	*out = TAKE(s);
	return 0;
}

const struct site_file *
site_find(const struct site *s, struct slice path)
{
	char text[PATH_BYTES];
	const struct site_file key = { .path = text };

	if (path.len == 0 || path.len + sizeof("index.html") > sizeof(text) ||
	    memchr(path.p, '\0', path.len))
		return NULL;
	snprintf(text, sizeof(text), "%.*s%s", (int)path.len,
	    (const char *)path.p,
	    path.p[path.len - 1] == '/' ? "index.html" : "");
	if (s->n == 0)
		return NULL;
	return bsearch(&key, s->files, s->n, sizeof(key), compare);
}

bool
site_is_known(const struct site_file *f, struct slice if_none_match)
{
	struct slice v = if_none_match;

	if (slice_is(v, "*"))
		return true;
	/* Tags of ours hold no comma, and W/ makes no difference here. */
	return v.len > 0 && memmem(v.p, v.len, f->etag, SITE_ETAG - 1) != NULL;
}
