/* SPDX-License-Identifier: BSD-2-Clause */

/* Changing one directory of a log for another. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fs.h"
#include "core/reason.h"
#include "core/sysio.h"
#include "tools/house.h"
#include "tools/log_place.h"

/* Of a whole log that is about to change places, or has. */
#define SWAP ".swap"

/* arg: the directory's descriptor. */
static int
remove_name(void *arg, const char *name)
{
	CLEANUP(closep) int fd = -1;
	const int *dirfd = arg;

	if (unlinkat(*dirfd, name, 0) == 0)
		return 0;
	/* quarantine/ is all that a log has of directories. */
	fd = openat(*dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)sysio_list(&sysio_posix, fd, remove_name, &fd);
	return unlinkat(*dirfd, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

static int
remove_made(const struct log_place *p)
{
	CLEANUP(closep)
	int fd = open(p->made, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	(void)sysio_list(&sysio_posix, fd, remove_name, &fd);
	return rmdir(p->made) == 0 ? 0 : -errno;
}

static int
names(struct log_place *p, const struct house *h, const char *suffix,
    struct reason *why)
{
	char real[PATH_MAX];
	const char *log = house_log_dir(h);
	size_t len;

	/* A link stays one: the log changes places where it is. */
	if (realpath(log, real))
		log = real;
	len = strlen(log);
	while (len > 1 && log[len - 1] == '/')
		len--;
	if (len + strlen(suffix) + sizeof(".new") >= sizeof(p->path))
		return reason_set(why, -ENAMETOOLONG, "'%.100s…'", log);
	snprintf(p->path, sizeof(p->path), "%.*s", (int)len, log);
	snprintf(p->kept, sizeof(p->kept), "%.*s%s", (int)len, log, suffix);
	return 0;
}

static int
lock_old(struct log_place *p, struct reason *why)
{
	long holder;
	int err;

	p->old = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->old < 0 && errno == ENOENT) {
		p->kept[0] = '\0';
		return 0;
	}
	if (p->old < 0)
		return reason_set(why, -errno, "cannot open '%s'", p->path);
	err = fs_lock(p->old, "LOCK", &p->lock, &holder, why);
	if (err != FS_LOCK_HELD)
		return err;
	reason_set(why, 0,
	    "a writer (pid %ld) has the log in '%s': stop it first", holder,
	    p->path);
	return LOG_PLACE_HELD;
}

int
log_place_begin(struct log_place *p, const struct house *h, const char *suffix,
    struct reason *why)
{
	int err;

	*p = (struct log_place){ .fd = -1, .old = -1, .lock = -1 };
	err = names(p, h, suffix, why);
	if (err == 0)
		err = lock_old(p, why);
	return err;
}

/*
 * Between two renames of an earlier swap the whole one that had to go, or was
 * to come, has a name of its own: it is kept, too.
 */
static int
keep_found(struct log_place *p, const char *swap, struct reason *why)
{
	if (access(swap, F_OK) < 0)
		return 0;
	snprintf(p->found, sizeof(p->found), "%.*s.1",
	    (int)(sizeof(p->found) - sizeof(".1")),
	    p->kept[0] ? p->kept : p->path);
	if (access(p->found, F_OK) == 0)
		return reason_set(
		    why, -EEXIST, "cannot keep '%s' as '%s'", swap, p->found);
	return rename(swap, p->found) < 0
		   ? reason_set(why, -errno, "cannot rename '%s' to '%s'", swap,
			 p->found)
		   : 0;
}

/* What is mounted has its name from the mount, and no other disk's. */
static int
check_disk(const struct log_place *p, struct reason *why)
{
	struct stat old, made;

	if (p->old < 0)
		return 0;
	if (fstat(p->old, &old) < 0 || fstat(p->fd, &made) < 0)
		return reason_set(why, -errno, "cannot look at '%s'", p->path);
	if (old.st_dev == made.st_dev)
		return 0;
	return reason_say(why, -EXDEV,
	    "'%s' is a mount point, which no other log can take the place of: "
	    "put the log into a directory of that disk, and name it in "
	    "log.directory",
	    p->path);
}

int
log_place_make(struct log_place *p, struct reason *why)
{
	char swap[PATH_MAX + sizeof(SWAP)];
	int err;

	if (p->kept[0] && access(p->kept, F_OK) == 0)
		return reason_set(
		    why, -EEXIST, "cannot keep the old log as '%s'", p->kept);
	snprintf(swap, sizeof(swap), "%s" SWAP, p->path);
	err = keep_found(p, swap, why);
	if (err < 0)
		return err;
	snprintf(p->made, sizeof(p->made), "%.*s.new",
	    (int)(sizeof(p->made) - sizeof(".new")), p->path);
	err = remove_made(p);
	if (err < 0)
		return reason_set(why, err, "cannot remove '%s'", p->made);
	if (mkdir(p->made, 0750) < 0)
		return reason_set(why, -errno, "cannot make '%s'", p->made);
	p->fd = open(p->made, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p->fd < 0 ? reason_set(why, -errno, "cannot open '%s'", p->made)
			 : check_disk(p, why);
}

static int
any_content(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "LOCK") != 0;
}

bool
log_place_taken(const struct log_place *p)
{
	return p->old >= 0 &&
	       sysio_list(&sysio_posix, p->old, any_content, NULL) != 0;
}

struct giving {
	int dirfd;
	struct stat to;
};

static int
give(void *arg, const char *name)
{
	const struct giving *g = arg;

	return fchownat(g->dirfd, name, g->to.st_uid, g->to.st_gid,
		   AT_SYMLINK_NOFOLLOW) == 0
		   ? 0
		   : -errno;
}

/* Who may read and write it stays the same; without an old one, the parent. */
static int
adopt(const struct log_place *p, struct reason *why)
{
	CLEANUP(closep) int parent = -1;
	struct giving g = { .dirfd = p->fd };
	int err = 0;

	if (p->old < 0)
		parent =
		    openat(p->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fstat(p->old < 0 ? parent : p->old, &g.to) < 0)
		return reason_set(why, -errno, "cannot look at '%s'", p->path);
	if (geteuid() == 0) {
		err = sysio_list(&sysio_posix, p->fd, give, &g);
		if (err == 0 && fchown(p->fd, g.to.st_uid, g.to.st_gid) < 0)
			err = -errno;
	}
	if (err == 0 && p->old >= 0 && fchmod(p->fd, g.to.st_mode & 07777) < 0)
		err = -errno;
	return err < 0
		   ? reason_set(why, err, "cannot give '%s' its owner", p->made)
		   : 0;
}

static int
sync_parent(const struct log_place *p)
{
	CLEANUP(closep)
	int fd = openat(p->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0 ? 0 : -errno;
}

/* Both are there: they change places, and the old one gets its name. */
static int
exchange(struct log_place *p, struct reason *why)
{
	char swap[PATH_MAX + sizeof(SWAP)];

	/* From here on nobody takes it for what an attempt left. */
	snprintf(swap, sizeof(swap), "%s" SWAP, p->path);
	if (rename(p->made, swap) < 0)
		return reason_set(
		    why, -errno, "cannot rename '%s' to '%s'", p->made, swap);
	p->made[0] = '\0';
	if (renameat2(AT_FDCWD, swap, AT_FDCWD, p->path, RENAME_EXCHANGE) < 0)
		return reason_set(why, -errno,
		    "cannot exchange '%s', which is whole, for '%s'", swap,
		    p->path);
	if (rename(swap, p->kept) < 0)
		return reason_set(
		    why, -errno, "cannot rename '%s' to '%s'", swap, p->kept);
	return 0;
}

/* Nothing is there, or an empty directory, which another takes the place of. */
static int
move_in(struct log_place *p, struct reason *why)
{
	if (p->old >= 0)
		(void)unlinkat(p->old, "LOCK", 0);
	p->kept[0] = '\0';
	if (rename(p->made, p->path) < 0)
		return reason_set(why, -errno, "cannot rename '%s' to '%s'",
		    p->made, p->path);
	p->made[0] = '\0';
	return 0;
}

int
log_place_swap(struct log_place *p, struct reason *why)
{
	int err = adopt(p, why);

	if (err < 0)
		return err;
	if (fsync(p->fd) < 0)
		return reason_set(why, -errno, "cannot sync '%s'", p->made);
	err = p->kept[0] && log_place_taken(p) ? exchange(p, why)
					       : move_in(p, why);
	if (err < 0)
		return err;
	err = sync_parent(p);
	return err < 0 ? reason_set(why, err,
			     "cannot sync the directory of '%s'", p->path)
		       : 0;
}

void
log_place_end(struct log_place *p)
{
	if (p->made[0] && p->fd >= 0)
		(void)remove_made(p);
	closep(&p->fd);
	closep(&p->old);
	closep(&p->lock);
}
