/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Mappings of files that somebody cuts short: what is gone reads as zeros,
 * and the reader finds out before it uses them, instead of ending by SIGBUS.
 */

#ifndef PEAL_TOOLS_GUARD_H
#define PEAL_TOOLS_GUARD_H

/* Take SIGBUS from here on; before the first mapping is read. */
void guard_begin(void);

/*
 * Pages that had to be replaced so far, in all mappings.  Where it is the
 * same behind reading as it was before mapping, what was read was there.
 */
long guard_replaced(void);

#endif
