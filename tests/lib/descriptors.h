/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The descriptors of a test program, whatever whoever started it has left open
 * for it.  Failing here fails the cmocka test.
 */

#ifndef PEAL_TESTS_LIB_DESCRIPTORS_H
#define PEAL_TESTS_LIB_DESCRIPTORS_H

#include <sys/resource.h>

/* How many are open. */
unsigned descriptors_open(void);

/* Let n more be opened and no further one; the limit as it was before. */
struct rlimit descriptors_leave(unsigned n);
/* That one again. */
void descriptors_restore(const struct rlimit *limit);

#endif
