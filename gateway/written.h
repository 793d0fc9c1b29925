/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Messages that the kernel has taken: how late they were, how long, and how
 * many events each has.  A clock for each message would cost a hundredth of
 * what sending it does, so some are gathered and told the same time.
 */

#ifndef PEAL_GATEWAY_WRITTEN_H
#define PEAL_GATEWAY_WRITTEN_H

struct block;

/* All of a block, or of its like in another form, was written. */
void written_block(const struct block *b);
/* Tell what was gathered: before every wait. */
void written_flush(void);

#endif
