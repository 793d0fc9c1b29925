/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Short memory.  In a program linked with $(nomemory_ldflags) any allocation
 * of our own code can be made to fail; those of libraries go on as they are.
 * One thread.
 */

#ifndef PEAL_TESTS_LIB_NOMEMORY_H
#define PEAL_TESTS_LIB_NOMEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/sysio.h"

/*
 * The nth allocation from now on fails, and with for_good all behind it, until
 * nomemory_end() says whether there was one.
 */
void nomemory_at(uint64_t n, bool for_good);
bool nomemory_end(void);

/* In between, what a test needs itself: it is there and does not count. */
void nomemory_hold(void);
void nomemory_release(void);
/*
 * Calls of *under, the file model's, so that its own allocations do not count;
 * valid until the next call.
 */
const struct sysio *nomemory_io(const struct sysio *under);

/*
 * op() with its first allocation failing, its second …, alone and with all
 * behind it, until none fails.  It answers -ENOMEM then, or 0 after it has
 * found that the result is right; it always does once none fails.  -ENOMEM
 * comes at least once.
 */
void nomemory_sweep(int (*op)(void *arg), void *arg);

#endif
