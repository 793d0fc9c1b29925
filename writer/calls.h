/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a serving writer calls and others do not: it makes, fills and removes
 * files, and forks for a checkpoint.
 */

#ifndef PEAL_WRITER_CALLS_H
#define PEAL_WRITER_CALLS_H

struct hygiene_list;

extern const struct hygiene_list calls_writer;

#endif
