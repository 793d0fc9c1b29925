/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Zeros in place of what was cut off.  Jumping out of the fault would leave
 * the reader half done, and reading by pread() would cost system calls for
 * each run of events.
 */

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/guard.h"

static volatile sig_atomic_t guard_pages;

/*
 * Only a mapping of a file faults this way: of one that has become shorter.
 * The zeros are read-only, so that a fault while writing still ends us.
 */
static void
guard_on_fault(int signo, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *at = (void *)((uintptr_t)info->si_addr & ~(page - 1));

	(void)context;
	if (info->si_code != BUS_ADRERR ||
	    mmap(at, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		-1, 0) == MAP_FAILED)
		/* The instruction is tried again, and ends us. */
		signal(signo, SIG_DFL);
	else
		guard_pages++;
}

void
guard_begin(void)
{
	struct sigaction sa = { .sa_sigaction = guard_on_fault,
		.sa_flags = SA_SIGINFO };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, NULL);
}

long
guard_replaced(void)
{
	return guard_pages;
}
