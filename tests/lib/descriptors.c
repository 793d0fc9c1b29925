/* SPDX-License-Identifier: BSD-2-Clause */

/* Counting and limiting descriptors; see the header. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/descriptors.h"

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

unsigned
descriptors_open(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += is_open(fd);
	return n;
}

struct rlimit
descriptors_leave(unsigned n)
{
	struct rlimit old, few;
	int end = 0;

	/* Those that were inherited stand between the free ones. */
	while (is_open(end) || n-- > 0)
		end++;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)end;
	descriptors_restore(&few);
	return old;
}

void
descriptors_restore(const struct rlimit *limit)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, limit), 0);
}
