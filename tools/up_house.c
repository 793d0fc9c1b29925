/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The directory of `peal up`, made on the first start and mended on every
 * other one.  What is there is kept: certificate and token key are never
 * replaced.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "core/conf.h"
#include "core/fs.h"
#include "core/reason.h"
#include "core/sha256.h"
#include "tools/selfsigned.h"
#include "tools/token_sign.h"
#include "tools/tool.h"
#include "tools/up.h"

#define UP_SHM "/dev/shm/peal-"

enum {
	UP_RUN_MAX = 80, /* bytes of a run directory's path */
	UP_TOKEN_TTL_S = 30 * 24 * 3600,
};

/* --- the run directory --- */

static bool
up_on(const char *path, uint32_t magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (uint32_t)fs.f_type == magic;
}

/* A name of its own for each directory, also for a copy of one. */
static int
up_shm_name(const char *dir, char name[PATH_MAX], struct reason *why)
{
	uint8_t sum[SHA256_BYTES];
	char text[PATH_MAX + 48];
	struct stat st;
	int len;

	if (stat(dir, &st) < 0)
		return reason_set(why, -errno, "cannot use '%s'", dir);
	len = snprintf(text, sizeof(text), "%llx:%llx:%s",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, dir);
	sha256(text, (size_t)len, sum);
	len = snprintf(name, PATH_MAX, UP_SHM "%u-", (unsigned)geteuid());
	for (unsigned i = 0; i < 8; i++)
		len += snprintf(
		    name + len, PATH_MAX - (size_t)len, "%02x", sum[i]);
	return 0;
}

/*
 * /dev/shm is everybody's: a directory that somebody else put there under
 * our name is refused.
 */
static int
up_make_private(const char *path, struct reason *why)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return reason_set(why, -errno, "cannot create '%s'", path);
	if (lstat(path, &st) < 0)
		return reason_set(why, -errno, "cannot use '%s'", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return reason_say(why, -EPERM,
		    "'%s' is not a directory of this account", path);
	if ((st.st_mode & 077) && chmod(path, 0700) < 0)
		return reason_set(why, -errno, "cannot close '%s'", path);
	return 0;
}

/* Point the link at target, in one step. */
static int
up_link(const char *target, const char *link, struct reason *why)
{
	char tmp[PATH_MAX];

	snprintf(tmp, sizeof(tmp), "%.*s.tmp", PATH_MAX - 5, link);
	(void)unlink(tmp);
	if (symlink(target, tmp) < 0 || rename(tmp, link) < 0)
		return reason_set(why, -errno, "cannot link '%s'", link);
	return 0;
}

/*
 * DIR/run: a plain directory where DIR is on tmpfs itself, else a link to a
 * directory there, which is gone after a reboot and made again here.  What
 * somebody linked elsewhere stays theirs.
 */
static int
up_make_run(const char *dir, struct reason *why)
{
	char run[PATH_MAX], want[PATH_MAX], is[PATH_MAX];
	struct stat st;
	ssize_t len;
	int err;

	snprintf(run, sizeof(run), "%.*s/run", PATH_MAX - 5, dir);
	len = readlink(run, is, sizeof(is) - 1);
	is[MAX(len, 0)] = '\0';
	if (len > 0 && strncmp(is, UP_SHM, strlen(UP_SHM)) != 0)
		return fs_mkdirs(is, 0750, why);
	if (len < 0 && lstat(run, &st) == 0)
		return fs_mkdirs(run, 0750, why);
	if (len < 0 && up_on(dir, TMPFS_MAGIC) && strlen(run) <= UP_RUN_MAX)
		return fs_mkdirs(run, 0700, why);
	if (!up_on("/dev/shm", TMPFS_MAGIC))
		return fs_mkdirs(run, 0700, why);
	err = up_shm_name(dir, want, why);
	if (err >= 0)
		err = up_make_private(want, why);
	if (err >= 0 && strcmp(is, want) != 0)
		err = up_link(want, run, why);
	return err;
}

/* --- certificate and keys --- */

static bool
up_missing(const char *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT;
}

static int
up_make_parts(const struct house *h, const char *host, struct reason *why)
{
	char path[PATH_MAX], other[PATH_MAX];
	int err;

	err = fs_mkdirs(house_log_dir(h), 0750, why);
	if (err >= 0)
		err = fs_mkdirs(house_run_dir(h), 0700, why);
	if (err >= 0)
		err = fs_mkdirs(house_path(h, "tls", path), 0755, why);
	if (err >= 0)
		err = fs_mkdirs(house_path(h, "auth", path), 0700, why);
	if (err < 0)
		return err;
	house_path(h, "tls/cert.pem", path);
	house_path(h, "tls/key.pem", other);
	if (up_missing(path) && up_missing(other))
		err = selfsigned_write(path, other, host, why);
	if (err < 0)
		return err;
	house_path(h, "auth/dev.pem", path);
	house_path(h, "auth/dev.key", other);
	if (up_missing(path) && up_missing(other))
		err = token_sign_keygen(other, path, why);
	return err;
}

