/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * LMDB believes what its pages say: damaged ones can lead it anywhere, and a
 * process that dies of it would start on the same pages again and again.  So
 * the mark says "damaged" before this process dies of a fault of its own; one
 * that is killed from outside leaves it as it is.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "broker/store_priv.h"
#include "core/diag.h"
#include "core/macros.h"

static const int faults[] = { SIGSEGV, SIGBUS };

/* Of the one state that this process has open. */
static struct {
	volatile sig_atomic_t dirfd; /* -1: none */
	char text[STORE_MARK_BYTES];
	size_t len;
	struct sigaction before[ARRAY_LEN(faults)];
} guard = { .dirfd = -1 };

/* Only what a signal's handler may call. */
static void
mark(void)
{
	int fd, dirfd = guard.dirfd;

	guard.dirfd = -1;
	if (dirfd < 0)
		return;
	fd = openat(dirfd, STORE_MARK_NAME, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (pwrite(fd, guard.text, guard.len, 0) == (ssize_t)guard.len)
		(void)!ftruncate(fd, (off_t)guard.len);
	(void)close(fd);
}

/* The signal comes once more, to who had it before. */
static void
on_fault(int signo)
{
	mark();
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		(void)sigaction(faults[i], &guard.before[i], NULL);
	(void)raise(signo);
}

void
store_guard_assert(MDB_env *env, const char *what)
{
	mark();
	diag_error("the state contradicts itself: %s", what);
}

int
store_guard_arm(int dirfd, struct reason *why)
{
	struct sigaction act = { .sa_handler = on_fault };
	int err = store_mark_text(STORE_LEFT_DAMAGED, guard.text, why);

	if (err < 0)
		return err;
	store_guard_disarm();
	guard.len = strlen(guard.text);
	(void)sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		(void)sigaction(faults[i], &act, &guard.before[i]);
	guard.dirfd = dirfd;
	return 0;
}

void
store_guard_disarm(void)
{
	if (guard.dirfd < 0)
		return;
	guard.dirfd = -1;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		(void)sigaction(faults[i], &guard.before[i], NULL);
}
