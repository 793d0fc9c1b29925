/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A clock that a test moves, for real programs: preloaded, it adds what stands
 * in the file PEAL_CLOCK to what the kernel says, two int64_t of nanoseconds:
 * to CLOCK_REALTIME, and to CLOCK_BOOTTIME.  What waits, waits as ever.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SHIFT_S INT64_C(1000000000)

static const volatile int64_t *shift;

__attribute__((constructor)) static void
shift_map(void)
{
	const char *path = getenv("PEAL_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);

	/* A test that believes that it moves the clock must not go on. */
	if (at == MAP_FAILED)
		_exit(99);
	(void)close(fd);
	shift = at;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns = 0;

	if (syscall(SYS_clock_gettime, id, ts) < 0)
		return -1;
	if (shift && id == CLOCK_REALTIME)
		ns = shift[0];
	if (shift && id == CLOCK_BOOTTIME)
		ns = shift[1];
	ns += (int64_t)ts->tv_nsec + (int64_t)ts->tv_sec * SHIFT_S;
	ts->tv_sec = (time_t)(ns / SHIFT_S);
	ts->tv_nsec = (long)(ns % SHIFT_S);
	return 0;
}
