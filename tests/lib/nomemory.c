/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Allocations that fail when they are told to.  The linker's --wrap has our
 * objects call these; what reallocarray() and strdup() allocate inside libc it
 * does not see, so that they are wrapped as well.
 */

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/nomemory.h"

static struct {
	uint64_t left; /* allocations until the one that fails; 0: none does */
	bool for_good, fired;
	unsigned held;
} nomemory;

/* Is this the one? */
static bool
nomemory_now(void)
{
	if (nomemory.held > 0 || nomemory.left == 0)
		return false;
	if (nomemory.left > 1) {
		nomemory.left--;
		return false;
	}
	if (!nomemory.for_good)
		nomemory.left = 0;
	nomemory.fired = true;
	errno = ENOMEM;
	return true;
}

#define NOMEMORY_WRAP(type, name, params, ...)                             \
	type __real_##name params;                                         \
	type __wrap_##name params;                                         \
	type __wrap_##name params                                          \
	{                                                                  \
		return nomemory_now() ? NULL : __real_##name(__VA_ARGS__); \
	}

NOMEMORY_WRAP(void *, malloc, (size_t len), len)
NOMEMORY_WRAP(void *, calloc, (size_t n, size_t len), n, len)
NOMEMORY_WRAP(void *, realloc, (void *p, size_t len), p, len)
NOMEMORY_WRAP(void *, reallocarray, (void *p, size_t n, size_t len), p, n, len)
NOMEMORY_WRAP(void *, aligned_alloc, (size_t align, size_t len), align, len)
NOMEMORY_WRAP(char *, strdup, (const char *s), s)
NOMEMORY_WRAP(char *, strndup, (const char *s, size_t len), s, len)

void
nomemory_at(uint64_t n, bool for_good)
{
	assert(n > 0);
	nomemory.held = 0; /* also where a test failed in between */
	nomemory.left = n;
	nomemory.for_good = for_good;
	nomemory.fired = false;
}

bool
nomemory_end(void)
{
	nomemory.left = 0;
	return nomemory.fired;
}

void
nomemory_hold(void)
{
	nomemory.held++;
}

void
nomemory_release(void)
{
	assert(nomemory.held > 0);
	nomemory.held--;
}

/* Calls that make or change files: the others of the model allocate nothing. */
static const struct sysio *below;

#define NOMEMORY_HELD(type, call) \
	type got;                 \
                                  \
	nomemory_hold();          \
	got = below->call;        \
	nomemory_release();       \
	return got

static int
held_openat(void *ctx, int dirfd, const char *name, int flags, mode_t mode)
{
	NOMEMORY_HELD(int, openat(ctx, dirfd, name, flags, mode));
}

static ssize_t
held_pwritev(void *ctx, int fd, const struct iovec *iov, int n, off_t at)
{
	NOMEMORY_HELD(ssize_t, pwritev(ctx, fd, iov, n, at));
}

static int
held_fdatasync(void *ctx, int fd)
{
	NOMEMORY_HELD(int, fdatasync(ctx, fd));
}

static int
held_fsync(void *ctx, int fd)
{
	NOMEMORY_HELD(int, fsync(ctx, fd));
}

static int
held_ftruncate(void *ctx, int fd, off_t len)
{
	NOMEMORY_HELD(int, ftruncate(ctx, fd, len));
}

const struct sysio *
nomemory_io(const struct sysio *under)
{
	static struct sysio io;

	below = under;
	io = *under;
	io.openat = held_openat;
	io.pwritev = held_pwritev;
	io.fdatasync = held_fdatasync;
	io.fsync = held_fsync;
	io.ftruncate = held_ftruncate;
	return &io;
}

static unsigned
sweep(int (*op)(void *arg), void *arg, bool for_good)
{
	unsigned failed = 0;
	bool fired = true;

	for (unsigned n = 1; fired; n++) {
		int got;

		nomemory_at(n, for_good);
		got = op(arg);
		fired = nomemory_end();
		if (got != 0 && !(fired && got == -ENOMEM))
			fail_msg("allocation %u: %d", n, got);
		failed += got == -ENOMEM;
	}
	return failed;
}

void
nomemory_sweep(int (*op)(void *arg), void *arg)
{
	assert_true(sweep(op, arg, false) > 0);
	assert_true(sweep(op, arg, true) > 0);
}
