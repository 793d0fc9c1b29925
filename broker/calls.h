/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What a serving broker calls and others do not: it makes, fills, maps and
 * removes files, also by way of LMDB.
 */

#ifndef PEAL_BROKER_CALLS_H
#define PEAL_BROKER_CALLS_H

struct hygiene_list;

extern const struct hygiene_list calls_broker;

#endif
