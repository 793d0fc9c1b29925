/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The mark beside the environment: which boot opened it last, and whether it
 * was left clean.  It is on the disk before the environment is touched, since
 * pages that were never synced are gone with the boot that wrote them.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "broker/store_priv.h"
#include "core/fs.h"
#include "core/reason.h"

#define MARK_HEAD "peal-state 1 "

enum {
	BOOT_ID = 36 /* bytes of the kernel's */
};

static const char *const words[] = {
	[STORE_LEFT_OPEN] = "open",
	[STORE_LEFT_CLEAN] = "clean",
	[STORE_LEFT_DAMAGED] = "damaged",
};

static int
boot_id(char id[BOOT_ID + 1], struct reason *why)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return reason_set(why, -errno, "cannot read '%s'", path);
	n = fread(id, 1, BOOT_ID, f);
	(void)fclose(f);
	if (n != BOOT_ID)
		return reason_say(why, -EPROTO, "'%s' is no boot id", path);
	id[BOOT_ID] = '\0';
	return 0;
}

static bool
left(const char *text, const char *boot, enum store_left how)
{
	char want[STORE_MARK_BYTES];

	snprintf(want, sizeof(want), MARK_HEAD "%s %s\n", boot, words[how]);
	return !strcmp(text, want);
}

int
store_mark_read(int dirfd, struct reason *why)
{
	CLEANUP(freep) uint8_t *buf = NULL;
	char boot[BOOT_ID + 1];
	const char *end;
	size_t len;
	int err = boot_id(boot, why);

	if (err < 0)
		return err;
	err = fs_read(&sysio_posix, dirfd, STORE_MARK_NAME, STORE_MARK_BYTES,
	    &buf, &len, why);
	if (err == -ENOENT)
		return STORE_MARK_NONE;
	if (err == -EFBIG)
		return STORE_MARK_DAMAGED;
	if (err < 0)
		return err;
	if (left((char *)buf, boot, STORE_LEFT_OPEN))
		return STORE_MARK_TRUSTED;
	end = strrchr((char *)buf, ' ');
	if (end && !strcmp(end, " clean\n"))
		return STORE_MARK_TRUSTED;
	if (end && !strcmp(end, " open\n"))
		return STORE_MARK_OTHER_BOOT;
	return STORE_MARK_DAMAGED;
}

/* Without room for a new file the old one's bytes have to do. */
static int
overwrite(int dirfd, const char *text, size_t len, struct reason *why)
{
	CLEANUP(closep)
	int fd = openat(dirfd, STORE_MARK_NAME, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (err == 0)
		err = sysio_pwrite(&sysio_posix, fd, text, len, 0);
	if (err == 0)
		err = sysio_ftruncate(&sysio_posix, fd, len);
	if (err == 0)
		err = sysio_fsync(&sysio_posix, fd);
	return err < 0
		   ? reason_set(why, err, "cannot write '%s'", STORE_MARK_NAME)
		   : 0;
}

int
store_mark_text(
    enum store_left how, char text[STORE_MARK_BYTES], struct reason *why)
{
	char boot[BOOT_ID + 1];
	int err = boot_id(boot, why);

	if (err < 0)
		return err;
	snprintf(text, STORE_MARK_BYTES, MARK_HEAD "%s %s\n", boot, words[how]);
	return 0;
}

int
store_mark_write(int dirfd, enum store_left how, struct reason *why)
{
	char text[STORE_MARK_BYTES];
	int err = store_mark_text(how, text, why);

	if (err < 0)
		return err;
	err = fs_replace(&sysio_posix, dirfd, STORE_MARK_NAME, text,
	    strlen(text), 0640, why);
	return err == -ENOSPC ? overwrite(dirfd, text, strlen(text), why) : err;
}