int
up_house_token(struct tool *t, char **token, struct reason *why)
{
	/* The system's topics are in no pattern that does not name them. */
	static const char *const all[] = { ">" };
	static const char *const readable[] = { ">", "$stat.>", "$acl.>",
		"$revoke.>", "$log.>" };
	const char *aud = conf_text(t->house.conf, CONF_auth_audience);
	const char *iss = conf_text(t->house.conf, CONF_auth_issuer);
	const struct token_sign_claims claims = {
		.sub = "dev",
		.kid = "dev",
		.aud = *aud ? aud : NULL,
		.iss = *iss ? iss : NULL,
		.read = readable,
		.n_read = ARRAY_LEN(readable),
		.write = all,
		.n_write = 1,
		.admin = true,
		.ttl_s = UP_TOKEN_TTL_S,
	};
	CLEANUP(closep) int dirfd = -1;
	CLEANUP(freep) char *made = NULL;
	char path[PATH_MAX];
	int err;

	err = token_sign(
	    house_path(&t->house, "auth/dev.key", path), &claims, &made, why);
	if (err < 0)
		return err;
	dirfd = open(t->house.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return reason_set(why, -errno, "cannot use '%s'", t->house.dir);
	err = fs_replace(
	    &sysio_posix, dirfd, "dev.token", made, strlen(made), 0600, why);
	if (err < 0)
		return err;
	*token = TAKE(made);
	return 0;
}

/* --- what children are told --- */

int
up_house_option(
    struct up_options *options, struct reason *why, const char *fmt, ...)
{
	char **bigger =
	    reallocarray(options->v, options->n + 1, sizeof(*options->v));
	va_list args;
	int len;

	if (!bigger)
		return reason_set(why, -ENOMEM, "out of memory");
	options->v = bigger;
	va_start(args, fmt);
	len = vasprintf(&options->v[options->n], fmt, args);
	va_end(args);
	if (len < 0)
		return reason_set(why, -ENOMEM, "out of memory");
	options->n++;
	return 0;
}

/*
 * In a container everything is on an overlay, and this is how one develops
 * there.  The writer warns, and welcomes and counters show it.
 */
static int
up_house_allow_overlay(
    const struct tool *t, struct up_options *options, struct reason *why)
{
	struct conf_entry entry;
	char path[PATH_MAX];

	conf_describe(t->house.conf, CONF_log_unsafe_filesystem, &entry);
	snprintf(path, sizeof(path), "%s",
	    conf_text(t->house.conf, CONF_log_directory));
	/* Before the first start there is only the directory above. */
	if (access(path, F_OK) < 0 && strrchr(path, '/'))
		*strrchr(path, '/') = '\0';
	if (strcmp(entry.source, "default") != 0 ||
	    !up_on(path, OVERLAYFS_SUPER_MAGIC))
		return 0;
	return up_house_option(options, why, "%s=yes", entry.name);
}

int
up_house_options(
    const struct tool *t, struct up_options *options, struct reason *why)
{
	struct conf_entry entry;
	int err = up_house_allow_overlay(t, options, why);

	for (unsigned key = 0; key < CONF_KEYS && err >= 0; key++) {
		conf_describe(t->house.conf, (enum conf_key)key, &entry);
		if (strcmp(entry.source, "default") != 0 &&
		    key != CONF_gateway_listen)
			err = up_house_option(
			    options, why, "%s=%s", entry.name, entry.value);
	}
	return err;
}

/* The site beside our own executable, else the installed one. */
static bool
up_find_site(char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len > 0) {
		self[len] = '\0';
		slash = strrchr(self, '/');
		snprintf(
		    path, PATH_MAX, "%.*s/site", (int)(slash - self), self);
		if (access(path, X_OK) == 0)
			return true;
	}
	snprintf(path, PATH_MAX, "%s/site", PKGDATADIR);
	return access(path, X_OK) == 0;
}

int
up_house_site(
    const struct tool *t, struct up_options *options, struct reason *why)
{
	char path[PATH_MAX];
	struct conf_entry entry;

	conf_describe(t->house.conf, CONF_gateway_static, &entry);
	if (strcmp(entry.source, "default") != 0 || !up_find_site(path))
		return 0;
	return up_house_option(options, why, "gateway.static=%s", path);
}

void
up_house_options_free(struct up_options *options)
{
	for (unsigned i = 0; i < options->n; i++)
		free(options->v[i]);
	free(options->v);
	*options = (struct up_options){ 0 };
}

/* --- all of it --- */

static int
up_lock(struct tool *t, const char *dir, int *lock)
{
	CLEANUP(closep) int dirfd = -1;
	struct reason why = REASON_NO_MEMORY;
	long holder = 0;

	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return tool_error(
		    t, "cannot use '%s': %s", dir, strerror(errno));
	switch (fs_lock(dirfd, "up.lock", lock, &holder, &why)) {
	case FS_LOCKED:
		return TOOL_OK;
	case FS_LOCK_HELD:
		(void)tool_error(t,
		    "'%s' is in use by another 'peal up' (pid %ld)", dir,
		    holder);
		return TOOL_HELD;
	default:
		return tool_fail(t, &why);
	}
}

int
up_house_make(struct tool *t, const char *dir, const char *host, int *lock)
{
	char absolute[PATH_MAX];
	struct reason why = REASON_NO_MEMORY;
	int status;

	if (fs_mkdirs(dir, 0750, &why) < 0)
		return tool_fail(t, &why);
	if (!realpath(dir, absolute))
		return tool_error(
		    t, "cannot use '%s': %s", dir, strerror(errno));
	if (strpbrk(absolute, " \t\r\n"))
		/* auth.keys is a list that white space separates. */
		return tool_error(t,
		    "the directory's path '%s' has white space in it, which "
		    "a list of files can't have",
		    absolute);
	status = up_lock(t, absolute, lock);
	if (status != TOOL_OK)
		return status;
	if (up_make_run(absolute, &why) < 0)
		return tool_fail(t, &why);
	if (house_find(&t->house, t->conf_file, absolute, t->assignments.v,
		t->assignments.n, &why) < 0) {
		(void)tool_fail(t, &why);
		return TOOL_USAGE;
	}
	if (up_make_parts(&t->house, host, &why) < 0)
		return tool_fail(t, &why);
	return TOOL_OK;
}
